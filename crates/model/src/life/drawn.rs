//! The pictures as data, and what is true of every life cycle. A picture is a tiny model that
//! is written apart from the step function: rows of `states  events  next state`, with `|`
//! between several. Must not know: any one machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::Rejected;

/// A life cycle as the checks see it.
pub(crate) trait Machine: Copy + PartialEq + Debug + 'static {
    type Event: Copy + PartialEq + Debug;
    type Effect: PartialEq + Debug;

    /// The picture.
    const DRAWN: &'static str;

    fn states() -> Vec<Self>;
    fn events() -> Vec<Self::Event>;
    fn is_terminal(self) -> bool;
    fn step(self, event: Self::Event) -> Result<(Self, Vec<Self::Effect>), Rejected>;

    /// Where a list of events leads; every byte picks one, what is rejected changes nothing.
    fn walk(self, picks: &[u8]) -> Self {
        let events = Self::events();
        picks.iter().fold(self, |state, pick| match state.step(events[usize::from(*pick) % events.len()]) {
            Ok((next, _)) => next,
            Err(_) => state,
        })
    }
}

type Graph = BTreeMap<(String, String), String>;

fn name(thing: impl Debug) -> String {
    format!("{thing:?}")
}

/// The picture by state and event; a row that says the same twice or names nothing is a slip.
fn graph<M: Machine>() -> Graph {
    let states: BTreeSet<_> = M::states().into_iter().map(name).collect();
    let events: BTreeSet<_> = M::events().into_iter().map(name).collect();
    let mut graph = Graph::new();
    for row in M::DRAWN.lines().filter(|row| !row.trim().is_empty()) {
        let [from, on, to]: [&str; 3] = row.split_whitespace().collect::<Vec<_>>().try_into().expect(row);
        for (state, event) in from.split('|').flat_map(|state| on.split('|').map(move |event| (state, event))) {
            assert!(states.contains(state) && events.contains(event) && states.contains(to), "{row}");
            let twice = graph.insert((state.to_owned(), event.to_owned()), to.to_owned());
            assert_eq!(twice, None, "{row}");
        }
    }
    graph
}

/// Everything that is true of every life cycle that begins with `first`; `stops` may come at
/// any time and any number of times.
pub(crate) fn check_machine<M: Machine>(first: M, stops: &[M::Event]) {
    let graph = graph::<M>();
    check_steps::<M>(&graph);
    check_terminal::<M>();
    check_stops::<M>(stops);
    check_reach(first, &graph);
    check_walks(first, &graph);
}

/// Exactly the drawn steps are taken, in every state and for every event.
fn check_steps<M: Machine>(graph: &Graph) {
    for state in M::states() {
        for event in M::events() {
            let taken = state.step(event).ok().map(|(next, _)| name(next));
            assert_eq!(taken.as_ref(), graph.get(&(name(state), name(event))), "{state:?} on {event:?}");
        }
    }
}

fn check_terminal<M: Machine>() {
    for state in M::states().into_iter().filter(|state| state.is_terminal()) {
        for event in M::events() {
            assert!(state.step(event).is_ok_and(|(next, _)| next == state) || state.step(event).is_err(), "{state:?}");
        }
    }
}

/// A stop is never refused, ends every life, and says the same when it is repeated.
fn check_stops<M: Machine>(stops: &[M::Event]) {
    for state in M::states() {
        for stop in stops {
            let (once, _) = state.step(*stop).unwrap();
            let (twice, again) = once.step(*stop).unwrap();
            let (thrice, yet_again) = twice.step(*stop).unwrap();
            assert!(once.is_terminal() && once == twice && twice == thrice, "{state:?} on {stop:?}");
            assert_eq!(again, yet_again, "{state:?} on {stop:?}");
        }
    }
}

/// Every state is reached from the first, and reaches a terminal one, along drawn steps.
fn check_reach<M: Machine>(first: M, graph: &Graph) {
    let reached = |from: M| {
        let mut seen = BTreeSet::from([name(from)]);
        let mut grown = 0;
        while grown < seen.len() {
            grown = seen.len();
            let next = graph.iter().filter(|((state, _), _)| seen.contains(state)).map(|(_, to)| to.clone());
            seen = next.collect::<BTreeSet<_>>().union(&seen).cloned().collect();
        }
        seen
    };
    let all: BTreeSet<_> = M::states().into_iter().map(name).collect();
    assert_eq!(reached(first), all, "not every state can be reached");
    let terminal: BTreeSet<_> = M::states().into_iter().filter(|state| state.is_terminal()).map(name).collect();
    for state in M::states() {
        assert!(!reached(state).is_disjoint(&terminal), "{state:?} has no end");
    }
}

/// No sequence of events leaves the picture, and nothing follows an end.
fn check_walks<M: Machine>(first: M, graph: &Graph) {
    let picks = proptest::collection::vec(any::<u8>(), 0..64);
    let walk = |picks: Vec<u8>| {
        let (mut state, mut ended) = (first, None);
        for pick in picks {
            let event = M::events()[usize::from(pick) % M::events().len()];
            let drawn = graph.get(&(name(state), name(event)));
            let next = state.walk(&[pick]);
            let expected = drawn.cloned().unwrap_or_else(|| name(state));
            prop_assert_eq!(name(next), expected, "{:?} on {:?}", state, event);
            prop_assert!(ended.is_none_or(|end| end == next), "{:?} after an end", next);
            ended = ended.or(next.is_terminal().then_some(next));
            state = next;
        }
        Ok(())
    };
    TestRunner::default().run(&picks, walk).unwrap();
}
