//! Times in the database: whole microseconds since 1970, which SQLite and PostgreSQL both keep exactly.

use jiff::Timestamp;

/// The column value of a time.
pub fn to_micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// The time of a column value; what no calendar holds becomes the nearest end of time.
pub fn from_micros(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_database_to_the_microsecond() {
        for text in ["2026-11-22T03:59:01.123456Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z"] {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(from_micros(to_micros(time)), time);
        }
        assert_eq!(from_micros(i64::MAX), Timestamp::MAX);
        assert_eq!(from_micros(i64::MIN), Timestamp::MIN);
    }
}
