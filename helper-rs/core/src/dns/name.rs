//! Names: labels of up to 63 bytes, 255 bytes in all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const MOST: usize = 255;

/// The name at `at`, in lower case and without the last dot, and where it ends. A question has no pointers.
pub fn read(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let start = at;
    let mut name = String::new();
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        if length > 63 || at + length - start >= MOST {
            return None;
        }
        let label = bytes.get(at..at + length)?;
        if !name.is_empty() {
            name.push('.');
        }
        // A byte that no name of ours has stays apart from all that have a meaning here.
        name.extend(label.iter().map(|byte| match byte {
            b'.' | 0 => '\u{fffd}',
            byte if byte.is_ascii() => byte.to_ascii_lowercase() as char,
            _ => '\u{fffd}',
        }));
        at += length;
    }
    Some((name, at))
}

/// Where a name of any other record ends: it may end in a pointer, which is not followed.
pub fn skip(bytes: &[u8], mut at: usize) -> Option<usize> {
    let start = at;
    loop {
        let length = usize::from(*bytes.get(at)?);
        match length {
            0 => return Some(at + 1),
            1..=63 => at += 1 + length,
            192..=255 => return bytes.get(at + 1).map(|_| at + 2),
            _ => return None,
        }
        if at - start >= MOST {
            return None;
        }
    }
}

/// The bytes of a name; `None` if it is none.
pub fn write(name: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        out.push(length);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    (out.len() <= MOST).then_some(out)
}

/// The address that a name below in-addr.arpa or ip6.arpa stands for.
pub fn reversed(name: &str) -> Option<IpAddr> {
    if let Some(digits) = name.strip_suffix(".in-addr.arpa") {
        let parts: Option<Vec<u8>> = digits.split('.').map(|part| part.parse().ok()).collect();
        let [d, c, b, a]: [u8; 4] = parts?.try_into().ok()?;
        return Some(Ipv4Addr::new(a, b, c, d).into());
    }
    let nibbles = name.strip_suffix(".ip6.arpa")?;
    let digit = |part: &str| u128::from_str_radix(part, 16).ok().filter(|_| part.len() == 1);
    let digits: Option<Vec<u128>> = nibbles.split('.').map(digit).collect();
    let digits = digits.filter(|digits| digits.len() == 32)?;
    Some(Ipv6Addr::from_bits(digits.iter().rev().fold(0, |sum, digit| sum << 4 | digit)).into())
}
