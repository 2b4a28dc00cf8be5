//! Prints a log: all of it or its last lines, across its files, and what comes if it is followed.

mod files;
pub mod follow;
mod journal;
mod life;
mod lines;
mod print;

use super::{Driver, LogOptions};
use crate::failure::{During, Failure, Step};
use files::{generations, Generation};
use print::Printer;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::fcntl_dupfd_cloexec;
use std::path::Path;

/// What of the log is wanted. Times are nanoseconds since 1970.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub follow: bool,
    pub since: Option<i128>,
    pub until: Option<i128>,
    /// The last lines; without: all.
    pub tail: Option<u64>,
    pub timestamps: bool,
    pub details: bool,
    /// Stands before every line.
    pub prefix: String,
}

/// Why printing ended before the log did.
pub enum Stop {
    /// Nobody reads any more.
    Closed,
    /// The rest is younger than `until`.
    Until,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

/// The exit code: as of a program that a closed pipe ended, if one did.
pub fn print(options: &LogOptions, folder: &Path, id: &str, wish: &Wish) -> Step<u8> {
    let copy = |fd: BorrowedFd<'_>| fcntl_dupfd_cloexec(fd, 3).during("log", "output");
    print_to(options, folder, id, wish, [copy(rustix::stdio::stdout())?, copy(rustix::stdio::stderr())?])
}

pub fn print_to(options: &LogOptions, folder: &Path, id: &str, wish: &Wish, to: [OwnedFd; 2]) -> Step<u8> {
    let mut printer = Printer::to(wish, to);
    let printed = match options.driver {
        Driver::None => return Err(Failure::because("log", "the log driver is none: nothing was written")),
        Driver::Journald => journal::print(id, folder, wish, &mut printer),
        Driver::JsonFile | Driver::Plain => print_files(&options.file(folder), folder, wish, &mut printer),
    };
    match printed.and_then(|()| printer.flush()) {
        Ok(()) => Ok(0),
        Err(Stop::Until) => match printer.flush() {
            Err(Stop::Closed) => Ok(141),
            _ => Ok(0),
        },
        Err(Stop::Closed) => Ok(141),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

fn print_files(path: &Path, folder: &Path, wish: &Wish, printer: &mut Printer<'_>) -> Result<(), Stop> {
    // Watched before it is read: nothing that comes meanwhile is missed.
    let mut watch = wish.follow.then(|| follow::Watch::new(path, folder)).transpose()?;
    let all = generations(path)?;
    let start = lines::start(&all, wish.tail)?;
    let mut last = None;
    for (index, generation) in all.into_iter().enumerate().skip(start.index) {
        let from = if index == start.index { start.offset } else { 0 };
        last = Some(generation.print(from, printer)?);
    }
    printer.flush()?;
    match &mut watch {
        Some(watch) => watch.follow(path, last, wish.until, printer),
        None => Ok(()),
    }
}

impl Generation {
    /// From an offset to the end that it has now.
    fn print(self, from: u64, printer: &mut Printer<'_>) -> Result<files::Position, Stop> {
        let mut position = files::Position::new(self, from);
        position.advance(printer)?;
        Ok(position)
    }
}
