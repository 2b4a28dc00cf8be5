//! systemd's manager on D-Bus (org.freedesktop.systemd1): the user's own, or for root the machine's. Over the unix socket, with the kernel's word
//! for who we are; one call and its job at a time.

use crate::failure::{During, Failure, Step};
use rootless_core::dbus::address::{self, Socket};
use rootless_core::dbus::{self, Body, Call, Message};
use rootless_core::lower::scope::Value;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::{Duration, Instant};

/// What a call and its job may take; a machine that is busy takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

const MANAGER: Call<'_> = Call {
    destination: Some("org.freedesktop.systemd1"),
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
    member: "",
};
const BUS: Call<'_> = Call {
    destination: Some("org.freedesktop.DBus"),
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "",
};
const JOBS: &str = "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

/// A connection.
pub struct Manager {
    socket: UnixStream,
    received: Vec<u8>,
    serial: u32,
    /// Nobody is between us and systemd.
    is_direct: bool,
    until: Instant,
}

/// Why a call was not done: the error's name on the bus, and its words.
enum Refusal {
    Answer { name: String, text: String },
    Broken(Failure),
}

impl Manager {
    /// The first place where systemd answers.
    pub fn connect() -> Step<Manager> {
        let mut tried: Vec<String> = Vec::new();
        for (socket, is_direct) in places(&crate::userns::outer_uid(), |name| std::env::var(name).ok()) {
            match Manager::open(&socket, is_direct) {
                Ok(manager) => return Ok(manager),
                Err(failure) => {
                    tried.push(format!("{}: {}", failure.target.as_deref().unwrap_or_default(), reason(&failure)))
                }
            }
        }
        Err(Failure::because("cgroup", format!("no systemd answers ({})", tried.join("; "))).on("systemd"))
    }

    /// Starts a scope and waits until its processes are in it.
    pub fn start_scope(&mut self, unit: &str, properties: &[(String, Value)]) -> Step<()> {
        let body = || Body::default().text(unit).text("fail").properties(properties).no_units();
        let again = |refusal: &Refusal| matches!(refusal, Refusal::Answer { name, .. } if name == "org.freedesktop.systemd1.UnitExists");
        match self.job("StartTransientUnit", &body()) {
            // One of the same name has failed before, and was kept to be looked at.
            Err(refusal) if again(&refusal) => {
                let _ = self.ask("ResetFailedUnit", &Body::default().text(unit));
                self.job("StartTransientUnit", &body())
            }
            other => other,
        }
        .map_err(|refusal| explain(refusal, unit))
    }

    /// Stops a unit; one that is gone is no failure.
    pub fn stop(&mut self, unit: &str) -> Step<()> {
        match self.job("StopUnit", &Body::default().text(unit).text("replace")) {
            Err(Refusal::Answer { name, .. }) if name == "org.freedesktop.systemd1.NoSuchUnit" => Ok(()),
            other => other.map_err(|refusal| explain(refusal, unit)),
        }
    }

    /// Moves processes into a unit's cgroup, or a folder below it: systemd may do that where we may not.
    pub fn attach(&mut self, unit: &str, below: &str, pids: &[u32]) -> Step<()> {
        let body = Body::default().text(unit).text(below).counts(pids);
        self.ask("AttachProcessesToUnit", &body).map(drop).map_err(|refusal| explain(refusal, unit))
    }

    /// What was changed by `update`, so that systemd does not change it back. Not for the next boot.
    pub fn set(&mut self, unit: &str, properties: &[(String, Value)]) -> Step<()> {
        let body = Body::default().text(unit).truth(true).properties(properties);
        self.ask("SetUnitProperties", &body).map(drop).map_err(|refusal| explain(refusal, unit))
    }

    fn open(place: &Socket, is_direct: bool) -> Step<Manager> {
        let (shown, connected) = match place {
            Socket::Path(path) => (path.clone(), UnixStream::connect(path)),
            Socket::Abstract(name) => (
                format!("@{}", String::from_utf8_lossy(name)),
                SocketAddr::from_abstract_name(name).and_then(|address| UnixStream::connect_addr(&address)),
            ),
        };
        let socket = connected.during("cgroup", &shown)?;
        let until = Instant::now() + PATIENCE;
        let mut manager = Manager { socket, received: Vec::new(), serial: 0, is_direct, until };
        manager.greet().map_err(|failure| failure.on(&shown))?;
        Ok(manager)
    }

    /// EXTERNAL without a name: the other end reads from the socket who we are. What we would call ourselves is wrong in a user namespace.
    fn greet(&mut self) -> Step<()> {
        self.write(b"\0AUTH EXTERNAL\r\nDATA\r\n")?;
        let mut lines = Vec::new();
        while !lines.ends_with(b"\r\n") || !lines.windows(3).any(|start| start == b"OK ") {
            if lines.windows(8).any(|start| start == b"REJECTED") || lines.len() > 4096 {
                return Err(Failure::because("cgroup", "it does not let us in"));
            }
            let read = self.receive()?;
            lines.extend(read);
        }
        self.write(b"BEGIN\r\n")?;
        if !self.is_direct {
            let done = self
                .call(&Call { member: "Hello", ..BUS }, &Body::default())
                .and_then(|_| self.call(&Call { member: "AddMatch", ..BUS }, &Body::default().text(JOBS)))
                // Without it systemd does not say when jobs end; it also finds out whether there is one.
                .and_then(|_| self.ask("Subscribe", &Body::default()));
            done.map_err(|refusal| explain(refusal, ""))?;
        }
        Ok(())
    }

    /// A call that makes a job, and the job's end.
    fn job(&mut self, member: &str, body: &Body) -> Result<(), Refusal> {
        let broken = |reason: &str| Refusal::Broken(Failure::because("cgroup", reason));
        let answer = self.ask(member, body)?;
        let job = answer.reader().text().map_err(broken)?;
        loop {
            let said = self.next().map_err(Refusal::Broken)?;
            if said.kind != dbus::SIGNAL || said.member != "JobRemoved" {
                continue;
            }
            // Number, path, unit, result.
            let mut reader = said.reader();
            let parts = reader.word().and_then(|_| Ok((reader.text()?, reader.text()?, reader.text()?)));
            let (path, unit, result) = parts.map_err(broken)?;
            if path == job {
                return match result.as_str() {
                    "done" | "skipped" => Ok(()),
                    result => Err(Refusal::Answer {
                        name: result.into(),
                        text: format!("the job of {unit} ended as {result:?}"),
                    }),
                };
            }
        }
    }

    fn ask(&mut self, member: &str, body: &Body) -> Result<Message, Refusal> {
        let destination = MANAGER.destination.filter(|_| !self.is_direct);
        self.call(&Call { member, destination, ..MANAGER }, body)
    }

    fn call(&mut self, what: &Call<'_>, body: &Body) -> Result<Message, Refusal> {
        self.serial += 1;
        let serial = self.serial;
        self.write(&dbus::call(serial, what, body)).map_err(Refusal::Broken)?;
        loop {
            let message = self.next().map_err(Refusal::Broken)?;
            match (message.kind, message.reply_to == Some(serial)) {
                (dbus::METHOD_RETURN, true) => return Ok(message),
                (dbus::ERROR, true) => {
                    let text = message.reader().text().unwrap_or_default();
                    return Err(Refusal::Answer { name: message.error, text });
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Step<Message> {
        loop {
            match dbus::message(&self.received) {
                Ok(Some((message, used))) => {
                    self.received.drain(..used);
                    return Ok(message);
                }
                Ok(None) => {}
                Err(reason) => return Err(Failure::because("cgroup", reason).on("systemd")),
            }
            let more = self.receive()?;
            self.received.extend(more);
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Step<()> {
        self.socket.write_all(bytes).during("cgroup", "systemd")
    }

    fn receive(&mut self) -> Step<Vec<u8>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::because("cgroup", "it does not answer").on("systemd"));
        }
        self.socket.set_read_timeout(Some(left)).during("cgroup", "systemd")?;
        let mut block = vec![0; 4096];
        match self.socket.read(&mut block) {
            Ok(0) => Err(Failure::because("cgroup", "it closed the connection").on("systemd")),
            Ok(count) => Ok(block[..count].to_vec()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(Vec::new()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                Err(Failure::because("cgroup", "it does not answer").on("systemd"))
            }
            Err(error) => Err(error).during("cgroup", "systemd"),
        }
    }
}

/// Where it may be listening. The user's bus is at a fixed place too, for those who lost the session's variables (su, cron, CI); and
/// systemd itself has a socket, for when there is no bus.
fn places(uid: &str, variable: impl Fn(&str) -> Option<String>) -> Vec<(Socket, bool)> {
    let (name, bus, own) = match uid {
        "0" => {
            ("DBUS_SYSTEM_BUS_ADDRESS", "/run/dbus/system_bus_socket".to_string(), "/run/systemd/private".to_string())
        }
        uid => ("DBUS_SESSION_BUS_ADDRESS", format!("/run/user/{uid}/bus"), format!("/run/user/{uid}/systemd/private")),
    };
    let mut places: Vec<(Socket, bool)> =
        variable(name).iter().flat_map(|list| address::sockets(list)).map(|socket| (socket, false)).collect();
    if places.iter().all(|(socket, _)| *socket != Socket::Path(bus.clone())) {
        places.push((Socket::Path(bus), false));
    }
    places.push((Socket::Path(own), true));
    places
}

fn explain(refusal: Refusal, unit: &str) -> Failure {
    match refusal {
        Refusal::Broken(failure) => failure,
        Refusal::Answer { text, name } => {
            let said = if text.is_empty() { name } else { text };
            Failure::because("cgroup", format!("systemd refused: {said}")).on(unit)
        }
    }
}

fn reason(failure: &Failure) -> String {
    failure.message.clone().or(failure.errno.map(crate::failure::errno_name)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
