//! Numbers in tar headers: octal text, GNU base-256, and the decimals of pax.

use super::Time;

/// A numeric header field: octal padded with spaces and NULs, or base-256 when the first bit is set (negative when the second is too).
pub fn field(bytes: &[u8]) -> Option<i64> {
    match bytes.first() {
        Some(first) if first & 0x80 != 0 => base256(bytes),
        _ => octal(bytes),
    }
}

fn octal(bytes: &[u8]) -> Option<i64> {
    let padding = |byte: &u8| *byte == b' ' || *byte == 0;
    let start = bytes.iter().position(|byte| !padding(byte)).unwrap_or(bytes.len());
    let digits = bytes.get(start..)?;
    let end = digits.iter().position(padding).unwrap_or(digits.len());
    if !digits.get(end..)?.iter().all(padding) {
        return None;
    }
    digits.get(..end)?.iter().try_fold(0i64, |value, byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(byte - b'0')),
        _ => None,
    })
}

/// Two's complement, big endian, with the marker bit taken out.
fn base256(bytes: &[u8]) -> Option<i64> {
    let (first, rest) = bytes.split_first()?;
    let negative = first & 0x40 != 0;
    let head = i64::from(first & 0x7f) - if negative { 0x80 } else { 0 };
    rest.iter().try_fold(head, |value, byte| value.checked_mul(256)?.checked_add(i64::from(*byte)))
}

/// Unsigned decimal without sign or space.
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// Decimal seconds with any number of fraction digits (pax: `-12.5`); finer than a nanosecond is cut off.
pub fn time(text: &[u8]) -> Option<Time> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    let dot = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let seconds = i64::try_from(decimal(digits.get(..dot)?)?).ok()?;
    let mut nanoseconds = 0u32;
    let fraction = digits.get(dot + 1..).unwrap_or_default();
    for place in 0..fraction.len().max(9) {
        let digit = match fraction.get(place).unwrap_or(&b'0') {
            digit @ b'0'..=b'9' => u32::from(digit - b'0'),
            _ => return None,
        };
        if place < 9 {
            nanoseconds = nanoseconds * 10 + digit;
        }
    }
    Some(match (negative, nanoseconds) {
        (false, _) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds },
        (true, _) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}
