//! Extended attributes of an open file, as the kernel lists them (xattr(7)).

use rustix::fs::{fgetxattr, flistxattr, flistxattr_query};
use rustix::io::{Errno, Result};
use std::os::fd::AsFd;

/// Limits of the kernel: a list of names, and a value.
const MOST: usize = 64 << 10;

pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// Those whose name is `wanted`, sorted by name. A filesystem that has none has an empty list.
pub fn read(fd: impl AsFd, wanted: impl Fn(&[u8]) -> bool) -> Result<Xattrs> {
    let length = match flistxattr_query(&fd) {
        Ok(0) | Err(Errno::OPNOTSUPP | Errno::BADF) => return Ok(Vec::new()),
        result => result?,
    };
    // Others may add some between the two calls.
    let mut names = vec![0; (length + 4096).min(MOST)];
    let length = flistxattr(&fd, names.as_mut_slice())?;
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0) {
        if name.is_empty() || !wanted(name) {
            continue;
        }
        let mut value = vec![0; MOST];
        match fgetxattr(&fd, name, value.as_mut_slice()) {
            Ok(length) => value.truncate(length),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => continue,
            Err(error) => return Err(error),
        }
        value.shrink_to_fit();
        found.push((name.to_vec(), value));
    }
    found.sort();
    Ok(found)
}
