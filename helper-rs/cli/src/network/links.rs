//! Bridges, the pairs that connect containers with them, and addresses: what `ip link` and `ip address` would do.

use super::netlink::{find, Message, Socket, CREATE, DUMP, EXCL};
use super::STEP;
use crate::failure::{During, Step};
use crate::sys::process;
use crate::userns;
use rootless_core::lower::networks::{Address, Attachment};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::io::Errno;
use std::net::IpAddr;

const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const GETLINK: u16 = 18;
const NEWADDR: u16 = 20;
const GETADDR: u16 = 22;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFLA_INET_CONF: u16 = 1;
const IPV4_FORWARDING: u16 = 1;
const SKIP_STATISTICS: u32 = 1 << 3;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_FLAGS: u16 = 8;
const IFA_F_PERMANENT: u32 = 0x80;
/// Nobody else can have it: the address serves at once.
const IFA_F_NODAD: u8 = 2;

pub const UP: u32 = 1;
/// pasta's as well: the largest that is a multiple of what TCP likes.
const MTU: u32 = 65520;

/// `struct ifinfomsg`: the flags, and which of them are meant.
pub fn link(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut body = [0; 16];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body[12..].copy_from_slice(&change.to_ne_bytes());
    body
}

/// A device that exists becomes what the body says.
pub fn change(socket: &Socket, body: &[u8; 16]) -> Result<(), Errno> {
    socket.ask(Message::new(NEWLINK, 0, body)).map(drop)
}

/// The numbers of all devices.
pub fn all(socket: &Socket) -> Result<Vec<u32>, Errno> {
    let message = Message::new(GETLINK, DUMP, &link(0, 0, 0)).number(IFLA_EXT_MASK, SKIP_STATISTICS);
    Ok(socket.ask(message)?.iter().filter_map(|body| index_of(body)).collect())
}

/// Into another namespace, under a name that may end with `%d`.
pub fn move_to(socket: &Socket, index: u32, namespace: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    let message = Message::new(NEWLINK, 0, &link(index, 0, 0)).number(IFLA_NET_NS_FD, namespace.as_raw_fd() as u32);
    socket.ask(message.text(IFLA_IFNAME, name)).map(drop)
}

/// An address as the kernel tells it, to be given again.
pub struct Moved(Vec<u8>);

/// Those that stay and can be reached from elsewhere; the kernel takes them away when a device changes its namespace.
pub fn permanent_addresses(socket: &Socket, index: u32) -> Result<Vec<Moved>, Errno> {
    let told = socket.ask(Message::new(GETADDR, DUMP, &[0; 8]))?;
    let is_kept = |body: &Vec<u8>| {
        let flags = find(body, 8, IFA_FLAGS).and_then(|four| four.try_into().ok()).map(u32::from_ne_bytes);
        let flags = flags.unwrap_or_else(|| body.get(2).map_or(0, |flags| u32::from(*flags)));
        index_of(body) == Some(index) && flags & IFA_F_PERMANENT != 0 && body.get(3) == Some(&0)
    };
    Ok(told.into_iter().filter(is_kept).map(Moved).collect())
}

impl Moved {
    pub fn add(&self, socket: &Socket, index: u32) -> Result<(), Errno> {
        let mut body: [u8; 8] = self.0.first_chunk().copied().ok_or(Errno::BADMSG)?;
        body[2] &= IFA_F_NODAD;
        body[4..].copy_from_slice(&index.to_ne_bytes());
        let mut message = Message::new(NEWADDR, CREATE | EXCL, &body);
        for kind in [IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST] {
            if let Some(data) = find(&self.0, 8, kind) {
                message = message.attribute(kind, data);
            }
        }
        match socket.ask(message) {
            Err(Errno::EXIST) => Ok(()),
            other => other.map(drop),
        }
    }
}

/// The number of a device.
pub fn index(socket: &Socket, name: &str) -> Result<u32, Errno> {
    let message =
        Message::new(GETLINK, 0, &link(0, 0, 0)).text(IFLA_IFNAME, name).number(IFLA_EXT_MASK, SKIP_STATISTICS);
    let answer = socket.ask(message)?;
    answer.first().and_then(|body| index_of(body)).ok_or(Errno::NODEV)
}

fn index_of(body: &[u8]) -> Option<u32> {
    body.get(4..8).and_then(|four| four.try_into().ok()).map(u32::from_ne_bytes)
}

pub fn up(socket: &Socket, index: u32) -> Result<(), Errno> {
    socket.ask(Message::new(NEWLINK, 0, &link(index, UP, UP))).map(drop)
}

/// True if it is gone; false if there was none.
pub fn delete(socket: &Socket, name: &str) -> Result<bool, Errno> {
    match socket.ask(Message::new(DELLINK, 0, &link(0, 0, 0)).text(IFLA_IFNAME, name)) {
        Err(Errno::NODEV) => Ok(false),
        other => other.map(|_| true),
    }
}

/// True if anything is connected with the bridge.
pub fn has_ports(socket: &Socket, bridge: &str) -> Result<bool, Errno> {
    let bridge = index(socket, bridge)?;
    let message = Message::new(GETLINK, DUMP, &link(0, 0, 0)).number(IFLA_EXT_MASK, SKIP_STATISTICS);
    let is_port = |body: &Vec<u8>| find(body, 16, IFLA_MASTER) == Some(&bridge.to_ne_bytes()[..]);
    Ok(socket.ask(message)?.iter().any(is_port))
}

fn add_address(socket: &Socket, index: u32, address: Address) -> Result<(), Errno> {
    let mut body = [0; 8];
    (body[0], body[1]) = (if address.ip.is_ipv4() { 2 } else { 10 }, address.length);
    body[4..].copy_from_slice(&index.to_ne_bytes());
    let message = match address.ip {
        IpAddr::V4(ip) => {
            let host = u32::MAX.checked_shr(address.length.into()).unwrap_or(0);
            let broadcast = (ip.to_bits() | host).to_be_bytes();
            let message = Message::new(NEWADDR, CREATE | EXCL, &body);
            let message = message.attribute(IFA_LOCAL, &ip.octets()).attribute(IFA_ADDRESS, &ip.octets());
            if address.length < 31 {
                message.attribute(IFA_BROADCAST, &broadcast)
            } else {
                message
            }
        }
        IpAddr::V6(ip) => {
            body[2] = IFA_F_NODAD;
            let message = Message::new(NEWADDR, CREATE | EXCL, &body);
            message.attribute(IFA_LOCAL, &ip.octets()).attribute(IFA_ADDRESS, &ip.octets())
        }
    };
    match socket.ask(message) {
        Err(Errno::EXIST) => Ok(()),
        other => other.map(drop),
    }
}

/// The bridge of a network, made by the first who needs it.
pub fn ensure_bridge(socket: &Socket, one: &Attachment) -> Step<()> {
    let message = Message::new(NEWLINK, CREATE | EXCL, &link(0, UP, UP))
        .text(IFLA_IFNAME, &one.bridge)
        .number(IFLA_MTU, one.mtu.unwrap_or(MTU))
        // Without one of its own it takes the lowest of its ports: neighbours would lose it whenever a container comes or goes.
        .attribute(IFLA_ADDRESS, &bridge_address(&one.network))
        .nest(IFLA_LINKINFO, &[], |info| info.text(IFLA_INFO_KIND, "bridge"));
    let made = match socket.ask(message) {
        Err(Errno::EXIST) => false,
        other => other.map(|_| true).during(STEP, &one.name)?,
    };
    let bridge = index(socket, &one.bridge).during(STEP, &one.name)?;
    if made {
        // Networks are apart: a host that forwards has handed that on to its namespaces.
        let apart = Message::new(NEWLINK, 0, &link(bridge, UP, UP)).nest(IFLA_AF_SPEC, &[], |spec| {
            spec.nest(2, &[], |inet| inet.nest(IFLA_INET_CONF, &[], |conf| conf.number(IPV4_FORWARDING, 0)))
        });
        socket.ask(apart).during(STEP, &one.name)?;
    }
    for gateway in &one.gateways {
        let subnet = one.addresses.iter().find(|address| address.has(*gateway));
        let address = Address { ip: *gateway, length: subnet.map_or(32, |subnet| subnet.length) };
        add_address(socket, bridge, address).during(STEP, &one.name)?;
    }
    Ok(())
}

/// A pair: one end is a port of the bridge, the other the container's interface.
pub fn connect(socket: &Socket, id: &str, one: &Attachment, container: BorrowedFd<'_>) -> Step<()> {
    let bridge = index(socket, &one.bridge).during(STEP, &one.name)?;
    let port = port(id, &one.network);
    // Of an earlier life, whose namespace the kernel has not taken down yet.
    delete(socket, &port).during(STEP, &one.name)?;
    let mtu = one.mtu.unwrap_or(MTU);
    let message = Message::new(NEWLINK, CREATE | EXCL, &link(0, UP, UP))
        .text(IFLA_IFNAME, &port)
        .number(IFLA_MTU, mtu)
        .number(IFLA_MASTER, bridge)
        .nest(IFLA_LINKINFO, &[], |info| {
            info.text(IFLA_INFO_KIND, "veth").nest(IFLA_INFO_DATA, &[], |data| {
                data.nest(VETH_INFO_PEER, &link(0, 0, 0), |peer| {
                    peer.text(IFLA_IFNAME, &one.interface)
                        .attribute(IFLA_ADDRESS, &one.mac.0)
                        .number(IFLA_MTU, mtu)
                        .number(IFLA_NET_NS_FD, container.as_raw_fd() as u32)
                })
            })
        });
    socket.ask(message).map(drop).during(STEP, &one.name)
}

/// In the container: addresses, and up.
pub fn configure(container: BorrowedFd<'_>, attach: &[Attachment]) -> Step<()> {
    userns::in_child(|| {
        process::join(container, libc::CLONE_NEWNET).during(STEP, "namespace of the container")?;
        let socket = Socket::open().during(STEP, "netlink")?;
        for one in attach {
            let index = index(&socket, &one.interface).during(STEP, &one.name)?;
            limit_ipv6(one);
            up(&socket, index).during(STEP, &one.name)?;
            for address in &one.addresses {
                add_address(&socket, index, *address).during(STEP, &one.name)?;
            }
        }
        Ok(())
    })
}

/// Its addresses are what it was given: on a network without IPv6 it has none, and no neighbour tells it where packets go by saying
/// that it is a router (CVE-2020-13401). Where /proc/sys is read-only this stays as it is.
fn limit_ipv6(one: &Attachment) {
    let without = !one.addresses.iter().any(|address| address.ip.is_ipv6());
    for (key, value) in [("accept_ra", "0"), ("disable_ipv6", if without { "1" } else { "0" })] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{}/{key}", one.interface), value);
    }
}

/// Takes the container off a network.
pub fn disconnect(socket: &Socket, id: &str, network: &str) -> Step<bool> {
    delete(socket, &port(id, network)).during(STEP, network)
}

/// The same name for the same pair, whichever holder made it.
fn port(id: &str, network: &str) -> String {
    format!("rv{:012x}", hash(&[id, "/", network]) >> 16)
}

/// The same whichever holder made it, and of local administration.
fn bridge_address(network: &str) -> [u8; 6] {
    let [a, b, c, d, ..] = hash(&[network]).to_be_bytes();
    [0x02, 0x52, a, b, c, d]
}

/// FNV-1a.
fn hash(parts: &[&str]) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    parts.iter().flat_map(|part| part.bytes()).fold(0xcbf2_9ce4_8422_2325, step)
}

/// The loopback interface of the namespace that the socket belongs to.
pub fn loopback_up(socket: &Socket) -> Result<(), Errno> {
    up(socket, index(socket, "lo")?)
}

/// For messages about namespaces.
pub fn same(one: impl AsFd, other: impl AsFd) -> bool {
    let place = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).ok().map(|stat| (stat.st_dev, stat.st_ino));
    place(one.as_fd()).is_some_and(|place_of| Some(place_of) == place(other.as_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_a_name_of_its_own_that_fits() {
        let (a, b) = (port(&"a".repeat(64), "front"), port(&"b".repeat(64), "front"));
        assert!(a != b && a.len() < 16 && a == port(&"a".repeat(64), "front"));
    }
}
