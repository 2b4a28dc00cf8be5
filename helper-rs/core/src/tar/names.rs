//! Entry names made safe to walk: no empty, `.` or `..` component, never absolute.

/// The name climbs out of the archive's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escape;

/// Cleaned by text alone, as docker and podman do: `/a`, `./a` and `a/b/..//` are `a`; `a/../../b` escapes. The root itself is empty.
pub fn clean(name: &[u8]) -> Result<Vec<u8>, Escape> {
    let mut path = Vec::with_capacity(name.len());
    for component in name.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." if path.is_empty() => return Err(Escape),
            b".." => path.truncate(path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)),
            _ => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(component);
            }
        }
    }
    Ok(path)
}
