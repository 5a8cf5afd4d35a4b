//! What a field is compared with, and numbers that compare as numbers however they are written.
//! Must not know operators.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many billionths make one.
const BILLION: i128 = 1_000_000_000;
/// Digits behind the point that are kept.
const DIGITS: usize = 9;

/// A number to the billionth, so that `1`, `1.0` and `1.000` are the same. What is finer is
/// rounded to the nearest one, away from zero where two are equally near.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Number {
    /// The greatest whole number that is not above it.
    pub whole: i64,
    /// What it is above that, in billionths: 0 to 999,999,999.
    pub billionths: i64,
}

impl Number {
    /// The whole number.
    pub const fn whole(whole: i64) -> Self {
        Self { whole, billionths: 0 }
    }

    /// A number of JSON; none where it lies beyond the whole numbers of 64 bits with a sign.
    pub fn of(number: &serde_json::Number) -> Option<Self> {
        match number.as_i64() {
            Some(whole) => Some(Self::whole(whole)),
            // The shortest text that reads back as the same number, never with an exponent.
            None => Self::parse(&number.as_f64().filter(|_| !number.is_u64())?.to_string()),
        }
    }

    /// Reads `-12.034`.
    fn parse(text: &str) -> Option<Self> {
        let (negative, plain) = text.strip_prefix('-').map_or((false, text), |plain| (true, plain));
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
        // More than a number of 64 bits has lies beyond, and must not overflow on the way.
        let whole: i128 = whole.parse().ok().filter(|whole| *whole <= i128::from(u64::MAX))?;
        let kept: i128 = format!("{fraction:0<DIGITS$}").get(..DIGITS)?.parse().ok()?;
        let next = fraction.as_bytes().get(DIGITS).is_some_and(|digit| *digit >= b'5');
        let total = whole * BILLION + kept + i128::from(next);
        let total = if negative { -total } else { total };
        let whole = i64::try_from(total.div_euclid(BILLION)).ok()?;
        let billionths = i64::try_from(total.rem_euclid(BILLION)).ok()?;
        Some(Self { whole, billionths })
    }
}

/// What kind of value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueKind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// A boolean.
    Boolean,
    /// A list of texts.
    Texts,
    /// A list of whole numbers.
    Numbers,
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Texts => "a list of texts",
            Self::Numbers => "a list of whole numbers",
        })
    }
}

/// What a field is compared with, once it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConditionValue {
    /// A text.
    Text(String),
    /// A number with at most four digits behind the point.
    Number(Number),
    /// A boolean.
    Boolean(bool),
    /// Some texts.
    Texts(Vec<String>),
    /// Some whole numbers.
    Numbers(Vec<i64>),
}

impl ConditionValue {
    /// Reads a value; none where it is of no form that a condition can have.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Bool(value) => Some(Self::Boolean(*value)),
            Value::Number(number) => {
                let number = Number::of(number).filter(|_| has_few_digits(number))?;
                Some(Self::Number(number))
            }
            Value::Array(list) => Self::of_list(list),
            Value::Null | Value::Object(_) => None,
        }
    }

    fn of_list(list: &[Value]) -> Option<Self> {
        let texts: Option<Vec<String>> = list.iter().map(|entry| entry.as_str().map(str::to_owned)).collect();
        let numbers: Option<Vec<i64>> = list.iter().map(Value::as_i64).collect();
        match (list.is_empty(), texts, numbers) {
            (false, Some(texts), _) => Some(Self::Texts(texts)),
            (false, None, Some(numbers)) => Some(Self::Numbers(numbers)),
            _ => None,
        }
    }

    /// What kind of value it is.
    pub const fn kind(&self) -> ValueKind {
        match self {
            Self::Text(_) => ValueKind::Text,
            Self::Number(_) => ValueKind::Number,
            Self::Boolean(_) => ValueKind::Boolean,
            Self::Texts(_) => ValueKind::Texts,
            Self::Numbers(_) => ValueKind::Numbers,
        }
    }
}

/// Whether it has at most four digits behind the point.
fn has_few_digits(number: &serde_json::Number) -> bool {
    let written = number.as_f64().filter(|_| number.is_f64()).map(|number| number.to_string());
    written.is_none_or(|written| written.split_once('.').is_none_or(|(_, fraction)| fraction.len() <= 4))
}
