//! `io.rootless.networks`: the bridges that a container is attached to (docs/contract.md, "Networks"). Pure.

use crate::oci::runtime::IdMapping;
use crate::validate::grammar::{is_absolute, is_interface_name};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// The whole annotation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Networks {
    /// Where the holder listens.
    pub directory: String,
    /// Of the user namespace above all containers on networks; absent where the caller needs none.
    #[serde(default)]
    pub idmap: Option<HolderMap>,
    #[serde(default)]
    pub resolvers: Vec<String>,
    pub attach: Vec<Attachment>,
}

/// Ids of the host, and the set-uid programs that map them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolderMap {
    pub uid: Vec<IdMapping>,
    pub gid: Vec<IdMapping>,
    #[serde(default)]
    pub newuidmap: Option<String>,
    #[serde(default)]
    pub newgidmap: Option<String>,
}

/// One interface of a container on one bridge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// 64 hexadecimal digits.
    pub network: String,
    /// For people.
    pub name: String,
    pub bridge: String,
    pub interface: String,
    #[serde(default)]
    pub mtu: Option<u32>,
    pub addresses: Vec<Address>,
    #[serde(default)]
    pub gateways: Vec<IpAddr>,
    pub mac: Mac,
    #[serde(default)]
    pub internal: bool,
    #[serde(default = "yes")]
    pub dns: bool,
    #[serde(default)]
    pub names: Vec<String>,
}

fn yes() -> bool {
    true
}

/// `10.89.0.5/24`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    pub ip: IpAddr,
    pub length: u8,
}

impl Address {
    /// True if both are in one subnet.
    pub fn has(&self, other: IpAddr) -> bool {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
            IpAddr::V6(ip) => ip.to_bits(),
        };
        let mask = u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0);
        self.ip.is_ipv4() == other.is_ipv4() && (bits(self.ip) ^ bits(other)) & mask == 0
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Address, String> {
        let parsed = text.split_once('/').and_then(|(ip, length)| {
            let ip: IpAddr = ip.parse().ok()?;
            let length: u8 = length.parse().ok()?;
            Some(Address { ip, length })
        });
        let most = |address: &Address| if address.ip.is_ipv4() { 32 } else { 128 };
        let parsed = parsed.filter(|address| (1..=most(address)).contains(&address.length));
        parsed.filter(|address| !is_special(address.ip)).ok_or_else(|| format!("{text:?} is no address of a container"))
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        format!("{}/{}", address.ip, address.length)
    }
}

/// `02:42:0a:59:00:05`, of one station.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl TryFrom<String> for Mac {
    type Error = String;

    fn try_from(text: String) -> Result<Mac, String> {
        let byte = |part: &str| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2 && !part.starts_with('+'));
        let parts: Option<Vec<u8>> = text.split(':').map(byte).collect();
        let bytes: Option<[u8; 6]> = parts.and_then(|parts| parts.try_into().ok());
        bytes
            .filter(|bytes| bytes[0] & 1 == 0 && *bytes != [0; 6])
            .map(Mac)
            .ok_or_else(|| format!("{text:?} is no address of one network card"))
    }
}

impl From<Mac> for String {
    fn from(Mac([a, b, c, d, e, f]): Mac) -> String {
        format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

/// Attachments of one container, and its resolvers.
const MOST: usize = 128;
const MOST_RESOLVERS: usize = 8;
const MOST_NAMES: usize = 256;

/// Parses the annotation; the `Err` says what is wrong with it.
pub fn parse(json: &str) -> Result<Networks, String> {
    let networks: Networks = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if !is_absolute(&networks.directory) {
        return Err(format!("directory: {:?} is not absolute", networks.directory));
    }
    if networks.attach.len() > MOST {
        return Err(format!("{} attachments: {MOST} are the most", networks.attach.len()));
    }
    resolvers(&networks.resolvers)?;
    for (at, one) in networks.attach.iter().enumerate() {
        check(one).map_err(|reason| format!("attach[{at}].{reason}"))?;
        let twice = |what: fn(&Attachment) -> &str| networks.attach[..at].iter().any(|other| what(other) == what(one));
        if twice(|one| &one.network) || twice(|one| &one.interface) {
            return Err(format!("attach[{at}]: network or interface stands twice"));
        }
    }
    Ok(networks)
}

/// One attachment alone (`network attach`).
pub fn parse_attachment(json: &str) -> Result<Attachment, String> {
    let one: Attachment = serde_json::from_str(json).map_err(|error| error.to_string())?;
    check(&one).map(|()| one)
}

/// `IP` or `IP:PORT`, in the order of asking.
pub fn resolvers(list: &[String]) -> Result<Vec<SocketAddr>, String> {
    if list.len() > MOST_RESOLVERS {
        return Err(format!("resolvers: {MOST_RESOLVERS} are the most"));
    }
    let one = |text: &String| {
        let address = text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53)).or_else(|_| text.parse());
        address.map_err(|_| format!("resolvers: {text:?} is no address"))
    };
    list.iter().map(one).collect()
}

fn check(one: &Attachment) -> Result<(), String> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if one.network.len() != 64 || !one.network.bytes().all(hex) {
        return Err(format!("network: {:?} is no id", one.network));
    }
    for (field, name) in [("bridge", &one.bridge), ("interface", &one.interface)] {
        // A % asks the kernel for a number.
        if !is_interface_name(name) || name.contains('%') || name == "lo" {
            return Err(format!("{field}: {name:?} cannot be a network device"));
        }
    }
    // RFC 791: every link carries 68 bytes; RFC 8200: 1280.
    let least = if one.addresses.iter().any(|address| address.ip.is_ipv6()) { 1280 } else { 68 };
    if one.mtu.is_some_and(|mtu| !(least..=65535).contains(&mtu)) {
        return Err(format!("mtu: not from {least} to 65535"));
    }
    if one.addresses.is_empty() || one.addresses.len() > 8 {
        return Err("addresses: one to eight are needed".into());
    }
    for gateway in &one.gateways {
        if !one.addresses.iter().any(|address| address.has(*gateway) && address.ip != *gateway) {
            return Err(format!("gateways: {gateway} is in no subnet of the addresses, or is one of them"));
        }
    }
    if one.names.len() > MOST_NAMES {
        return Err(format!("names: {MOST_NAMES} are the most"));
    }
    match one.names.iter().find(|name| !is_name(name)) {
        Some(name) => Err(format!("names: {name:?} is no name")),
        None => Ok(()),
    }
}

/// Labels of letters, digits, - and _, as containers are named.
fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()) && label.bytes().all(good))
}

fn is_special(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_multicast() || ip.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(change: &[(&str, serde_json::Value)]) -> serde_json::Value {
        let mut one = serde_json::json!({
            "network": "a".repeat(64), "name": "front", "bridge": "rl-aaaaaaaaaa", "interface": "eth0", "mtu": 65520,
            "addresses": ["10.89.0.5/24", "fd00::5/64"], "gateways": ["10.89.0.1", "fd00::1"],
            "mac": "02:42:0a:59:00:05", "internal": false, "names": ["web", "web.front"],
        });
        for (key, value) in change {
            one[*key] = value.clone();
        }
        one
    }

    fn whole(attach: &[serde_json::Value]) -> Result<Networks, String> {
        parse(&serde_json::json!({ "directory": "/run/n", "resolvers": ["192.0.2.53"], "attach": attach }).to_string())
    }

    #[test]
    fn an_attachment_is_read_whole() {
        let networks = whole(&[attachment(&[])]).unwrap();
        let one = &networks.attach[0];
        assert_eq!(one.addresses[0], Address { ip: "10.89.0.5".parse().unwrap(), length: 24 });
        assert_eq!(one.mac, Mac([2, 0x42, 10, 89, 0, 5]));
        assert!(one.dns && !one.internal);
        assert_eq!(serde_json::to_value(one).unwrap()["mac"], "02:42:0a:59:00:05");
        assert!(whole(&[]).unwrap().attach.is_empty());
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        let wrong: &[(&str, serde_json::Value)] = &[
            ("network", "front".into()),
            ("network", "A".repeat(64).into()),
            ("bridge", "".into()),
            ("bridge", "a/b".into()),
            ("interface", "lo".into()),
            ("interface", "eth%d".into()),
            ("interface", "sixteen-letters0".into()),
            ("mtu", 67.into()),
            ("mtu", 1279.into()),
            ("mtu", 65536.into()),
            ("addresses", serde_json::json!([])),
            ("addresses", serde_json::json!(["10.89.0.5"])),
            ("addresses", serde_json::json!(["10.89.0.5/33"])),
            ("addresses", serde_json::json!(["10.89.0.5/0"])),
            ("addresses", serde_json::json!(["127.0.0.1/8"])),
            ("addresses", serde_json::json!(["224.0.0.1/8"])),
            ("gateways", serde_json::json!(["10.90.0.1"])),
            ("gateways", serde_json::json!(["10.89.0.5"])),
            ("mac", "01:00:5e:00:00:01".into()),
            ("mac", "00:00:00:00:00:00".into()),
            ("mac", "02:42:0a:59:00".into()),
            ("mac", "02:42:0a:59:00:+5".into()),
            ("names", serde_json::json!(["a b"])),
            ("names", serde_json::json!(["a..b"])),
            ("names", serde_json::json!([""])),
            ("names", serde_json::json!(["x".repeat(64)])),
            ("surplus", 1.into()),
        ];
        for (field, value) in wrong {
            assert!(whole(&[attachment(&[(field, value.clone())])]).is_err(), "{field}: {value}");
        }
    }

    #[test]
    fn a_network_or_an_interface_stands_once() {
        let other = attachment(&[("network", "b".repeat(64).into()), ("interface", "eth1".into())]);
        assert!(whole(&[attachment(&[]), other.clone()]).is_ok());
        assert!(whole(&[attachment(&[]), attachment(&[("interface", "eth1".into())])]).is_err());
        assert!(whole(&[other, attachment(&[("interface", "eth1".into())])]).is_err());
    }

    #[test]
    fn subnets_are_compared_by_their_prefix() {
        let has = |address: &str, ip: &str| Address::try_from(address.to_string()).unwrap().has(ip.parse().unwrap());
        assert!(has("10.89.0.5/24", "10.89.0.255") && !has("10.89.0.5/24", "10.89.1.0"));
        assert!(has("10.89.0.5/32", "10.89.0.5") && !has("10.89.0.5/32", "10.89.0.4"));
        assert!(has("fd00::5/64", "fd00::ffff") && !has("fd00::5/64", "fd00:0:0:1::1"));
        assert!(has("fd00::5/128", "fd00::5") && !has("10.89.0.5/8", "::ffff:10.0.0.1"));
    }

    #[test]
    fn resolvers_are_addresses_with_or_without_a_port() {
        let list = |texts: &[&str]| resolvers(&texts.iter().map(ToString::to_string).collect::<Vec<_>>());
        let ports: Vec<u16> = list(&["192.0.2.1", "127.0.0.1:5353", "fd00::1", "[fd00::1]:54"])
            .unwrap()
            .iter()
            .map(SocketAddr::port)
            .collect();
        assert_eq!(ports, [53, 5353, 53, 54]);
        assert!(list(&["name"]).is_err() && list(&["192.0.2.1"; 9]).is_err());
        assert!(parse(r#"{"directory":"run","attach":[]}"#).is_err());
    }
}
