//! A manager of our own at the other end: one that does what it is asked, and ones that do not.

use super::*;
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

/// What it answers to each method: the body's text and signature, an error's name, or nothing at all.
#[derive(Clone, Copy)]
enum Answer {
    Job(&'static str),
    Error(&'static str),
    Silence,
}

/// Listens on a socket of this test; answers `calls` after the greeting, then hangs up. Gives back the methods that it heard.
fn manager(name: &str, calls: Vec<Answer>) -> (Socket, JoinHandle<Vec<String>>) {
    let path = std::env::temp_dir().join(format!("systemd-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let place = Socket::Path(path.display().to_string());
    (place, std::thread::spawn(move || serve(&listener.accept().unwrap().0, calls)))
}

fn serve(mut socket: &UnixStream, calls: Vec<Answer>) -> Vec<String> {
    let mut received = Vec::new();
    let mut block = [0; 512];
    while !received.ends_with(b"DATA\r\n") {
        let count = socket.read(&mut block).unwrap();
        received.extend(&block[..count]);
    }
    assert_eq!(received, b"\0AUTH EXTERNAL\r\nDATA\r\n");
    socket.write_all(b"DATA\r\nOK 0123456789abcdef\r\n").unwrap();
    received.clear();
    let mut heard = Vec::new();
    for answer in calls {
        let call = loop {
            let bytes = received.strip_prefix(b"BEGIN\r\n").unwrap_or(&received);
            if let Ok(Some((message, used))) = dbus::message(bytes) {
                received = bytes[used..].to_vec();
                break message;
            }
            match socket.read(&mut block).unwrap() {
                0 => return heard,
                count => received.extend(&block[..count]),
            }
        };
        heard.push(call.member.clone());
        let serial = u32::try_from(heard.len()).unwrap();
        match answer {
            Answer::Job(result) => {
                socket.write_all(&reply(dbus::METHOD_RETURN, serial, "", &Body::default().text("/job/1"))).unwrap();
                for (path, result) in [("/job/0", "failed"), ("/job/1", result)] {
                    let body = Body::default().counts(&[]).text(path).text("x.scope").text(result);
                    socket.write_all(&reply(dbus::SIGNAL, 0, "JobRemoved", &body)).unwrap();
                }
            }
            Answer::Error(name) => {
                socket.write_all(&reply(dbus::ERROR, serial, name, &Body::default().text("no"))).unwrap()
            }
            Answer::Silence => return heard,
        }
    }
    heard
}

/// An answer is a call with another kind, and with other header fields in place of its path and its interface.
fn reply(kind: u8, to: u32, name: &str, body: &Body) -> Vec<u8> {
    let (interface, member) = if kind == dbus::SIGNAL { ("a.b", name) } else { (name, "x") };
    let interface = if interface.is_empty() { "a.b" } else { interface };
    let mut bytes = dbus::call(9, &Call { destination: None, path: "/", interface, member }, body);
    bytes[1] = kind;
    if kind == dbus::SIGNAL {
        return bytes;
    }
    // The path "/" takes the 16 bytes from 16 on; a number takes 8.
    bytes[16..24].copy_from_slice(&[5, 1, b'u', 0, 0, 0, 0, 0]);
    bytes[20..24].copy_from_slice(&to.to_le_bytes());
    bytes.drain(24..32);
    bytes[24] = if kind == dbus::ERROR { 4 } else { 2 };
    let fields = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) - 8;
    bytes[12..16].copy_from_slice(&fields.to_le_bytes());
    bytes
}

#[test]
fn a_scope_is_started_when_its_own_job_is_done() {
    let (place, other) = manager("done", vec![Answer::Job("done")]);
    Manager::open(&place, true).unwrap().start_scope("x.scope", &[]).unwrap();
    assert_eq!(other.join().unwrap(), ["StartTransientUnit"]);
}

#[test]
fn a_job_that_failed_is_a_failure() {
    let (place, _) = manager("failed", vec![Answer::Job("timeout")]);
    let failure = Manager::open(&place, true).unwrap().start_scope("x.scope", &[]).unwrap_err();
    assert!(failure.message.unwrap().contains("timeout"));
}

#[test]
fn a_failed_unit_of_the_same_name_is_forgotten_first() {
    let exists = Answer::Error("org.freedesktop.systemd1.UnitExists");
    let (place, other) = manager("exists", vec![exists, Answer::Error("a.b.C"), Answer::Job("done")]);
    Manager::open(&place, true).unwrap().start_scope("x.scope", &[]).unwrap();
    assert_eq!(other.join().unwrap(), ["StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"]);
}

#[test]
fn a_unit_that_is_gone_is_stopped() {
    let (place, _) = manager("gone", vec![Answer::Error("org.freedesktop.systemd1.NoSuchUnit")]);
    Manager::open(&place, true).unwrap().stop("x.scope").unwrap();
}

#[test]
fn words_of_a_refusal_are_kept() {
    let (place, _) = manager("refused", vec![Answer::Error("org.freedesktop.DBus.Error.AccessDenied")]);
    let failure = Manager::open(&place, true).unwrap().attach("x.scope", "/", &[1]).unwrap_err();
    assert_eq!(failure.message.as_deref(), Some("systemd refused: no"));
}

#[test]
fn a_manager_that_hangs_up_is_a_failure() {
    let (place, _) = manager("silent", vec![Answer::Silence]);
    let failure = Manager::open(&place, true).unwrap().stop("x.scope").unwrap_err();
    assert_eq!(failure.message.as_deref(), Some("it closed the connection"));
}

#[test]
fn the_session_is_asked_first_then_the_fixed_places() {
    let named = |text: &'static str| move |name: &str| (name == "DBUS_SESSION_BUS_ADDRESS").then(|| text.to_string());
    let path = |path: &str, is_direct| (Socket::Path(path.into()), is_direct);
    let own = path("/run/user/7/systemd/private", true);
    assert_eq!(places("7", |_| None), [path("/run/user/7/bus", false), own]);
    assert_eq!(places("7", named("unix:path=/x"))[0], path("/x", false));
    assert_eq!(places("7", named("unix:path=/run/user/7/bus,guid=1")).len(), 2);
    assert_eq!(places("0", |_| None)[0], path("/run/dbus/system_bus_socket", false));
}
