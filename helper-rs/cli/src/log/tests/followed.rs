//! Logs that are read while they are written.

use super::*;
use rustix::pipe::pipe;
use std::io::{BufRead, BufReader};
use std::thread;

/// A container that runs: this process stands for its monitor.
fn alive(folder: &Folder) {
    std::fs::write(folder.0.join("monitor.json"), "{}").unwrap();
    status(folder, "running");
}

fn status(folder: &Folder, word: &str) {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let start = crate::state::start_time(std::process::id() as i32).unwrap().unwrap();
    let monitor =
        serde_json::json!({ "pid": std::process::id(), "startTime": start.to_string(), "bootId": boot.trim() });
    let new = folder.0.join("status.new");
    std::fs::write(&new, serde_json::json!({ "status": word, "monitor": monitor }).to_string()).unwrap();
    std::fs::rename(new, folder.0.join("status.json")).unwrap();
}

struct Follower {
    lines: std::io::Lines<BufReader<File>>,
    thread: thread::JoinHandle<Step<u8>>,
}

impl Follower {
    fn start(folder: &Folder, options: &LogOptions, wish: Wish) -> Follower {
        let (read, write) = pipe().unwrap();
        let (options, place) = (options.clone(), folder.0.clone());
        let thread = thread::spawn(move || {
            let null = OwnedFd::from(File::options().write(true).open("/dev/null").unwrap());
            print_to(&options, &place, "x", &Wish { follow: true, ..wish }, [write, null])
        });
        Follower { lines: BufReader::new(File::from(read)).lines(), thread }
    }

    fn expect(&mut self, numbers: std::ops::Range<u32>) {
        for wanted in said(numbers) {
            assert_eq!(self.lines.next().unwrap().unwrap(), wanted);
        }
    }

    fn ends(mut self) {
        assert!(self.lines.next().is_none());
        assert_eq!(self.thread.join().unwrap(), Ok(0));
    }
}

#[test]
fn lines_come_as_they_are_written_until_the_container_ends() {
    let folder = Folder::new("follow");
    let mut log = folder.open(&json());
    say(&mut log, 0..5);
    alive(&folder);
    let mut follower = Follower::start(&folder, &json(), tail(2));
    follower.expect(3..5);
    for number in 5..50 {
        say(&mut log, number..number + 1);
        follower.expect(number..number + 1);
    }
    status(&folder, "restarting");
    say(&mut log, 50..51);
    follower.expect(50..51);
    say(&mut log, 51..53);
    status(&folder, "exited");
    follower.expect(51..53);
    follower.ends();
}

#[test]
fn no_line_is_lost_over_rotations() {
    let folder = Folder::new("follow-rotate");
    let options = LogOptions { max_size: Some(3000), max_file: Some(30), ..LogOptions::default() };
    let mut log = folder.open(&options);
    alive(&folder);
    let mut follower = Follower::start(&folder, &options, Wish::default());
    for from in (0..3000).step_by(100) {
        say(&mut log, from..from + 100);
        follower.expect(from..from + 100);
    }
    status(&folder, "exited");
    follower.ends();
}

#[test]
fn a_container_that_starts_later_is_waited_for() {
    let folder = Folder::new("follow-later");
    std::fs::write(folder.0.join("monitor.json"), "{}").unwrap();
    let mut follower = Follower::start(&folder, &json(), Wish::default());
    let mut log = folder.open(&json());
    alive(&folder);
    say(&mut log, 0..3);
    follower.expect(0..3);
    status(&folder, "exited");
    follower.ends();
}

#[test]
fn one_that_has_ended_is_not_waited_for() {
    let folder = Folder::new("follow-over");
    let mut log = folder.open(&json());
    say(&mut log, 0..3);
    alive(&folder);
    status(&folder, "exited");
    let mut follower = Follower::start(&folder, &json(), Wish::default());
    follower.expect(0..3);
    follower.ends();
    std::fs::remove_file(folder.0.join("status.json")).unwrap();
    std::fs::remove_file(folder.0.join("monitor.json")).unwrap();
    let mut follower = Follower::start(&folder, &json(), Wish::default());
    follower.expect(0..3);
    follower.ends();
}

#[test]
fn a_file_that_is_emptied_is_read_from_its_beginning() {
    let folder = Folder::new("follow-empty");
    let mut log = folder.open(&json());
    alive(&folder);
    say(&mut log, 0..5000);
    let mut follower = Follower::start(&folder, &json(), Wish::default());
    follower.expect(0..5000);
    File::options().write(true).open(folder.0.join("log")).unwrap().set_len(0).unwrap();
    say(&mut log, 5000..5002);
    follower.expect(5000..5002);
    status(&folder, "exited");
    follower.ends();
}

#[test]
fn following_ends_when_nobody_reads() {
    let folder = Folder::new("follow-closed");
    alive(&folder);
    let follower = Follower::start(&folder, &json(), Wish::default());
    drop(follower.lines);
    assert_eq!(follower.thread.join().unwrap(), Ok(141));
}

#[test]
fn following_ends_at_a_time() {
    let folder = Folder::new("follow-until");
    let mut log = folder.open(&json());
    say(&mut log, 0..2);
    alive(&folder);
    let until = crate::clock::since_epoch().as_nanos() as i128 + 200_000_000;
    let mut follower = Follower::start(&folder, &json(), Wish { until: Some(until), ..Wish::default() });
    follower.expect(0..2);
    follower.ends();
}
