//! Who is on which network, by what name. Pure: what a question is answered with, and to whom.

use rootless_core::dns::{name, Answer, Query, Rcode, A, AAAA, ANY, PTR};
use rootless_core::lower::networks::Attachment;
use std::net::{IpAddr, SocketAddr};

/// A container, for as long as its monitor is connected.
#[derive(Debug, Clone)]
pub struct Member {
    /// Of the connection.
    pub number: u64,
    pub id: String,
    pub resolvers: Vec<SocketAddr>,
    pub on: Vec<Attachment>,
}

#[derive(Default)]
pub struct Registry {
    pub members: Vec<Member>,
    /// Of several containers with one name each is the first in turn.
    turn: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Answer(Rcode, Vec<Answer>),
    /// The asker's resolvers.
    Forward(Vec<SocketAddr>),
    /// Nobody who may ask.
    Silence,
}

/// Transfers of zones, and what only mail programs of the eighties asked for.
const NOT_OURS: std::ops::RangeInclusive<u16> = 251..=254;

impl Registry {
    pub fn set(&mut self, member: Member) {
        self.leave(member.number);
        self.members.push(member);
    }

    /// The networks that it was on.
    pub fn leave(&mut self, number: u64) -> Vec<Attachment> {
        let at = self.members.iter().position(|member| member.number == number);
        at.map(|at| self.members.remove(at).on).unwrap_or_default()
    }

    pub fn has_members(&self, network: &str) -> bool {
        self.members.iter().any(|member| member.on.iter().any(|one| one.network == network))
    }

    /// Takes one network from it; the bridge.
    pub fn detach(&mut self, number: u64, network: &str) -> Option<Attachment> {
        let member = self.members.iter_mut().find(|member| member.number == number)?;
        let at = member.on.iter().position(|one| one.network == network)?;
        Some(member.on.remove(at))
    }

    /// True for the address of a container.
    pub fn knows(&self, ip: IpAddr) -> bool {
        self.members.iter().any(|member| has_address(&member.on, ip))
    }

    /// What somebody with this address is told.
    pub fn answer(&mut self, from: IpAddr, query: &Query) -> Verdict {
        let Some(asker) = self.members.iter().find(|member| has_address(&member.on, from)) else {
            return Verdict::Silence;
        };
        if !query.is_internet() || NOT_OURS.contains(&query.kind) {
            return Verdict::Answer(Rcode::NotDone, Vec::new());
        }
        let shared = |one: &&Attachment| asker.on.iter().any(|own| own.dns && own.network == one.network);
        let all = || self.members.iter().flat_map(|member| &member.on).filter(shared);
        let named: Vec<&Attachment> =
            all().filter(|one| one.names.iter().any(|name| name.eq_ignore_ascii_case(&query.name))).collect();
        if !named.is_empty() {
            let wanted =
                |ip: &IpAddr| matches!((query.kind, ip), (A, IpAddr::V4(_)) | (AAAA, IpAddr::V6(_)) | (ANY, _));
            let addresses = named.iter().flat_map(|one| &one.addresses).map(|address| address.ip).filter(wanted);
            let mut answers: Vec<Answer> = addresses.map(Answer::Address).collect();
            if answers.len() > 1 {
                self.turn = self.turn.wrapping_add(1);
                let first = self.turn % answers.len();
                answers.rotate_left(first);
            }
            return Verdict::Answer(Rcode::Ok, answers);
        }
        if let Some(ip) = name::reversed(&query.name).filter(|_| query.kind == PTR) {
            let owner = all().find(|one| one.addresses.iter().any(|address| address.ip == ip));
            if let Some(name) = owner.and_then(|one| one.names.first()) {
                return Verdict::Answer(Rcode::Ok, vec![Answer::Name(name.clone())]);
            }
            // What is in a subnet of ours is nobody else's to know.
            if all().any(|one| one.addresses.iter().any(|address| address.has(ip))) {
                return Verdict::Answer(Rcode::NoName, Vec::new());
            }
        }
        match asker.on.iter().all(|one| one.internal) {
            true => Verdict::Answer(Rcode::NoName, Vec::new()),
            false => Verdict::Forward(asker.resolvers.clone()),
        }
    }
}

fn has_address(on: &[Attachment], ip: IpAddr) -> bool {
    on.iter().flat_map(|one| &one.addresses).any(|address| address.ip == ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rootless_core::lower::networks::Address;

    fn on(network: &str, address: &str, names: &[&str]) -> Attachment {
        Attachment {
            network: network.into(),
            addresses: vec![Address::try_from(address.to_string()).unwrap()],
            names: names.iter().map(ToString::to_string).collect(),
            dns: true,
            ..Attachment::default()
        }
    }

    fn registry() -> Registry {
        let mut registry = Registry::default();
        let resolvers = || vec!["192.0.2.53:53".parse().unwrap()];
        let lists = [
            vec![on("front", "10.89.0.2/24", &["web", "www"])],
            vec![on("front", "10.89.0.3/24", &["proxy", "www"]), on("back", "10.89.1.3/24", &["proxy"])],
            vec![on("back", "10.89.1.4/24", &["db"])],
            vec![Attachment { internal: true, ..on("inner", "10.89.2.2/24", &["alone"]) }],
            vec![Attachment { dns: false, ..on("mute", "10.89.3.2/24", &["mute"]) }],
        ];
        for (number, on) in (1..).zip(lists) {
            registry.set(Member { number, id: number.to_string(), resolvers: resolvers(), on });
        }
        registry
    }

    fn ask(registry: &mut Registry, from: &str, name: &str, kind: u16) -> Verdict {
        let query = Query { id: 1, recursion: true, name: name.into(), kind, class: 1, end: 0, udp: None };
        registry.answer(from.parse().unwrap(), &query)
    }

    fn ips(verdict: Verdict) -> Vec<String> {
        let Verdict::Answer(Rcode::Ok, answers) = verdict else { panic!("{verdict:?}") };
        let text = |answer| match answer {
            Answer::Address(ip) => IpAddr::to_string(&ip),
            Answer::Name(name) => name,
        };
        answers.into_iter().map(text).collect()
    }

    #[test]
    fn names_are_known_on_shared_networks_alone() {
        let registry = &mut registry();
        assert_eq!(ips(ask(registry, "10.89.0.2", "proxy", A)), ["10.89.0.3"]);
        assert_eq!(ips(ask(registry, "10.89.0.3", "db", A)), ["10.89.1.4"]);
        assert_eq!(ips(ask(registry, "10.89.1.3", "WEB", A)), ["10.89.0.2"]);
        assert!(matches!(ask(registry, "10.89.0.2", "db", A), Verdict::Forward(_)));
        assert_eq!(ask(registry, "10.89.9.9", "web", A), Verdict::Silence);
    }

    #[test]
    fn a_name_without_an_address_of_the_kind_exists() {
        assert_eq!(ips(ask(&mut registry(), "10.89.0.2", "proxy", AAAA)), [""; 0]);
        assert_eq!(ips(ask(&mut registry(), "10.89.0.2", "proxy", 65)), [""; 0]);
    }

    #[test]
    fn containers_with_one_alias_take_turns() {
        let registry = &mut registry();
        let (one, two) = (ips(ask(registry, "10.89.0.2", "www", A)), ips(ask(registry, "10.89.0.2", "www", A)));
        assert!(one.len() == 2 && one[0] == two[1] && one[1] == two[0], "{one:?} {two:?}");
    }

    #[test]
    fn addresses_have_names_on_shared_networks() {
        let registry = &mut registry();
        assert_eq!(ips(ask(registry, "10.89.0.2", "3.0.89.10.in-addr.arpa", PTR)), ["proxy"]);
        let none = Verdict::Answer(Rcode::NoName, vec![]);
        assert_eq!(ask(registry, "10.89.0.2", "200.0.89.10.in-addr.arpa", PTR), none);
        assert!(matches!(ask(registry, "10.89.0.2", "4.1.89.10.in-addr.arpa", PTR), Verdict::Forward(_)));
    }

    #[test]
    fn an_internal_network_asks_nobody_outside() {
        let none = Verdict::Answer(Rcode::NoName, vec![]);
        assert_eq!(ask(&mut registry(), "10.89.2.2", "example.org", A), none);
        assert!(matches!(ask(&mut registry(), "10.89.0.2", "example.org", A), Verdict::Forward(_)));
    }

    #[test]
    fn a_network_without_names_has_none() {
        assert!(matches!(ask(&mut registry(), "10.89.3.2", "mute", A), Verdict::Forward(_)));
    }

    #[test]
    fn who_has_left_is_not_known_any_more() {
        let registry = &mut registry();
        assert!(registry.has_members("back") && registry.detach(2, "back").is_some());
        assert!(matches!(ask(registry, "10.89.0.3", "db", A), Verdict::Forward(_)));
        assert_eq!(registry.leave(3).len(), 1);
        assert!(!registry.has_members("back"));
        assert_eq!(ask(registry, "10.89.1.4", "proxy", A), Verdict::Silence);
    }
}
