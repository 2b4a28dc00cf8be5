//! Logs as a whole: written, rotated, cut off, full, and read again.

mod followed;
mod full;
mod journald;
mod read;
mod rotated;

use super::read::{print_to, Wish};
use super::*;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("log-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn open(&self, options: &LogOptions) -> Log {
        let facts = Facts { id: "0123456789abcdef", name: "name", image: "image", folder: &self.0 };
        Log::open(options, &facts, false).unwrap()
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// What a reader prints on both streams.
    fn printed(&self, options: &LogOptions, wish: &Wish) -> (String, String) {
        let (out, err) = (self.0.join("out"), self.0.join("err"));
        let to = [&out, &err].map(|path| OwnedFd::from(File::create(path).unwrap()));
        assert_eq!(print_to(options, &self.0, "0123456789abcdef", wish, to), Ok(0));
        let text = [&out, &err].map(|path| {
            let mut text = Vec::new();
            File::open(path).unwrap().read_to_end(&mut text).unwrap();
            std::fs::remove_file(path).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        text.into()
    }

    fn lines(&self, options: &LogOptions, wish: &Wish) -> Vec<String> {
        self.printed(options, wish).0.lines().map(str::to_string).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn json() -> LogOptions {
    LogOptions::default()
}

fn plain() -> LogOptions {
    LogOptions { driver: Driver::Plain, ..LogOptions::default() }
}

/// `line 1`, `line 2`, … in blocks that do not end where lines do.
fn say(log: &mut Log, numbers: std::ops::Range<u32>) {
    let text: String = numbers.map(|number| format!("line {number}\n")).collect();
    for block in text.as_bytes().chunks(37) {
        log.write(Stream::Stdout, block).unwrap();
    }
    log.flush().unwrap();
}

fn said(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("line {number}")).collect()
}

fn tail(count: u64) -> Wish {
    Wish { tail: Some(count), ..Wish::default() }
}

#[test]
fn options_are_those_of_the_contract() {
    let text = r#"{"driver":"k8s-file","path":"/x","maxSize":10,"maxFile":3,"tag":"t","whenFull":"stop","new":1}"#;
    let options: LogOptions = serde_json::from_str(text).unwrap();
    assert_eq!((options.driver, options.when_full), (Driver::Plain, WhenFull::Stop));
    assert_eq!((options.max_size, options.max_file, options.tag.as_deref()), (Some(10), Some(3), Some("t")));
    let empty: LogOptions = serde_json::from_str("{}").unwrap();
    assert_eq!((empty.driver, empty.file(Path::new("/c/id"))), (Driver::JsonFile, PathBuf::from("/c/id/log")));
    for (text, driver) in [("journald", Driver::Journald), ("none", Driver::None), ("plain", Driver::Plain)] {
        let options: LogOptions = serde_json::from_str(&format!("{{\"driver\":\"{text}\"}}")).unwrap();
        assert_eq!(options.driver, driver);
    }
}

#[test]
fn no_driver_keeps_nothing_and_cannot_be_read() {
    let folder = Folder::new("none");
    let options = LogOptions { driver: Driver::None, ..LogOptions::default() };
    let mut log = folder.open(&options);
    say(&mut log, 1..9);
    log.close().unwrap();
    assert!(folder.names().is_empty());
    let null = || OwnedFd::from(File::open("/dev/null").unwrap());
    let failure = print_to(&options, &folder.0, "x", &Wish::default(), [null(), null()]).unwrap_err();
    assert!(failure.message.is_some_and(|message| message.contains("none")));
}

#[test]
fn a_log_that_is_no_file_is_refused() {
    let folder = Folder::new("kind");
    let facts = Facts { id: "i", name: "n", image: "m", folder: &folder.0 };
    for path in ["/dev/null", "/", "/does/not/exist"] {
        let options = LogOptions { path: Some(path.into()), ..LogOptions::default() };
        assert_eq!(Log::open(&options, &facts, false).err().map(|failure| failure.step), Some("log".into()));
    }
}

#[test]
fn a_wake_up_is_one_write() {
    let folder = Folder::new("batch");
    let mut log = folder.open(&json());
    log.write(Stream::Stdout, b"one\ntwo\n").unwrap();
    log.write(Stream::Stderr, b"three\n").unwrap();
    assert_eq!(folder.file("log").len(), 0);
    log.flush().unwrap();
    assert_eq!(folder.printed(&json(), &Wish::default()), ("one\ntwo\n".into(), "three\n".into()));
}

#[test]
fn a_prompt_is_written_when_it_has_waited_and_at_the_end() {
    for options in [json(), plain()] {
        let folder = Folder::new("prompt");
        let mut log = folder.open(&options);
        log.write(Stream::Stdout, b"$ ").unwrap();
        log.flush().unwrap();
        assert!(folder.file("log").is_empty() && log.due().is_some_and(|due| due <= PATIENCE));
        log.waiting = log.waiting.and_then(|since| since.checked_sub(PATIENCE));
        assert_eq!(log.due(), Some(Duration::ZERO));
        log.tick().unwrap();
        assert_eq!(folder.printed(&options, &Wish::default()).0, "$ ");
        assert_eq!(log.due(), None);
        log.write(Stream::Stdout, b"ls\nend").unwrap();
        log.close().unwrap();
        assert_eq!(folder.printed(&options, &Wish::default()).0, "$ ls\nend");
    }
}

#[test]
fn any_bytes_come_back_from_a_plain_log_and_text_from_both() {
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let text = "äöü€𝄞 \"quoted\\\" <tag> \t\u{1b}[31m\r\n".repeat(3000);
    for (options, input) in [(plain(), bytes.as_slice()), (plain(), text.as_bytes()), (json(), text.as_bytes())] {
        let folder = Folder::new("bytes");
        let mut log = folder.open(&options);
        for block in input.chunks(4099) {
            log.write(Stream::Stdout, block).unwrap();
        }
        log.close().unwrap();
        let out = folder.0.join("out");
        let to = [&out, &folder.0.join("err")].map(|path| OwnedFd::from(File::create(path).unwrap()));
        assert_eq!(print_to(&options, &folder.0, "x", &Wish::default(), to), Ok(0));
        assert!(std::fs::read(&out).unwrap() == input);
    }
}
