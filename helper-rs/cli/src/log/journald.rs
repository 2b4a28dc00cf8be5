//! The journal of systemd by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram an entry, a memfd for large ones.

use super::{Facts, LogOptions, Stream, WhenFull};
use crate::failure::{Failure, Step};
use crate::sys::socket;
use rootless_records::Piece;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{fcntl_add_seals, memfd_create, MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::net::{sendto, socket_with, AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use std::path::Path;

const SOCKET: &str = "/run/systemd/journal/socket";

pub struct Journal {
    socket: OwnedFd,
    address: SocketAddrUnix,
    /// The fields of every entry.
    fields: Vec<u8>,
    entry: Vec<u8>,
    when_full: WhenFull,
    pub(super) missing: u64,
}

impl Journal {
    pub fn open(options: &LogOptions, facts: &Facts<'_>) -> Step<Journal> {
        Journal::connect(Path::new(SOCKET), options, facts)
    }

    pub(super) fn connect(path: &Path, options: &LogOptions, facts: &Facts<'_>) -> Step<Journal> {
        let on = |errno: Errno| Failure::because("log", "no journal runs here").errno(errno).on(path.display());
        rustix::fs::access(path, rustix::fs::Access::WRITE_OK).map_err(on)?;
        let address = SocketAddrUnix::new(path).map_err(on)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None).map_err(on)?;
        // Somebody listens: a socket file may be older than this boot.
        rustix::net::connect(&socket, &address).map_err(on)?;
        let short = facts.id.get(..12).unwrap_or(facts.id);
        let tag = options.tag.as_deref().unwrap_or(short);
        let mut fields = Vec::new();
        for (key, value) in [
            ("CONTAINER_ID", short),
            ("CONTAINER_ID_FULL", facts.id),
            ("CONTAINER_NAME", facts.name),
            ("CONTAINER_TAG", tag),
            ("IMAGE_NAME", facts.image),
            ("SYSLOG_IDENTIFIER", tag),
        ] {
            field(&mut fields, key, value.as_bytes());
        }
        for (key, value) in &options.attributes {
            field(&mut fields, &field_name(key), value.as_bytes());
        }
        Ok(Journal { socket, address, fields, entry: Vec::new(), when_full: options.when_full, missing: 0 })
    }

    pub fn put(&mut self, stream: Stream, piece: Piece<'_>) -> Step<()> {
        if self.missing > 0 {
            let notice = format!("rootless: the log could not be written: {} entries are missing here", self.missing);
            if self.send(Stream::Stderr, Piece { text: notice.as_bytes(), ends: true }).is_ok() {
                self.missing = 0;
            }
        }
        let Err(errno) = self.send(stream, piece) else { return Ok(()) };
        self.missing += 1;
        match self.when_full {
            WhenFull::Stop if self.missing == 1 => Err(Failure::new("log").errno(errno).on("the journal")),
            _ => Ok(()),
        }
    }

    fn send(&mut self, stream: Stream, piece: Piece<'_>) -> Result<(), Errno> {
        self.entry.clear();
        field(&mut self.entry, "MESSAGE", piece.text);
        self.entry.extend_from_slice(match stream {
            Stream::Stdout => b"PRIORITY=6\n",
            Stream::Stderr => b"PRIORITY=3\n",
        });
        if !piece.ends {
            self.entry.extend_from_slice(b"CONTAINER_PARTIAL_MESSAGE=true\n");
        }
        self.entry.extend_from_slice(&self.fields);
        let mut patience = 2;
        loop {
            match sendto(&self.socket, &self.entry, SendFlags::NOSIGNAL, &self.address) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::MSGSIZE | Errno::NOBUFS) => return self.send_file(),
                // A journal that is slow gets a second; one that stands still must not stop the container.
                Err(Errno::AGAIN) if patience > 0 && self.missing == 0 => {
                    patience -= 1;
                    let half = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
                    let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::OUT)], Some(&half));
                }
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Sealed, because the journal reads it while we could still write.
    fn send_file(&self) -> Result<(), Errno> {
        let file = memfd_create("journal-entry", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut rest = self.entry.as_slice();
        while !rest.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(&file, rest))?;
            rest = &rest[written..];
        }
        fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
        rustix::net::connect(&self.socket, &self.address)?;
        socket::send(&self.socket, b"", Some(file.as_fd()))
    }
}

/// Values with a newline have their length before them.
fn field(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    out.extend_from_slice(key.as_bytes());
    if memchr::memchr(b'\n', value).is_none() {
        out.push(b'=');
    } else {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// The journal takes capital letters, digits and underscores, no underscore or digit first.
fn field_name(key: &str) -> String {
    let name: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    match name.trim_start_matches(|c: char| c == '_' || c.is_ascii_digit()) {
        "" => "ATTRIBUTE".to_string(),
        name => name.to_string(),
    }
}
