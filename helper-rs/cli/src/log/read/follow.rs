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

/// How often is looked where the user's inotify instances or watches are used up.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

pub struct Watch {
    /// `None`: there are no more of them, and it is looked again and again.
    inotify: Option<OwnedFd>,
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
        let mut watch = Watch::of_folder(folder)?;
        if let Some(place) = log.parent() {
            watch.add(place)?;
        }
        Ok(watch)
    }

    pub fn of_folder(folder: &Path) -> Step<Watch> {
        let inotify = match inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK) {
            Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => None,
            result => Some(result.during("log", "inotify")?),
        };
        let mut watch = Watch { inotify, folder: folder.to_path_buf() };
        watch.add(folder)?;
        Ok(watch)
    }

    /// A folder that is gone meanwhile is no failure: whoever asks next sees that.
    fn add(&mut self, place: &Path) -> Step<()> {
        let events = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE_SELF;
        let Some(inotify) = &self.inotify else { return Ok(()) };
        match inotify::add_watch(inotify, place, events) {
            Err(Errno::NOENT) => Ok(()),
            Err(Errno::NOSPC | Errno::NOMEM) => {
                self.inotify = None;
                Ok(())
            }
            result => result.during("log", place.display()).map(drop),
        }
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
        let mut fds = vec![PollFd::new(&output, PollFlags::empty())];
        fds.extend(monitor.as_ref().map(|monitor| PollFd::new(monitor, PollFlags::IN)));
        fds.extend(self.inotify.as_ref().map(|inotify| PollFd::new(inotify, PollFlags::IN)));
        let patience = until.map(|until| {
            let left = until.saturating_sub(clock::since_epoch().as_nanos() as i128).max(0);
            Timespec { tv_sec: (left / 1_000_000_000) as i64, tv_nsec: (left % 1_000_000_000) as _ }
        });
        let looks =
            self.inotify.is_none() && patience.is_none_or(|left| left.tv_sec > 0 || left.tv_nsec > LOOK.tv_nsec);
        match poll(&mut fds, if looks { Some(&LOOK) } else { patience.as_ref() }) {
            Err(Errno::INTR) => return Ok(Woken::Change),
            Ok(0) => return Ok(if looks { Woken::Change } else { Woken::Late }),
            result => result.during("log", "poll")?,
        };
        if !fds[0].revents().is_empty() {
            return Ok(Woken::Closed);
        }
        if monitor.is_some() && !fds[1].revents().is_empty() {
            return Ok(Woken::Ended);
        }
        if let Some(inotify) = &self.inotify {
            while rustix::io::read(inotify, &mut [0_u8; 4096]).is_ok_and(|count| count > 0) {}
        }
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
