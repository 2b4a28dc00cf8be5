//! Root emulation for a container with one id: who changes an owner, makes a device or becomes somebody else is answered as if it had
//! happened. Owners and devices are recorded as containers-storage does, in `user.containers.override_stat`; ids in a book. The calls
//! themselves could only fail: there is no second id.

mod asker;
mod ids;
mod node;
mod owner;

use crate::companion;
use crate::failure::{During, Step};
use crate::sys::process::{self, Child, Forked};
use crate::sys::seccomp;
use crate::sys::{signal, socket};
use asker::Asker;
use ids::{Answer, Book};
use rustix::event::{poll, PollFd, PollFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;

/// The process that answers: inside the container's user namespace, because writing attributes of a file that its owner may not
/// write takes the capabilities of the namespace's root. Ended when dropped.
pub struct Notifier {
    child: Child,
    /// More listeners go here: every program that is entered has its own.
    more: OwnedFd,
}

impl Notifier {
    /// Starts to answer in a container's user namespace: the namespace itself, or a pidfd of a program in it. A process on its way
    /// to its program may not be looked into, not even for that.
    pub fn start(listener: &OwnedFd, container: &OwnedFd) -> Step<Notifier> {
        use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
        let (more, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .during("seccomp", "notifier")?;
        match process::fork().during("seccomp", "notifier")? {
            Forked::Child => {
                drop(more);
                signal::ignore_terminal();
                let joined = process::join(container.as_fd(), libc::CLONE_NEWUSER);
                // Joining has cleared it.
                if joined.and_then(|()| process::die_with_parent()).is_ok() {
                    companion::forget_helper(&[listener, &theirs]);
                    serve(listener, theirs);
                }
                process::exit_now(0)
            }
            Forked::Parent(child) => Ok(Notifier { child, more }),
        }
    }

    /// Answers for one more program.
    pub fn add(&self, listener: &OwnedFd) -> Step<()> {
        socket::send(&self.more, b"+", Some(listener.as_fd())).during("seccomp", "notifier")
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        let _ = process::send_signal(&self.child.pidfd, libc::SIGKILL);
        let _ = process::wait_for(self.child.pid);
    }
}

/// Until there is nobody left who could ask, or who could bring another one.
fn serve(first: &OwnedFd, more: OwnedFd) {
    let mut listeners: Vec<OwnedFd> = rustix::io::fcntl_dupfd_cloexec(first, 3).into_iter().collect();
    let mut more = Some(more);
    let mut book = Book::new();
    while !listeners.is_empty() || more.is_some() {
        let mut fds: Vec<PollFd<'_>> = listeners.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        fds.extend(more.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        let fired: Vec<PollFlags> = fds.iter().map(|fd| fd.revents()).collect();
        let count = listeners.len();
        let mut open = fired.iter();
        listeners.retain(|listener| match open.next() {
            Some(flags) if flags.contains(PollFlags::IN) => answer(listener, &mut book),
            Some(flags) => flags.is_empty(),
            None => true,
        });
        if fired.get(count).is_some_and(|flags| !flags.is_empty()) {
            match more.as_ref().map(|more| socket::receive(more, &mut [0; 8])) {
                Some(Ok((_, Some(listener)))) => listeners.push(listener),
                _ => more = None,
            }
        }
    }
}

/// Answers one call; false when no process is left that could ask.
fn answer(listener: &OwnedFd, book: &mut Book) -> bool {
    let asked = match seccomp::receive(listener.as_fd()) {
        Ok(asked) => asked,
        // The asking process was killed meanwhile.
        Err(Errno::INTR | Errno::AGAIN | Errno::NOENT) => return true,
        Err(_) => return false,
    };
    let _ = match act(&Asker { listener, asked: &asked }, book) {
        Ok(Answer::Proceed) => seccomp::proceed(listener.as_fd(), asked.id),
        Ok(Answer::Value(value)) => seccomp::respond(listener.as_fd(), asked.id, Ok(value)),
        Err(error) => seccomp::respond(listener.as_fd(), asked.id, Err(error)),
    };
    true
}

fn act(asker: &Asker<'_>, book: &mut Book) -> Result<Answer, Errno> {
    if let Some((call, size)) = asker.call(ids::CALLS) {
        return book.answer(asker, call, size);
    }
    if let Some((call, size)) = asker.call(owner::CALLS) {
        return match owner::chown(asker, call, size) {
            // A name that is not UTF-8: the call succeeds, the owner is lost.
            Err(Errno::ILSEQ) => Ok(Answer::Value(0)),
            other => other.map(|()| Answer::Value(0)),
        };
    }
    match asker.call(node::CALLS) {
        Some((call, _)) => node::mknod(asker, call, book.effective(asker.asked.pid)).map(|()| Answer::Value(0)),
        None => Err(Errno::NOSYS),
    }
}
