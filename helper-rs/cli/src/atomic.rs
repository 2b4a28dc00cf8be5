//! Files that a reader sees whole or not at all.

use rustix::fs::{linkat, open, AtFlags, Mode, OFlags, CWD};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

/// Temp file, then rename. Who is killed in between leaves the temp file: for folders that go as a whole.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let written = std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// For a folder of the caller's: the file has no name before it is whole (open(2), "O_TMPFILE"), so a killed writer leaves nothing.
pub fn write_unnamed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match without_name(path, bytes) {
        Ok(()) => Ok(()),
        // A filesystem that has no files without a name, or no /proc; what else is wrong it says itself.
        Err(_) => write(path, bytes),
    }
}

fn without_name(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let mut file = File::from(open(folder, flags, Mode::from_raw_mode(0o666))?);
    file.write_all(bytes)?;
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = || linkat(CWD, own.as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW);
    match link() {
        // That of an earlier container.
        Err(Errno::EXIST) => {
            std::fs::remove_file(path)?;
            Ok(link()?)
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_replace_what_was_there_and_leave_nothing_beside_it() {
        let folder = std::env::temp_dir().join(format!("atomic-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("pid");
        for (text, write) in [("1", write as fn(&Path, &[u8]) -> io::Result<()>), ("2", write_unnamed), ("3", write)] {
            write(&file, text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        write_unnamed(&file, b"4").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "4");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        assert!(write_unnamed(&folder.join("none/pid"), b"5").is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
