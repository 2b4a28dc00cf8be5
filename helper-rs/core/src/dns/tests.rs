//! Questions and answers, byte by byte, and bytes that are neither.

use super::*;
use crate::fuzz::Random;
use std::net::IpAddr;

/// As resolvers send it; `udp` adds EDNS.
pub fn question(name: &str, kind: u16, udp: Option<u16>) -> Vec<u8> {
    let mut out = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(udp.is_some())];
    out.extend(name::write(name).unwrap());
    out.extend(kind.to_be_bytes());
    out.extend([0, 1]);
    if let Some(size) = udp {
        out.extend([0, 0, 41]);
        out.extend(size.to_be_bytes());
        out.extend([0, 0, 0, 0, 0, 0]);
    }
    out
}

fn ip(text: &str) -> Answer {
    Answer::Address(text.parse().unwrap())
}

#[test]
fn a_question_is_read_whatever_its_case() {
    let query = query::parse(&question("Web.Front", A, None)).unwrap();
    assert_eq!((query.id, query.name.as_str(), query.kind, query.udp), (0x1234, "web.front", A, None));
    assert!(query.recursion && query.is_internet());
    assert_eq!(query::parse(&question("web", A, Some(4096))).unwrap().udp, Some(4096));
    assert_eq!(query::parse(&question("web", A, Some(100))).unwrap().udp, Some(512));
}

#[test]
fn what_is_no_question_is_told_apart() {
    assert_eq!(query::parse(b"short"), Err(Fault::Noise));
    let change = |at: usize, byte: u8| {
        let mut bytes = question("web", A, Some(1232));
        bytes[at] = byte;
        query::parse(&bytes)
    };
    assert_eq!(change(2, 0x80), Err(Fault::Noise));
    assert_eq!(change(2, 0x28), Err(Fault::Kind(0x1234)));
    assert_eq!(change(5, 0), Err(Fault::Format(0x1234)));
    assert_eq!(change(5, 2), Err(Fault::Format(0x1234)));
    // A pointer in the question, a label that is too long, records that are not there.
    assert_eq!(change(12, 0xc0), Err(Fault::Format(0x1234)));
    assert_eq!(change(12, 64), Err(Fault::Format(0x1234)));
    assert_eq!(change(7, 9), Err(Fault::Format(0x1234)));
    assert_eq!(change(6, 0xff), Err(Fault::Format(0x1234)));
}

#[test]
fn a_name_of_more_than_255_bytes_is_none() {
    let long = vec!["x".repeat(63); 4].join(".");
    assert!(name::write(&long).is_none());
    let mut bytes = question("web", A, None)[..HEADER].to_vec();
    for _ in 0..5 {
        bytes.push(63);
        bytes.extend([b'x'; 63]);
    }
    bytes.extend([0, 0, 1, 0, 1]);
    assert_eq!(query::parse(&bytes), Err(Fault::Format(0x1234)));
}

#[test]
fn an_answer_repeats_the_question_and_points_at_its_name() {
    let asked = question("web", A, None);
    let query = query::parse(&asked).unwrap();
    let reply = reply::write(&asked, &query, Rcode::Ok, &[ip("10.89.0.5")], Some(512));
    assert_eq!(&reply[..HEADER], [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    assert_eq!(&reply[HEADER..asked.len()], &asked[HEADER..]);
    assert_eq!(&reply[asked.len()..], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 10, 89, 0, 5]);
}

#[test]
fn what_has_no_room_by_udp_is_cut_and_comes_by_tcp() {
    let many: Vec<Answer> = (0..200).map(|n| ip(&format!("10.89.0.{n}"))).collect();
    let asked = question("web", A, Some(4096));
    let query = query::parse(&asked).unwrap();
    for limit in [512, 1232, 65535] {
        let reply = reply::write(&asked, &query, Rcode::Ok, &many, Some(limit));
        assert!(reply.len() <= limit.min(MOST_UDP), "{limit}: {}", reply.len());
        assert_eq!(reply[2] & 0x02, 0x02);
        assert!(reply.ends_with(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]));
    }
    let reply = reply::write(&asked, &query, Rcode::Ok, &many, None);
    assert_eq!((reply[2] & 0x02, u16::from_be_bytes([reply[6], reply[7]])), (0, 200));
}

#[test]
fn addresses_are_found_by_their_reverse_names() {
    let at = |name: &str| name::reversed(name);
    assert_eq!(at("5.0.89.10.in-addr.arpa"), Some("10.89.0.5".parse::<IpAddr>().unwrap()));
    let v6 = "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa";
    assert_eq!(at(v6), Some("fd00::5".parse::<IpAddr>().unwrap()));
    for wrong in ["5.0.89.in-addr.arpa", "300.0.89.10.in-addr.arpa", "in-addr.arpa", "5.ip6.arpa", "web", ""] {
        assert_eq!(at(wrong), None, "{wrong}");
    }
}

#[test]
fn only_an_answer_to_this_question_is_passed_on() {
    let asked = question("example.org", A, None);
    let query = query::parse(&asked).unwrap();
    let good = reply::write(&asked, &query, Rcode::Ok, &[ip("192.0.2.1")], None);
    assert!(reply::answers(&good, 0x1234, &asked, &query));
    assert!(!reply::answers(&good, 0x1235, &asked, &query));
    assert!(!reply::answers(&asked, 0x1234, &asked, &query));
    let other = question("example.com", A, None);
    let wrong = reply::write(&other, &query::parse(&other).unwrap(), Rcode::Ok, &[], None);
    assert!(!reply::answers(&wrong, 0x1234, &asked, &query));
    assert!(reply::answers(&reply::refusal(0x1234, Rcode::Failed), 0x1234, &asked, &query));
    assert!(!reply::answers(&reply::refusal(0x1234, Rcode::Ok), 0x1234, &asked, &query));
    let cut = reply::cut(&good, &query);
    assert_eq!((cut.len(), cut[2] & 0x02), (asked.len(), 0x02));
}

/// Bytes of any kind: read, answered, cut; nothing that is written is longer than allowed, and all of it can be read by others.
pub fn try_bytes(bytes: &[u8], random: &mut Random) {
    let Ok(query) = query::parse(bytes) else { return };
    assert!(query.end <= bytes.len());
    let answers: Vec<Answer> = (0..random.next(80))
        .map(|n| match n % 3 {
            0 => Answer::Address(IpAddr::from([10, 0, 0, n as u8])),
            1 => Answer::Address(IpAddr::from([n as u16; 8])),
            _ => Answer::Name(query.name.clone()),
        })
        .collect();
    let limit = query.udp.unwrap_or(LEAST_UDP);
    let reply = reply::write(bytes, &query, Rcode::Ok, &answers, Some(limit));
    assert!(reply.len() <= limit.min(MOST_UDP));
    assert!(reply::answers(&reply, query.id, bytes, &query));
    let mut asked_again = reply.clone();
    asked_again[2] &= 0x7f;
    asked_again[2] &= 0x07;
    let again = query::parse(&asked_again).expect("what was written");
    assert_eq!((&again.name, again.kind), (&query.name, query.kind));
    let _ = (name::reversed(&query.name), reply::cut(bytes, &query), reply::answers(bytes, query.id, bytes, &query));
}

#[test]
fn mutated_questions_never_panic() {
    for seed in 1..20_000_u64 {
        let random = &mut Random(seed);
        let udp = (random.next(2) == 0).then_some(1232);
        let mut bytes = question("web.front.example.org", [A, AAAA, PTR, ANY][random.next(4)], udp);
        for _ in 0..random.next(6) {
            let at = random.next(bytes.len());
            match random.next(3) {
                0 => bytes[at] = random.next(256) as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, [0, 63, 0xc0, 0xff][random.next(4)]),
            }
        }
        try_bytes(&bytes, random);
    }
}
