//! set_mempolicy(2), and madvise(2): a process that stays for as long as its container gives back what only the launch needed.

use rustix::event::Timespec;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use std::ops::Range;

/// Unmaps the pages of this program's code; the few that the monitor runs through come back by themselves. Code is never
/// written, so nothing can be lost; what the launch allocated goes back too.
pub fn shrink() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for range in code(&maps).into_iter().chain(unused_stack(&maps)) {
        drop_pages(range);
    }
    trim_heap();
}

/// A process that has waited this long will wait for longer: worth giving memory back for.
const A_WHILE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Of a process that waits for a container's end: it gives memory back once, the first time that nothing happened for a while.
#[derive(Default)]
pub struct Patience {
    shrunk: bool,
}

impl Patience {
    /// How long poll(2) may take; without end when there is nothing left to give back.
    pub fn left(&self) -> Option<&'static Timespec> {
        (!self.shrunk).then_some(&A_WHILE)
    }

    /// After poll(2): the number of descriptors that it found ready.
    pub fn waited(&mut self, ready: usize) {
        if ready == 0 && !std::mem::replace(&mut self.shrunk, true) {
            shrink();
        }
    }
}

/// glibc keeps what was freed; musl gives it back by itself.
fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no preconditions.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Executed files; not the vdso, which has no file.
fn code(maps: &str) -> Vec<Range<usize>> {
    let is_code = |line: &&str| {
        let mut fields = line.split_ascii_whitespace();
        fields.nth(1) == Some("r-xp") && fields.nth(2) != Some("0")
    };
    maps.lines().filter(is_code).filter_map(range).collect()
}

/// The stack that deeper calls have used, and that the next ones will find empty.
fn unused_stack(maps: &str) -> Option<Range<usize>> {
    let here = 0_u8;
    let stack = maps.lines().find(|line| line.ends_with("[stack]")).and_then(range)?;
    // Below what this call itself uses.
    let unused = stack.start..(&raw const here as usize).saturating_sub(1 << 10) & !4095;
    (unused.start < unused.end && unused.end <= stack.end).then_some(unused)
}

/// The stack of callers that are never returned to, without the arguments and the environment at its end, which ps(1) shows.
fn finished_stack(maps: &str) -> Option<Range<usize>> {
    let here = 0_u8;
    let stack = maps.lines().find(|line| line.ends_with("[stack]")).and_then(range)?;
    let shown = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields 48 to 51 are their bounds (proc_pid_stat(5)).
    let arguments: usize = shown[shown.rfind(')')?..].split_ascii_whitespace().nth(46)?.parse().ok()?;
    let finished = ((&raw const here as usize).saturating_add(12 << 10) & !4095)..(arguments & !4095);
    (stack.contains(&finished.start) && finished.start < finished.end && finished.end <= stack.end).then_some(finished)
}

fn range(line: &str) -> Option<Range<usize>> {
    let (from, to) = line.split_ascii_whitespace().next()?.split_once('-')?;
    Some(usize::from_str_radix(from, 16).ok()?..usize::from_str_radix(to, 16).ok()?)
}

fn drop_pages(range: Range<usize>) {
    // SAFETY: the ranges of this module only: clean pages of a private mapping of a file, which are read again when they are
    // needed, and pages of this thread's stack below everything that is in use.
    unsafe { libc::madvise(range.start as *mut libc::c_void, range.end - range.start, libc::MADV_DONTNEED) };
}

/// Memory without a file: what was allocated, wherever the C library has it from, but for the pages around what it keeps for this
/// thread, `errno` among it.
fn allocated(maps: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    // SAFETY: no preconditions.
    let thread = unsafe { libc::__errno_location() } as usize & !4095;
    let is_allocated = |line: &&str| {
        let mut fields = line.split_ascii_whitespace();
        fields.nth(1) == Some("rw-p") && fields.nth(2) == Some("0") && fields.next().is_none_or(|name| name == "[heap]")
    };
    maps.lines().filter(is_allocated).filter_map(range).flat_map(move |range| {
        let (before, after) = (thread.saturating_sub(4096), thread.saturating_add(8192));
        match range.contains(&thread) {
            true => [range.start..before.max(range.start), after.min(range.end)..range.end],
            false => [range, 0..0],
        }
    })
}

/// More ranges than a helper has; what is beyond stays.
const MOST_RANGES: usize = 64;

/// For a fork that has nothing more to do than this: waits until `line` or `container` (a pidfd) ends, then kills the container,
/// and with `cgroup_kill` all that is left in its cgroup. Until then it has no heap, and as good as no stack.
pub fn keep(line: OwnedFd, container: OwnedFd, cgroup_kill: Option<OwnedFd>) -> ! {
    let (line, container) = (std::mem::ManuallyDrop::new(line), std::mem::ManuallyDrop::new(container));
    let cgroup_kill = std::mem::ManuallyDrop::new(cgroup_kill);
    let group = cgroup_kill.as_ref().map_or(-1, AsRawFd::as_raw_fd);
    let maps = std::mem::ManuallyDrop::new(std::fs::read_to_string("/proc/self/maps").unwrap_or_default());
    let own = code(&maps).into_iter().chain(unused_stack(&maps)).chain(finished_stack(&maps));
    let mut ranges = [const { 0..0 }; MOST_RANGES];
    for (place, range) in ranges.iter_mut().zip(own.chain(allocated(&maps))) {
        *place = range;
    }
    let mut fds =
        [line.as_raw_fd(), container.as_raw_fd()].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    let container = container.as_raw_fd();
    // SAFETY: from here on nothing is read from the heap and nothing is allocated: there are only system calls on copies of numbers,
    // and the end. The other ranges are those of `shrink`.
    unsafe {
        for range in &ranges {
            libc::madvise(range.start as *mut libc::c_void, range.end.saturating_sub(range.start), libc::MADV_DONTNEED);
        }
        // All signals but SIGKILL are blocked or ignored: only an end wakes it.
        while libc::poll(fds.as_mut_ptr(), 2, -1) < 0 {}
        if group >= 0 {
            libc::write(group, c"1".as_ptr().cast(), 1);
        }
        libc::syscall(libc::SYS_pidfd_send_signal, container, libc::SIGKILL, std::ptr::null::<u8>(), 0);
        libc::_exit(0)
    }
}

/// From which nodes the memory of this process comes; one bit a node.
pub fn set_policy(mode: u32, nodes: &[u64]) -> Result<(), Errno> {
    // The kernel takes one bit less than it is told.
    let bits = nodes.len() * 64 + 1;
    // SAFETY: the mask has as many bits as are named, but the one that is not read.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode as libc::c_int, nodes.as_ptr(), bits) };
    super::check(result).map(drop)
}
