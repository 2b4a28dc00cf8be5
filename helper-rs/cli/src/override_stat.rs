//! `user.containers.override_stat`: where containers-storage and fuse-overlayfs keep owner, mode and type that an inode cannot
//! have. `UID:GID:MODE[:TYPE]`, the mode octal with at least four digits.

use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{getxattr, setxattr, XattrFlags};
use rustix::io::Errno;

pub const NAME: &str = "user.containers.override_stat";

/// What the attribute holds; `kind` is `dir`, `file`, `char-MAJOR-MINOR` or `block-MAJOR-MINOR`.
pub fn value(uid: u32, gid: u32, mode: u32, kind: Option<&str>) -> String {
    match kind {
        Some(kind) => format!("{uid}:{gid}:{mode:04o}:{kind}"),
        None => format!("{uid}:{gid}:{mode:04o}"),
    }
}

/// The attribute's value, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    pub uid: u32,
    pub gid: u32,
    /// `c` or `b`, major and minor, if it stands for a device.
    pub device: Option<(char, u32, u32)>,
}

impl Recorded {
    pub fn parse(value: &[u8]) -> Option<Recorded> {
        let (uid, gid, rest) = parse(std::str::from_utf8(value).ok()?)?;
        Some(Recorded { uid, gid, device: rest.split_once(':').and_then(|(_, kind)| device(kind)) })
    }
}

fn device(kind: &str) -> Option<(char, u32, u32)> {
    let mut fields = kind.splitn(3, '-');
    let letter = match fields.next()? {
        "char" => 'c',
        "block" => 'b',
        _ => return None,
    };
    Some((letter, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Extended attributes are not reached through O_PATH, but by the descriptor's name.
fn by_name(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// The recorded owner.
pub fn read(file: &OwnedFd) -> Option<(u32, u32)> {
    let mut buffer = [0; 128];
    let got = getxattr(by_name(file), NAME, &mut buffer).ok()?;
    parse(std::str::from_utf8(&buffer[..got]).ok()?).map(|(uid, gid, _)| (uid, gid))
}

fn parse(text: &str) -> Option<(u32, u32, &str)> {
    let mut fields = text.splitn(3, ':');
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?, fields.next()?))
}

/// Records an owner; a recorded type is kept.
pub fn write(file: &OwnedFd, uid: u32, gid: u32, mode: u32) -> Result<(), Errno> {
    let mut buffer = [0; 128];
    let before = getxattr(by_name(file), NAME, &mut buffer).unwrap_or(0);
    let before = std::str::from_utf8(&buffer[..before]).unwrap_or("");
    let kind = parse(before).and_then(|(_, _, rest)| rest.split_once(':')).map(|(_, kind)| kind);
    setxattr(by_name(file), NAME, value(uid, gid, mode, kind).as_bytes(), XattrFlags::empty())
}

/// Records what a file stands for.
pub fn mark(file: &OwnedFd, (uid, gid): (u32, u32), mode: u32, kind: &str) -> Result<(), Errno> {
    setxattr(by_name(file), NAME, value(uid, gid, mode, Some(kind)).as_bytes(), XattrFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_read_with_and_without_a_type() {
        assert_eq!(parse("1:2:0755"), Some((1, 2, "0755")));
        assert_eq!(parse("1:2:0755:char-1-3"), Some((1, 2, "0755:char-1-3")));
        assert_eq!(parse("1:x:0755"), None);
        assert_eq!(parse(""), None);
        let recorded = |device| Some(Recorded { uid: 1, gid: 2, device });
        assert_eq!(Recorded::parse(b"1:2:0755:char-1-3"), recorded(Some(('c', 1, 3))));
        assert_eq!(Recorded::parse(b"1:2:0755:block-8-0"), recorded(Some(('b', 8, 0))));
        assert_eq!(Recorded::parse(b"1:2:0755:dir"), recorded(None));
        assert_eq!(Recorded::parse(b"\xff"), None);
        assert_eq!(value(1, 2, 0o755, Some("char-1-3")), "1:2:0755:char-1-3");
        assert_eq!(value(1, 2, 0o4, None), "1:2:0004");
    }
}
