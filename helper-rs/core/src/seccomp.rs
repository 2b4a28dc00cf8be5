//! Compiles `linux.seccomp` into a BPF program.
