//! Small grammars of strings in the specifications: pure predicates, without a regular-expression engine.

pub fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
}

/// SemVer 2.0.0; build and pre-release parts are dot-separated identifiers.
pub fn is_semver(text: &str) -> bool {
    let (text, build) = split(text, '+');
    let (core, pre) = split(text, '-');
    let numbers: Vec<&str> = core.split('.').collect();
    let number = |part: &&str| part.bytes().all(|b| b.is_ascii_digit()) && (*part == "0" || !part.starts_with('0'));
    numbers.len() == 3
        && numbers.iter().all(|part| !part.is_empty() && number(part))
        && pre.is_none_or(|pre| identifiers(pre) && pre.split('.').all(|part| !is_number(part) || number(&part)))
        && build.is_none_or(identifiers)
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn identifiers(text: &str) -> bool {
    text.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// `0-3,7`; what cpuset.cpus and NUMA nodes take.
pub fn is_cpu_list(text: &str) -> bool {
    text.trim().split(',').all(|range| match range.split_once('-') {
        Some((from, to)) => matches!((small(from), small(to)), (Some(from), Some(to)) if from <= to),
        None => small(range).is_some(),
    })
}

fn small(text: &str) -> Option<u32> {
    let text = text.trim();
    (!text.is_empty() && is_number(text)).then(|| text.parse().ok()).flatten()
}

/// `algorithm:encoded` (descriptor.md#digests); a sentence if it is not.
pub fn digest_fault(text: &str) -> Option<String> {
    let Some((algorithm, encoded)) = text.split_once(':') else {
        return Some(format!("{text:?} is no digest: there is no \":\""));
    };
    let component = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !algorithm.split(['+', '.', '_', '-']).all(component) {
        return Some(format!("{algorithm:?} is no digest algorithm"));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"=_-".contains(&b);
    if encoded.is_empty() || !encoded.bytes().all(allowed) {
        return Some(format!("{encoded:?} is no encoded digest"));
    }
    let digits = match algorithm {
        "sha256" | "blake3" => 64,
        "sha512" => 128,
        _ => return None,
    };
    let hexadecimal = encoded.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (encoded.len() != digits || !hexadecimal)
        .then(|| format!("{algorithm} takes {digits} lower-case hexadecimal digits"))
}

/// `type/subtype` (RFC 6838, section 4.2).
pub fn is_media_type(text: &str) -> bool {
    let name = |part: &str| {
        part.len() <= 127
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| name(kind) && name(subtype))
}

/// `scheme:rest` with the characters that RFC 3986 knows.
pub fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        && rest.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b))
}

/// Base 64 with padding (RFC 4648, section 4): the number of bytes that it stands for.
pub fn base64_length(text: &str) -> Option<usize> {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    (text.len() & 3 == 0 && padding <= 2 && body.bytes().all(alphabet)).then(|| text.len() / 4 * 3 - padding)
}

/// `2026-01-31T23:59:59.5Z` (RFC 3339, section 5.6).
pub fn is_timestamp(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't']) else { return false };
    let Some(zone) = time.find(['Z', 'z', '+', '-']) else { return false };
    let (clock, zone) = time.split_at(zone);
    is_date(date) && is_clock(clock) && is_zone(zone)
}

fn is_date(text: &str) -> bool {
    let parts: Vec<Option<u32>> = text.split('-').map(small).collect();
    let [Some(year), Some(month), Some(day)] = parts[..] else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    };
    text.len() == 10 && (1..=days).contains(&day)
}

fn is_clock(text: &str) -> bool {
    let (clock, fraction) = split(text, '.');
    let parts: Vec<Option<u32>> = clock.split(':').map(small).collect();
    matches!(parts[..], [Some(0..=23), Some(0..=59), Some(0..=60)])
        && clock.len() == 8
        && fraction.is_none_or(|part| !part.is_empty() && is_number(part))
}

fn is_zone(text: &str) -> bool {
    match text.strip_prefix(['+', '-']) {
        Some(offset) => {
            let parts: Vec<Option<u32>> = offset.split(':').map(small).collect();
            offset.len() == 5 && matches!(parts[..], [Some(0..=23), Some(0..=59)])
        }
        None => text.eq_ignore_ascii_case("z"),
    }
}

/// `NAME=value`.
pub fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| !name.is_empty())
}

/// dev_valid_name() of the kernel, and `%d` for a number that the kernel chooses.
pub fn is_interface_name(name: &str) -> bool {
    let good = |c: char| !c.is_ascii_whitespace() && c != '/' && c != ':' && c != '\0';
    !name.is_empty() && name.len() < 16 && name != "." && name != ".." && name.chars().all(good)
}

/// A name that stays below the folder it is put in.
pub fn is_component(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0', '\n'])
}
