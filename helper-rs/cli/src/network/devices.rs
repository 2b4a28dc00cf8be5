//! `linux.netDevices`: devices of the runtime's network namespace become the container's, with their addresses, and up
//! (config-linux.md "Network Devices").

use super::links::{self, link, Moved, UP};
use super::netlink::Socket;
use super::STEP;
use crate::failure::{During, Failure, Step};
use crate::plan::Plan;
use crate::sys::process::{self, Forked};
use crate::sys::socket;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};

/// Moves what the configuration names into the network namespace `container`. When one cannot be moved, those before it are lost with the
/// container: the kernel gives physical ones back, as at its end.
pub fn hand_over(plan: &Plan, container: impl FnOnce() -> Step<OwnedFd>) -> Step<()> {
    let devices = &plan.linux.net_devices;
    if devices.is_empty() {
        return Ok(());
    }
    let container = container()?;
    let here = Socket::open().during(STEP, "netlink")?;
    let mut inside = None;
    for (name, device) in devices {
        let refused = |errno: Errno| {
            let failure = Failure::new(STEP).errno(errno).on(name);
            match errno {
                Errno::PERM => {
                    Failure { message: Some("a network device is its network's root's to give away".into()), ..failure }
                }
                _ => failure,
            }
        };
        let wanted = device.name.as_deref().filter(|wanted| !wanted.is_empty()).unwrap_or(name);
        let index = links::index(&here, name).map_err(refused)?;
        let addresses = links::permanent_addresses(&here, index).map_err(refused)?;
        let there = match inside.take() {
            Some(there) => there,
            None => socket_in(&container).map_err(refused)?,
        };
        if !wanted.contains('%') && links::index(&there, wanted).is_ok() {
            let message = format!("the container has a network device {wanted:?} already");
            return Err(Failure::because(STEP, message).errno(Errno::EXIST).on(name));
        }
        let before = links::all(&there).during(STEP, name)?;
        // The kernel takes it down for that, if it can be moved at all.
        links::move_to(&here, index, container.as_fd(), wanted).map_err(refused)?;
        let new = links::all(&there).during(STEP, name)?.into_iter().find(|index| !before.contains(index));
        let new = new.ok_or_else(|| refused(Errno::NODEV))?;
        addresses.iter().try_for_each(|address: &Moved| address.add(&there, new)).map_err(refused)?;
        links::change(&there, &link(new, UP, UP)).map_err(refused)?;
        inside = Some(there);
    }
    Ok(())
}

/// A routing socket of another namespace: it stays that of the namespace in which it was opened.
fn socket_in(namespace: &OwnedFd) -> Result<Socket, Errno> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let Forked::Parent(child) = process::fork()? else {
        drop(ours);
        let opened = process::join(namespace.as_fd(), libc::CLONE_NEWNET).and_then(|()| Socket::open());
        let _ = match opened {
            Ok(opened) => socket::send(&theirs, &[0; 4], Some(opened.fd().as_fd())),
            Err(errno) => socket::send(&theirs, &errno.raw_os_error().to_ne_bytes(), None),
        };
        process::exit_now(0)
    };
    drop(theirs);
    let mut errno = [0; 4];
    let received = socket::receive(&ours, &mut errno);
    process::wait_for(child.pid)?;
    match received?.1 {
        Some(fd) => Ok(Socket::from_fd(fd)),
        None => Err(Errno::from_raw_os_error(i32::from_ne_bytes(errno))),
    }
}
