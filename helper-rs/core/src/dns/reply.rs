//! Answers that are made here, and what is looked at in those of others.

use super::query::Query;
use super::{name, A, AAAA, HEADER, IN, MOST_UDP, OPT, PTR};
use std::net::IpAddr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rcode {
    Ok = 0,
    Format = 1,
    Failed = 2,
    NoName = 3,
    NotDone = 4,
    Refused = 5,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Address(IpAddr),
    Name(String),
}

/// Nobody is to remember where a container was: the next start may give its address to another.
const TTL: u32 = 0;

/// The answer; by UDP (`most` is the asker's limit) as many records as have room, and TC if that is not all of them.
pub fn write(asked: &[u8], query: &Query, rcode: Rcode, answers: &[Answer], most: Option<usize>) -> Vec<u8> {
    let limit = most.map_or(usize::from(u16::MAX), |most| most.min(MOST_UDP));
    let question = asked.get(HEADER..query.end).unwrap_or_default();
    let tail = if query.udp.is_some() { 11 } else { 0 };
    let mut out = header(query.id, rcode, query.recursion);
    out[5] = 1;
    out.extend_from_slice(question);
    let (mut count, mut cut) = (0_u16, false);
    for answer in answers {
        let Some(record) = record(answer) else { continue };
        if out.len() + record.len() + tail > limit || count == u16::MAX {
            cut = true;
            break;
        }
        out.extend_from_slice(&record);
        count += 1;
    }
    out[6..8].copy_from_slice(&count.to_be_bytes());
    // Ours to know: authoritative.
    out[2] |= 0x04 | if cut { 0x02 } else { 0 };
    if query.udp.is_some() {
        out[11] = 1;
        out.push(0);
        out.extend_from_slice(&OPT.to_be_bytes());
        out.extend_from_slice(&(MOST_UDP as u16).to_be_bytes());
        out.extend_from_slice(&[0; 6]);
    }
    out
}

/// An answer without a question, to what could not be read.
pub fn refusal(id: u16, rcode: Rcode) -> Vec<u8> {
    header(id, rcode, false)
}

fn header(id: u16, rcode: Rcode, recursion: bool) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![high, low, 0x80 | u8::from(recursion), 0x80 | rcode as u8, 0, 0, 0, 0, 0, 0, 0, 0]
}

fn record(answer: &Answer) -> Option<Vec<u8>> {
    let (kind, data) = match answer {
        Answer::Address(IpAddr::V4(ip)) => (A, ip.octets().to_vec()),
        Answer::Address(IpAddr::V6(ip)) => (AAAA, ip.octets().to_vec()),
        Answer::Name(name) => (PTR, name::write(name)?),
    };
    // The name of the question.
    let mut out = vec![0xc0, HEADER as u8];
    for word in [kind, IN] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    out.extend_from_slice(&TTL.to_be_bytes());
    out.extend_from_slice(&u16::try_from(data.len()).ok()?.to_be_bytes());
    out.extend_from_slice(&data);
    Some(out)
}

/// True if another server's bytes answer this question: the id it was sent with, and the question as it was asked.
pub fn answers(bytes: &[u8], id: u16, asked: &[u8], query: &Query) -> bool {
    let Some(head) = bytes.first_chunk::<HEADER>() else { return false };
    let same_id = u16::from_be_bytes([head[0], head[1]]) == id;
    // Without a question only a refusal makes sense.
    let echoed = match u16::from_be_bytes([head[4], head[5]]) {
        0 => head[3] & 0x0f != 0 && head[6..10] == [0; 4],
        1 => {
            let (ours, theirs) = (asked.get(HEADER..query.end), bytes.get(HEADER..query.end));
            ours.zip(theirs).is_some_and(|(ours, theirs)| ours.eq_ignore_ascii_case(theirs))
        }
        _ => false,
    };
    same_id && head[2] & 0x80 != 0 && echoed
}

/// The same answer with another id.
pub fn with_id(bytes: &mut [u8], id: u16) {
    if let Some(place) = bytes.get_mut(..2) {
        place.copy_from_slice(&id.to_be_bytes());
    }
}

/// An answer of another server that is longer than the asker takes: its head, with TC, so that it asks by TCP.
pub fn cut(bytes: &[u8], query: &Query) -> Vec<u8> {
    let mut out = bytes.get(..query.end.min(bytes.len())).unwrap_or_default().to_vec();
    if let Some(head) = out.first_chunk_mut::<HEADER>() {
        head[2] |= 0x02;
        head[6..].fill(0);
    }
    out
}
