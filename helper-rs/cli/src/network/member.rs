//! The monitor's side: connected with the holder for as long as its container lives, and able to start it again.

use super::{links, start, wire, STEP};
use crate::failure::{During, Failure, Step};
use crate::userns::IdMap;
use rootless_core::lower::networks::{Attachment, Networks};
use rustix::event::Timespec;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{flock, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use serde_json::{json, Value};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Held while somebody connects, starts a holder, or is one that ends.
const GATE: &str = "lock";
/// Shared by all who have H and B: as long as there is one, nobody makes others.
const MEMBERS: &str = "members";

pub struct Member {
    directory: PathBuf,
    holder: RefCell<OwnedFd>,
    /// H; absent where the caller needs none.
    pub userns: Option<OwnedFd>,
    /// B.
    room: OwnedFd,
    /// What the holder has to be told again, should it be killed.
    known: RefCell<Option<Value>>,
    #[expect(dead_code, reason = "its lock lasts as long as it is open")]
    membership: OwnedFd,
}

impl Member {
    /// Connects with the holder, which is started if there is none.
    pub fn join(networks: &Networks) -> Step<Member> {
        let directory = PathBuf::from(&networks.directory);
        let map = networks.idmap.as_ref().map(|map| IdMap {
            uid: map.uid.clone(),
            gid: map.gid.clone(),
            newuidmap: map.newuidmap.clone(),
            newgidmap: map.newgidmap.clone(),
        });
        let end = Instant::now() + wire::PATIENCE;
        loop {
            let gate = Gate::pass(&directory, end)?;
            // The last holder has taken all files away, but not under this lock.
            let membership = lock_file(&directory, MEMBERS)?;
            let connected = match connected(&directory)? {
                Some(connected) => Some(connected),
                // A monitor that lives is about to start it again, with the namespaces that its container needs.
                None => match flock(&membership, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => {
                        let namespaces = match &map {
                            Some(map) => start::Namespaces::New(map),
                            None => start::Namespaces::Own,
                        };
                        start::start(&directory, namespaces)?;
                        connected_now(&directory).map(Some)?
                    }
                    Err(Errno::WOULDBLOCK) => None,
                    Err(errno) => return Err(errno).during(STEP, MEMBERS),
                },
            };
            if let Some(Connected { holder, userns, room }) = connected {
                flock(&membership, FlockOperation::NonBlockingLockShared).during(STEP, MEMBERS)?;
                drop(gate);
                let (holder, known) = (RefCell::new(holder), RefCell::new(None));
                return Ok(Member { directory, holder, userns, room, known, membership });
            }
            drop(gate);
            pause(end)?;
        }
    }

    /// Readable when the holder is gone: it never speaks first.
    pub fn line(&self) -> Step<OwnedFd> {
        rustix::io::fcntl_dupfd_cloexec(self.holder.borrow().as_fd(), 3).during(STEP, wire::NAME)
    }

    /// Asks for the interfaces of a container; `settle` waits for them.
    pub fn request(&self, id: &str, networks: &Networks, container: BorrowedFd<'_>) -> Step<()> {
        let request = json!({
            "op": "attach", "id": id, "resolvers": networks.resolvers, "attach": networks.attach,
        });
        *self.known.borrow_mut() = Some(request.clone());
        self.with_holder(|holder| wire::say(holder, &request, &[container]))
    }

    pub fn settle(&self) -> Step<()> {
        wire::hear(&self.holder.borrow()).map(drop)
    }

    /// One more network, or other names on one.
    pub fn attach(
        &self,
        id: &str,
        one: &Attachment,
        resolvers: Option<&[String]>,
        container: BorrowedFd<'_>,
    ) -> Step<()> {
        let mut request = json!({ "op": "connect", "id": id, "attach": [one] });
        if let Some(resolvers) = resolvers {
            request["resolvers"] = json!(resolvers);
        }
        self.with_holder(|holder| wire::ask(holder, &request, &[container]).map(drop))?;
        let mut known = self.known.borrow_mut();
        let whole = known.get_or_insert_with(|| json!({ "op": "attach", "id": id, "resolvers": [], "attach": [] }));
        if let Some(resolvers) = resolvers {
            whole["resolvers"] = json!(resolvers);
        }
        forget(whole, &one.network);
        if let Some(list) = whole["attach"].as_array_mut() {
            list.push(json!(one));
        }
        Ok(())
    }

    pub fn detach(&self, network: &str) -> Step<()> {
        self.with_holder(|holder| {
            wire::ask(holder, &json!({ "op": "disconnect", "network": network }), &[]).map(drop)
        })?;
        if let Some(whole) = self.known.borrow_mut().as_mut() {
            forget(whole, network);
        }
        Ok(())
    }

    /// The container has ended; its names are nobody's.
    pub fn leave(&self) {
        *self.known.borrow_mut() = None;
        let _ = wire::ask(&self.holder.borrow(), &json!({ "op": "leave" }), &[]);
    }

    /// After the end of the line: whoever comes first starts the holder again, and everybody says what it has to know.
    pub fn revive(&self) -> Step<()> {
        let end = Instant::now() + wire::PATIENCE;
        let gate = Gate::pass(&self.directory, end)?;
        let found = match connected(&self.directory)? {
            Some(connected) => connected,
            None => {
                start::start(&self.directory, start::Namespaces::Before(self.userns.as_ref(), &self.room))?;
                connected_now(&self.directory)?
            }
        };
        drop(gate);
        if !links::same(&found.room, &self.room) {
            return Err(Failure::because(STEP, "the holder has another namespace").on(self.directory.display()));
        }
        if let Some(known) = self.known.borrow().as_ref() {
            let mut again = known.clone();
            again["op"] = json!("adopt");
            wire::ask(&found.holder, &again, &[])?;
        }
        *self.holder.borrow_mut() = found.holder;
        Ok(())
    }

    /// The holder may have been killed since it was heard of.
    fn with_holder(&self, work: impl Fn(&OwnedFd) -> Step<()>) -> Step<()> {
        let gone = |failure: &Failure| {
            failure.errno.is_some_and(|errno| {
                [Errno::PIPE, Errno::CONNRESET, Errno::NOTCONN].iter().any(|one| one.raw_os_error() == errno)
            })
        };
        let first = work(&self.holder.borrow());
        match first {
            Err(failure) if gone(&failure) => {
                let known = self.known.borrow_mut().take();
                let revived = self.revive();
                *self.known.borrow_mut() = known;
                revived?;
                work(&self.holder.borrow())
            }
            other => other,
        }
    }
}

fn forget(whole: &mut Value, network: &str) {
    if let Some(list) = whole["attach"].as_array_mut() {
        list.retain(|one| one["network"] != network);
    }
}

struct Connected {
    holder: OwnedFd,
    userns: Option<OwnedFd>,
    room: OwnedFd,
}

/// `None` if nobody listens.
fn connected(directory: &Path) -> Step<Option<Connected>> {
    let holder = match wire::dial(directory) {
        Err(Errno::NOENT | Errno::CONNREFUSED) => return Ok(None),
        other => other.during(STEP, directory.display())?,
    };
    let (answer, fds) = match wire::ask(&holder, &json!({ "op": "hello" }), &[]) {
        // It ended at this moment.
        Err(failure) if failure.errno == Some(Errno::PIPE.raw_os_error()) => return Ok(None),
        Err(failure) if failure.errno == Some(Errno::CONNRESET.raw_os_error()) => return Ok(None),
        Err(failure) if failure.errno == Some(Errno::AGAIN.raw_os_error()) => {
            return Err(Failure::because(STEP, "the holder of the networks does not answer").on(directory.display()))
        }
        other => other?,
    };
    let mut fds = fds.into_iter();
    let lost = || Failure::because(STEP, "the holder has no namespaces").on(directory.display());
    let room = fds.next().ok_or_else(lost)?;
    let userns = match answer["userns"] == true {
        true => Some(fds.next().ok_or_else(lost)?),
        false => None,
    };
    Ok(Some(Connected { holder, userns, room }))
}

fn connected_now(directory: &Path) -> Step<Connected> {
    let gone = || Failure::because(STEP, "the holder ended as soon as it had begun").on(directory.display());
    connected(directory)?.ok_or_else(gone)
}

/// Only one at a time connects or starts; given up when dropped.
pub struct Gate(#[expect(dead_code, reason = "its lock lasts as long as it is open")] OwnedFd);

impl Gate {
    fn pass(directory: &Path, end: Instant) -> Step<Gate> {
        loop {
            match Gate::try_pass(directory)? {
                Some(gate) => return Ok(gate),
                None => pause(end)?,
            }
        }
    }

    pub fn try_pass(directory: &Path) -> Step<Option<Gate>> {
        make_folder(directory)?;
        let file = match lock_file(directory, GATE) {
            // A holder has taken the folder away at this moment.
            Err(failure) if failure.errno == Some(Errno::NOENT.raw_os_error()) => return Ok(None),
            other => other?,
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // The lock of a file that nobody finds any more keeps nobody out.
            Ok(()) => {
                Ok(rustix::fs::stat(directory.join(GATE)).is_ok_and(|there| is(&file, &there)).then_some(Gate(file)))
            }
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(errno).during(STEP, GATE),
        }
    }

    /// The holder is about to end: true, and nothing is left in the folder, if nobody has H and B.
    pub fn close(&self, directory: &Path) -> Step<bool> {
        let members = lock_file(directory, MEMBERS)?;
        match flock(&members, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Ok(false),
            other => other.during(STEP, MEMBERS)?,
        }
        for name in [wire::NAME, MEMBERS, GATE] {
            let _ = std::fs::remove_file(directory.join(name));
        }
        let _ = std::fs::remove_dir(directory);
        Ok(true)
    }
}

fn is(file: &OwnedFd, there: &Stat) -> bool {
    rustix::fs::fstat(file).is_ok_and(|own| (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino))
}

fn lock_file(directory: &Path, name: &str) -> Step<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let path = directory.join(name);
    rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).during(STEP, path.display())
}

fn make_folder(directory: &Path) -> Step<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.during(STEP, directory.display())
}

/// A moment, if there is time for it.
fn pause(end: Instant) -> Step<()> {
    if Instant::now() >= end {
        return Err(Failure::because(
            STEP,
            "the holder of the networks is gone, and none of their containers starts it again",
        ));
    }
    let moment = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
    let _ = rustix::event::poll(&mut [], Some(&moment));
    Ok(())
}
