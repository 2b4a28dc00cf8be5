//! madvise(2): a process that stays for as long as its container gives back what only the launch needed.

/// Unmaps the pages of this program's code; the few that the monitor runs through come back by themselves. Code is never
/// written, so nothing can be lost; what the launch allocated goes back too.
pub fn shrink() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for line in maps.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(range), Some("r-xp")) = (fields.next(), fields.next()) else { continue };
        // Not the vdso, which has no file.
        if fields.nth(2) == Some("0") {
            continue;
        }
        let bounds =
            range.split_once('-').map(|(from, to)| (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)));
        if let Some((Ok(from), Ok(to))) = bounds {
            // SAFETY: a private mapping of a file that is executed, hence clean: each page is read again when it is needed.
            unsafe { libc::madvise(from as *mut libc::c_void, to - from, libc::MADV_DONTNEED) };
        }
    }
    // SAFETY: no preconditions.
    unsafe { libc::malloc_trim(0) };
}
