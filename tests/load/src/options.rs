//! The `key=value` words of the command line.
//!
//! Owns their parsing and the refusal of words nobody asked for; must not know what any of them
//! mean to a subcommand.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::Outcome;

/// The words of one command line, each taken out by whoever needs it.
pub struct Options {
    words: BTreeMap<String, String>,
}

impl Options {
    /// Reads every word as `key=value`.
    ///
    /// # Errors
    /// When a word has no `=` or a key comes twice.
    pub fn parse(words: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut known = BTreeMap::new();
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is not key=value"))?;
            if known.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(format!("`{key}` is given twice").into());
            }
        }
        Ok(Self { words: known })
    }

    /// Takes a word that may be missing.
    pub fn take(&mut self, key: &str) -> Option<String> {
        self.words.remove(key)
    }

    /// Takes a word that must be there.
    ///
    /// # Errors
    /// When it is missing.
    pub fn need(&mut self, key: &str) -> Outcome<String> {
        self.take(key).ok_or_else(|| format!("`{key}=` is missing").into())
    }

    /// Takes a number, or what stands for it when it is missing.
    ///
    /// # Errors
    /// When it is missing without a replacement, or is no such number.
    pub fn number<T: FromStr>(&mut self, key: &str, otherwise: Option<T>) -> Outcome<T> {
        match (self.take(key), otherwise) {
            (Some(text), _) => text.parse().map_err(|_| format!("`{key}={text}` is not a number").into()),
            (None, Some(number)) => Ok(number),
            (None, None) => Err(format!("`{key}=` is missing").into()),
        }
    }

    /// Takes a count that makes sense only from one upwards.
    ///
    /// # Errors
    /// As [`Options::number`], and when it is zero.
    pub fn at_least_one(&mut self, key: &str, otherwise: Option<usize>) -> Outcome<usize> {
        match self.number(key, otherwise)? {
            0 => Err(format!("`{key}` must be at least 1").into()),
            number => Ok(number),
        }
    }

    /// Takes a switch, which is on as `1` and off as `0` or when missing.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn switch(&mut self, key: &str) -> Outcome<bool> {
        match self.take(key).as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(other) => Err(format!("`{key}={other}` is neither 0 nor 1").into()),
        }
    }

    /// Ends the taking, so that a misspelt word is not silently without effect.
    ///
    /// # Errors
    /// When a word is left over.
    pub fn finish(self) -> Outcome<()> {
        match self.words.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("`{key}=` is unknown to this subcommand").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn options(line: &str) -> Options {
        Options::parse(line.split_whitespace().map(str::to_owned)).unwrap()
    }

    #[test]
    fn a_word_without_a_value_or_given_twice_is_refused() {
        assert!(Options::parse(["count".to_owned()].into_iter()).is_err());
        assert!(Options::parse(["a=1".to_owned(), "a=2".to_owned()].into_iter()).is_err());
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        assert_eq!(options("hello=a=b").need("hello").unwrap(), "a=b");
    }

    #[test]
    fn a_word_that_nobody_takes_is_refused() {
        let mut words = options("count=3 cuont=4");
        assert_eq!(words.number::<usize>("count", None).unwrap(), 3);
        assert!(words.finish().is_err());
    }

    #[test]
    fn counts_and_switches_are_held_to_their_range() {
        assert!(options("count=0").at_least_one("count", None).is_err());
        assert!(options("direct=yes").switch("direct").is_err());
        assert!(options("direct=1").switch("direct").unwrap());
        assert!(!options("").switch("direct").unwrap());
    }
}
