//! `USER[:GROUP]` looked up in the container's own /etc/passwd and /etc/group, as `docker run -u` does.

use crate::failure::{Failure, Step};
use crate::inside;
use rustix::fd::OwnedFd;

/// What a process runs as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups; `None` leaves those of the caller, where the kernel does not let them be changed.
    pub groups: Option<Vec<u32>>,
    pub home: Option<String>,
}

/// Files larger than this are not user databases.
const LIMIT: usize = 8 << 20;

/// Reads the databases inside `root` and resolves the wish.
pub fn look_up(root: &OwnedFd, wish: &str) -> Step<Identity> {
    let text = |path| inside::read(root, path, LIMIT).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let passwd = text("/etc/passwd").unwrap_or_default();
    let group = text("/etc/group").unwrap_or_default();
    resolve(wish, &passwd, &group).map_err(|reason| Failure::because("user", reason).on(wish))
}

/// Numbers of groups by their names in the container.
pub fn look_up_groups(root: &OwnedFd, names: &[String]) -> Step<Vec<u32>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let group = inside::read(root, "/etc/group", LIMIT).unwrap_or_default();
    let group = String::from_utf8_lossy(&group);
    let unknown = |name: &String| Failure::because("user", "no such group in the container's /etc/group").on(name);
    names.iter().map(|name| group_id(name, &group).ok_or_else(|| unknown(name))).collect()
}

/// Pure: names first, then numbers; a number needs no entry, a name does.
pub fn resolve(wish: &str, passwd: &str, group: &str) -> Result<Identity, &'static str> {
    let (user, wanted_group) = match wish.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (wish, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let entry = passwd.lines().map(fields).find(|f| f.len() >= 6 && f[0] == user).or_else(|| {
        let id: u32 = user.parse().ok()?;
        passwd.lines().map(fields).find(|f| f.len() >= 6 && f[2].parse() == Ok(id))
    });
    let mut identity = match &entry {
        Some(f) => Identity {
            uid: f[2].parse().map_err(|_| "its /etc/passwd entry has no number")?,
            gid: f[3].parse().map_err(|_| "its /etc/passwd entry has no group number")?,
            groups: Some(Vec::new()),
            home: Some(f[5].to_string()).filter(|home| !home.is_empty()),
        },
        None => Identity {
            uid: user.parse().map_err(|_| "no such user in the container's /etc/passwd")?,
            groups: Some(Vec::new()),
            ..Identity::default()
        },
    };
    if let Some(name) = wanted_group {
        identity.gid = group_id(name, group).ok_or("no such group in the container's /etc/group")?;
    } else if let Some(f) = &entry {
        identity.groups = Some(memberships(f[0], group));
    }
    Ok(identity)
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

/// A group's number by its name, or the number itself.
fn group_id(name: &str, group: &str) -> Option<u32> {
    let named = group.lines().map(fields).find(|f| f.len() >= 3 && f[0] == name).and_then(|f| f[2].parse().ok());
    named.or_else(|| name.parse().ok())
}

fn memberships(user: &str, group: &str) -> Vec<u32> {
    let member = |f: &Vec<&str>| f.len() >= 4 && f[3].split(',').any(|name| name == user);
    group.lines().map(fields).filter(member).filter_map(|f| f[2].parse().ok()).collect()
}

/// As in the host's /etc/passwd; `#1000` for who is not there.
pub fn host_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_string())
    });
    name.unwrap_or_else(|| format!("#{uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/var/www:/bin/false\n1000:x:7:7::/odd:/x\nbroken\n";
    const GROUP: &str = "root:x:0:\nwww:x:33:\nlogs:x:44:web,other\nadm:x:4:other\n";

    #[test]
    fn users_and_groups_are_found_by_name_and_number() {
        type Row = (&'static str, u32, u32, &'static [u32], Option<&'static str>);
        let table: &[Row] = &[
            ("", 0, 0, &[], Some("/root")),
            ("web", 33, 33, &[44], Some("/var/www")),
            ("33", 33, 33, &[44], Some("/var/www")),
            ("web:logs", 33, 44, &[], Some("/var/www")),
            ("web:9", 33, 9, &[], Some("/var/www")),
            ("4242", 4242, 0, &[], None),
            ("4242:4343", 4242, 4343, &[], None),
            // A name made of digits wins over the number, as in docker.
            ("1000", 7, 7, &[], Some("/odd")),
        ];
        for (wish, uid, gid, groups, home) in table {
            let got = resolve(wish, PASSWD, GROUP).unwrap();
            let wanted =
                Identity { uid: *uid, gid: *gid, groups: Some(groups.to_vec()), home: home.map(str::to_string) };
            assert_eq!(got, wanted, "{wish}");
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(resolve("nobody", PASSWD, GROUP).is_err());
        assert!(resolve("web:none", PASSWD, GROUP).is_err());
        assert!(resolve("-1", PASSWD, GROUP).is_err());
        assert!(resolve("4294967296", PASSWD, GROUP).is_err());
    }
}
