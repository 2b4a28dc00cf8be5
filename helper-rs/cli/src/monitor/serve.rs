//! What happened, one thing after the other: signals, streams, clients and their requests.

use super::caller::Typed;
use super::checks::Checks;
use super::client::{Client, Done, Role};
use super::request::{Kind, Request};
use super::session::{Kind as SessionKind, Session};
use super::status::facts;
use super::stop::ends;
use super::wait::{Ready, Token};
use super::{Monitor, Options};
use crate::failure::{During, Failure, Step};
use crate::log::Stream;
use crate::sys::signal::{self, Caught};
use rustix::event::PollFlags;
use rustix::fd::AsFd;
use serde_json::{json, Value};
use std::time::{Duration, Instant};

/// A copy of a signal from the CLI within this time of one that came directly is the same key press.
const ECHO: Duration = Duration::from_secs(1);

/// What a terminal in raw mode sends for an interrupt.
const CONTROL_C: u8 = 3;

impl Monitor {
    pub fn serve(&mut self, ready: Ready) -> Step<()> {
        for (token, flags) in ready {
            match token {
                Token::Signals => self.take_signals()?,
                Token::Parent => self.lose_caller(),
                Token::Listener => self.server.accept(),
                Token::Network => self.lose_network(),
                Token::Guardian => self.lose_guardian(),
                Token::Notify => self.notify_words(),
                Token::Source(stream) => self.spread(stream),
                Token::Input => self.hub.pour(),
                Token::CallerIn => self.take_typed(),
                Token::CallerOut(stream) => {
                    let alive = self.caller.as_mut().is_none_or(|caller| caller.flush(stream));
                    self.note_reader(stream, alive);
                }
                Token::Client(at) => self.hear(at, flags),
                Token::SessionPid(number) => self.with_session(number, Session::take_pid),
                Token::SessionChannel(number) => self.take_message(number),
                Token::SessionOutput(number, at) => self.with_session(number, |session| session.discard(at)),
            }
        }
        let now = Instant::now();
        for client in &mut self.server.clients {
            if client.deadline().is_some_and(|at| at <= now) {
                client.vanish();
            }
        }
        self.server.sweep();
        self.tend_sessions();
        Ok(())
    }

    /// A block of the program's output, to everybody.
    fn spread(&mut self, stream: Stream) {
        let Some(block) = self.hub.read(stream) else { return };
        if let Some(life) = &mut self.life {
            life.heard = Instant::now();
        }
        let kind = if stream == Stream::Stdout { Kind::Stdout } else { Kind::Stderr };
        let attached = |client: &&mut Client| matches!(client.role, Role::Attached { .. });
        for client in self.server.clients.iter_mut().filter(attached) {
            client.output(kind, &block);
        }
        let alive = self.caller.as_mut().is_none_or(|caller| caller.write(stream, &block));
        self.note_reader(stream, alive);
        self.hub.give_back(block);
        self.untidy();
    }

    /// The caller's reader is gone (`| head`): the program is told as it would be without us.
    fn note_reader(&mut self, stream: Stream, alive: bool) {
        if !alive {
            self.hub.drop_source(stream);
        }
    }

    fn take_typed(&mut self) {
        let Some(caller) = &mut self.caller else { return };
        let Typed { bytes, detach, ends } = caller.read();
        if self.life.is_none() && bytes.contains(&CONTROL_C) {
            self.give_up();
        }
        self.hub.type_in(&bytes);
        if ends {
            self.hub.end_input();
        }
        if detach {
            self.leave_caller(0);
        }
    }

    /// The other end of `--parent-fd` is closed: nobody wants the container any more.
    fn lose_caller(&mut self) {
        if let Some(caller) = &mut self.caller {
            caller.parent = None;
            caller.drop_outlets();
        }
        self.status.stopped();
        self.again = None;
        self.end_now();
    }

    fn take_signals(&mut self) -> Step<()> {
        // What comes with the one that ended the caller was for the caller too.
        let had_caller = self.caller.is_some();
        while let Some(caught) = signal::next(self.signals.as_fd()).during("wait", "signalfd")? {
            match caught.signal {
                libc::SIGCHLD => self.reap(),
                libc::SIGPIPE => {}
                _ if self.caller.is_some() => self.pass_on(&caught),
                libc::SIGHUP => {
                    let reopened = self.hub.log().reopen();
                    self.hub.note(reopened);
                }
                libc::SIGTERM | libc::SIGINT | libc::SIGQUIT if had_caller => {}
                libc::SIGTERM | libc::SIGINT | libc::SIGQUIT => drop(self.stop(None, None)),
                _ => {}
            }
        }
        Ok(())
    }

    fn reap(&mut self) {
        self.sessions.iter_mut().for_each(Session::reap);
        if let Some(life) = &mut self.life {
            life.reap();
            if life.has_ended() {
                self.hub.close_input();
            }
        }
        self.keep();
    }

    /// In the foreground a signal is the program's.
    fn pass_on(&mut self, caught: &Caught) {
        if caught.signal == libc::SIGWINCH {
            if let Some(master) = self.hub.terminal() {
                crate::terminal::copy_size(master);
            }
            return;
        }
        if !self.sig_proxy {
            if ends(caught.signal) {
                self.leave_caller(128 + caught.signal as u8);
            }
            return;
        }
        // A signal for the whole process group (Ctrl-C) arrives here and at the CLI, which passes it on to us.
        let own_parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        if caught.sender != 0 && caught.sender == own_parent {
            if self.direct.take().is_some_and(|(signal, at)| signal == caught.signal && at.elapsed() < ECHO) {
                return;
            }
        } else {
            self.direct = Some((caught.signal, Instant::now()));
        }
        if self.life.is_none() && ends(caught.signal) {
            self.give_up();
        }
        let _ = self.signal(caught.signal);
    }

    /// Nothing runs now: the wish is that nothing will, and that nobody is waited for.
    fn give_up(&mut self) {
        self.status.stopped();
        self.again = None;
        if let Some(caller) = &mut self.caller {
            caller.drop_outlets();
        }
    }

    fn hear(&mut self, at: usize, flags: PollFlags) {
        let Some(client) = self.server.clients.get_mut(at) else { return };
        if flags.contains(PollFlags::OUT) {
            client.flush();
        }
        if flags.contains(PollFlags::IN) {
            client.receive();
        }
        let left = flags.contains(PollFlags::HUP);
        while let Some(request) = self.server.clients.get_mut(at).and_then(Client::request) {
            // Whoever lost patience with us was told that it failed: it must not happen later.
            if !(left && matches!(request, Ok(Request::Exec(_) | Request::Pause))) {
                self.answer(at, request);
            }
        }
        while let Some(done) = self.server.clients.get_mut(at).and_then(Client::frame) {
            self.obey(at, done);
        }
        // Both directions are closed, and what it said before was heard.
        if flags.intersects(PollFlags::HUP | PollFlags::ERR) {
            if let Some(client) = self.server.clients.get_mut(at) {
                client.vanish();
            }
        }
    }

    /// What is not for a launch is valid from now on.
    fn reload(&mut self, options: Options) {
        let rule = self.options.health.take();
        self.options = options;
        self.journal.know(&self.options.facts);
        if self.options.health != rule {
            self.halt_checks();
            self.checks = Checks::new(&self.options);
            self.begin_checks(true);
        }
    }

    fn obey(&mut self, at: usize, done: Done) {
        let types = matches!(self.server.clients[at].role, Role::Attached { stdin: true });
        match done {
            Done::Input(bytes) if types => self.hub.type_in(&bytes),
            Done::EndOfInput if types => self.hub.end_input(),
            Done::Resize(rows, cols) => self.hub.resize(rows, cols),
            Done::Input(_) | Done::EndOfInput => {}
        }
    }

    fn answer(&mut self, at: usize, request: Result<Request, String>) {
        let result = match request {
            Ok(request) => self.act(at, request),
            Err(reason) => Err(Failure::because("args", reason)),
        };
        let Some(client) = self.server.clients.get_mut(at) else { return };
        match result {
            Ok(Some(answer)) => client.answer(&answer),
            // It comes later.
            Ok(None) => {}
            Err(failure) => client.answer(&refusal(&failure)),
        }
    }

    fn act(&mut self, at: usize, request: Request) -> Step<Option<Value>> {
        let done = || Ok(Some(json!({ "ok": true })));
        match request {
            Request::Attach { stdin } => {
                self.journal.say("attach", &[]);
                self.server.clients[at].role = Role::Attached { stdin };
                Ok(Some(json!({ "ok": true, "tty": self.place.terminal })))
            }
            Request::Kill { signal } => self.kill(signal).and_then(|()| done()),
            Request::Stop { signal, timeout, keep } => {
                self.keep |= keep;
                self.stop(signal, timeout.map(Duration::from_nanos))?;
                self.server.clients[at].role = Role::Waiting;
                Ok(None)
            }
            Request::Wait => {
                self.server.clients[at].role = Role::Waiting;
                Ok(None)
            }
            Request::Resize { rows, cols } => {
                self.hub.resize(rows, cols);
                done()
            }
            Request::Reload => {
                self.reload(Options::read(&self.file)?);
                done()
            }
            Request::Reopen => self.hub.log().reopen().and_then(|()| done()),
            Request::Network(change) => self.change_network(&change).and_then(|()| done()),
            Request::Exec(exec) => {
                let kind = if exec.detach { SessionKind::Detached } else { SessionKind::Client };
                self.server.clients[at].role = Role::Exec(self.enter(kind, &exec)?);
                Ok(None)
            }
            Request::Pause => self.pause().and_then(|()| done()),
            Request::Resume => self.resume().and_then(|()| done()),
            Request::Health => {
                self.check()?;
                self.server.clients[at].role = Role::Health;
                Ok(None)
            }
        }
    }

    /// The container has ended for good.
    pub fn farewell_clients(&mut self) {
        let code = self.last.code;
        for at in 0..self.server.clients.len() {
            while let Some(request) = self.server.clients[at].request() {
                match request {
                    Ok(Request::Stop { keep, .. }) => {
                        self.keep |= keep;
                        self.server.clients[at].role = Role::Waiting;
                    }
                    Ok(Request::Wait) => self.server.clients[at].role = Role::Waiting,
                    _ => {
                        let gone = Failure::because("state", "the container is not running").on(&self.place.id);
                        self.server.clients[at].answer(&refusal(&gone));
                    }
                }
            }
        }
        for client in &mut self.server.clients {
            match client.role {
                Role::Waiting => client.answer(&json!({ "ok": true, "code": code })),
                Role::Attached { .. } => client.farewell(code),
                Role::Asking | Role::Exec(_) | Role::Health => {}
            }
            client.leave();
        }
        self.server.sweep();
    }
}

/// The answer to what could not be done.
pub fn refusal(failure: &Failure) -> Value {
    let mut answer = facts(failure);
    answer["ok"] = json!(false);
    answer
}
