//! Entries as a journal gets them.

use super::*;
use crate::log::journald::Journal;
use crate::sys::socket;
use rootless_records::Piece;
use rustix::fs::SealFlags;
use std::os::unix::net::UnixDatagram;

/// A journal that keeps what it gets.
struct Double {
    path: PathBuf,
    socket: UnixDatagram,
}

impl Double {
    fn new(name: &str) -> Double {
        let path = std::env::temp_dir().join(format!("journal-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Double { socket: UnixDatagram::bind(&path).unwrap(), path }
    }

    fn log(&self, options: &LogOptions) -> Journal {
        let facts = Facts { id: "0123456789abcdef", name: "web", image: "nginx", folder: Path::new("/") };
        Journal::connect(&self.path, options, &facts).unwrap()
    }

    /// The next entry, from the datagram or from the file that came with it.
    fn entry(&self) -> Vec<u8> {
        let mut buffer = vec![0; 1 << 16];
        let (count, file) = socket::receive(&self.socket, &mut buffer).unwrap();
        buffer.truncate(count);
        if let Some(file) = file {
            assert_eq!(count, 0);
            assert!(rustix::fs::fcntl_get_seals(&file).unwrap().contains(SealFlags::WRITE | SealFlags::SHRINK));
            let path = format!("/proc/self/fd/{}", rustix::fd::AsRawFd::as_raw_fd(&file));
            std::fs::File::open(path).unwrap().read_to_end(&mut buffer).unwrap();
        }
        buffer
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn whole(text: &[u8]) -> Piece<'_> {
    Piece { text, ends: true }
}

#[test]
fn an_entry_has_the_fields_that_others_look_for() {
    let double = Double::new("fields");
    let attributes = [("my.label".to_string(), "x".to_string())].into();
    let mut log = double.log(&LogOptions { attributes, ..LogOptions::default() });
    log.put(Stream::Stdout, whole(b"hello")).unwrap();
    let wanted = "MESSAGE=hello\nPRIORITY=6\nCONTAINER_ID=0123456789ab\nCONTAINER_ID_FULL=0123456789abcdef\n\
        CONTAINER_NAME=web\nCONTAINER_TAG=0123456789ab\nIMAGE_NAME=nginx\nSYSLOG_IDENTIFIER=0123456789ab\nMY_LABEL=x\n";
    assert_eq!(String::from_utf8(double.entry()).unwrap(), wanted);
    let mut log = double.log(&LogOptions { tag: Some("mine".to_string()), ..LogOptions::default() });
    log.put(Stream::Stderr, Piece { text: b"part", ends: false }).unwrap();
    let text = String::from_utf8(double.entry()).unwrap();
    assert!(text.starts_with("MESSAGE=part\nPRIORITY=3\nCONTAINER_PARTIAL_MESSAGE=true\n"), "{text}");
    assert!(text.contains("CONTAINER_TAG=mine\n"));
}

#[test]
fn a_value_with_a_newline_cannot_become_a_field() {
    let double = Double::new("newline");
    let mut log = double.log(&LogOptions::default());
    log.put(Stream::Stdout, whole(b"a\nPRIORITY=0")).unwrap();
    let entry = double.entry();
    assert!(entry.starts_with(b"MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\nPRIORITY=6\n"));
}

#[test]
fn a_large_entry_goes_by_file() {
    let double = Double::new("large");
    let mut log = double.log(&LogOptions::default());
    let text = vec![b'x'; 2 << 20];
    log.put(Stream::Stdout, whole(&text)).unwrap();
    let entry = double.entry();
    assert!(entry.starts_with(b"MESSAGE=xxx") && entry.len() > text.len());
    log.put(Stream::Stdout, whole(b"small again")).unwrap();
    assert!(double.entry().starts_with(b"MESSAGE=small again\n"));
}

#[test]
fn a_journal_that_restarts_is_told_what_it_missed() {
    let double = Double::new("restart");
    let mut log = double.log(&LogOptions::default());
    let mut strict = double.log(&LogOptions { when_full: WhenFull::Stop, ..LogOptions::default() });
    let path = double.path.clone();
    drop(double);
    for _ in 0..3 {
        log.put(Stream::Stdout, whole(b"lost")).unwrap();
    }
    assert_eq!(strict.put(Stream::Stdout, whole(b"lost")).unwrap_err().errno, Some(libc::ENOENT));
    let double = Double { socket: UnixDatagram::bind(&path).unwrap(), path };
    log.put(Stream::Stdout, whole(b"back")).unwrap();
    let notice = String::from_utf8(double.entry()).unwrap();
    assert!(
        notice.starts_with("MESSAGE=rootless: the log could not be written: 3 entries are missing here\nPRIORITY=3\n")
    );
    assert!(double.entry().starts_with(b"MESSAGE=back\n"));
}

#[test]
fn one_that_stands_still_does_not_stop_the_container() {
    let double = Double::new("still");
    let mut log = double.log(&LogOptions::default());
    let begun = std::time::Instant::now();
    for _ in 0..2000 {
        log.put(Stream::Stdout, whole(&[b'x'; 1000])).unwrap();
    }
    assert!(log.missing > 0 && begun.elapsed().as_secs() < 20);
}

#[test]
fn without_a_journal_the_start_fails() {
    let facts = Facts { id: "i", name: "n", image: "m", folder: Path::new("/") };
    let nowhere = Journal::connect(Path::new("/does/not/exist"), &LogOptions::default(), &facts).err().unwrap();
    assert_eq!((nowhere.step.as_ref(), nowhere.errno), ("log", Some(libc::ENOENT)));
    let double = Double::new("dead");
    let copy = double.path.with_extension("old");
    std::fs::hard_link(&double.path, &copy).unwrap();
    drop(double);
    let dead = Journal::connect(&copy, &LogOptions::default(), &facts).err().unwrap();
    std::fs::remove_file(copy).unwrap();
    assert_eq!(dead.errno, Some(libc::ECONNREFUSED));
}
