//! Waits for more: inotify(7) tells of writes, rotations and changes of state; a pidfd tells of a monitor that was killed.

use super::files::{next, Position};
use super::life::{self, Life};
use super::print::Printer;
use super::Stop;
use crate::clock;
use crate::failure::{During, Step};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

pub struct Watch {
    inotify: OwnedFd,
    folder: PathBuf,
}

/// What ended a wait.
#[derive(PartialEq, Eq)]
pub enum Woken {
    Change,
    /// The monitor has ended.
    Ended,
    /// The time is over.
    Late,
    /// Nobody reads any more.
    Closed,
}

impl Watch {
    /// Of the log's folder, and of the container's.
    pub fn new(log: &Path, folder: &Path) -> Step<Watch> {
        let watch = Watch::of_folder(folder)?;
        if let Some(place) = log.parent() {
            watch.add(place)?;
        }
        Ok(watch)
    }

    pub fn of_folder(folder: &Path) -> Step<Watch> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).during("log", "inotify")?;
        let watch = Watch { inotify, folder: folder.to_path_buf() };
        watch.add(folder)?;
        Ok(watch)
    }

    fn add(&self, place: &Path) -> Step<()> {
        let events = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE_SELF;
        inotify::add_watch(&self.inotify, place, events).during("log", place.display()).map(drop)
    }

    /// Until the container has ended and will not be restarted.
    pub fn follow(
        &mut self,
        path: &Path,
        mut position: Option<Position>,
        until: Option<i128>,
        printer: &mut Printer<'_>,
    ) -> Result<(), Stop> {
        loop {
            // Asked before the log is read: what was written before the end is read after it.
            let life = life::of(&self.folder);
            catch_up(path, &mut position, printer)?;
            printer.flush()?;
            let monitor = match &life {
                Life::Over => return Ok(()),
                Life::Now(monitor) => Some(monitor.as_fd()),
                Life::Ahead => None,
            };
            match self.wait(monitor, until, printer.output())? {
                Woken::Change => {}
                Woken::Ended => {
                    catch_up(path, &mut position, printer)?;
                    return printer.flush();
                }
                Woken::Late => return Err(Stop::Until),
                Woken::Closed => return Err(Stop::Closed),
            }
        }
    }

    /// Sleeps until something changed.
    pub fn wait(&self, monitor: Option<BorrowedFd<'_>>, until: Option<i128>, output: BorrowedFd<'_>) -> Step<Woken> {
        let mut fds = vec![PollFd::new(&self.inotify, PollFlags::IN), PollFd::new(&output, PollFlags::empty())];
        if let Some(monitor) = &monitor {
            fds.push(PollFd::new(monitor, PollFlags::IN));
        }
        let patience = until.map(|until| {
            let left = until.saturating_sub(clock::since_epoch().as_nanos() as i128).max(0);
            Timespec { tv_sec: (left / 1_000_000_000) as i64, tv_nsec: (left % 1_000_000_000) as _ }
        });
        match poll(&mut fds, patience.as_ref()) {
            Err(Errno::INTR) => return Ok(Woken::Change),
            Ok(0) => return Ok(Woken::Late),
            result => result.during("log", "poll")?,
        };
        if !fds[1].revents().is_empty() {
            return Ok(Woken::Closed);
        }
        if fds.get(2).is_some_and(|monitor| !monitor.revents().is_empty()) {
            return Ok(Woken::Ended);
        }
        while rustix::io::read(&self.inotify, &mut [0_u8; 4096]).is_ok_and(|count| count > 0) {}
        Ok(Woken::Change)
    }
}

/// Prints what is there, in this file and in those that came after it.
fn catch_up(path: &Path, position: &mut Option<Position>, printer: &mut Printer<'_>) -> Result<(), Stop> {
    loop {
        if let Some(position) = position {
            position.advance(printer)?;
        }
        let Some(later) = next(path, position.as_ref().map_or(0, Position::inode))? else { return Ok(()) };
        // Once it was moved nobody writes to it, so this is all.
        if let Some(position) = position {
            position.advance(printer)?;
        }
        *position = Some(Position::new(later, 0));
    }
}
