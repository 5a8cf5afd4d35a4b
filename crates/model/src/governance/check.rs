//! Everything that can be wrong with a governance record, each with its place.
//! Must not know how a record is enforced.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Condition, ConditionValue, GovernanceRecord, Operator, RateLimits, Takes, TimeRestrictions};
use crate::manifest::{nearest, quoted};
use crate::time::Weekday;

/// Most conditions of one record.
pub const CONDITIONS_MAX: usize = 64;
/// Longest description, in characters.
pub const DESCRIPTION_LENGTH_MAX: usize = 200;
/// Longest text that a field is compared with, in characters.
pub const VALUE_LENGTH_MAX: usize = 256;
/// Most values of one list.
pub const VALUES_MAX: usize = 64;
/// Most names on the way to a field.
pub const FIELD_DEPTH_MAX: usize = 8;
/// Highest limit of a rate.
pub const LIMIT_MAX: u64 = 1_000_000_000;
/// Longest service, intent and part of a field.
const NAME_LENGTH_MAX: usize = 63;
/// Longest name of a time zone.
const ZONE_LENGTH_MAX: usize = 64;
/// Characters that turn the direction of the text around them.
const TURNS: [char; 12] = [
    '\u{061c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}',
    '\u{2067}', '\u{2068}', '\u{2069}',
];

/// One thing that is wrong with a governance record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("`{pointer}`: {message}")]
pub struct GovernanceProblem {
    /// Where, as a JSON pointer into the record.
    pub pointer: String,
    /// What is wrong, and what may have been meant.
    pub message: String,
}

/// What was found so far.
#[derive(Default)]
struct Found(Vec<GovernanceProblem>);

impl Found {
    fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(GovernanceProblem { pointer: pointer.into(), message: message.into() });
    }
}

/// Checks a record.
pub(super) fn check(record: &GovernanceRecord) -> Result<(), Vec<GovernanceProblem>> {
    let mut found = Found::default();
    for (pointer, name) in [("/service", &record.service), ("/intent", &record.intent)] {
        if !is_name(name) {
            found.add(pointer, format!("{} is not a name: {NAME_FORM}", quoted(name)));
        }
    }
    description(&mut found, "/description", record.description.as_deref());
    if let Some(times) = &record.time_restrictions {
        time_restrictions(&mut found, times);
    }
    if let Some(limits) = &record.rate_limits {
        rate_limits(&mut found, limits);
    }
    if record.conditions.len() > CONDITIONS_MAX {
        found.add("/conditions", format!("there are more than {CONDITIONS_MAX} conditions"));
    }
    for (index, each) in record.conditions.iter().take(CONDITIONS_MAX).enumerate() {
        condition(&mut found, &format!("/conditions/{index}"), each);
    }
    if found.0.is_empty() { Ok(()) } else { Err(found.0) }
}

const NAME_FORM: &str = "it is 1 to 63 lower-case letters, digits, `_`, `.` and `-`, and begins with a letter or digit";

/// Says why `text` is not the name of a service or an intent, if it is not.
pub fn intent_problem(text: &str) -> Option<&'static str> {
    (!is_name(text)).then_some(NAME_FORM)
}

fn is_name(text: &str) -> bool {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let plain = |byte: u8| edge(byte) || b"_.-".contains(&byte);
    text.len() <= NAME_LENGTH_MAX && text.bytes().next().is_some_and(edge) && text.bytes().all(plain)
}

/// Whether a text is one of the names on the way to a field.
pub fn is_field_name(text: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    text.len() <= NAME_LENGTH_MAX && text.bytes().next().is_some_and(first) && text.bytes().all(plain)
}

fn description(found: &mut Found, pointer: &str, text: Option<&str>) {
    let Some(text) = text else { return };
    if text.trim().is_empty() {
        found.add(pointer, "it is empty; leave it out");
    } else if text.chars().count() > DESCRIPTION_LENGTH_MAX {
        found.add(pointer, format!("it is longer than {DESCRIPTION_LENGTH_MAX} characters"));
    } else if !stays_on_its_line(text) {
        found.add(pointer, "it holds a control character");
    }
}

fn turns(letter: char) -> bool {
    TURNS.contains(&letter)
}

/// Whether nothing in a text leaves its line or turns its direction: what people are shown.
pub fn stays_on_its_line(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_control() || turns(letter))
}

/// The text without what would leave its line, and cut to the length of a description.
pub(super) fn on_one_line(text: &str) -> String {
    let plain = |letter: char| !letter.is_control() && !turns(letter);
    let shown = text.chars().map(|letter| if plain(letter) { letter } else { ' ' });
    shown.take(DESCRIPTION_LENGTH_MAX).collect()
}

fn time_restrictions(found: &mut Found, times: &TimeRestrictions) {
    const AT: &str = "/time_restrictions";
    if let Some(hours) = &times.allowed_hours {
        distinct(found, &format!("{AT}/allowed_hours"), hours, |hour| {
            let known = (0..=23).contains(hour);
            (!known).then(|| format!("{hour} is not an hour; they go from 0 to 23"))
        });
    }
    if let Some(days) = &times.days {
        distinct(found, &format!("{AT}/days"), days, |day| unknown_day(day));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
    let zone = &times.timezone;
    if zone.is_empty() || zone.len() > ZONE_LENGTH_MAX || !zone.bytes().all(plain) {
        found.add(format!("{AT}/timezone"), format!("{} is not a time zone like `Europe/Berlin`", quoted(zone)));
    }
}

/// A list that names each of its entries once, and at least one.
fn distinct<T: Ord + std::fmt::Display>(
    found: &mut Found,
    pointer: &str,
    list: &[T],
    problem: impl Fn(&T) -> Option<String>,
) {
    if list.is_empty() {
        found.add(pointer, "it allows nothing; leave it out to allow all");
    }
    let mut used = BTreeSet::new();
    for (index, entry) in list.iter().take(VALUES_MAX).enumerate() {
        if let Some(message) = problem(entry) {
            found.add(format!("{pointer}/{index}"), message);
        } else if !used.insert(entry) {
            found.add(format!("{pointer}/{index}"), format!("{entry} is named twice"));
        }
    }
    if list.len() > VALUES_MAX {
        found.add(pointer, format!("it has more than {VALUES_MAX} entries"));
    }
}

fn unknown_day(day: &str) -> Option<String> {
    if Weekday::by_name(day).is_some() {
        return None;
    }
    let names = Weekday::ALL.map(Weekday::as_str);
    let lower: String = day.trim().chars().take(NAME_LENGTH_MAX).flat_map(char::to_lowercase).collect();
    let begun = names.into_iter().find(|name| lower.starts_with(name));
    let message = format!("there is no day {}; they are `{}`", quoted(day), names.join("`, `"));
    Some(with_meant(message, begun.or_else(|| nearest(day, names))))
}

fn with_meant(message: String, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("{message}; did you mean `{meant}`?"),
        None => message,
    }
}

fn rate_limits(found: &mut Found, limits: &RateLimits) {
    let each = [("requests_per_minute", limits.requests_per_minute), ("requests_per_hour", limits.requests_per_hour)];
    for (name, limit) in each {
        match limit {
            Some(0) => found.add(format!("/rate_limits/{name}"), "it allows nothing; disable the record instead"),
            Some(limit) if limit > LIMIT_MAX => {
                found.add(format!("/rate_limits/{name}"), format!("it is above {LIMIT_MAX}"));
            }
            _ => {}
        }
    }
}

fn condition(found: &mut Found, pointer: &str, condition: &Condition) {
    let names = condition.field.split('.');
    if names.clone().count() > FIELD_DEPTH_MAX || !names.clone().all(is_field_name) {
        let message = format!(
            "{} is not a field: write at most {FIELD_DEPTH_MAX} names with points between them, like \
            `user.id`; a name begins with a letter or `_`, and goes on with letters, digits, `_` and `-`",
            quoted(&condition.field)
        );
        found.add(format!("{pointer}/field"), message);
    }
    description(found, &format!("{pointer}/description"), condition.description.as_deref());
    match Operator::by_name(&condition.operator) {
        Some(operator) => value(found, &format!("{pointer}/value"), operator, condition.value.as_ref()),
        None => found.add(format!("{pointer}/operator"), unknown_operator(&condition.operator)),
    }
}

fn unknown_operator(name: &str) -> String {
    let names = || Operator::ALL.iter().map(|operator| operator.as_str());
    let signs = [
        ("=", "equals"),
        ("==", "equals"),
        ("!=", "not_equals"),
        (">", "greater_than"),
        (">=", "greater_or_equal"),
        ("<", "less_than"),
        ("<=", "less_or_equal"),
    ];
    let sign = signs.into_iter().find(|(sign, _)| *sign == name).map(|(_, meant)| meant);
    with_meant(format!("there is no operator {}", quoted(name)), sign.or_else(|| nearest(name, names())))
}

fn value(found: &mut Found, pointer: &str, operator: Operator, value: Option<&Value>) {
    let name = operator.as_str();
    match (operator.takes(), value) {
        (Takes::Nothing, None | Some(Value::Bool(true))) => {}
        (Takes::Nothing, Some(_)) => found.add(pointer, format!("`{name}` takes no value; leave it out")),
        (Takes::One(_), None) => found.add(pointer, format!("`{name}` takes a value")),
        (Takes::One(kinds), Some(value)) => match ConditionValue::of(value) {
            Some(read) if kinds.contains(&read.kind()) => texts(found, pointer, operator, &read),
            read => {
                let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
                let given = read.map_or_else(|| UNREADABLE.to_owned(), |read| format!("this is {}", read.kind()));
                found.add(pointer, format!("`{name}` takes {}; {given}", kinds.join(" or ")));
            }
        },
    }
}

const UNREADABLE: &str =
    "a number has at most four digits behind the point, and a list is not empty and all of one type";

/// Every text is short and hides nothing, and is not one that every text has in it.
fn texts(found: &mut Found, pointer: &str, operator: Operator, value: &ConditionValue) {
    let looks_inside =
        matches!(operator, Operator::Contains | Operator::NotContains | Operator::StartsWith | Operator::EndsWith);
    match value {
        ConditionValue::Text(text) if text.is_empty() && looks_inside => {
            found.add(pointer, "it is empty, and so in every text");
        }
        ConditionValue::Text(text) => hidden(found, pointer, text),
        ConditionValue::Texts(texts) => {
            texts
                .iter()
                .take(VALUES_MAX)
                .enumerate()
                .for_each(|(index, text)| hidden(found, &format!("{pointer}/{index}"), text));
        }
        ConditionValue::Number(_) | ConditionValue::Boolean(_) | ConditionValue::Numbers(_) => {}
    }
    let count = match value {
        ConditionValue::Texts(texts) => texts.len(),
        ConditionValue::Numbers(numbers) => numbers.len(),
        ConditionValue::Text(_) | ConditionValue::Number(_) | ConditionValue::Boolean(_) => 0,
    };
    if count > VALUES_MAX {
        found.add(pointer, format!("it has more than {VALUES_MAX} entries"));
    }
}

fn hidden(found: &mut Found, pointer: &str, text: &str) {
    if text.chars().count() > VALUE_LENGTH_MAX {
        found.add(pointer, format!("it is longer than {VALUE_LENGTH_MAX} characters"));
    } else if text.chars().any(turns) {
        found.add(pointer, "it holds a character that turns the direction of the text");
    }
}
