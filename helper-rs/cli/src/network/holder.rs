//! The holder: one process a user, which connects containers with bridges and answers for their names.

use super::flights::{failed, Asker, Flights};
use super::member::Gate;
use super::registry::{Member, Registry, Verdict};
use super::room::Room;
use super::streams::Streams;
use super::{links, listen, start, wire, STEP};
use crate::failure::{During, Failure, Step};
use crate::sys::{memory, signal, socket};
use rootless_core::dns::{query, reply, Fault, Rcode, LEAST_UDP};
use rootless_core::lower::networks::{resolvers, Attachment};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{recvfrom, sendto, RecvFlags, SendFlags};
use serde::Deserialize;
use serde_json::{json, Value};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// After the last container; the next one of a script finds it still there.
const LINGER: Duration = Duration::from_millis(500);
/// When bridges are looked after that nobody uses any more.
const SWEEP: Duration = Duration::from_millis(200);
const MOST_CONNECTIONS: usize = 4096;

struct Connection {
    number: u64,
    socket: OwnedFd,
}

struct Holder {
    directory: PathBuf,
    userns: Option<OwnedFd>,
    room: Room,
    listener: OwnedFd,
    connections: Vec<Connection>,
    count: u64,
    registry: Registry,
    flights: Flights,
    streams: Streams,
    /// Networks without a container: name of the bridge, id of the network.
    empty: Vec<(String, String)>,
    sweep: Option<Instant>,
    /// Since when there is nobody.
    idle: Instant,
    tidy: Option<Instant>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Request {
    Hello,
    /// A life begins.
    Attach(Container),
    /// Of a holder that was killed: all is there but the names.
    Adopt(Container),
    /// More networks for a container that runs; for one that it is on, other names.
    Connect(Container),
    Disconnect {
        network: String,
    },
    Leave,
    State,
}

#[derive(Deserialize)]
struct Container {
    id: String,
    resolvers: Option<Vec<String>>,
    attach: Vec<Attachment>,
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

    /// A bridge goes when the kernel has taken the last container's end away.
    fn sweep_bridges(&mut self) {
        let (registry, netlink) = (&self.registry, &self.room.netlink);
        self.empty.retain(|(bridge, network)| {
            if registry.has_members(network) {
                return false;
            }
            match links::has_ports(netlink, bridge) {
                Ok(true) => true,
                Ok(false) => links::delete(netlink, bridge).is_err(),
                Err(_) => false,
            }
        });
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

    /// Messages of one connection, or its end.
    fn hear(&mut self, number: u64) {
        let mut buffer = vec![0; wire::MOST];
        while let Some(at) = self.connections.iter().position(|one| one.number == number) {
            match socket::receive_all(&self.connections[at].socket, &mut buffer) {
                Err(Errno::AGAIN) => return,
                Ok((got, fds)) if got > 0 => {
                    let answer = serde_json::from_slice(&buffer[..got])
                        .map_err(|error| Failure::because(STEP, error.to_string()))
                        .and_then(|request| self.obey(number, request, &fds));
                    let answer = answer.unwrap_or_else(|failure| Some(json!({ "failure": failure.pack() })));
                    if let Some(answer) = answer {
                        let _ = wire::say(&self.connections[at].socket, &answer, &[]);
                    }
                }
                _ => {
                    self.connections.remove(at);
                    self.leave(number);
                    self.idle = Instant::now();
                    return;
                }
            }
        }
    }

    /// The answer; none if it was given already.
    fn obey(&mut self, number: u64, request: Request, fds: &[OwnedFd]) -> Step<Option<Value>> {
        let done = Ok(Some(json!({ "ok": true })));
        let namespace = || fds.first().ok_or_else(|| Failure::because(STEP, "no namespace")).map(AsFd::as_fd);
        match request {
            Request::Hello => {
                let own: Vec<BorrowedFd<'_>> =
                    [Some(&self.room.namespace), self.userns.as_ref()].into_iter().flatten().map(AsFd::as_fd).collect();
                self.reply(number, &json!({ "userns": self.userns.is_some() }), &own)?;
                return Ok(None);
            }
            Request::Attach(container) => {
                self.connect(&container.id, &container.attach, namespace()?)?;
                self.register(number, container)?;
            }
            Request::Adopt(container) => self.register(number, container)?,
            Request::Connect(container) => self.add(number, container, namespace()?)?,
            Request::Disconnect { network } => self.disconnect(number, &network)?,
            Request::Leave => self.leave(number),
            Request::State => {
                for member in &self.registry.members {
                    let networks: Vec<Value> = member
                        .on
                        .iter()
                        .map(|one| {
                            json!({
                                "network": one.network, "interface": one.interface, "addresses": one.addresses,
                                "mac": one.mac, "names": one.names,
                            })
                        })
                        .collect();
                    self.reply(number, &json!({ "id": member.id, "networks": networks }), &[])?;
                }
            }
        }
        done
    }

    fn reply(&self, number: u64, message: &Value, fds: &[BorrowedFd<'_>]) -> Step<()> {
        let one = self.connections.iter().find(|one| one.number == number);
        one.map_or(Ok(()), |one| wire::say(&one.socket, message, fds))
    }

    /// Makes interfaces; on failure none is left.
    fn connect(&mut self, id: &str, attach: &[Attachment], container: BorrowedFd<'_>) -> Step<()> {
        let netlink = &self.room.netlink;
        let made = attach.iter().try_for_each(|one| {
            links::ensure_bridge(netlink, one)?;
            links::connect(netlink, id, one, container)
        });
        let made = made.and_then(|()| if attach.is_empty() { Ok(()) } else { links::configure(container, attach) });
        if made.is_err() {
            for one in attach {
                let _ = links::disconnect(netlink, id, &one.network);
            }
            self.forget(attach);
        }
        made
    }

    fn register(&mut self, number: u64, container: Container) -> Step<()> {
        let wrong = |reason| Failure::because(STEP, reason);
        let resolvers = resolvers(container.resolvers.as_deref().unwrap_or_default()).map_err(wrong)?;
        let before = self.registry.leave(number);
        self.forget(&before);
        self.registry.set(Member { number, id: container.id, resolvers, on: container.attach });
        self.tidy.get_or_insert_with(|| Instant::now() + Duration::from_secs(1));
        Ok(())
    }

    fn add(&mut self, number: u64, container: Container, namespace: BorrowedFd<'_>) -> Step<()> {
        let is_on = |one: &Attachment| {
            let member = self.registry.members.iter().find(|member| member.number == number);
            member.is_some_and(|member| member.on.iter().any(|other| other.network == one.network))
        };
        let fresh: Vec<Attachment> = container.attach.iter().filter(|one| !is_on(one)).cloned().collect();
        self.connect(&container.id, &fresh, namespace)?;
        let wrong = |reason| Failure::because(STEP, reason);
        let resolvers = container.resolvers.as_deref().map(resolvers).transpose().map_err(wrong)?;
        let mut member = self.registry.members.iter().find(|member| member.number == number).cloned();
        let member =
            member.get_or_insert_with(|| Member { number, id: container.id, resolvers: Vec::new(), on: Vec::new() });
        if let Some(resolvers) = resolvers {
            member.resolvers = resolvers;
        }
        for one in container.attach {
            match member.on.iter_mut().find(|other| other.network == one.network) {
                Some(other) => other.names = one.names,
                None => member.on.push(one),
            }
        }
        self.registry.set(member.clone());
        Ok(())
    }

    fn disconnect(&mut self, number: u64, network: &str) -> Step<()> {
        let id = self.registry.members.iter().find(|member| member.number == number).map(|member| member.id.clone());
        let Some(id) = id else { return Err(Failure::because(STEP, "the container is on no network").on(network)) };
        links::disconnect(&self.room.netlink, &id, network)?;
        let one = self.registry.detach(number, network);
        self.forget(one.as_slice());
        Ok(())
    }

    fn leave(&mut self, number: u64) {
        let before = self.registry.leave(number);
        self.forget(&before);
    }

    /// Bridges that may have lost their last container.
    fn forget(&mut self, attach: &[Attachment]) {
        for one in attach.iter().filter(|one| !self.registry.has_members(&one.network)) {
            let place = (one.bridge.clone(), one.network.clone());
            if !self.empty.contains(&place) {
                self.empty.push(place);
            }
            self.sweep.get_or_insert_with(|| Instant::now() + SWEEP);
        }
    }

    fn hear_datagrams(&mut self, at: usize) {
        // As many as a socket holds by default; others have their turn in between.
        for _ in 0..64 {
            let mut buffer = [0; 4096];
            let Ok((got, _, Some(from))) = recvfrom(&self.room.udp[at], &mut buffer, RecvFlags::empty()) else {
                return;
            };
            let Ok(from) = SocketAddr::try_from(from) else { continue };
            self.decide(Asker::Udp(at, from), &buffer[..got]);
        }
    }

    /// Answers a question, or sends it on.
    fn decide(&mut self, asker: Asker, asked: &[u8]) {
        if !self.registry.knows(asker.ip()) {
            return;
        }
        let query = match query::parse(asked) {
            Ok(query) => query,
            Err(Fault::Noise) => return,
            Err(Fault::Format(id)) => return self.tell(asker, &reply::refusal(id, Rcode::Format)),
            Err(Fault::Kind(id)) => return self.tell(asker, &reply::refusal(id, Rcode::NotDone)),
        };
        let most = matches!(asker, Asker::Udp(..)).then(|| query.udp.unwrap_or(LEAST_UDP));
        match self.registry.answer(asker.ip(), &query) {
            Verdict::Silence => {}
            Verdict::Answer(rcode, answers) => self.tell(asker, &reply::write(asked, &query, rcode, &answers, most)),
            Verdict::Forward(resolvers) => {
                let refusal = failed(asked, &query);
                if !self.flights.start(asker, asked, query, resolvers) {
                    self.tell(asker, &refusal);
                }
            }
        }
    }

    fn bring(&mut self, landed: Vec<(Asker, Vec<u8>)>) {
        for (asker, answer) in landed {
            self.tell(asker, &answer);
        }
    }

    fn tell(&mut self, asker: Asker, bytes: &[u8]) {
        match asker {
            Asker::Udp(at, to) => drop(sendto(&self.room.udp[at], bytes, SendFlags::DONTWAIT, &to)),
            Asker::Tcp(number, _) => self.streams.answer(number, bytes),
        }
    }
}

fn flags(reads: bool, sends: bool) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, reads);
    flags.set(PollFlags::OUT, sends);
    flags
}
