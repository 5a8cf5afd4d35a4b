//! What an attack is and how its outcome is judged. Owns the rule which errors count as a refusal.

use crate::errno::Errno;
use serde_json::{Value, json};

/// What an attack aims at.
#[derive(Clone, Copy)]
pub enum Area {
    /// System calls and the confinement itself.
    Kernel,
    /// The file system, `/proc`, `/sys` and `/dev`.
    Files,
    /// Ways to talk to somebody outside.
    Channels,
    /// Secrets that may lie about.
    Credentials,
    /// The one way out, and the guest that holds it.
    Door,
}

impl Area {
    fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Files => "files",
            Self::Channels => "channels",
            Self::Credentials => "credentials",
            Self::Door => "door",
        }
    }
}

/// One attack: its name and the function that tries it.
pub struct Attack {
    /// The name on the command line.
    pub name: &'static str,
    area: Area,
    tries: &'static str,
    /// Tries it, in a process of its own.
    pub run: fn() -> Outcome,
}

impl Attack {
    /// An attack for a table.
    pub const fn new(area: Area, name: &'static str, tries: &'static str, run: fn() -> Outcome) -> Self {
        Self { name, area, tries, run }
    }

    /// The line of `attacks list`.
    pub fn describe(&self) -> Value {
        json!({"name": self.name, "area": self.area.name(), "tries": self.tries})
    }

    /// The line of `attacks run`.
    pub fn report(&self, outcome: &Outcome) -> Value {
        let mut line = self.describe();
        line["held"] = json!(outcome.held);
        line["why"] = json!(outcome.why);
        line
    }
}

/// How an attack ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The attack failed.
    pub held: bool,
    /// What was answered.
    pub why: String,
}

/// The longest reason that is printed.
const WHY_CHARACTERS_MAX: usize = 400;

impl Outcome {
    /// The attack failed.
    pub fn held(why: impl Into<String>) -> Self {
        Self { held: true, why: why.into() }
    }

    /// The attack succeeded, or might have with other arguments.
    pub fn broken(why: impl Into<String>) -> Self {
        Self { held: false, why: why.into() }
    }

    /// Held if `result` is an error that says no: any other error means that the call was reached.
    pub fn refused<T>(what: &str, result: Result<T, Errno>) -> Self {
        Self::refused_or(what, result, &[])
    }

    /// Like [`Self::refused`], with further errors that say no.
    pub fn refused_or<T>(what: &str, result: Result<T, Errno>, also: &[i32]) -> Self {
        match result {
            Ok(_) => Self::broken(format!("{what}: succeeded")),
            Err(errno) if errno.is_refusal() || also.contains(&errno.0) => Self::held(format!("{what}: {errno}")),
            Err(errno) => Self::broken(format!("{what}: {errno}, so it was reachable")),
        }
    }

    /// Held if `result` is any error: for calls whose every failure is harmless.
    pub fn failed<T>(what: &str, result: Result<T, Errno>) -> Self {
        match result {
            Ok(_) => Self::broken(format!("{what}: succeeded")),
            Err(errno) => Self::held(format!("{what}: {errno}")),
        }
    }

    /// Held if every one of `outcomes` is; the reasons are those that decided.
    pub fn all(outcomes: impl IntoIterator<Item = Self>) -> Self {
        let (held, broken): (Vec<Self>, Vec<Self>) = outcomes.into_iter().partition(|outcome| outcome.held);
        let deciding = if broken.is_empty() { &held } else { &broken };
        let mut reasons: Vec<&str> = Vec::new();
        for outcome in deciding {
            if !reasons.contains(&outcome.why.as_str()) {
                reasons.push(&outcome.why);
            }
        }
        let why = if reasons.is_empty() { "nothing there".to_owned() } else { reasons.join("; ") };
        Self { held: broken.is_empty(), why: why.chars().take(WHY_CHARACTERS_MAX).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Errno, Outcome};

    #[test]
    fn only_an_error_that_says_no_is_a_refusal() {
        assert!(Outcome::refused("x", Err::<(), _>(Errno(libc::EPERM))).held);
        assert!(!Outcome::refused("x", Err::<(), _>(Errno(libc::EINVAL))).held);
        assert!(Outcome::refused_or("x", Err::<(), _>(Errno(libc::EINVAL)), &[libc::EINVAL]).held);
        assert!(!Outcome::refused("x", Ok(3)).held);
    }

    #[test]
    fn one_broken_try_breaks_the_whole() {
        let all = Outcome::all([Outcome::held("a: EPERM"), Outcome::broken("b: succeeded")]);
        assert_eq!(all, Outcome::broken("b: succeeded"));
        assert_eq!(Outcome::all([Outcome::held("a"), Outcome::held("a")]), Outcome::held("a"));
    }
}
