//! The networks of a container while it runs: others, and a holder that was killed.

use super::request::NetworkChange;
use super::Monitor;
use crate::companion::Companion;
use crate::failure::{Failure, Step};
use crate::network::{Member, STEP};
use crate::userns;
use rootless_core::lower::networks;
use rustix::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Until the holder is tried again that could not be started.
const PATIENCE: Duration = Duration::from_secs(1);

impl Monitor {
    /// Kept over all lives: the container's user namespace is below the holder's.
    pub fn connect_network(&mut self, network: Option<Rc<Member>>) -> Step<()> {
        if let Some(network) = network {
            self.network_line = Some(network.line()?);
            self.network = Some(network);
        }
        Ok(())
    }

    /// Whoever notices first starts it again.
    pub fn lose_network(&mut self) {
        self.network_line = None;
        let Some(network) = &self.network else { return };
        match network.revive().and_then(|()| network.line()) {
            Ok(line) => self.network_line = Some(line),
            Err(_) => self.network_due = Some(Instant::now() + PATIENCE),
        }
    }

    pub fn tend_network(&mut self, now: Instant) {
        if self.network_due.is_some_and(|at| at <= now) {
            self.network_due = None;
            self.lose_network();
        }
    }

    pub fn change_network(&mut self, change: &NetworkChange) -> Step<()> {
        let not_running = || Failure::because("state", "the container is not running").on(&self.place.id);
        let life = self.life.as_ref().filter(|life| !life.has_ended()).ok_or_else(not_running)?;
        let outside = || Failure::because(STEP, "the container was started without a network that could be changed");
        let network = self.network.as_ref().ok_or_else(outside)?;
        if let Some(id) = &change.detach {
            network.detach(id)?;
        }
        if let Some(entry) = &change.attach {
            let entry = networks::parse_attachment(&entry.to_string())
                .map_err(|reason| Failure::because("args", reason).on("attach"))?;
            let namespace = userns::open_namespace(life.launched.child.pid, "net")?;
            network.attach(&self.place.id, &entry, change.resolvers.as_deref(), namespace.as_fd())?;
        }
        // The holder may be another one since.
        self.network_line = Some(network.line()?);
        change.companion.as_ref().map_or(Ok(()), |argv| self.change_uplink(argv))
    }

    /// The one that was is gone before the next begins: both have the same interface.
    fn change_uplink(&mut self, argv: &[String]) -> Step<()> {
        let before = self.life.as_mut().and_then(|life| {
            let companions = &mut life.launched.companions;
            companions.iter().position(Companion::serves_network).map(|at| companions.remove(at))
        });
        // Its guardian may be the one who ends the container with this process.
        self.keep();
        if let Some(before) = before {
            before.release();
        }
        let Some(life) = self.life.as_mut().filter(|_| !argv.is_empty()) else { return Ok(()) };
        let companion = Companion::start(argv, life.launched.child.pid, &self.place.root)?;
        companion.wait_ready(None)?;
        life.launched.companions.push(companion);
        Ok(())
    }
}
