//! `help` and `VERB --help`: what there is, in the order and with the headings of runc.

use super::state::print;
use crate::failure::{Failure, Step};

/// The standard's verbs: what each does, its operands, its options.
const VERBS: &[(&str, &str, &str, &str)] = &[
    ("create", "make a container, whose program waits for start", "ID", MAKE),
    ("start", "let the program of a created container go", "ID", ""),
    ("run", "create and start a container, and wait for its end", "ID", "--detach --keep --rm, and those of create"),
    ("state", "print the state of a container, as JSON", "ID", ""),
    ("kill", "send a signal, SIGTERM by default", "ID [SIGNAL]", "--all --regex"),
    ("delete", "forget a container that has ended", "ID", "--force --regex"),
    ("exec", "run one more program in a container", "ID [PROGRAM [ARG…]]", EXEC),
    ("list", "print the containers below --root", "", "--format table|json --quiet"),
    ("ps", "print the processes of a container", "ID [PS-OPTION…]", "--format table|json"),
    ("pause", "hold all processes of a container still", "ID", ""),
    ("resume", "let them go on", "ID", ""),
    ("update", "change the limits of a container", "ID", UPDATE),
    ("events", "print what a container uses, and when it lacks memory", "ID", "--stats --interval TIME"),
    ("spec", "write a config.json to begin with", "", "--bundle DIR --rootless"),
    ("features", "print what this runtime knows, as JSON", "", ""),
    ("checkpoint", "refused: there is none", "ID", ""),
    ("restore", "refused: there is none", "ID", ""),
];

const MAKE: &str = "--bundle DIR --config FILE --pid-file FILE --console-socket SOCKET --pidfd-socket SOCKET \
                    --preserve-fds N --no-pivot --no-new-keyring";
const EXEC: &str = "--process FILE --detach --tty --console-socket SOCKET --pid-file FILE --user UID[:GID] --cwd DIR \
                    --env NAME=VALUE --cap NAME --additional-gids GID --no-new-privs --apparmor PROFILE \
                    --process-label LABEL --preserve-fds N --pidfd-socket SOCKET --cgroup PATH --ignore-paused";
const UPDATE: &str =
    "--resources FILE|- --memory N --memory-swap N --memory-reservation N --cpu-quota N --cpu-period N \
                      --cpu-share N --cpu-burst N --cpu-idle N --cpuset-cpus LIST --cpuset-mems LIST --pids-limit N \
                      --blkio-weight N";

const OTHERS: &str =
    "archive changes export fill flatten front help import layer log mount network pack probe remap remove repack \
                      session unmount unpack unshare validate version";

pub fn of_verb(asked: &str) -> Step<u8> {
    match VERBS.iter().find(|(verb, ..)| *verb == asked) {
        Some((verb, what, operands, options)) => {
            let options = if options.is_empty() { String::new() } else { format!("\nOPTIONS:\n   {options}\n") };
            print(&format!(
                "NAME:\n   rootless-helper {verb} - {what}\n\n\
                 Usage: rootless-helper [OPTION…] {verb} [OPTION…] {operands}\n{options}"
            ))
            .map(|()| 0)
        }
        None if OTHERS.split(' ').any(|verb| verb == asked) => all(),
        None => Err(Failure::because("args", format!("No help topic for '{asked}'"))),
    }
}

pub fn all() -> Step<u8> {
    let verbs: String = VERBS.iter().map(|(verb, what, ..)| format!("   {verb:<10}  {what}\n")).collect();
    print(&format!(
        "NAME:\n   rootless-helper - the OCI runtime behind rootless, version {}\n\n\
         Usage: rootless-helper [OPTION…] VERB [OPTION…] [ID [ARG…]]\n\n\
         OPTIONS:\n   --root DIR --log FILE --log-format text|json --debug --systemd-cgroup --cgroup-manager MANAGER --timing FILE\n\n\
         COMMANDS:\n{verbs}\n\
         For rootless itself (docs/contract.md):\n   {OTHERS}\n",
        env!("CARGO_PKG_VERSION")
    ))
    .map(|()| 0)
}
