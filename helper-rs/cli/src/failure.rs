//! The one error type of the helper: which step failed, on what, and the kernel's errno. Returned once, never logged too.

use serde_json::{json, Value};
use std::borrow::Cow;
use std::fmt;

/// Result of a step.
pub type Step<T> = Result<T, Failure>;

/// Facts of a failed step (docs/contract.md, "Events"). Words for people are made from them in TypeScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub step: Cow<'static, str>,
    pub index: Option<usize>,
    pub target: Option<String>,
    /// Raw errno, positive.
    pub errno: Option<i32>,
    pub message: Option<String>,
    /// 125 the helper failed, 126 found but cannot run, 127 not found.
    pub exit: u8,
}

impl Failure {
    pub fn new(step: &'static str) -> Self {
        Failure { step: Cow::Borrowed(step), index: None, target: None, errno: None, message: None, exit: 125 }
    }

    pub fn because(step: &'static str, message: impl Into<String>) -> Self {
        Failure { message: Some(message.into()), ..Failure::new(step) }
    }

    pub fn errno(mut self, errno: impl Into<Errno>) -> Self {
        self.errno = Some(errno.into().0);
        self
    }

    pub fn on(mut self, target: impl fmt::Display) -> Self {
        self.target = Some(target.to_string());
        self
    }

    pub fn at(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }

    pub fn exit(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }

    /// For engines, which find out by words what went wrong: podman and docker read 126 and 127 from them.
    pub fn in_words(&self) -> String {
        let Some(errno) = self.errno else { return self.to_string() };
        let words = match (self.step.as_ref(), self.exit) {
            ("exec", 127) if self.message.is_none() && !self.names_a_path() => {
                "executable file not found in $PATH".to_string()
            }
            ("exec", _) => format!("exec {}: {}", self.target.as_deref().unwrap_or_default(), in_words(errno)),
            ("cwd", _) => format!("chdir: {}", in_words(errno)),
            _ => in_words(errno),
        };
        format!("{self}: {words}")
    }

    /// The line for a terminal where the program cannot be executed: not the runtime's fault, and said as shells and runc say it.
    pub fn of_program(&self) -> Option<String> {
        let target = self.target.as_ref().filter(|_| self.step == "exec" && self.names_a_path())?;
        Some(format!("exec {target}: {}", in_words(self.errno?)))
    }

    fn names_a_path(&self) -> bool {
        self.target.as_ref().is_some_and(|target| target.contains('/'))
    }

    /// For the way from the child to the parent: all fields, the errno as a number.
    pub fn pack(&self) -> String {
        json!([self.step, self.index, self.target, self.errno, self.message, self.exit]).to_string()
    }

    /// The reverse of `pack`.
    pub fn unpack(bytes: &[u8]) -> Failure {
        let value: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
        let text = |at: usize| value[at].as_str().map(str::to_string);
        Failure {
            step: Cow::Owned(text(0).unwrap_or_else(|| "init".to_string())),
            index: value[1].as_u64().and_then(|n| usize::try_from(n).ok()),
            target: text(2),
            errno: value[3].as_i64().and_then(|n| i32::try_from(n).ok()),
            message: text(4),
            exit: value[5].as_u64().and_then(|n| u8::try_from(n).ok()).unwrap_or(125),
        }
    }

    /// The event line, without its newline.
    pub fn to_json(&self) -> String {
        let mut event = json!({ "event": "error", "step": self.step });
        if let Some(index) = self.index {
            event["index"] = json!(index);
        }
        if let Some(target) = &self.target {
            event["target"] = json!(target);
        }
        if let Some(errno) = self.errno {
            event["errno"] = json!(errno_name(errno));
        }
        if let Some(message) = &self.message {
            event["message"] = json!(message);
        }
        event.to_string()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.step)?;
        if let Some(index) = self.index {
            write!(f, " {index}")?;
        }
        if let Some(target) = &self.target {
            write!(f, " {target:?}")?;
        }
        if let Some(errno) = self.errno {
            write!(f, ": {}", errno_name(errno))?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

fn in_words(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_ascii_lowercase()
}

/// An errno from wherever it comes.
pub struct Errno(pub i32);

impl From<i32> for Errno {
    fn from(raw: i32) -> Self {
        Errno(raw)
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        Errno(error.raw_os_error().unwrap_or(0))
    }
}

impl From<rustix::io::Errno> for Errno {
    fn from(error: rustix::io::Errno) -> Self {
        Errno(error.raw_os_error())
    }
}

/// Adds the step, and what it was done to, to a kernel error.
pub trait During<T> {
    fn during(self, step: &'static str, target: impl fmt::Display) -> Step<T>;
}

impl<T, E: Into<Errno>> During<T> for Result<T, E> {
    fn during(self, step: &'static str, target: impl fmt::Display) -> Step<T> {
        self.map_err(|error| Failure::new(step).errno(error).on(target))
    }
}

/// `EPERM` for 1; names as in errno(3), a number for the rare rest.
pub fn errno_name(errno: i32) -> String {
    match NAMES.iter().find(|(number, _)| *number == errno) {
        Some((_, name)) => (*name).to_string(),
        None => format!("errno {errno}"),
    }
}

/// The reverse of `errno_name`.
pub fn errno_number(name: &str) -> Option<i32> {
    let known = NAMES.iter().find(|(_, known)| *known == name).map(|(number, _)| *number);
    known.or_else(|| name.strip_prefix("errno ")?.parse().ok())
}

const NAMES: &[(i32, &str)] = &[
    (1, "EPERM"),
    (2, "ENOENT"),
    (3, "ESRCH"),
    (4, "EINTR"),
    (5, "EIO"),
    (6, "ENXIO"),
    (7, "E2BIG"),
    (8, "ENOEXEC"),
    (9, "EBADF"),
    (10, "ECHILD"),
    (11, "EAGAIN"),
    (12, "ENOMEM"),
    (13, "EACCES"),
    (14, "EFAULT"),
    (15, "ENOTBLK"),
    (16, "EBUSY"),
    (17, "EEXIST"),
    (18, "EXDEV"),
    (19, "ENODEV"),
    (20, "ENOTDIR"),
    (21, "EISDIR"),
    (22, "EINVAL"),
    (23, "ENFILE"),
    (24, "EMFILE"),
    (25, "ENOTTY"),
    (26, "ETXTBSY"),
    (27, "EFBIG"),
    (28, "ENOSPC"),
    (29, "ESPIPE"),
    (30, "EROFS"),
    (31, "EMLINK"),
    (32, "EPIPE"),
    (34, "ERANGE"),
    (36, "ENAMETOOLONG"),
    (38, "ENOSYS"),
    (39, "ENOTEMPTY"),
    (40, "ELOOP"),
    (61, "ENODATA"),
    (75, "EOVERFLOW"),
    (87, "EUSERS"),
    (88, "ENOTSOCK"),
    (95, "EOPNOTSUPP"),
    (99, "EADDRNOTAVAIL"),
    (104, "ECONNRESET"),
    (110, "ETIMEDOUT"),
    (111, "ECONNREFUSED"),
    (116, "ESTALE"),
    (122, "EDQUOT"),
];
