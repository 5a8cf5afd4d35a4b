//! Any sequence of acts, commits, failures, restarts and moments, against a plain list of what
//! was committed, counted again by the definition.

use aegis_model::counter::WINDOW_STEPS;
use aegis_model::port::StoreError;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use super::*;

const HISTORIES: u32 = 40;
const WINDOW: u64 = 10 * MINUTE;

#[derive(Clone, Copy, Debug)]
enum Fate {
    Committed,
    Refused,
    AnswerLost,
    NeverArrived,
    Dropped,
}

#[derive(Clone, Debug)]
enum Step {
    Advance(u64),
    GoBack(u64),
    Ask { principal: u8, allowed: bool },
    Conclude { place: usize, fate: Fate },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        4 => proptest::strategy::Just(Fate::Committed),
        1 => proptest::strategy::Just(Fate::Refused),
        1 => proptest::strategy::Just(Fate::AnswerLost),
        1 => proptest::strategy::Just(Fate::NeverArrived),
        1 => proptest::strategy::Just(Fate::Dropped),
    ];
    prop_oneof![
        4 => (0..4 * MINUTE).prop_map(Step::Advance),
        1 => (0..20 * MINUTE).prop_map(Step::GoBack),
        8 => (0..2_u8, any::<bool>(), any::<bool>()).prop_map(|(principal, a, b)| Step::Ask { principal, allowed: a || b }),
        8 => (0..6_usize, fate).prop_map(|(place, fate)| Step::Conclude { place, fate }),
        1 => proptest::strategy::Just(Step::Restart),
    ]
}

/// An act that was allowed: when, by whom.
type Allowed = (u64, u8);

/// What is expected.
#[derive(Default)]
struct Model {
    committed: Vec<Allowed>,
    reserved: Vec<Allowed>,
    newest: u64,
}

impl Model {
    /// Whether an act counts at a moment: it is not older than the window, by whole steps.
    fn is_seen(&self, at_ms: u64) -> bool {
        let step = WINDOW / WINDOW_STEPS;
        at_ms / step + WINDOW_STEPS >= self.newest / step
    }

    /// In the window of the principal, and for ever of all.
    fn counts(&self, principal: u8) -> (i64, i64) {
        let all = || self.committed.iter().chain(&self.reserved);
        let seen = all().filter(|(at_ms, of)| *of == principal && self.is_seen(*at_ms)).count();
        (seen as i64, all().count() as i64)
    }
}

struct Run<'a> {
    dir: &'a Path,
    world: Option<Arc<World>>,
    held: Vec<Arc<dyn Counted>>,
    clock: u64,
    model: Model,
}

impl Run<'_> {
    fn world(&mut self) -> Arc<World> {
        Arc::clone(self.world.get_or_insert_with(|| World::open(self.dir)))
    }

    async fn ask(&mut self, principal: u8, allowed: bool) {
        let counters = [
            Counter { per: vec![CounterKey::Principal], ..calls(Some(WINDOW)) },
            Counter { name: "ever".to_owned(), ..calls(None) },
        ];
        self.model.newest = self.model.newest.max(self.clock);
        let expected = self.model.counts(principal);
        let name = principal.to_string();
        let ask = Ask { principal: &name, at_ms: self.clock, ..CALL };
        let decide = |counts: &std::collections::BTreeMap<String, i64>| (allowed, (counts["calls"], counts["ever"]));
        let world = self.world();
        let (found, counted) = world.histories.decide(&acme(), &ask.counting(&counters), decide).await.unwrap();
        assert_eq!(found, expected);
        assert_eq!(counted.is_some(), allowed);
        if let Some(counted) = counted {
            self.held.push(counted);
            self.model.reserved.push((self.model.newest, principal));
        }
    }

    async fn conclude(&mut self, place: usize, fate: Fate) {
        let Some(place) = place.checked_rem(self.held.len()) else { return };
        let (counted, allowed) = (self.held.remove(place), self.model.reserved.remove(place));
        let world = self.world();
        let lost = StoreError::Unavailable(String::new());
        match fate {
            Fate::Committed => world.commit(Some(counted), true).await.unwrap(),
            Fate::Refused => drop(world.commit(Some(counted), false).await.unwrap_err()),
            Fate::AnswerLost => {
                commit_changes(&*world.store, &*counted).await;
                counted.failed(&lost);
            }
            Fate::NeverArrived => {
                assert_eq!(counted.changes().len(), 2);
                counted.failed(&lost);
            }
            Fate::Dropped => {}
        }
        if matches!(fate, Fate::Committed | Fate::AnswerLost) {
            self.model.committed.push(allowed);
        }
    }

    async fn follow(&mut self, step: Step) {
        match step {
            Step::Advance(ms) => self.clock += ms,
            Step::GoBack(ms) => self.clock -= ms,
            Step::Ask { principal, allowed } => self.ask(principal, allowed).await,
            Step::Conclude { place, fate } => self.conclude(place, fate).await,
            Step::Restart => {
                self.held.clear();
                self.world = None;
                self.model.reserved.clear();
                self.model.newest = 0;
            }
        }
    }
}

#[test]
fn counts_are_those_of_the_list_of_committed_acts() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = Config { cases: HISTORIES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(step(), 1..60), |steps| {
        let dir = TempDir::new().unwrap();
        let mut run = Run { dir: dir.path(), world: None, held: Vec::new(), clock: BEGUN, model: Model::default() };
        runtime.block_on(async {
            for step in steps {
                run.follow(step).await;
            }
            run.ask(0, false).await;
            run.ask(1, false).await;
        });
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
