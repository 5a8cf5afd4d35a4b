//! A point in time, in milliseconds, written as RFC 3339 in UTC. Reads no clock.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// The last moment that four digits of a year can name.
const LATEST_MS: u64 = 253_402_300_799_999;
const DAY_MS: u64 = 86_400_000;

const HOUR_MS: u64 = 3_600_000;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Weekday {
    /// Monday.
    #[serde(rename = "mon")]
    Monday,
    /// Tuesday.
    #[serde(rename = "tue")]
    Tuesday,
    /// Wednesday.
    #[serde(rename = "wed")]
    Wednesday,
    /// Thursday.
    #[serde(rename = "thu")]
    Thursday,
    /// Friday.
    #[serde(rename = "fri")]
    Friday,
    /// Saturday.
    #[serde(rename = "sat")]
    Saturday,
    /// Sunday.
    #[serde(rename = "sun")]
    Sunday,
}

impl Weekday {
    /// Every day, from Monday on.
    pub const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];

    /// The day as it is written: its first three letters in English.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "mon",
            Self::Tuesday => "tue",
            Self::Wednesday => "wed",
            Self::Thursday => "thu",
            Self::Friday => "fri",
            Self::Saturday => "sat",
            Self::Sunday => "sun",
        }
    }

    /// The day that is written like this.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|day| day.as_str() == name)
    }

    /// The day with this number, where 1970-01-01, a Thursday, is day 0.
    const fn of_day_number(day: u64) -> Self {
        match day % 7 {
            0 => Self::Thursday,
            1 => Self::Friday,
            2 => Self::Saturday,
            3 => Self::Sunday,
            4 => Self::Monday,
            5 => Self::Tuesday,
            _ => Self::Wednesday,
        }
    }
}

/// A text that is not an RFC 3339 time in UTC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time of the form 2026-01-31T12:00:00Z")]
pub struct TimeError(String);

impl Timestamp {
    /// The moment `ms` milliseconds after the epoch; later than the year 9999 is clamped.
    pub const fn from_millis(ms: u64) -> Self {
        Self(if ms > LATEST_MS { LATEST_MS } else { ms })
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The moment `ms` later.
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self::from_millis(self.0.saturating_add(ms))
    }

    /// The hour of the day in UTC, 0 to 23.
    pub const fn hour(self) -> u64 {
        self.0 % DAY_MS / HOUR_MS
    }

    /// The day of the week in UTC.
    pub const fn weekday(self) -> Weekday {
        Weekday::of_day_number(self.0 / DAY_MS)
    }

    /// Milliseconds from `earlier` to here, 0 if `earlier` is later.
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Year, month and day of a day number (days since 1970-01-01), in the Gregorian calendar.
/// Counts in 400-year eras that begin on 1 March, so that leap days end a year.
const fn civil(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_month)
}

/// The day number of a date, if it is one from 1970 on.
fn day_number(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    let from_march = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (from_march / 400, from_march % 400);
    let month_from_march = (month + 9) % 12;
    let of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let number = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    let number = number.checked_sub(719_468)?;
    (civil(number) == (year, month, day)).then_some(number)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0 / DAY_MS);
        let of_day = self.0 % DAY_MS;
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, ms) = (of_day / 1_000 % 60, of_day % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        parse(text).ok_or_else(|| TimeError(text.chars().take(40).collect()))
    }
}

/// Reads `YYYY-MM-DDTHH:MM:SS[.fff…]Z`.
fn parse(text: &str) -> Option<Timestamp> {
    let rest = text.strip_suffix('Z')?;
    let (date, clock) = rest.split_once('T')?;
    let mut days = date.split('-');
    let (year, month, day) = (digits(days.next()?, 4)?, digits(days.next()?, 2)?, digits(days.next()?, 2)?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let (hour, minute, second) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if days.next().is_some() || parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let day = day_number(year, month, day)?;
    Some(Timestamp::from_millis(day * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1_000 + ms))
}

/// The number that exactly `count` digits spell.
fn digits(text: &str, count: usize) -> Option<u64> {
    let whole = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| text.parse().ok()).flatten()
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments_are_written_as_expected() {
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(951_782_400_000).to_string(), "2000-02-29T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn hours_and_weekdays_are_those_of_the_calendar() {
        let check = |text: &str, day: &str, hour: u64| {
            let moment: Timestamp = text.parse().unwrap();
            assert_eq!((moment.weekday().as_str(), moment.hour()), (day, hour), "{text}");
        };
        check("1970-01-01T00:00:00Z", "thu", 0);
        check("2000-02-29T23:59:59.999Z", "tue", 23);
        check("2024-02-29T12:00:00Z", "thu", 12);
        check("2026-01-31T00:59:59Z", "sat", 0);
        check("2026-02-01T01:00:00Z", "sun", 1);
        check("2026-02-02T13:00:00Z", "mon", 13);
        check("2026-02-04T13:00:00Z", "wed", 13);
        check("2026-02-06T13:00:00Z", "fri", 13);
    }

    #[test]
    fn weekdays_have_one_name_each() {
        for day in Weekday::ALL {
            assert_eq!(Weekday::by_name(day.as_str()), Some(day));
            assert_eq!(serde_json::to_value(day).unwrap(), day.as_str());
        }
        assert_eq!(Weekday::by_name("Mon"), None);
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        for bad in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01",
            "",
            "x",
            "2026-1-01T00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+01:00",
            "1969-12-31T00:00:00Z",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_reads_back(ms in 0..=LATEST_MS) {
            let moment = Timestamp::from_millis(ms);
            prop_assert_eq!(moment.to_string().parse::<Timestamp>().ok(), Some(moment));
        }
    }
}
