//! What the monitors of containers ask of the holder, each on a connection of its own: one message, one answer. The end of a connection is
//! that of the container's time on its networks.

use super::holder::Holder;
use super::registry::Member;
use super::{links, wire, STEP};
use crate::failure::{Failure, Step};
use crate::sys::socket;
use rootless_core::lower::networks::{resolvers, Attachment};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use serde::Deserialize;
use serde_json::{json, Value};
use std::time::{Duration, Instant};

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

impl Holder {
    /// Messages of one connection, or its end.
    pub fn hear(&mut self, number: u64) {
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
}
