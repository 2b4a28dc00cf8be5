//! config.md: version, root, names of the host, annotations; and bytes that no system call can take.

use super::has_namespace;
use crate::validate::grammar::{is_semver, is_timestamp};
use crate::validate::image::config::is_signal;
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};

pub static RULES: &[Rule] = &[
    error(
        "version-semver",
        "config.md#specification-version",
        "`ociVersion` is a version in SemVer 2.0.0 form",
        |root, found| {
            found.unless(root.get("ociVersion"), is_semver, |text| format!("{text:?} is no SemVer 2.0.0 version"));
        },
    ),
    error(
        "version-supported",
        "config.md#specification-version",
        "`ociVersion` is of major version 1, or a draft of it",
        |root, found| {
            let one = |text: &str| !is_semver(text) || text.starts_with("1.") || text.starts_with("0.");
            found.unless(root.get("ociVersion"), one, |text| {
                format!("version {text} is not compatible with 1.x runtimes")
            });
        },
    ),
    warning(
        "version-draft",
        "config.md#specification-version",
        "`ociVersion` is no draft before 1.0",
        |root, found| {
            let draft = |text: &str| is_semver(text) && text.starts_with("0.");
            found.unless(
                root.get("ociVersion"),
                |text| !draft(text),
                |text| format!("version {text} is a draft: what it says is read as of version 1"),
            );
        },
    ),
    error("root-required", "config.md#root", "`root` is there", |root, found| {
        if root.get("root").is_none() {
            found.at("$.root", "\"root\" is required on Linux");
        }
    }),
    error("root-path", "config.md#root", "`root.path` is not empty", |root, found| {
        found.unless(root.find(&["root", "path"]), |text| !text.is_empty(), |_| "the path is empty".to_string());
    }),
    warning("root-name", "config.md#root", "`root.path` is the conventional `rootfs`", |root, found| {
        found.unless(
            root.find(&["root", "path"]),
            |text| text.is_empty() || text == "rootfs",
            |text| format!("{text:?} is not the conventional \"rootfs\""),
        );
    }),
    warning(
        "hostname-namespace",
        "config.md#hostname",
        "a container that sets its hostname has a uts namespace of its own",
        hostname_namespace,
    ),
    error(
        "hostname-length",
        "config.md#hostname",
        "`hostname` and `domainname` have at most 64 bytes (sethostname(2))",
        |root, found| {
            for name in ["hostname", "domainname"] {
                found.unless(
                    root.get(name),
                    |text| text.len() <= 64,
                    |text| format!("{} bytes are too long", text.len()),
                );
            }
        },
    ),
    error("annotation-key", "config.md#annotations", "no annotation has an empty key", |root, found| {
        if root.members(&["annotations"]).iter().any(|(name, _)| name.is_empty()) {
            found.at("$.annotations", "the empty key is not allowed");
        }
    }),
    warning("annotation-domain", "config.md#annotations", "keys are in reverse domain notation", |root, found| {
        for (name, node) in root.members(&["annotations"]) {
            if !name.is_empty() && !name.trim_matches('.').contains('.') {
                found.at(node.path, format!("{name:?} is no name such as com.example.key"));
            }
        }
    }),
    warning(
        "annotation-reserved",
        "config.md#annotations",
        "keys below `org.opencontainers` are those that the specification defines",
        annotation_reserved,
    ),
    error(
        "annotation-image",
        "config.md#annotations",
        "what annotations say of the image has the form that the image-spec gives it",
        |root, found| {
            let named = |name: &str| root.find(&["annotations", name]);
            found.unless(named("org.opencontainers.image.created"), is_timestamp, |text| {
                format!("{text:?} is no date of RFC 3339")
            });
            found.unless(
                named("org.opencontainers.image.stopSignal"),
                |text| text.is_empty() || is_signal(text),
                |text| format!("{text:?} is no signal"),
            );
        },
    ),
    error("nul-byte", "config.md#valid-values", "no path, argument or variable has a NUL byte", nul_byte),
];

fn hostname_namespace(root: &Node, found: &mut Findings) {
    for name in ["hostname", "domainname"] {
        let set = root.text_at(name).is_some_and(|text| !text.is_empty());
        if set && !has_namespace(root, "uts") {
            found.at(format!("$.{name}"), format!("\"{name}\" is set but the uts namespace is the host's"));
        }
    }
}

fn annotation_reserved(root: &Node, found: &mut Findings) {
    const IMAGE: &[&str] =
        &["os", "os.version", "os.features", "architecture", "variant", "author", "created", "stopSignal"];
    for (name, node) in root.members(&["annotations"]) {
        let Some(rest) = name.strip_prefix("org.opencontainers.") else { continue };
        if !rest.strip_prefix("image.").is_some_and(|key| IMAGE.contains(&key) || key == "exposedPorts") {
            found.at(node.path, format!("{name:?} is in the reserved namespace, but is not defined there"));
        }
    }
}

/// Every string that ends in a system call; the kernel would cut it at the NUL.
fn nul_byte(root: &Node, found: &mut Findings) {
    let mut nodes = Vec::new();
    for names in [&["process", "cwd"][..], &["root", "path"], &["hostname"], &["domainname"], &["linux", "cgroupsPath"]]
    {
        nodes.extend(root.find(names));
    }
    for names in [["process", "args"], ["process", "env"], ["linux", "maskedPaths"], ["linux", "readonlyPaths"]] {
        nodes.extend(root.list(&names));
    }
    for mount in root.list(&["mounts"]) {
        nodes.extend([mount.get("destination"), mount.get("source"), mount.get("type")].into_iter().flatten());
        nodes.extend(mount.list(&["options"]));
    }
    for device in root.list(&["linux", "devices"]) {
        nodes.extend(device.get("path"));
    }
    for (_, hooks) in root.members(&["hooks"]) {
        for hook in hooks.items() {
            nodes.extend(hook.get("path"));
            nodes.extend(hook.list(&["args"]));
            nodes.extend(hook.list(&["env"]));
        }
    }
    found.unless(nodes, |text| !text.contains('\0'), |_| "the string has a NUL byte".to_string());
}
