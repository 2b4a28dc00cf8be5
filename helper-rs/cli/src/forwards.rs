//! Ports that slirp4netns publishes: each is asked of its socket once it serves (slirp4netns(1), "API SOCKET"). Nobody else is to ask, so
//! the socket is in a folder of this process alone, and gone when all ports are there.

use crate::failure::{During, Failure, Step};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use serde_json::{json, Value};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder's descriptor in the companion: a path by it is short, however deep the folder is.
pub const FOLDER_FD: i32 = 4;
/// Words after this one are no arguments: each is what `add_hostfwd` is to do, as JSON.
const MARK: &str = "{forwards}";
const NAME: &str = "api";
/// It answers at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be asked, and where. The folder goes with it.
pub struct Forwards {
    folder: PathBuf,
    wishes: Vec<Value>,
}

impl Drop for Forwards {
    fn drop(&mut self) {
        self.close();
    }
}

/// The companion's own arguments, and the ports that it is asked for.
pub fn split<'a>(argv: &'a [String], root: &Path) -> Step<(&'a [String], Option<Forwards>)> {
    let Some(at) = argv.iter().position(|word| word == MARK) else { return Ok((argv, None)) };
    let parse = |word: &String| {
        serde_json::from_str(word).map_err(|error| Failure::because("companion", error.to_string()).on(word))
    };
    let wishes = argv[at + 1..].iter().map(parse).collect::<Step<Vec<Value>>>()?;
    let folder = root.join(format!("slirp-{}", std::process::id()));
    // Of a process that was killed and had this number.
    let _ = fs::remove_dir_all(&folder);
    fs::DirBuilder::new().mode(0o700).create(&folder).during("companion", folder.display())?;
    Ok((&argv[..at], Some(Forwards { folder, wishes })))
}

/// False for pasta where it is told to listen on no port of the host, and for slirp4netns, which listens where it is asked to.
pub fn binds(argv: &[String]) -> bool {
    let none = |flag: &str| argv.windows(2).any(|pair| pair[0] == flag && pair[1] == "none");
    let slirp = argv.iter().any(|word| word.starts_with("--userns-path="));
    !(slirp || none("-t") && none("-u"))
}

impl Forwards {
    pub fn folder(&self) -> Step<OwnedFd> {
        rustix::fs::open(&self.folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .during("companion", self.folder.display())
    }

    /// All of them, or the reason of the first that cannot be had.
    pub fn ask(&self) -> Step<()> {
        let folder = self.folder()?;
        let socket = format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd());
        let asked = self.wishes.iter().try_for_each(|wish| {
            let answer = exchange(&socket, wish).during("companion", "slirp4netns")?;
            match answer["return"].is_object() {
                true => Ok(()),
                false => Err(Failure::because("companion", refusal(wish, &answer)).on("slirp4netns")),
            }
        });
        self.close();
        asked
    }

    fn close(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn exchange(socket: &str, wish: &Value) -> std::io::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(json!({ "execute": "add_hostfwd", "arguments": wish }).to_string().as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.take(64 << 10).read_to_string(&mut answer)?;
    Ok(serde_json::from_str(&answer).unwrap_or(Value::Null))
}

fn refusal(wish: &Value, answer: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let [address, port, protocol] = ["host_addr", "host_port", "proto"].map(|name| text(&wish[name]));
    let why = answer["error"]["desc"].as_str().unwrap_or("no answer");
    format!("{address}:{port}/{protocol}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_string).collect()
    }

    #[test]
    fn only_a_companion_that_listens_on_no_port_of_the_host_may_take_its_time_to_end() {
        assert!(!binds(&words("pasta --quiet -t none -u none -T none 7")));
        assert!(binds(&words("pasta -t 8080:80 -u none 7")));
        assert!(binds(&words("pasta -t none -u 127.0.0.1/53:53 7")));
        assert!(binds(&words("pasta --tcp-ports auto -u none 7")));
        assert!(!binds(&words("slirp4netns --userns-path=/proc/7/ns/user 7 tap0")));
    }

    #[test]
    fn words_after_the_mark_are_ports_and_the_folder_goes_with_them() {
        let root = std::env::temp_dir();
        let argv = words(
            r#"slirp4netns 7 tap0 {forwards} {"proto":"tcp","host_addr":"0.0.0.0","host_port":8080,"guest_port":80}"#,
        );
        let (own, forwards) = split(&argv, &root).unwrap();
        assert_eq!(own, &argv[..3]);
        let forwards = forwards.unwrap();
        let folder = forwards.folder.clone();
        assert!(folder.is_dir());
        assert_eq!(forwards.wishes[0]["host_port"], 8080);
        assert!(forwards.ask().is_err(), "nobody listens there");
        drop(forwards);
        assert!(!folder.exists());
        assert!(split(&words("slirp4netns 7 tap0 {forwards} {"), &root).is_err());
    }

    #[test]
    fn a_refusal_names_the_port() {
        let wish = json!({ "proto": "udp", "host_addr": "127.0.0.1", "host_port": 53 });
        let answer = json!({ "error": { "desc": "slirp_add_hostfwd failed" } });
        assert_eq!(refusal(&wish, &answer), "127.0.0.1:53/udp: slirp_add_hostfwd failed");
        assert_eq!(refusal(&wish, &Value::Null), "127.0.0.1:53/udp: no answer");
    }
}
