//! The holder's bridges, one a network: made for the first container, taken away some time after the last.

use super::holder::{Holder, SWEEP};
use super::links;
use crate::failure::Step;
use rootless_core::lower::networks::Attachment;
use rustix::fd::BorrowedFd;
use std::time::Instant;

impl Holder {
    /// Makes interfaces; on failure none is left.
    pub fn connect(&mut self, id: &str, attach: &[Attachment], container: BorrowedFd<'_>) -> Step<()> {
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

    /// Bridges that may have lost their last container.
    pub fn forget(&mut self, attach: &[Attachment]) {
        for one in attach.iter().filter(|one| !self.registry.has_members(&one.network)) {
            let place = (one.bridge.clone(), one.network.clone());
            if !self.empty.contains(&place) {
                self.empty.push(place);
            }
            self.sweep.get_or_insert_with(|| Instant::now() + SWEEP);
        }
    }

    /// A bridge goes when the kernel has taken the last container's end away.
    pub fn sweep_bridges(&mut self) {
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
}
