//! A guess: what served the last plain `run` serves the next one too. It begins while the command line is still being loaded, and is ended
//! where the command line wants something else.
//!
//! pasta takes as long to begin as Node does, and needs no ids: on two processors the way out of a container costs next to nothing then.

use crate::begun::{self, StandIn};
use crate::companion::Companion;
use crate::failure::Step;
use crate::forwards;
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags};
use serde::Deserialize;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Namespaces without ids, and what serves the network in there.
pub struct Ahead {
    argv: Vec<String>,
    pub stand_in: StandIn,
    pub companion: Companion,
}

/// What the command line remembers of pasta ($RUNTIME/pasta.json).
#[derive(Deserialize)]
struct Memory {
    usual: Option<Vec<String>>,
}

const LONGEST: u64 = 64 << 10;

impl Ahead {
    /// `words`: `-- PROGRAM run …`. Nothing that fails here is a failure: the command line comes to it again.
    pub fn guess(words: &[OsString]) -> Option<Ahead> {
        if rustix::process::geteuid().is_root() || !is_plain(words) {
            return None;
        }
        let folder = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?).join("rootless");
        let argv = recall(&folder.join("pasta.json"))?;
        Ahead::start(argv).ok()
    }

    fn start(argv: Vec<String>) -> Step<Ahead> {
        let stand_in = begun::stand_alone()?;
        let companion = Companion::start(&argv, stand_in.child.pid, Path::new("/"))?;
        Ok(Ahead { argv, stand_in, companion })
    }

    /// It is what the command line has decided on.
    pub fn split(self) -> (StandIn, Guess) {
        (self.stand_in, Guess { argv: self.argv, companion: self.companion })
    }

    /// After a fork, in the process that does not go on with it. @returns numbers of children that it has to reap
    pub fn leave(self) -> [i32; 2] {
        let numbers = [self.stand_in.child.pid, self.companion.number()];
        self.stand_in.leave();
        self.companion.leave();
        numbers
    }
}

/// What serves, until the command line has said what shall.
pub struct Guess {
    argv: Vec<String>,
    companion: Companion,
}

impl Guess {
    /// None, and it is ended, where something else is wanted.
    pub fn fits(self, argv: &[String]) -> Option<Companion> {
        (self.argv == argv).then_some(self.companion)
    }
}

/// `run` that this process will become, and nothing in it that looks like another network or a port; a word of the program's may look like
/// one, and then nothing is lost.
fn is_plain(words: &[OsString]) -> bool {
    let is_other = |word: &OsString| {
        let word = word.as_encoded_bytes();
        let long = [&b"--net"[..], b"--publish", b"--mac-address", b"--detach=", b"--attach", b"--dry-run", b"--help"];
        let short = word.first() == Some(&b'-') && word.get(1) != Some(&b'-');
        word == b"--detach"
            || long.iter().any(|start| word.starts_with(start))
            || short && word.iter().any(|byte| b"adhpP".contains(byte))
    };
    words.get(2).is_some_and(|verb| verb == "run") && !words[3..].iter().any(is_other)
}

/// A file that only this user can have written.
fn recall(file: &Path) -> Option<Vec<String>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file: OwnedFd = rustix::fs::open(file, flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    let own = stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o022 == 0;
    if !own || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut text = String::new();
    std::fs::File::from(file).take(LONGEST).read_to_string(&mut text).ok()?;
    let argv = serde_json::from_str::<Memory>(&text).ok()?.usual?;
    // A port that somebody else has would make it fail, and one that nobody has would be taken.
    (argv.first().is_some_and(|program| program.starts_with('/')) && !forwards::binds(&argv)).then_some(argv)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(words: &str) -> bool {
        is_plain(&words.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_plain_run_is_one_without_network_and_ports() {
        assert!(plain("-- bin/rootless run --rm -it alpine sh"));
        assert!(plain("-- bin/rootless run --detach-keys ctrl-x --name web nginx"));
        for words in [
            "-- bin/rootless exec web sh",
            "-- bin/rootless run -d nginx",
            "-- bin/rootless run -itd nginx",
            "-- bin/rootless run --detach nginx",
            "-- bin/rootless run --network none alpine",
            "-- bin/rootless run --net=host alpine",
            "-- bin/rootless run -p 80:80 nginx",
            "-- bin/rootless run -dp 80:80 nginx",
            "-- bin/rootless run -P nginx",
            "-- bin/rootless run --publish-all nginx",
            "-- bin/rootless",
            "",
        ] {
            assert!(!plain(words), "{words}");
        }
    }

    #[test]
    fn only_a_file_of_this_users_own_is_believed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("ahead-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (file, link) = (folder.join("pasta.json"), folder.join("link"));
        let write = |text: &str, mode: u32| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let good = r#"{"program":"/usr/bin/pasta","usual":["/usr/bin/pasta","-t","none","-u","none","{pid}"]}"#;
        write(good, 0o600);
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(recall(&file).map(|argv| argv.len()), Some(6));
        assert_eq!(recall(&link), None);
        write(good, 0o620);
        assert_eq!(recall(&file), None);
        for bad in [
            "",
            "{}",
            r#"{"usual":[]}"#,
            r#"{"usual":["pasta","-t","none","-u","none"]}"#,
            r#"{"usual":["/x","-t","80","-u","none"]}"#,
        ] {
            write(bad, 0o600);
            assert_eq!(recall(&file), None, "{bad}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
