//! Logs in several files, also those that a kill left behind.

use super::*;

fn rotating(max_file: u32) -> LogOptions {
    LogOptions { max_size: Some(1000), max_file: Some(max_file), ..LogOptions::default() }
}

#[test]
fn files_stay_below_the_limit_and_are_read_as_one() {
    let folder = Folder::new("rotate");
    let options = rotating(4);
    let mut log = folder.open(&options);
    say(&mut log, 0..200);
    assert_eq!(folder.names(), ["log", "log.1", "log.2", "log.3"]);
    for name in folder.names() {
        let bytes = folder.file(&name);
        assert!(bytes.len() <= 1000 && bytes.ends_with(b"\n"), "{name}: {}", bytes.len());
    }
    let lines = folder.lines(&options, &Wish::default());
    assert!(lines.len() > 30);
    assert_eq!(lines, said(200 - lines.len() as u32..200));
    assert_eq!(folder.lines(&options, &tail(25)), said(175..200));
}

#[test]
fn one_file_begins_anew() {
    let folder = Folder::new("alone");
    let options = rotating(1);
    let mut log = folder.open(&options);
    say(&mut log, 0..200);
    assert_eq!(folder.names(), ["log"]);
    let lines = folder.lines(&options, &Wish::default());
    assert_eq!(lines.last().map(String::as_str), Some("line 199"));
}

#[test]
fn a_record_that_is_larger_than_a_file_is_not_lost() {
    let folder = Folder::new("large");
    let options = rotating(3);
    let mut log = folder.open(&options);
    log.write(Stream::Stdout, &[b'x'; 5000]).unwrap();
    log.write(Stream::Stdout, b"\ny\n").unwrap();
    log.close().unwrap();
    assert_eq!(folder.lines(&options, &Wish::default()), ["x".repeat(5000), "y".to_string()]);
}

/// A kill between any two renames leaves one of these.
#[test]
fn what_a_kill_leaves_is_read_and_continued() {
    let states: &[(&[&str], &[&str])] = &[
        (&["log.2", "log.1", "log"], &["log.2", "log.1", "log"]),
        (&["log.2", "log.1", "log", "log.next"], &["log.2", "log.1", "log"]),
        (&["log.3", "log.1", "log", "log.next"], &["log.3", "log.1", "log"]),
        (&["log.3", "log.2", "log", "log.next"], &["log.3", "log.2", "log"]),
        (&["log.3", "log.2", "log.1", "log.next"], &["log.3", "log.2", "log.1"]),
        (&["log.1"], &["log.1"]),
        (&["log.10", "log.9", "log.x", "log.1x", "logs"], &["log.10", "log.9"]),
    ];
    for (files, read) in states {
        let folder = Folder::new("killed");
        for name in *files {
            let record = format!("{{\"log\":\"{name}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}}\n");
            let content = if *name == "log.next" { String::new() } else { record };
            std::fs::write(folder.0.join(name), content).unwrap();
        }
        let options = rotating(4);
        assert_eq!(folder.lines(&options, &Wish::default()), *read, "{files:?}");
        let mut log = folder.open(&options);
        say(&mut log, 0..30);
        let lines = folder.lines(&options, &Wish::default());
        assert_eq!(lines[lines.len() - 30..], said(0..30), "{files:?}");
    }
}

#[test]
fn a_record_that_was_cut_off_is_not_continued_by_the_next() {
    for options in [json(), plain()] {
        let folder = Folder::new("cut");
        let mut log = folder.open(&options);
        say(&mut log, 0..3);
        drop(log);
        let whole = folder.file("log");
        for cut in 0..whole.len() {
            std::fs::write(folder.0.join("log"), &whole[..cut]).unwrap();
            let ends = whole[..cut].iter().filter(|byte| **byte == b'\n').count() as u32;
            assert_eq!(folder.lines(&options, &Wish::default()), said(0..ends), "cut at {cut}");
            let mut log = folder.open(&options);
            say(&mut log, 7..9);
            let wanted: Vec<String> = [said(0..ends), said(7..9)].concat();
            assert_eq!(folder.lines(&options, &Wish::default()), wanted, "cut at {cut}");
        }
    }
}

#[test]
fn a_file_that_was_moved_away_is_followed_by_a_new_one() {
    let folder = Folder::new("reopen");
    let mut log = folder.open(&json());
    say(&mut log, 0..2);
    std::fs::rename(folder.0.join("log"), folder.0.join("old")).unwrap();
    say(&mut log, 2..3);
    log.reopen().unwrap();
    say(&mut log, 3..4);
    assert_eq!(folder.lines(&json(), &Wish::default()), said(3..4));
    assert_eq!(folder.file("old").iter().filter(|byte| **byte == b'\n').count(), 3);
}
