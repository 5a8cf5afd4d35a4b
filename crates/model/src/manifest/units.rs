//! Amounts as they are written in a manifest: `500m` of a processor, `256Mi`, `5m` of time.
//! One spelling per amount comes out, so that a stored manifest compares by its text.
//! Must not know: which amounts are sensible where; that is said in `checks`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::secret_look;

/// Why a text is not what its field asks for, and what may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnitError {
    /// One sentence that follows the name of the field.
    pub message: String,
    /// What may have been meant.
    pub suggestion: Option<String>,
}

impl UnitError {
    /// An error without a better idea.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None }
    }

    /// An error with a better idea.
    pub(super) fn meant(message: impl Into<String>, suggestion: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: Some(suggestion.into()) }
    }
}

/// Longest piece of a hostile text that a message repeats.
const SHOWN_LENGTH_MAX: usize = 64;

/// The text in backticks, escaped, and cut where a hostile one would flood a message. What
/// looks like a secret, put into the wrong place, is not repeated.
pub(crate) fn quoted(text: &str) -> String {
    if secret_look::reason(text).is_some() {
        return "`…`".to_owned();
    }
    let shown: String = text.chars().take(SHOWN_LENGTH_MAX).flat_map(char::escape_debug).collect();
    let cut = if text.chars().nth(SHOWN_LENGTH_MAX).is_some() { "…" } else { "" };
    format!("`{shown}{cut}`")
}

/// Splits `256Mi` into its digits and what follows them.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

/// The largest unit that spells `amount` without a remainder; the last unit counts 1.
fn spell(f: &mut fmt::Formatter<'_>, amount: u64, units: &[(&str, u64)]) -> fmt::Result {
    let exact = units.iter().find(|(_, factor)| amount != 0 && amount.is_multiple_of(*factor));
    match exact.or(units.last()) {
        Some((unit, factor)) => write!(f, "{}{unit}", amount / factor),
        None => write!(f, "{amount}"),
    }
}

/// A share of the processors, in thousandths of one: `500m`, `2`, `1.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpu {
    millis: u32,
}

impl Cpu {
    /// That many thousandths of a processor.
    pub const fn from_millis(millis: u32) -> Self {
        Self { millis }
    }

    /// Thousandths of a processor.
    pub const fn as_millis(self) -> u32 {
        self.millis
    }
}

impl FromStr for Cpu {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::new(format!("{} is not an amount of processors like `500m` or `2`", quoted(text)));
        let millis = match text.strip_suffix('m') {
            Some(digits) => split_number(digits).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number),
            None => thousandths(text),
        };
        let millis = millis.and_then(|millis| u32::try_from(millis).ok()).ok_or_else(wrong)?;
        Ok(Self { millis })
    }
}

/// Reads `2`, `1.5` or `0.125` as thousandths; more than three decimals are not an amount.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || fraction.len() > 3 {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<3}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(fraction)
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        spell(f, u64::from(self.millis), &[("", 1000), ("m", 1)])
    }
}

/// An amount of memory or disk: `512Ki`, `256Mi`, `1Gi`, `2Ti`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Memory {
    bytes: u64,
}

/// Largest first, as [`spell`] wants them.
const MEMORY_UNITS: &[(&str, u64)] = &[("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];

impl Memory {
    /// That many bytes, rounded down to a multiple of 1024.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self { bytes: bytes & !1023 }
    }

    /// The amount in bytes.
    pub const fn as_bytes(self) -> u64 {
        self.bytes
    }
}

impl FromStr for Memory {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let message = || format!("{} is not an amount like `256Mi` or `1Gi`", quoted(text));
        let (number, unit) = split_number(text).ok_or_else(|| UnitError::new(message()))?;
        match MEMORY_UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, factor)) => {
                let bytes = number.checked_mul(*factor).ok_or_else(|| UnitError::new(message()))?;
                Ok(Self { bytes })
            }
            None => Err(match meant_memory_unit(unit) {
                Some(meant) => UnitError::meant(message(), format!("{number}{meant}")),
                None => UnitError::new(message()),
            }),
        }
    }
}

/// The binary unit that `MB`, `gb` or `k` probably means.
fn meant_memory_unit(unit: &str) -> Option<&'static str> {
    match unit.trim().to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "k" => Some("Ki"),
        "m" => Some("Mi"),
        "g" => Some("Gi"),
        "t" => Some("Ti"),
        _ => None,
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        spell(f, self.bytes, MEMORY_UNITS)
    }
}

/// A length of time: `250ms`, `15s`, `5m`, `8h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    ms: u64,
}

/// Largest first, as [`spell`] wants them.
const DURATION_UNITS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Duration {
    /// That many milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self { ms }
    }

    /// The length in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.ms
    }
}

impl FromStr for Duration {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let message = || format!("{} is not a length of time like `15s`, `5m` or `8h`", quoted(text));
        let (number, unit) = split_number(text).ok_or_else(|| UnitError::new(message()))?;
        if unit.is_empty() {
            return Err(UnitError::meant(message(), format!("{number}s")));
        }
        let factor = DURATION_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        let ms = factor.and_then(|factor| number.checked_mul(factor));
        ms.map(|ms| Self { ms }).ok_or_else(|| UnitError::new(message()))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        spell(f, self.ms, DURATION_UNITS)
    }
}

/// Reads a unit from text; a bare number is offered to the unit as its digits.
struct UnitVisitor<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = UnitError>> Visitor<'_> for UnitVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount with its unit")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<T, E> {
        number.to_string().parse().map_err(|_| E::invalid_value(Unexpected::Float(number), &self))
    }
}

macro_rules! unit {
    ($type:ident, $format:literal, $json_type:tt, $pattern:literal, $what:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(UnitVisitor(std::marker::PhantomData)).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": $json_type, "format": $format, "pattern": $pattern, "description": $what})
            }
        }
    };
}

unit!(
    Cpu,
    "aegis-cpu",
    ["string", "number"],
    "^([0-9]+m|[0-9]+(\\.[0-9]{1,3})?)$",
    "A share of the processors: `500m`, `2`, `1.5`."
);
unit!(Memory, "aegis-memory", "string", "^[0-9]+(Ki|Mi|Gi|Ti)$", "An amount of memory or disk: `256Mi`, `1Gi`.");
unit!(Duration, "aegis-duration", "string", "^[0-9]+(ms|s|m|h|d)$", "A length of time: `250ms`, `15s`, `5m`, `8h`.");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check<T: FromStr<Err = UnitError> + fmt::Display>(text: &str, expected: Result<&str, Option<&str>>) {
        let found = text.parse::<T>().map(|unit| unit.to_string()).map_err(|error| error.suggestion);
        let found = found.as_deref().map_err(Option::as_deref);
        assert_eq!(found, expected.as_ref().map(|text| *text).map_err(|meant| *meant), "{text:?}");
    }

    #[test]
    fn processors_are_read_in_one_spelling() {
        check::<Cpu>("500m", Ok("500m"));
        check::<Cpu>("2", Ok("2"));
        check::<Cpu>("2000m", Ok("2"));
        check::<Cpu>("1.5", Ok("1500m"));
        check::<Cpu>("0.125", Ok("125m"));
        for bad in ["", "m", "-1", "+1", "1.", ".5", "1.2345", "1e3", "1 m", "99999999999", "½", "1,5"] {
            check::<Cpu>(bad, Err(None));
        }
    }

    #[test]
    fn memory_is_read_in_one_spelling() {
        check::<Memory>("256Mi", Ok("256Mi"));
        check::<Memory>("1024Mi", Ok("1Gi"));
        check::<Memory>("0Mi", Ok("0Ki"));
        check::<Memory>("512MB", Err(Some("512Mi")));
        check::<Memory>("1gb", Err(Some("1Gi")));
        check::<Memory>("3 m", Err(Some("3Mi")));
        for bad in ["", "Mi", "-1Mi", "12", "1.5Gi", "99999999999999999999Ti", "9999999999999Ti"] {
            check::<Memory>(bad, Err(None));
        }
    }

    #[test]
    fn time_is_read_in_one_spelling() {
        check::<Duration>("90s", Ok("90s"));
        check::<Duration>("60s", Ok("1m"));
        check::<Duration>("1500ms", Ok("1500ms"));
        check::<Duration>("24h", Ok("1d"));
        check::<Duration>("300", Err(Some("300s")));
        for bad in ["", "s", "5 m", "5M", "1h30m", "99999999999999999999d", "99999999999999999d"] {
            check::<Duration>(bad, Err(None));
        }
    }

    proptest! {
        #[test]
        fn every_amount_reads_back(millis in any::<u32>(), kibibytes in 0..(1_u64 << 50), ms in any::<u64>()) {
            prop_assert_eq!(Cpu::from_millis(millis).to_string().parse(), Ok(Cpu::from_millis(millis)));
            let memory = Memory::from_bytes(kibibytes << 10);
            prop_assert_eq!(memory.to_string().parse(), Ok(memory));
            prop_assert_eq!(Duration::from_millis(ms).to_string().parse(), Ok(Duration::from_millis(ms)));
        }
    }
}
