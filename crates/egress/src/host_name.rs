//! The one function by which a host in a request becomes the name that is judged, so that
//! what is judged and what is dialled cannot be two names. Must not know: who may reach what,
//! and which addresses a name has.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::address::literal;

/// The longest name, without the dot at its end.
pub const NAME_BYTES_MAX: usize = 253;
/// The longest label of a name.
pub const LABEL_BYTES_MAX: usize = 63;

/// The name of a host: lower-case, without a dot at its end, and not an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

/// Why a text is not the name of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostProblem {
    /// There is nothing.
    #[error("a host is empty")]
    Empty,
    /// Longer than a name can be.
    #[error("a host is longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// It could be written in more than one way.
    #[error("a host holds a letter outside of ASCII: write it in its `xn--` form")]
    NotAscii,
    /// Whoever reads it next could see another host in it.
    #[error("a host holds the character `{}`", .0.escape_default())]
    Character(char),
    /// Two dots in a row, or one at the beginning.
    #[error("a host holds an empty label")]
    EmptyLabel,
    /// A label longer than a label can be.
    #[error("a host holds a label of more than {LABEL_BYTES_MAX} bytes")]
    LabelTooLong,
    /// A label that begins or ends with `-`.
    #[error("a host holds a label that begins or ends with `-`")]
    Hyphen,
    /// It spells an address, or somebody could read it as one.
    #[error("a host is an address and not a name")]
    Address(Option<IpAddr>),
}

impl HostName {
    /// Reads a host as a request gives it, without a port.
    ///
    /// # Errors
    /// When the text is not a name, or could be read as something else than this name.
    pub fn read(text: &str) -> Result<Self, HostProblem> {
        // The length comes first, because everything after it reads the whole text.
        if text.len() > NAME_BYTES_MAX.saturating_add(1) {
            return Err(HostProblem::TooLong);
        }
        if !text.is_ascii() {
            return Err(HostProblem::NotAscii);
        }
        if let Some(address) = literal(text) {
            return Err(HostProblem::Address(Some(address)));
        }
        if let Some(character) = text.chars().find(|character| !can_stand_in_a_host(*character)) {
            return Err(HostProblem::Character(character));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        check_labels(name)?;
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for HostName {
    type Err = HostProblem;

    fn from_str(text: &str) -> Result<Self, HostProblem> {
        Self::read(text)
    }
}

fn can_stand_in_a_host(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}

fn check_labels(name: &str) -> Result<(), HostProblem> {
    if name.is_empty() {
        return Err(HostProblem::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(HostProblem::TooLong);
    }
    name.split('.').try_for_each(check_label)?;
    // No domain ends in a number, but many a reader takes what does for an address.
    if name.rsplit('.').next().is_some_and(is_number) { Err(HostProblem::Address(None)) } else { Ok(()) }
}

fn check_label(label: &str) -> Result<(), HostProblem> {
    if label.is_empty() {
        Err(HostProblem::EmptyLabel)
    } else if label.len() > LABEL_BYTES_MAX {
        Err(HostProblem::LabelTooLong)
    } else if label.starts_with('-') || label.ends_with('-') {
        Err(HostProblem::Hyphen)
    } else {
        Ok(())
    }
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
        None => label.bytes().all(|digit| digit.is_ascii_digit()),
    }
}

#[cfg(test)]
#[path = "host_name_tests.rs"]
mod tests;
