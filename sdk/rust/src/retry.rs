//! When a failed attempt may be repeated, and after how long. Pure: the error table says how
//! often and how far apart, the request says whether repeating is safe, the seed says the
//! jitter, so that the same call waits the same.

use std::time::Duration;

use aegis_model::Category;

use crate::error::ClientError;

/// How far a failed attempt got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No byte of the request left.
    NotSent,
    /// Nobody knows what became of it.
    Unknown,
    /// The server answered.
    Answered,
}

/// A failed attempt.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: ClientError,
    pub(crate) stage: Stage,
    /// What the server said in `Retry-After`.
    pub(crate) retry_after_ms: Option<u64>,
}

/// The pause before the next attempt; `None` when there shall be none.
/// `repeatable` says that a second arrival of the request has no second effect.
pub(crate) fn pause(failure: &Failure, attempt: u32, repeatable: bool, seed: &str) -> Option<Duration> {
    let category = failure.error.category();
    let tries = category.tries();
    if attempt >= tries.attempts_max || !is_safe(failure, repeatable, category) {
        return None;
    }
    let asked_ms = failure.retry_after_ms.unwrap_or(0);
    if asked_ms > tries.pause_max_ms {
        return None;
    }
    let doubled_ms = tries.pause_min_ms.saturating_mul(1 << (attempt - 1).min(16)).min(tries.pause_max_ms);
    let jitter_ms = hash(seed, attempt) % (doubled_ms / 2 + 1);
    Some(Duration::from_millis((doubled_ms - doubled_ms / 2 + jitter_ms).max(asked_ms)))
}

/// Whether the request can have no second effect: it never left, or it was turned away at
/// the door, or a repeat is recognised.
fn is_safe(failure: &Failure, repeatable: bool, category: Category) -> bool {
    let turned_away = failure.stage == Stage::Answered && category == Category::RateLimit;
    let understood = !matches!(failure.error, ClientError::Protocol { .. });
    understood && (repeatable || turned_away || failure.stage == Stage::NotSent)
}

/// FNV-1a: not for secrets, only to spread clients over time.
fn hash(seed: &str, attempt: u32) -> u64 {
    seed.bytes()
        .chain(attempt.to_be_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use aegis_model::{Code, Fault};

    use super::*;

    fn answered(code: Code) -> Failure {
        let body = Box::new(Fault::new(code, "x").envelope("cor_1").error);
        Failure {
            error: ClientError::Api { status: code.status(), body },
            stage: Stage::Answered,
            retry_after_ms: None,
        }
    }

    fn broken(stage: Stage) -> Failure {
        let error = ClientError::Unreachable { url: String::new(), cause: String::new() };
        Failure { error, stage, retry_after_ms: None }
    }

    #[test]
    fn the_error_table_says_how_often() {
        for code in Code::ALL {
            let tries = code.category().tries();
            let made = (1..10).take_while(|attempt| pause(&answered(*code), *attempt, true, "s").is_some()).count();
            assert_eq!(made as u32 + 1, tries.attempts_max, "{code}");
        }
    }

    #[test]
    fn pauses_keep_to_the_limits_of_the_table() {
        for code in Code::ALL {
            let tries = code.category().tries();
            for attempt in 1..tries.attempts_max {
                for seed in ["a", "b", "c", "d"] {
                    let pause_ms = pause(&answered(*code), attempt, true, seed).expect("a pause").as_millis() as u64;
                    assert!(pause_ms >= tries.pause_min_ms / 2 && pause_ms <= tries.pause_max_ms, "{code} {pause_ms}");
                }
            }
        }
    }

    #[test]
    fn what_might_have_had_an_effect_is_repeated_only_when_a_repeat_is_recognised() {
        assert!(pause(&broken(Stage::Unknown), 1, false, "s").is_none());
        assert!(pause(&broken(Stage::Unknown), 1, true, "s").is_some());
        assert!(pause(&broken(Stage::NotSent), 1, false, "s").is_some());
        assert!(pause(&answered(Code::StoreUnavailable), 1, false, "s").is_none());
        assert!(pause(&answered(Code::RateLimited), 1, false, "s").is_some());
    }

    #[test]
    fn the_server_may_ask_for_a_longer_pause_but_not_for_an_endless_one() {
        let mut failure = answered(Code::RateLimited);
        failure.retry_after_ms = Some(7_000);
        assert_eq!(pause(&failure, 1, true, "s"), Some(Duration::from_secs(7)));
        failure.retry_after_ms = Some(30_001);
        assert_eq!(pause(&failure, 1, true, "s"), None);
    }

    #[test]
    fn the_same_seed_waits_the_same_and_others_do_not() {
        let at = |seed: &str| pause(&answered(Code::RateLimited), 1, true, seed);
        assert_eq!(at("one"), at("one"));
        let pauses: std::collections::BTreeSet<_> = (0..50).map(|number| at(&number.to_string())).collect();
        assert!(pauses.len() > 20, "{}", pauses.len());
    }
}
