//! One folder of the merged view of layers, found without following anything in the kernel: a hostile layer can make
//! its path a link, a file, or hide it.

use super::{join, open_below};
use crate::layers::whiteout::{is_opaque, is_whiteout};
use rustix::fs::{readlinkat, statat, AtFlags, FileType};
use rustix::io::{Errno, Result};
use std::collections::VecDeque;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// As many links as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// A folder of the merged view: its path in the layers, and which of them have it, top first.
type Place = (Vec<u8>, Vec<usize>);

/// The folder at `path` as descriptors of the layers that have it, top first; `None` where the merged view has none.
pub fn locate(layers: &[OwnedFd], path: &Path) -> Result<Option<Vec<OwnedFd>>> {
    let mut walked: Vec<Place> = vec![(Vec::new(), (0..layers.len()).collect())];
    let mut todo: VecDeque<Vec<u8>> = parts(path.as_os_str().as_bytes()).collect();
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        match name.as_slice() {
            b"" | b"." => continue,
            b".." if walked.len() > 1 => drop(walked.pop()),
            b".." => continue,
            _ => match walked.last().map(|here| step(layers, here, &name)).transpose()?.unwrap_or(Step::Nothing) {
                Step::Nothing => return Ok(None),
                Step::Folder(place) => walked.push(place),
                Step::Link(target) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Ok(None);
                    }
                    if target.first() == Some(&b'/') {
                        walked.truncate(1);
                    }
                    for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                        todo.push_front(part);
                    }
                }
            },
        }
    }
    let Some((path, having)) = walked.pop() else { return Ok(None) };
    having.into_iter().map(|layer| open_below(&layers[layer], &path)).collect::<Result<Vec<_>>>().map(Some)
}

enum Step {
    Nothing,
    Folder(Place),
    Link(Vec<u8>),
}

/// One name below a folder of the merged view: what the topmost layer says counts, folders add up.
fn step(layers: &[OwnedFd], (path, having): &Place, name: &[u8]) -> Result<Step> {
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    let child = join(path, &name);
    let mut found = Vec::new();
    for &layer in having {
        let here = open_below(&layers[layer], path)?;
        let stat = match statat(&here, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            other => other?,
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                found.push(layer);
                if is_opaque(open_below(&layers[layer], &child)?)? {
                    break;
                }
            }
            FileType::Symlink if found.is_empty() => {
                return Ok(Step::Link(readlinkat(&here, &name, Vec::new())?.into_bytes()));
            }
            _ if is_whiteout(&stat) || !found.is_empty() => break,
            _ => return Ok(Step::Nothing),
        }
    }
    Ok(if found.is_empty() { Step::Nothing } else { Step::Folder((child, found)) })
}

fn parts(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/').map(<[u8]>::to_vec)
}
