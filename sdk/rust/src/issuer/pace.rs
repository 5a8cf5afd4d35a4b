//! How long to wait between two questions whether somebody has logged in (RFC 8628, 3.5).
//! Pure: what was heard in, a pause out.

use std::time::Duration;

/// What RFC 8628 says where the issuer does not.
const PAUSE_DEFAULT: Duration = Duration::from_secs(5);
/// An issuer that says 0 is asked that often all the same.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// How much `slow_down` adds, for good.
const SLOWER: Duration = Duration::from_secs(5);
/// The first pause after trouble with the connection, where that is longer.
const TROUBLE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause after trouble.
const TROUBLE_LAST: Duration = Duration::from_secs(60);

/// What an issuer said that did not end the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Not {
    /// Nobody has logged in yet.
    Yet,
    /// Not yet, and it was asked too often.
    SoOften,
    /// Nothing: the connection broke, or took too long.
    Heard,
}

/// How often is asked.
#[derive(Debug)]
pub(super) struct Pace {
    pause: Duration,
    troubles: u32,
}

impl Pace {
    /// What the issuer asked for, in seconds.
    pub(super) fn of(interval_s: Option<u64>) -> Self {
        Self { pause: interval_s.map_or(PAUSE_DEFAULT, Duration::from_secs).max(PAUSE_MIN), troubles: 0 }
    }

    /// The pause before the first question.
    pub(super) const fn first(&self) -> Duration {
        self.pause
    }

    /// The pause after that was heard.
    pub(super) fn after(&mut self, not: Not) -> Duration {
        if not == Not::Heard {
            let doubled = self.pause.max(TROUBLE_FIRST).saturating_mul(1 << self.troubles.min(6));
            self.troubles = self.troubles.saturating_add(1);
            return doubled.min(TROUBLE_LAST.max(self.pause));
        }
        self.troubles = 0;
        if not == Not::SoOften {
            self.pause = self.pause.saturating_add(SLOWER);
        }
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(interval_s: Option<u64>, heard: &[Not], expected_ms: &[u128]) {
        let mut pace = Pace::of(interval_s);
        let first = pace.first();
        let pauses: Vec<u128> = std::iter::once(first)
            .chain(heard.iter().map(|not| pace.after(*not)))
            .map(|pause| pause.as_millis())
            .collect();
        assert_eq!(pauses, expected_ms, "{interval_s:?} {heard:?}");
    }

    #[test]
    fn the_issuer_says_how_often_it_is_asked() {
        check(None, &[Not::Yet], &[5_000, 5_000]);
        check(Some(2), &[Not::Yet, Not::Yet], &[2_000, 2_000, 2_000]);
        check(Some(0), &[Not::Yet], &[100, 100]);
    }

    #[test]
    fn too_often_makes_it_slower_for_good() {
        check(Some(1), &[Not::SoOften, Not::Yet, Not::SoOften, Not::Yet], &[1_000, 6_000, 6_000, 11_000, 11_000]);
    }

    #[test]
    fn trouble_makes_pauses_longer_until_an_answer_comes() {
        let heard = [Not::Heard, Not::Heard, Not::Heard, Not::Yet, Not::Heard];
        check(Some(5), &heard, &[5_000, 5_000, 10_000, 20_000, 5_000, 5_000]);
        check(Some(0), &[Not::Heard, Not::Heard], &[100, 1_000, 2_000]);
        let mut pace = Pace::of(Some(5));
        let last = (0..100).map(|_| pace.after(Not::Heard)).last();
        assert_eq!(last, Some(TROUBLE_LAST));
    }
}
