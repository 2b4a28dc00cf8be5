//! Layers written byte by byte, good and hostile, unpacked as whoever runs the tests: an ordinary user or root.

#[path = "../../../../core/src/tar/tests/archive.rs"]
mod archive;
mod attributes;
mod checked;
mod fuzz;
mod hostile;
mod located;
mod merged;
mod packed;
mod removed;
mod replaced;
mod tarred;
mod whiteouts;

use super::remove::remove_tree;
use super::unpack::{unpack, Options, Summary};
use crate::failure::{Failure, Step};
use archive::Archive;
use rustix::fs::{fgetxattr, lstat, open, Mode, OFlags, Stat};
use rustix::process::{getegid, geteuid, umask};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;

/// A temporary folder; `outside` has a file that nothing may reach, `root` is unpacked into.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Tree {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static UMASK: Once = Once::new();
        // unpack sets the process's umask and puts the old one back: with one value for all, tests can run side by side.
        UMASK.call_once(|| {
            umask(Mode::empty());
        });
        let name = format!("layers-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let tree = Tree(std::env::temp_dir().join(name));
        std::fs::create_dir_all(tree.0.join("outside")).unwrap();
        std::fs::create_dir(tree.root()).unwrap();
        std::fs::write(tree.secret(), "secret").unwrap();
        tree
    }

    fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    fn secret(&self) -> PathBuf {
        self.0.join("outside/secret")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap()
    }

    fn stat(&self, path: &str) -> Stat {
        lstat(self.at(path)).unwrap()
    }

    fn exists(&self, path: &str) -> bool {
        lstat(self.at(path)).is_ok()
    }

    fn unpack(&self, layer: Vec<u8>) -> Summary {
        self.unpack_with(layer, &Options::default()).unwrap()
    }

    fn unpack_with(&self, layer: Vec<u8>, options: &Options) -> Step<Summary> {
        unpack(std::io::Cursor::new(layer), folder(&self.root()), options)
    }

    /// The failure of unpacking; whatever it was, nothing outside was touched.
    fn refused(&self, layer: Vec<u8>) -> Failure {
        let failure = self.unpack_with(layer, &Options::default()).expect_err("must be refused");
        assert_eq!(failure.step, "unpack");
        self.assert_untouched();
        failure
    }

    fn assert_untouched(&self) {
        assert_eq!(std::fs::read_to_string(self.secret()).unwrap(), "secret");
        assert_eq!(lstat(self.secret()).unwrap().st_nlink, 1, "a hard link to the outside");
        assert_eq!(std::fs::read_dir(self.0.join("outside")).unwrap().count(), 1, "a file outside");
        assert_eq!(std::fs::read_dir(&self.0).unwrap().count(), 2, "a file beside the root");
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        remove_tree(&self.0).unwrap();
    }
}

/// An archive whose entries belong to whoever runs the test.
fn layer() -> Archive {
    Archive::owned_by(geteuid().as_raw(), getegid().as_raw())
}

fn folder(path: &Path) -> OwnedFd {
    open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let fd = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut value = vec![0; 256];
    let length = fgetxattr(fd, name, value.as_mut_slice()).ok()?;
    value.truncate(length);
    Some(value)
}
