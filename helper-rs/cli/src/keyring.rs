//! A session keyring for the container, so that the keys of the caller's session stay outside (keyrings(7)).

use crate::failure::{During, Failure, Step};
use crate::plan::Plan;
use crate::sys::process;
use rootless_core::oci::runtime::Seccomp;
use rustix::io::Errno;

/// Kernels and outer filters without keyrings have none to hide. A user who has used up the quota of keys (root-only
/// /proc/sys/kernel/keys/maxkeys, 200) cannot get one more: that matters only if the program could reach the old one.
pub fn renew(plan: &Plan) -> Step<()> {
    let name = std::ffi::CString::new(format!("_ses.{}", plan.id)).unwrap_or_default();
    match process::new_keyring(&name) {
        Ok(()) | Err(Errno::NOSYS | Errno::PERM) => Ok(()),
        Err(Errno::DQUOT) if plan.linux.seccomp.as_ref().is_some_and(denies_keys) => Ok(()),
        Err(Errno::DQUOT) => {
            let message = "this user's quota of keys is used up, and the container may use those of the caller";
            Err(Failure::because("init", message).errno(Errno::DQUOT).on("keyring"))
        }
        Err(error) => Err(error).during("init", "keyring"),
    }
}

/// True if no call of add_key(2), keyctl(2) and request_key(2) comes through the filter.
fn denies_keys(filter: &Seccomp) -> bool {
    let refuses = |action: &str| {
        let refusal = ["SCMP_ACT_ERRNO", "SCMP_ACT_TRAP", "SCMP_ACT_KILL"];
        refusal.iter().any(|begin| action.starts_with(begin))
    };
    ["keyctl", "request_key", "add_key"].into_iter().all(|call| {
        let mut rules = filter.syscalls.iter().filter(|rule| rule.names.iter().any(|name| name == call));
        match refuses(&filter.default_action) {
            true => rules.all(|rule| refuses(&rule.action)),
            false => rules.any(|rule| rule.args.is_empty() && refuses(&rule.action)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(json: serde_json::Value) -> Seccomp {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_list_of_what_is_allowed_denies_keys_unless_it_names_them() {
        let docker = serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]});
        assert!(denies_keys(&filter(docker)));
        let open = serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "request_key"], "action": "SCMP_ACT_ALLOW"}]});
        assert!(!denies_keys(&filter(open)));
    }

    #[test]
    fn a_list_of_what_is_forbidden_has_to_forbid_all_of_it() {
        let both = serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["keyctl", "request_key", "add_key"], "action": "SCMP_ACT_KILL_PROCESS"}]});
        assert!(denies_keys(&filter(both)));
        let one = serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["keyctl", "add_key"], "action": "SCMP_ACT_ERRNO"}]});
        assert!(!denies_keys(&filter(one)));
        let some = serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["keyctl", "request_key", "add_key"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]});
        assert!(!denies_keys(&filter(some)));
    }
}
