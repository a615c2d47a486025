//! When a whitelist item ends.

use jiff::{Timestamp, civil::DateTime, tz::Offset};

/// Reads `2031-01-01T00:00:00Z`, `…00.123Z` or `…00:123Z`, always UTC; `None` for anything else.
///
/// The request schema lets more through (any letter, no letter), which the evaluator has never understood: an item with
/// such a date is a mistake and not an item without an end.
pub(crate) fn parse_expiry(text: &str) -> Option<Timestamp> {
    let (start, end) = text.split_at_checked(19)?;
    if !start.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'T' | b':')) {
        return None;
    }
    let nanoseconds = match end.strip_suffix('Z')? {
        "" => 0,
        fraction => {
            let digits = fraction.strip_prefix(['.', ':'])?;
            if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            format!("{digits:0<9}").parse::<i32>().ok()?
        }
    };
    let date_time: DateTime = start.parse().ok()?;
    let date_time = date_time.with().subsec_nanosecond(nanoseconds).build().ok()?;
    Offset::UTC.to_timestamp(date_time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_are_read_and_nothing_else() {
        let cases = [
            ("2031-01-01T00:00:00Z", Some("2031-01-01T00:00:00Z")),
            ("2031-01-01T00:00:00.5Z", Some("2031-01-01T00:00:00.5Z")),
            ("2031-01-01T00:00:00.123456Z", Some("2031-01-01T00:00:00.123456Z")),
            ("2031-01-01T00:00:00:000123Z", Some("2031-01-01T00:00:00.000123Z")),
            ("2031-01-01T00:00:00.1234567Z", None),
            ("2031-01-01T00:00:00", None),
            ("2031-01-01T00:00:00A", None),
            ("2031-01-01T00:00:00.Z", None),
            ("2031-01-01T00:00:00.5:5Z", None),
            ("2031-13-01T00:00:00Z", None),
            ("2031-02-30T00:00:00Z", None),
            ("9999-99-99T99:99:99Z", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_expiry(text), expected.map(|expected| expected.parse().unwrap()), "{text}");
        }
    }
}
