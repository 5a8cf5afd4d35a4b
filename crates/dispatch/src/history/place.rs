//! Where a counter counts for one of its keys: the name of the key, the steps of the window, and
//! the documents that they are kept in. Pure; knows neither the store nor what was counted.

use aegis_ledger::journal::{expired_hour, hex};
use aegis_model::Timestamp;
use aegis_model::counter::{Counter, CounterKey, WINDOW_STEPS};
use sha2::{Digest as _, Sha256};

use super::Counting;

/// What names a key of a counter in memory: a digest over its declaration and the key.
pub(super) type Digest = [u8; 32];

/// A counter, for one of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Names it. A counter that is declared anew with another meaning has other digests.
    pub digest: Digest,
    name: String,
    /// How long a step of its window is; absent when it looks back for ever.
    step_ms: Option<u64>,
}

impl Place {
    /// Where `counter` counts what the question is about.
    pub(super) fn of(counter: &Counter, question: &Counting<'_>) -> Self {
        let window_ms = counter.window.map(|window| window.as_millis());
        Self {
            digest: digest(counter, window_ms, question),
            name: counter.name.clone(),
            // Rounded up, so that the steps cover the window.
            step_ms: window_ms.map(|ms| ms.div_ceil(WINDOW_STEPS).max(1)),
        }
    }

    /// The step that a moment is in.
    pub(super) fn step(&self, at: Timestamp) -> u64 {
        self.step_ms.map_or(0, |ms| at.as_millis() / ms)
    }

    /// The oldest step that is seen at a moment. The step that the window begins within is seen
    /// whole: a limit that forgot a part of it would let too much pass.
    pub(super) fn first_seen(&self, at: Timestamp) -> u64 {
        self.step(at).saturating_sub(WINDOW_STEPS)
    }

    /// Whether it is kept step by step.
    pub(super) const fn has_window(&self) -> bool {
        self.step_ms.is_some()
    }

    /// What the documents of all its steps are found under.
    pub(super) fn group(&self) -> String {
        format!("{}/{}", self.name, hex(&self.digest))
    }

    /// The id of the document of a step: in the order of steps.
    pub(super) fn id(&self, step: u64) -> String {
        match self.step_ms {
            Some(_) => format!("{}/{step:020}", self.group()),
            None => self.group(),
        }
    }

    /// The step that a document is of, if it is one of this place.
    pub(super) fn step_of(&self, id: &str) -> Option<u64> {
        let (group, step) = id.rsplit_once('/')?;
        if group == self.group() { step.parse().ok() } else { None }
    }

    /// What the document of a step is found by. It expires in the hour in which the last moment
    /// lies that sees the step.
    pub(super) fn index(&self, step: u64) -> Vec<(&'static str, String)> {
        let mut index = vec![("counter", self.group())];
        if let Some(step_ms) = self.step_ms {
            let unseen_ms = step.saturating_add(WINDOW_STEPS + 1).saturating_mul(step_ms);
            index.push(("expires", expired_hour(Timestamp::from_millis(unseen_ms)).to_string()));
        }
        index
    }
}

/// Over what the counter means, whatever the order it is written down in, and the key.
fn digest(counter: &Counter, window_ms: Option<u64>, question: &Counting<'_>) -> Digest {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(counter.name.as_bytes());
    let mut actions: Vec<&str> = counter.actions.iter().map(String::as_str).collect();
    actions.sort_unstable();
    actions.dedup();
    part(&(actions.len() as u64).to_be_bytes());
    actions.iter().for_each(|action| part(action.as_bytes()));
    let optional =
        [counter.sum.as_ref().map(|sum| sum.as_bytes().to_vec()), window_ms.map(|ms| ms.to_be_bytes().into())];
    for value in &optional {
        part(&[u8::from(value.is_some())]);
        part(value.as_deref().unwrap_or_default());
    }
    let session = question.session.unwrap_or_default();
    let keys = [
        (CounterKey::Principal, question.principal),
        (CounterKey::Resource, question.resource),
        (CounterKey::Session, session),
    ];
    for (key, value) in keys {
        let told_apart = counter.per.contains(&key);
        part(&[u8::from(told_apart)]);
        part(if told_apart { value.as_bytes() } else { &[] });
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aegis_model::manifest::Duration;

    use super::*;

    fn counter() -> Counter {
        Counter {
            name: "calls".to_owned(),
            actions: vec!["a".to_owned(), "b".to_owned()],
            per: vec![CounterKey::Principal, CounterKey::Session],
            sum: Some("bytes".to_owned()),
            window: Some(Duration::from_millis(3_600_000)),
        }
    }

    fn place(counter: &Counter, principal: &str, resource: &str, session: Option<&str>) -> Place {
        let at = Timestamp::from_millis(0);
        let counters = [];
        let question =
            Counting { counters: &counters, action: "a", principal, resource, session, amounts: &|_| None, at };
        Place::of(counter, &question)
    }

    #[test]
    fn every_part_of_the_declaration_and_the_key_makes_another_place() {
        let base = counter();
        let others = [
            Counter { name: "others".to_owned(), ..base.clone() },
            Counter { actions: vec!["a".to_owned()], ..base.clone() },
            Counter { actions: vec!["ab".to_owned()], ..base.clone() },
            Counter { per: vec![CounterKey::Principal], ..base.clone() },
            Counter { per: vec![CounterKey::Principal, CounterKey::Resource], ..base.clone() },
            Counter { per: Vec::new(), ..base.clone() },
            Counter { sum: None, ..base.clone() },
            Counter { sum: Some(String::new()), ..base.clone() },
            Counter { sum: Some("rows".to_owned()), ..base.clone() },
            Counter { window: None, ..base.clone() },
            Counter { window: Some(Duration::from_millis(60_000)), ..base.clone() },
        ];
        let mut seen: HashSet<Digest> = others.iter().map(|other| place(other, "p", "r", Some("s")).digest).collect();
        seen.insert(place(&base, "p", "r", Some("s")).digest);
        seen.insert(place(&base, "q", "r", Some("s")).digest);
        seen.insert(place(&base, "p", "r", Some("t")).digest);
        seen.insert(place(&base, "ps", "r", Some("")).digest);
        seen.insert(place(&base, "p", "r", None).digest);
        assert_eq!(seen.len(), others.len() + 5);
    }

    #[test]
    fn what_is_written_in_another_order_is_the_same_place() {
        let base = counter();
        let turned = Counter {
            actions: vec!["b".to_owned(), "a".to_owned(), "b".to_owned()],
            per: vec![CounterKey::Session, CounterKey::Principal],
            ..base.clone()
        };
        assert_eq!(place(&base, "p", "r", None), place(&turned, "p", "another", None));
    }

    #[test]
    fn ids_follow_the_order_of_steps_and_read_back() {
        let place = place(&counter(), "p", "r", None);
        let steps = [0, 9, 10, 99, 1_000_000, u64::MAX];
        let ids: Vec<String> = steps.iter().map(|step| place.id(*step)).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert_eq!(ids.iter().map(|id| place.step_of(id)).collect::<Vec<_>>(), steps.map(Some));
        assert_eq!(place.step_of(&place.group()), None);
        assert_eq!(place.step_of("calls/00/7"), None);
    }

    /// Also when the steps do not divide the window.
    #[test]
    fn the_steps_that_are_seen_cover_the_window() {
        for window_ms in [1, 59, 60, 61, 1_000, 3_599_999, 3_600_000, 2_678_400_000] {
            let place = place(&Counter { window: Some(Duration::from_millis(window_ms)), ..counter() }, "p", "r", None);
            let now_ms: u64 = 1_700_000_000_123;
            let (now, then) = (Timestamp::from_millis(now_ms), Timestamp::from_millis(now_ms - window_ms));
            assert!(place.step(then) >= place.first_seen(now), "{window_ms}");
            let too_old = now_ms - window_ms - 2 * window_ms.div_ceil(60) - 60;
            assert!(place.step(Timestamp::from_millis(too_old)) < place.first_seen(now), "{window_ms}");
        }
    }

    #[test]
    fn a_step_expires_when_nobody_sees_it_and_not_before() {
        for (window_ms, step) in [(60_000, 1_700_000), (3_600_000, 31_337), (2_678_400_000, 38)] {
            let place = place(&Counter { window: Some(Duration::from_millis(window_ms)), ..counter() }, "p", "r", None);
            let index = place.index(step);
            let hour: u64 = index.iter().find(|(name, _)| *name == "expires").unwrap().1.parse().unwrap();
            let swept_from = Timestamp::from_millis((hour + 1) * 3_600_000);
            assert!(place.first_seen(swept_from) > step, "{window_ms}");
            let an_hour_before = Timestamp::from_millis(hour * 3_600_000 - window_ms / 60 - 1);
            assert!(place.first_seen(an_hour_before) <= step, "{window_ms}: it would be kept for too long");
        }
        let for_ever = place(&Counter { window: None, ..counter() }, "p", "r", None);
        assert_eq!(for_ever.index(0), [("counter", for_ever.group())]);
    }
}
