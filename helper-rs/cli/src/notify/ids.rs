//! Who a process takes itself for, where only one id exists: what it sets with setuid(2) and its like is what it is told afterwards.
//!
//! Real ids go to children and stay through execve(2); so must these. The kernel keeps a number for us that does both: the soft limit on
//! file locks, which nothing has enforced since Linux 2.4. It is the index of a set of ids in the book of the process that answers.

use super::asker::Asker;
use super::owner::wide;
use crate::sys::process::{lock_limit, set_lock_limit};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgroups, Gid};

pub const CALLS: &[&str] = &[
    "getuid",
    "getuid32",
    "geteuid",
    "geteuid32",
    "getgid",
    "getgid32",
    "getegid",
    "getegid32",
    "getresuid",
    "getresuid32",
    "getresgid",
    "getresgid32",
    "getgroups",
    "getgroups32",
    "setuid",
    "setuid32",
    "setgid",
    "setgid32",
    "setreuid",
    "setreuid32",
    "setregid",
    "setregid32",
    "setresuid",
    "setresuid32",
    "setresgid",
    "setresgid32",
    "setgroups",
    "setgroups32",
    "prctl",
];

/// High bits by which a limit of ours is told from one that somebody set.
const MARK: u64 = 0x726f_6f74 << 32;
/// More sets than this are not kept: what has a number of its own for each of its processes is no installer.
const MOST_SETS: usize = 4096;
const MOST_GROUPS: usize = 65_536;
/// Groups that are kept, over all sets.
const MOST_KEPT: usize = 1 << 20;
const UNCHANGED: u32 = u32::MAX;

/// Real, effective and saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Three {
    real: u32,
    effective: u32,
    saved: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Ids {
    uid: Three,
    gid: Three,
    groups: Vec<u32>,
    /// The program that asked to keep its capabilities when it stops being root (PR_SET_KEEPCAPS); its next one does not keep them.
    keeps: Option<Image>,
    /// The program that has stopped being root and kept them.
    capable: Option<Image>,
}

/// Where the stack of a program begins: chosen anew by execve(2), and handed on by fork(2).
type Image = u64;

/// The sets of ids that processes have taken.
pub struct Book {
    own: Ids,
    sets: Vec<Ids>,
}

/// What becomes of a call.
pub enum Answer {
    /// It is made: the process is who the kernel says it is.
    Proceed,
    Value(i64),
}

impl Book {
    /// For the namespace that this process is in.
    pub fn new() -> Book {
        let all = |id| Three { real: id, effective: id, saved: id };
        let groups = getgroups().unwrap_or_default().into_iter().map(Gid::as_raw).collect();
        let own =
            Ids { uid: all(geteuid().as_raw()), gid: all(getegid().as_raw()), groups, keeps: None, capable: None };
        Book { own, sets: Vec::new() }
    }

    /// Effective user and group of a process, as it believes.
    pub fn effective(&self, pid: u32) -> (u32, u32) {
        let ids = self.taken(pid).unwrap_or(&self.own);
        (ids.uid.effective, ids.gid.effective)
    }

    pub fn answer(&mut self, asker: &Asker<'_>, call: &str, size: usize) -> Result<Answer, Errno> {
        let name = call.trim_end_matches("32");
        if name == "prctl" {
            return self.keep(asker).map(|()| Answer::Proceed);
        }
        match name.strip_prefix("get") {
            Some(what) => self.tell(asker, what, size),
            None => self.take(asker, name, size).map(|()| Answer::Value(0)),
        }
    }

    fn taken(&self, pid: u32) -> Option<&Ids> {
        let mark = lock_limit(pid).ok().filter(|limit| limit & 0xffff_ffff_0000_0000 == MARK)?;
        self.sets.get((mark & 0xffff_ffff) as usize)
    }

    fn tell(&self, asker: &Asker<'_>, what: &str, size: usize) -> Result<Answer, Errno> {
        let Some(ids) = self.taken(asker.asked.pid) else { return Ok(Answer::Proceed) };
        asker.still_waits()?;
        let a = asker.asked.args;
        // What has no number in two bytes is the overflow id there.
        let fit = |id: u32| if size == 2 && id > 0xffff { 65_534 } else { id };
        let three = |three: Three| {
            for (address, id) in a.iter().zip([three.real, three.effective, three.saved]) {
                asker.write_ids(*address, &[fit(id)], size)?;
            }
            Ok(0)
        };
        let value = match what {
            "uid" => i64::from(fit(ids.uid.real)),
            "euid" => i64::from(fit(ids.uid.effective)),
            "gid" => i64::from(fit(ids.gid.real)),
            "egid" => i64::from(fit(ids.gid.effective)),
            "resuid" => three(ids.uid)?,
            "resgid" => three(ids.gid)?,
            _ => {
                let room = a[0] as i32;
                let count = i32::try_from(ids.groups.len()).map_err(|_| Errno::INVAL)?;
                if room < 0 || (room > 0 && room < count) {
                    return Err(Errno::INVAL);
                }
                if room > 0 {
                    let groups: Vec<u32> = ids.groups.iter().map(|id| fit(*id)).collect();
                    asker.write_ids(a[1], &groups, size)?;
                }
                i64::from(count)
            }
        };
        Ok(Answer::Value(value))
    }

    fn take(&mut self, asker: &Asker<'_>, name: &str, size: usize) -> Result<(), Errno> {
        let before = self.taken(asker.asked.pid).unwrap_or(&self.own).clone();
        let a = asker.asked.args;
        let id = |at: usize| wide(a.get(at).copied().unwrap_or(0), size);
        let image = asker.stack();
        let root = before.uid.effective == 0 || (before.capable.is_some() && before.capable == image);
        let mut after = match name {
            "setuid" => Ids { uid: before.uid.one(id(0), root)?, ..before.clone() },
            "setgid" => Ids { gid: before.gid.one(id(0), root)?, ..before.clone() },
            "setreuid" => Ids { uid: before.uid.two(id(0), id(1), root)?, ..before.clone() },
            "setregid" => Ids { gid: before.gid.two(id(0), id(1), root)?, ..before.clone() },
            "setresuid" => Ids { uid: before.uid.three(id(0), id(1), id(2), root)?, ..before.clone() },
            "setresgid" => Ids { gid: before.gid.three(id(0), id(1), id(2), root)?, ..before.clone() },
            _ if !root => return Err(Errno::PERM),
            _ => {
                let count = usize::try_from(a[0] as i32).ok().filter(|count| *count <= MOST_GROUPS);
                let groups = asker.read_ids(a[1], count.ok_or(Errno::INVAL)?, size)?;
                Ids { groups, ..before.clone() }
            }
        };
        if before.uid.has(0) && !after.uid.has(0) {
            after.capable = before.keeps.filter(|keeps| Some(*keeps) == image);
        }
        self.write(asker, &before, after)
    }

    /// PR_SET_KEEPCAPS, or the same as a bit of PR_SET_SECUREBITS: the kernel does it too, so that it is there to be asked for.
    fn keep(&mut self, asker: &Asker<'_>) -> Result<(), Errno> {
        const SECUREBITS: u64 = 28;
        const KEEP_CAPS_OR_NO_FIXUP: u64 = 1 << 4 | 1 << 2;
        let [option, value, ..] = asker.asked.args;
        let on = if option == SECUREBITS { value & KEEP_CAPS_OR_NO_FIXUP != 0 } else { value == 1 };
        let before = self.taken(asker.asked.pid).unwrap_or(&self.own).clone();
        let after = Ids { keeps: asker.stack().filter(|_| on), ..before.clone() };
        self.write(asker, &before, after)
    }

    fn write(&mut self, asker: &Asker<'_>, before: &Ids, after: Ids) -> Result<(), Errno> {
        asker.still_waits()?;
        if after != *before {
            if let Some(index) = self.index(after) {
                set_lock_limit(asker.asked.pid, MARK | index as u64)?;
            }
        }
        Ok(())
    }

    fn index(&mut self, ids: Ids) -> Option<usize> {
        if let Some(at) = self.sets.iter().position(|set| *set == ids) {
            return Some(at);
        }
        let kept: usize = self.sets.iter().map(|set| set.groups.len()).sum();
        if self.sets.len() >= MOST_SETS || kept + ids.groups.len() > MOST_KEPT {
            return None;
        }
        self.sets.push(ids);
        Some(self.sets.len() - 1)
    }
}

/// The rules of setuid(2), setreuid(2) and setresuid(2); groups have the same.
impl Three {
    fn has(self, id: u32) -> bool {
        [self.real, self.effective, self.saved].contains(&id)
    }

    fn one(self, id: u32, root: bool) -> Result<Three, Errno> {
        match id {
            UNCHANGED => Err(Errno::INVAL),
            _ if root => Ok(Three { real: id, effective: id, saved: id }),
            _ if id == self.real || id == self.saved => Ok(Three { effective: id, ..self }),
            _ => Err(Errno::PERM),
        }
    }

    fn two(self, real: u32, effective: u32, root: bool) -> Result<Three, Errno> {
        let new = Three { real: keep(real, self.real), effective: keep(effective, self.effective), ..self };
        if !root && ((new.real != self.real && new.real != self.effective) || !self.has(new.effective)) {
            return Err(Errno::PERM);
        }
        let saves = real != UNCHANGED || (effective != UNCHANGED && effective != self.real);
        Ok(Three { saved: if saves { new.effective } else { self.saved }, ..new })
    }

    fn three(self, real: u32, effective: u32, saved: u32, root: bool) -> Result<Three, Errno> {
        let new = Three {
            real: keep(real, self.real),
            effective: keep(effective, self.effective),
            saved: keep(saved, self.saved),
        };
        match root || [new.real, new.effective, new.saved].into_iter().all(|id| self.has(id)) {
            true => Ok(new),
            false => Err(Errno::PERM),
        }
    }
}

fn keep(id: u32, old: u32) -> u32 {
    if id == UNCHANGED {
        old
    } else {
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ids(real: u32, effective: u32, saved: u32) -> Three {
        Three { real, effective, saved }
    }

    #[test]
    fn root_becomes_whom_it_likes_and_cannot_come_back() {
        let gone = ids(0, 0, 0).one(7, true).unwrap();
        assert_eq!(gone, ids(7, 7, 7));
        assert_eq!(gone.one(0, false), Err(Errno::PERM));
        assert_eq!(gone.one(UNCHANGED, false), Err(Errno::INVAL));
        assert_eq!(ids(0, 0, 0).one(UNCHANGED, true), Err(Errno::INVAL));
    }

    #[test]
    fn a_saved_id_is_a_way_back() {
        let away = ids(0, 0, 0).three(UNCHANGED, 7, UNCHANGED, true).unwrap();
        assert_eq!(away, ids(0, 7, 0));
        assert_eq!(away.one(0, false), Ok(ids(0, 0, 0)));
        assert_eq!(away.three(8, UNCHANGED, UNCHANGED, false), Err(Errno::PERM));
        assert_eq!(away.three(7, 7, 7, false), Ok(ids(7, 7, 7)));
    }

    #[test]
    fn two_ids_at_once_save_the_effective_one() {
        assert_eq!(ids(0, 0, 0).two(UNCHANGED, 7, true), Ok(ids(0, 7, 7)));
        assert_eq!(ids(0, 7, 0).two(7, 0, false), Ok(ids(7, 0, 0)));
        assert_eq!(ids(5, 7, 7).two(UNCHANGED, 5, false), Ok(ids(5, 5, 7)));
        assert_eq!(ids(5, 7, 7).two(9, UNCHANGED, false), Err(Errno::PERM));
    }

    #[test]
    fn the_book_has_each_set_once_and_not_without_end() {
        let mut book = Book::new();
        let set =
            |id: u32| Ids { uid: ids(id, id, id), gid: ids(0, 0, 0), groups: vec![id], keeps: None, capable: None };
        assert_eq!(book.index(set(1)), Some(0));
        assert_eq!(book.index(set(2)), Some(1));
        assert_eq!(book.index(set(1)), Some(0));
        for id in 3..=MOST_SETS as u32 {
            assert!(book.index(set(id)).is_some());
        }
        assert_eq!(book.index(set(1 << 20)), None);
        assert_eq!(book.index(set(2)), Some(1));
    }
}
