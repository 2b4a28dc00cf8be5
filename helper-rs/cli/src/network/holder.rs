//! The holder: one process a user, which connects containers with bridges and answers for their names.

use super::flights::{Asker, Flights};
use super::member::Gate;
use super::registry::Registry;
use super::room::Room;
use super::streams::Streams;
use super::{listen, start, STEP};
use crate::failure::{During, Step};
use crate::sys::{memory, signal};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// After the last container; the next one of a script finds it still there.
const LINGER: Duration = Duration::from_millis(500);
/// When bridges are looked after that nobody uses any more.
pub const SWEEP: Duration = Duration::from_millis(200);
const MOST_CONNECTIONS: usize = 4096;

pub struct Connection {
    pub number: u64,
    pub socket: OwnedFd,
}

pub struct Holder {
    directory: PathBuf,
    pub userns: Option<OwnedFd>,
    pub room: Room,
    listener: OwnedFd,
    pub connections: Vec<Connection>,
    count: u64,
    pub registry: Registry,
    pub flights: Flights,
    pub streams: Streams,
    /// Networks without a container: name of the bridge, id of the network.
    pub empty: Vec<(String, String)>,
    pub sweep: Option<Instant>,
    /// Since when there is nobody.
    pub idle: Instant,
    pub tidy: Option<Instant>,
}

/// `network serve`: to the end of the last container. `ready` hears when it listens.
pub fn serve(directory: &Path, has_userns: bool, before: Option<OwnedFd>, ready: OwnedFd) -> Step<()> {
    let _ = rustix::thread::set_name(c"rootless-net");
    let begun = begin(directory, has_userns, before);
    let said = match &begun {
        Ok(_) => start::LISTENS.to_vec(),
        Err(failure) => failure.pack().into_bytes(),
    };
    rustix::io::write(&ready, &said).during(STEP, "ready")?;
    drop(ready);
    begun?.run()
}

fn begin(directory: &Path, has_userns: bool, before: Option<OwnedFd>) -> Step<Holder> {
    let pid = i32::try_from(std::process::id()).unwrap_or(0);
    let userns = has_userns.then(|| crate::userns::open_namespace(pid, "user")).transpose()?;
    signal::ignore_terminal();
    let room = Room::open(before)?;
    let listener = listen::open(directory)?;
    Ok(Holder {
        directory: directory.to_path_buf(),
        userns,
        room,
        listener,
        connections: Vec::new(),
        count: 0,
        registry: Registry::default(),
        flights: Flights::default(),
        streams: Streams::default(),
        empty: Vec::new(),
        sweep: None,
        idle: Instant::now(),
        tidy: Some(Instant::now() + Duration::from_secs(1)),
    })
}

impl Holder {
    fn run(mut self) -> Step<()> {
        loop {
            self.turn()?;
            if self.connections.is_empty() && self.idle.elapsed() >= LINGER && self.may_end()? {
                return Ok(());
            }
        }
    }

    /// One poll(2) over everything, and what it says is done.
    fn turn(&mut self) -> Step<()> {
        let mut fds = vec![PollFd::new(&self.listener, PollFlags::IN)];
        fds.extend(self.room.udp.iter().chain(&self.room.tcp).map(|fd| PollFd::new(fd, PollFlags::IN)));
        fds.extend(self.connections.iter().map(|one| PollFd::new(&one.socket, PollFlags::IN)));
        fds.extend(self.flights.sockets().map(|(fd, sends)| PollFd::new(fd, flags(true, sends))));
        fds.extend(self.streams.sockets().map(|(fd, reads, sends)| PollFd::new(fd, flags(reads, sends))));
        let patience = self.patience();
        match poll(&mut fds, patience.as_ref()) {
            Err(Errno::INTR) => return Ok(()),
            other => other.during(STEP, "poll")?,
        };
        let fired: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        let (udp, tcp, connected) = (self.room.udp.len(), self.room.tcp.len(), self.connections.len());
        let flying = self.flights.sockets().count();
        let mut rest = fired.as_slice();
        let mut take = |count: usize| {
            let (head, tail) = rest.split_at(count);
            rest = tail;
            head
        };
        let (listens, udp, tcp) = (take(1)[0], take(udp), take(tcp));
        let (connected, flying, streams) = (take(connected), take(flying), rest);
        let landed = self.flights.land(flying);
        self.bring(landed);
        for (number, peer, question) in self.streams.hear(streams) {
            self.decide(Asker::Tcp(number, peer), &question);
        }
        for at in (0..udp.len()).filter(|at| udp[*at]) {
            self.hear_datagrams(at);
        }
        for at in (0..tcp.len()).filter(|at| tcp[*at]) {
            let registry = &self.registry;
            self.streams.accept(&self.room.tcp[at], |ip| registry.knows(ip));
        }
        let numbers: Vec<u64> =
            self.connections.iter().zip(connected).filter(|(_, fired)| **fired).map(|(one, _)| one.number).collect();
        numbers.into_iter().for_each(|number| self.hear(number));
        if listens {
            self.accept();
        }
        self.tend();
        Ok(())
    }

    fn patience(&self) -> Option<Timespec> {
        let idle = self.connections.is_empty().then(|| self.idle + LINGER);
        let due = [idle, self.sweep, self.tidy, self.flights.deadline(), self.streams.deadline()];
        let rest =
            due.into_iter().flatten().min()?.saturating_duration_since(Instant::now()) + Duration::from_micros(1);
        Some(Timespec { tv_sec: rest.as_secs() as i64, tv_nsec: i64::from(rest.subsec_nanos()) })
    }

    /// What is due by time.
    fn tend(&mut self) {
        let now = Instant::now();
        if self.sweep.is_some_and(|at| at <= now) {
            self.sweep_bridges();
            self.sweep = (!self.empty.is_empty()).then(|| now + SWEEP);
        }
        if self.tidy.is_some_and(|at| at <= now) {
            self.tidy = None;
            memory::shrink();
        }
    }

    /// Under the lock of those who connect nobody can be on the way, but may wait at the door.
    fn may_end(&mut self) -> Step<bool> {
        let Some(gate) = Gate::try_pass(&self.directory)? else {
            self.idle = Instant::now();
            return Ok(false);
        };
        self.accept();
        if !self.connections.is_empty() {
            return Ok(false);
        }
        // One whose holder was killed may be about to connect with this one.
        self.idle = Instant::now();
        gate.close(&self.directory)
    }

    fn accept(&mut self) {
        while self.connections.len() < MOST_CONNECTIONS {
            let Some(socket) = listen::accept(&self.listener) else { return };
            self.count += 1;
            self.connections.push(Connection { number: self.count, socket });
        }
    }
}

fn flags(reads: bool, sends: bool) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, reads);
    flags.set(PollFlags::OUT, sends);
    flags
}
