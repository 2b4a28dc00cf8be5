//! User namespaces: writing id maps, and entering a mapped namespace with the process itself.

pub use crate::begun::{begin, resume, Begun};
use crate::failure::{During, Failure, Step};
use crate::sys::process::{self, Forked};
use rootless_core::oci::runtime::IdMapping;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{chownat, AtFlags, Mode, CWD};
use rustix::process::{Gid, Uid};
use serde::Deserialize;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A mapping, and the set-uid programs that write it (`--idmap`, docs/contract.md).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdMap {
    pub uid: Vec<IdMapping>,
    pub gid: Vec<IdMapping>,
    #[serde(default)]
    pub newuidmap: Option<String>,
    #[serde(default)]
    pub newgidmap: Option<String>,
}

impl IdMap {
    pub fn parse(json: &str) -> Step<IdMap> {
        serde_json::from_str(json).map_err(|error| Failure::because("args", format!("--idmap: {error}")))
    }

    /// True if no host's id is in it that the other has not.
    pub fn is_of(&self, other: &IdMap) -> bool {
        let within = |ours: &[IdMapping], theirs: &[IdMapping]| {
            ours.iter().all(|map| {
                let (mut at, end) = (u64::from(map.host_id), u64::from(map.host_id) + u64::from(map.size));
                let end_of = |at: u64| {
                    let holds = |map: &&IdMapping| {
                        (u64::from(map.host_id)..u64::from(map.host_id) + u64::from(map.size)).contains(&at)
                    };
                    theirs.iter().find(holds).map(|map| u64::from(map.host_id) + u64::from(map.size))
                };
                while let (true, Some(next)) = (at < end, end_of(at)) {
                    at = next;
                }
                at >= end
            })
        };
        within(&self.uid, &other.uid) && within(&self.gid, &other.gid)
    }

    /// True if the host's id is inside the mapping.
    pub fn has_host_uid(&self, id: u32) -> bool {
        self.uid.iter().any(|map| id.checked_sub(map.host_id).is_some_and(|offset| offset < map.size))
    }
}

/// For a mapping without the caller's own id (`--userns nomap` and `auto`): the caller as 0, all others one higher. Inside it
/// the caller's files and the container's can both be changed.
fn with_caller(map: &IdMap) -> IdMap {
    let add = |list: &[IdMapping], own: u32| {
        let mut lines = vec![IdMapping { container_id: 0, host_id: own, size: 1 }];
        let mut last = None;
        for map in list {
            let mut line = IdMapping { container_id: map.container_id.saturating_add(1), ..*map };
            // There is no id above 2^32-2: that one goes where there is room.
            if map.container_id.checked_add(map.size) == Some(u32::MAX) {
                line.size -= 1;
                last = Some(map.host_id + line.size);
            }
            lines.extend((line.size > 0).then_some(line));
        }
        if let Some(host_id) = last {
            let free = lines.iter().map(|line| line.container_id + line.size).find(|id| !maps(&lines, *id));
            lines.extend(free.map(|container_id| IdMapping { container_id, host_id, size: 1 }));
        }
        lines
    };
    IdMap {
        uid: add(&map.uid, rustix::process::geteuid().as_raw()),
        gid: add(&map.gid, rustix::process::getegid().as_raw()),
        ..map.clone()
    }
}

/// True if this process can make other namespaces without a user namespace.
pub fn is_privileged() -> bool {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    process::effective_capabilities().is_ok_and(|all| all & CAP_SYS_ADMIN != 0)
}

/// For a bundle that names none: the caller is 0 in there, and the ranges of the caller's follow.
pub fn default_maps() -> (Vec<IdMapping>, Vec<IdMapping>) {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let own = |id: u32| IdMapping { container_id: 0, host_id: id, size: 1 };
    let name = crate::user::host_name(uid);
    let with_ranges = |id: u32, file: &str, program: &str| {
        let mut map = vec![own(id)];
        if find_program(program).is_some() {
            let text = fs::read_to_string(file).unwrap_or_default();
            for (host_id, size) in ranges(&text, &name, uid) {
                let next = map.last().map_or(0, |last| last.container_id + last.size);
                map.push(IdMapping { container_id: next, host_id, size });
            }
        }
        map
    };
    let uids = with_ranges(uid, "/etc/subuid", "newuidmap");
    let gids = with_ranges(gid, "/etc/subgid", "newgidmap");
    (uids, gids)
}

/// First id and size of each range of a user in subuid(5), who is there by name or by number.
fn ranges(text: &str, name: &str, uid: u32) -> Vec<(u32, u32)> {
    let range = |line: &str| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let (first, size) = (fields.next()?.parse().ok()?, fields.next()?.trim().parse().ok()?);
        (owner == name || owner.parse() == Ok(uid)).then_some((first, size))
    };
    text.lines().filter_map(range).filter(|(_, size)| *size > 0).collect()
}

/// True in the namespace of the host's root: all ids mapped to themselves.
pub fn is_initial() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

/// True if the container's root could not even enter a folder of the caller's that others may not.
pub fn is_foreign(map: &IdMap) -> bool {
    !map.has_host_uid(rustix::process::geteuid().as_raw())
}

/// Enters a mapping to work in the caller's folders: where the caller is not mapped, with the caller added.
pub fn enter_with_caller(map: &IdMap, flags: i32) -> Step<()> {
    match is_foreign(map) {
        true => enter(&with_caller(map), flags),
        false => enter(map, flags),
    }
}

/// Makes folders of the caller's belong to the root of a mapping that has no place for the caller; else does nothing.
pub fn give(map: &IdMap, folders: &[&Path]) -> Step<()> {
    if !is_foreign(map) || folders.is_empty() {
        return Ok(());
    }
    in_child(|| {
        enter(&with_caller(map), 0)?;
        for folder in folders {
            let (uid, gid) = (Some(Uid::from_raw(1)), Some(Gid::from_raw(1)));
            chownat(CWD, *folder, uid, gid, AtFlags::SYMLINK_NOFOLLOW).during("map-ids", folder.display())?;
        }
        Ok(())
    })
}

/// Lets others walk through a folder of the caller's; what lies above the store is closed to them all the same.
pub fn let_pass(folder: &Path) -> Step<()> {
    let mode = rustix::fs::stat(folder).during("overlay", folder.display())?.st_mode & 0o7777;
    if mode & 0o011 == 0o011 {
        return Ok(());
    }
    rustix::fs::chmod(folder, Mode::from_raw_mode(mode | 0o011)).during("overlay", folder.display())
}

/// The container's id of a host id.
pub fn to_container(list: &[IdMapping], id: u32) -> Option<u32> {
    list.iter().find_map(|map| Some(map.container_id + id.checked_sub(map.host_id).filter(|at| *at < map.size)?))
}

/// The host's id of a container's id.
pub fn to_host(list: &[IdMapping], id: u32) -> Option<u32> {
    list.iter().find_map(|map| Some(map.host_id + id.checked_sub(map.container_id).filter(|at| *at < map.size)?))
}

/// True if the container's id is inside the mapping.
pub fn maps(list: &[IdMapping], id: u32) -> bool {
    list.iter().any(|map| id.checked_sub(map.container_id).is_some_and(|offset| offset < map.size))
}

/// Writes both maps of a process in a new user namespace (user_namespaces(7)); both set-uid programs run at the same time.
pub fn write_maps(pid: i32, map: &IdMap) -> Step<()> {
    begin_maps(pid, map)?.finish()
}

/// The set-uid programs that are at it.
pub struct Mappers {
    uid: Option<Child>,
    gid: Option<Child>,
}

impl Mappers {
    pub fn finish(self) -> Step<()> {
        finish("newuidmap", self.uid)?;
        finish("newgidmap", self.gid)
    }
}

pub fn begin_maps(pid: i32, map: &IdMap) -> Step<Mappers> {
    let capabilities = process::effective_capabilities().during("map-ids", "capget")?;
    let program = |named: &Option<String>, name: &str, list: &[IdMapping], own: u32, capability: u64| match named {
        Some(program) => Some(program.clone()),
        None if capabilities & capability != 0 || is_own_alone(list, own) => None,
        None => find_program(name),
    };
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let newuidmap = program(&map.newuidmap, "newuidmap", &map.uid, uid, CAP_SETUID);
    let newgidmap = program(&map.newgidmap, "newgidmap", &map.gid, gid, CAP_SETGID);
    let uid = start(pid, "uid", &map.uid, newuidmap.as_deref())?;
    let gid = start(pid, "gid", &map.gid, newgidmap.as_deref())?;
    Ok(Mappers { uid, gid })
}

/// Starts the set-uid program, or writes the map directly and answers `None`.
fn start(pid: i32, kind: &str, list: &[IdMapping], program: Option<&str>) -> Step<Option<Child>> {
    let own = fs::read_to_string(format!("/proc/self/{kind}_map")).unwrap_or_default();
    let list = &split(list, &own);
    if let Some(program) = program {
        let numbers = list.iter().flat_map(|map| [map.container_id, map.host_id, map.size]);
        return Command::new(program)
            .arg(pid.to_string())
            .args(numbers.map(|n| n.to_string()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map(Some)
            .during("map-ids", program);
    }
    let path = format!("/proc/{pid}/{kind}_map");
    let text: String = list.iter().map(|map| format!("{} {} {}\n", map.container_id, map.host_id, map.size)).collect();
    // Without CAP_SETGID over the outer namespace the kernel takes a gid map only after setgroups is given up for good.
    if kind == "gid" && !can_set_groups()? {
        fs::write(format!("/proc/{pid}/setgroups"), "deny").during("map-ids", "setgroups")?;
    }
    fs::write(&path, text).during("map-ids", path)?;
    Ok(None)
}

/// A map in the pieces of the one around it: no line of it may go across the end of a line there (EPERM).
fn split(list: &[IdMapping], around: &str) -> Vec<IdMapping> {
    let outer: Vec<(u64, u64)> = around
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace().map(|word| word.parse::<u64>().ok());
            let (first, _, size) = (words.next()??, words.next()??, words.next()??);
            Some((first, first + size))
        })
        .collect();
    let mut pieces = Vec::with_capacity(list.len());
    for map in list {
        let (mut at, end) = (u64::from(map.host_id), u64::from(map.host_id) + u64::from(map.size));
        while at < end {
            // Ids that do not exist around us stay together: the kernel says so.
            let part = outer
                .iter()
                .find(|(first, last)| (*first..*last).contains(&at))
                .map_or(end, |(_, last)| end.min(*last));
            let offset = (at - u64::from(map.host_id)) as u32;
            pieces.push(IdMapping {
                container_id: map.container_id + offset,
                host_id: at as u32,
                size: (part - at) as u32,
            });
            at = part;
        }
    }
    pieces
}

const CAP_SETGID: u64 = 1 << 6;
const CAP_SETUID: u64 = 1 << 7;

/// The one map that everybody may write without help.
fn is_own_alone(list: &[IdMapping], own: u32) -> bool {
    matches!(list, [one] if one.host_id == own && one.size == 1)
}

/// A bundle of the standard does not name the set-user-id programs that its mapping needs.
fn find_program(name: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/bin:/bin:/usr/local/bin";
    let mut folders = path.split(':').filter(|folder| folder.starts_with('/')).map(|folder| format!("{folder}/{name}"));
    folders.find(|path| Path::new(path).is_file())
}

fn can_set_groups() -> Step<bool> {
    Ok(process::effective_capabilities().during("map-ids", "capget")? & CAP_SETGID != 0)
}

fn finish(name: &str, child: Option<Child>) -> Step<()> {
    let Some(child) = child else { return Ok(()) };
    let output = child.wait_with_output().during("map-ids", name)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let whose = if said.contains("not allowed") { " for this user (/etc/subuid, /etc/subgid)" } else { "" };
    Err(Failure::because("map-ids", format!("{}{whose}", said.trim())).on(name))
}

/// Two descriptors of one namespace.
pub fn is_same(one: &OwnedFd, other: &OwnedFd) -> bool {
    let number = |fd: &OwnedFd| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
    matches!((number(one), number(other)), (Ok(one), Ok(other)) if one == other)
}

/// Makes a user namespace with the mapping and nobody in it, to be joined later.
pub fn prepare(map: &IdMap) -> Step<OwnedFd> {
    begin(map, false)?.finish()
}

/// Moves this single-threaded process into a new user namespace (and others in `flags`) with the mapping, as its root.
///
/// The maps have to be written from outside: a child made before the step stays there and writes them.
pub fn enter(map: &IdMap, flags: i32) -> Step<()> {
    let (ready_read, ready_write) = pipe()?;
    let (done_read, done_write) = pipe()?;
    let me = i32::try_from(std::process::id()).unwrap_or(0);
    match process::fork().during("clone", "id map writer")? {
        Forked::Child => {
            drop((ready_write, done_read));
            let result = match read_byte(&ready_read) {
                Some(_) => write_maps(me, map),
                None => Err(Failure::new("map-ids")),
            };
            let code = match result {
                Ok(()) => 0,
                Err(failure) => {
                    let _ = rustix::io::write(&done_write, failure.pack().as_bytes());
                    1
                }
            };
            process::exit_now(code)
        }
        Forked::Parent(child) => {
            drop((ready_read, done_write));
            let unshared = process::unshare(libc::CLONE_NEWUSER | flags).during("clone", "user namespace");
            if unshared.is_ok() {
                let _ = rustix::io::write(&ready_write, b"u");
            }
            drop(ready_write);
            let ended = process::wait_for(child.pid).during("map-ids", "writer")?;
            unshared?;
            if ended != process::Ended::Code(0) {
                let mut buffer = [0; 4096];
                let got = rustix::io::read(&done_read, &mut buffer).unwrap_or(0);
                return Err(Failure::unpack(&buffer[..got]));
            }
            become_root()
        }
    }
}

/// Our user as the namespace above this one knows it: the one whose session we may be in. In the first namespace that is the same.
pub fn outer_uid() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let extents = map.lines().filter_map(|line| {
        let mut numbers = line.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok());
        Some((numbers.next()?, numbers.next()?, numbers.next()?))
    });
    let outer = extents.filter(|(inside, _, size)| uid >= *inside && uid - inside < *size);
    outer.map(|(inside, outside, _)| outside + (uid - inside)).next().unwrap_or(uid).to_string()
}

/// Takes the ids 0 of the current user namespace; groups are left as they are where the kernel forbids to change them.
///
/// Where the one mapped id is not 0 (EINVAL), there is nothing to become: the first process holds all capabilities as it is.
pub fn become_root() -> Step<()> {
    let _ = rustix::thread::set_thread_groups(&[]);
    become_root_in_groups()
}

/// The same with the supplementary groups of whoever this was.
pub fn become_root_in_groups() -> Step<()> {
    let unmapped_is_fine = |result| if result == Err(rustix::io::Errno::INVAL) { Ok(()) } else { result };
    unmapped_is_fine(rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)).during("user", "gid 0")?;
    unmapped_is_fine(rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)).during("user", "uid 0")
}

/// The user namespace of a process, kept open so that it outlives the process.
pub fn open_namespace(pid: i32, name: &str) -> Step<OwnedFd> {
    use rustix::fs::{open, OFlags};
    let path = format!("/proc/{pid}/ns/{name}");
    open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during("clone", path)
}

/// Runs a function in a forked child inside a user namespace as its root; answers its failure.
pub fn run_inside(userns: &OwnedFd, work: impl FnOnce() -> Step<()>) -> Step<()> {
    in_child(|| {
        process::join(userns.as_fd(), libc::CLONE_NEWUSER).during("clone", "user namespace")?;
        become_root()?;
        work()
    })
}

/// Runs a function in a forked child, which may enter namespaces without taking this process along; answers its failure.
pub fn in_child(work: impl FnOnce() -> Step<()>) -> Step<()> {
    let (read, write) = pipe()?;
    match process::fork().during("clone", "worker")? {
        Forked::Child => {
            drop(read);
            if let Err(failure) = work() {
                let _ = rustix::io::write(&write, failure.pack().as_bytes());
                process::exit_now(1);
            }
            process::exit_now(0)
        }
        Forked::Parent(child) => {
            drop(write);
            let mut buffer = [0; 4096];
            let got = rustix::io::read(&read, &mut buffer).unwrap_or(0);
            match process::wait_for(child.pid).during("wait", "worker")? {
                process::Ended::Code(0) => Ok(()),
                _ => Err(Failure::unpack(&buffer[..got])),
            }
        }
    }
}

fn pipe() -> Step<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).during("clone", "pipe")
}

fn read_byte(fd: &OwnedFd) -> Option<u8> {
    let mut byte = [0];
    match rustix::io::read(fd, &mut byte) {
        Ok(1) => Some(byte[0]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_inside_half_open_ranges() {
        let map = IdMap::parse(
            r#"{"uid":[{"containerID":0,"hostID":1000,"size":1},{"containerID":1,"hostID":100000,"size":65535}],"gid":[]}"#,
        )
        .unwrap();
        assert!(map.has_host_uid(1000) && map.has_host_uid(100_000) && map.has_host_uid(165_534));
        assert!(!map.has_host_uid(0) && !map.has_host_uid(165_535) && !map.has_host_uid(1001));
        assert!(maps(&map.uid, 65_535) && !maps(&map.uid, 65_536));
        assert_eq!((to_container(&map.uid, 1000), to_container(&map.uid, 100_041)), (Some(0), Some(42)));
        assert_eq!(
            (to_host(&map.uid, 0), to_host(&map.uid, 42), to_host(&map.uid, 65_536)),
            (Some(1000), Some(100_041), None)
        );
    }

    #[test]
    fn a_map_is_written_in_the_pieces_of_the_one_around_it() {
        let map = |container_id, host_id, size| IdMapping { container_id, host_id, size };
        let around = "         0       1047          1\n         1    1879648      65536\n";
        assert_eq!(split(&[map(0, 0, 65_537)], around), [map(0, 0, 1), map(1, 1, 65_536)]);
        assert_eq!(split(&[map(5, 1, 10)], around), [map(5, 1, 10)]);
        // What does not exist there is left for the kernel to refuse.
        assert_eq!(split(&[map(0, 65_000, 1000)], around), [map(0, 65_000, 537), map(537, 65_537, 463)]);
        let whole = "         0          0 4294967295\n";
        assert_eq!(
            split(&[map(0, 1000, 1), map(1, 100_000, 65_536)], whole),
            [map(0, 1000, 1), map(1, 100_000, 65_536)]
        );
        assert_eq!(split(&[map(0, 4_294_967_290, 5)], "garbage"), [map(0, 4_294_967_290, 5)]);
    }

    #[test]
    fn a_map_is_of_another_if_all_its_host_ids_are() {
        let of = |uid: &str| IdMap::parse(&format!(r#"{{"uid":[{uid}],"gid":[]}}"#)).unwrap();
        let line = |id: u32, host: u32, size: u32| format!(r#"{{"containerID":{id},"hostID":{host},"size":{size}}}"#);
        let plain = of(&format!("{},{}", line(0, 1000, 1), line(1, 100_000, 65536)));
        let sparse = of(&format!("{},{},{}", line(0, 1000, 1), line(1, 100_000, 65535), line(1 << 31, 165_535, 1)));
        assert!(sparse.is_of(&plain) && plain.is_of(&plain) && of("").is_of(&plain));
        assert!(plain.is_of(&sparse), "in two pieces");
        assert!(!plain.is_of(&of(&line(0, 100_000, 65536))));
        assert!(!of(&line(0, 165_530, 7)).is_of(&plain));
        assert!(of(&line(0, 165_530, 6)).is_of(&plain));
    }

    #[test]
    fn beside_the_caller_there_is_room_for_the_highest_id() {
        let text = r#"{"uid":[{"containerID":0,"hostID":100000,"size":10},{"containerID":4294967293,"hostID":100010,"size":2}],"gid":[]}"#;
        let uid = with_caller(&IdMap::parse(text).unwrap()).uid;
        let lines: Vec<_> = uid.iter().map(|line| (line.container_id, line.host_id, line.size)).collect();
        assert_eq!(lines[1..], [(1, 100_000, 10), (4_294_967_294, 100_010, 1), (11, 100_011, 1)]);
    }

    #[test]
    fn ranges_are_those_of_a_name_or_a_number() {
        let text = "ana:100000:65536\nbob:1:2\n1000:500000:10\nana:x:3\nana:7:0\n";
        assert_eq!(ranges(text, "ana", 1000), [(100_000, 65_536), (500_000, 10)]);
        assert_eq!(ranges(text, "eve", 5), []);
    }

    #[test]
    fn an_unknown_field_of_a_mapping_is_refused() {
        assert!(IdMap::parse(r#"{"uid":[],"gid":[],"newidmap":"/x"}"#).is_err());
    }
}
