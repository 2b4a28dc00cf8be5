//! B, the network namespace of the bridges: made once, and what the holder has in it without being there.

use super::netlink::Socket;
use super::{links, STEP};
use crate::failure::{During, Failure, Step};
use crate::sys::process::{self, Forked};
use crate::sys::socket;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{bind, listen, socket_with, socketpair, sockopt, AddressFamily, SocketFlags, SocketType};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

pub struct Room {
    pub namespace: OwnedFd,
    pub netlink: Socket,
    /// Port 53 of every address of every bridge; there is no IPv6 on some machines.
    pub udp: Vec<OwnedFd>,
    pub tcp: Vec<OwnedFd>,
}

impl Room {
    /// Makes the namespace, or goes on with one. It is entered by a child only: from H there is no way back to the host's.
    pub fn open(before: Option<OwnedFd>) -> Step<Room> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .during(STEP, "socketpair")?;
        let Forked::Parent(child) = process::fork().during(STEP, "namespace")? else {
            drop(ours);
            if let Err(failure) = furnish(before.as_ref(), &theirs) {
                let _ = socket::send(&theirs, failure.pack().as_bytes(), None);
            }
            process::exit_now(0)
        };
        drop(theirs);
        let taken = take(&ours);
        process::wait_for(child.pid).during(STEP, "namespace")?;
        taken
    }
}

/// What a descriptor that comes from the child is.
const NAMESPACE: u8 = b'n';
const NETLINK: u8 = b'l';
const UDP: u8 = b'u';
const TCP: u8 = b't';

fn furnish(before: Option<&OwnedFd>, to: &OwnedFd) -> Step<()> {
    match before {
        Some(namespace) => process::join(namespace.as_fd(), libc::CLONE_NEWNET).during(STEP, "namespace")?,
        None => process::unshare(libc::CLONE_NEWNET).during(STEP, "namespace")?,
    }
    let give = |kind: u8, fd: BorrowedFd<'_>| socket::send(to, &[kind], Some(fd)).during(STEP, "namespace");
    let netlink = Socket::open().during(STEP, "netlink")?;
    if before.is_none() {
        // Bridges say so for IPv4 too; where /proc/sys is read-only, IPv6 does not forward unless somebody has changed the default.
        let of_ipv6 = ["all/forwarding", "all/accept_ra", "default/accept_ra"]
            .map(|key| format!("/proc/sys/net/ipv6/conf/{key}"));
        for file in of_ipv6.iter().map(String::as_str).chain(["/proc/sys/net/ipv4/ip_forward"]) {
            let _ = std::fs::write(file, "0");
        }
        links::loopback_up(&netlink).during(STEP, "lo")?;
    }
    let namespace = crate::userns::open_namespace(i32::try_from(std::process::id()).unwrap_or(0), "net")?;
    give(NAMESPACE, namespace.as_fd())?;
    give(NETLINK, netlink.fd().as_fd())?;
    for address in [SocketAddr::from((Ipv4Addr::UNSPECIFIED, 53)), SocketAddr::from((Ipv6Addr::UNSPECIFIED, 53))] {
        for (kind, flavour) in [(UDP, SocketType::DGRAM), (TCP, SocketType::STREAM)] {
            match port(address, flavour) {
                Ok(fd) => give(kind, fd.as_fd())?,
                Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) if address.is_ipv6() => {}
                Err(errno) => return Err(errno).during(STEP, address),
            }
        }
    }
    Ok(())
}

fn port(address: SocketAddr, flavour: SocketType) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = socket_with(family, flavour, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    if flavour == SocketType::STREAM {
        // Connections of the holder before may still be ending.
        sockopt::set_socket_reuseaddr(&fd, true)?;
    }
    bind(&fd, &address)?;
    if flavour == SocketType::STREAM {
        listen(&fd, 64)?;
    }
    Ok(fd)
}

fn take(from: &OwnedFd) -> Step<Room> {
    let (mut namespace, mut netlink, mut udp, mut tcp) = (None, None, Vec::new(), Vec::new());
    loop {
        let mut buffer = [0; 4096];
        match socket::receive(from, &mut buffer).during(STEP, "namespace")? {
            (0, _) => break,
            (1, Some(fd)) => match buffer[0] {
                NAMESPACE => namespace = Some(fd),
                NETLINK => netlink = Some(Socket::from_fd(fd)),
                UDP => udp.push(fd),
                _ => tcp.push(fd),
            },
            (got, _) => return Err(Failure::unpack(&buffer[..got])),
        }
    }
    let lost = || Failure::because(STEP, "the namespace of the bridges could not be made");
    Ok(Room { namespace: namespace.ok_or_else(lost)?, netlink: netlink.ok_or_else(lost)?, udp, tcp })
}
