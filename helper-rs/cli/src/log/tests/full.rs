//! A disk that is full, played by the limit on the size of files (setrlimit(2)), which counts for a whole process: each of these
//! tests runs itself again in a process of its own.

use super::*;
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

const INSIDE: &str = "ROOTLESS_TEST_ALONE";

/// True in the process of its own.
fn alone(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        // Else SIGXFSZ ends the process.
        crate::sys::signal::catch().unwrap();
        return true;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let name = format!("log::tests::full::{test}");
    let output = command.args(["--exact", &name, "--test-threads=1", "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    false
}

fn limit(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

/// There is room again, and the time to try has come.
fn make_room(log: &mut Log) {
    limit(None);
    let Sink::File(file) = &mut log.sink else { panic!("a file") };
    file.hurry();
}

#[test]
fn the_log_says_what_is_missing_while_it_is_and_after() {
    if !alone("the_log_says_what_is_missing_while_it_is_and_after") {
        return;
    }
    for options in [json(), plain()] {
        let folder = Folder::new("full");
        let mut log = folder.open(&options);
        limit(Some(10_000));
        say(&mut log, 0..1000);
        limit(None);
        let (out, err) = folder.printed(&options, &Wish::default());
        let kept = out.lines().count() as u32;
        assert!(kept > 50, "{kept}");
        assert_eq!(out.lines().collect::<Vec<_>>(), said(0..kept));
        let bytes: usize = said(kept..1000).iter().map(|line| line.len() + 1).sum();
        let so_far = format!(
            "rootless: the log cannot be written (EFBIG): {bytes} bytes in {} lines are missing so far",
            1000 - kept
        );
        assert_eq!(err.trim_end(), so_far);

        limit(Some(10_000));
        say(&mut log, 1000..1010);
        make_room(&mut log);
        say(&mut log, 1010..1012);
        let (out, err) = folder.printed(&options, &Wish::default());
        assert_eq!(out.lines().collect::<Vec<_>>(), [said(0..kept), said(1010..1012)].concat());
        let over = format!(
            "rootless: the log could not be written (EFBIG): {} bytes in {} lines are missing",
            bytes + 100,
            1010 - kept
        );
        assert_eq!(err.trim_end(), over);
        assert!(log.due().is_none());
    }
}

#[test]
fn without_any_room_it_is_told_later() {
    if !alone("without_any_room_it_is_told_later") {
        return;
    }
    let folder = Folder::new("no-room");
    let mut log = folder.open(&json());
    limit(Some(20));
    say(&mut log, 0..3);
    assert!(folder.file("log").is_empty());
    assert!(log.due().is_some());
    make_room(&mut log);
    say(&mut log, 3..4);
    let (out, err) = folder.printed(&json(), &Wish::default());
    assert_eq!(out, "line 3\n");
    assert!(err.trim_end().ends_with("21 bytes in 3 lines are missing"), "{err}");
}

#[test]
fn a_container_that_needs_its_log_hears_of_it_once() {
    if !alone("a_container_that_needs_its_log_hears_of_it_once") {
        return;
    }
    let folder = Folder::new("stop");
    let options = LogOptions { when_full: WhenFull::Stop, ..LogOptions::default() };
    let mut log = folder.open(&options);
    limit(Some(1000));
    let block = b"text\n".repeat(100);
    let first = log.write(Stream::Stdout, &block).and_then(|()| log.flush()).unwrap_err();
    assert_eq!((first.step.as_ref(), first.errno), ("log", Some(libc::EFBIG)));
    assert_eq!(log.write(Stream::Stdout, &block).and_then(|()| log.close()), Ok(()));
    limit(None);
    assert!(folder.printed(&options, &Wish::default()).1.contains("are missing so far"));
}
