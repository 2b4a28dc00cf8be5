//! RFC 3339 in and out, in UTC, to the nanosecond.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `2026-01-31T23:59:59.000000001Z`.
pub const LENGTH: usize = 30;

pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Always with nine digits of a second's fraction.
pub fn format(since: Duration) -> [u8; LENGTH] {
    let (year, month, day) = date_of((since.as_secs() / 86_400) as i64);
    let rest = since.as_secs() % 86_400;
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    digits(&mut text[0..4], year.unsigned_abs());
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], rest / 3600);
    digits(&mut text[14..16], rest / 60 % 60);
    digits(&mut text[17..19], rest % 60);
    digits(&mut text[20..29], u64::from(since.subsec_nanos()));
    text
}

pub fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Days to a date: eras of 400 years that begin on 1 March.
fn date_of(days: i64) -> (i64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u64, day as u64)
}

fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Nanoseconds since 1970 of a time with `Z` or an offset; nothing may follow it.
pub fn parse(text: &[u8]) -> Option<i128> {
    let fixed = text.get(..19)?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| fixed[*at] != *mark) {
        return None;
    }
    let part = |from: usize, to: usize| number(&fixed[from..to]);
    let days = days_of(part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let mut seconds = days * 86_400 + part(11, 13)? * 3600 + part(14, 16)? * 60 + part(17, 19)?;
    let mut rest = &text[19..];
    let mut nanos = 0;
    if let [b'.', fraction @ ..] = rest {
        let count = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let used = count.min(9);
        nanos = number(fraction.get(..used)?)? * 10_i64.pow(9 - used as u32);
        rest = &fraction[count..];
    }
    match rest {
        [b'Z' | b'z'] => {}
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let offset = number(&[*h1, *h2])? * 3600 + number(&[*m1, *m2])? * 60;
            seconds -= if *sign == b'+' { offset } else { -offset };
        }
        _ => return None,
    }
    Some(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
}

/// Digits and nothing else, at least one.
fn number(text: &[u8]) -> Option<i64> {
    let add = |sum: i64, byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'));
    (!text.is_empty()).then_some(())?;
    text.iter().try_fold(0, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seconds: u64, nanos: u32) -> String {
        String::from_utf8(format(Duration::new(seconds, nanos)).to_vec()).unwrap()
    }

    #[test]
    fn known_times_are_written() {
        assert_eq!(text(0, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(text(951_827_696, 5), "2000-02-29T12:34:56.000000005Z");
        assert_eq!(text(4_102_444_799, 999_999_999), "2099-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn what_was_written_is_read() {
        for day in 0..60_000 {
            let since = Duration::new(day * 86_400 + day % 86_400, (day * 7919) as u32);
            assert_eq!(parse(&format(since)), Some(since.as_nanos() as i128));
        }
    }

    #[test]
    fn offsets_and_fractions_of_any_length_are_read() {
        let second = 951_827_696_000_000_000;
        assert_eq!(parse(b"2000-02-29T12:34:56Z"), Some(second));
        assert_eq!(parse(b"2000-02-29T14:34:56.5+02:00"), Some(second + 500_000_000));
        assert_eq!(parse(b"2000-02-29T07:04:56.0000000019-05:30"), Some(second + 1));
    }

    #[test]
    fn anything_else_is_no_time() {
        for wrong in [
            "",
            "2000-02-29",
            "2000-02-29T12:34:56",
            "2000-02-29 12:34:56Z",
            "2000-02-29T12:34:56.Z",
            "2000-02-29T12:34:56Zx",
        ] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
