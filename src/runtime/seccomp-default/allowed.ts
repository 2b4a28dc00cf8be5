/** System calls that any program may make, by subject. What is missing here is refused: that is the point of the list. */

const words = (text: string): string[] => text.trim().split(/\s+/);

const files = words(`
  access faccessat faccessat2 open openat openat2 creat close close_range name_to_handle_at
  read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek
  stat stat64 fstat fstat64 lstat lstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64 statmount listmount
  getdents getdents64 readlink readlinkat link linkat symlink symlinkat unlink unlinkat rename renameat renameat2
  mkdir mkdirat rmdir mknod mknodat chdir fchdir getcwd umask
  chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 fchownat
  truncate truncate64 ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 arm_fadvise64_64 readahead
  utime utimes utimensat utimensat_time64 futimesat
  dup dup2 dup3 fcntl fcntl64 flock ioctl pipe pipe2 sendfile sendfile64 splice tee vmsplice copy_file_range
  sync syncfs fsync fdatasync sync_file_range sync_file_range2 arm_sync_file_range
  getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr flistxattr listxattrat
  removexattr lremovexattr fremovexattr removexattrat file_getattr file_setattr
  inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
  io_setup io_submit io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64
`);

const memory = words(`
  brk mmap mmap2 munmap mremap mprotect msync madvise mincore mlock mlock2 munlock mlockall munlockall mseal
  memfd_create memfd_secret remap_file_pages membarrier cachestat pkey_alloc pkey_free pkey_mprotect map_shadow_stack
  shmget shmat shmctl shmdt
`);

const processes = words(`
  execve execveat exit exit_group fork vfork wait4 waitid waitpid
  kill tkill tgkill pidfd_open pidfd_send_signal process_mrelease
  getpid getppid gettid getpgid getpgrp setpgid getsid setsid
  getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
  getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32
  setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset prctl seccomp
  landlock_create_ruleset landlock_add_rule landlock_restrict_self
  getrlimit ugetrlimit setrlimit prlimit64 getrusage getpriority setpriority nice ioprio_get ioprio_set
  sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
  sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
  sched_rr_get_interval sched_rr_get_interval_time64
  set_tid_address set_thread_area get_thread_area set_robust_list get_robust_list rseq
  futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue
  getcpu sysinfo uname times restart_syscall
`);

const signals = words(`
  rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_sigtimedwait_time64 sigaction sigprocmask sigpending sigreturn sigsuspend sigaltstack signal
  signalfd signalfd4 pause alarm
`);

const times = words(`
  time gettimeofday nanosleep clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
  clock_nanosleep_time64 clock_adjtime clock_adjtime64 adjtimex getitimer setitimer
  timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
  timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
`);

const communication = words(`
  accept accept4 bind connect listen getpeername getsockname getsockopt setsockopt shutdown socketpair socketcall
  send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
  poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2
  mq_open mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
  msgget msgctl msgrcv msgsnd semget semctl semop semtimedop semtimedop_time64 ipc getrandom
`);

export const allowed: readonly string[] = [...files, ...memory, ...processes, ...signals, ...times, ...communication];
