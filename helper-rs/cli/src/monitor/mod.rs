//! The process that stays with a container for as long as it lives: one loop over everything that can happen.
//!
//! ```text
//!   program ──▶ hub ──▶ log, caller, attached clients        caller, clients ──▶ hub ──▶ program
//!   socket ──▶ server ──▶ requests: attach exec kill stop wait pause …
//!   end of the program ──▶ status.json, journal ──▶ restart policy ──▶ next life, or the last answers
//! ```

mod caller;
mod checks;
mod client;
mod health;
mod hub;
mod journal;
pub mod leave;
mod life;
mod networks;
mod options;
mod pause;
pub mod queue;
mod request;
mod restart;
mod sdnotify;
mod serve;
mod server;
mod session;
mod sessions;
mod status;
pub mod stop;
mod wait;

use crate::companion::Companion;
use crate::failure::{During, Failure, Step};
use crate::keys::DetachKeys;
use crate::launch::LaunchOptions;
use crate::log::{self, Log};
use crate::network::Member;
use crate::plan::Plan;
use crate::report::Reporter;
use crate::sys::memory;
use crate::userns::IdMap;
use caller::Caller;
use checks::Checks;
use hub::Hub;
use journal::Journal;
use leave::Line;
use life::Life;
pub use options::Options;
use restart::BackOff;
use rustix::fd::OwnedFd;
use sdnotify::Notifier;
use serde_json::json;
use server::Server;
use session::Session;
use status::{End, Phase, Status};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How the verb starts it.
pub struct Start {
    pub root: PathBuf,
    /// `monitor.json`, absolute.
    pub file: PathBuf,
    pub options: Options,
    pub reporter: Reporter,
    pub signals: OwnedFd,
    pub parent: Option<OwnedFd>,
    pub keys: DetachKeys,
    /// Signals to the caller are the program's; without it they are the caller's own.
    pub sig_proxy: bool,
    /// To a process in front, which is waited for.
    pub line: Option<Line>,
    pub detach: bool,
    /// The parent matters only until the program runs: the caller is waited for through the front.
    pub front: bool,
    pub launch: LaunchOptions,
}

/// What is known of the container for all its lives; the bundle is read again for each.
pub struct Place {
    pub root: PathBuf,
    pub id: String,
    pub bundle: PathBuf,
    pub id_map: IdMap,
    pub new_user_namespace: bool,
    pub has_poststop: bool,
    terminal: bool,
    /// Descriptors of the caller's that each life gets (LISTEN_FDS).
    preserve_fds: u32,
}

/// After this time of quiet the memory of a launch is given back.
const A_WHILE: Duration = Duration::from_secs(1);

pub struct Monitor {
    place: Place,
    file: PathBuf,
    options: Options,
    reporter: Reporter,
    signals: OwnedFd,
    caller: Option<Caller>,
    line: Option<Line>,
    server: Server,
    hub: Hub,
    status: Status,
    journal: Journal,
    back_off: BackOff,
    life: Option<Life>,
    /// What served the last life, and is on its way out.
    leaving: Vec<Companion>,
    sessions: Vec<Session>,
    next_session: u64,
    checks: Option<Checks>,
    notifier: Option<Notifier>,
    /// Kept so that what mapped ids own can still be removed.
    pub userns: Option<OwnedFd>,
    /// Connected with the holder of the networks, as long as the container may live again.
    network: Option<Rc<Member>>,
    /// Its end tells of the holder's.
    network_line: Option<OwnedFd>,
    /// When the holder is tried again.
    network_due: Option<Instant>,
    /// When the policy starts the next life.
    again: Option<Instant>,
    /// When memory is given back.
    tidy: Option<Instant>,
    last: End,
    /// How long the last life was.
    lived: Duration,
    /// A signal that came directly, and when.
    direct: Option<(i32, Instant)>,
    detached: bool,
    sig_proxy: bool,
    /// Not to be removed, whatever the caller said at first.
    keep: bool,
    /// A stop was asked for and is to be told of.
    stopping: bool,
    /// The next life comes whatever the policy says.
    restarts_once: bool,
}

/// How a monitor's work ended.
pub struct Finished {
    pub end: End,
    pub place: Place,
    pub userns: Option<OwnedFd>,
    pub traces: Vec<PathBuf>,
    pub keep: bool,
    pub journal: Journal,
    /// Its drop would wait for it.
    pub leaving: Vec<Companion>,
}

impl Monitor {
    /// Launches; then the monitor has to `run`. A failure is on record, and what was made of it is in `userns` still to be removed.
    pub fn start(plan: &mut Plan, start: Start) -> Result<Box<Monitor>, (Failure, Option<OwnedFd>)> {
        let mut status = Status::new(beside(&start.file, "status.json"));
        match Monitor::prepare(plan, &start) {
            Err(failure) => {
                status.failed(&failure, Phase::Exited);
                Err((failure, None))
            }
            Ok((hub, server, notifier)) => {
                let journal = Journal::new(start.options.journal.clone(), &plan.id, start.options.facts.clone());
                let place = Place {
                    root: start.root,
                    id: plan.id.clone(),
                    bundle: plan.bundle.clone(),
                    id_map: plan.id_map.clone(),
                    new_user_namespace: plan.new_user_namespace(),
                    has_poststop: !plan.hooks.poststop.is_empty(),
                    terminal: plan.process.terminal,
                    preserve_fds: start.launch.preserve_fds,
                };
                let checks = Checks::new(&start.options);
                let monitor = Box::new(Monitor {
                    place,
                    file: start.file,
                    options: start.options,
                    reporter: start.reporter,
                    signals: start.signals,
                    caller: None,
                    server,
                    hub,
                    status,
                    journal,
                    back_off: BackOff::default(),
                    life: None,
                    leaving: Vec::new(),
                    sessions: Vec::new(),
                    next_session: 1,
                    checks,
                    notifier,
                    userns: None,
                    network: None,
                    network_line: None,
                    network_due: None,
                    again: None,
                    tidy: None,
                    last: End { code: 0, signal: None, oom: false },
                    lived: Duration::ZERO,
                    direct: None,
                    line: start.line,
                    detached: start.detach,
                    sig_proxy: start.sig_proxy,
                    keep: false,
                    stopping: false,
                    restarts_once: false,
                });
                monitor.first_life(plan, start.launch, start.parent, start.keys, start.front)
            }
        }
    }

    fn prepare(plan: &Plan, start: &Start) -> Step<(Hub, Server, Option<Notifier>)> {
        let facts = &start.options.facts;
        let facts = log::Facts {
            id: &plan.id,
            name: &facts.name,
            image: &facts.image,
            folder: start.file.parent().unwrap_or(Path::new("/")),
        };
        let log = Log::open(&start.options.log, &facts, plan.process.terminal)?;
        let server = Server::listen(&crate::state::folder(&start.root, &plan.id))?;
        let wish = start.options.notify.as_ref();
        let notifier = wish.map(|wish| Notifier::new(wish, &plan.bundle)).transpose()?;
        Ok((Hub::new(log), server, notifier))
    }

    fn first_life(
        mut self: Box<Monitor>,
        plan: &mut Plan,
        launch: LaunchOptions,
        parent: Option<OwnedFd>,
        keys: DetachKeys,
        front: bool,
    ) -> Result<Box<Monitor>, (Failure, Option<OwnedFd>)> {
        let copy = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, 3).during("parent", "parent-fd");
        let watch = match &self.line {
            Some(line) => line.watch(parent.as_ref()).map(Some),
            None => parent.as_ref().map(copy).transpose(),
        };
        let launched = watch.and_then(|watch| self.begin(plan, LaunchOptions { parent: watch, ..launch }));
        let settled = launched.and_then(|()| match self.detached {
            true => {
                self.leave(0);
                Ok(())
            }
            false => self.stay(parent.filter(|_| !front), keys),
        });
        match settled {
            Ok(()) => Ok(self),
            Err(failure) => {
                self.abandon();
                self.status.failed(&failure, Phase::Exited);
                Err((failure, self.userns.take()))
            }
        }
    }

    /// In the foreground: the caller's streams and life are served beside the log.
    fn stay(&mut self, parent: Option<OwnedFd>, keys: DetachKeys) -> Step<()> {
        let parent = match &self.line {
            Some(line) => Some(line.front()?),
            None => parent,
        };
        self.caller = Some(Caller::new(parent, self.place.terminal, keys)?);
        if let Some(master) = self.hub.terminal() {
            crate::terminal::copy_size(master);
        }
        Ok(())
    }

    /// From here on nothing of the caller's matters.
    fn leave(&mut self, code: u8) {
        self.detached = true;
        self.caller = None;
        self.reporter.silence();
        leave::forget_caller();
        if let Some(line) = self.line.take() {
            line.let_go(code);
        }
    }

    /// The detach keys, or a signal that was not for the program: the caller ends with this code.
    fn leave_caller(&mut self, code: u8) {
        // Its terminal is as it was before the caller hears of it.
        self.caller = None;
        crate::terminal::end_line();
        self.reporter.event(&json!({ "event": "detached" }));
        self.leave(code);
        self.journal.say("detach", &[]);
    }

    /// To the container's last end.
    pub fn run(mut self: Box<Monitor>) -> Finished {
        let watched = self.watch().and_then(|()| self.say_farewell());
        if let Err(failure) = watched {
            // Not even waiting is possible: the container is not left without somebody who watches it.
            self.abandon();
            self.status.failed(&failure, Phase::Exited);
            self.last = End { code: failure.exit, signal: None, oom: false };
            self.reporter.failure(&failure);
        }
        Finished {
            end: self.last,
            place: self.place,
            userns: self.userns,
            traces: self.options.traces,
            keep: self.keep,
            journal: self.journal,
            leaving: self.leaving,
        }
    }

    fn watch(&mut self) -> Step<()> {
        while self.life.is_some() || self.again.is_some() {
            let ready = self.wait()?;
            self.serve(ready)?;
            self.keep_time();
            if self.life.as_ref().is_some_and(|life| life.is_over(&self.hub)) {
                self.end_life();
            }
        }
        Ok(())
    }

    /// Something took memory that is not needed for long.
    fn untidy(&mut self) {
        self.tidy.get_or_insert_with(|| Instant::now() + A_WHILE);
    }

    /// What has become due.
    fn keep_time(&mut self) {
        let now = Instant::now();
        self.hub.tend_log();
        if let Some(failure) = self.hub.broken.take() {
            self.stop_for(&failure);
        }
        if self.again.is_some_and(|at| at <= now) {
            self.again = None;
            self.live_again();
        }
        self.tend_network(now);
        self.press(now);
        self.tend_checks(now);
        if self.tidy.is_some_and(|at| at <= now) {
            self.tidy = None;
            self.hub.release_memory();
            memory::shrink();
            if self.status.unwritten {
                self.status.write();
            }
        }
    }

    /// Everybody who waits hears of the end. A client that reads nothing is dropped after a while; the caller is waited for until it
    /// goes or loses patience.
    fn say_farewell(&mut self) -> Step<()> {
        self.server.close();
        self.farewell_clients();
        while !self.server.clients.is_empty() || self.caller_reads() {
            let ready = self.wait()?;
            self.serve(ready)?;
        }
        Ok(())
    }

    fn caller_reads(&self) -> bool {
        self.caller.as_ref().is_some_and(Caller::is_waiting)
    }
}

fn beside(file: &Path, name: &str) -> PathBuf {
    file.with_file_name(name)
}
