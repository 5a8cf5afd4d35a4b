//! Random calls against a plain model in memory. Whatever the store answers, the model must
//! have answered too; afterwards every read must agree.

use std::collections::BTreeMap;

use aegis_model::ledger::TreeHead;
use aegis_model::port::{Integrity, Store, StoreError, StoreResult};
use aegis_model::record::{
    Batch, Change, Committed, Event, EventDraft, Expect, Kind, Lease, ListQuery, Put, Record, RecordKey, Work,
    WorkDraft, count_body, count_of,
};
use aegis_model::time::Timestamp;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use super::draft::{agent, all_agents, at, claim, count, entry, event, ok, put, tally, tenant, work};
use super::{Home, TestIntegrity};

/// How many random histories are tried.
const HISTORIES: u32 = 48;

/// One call in a history. Leases are named by their place in the list of all that were given.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Vec<Draft>>),
    Claim { now: u64, lease_ms: u64, limit: usize },
    Renew { lease: usize, until: u64 },
    Reopen,
}

#[derive(Clone, Debug)]
enum Draft {
    Change(Change),
    Finish(usize),
    Release(usize, u64),
}

fn key() -> impl Strategy<Value = RecordKey> {
    (0..4_u8).prop_map(|number| agent(&format!("a{number}")))
}

fn expectation() -> impl Strategy<Value = Expect> {
    prop_oneof![2 => Just(Expect::Absent), 3 => (1..4_u64).prop_map(Expect::Version), 3 => Just(Expect::Any)]
}

fn draft() -> impl Strategy<Value = Draft> {
    let state = prop_oneof![Just("active"), Just("deleted")];
    let write = (key(), expectation(), 0..100_u32, state, 0..20_u8).prop_map(|(key, expect, body, state, last)| {
        Change::Put(Put { terminal: last == 0, ..put(key, expect, &body.to_string(), state) })
    });
    let change = prop_oneof![
        8 => write,
        2 => (key(), expectation()).prop_map(|(key, expect)| Change::Delete { key, expect }),
        1 => (key(), expectation()).prop_map(|(key, expect)| Change::Require { key, expect }),
        4 => (0..3_u8, -50..100_i64).prop_map(|(number, by)| count(&format!("t{number}"), by)),
        1 => key().prop_map(|key| Change::Count { key, by: 1, index: Vec::new() }),
        1 => (0..3_u8).prop_map(|id| Change::Delete { key: tally(&format!("t{id}")), expect: Expect::Any }),
        3 => (0..3_u8).prop_map(|stream| event(&format!("s{stream}"), "happened")),
        4 => any::<u16>().prop_map(|text| entry(&text.to_string())),
        3 => (0..4_u8, 0..50_u64).prop_map(|(id, due)| work(&format!("w{id}"), due)),
    ];
    prop_oneof![
        12 => change.prop_map(Draft::Change),
        2 => (0..8_usize).prop_map(Draft::Finish),
        1 => (0..8_usize, 0..50_u64).prop_map(|(lease, due)| Draft::Release(lease, due)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec(vec(draft(), 0..5), 1..4).prop_map(Step::Commit),
        3 => (0..60_u64, 1..20_u64, 0..3_usize).prop_map(|(now, lease_ms, limit)| Step::Claim { now, lease_ms, limit }),
        1 => (0..8_usize, 0..80_u64).prop_map(|(lease, until)| Step::Renew { lease, until }),
        1 => Just(Step::Reopen),
    ]
}

/// Runs random histories, each in a new home.
pub fn agree(make: impl Fn() -> Box<dyn Home>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let config = Config { cases: HISTORIES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(step(), 1..25), |history| {
        runtime.block_on(follow(&*make(), history));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

async fn follow(home: &dyn Home, history: Vec<Step>) {
    let mut model = Model::default();
    let mut store = home.open();
    for (place, step) in history.into_iter().enumerate() {
        match step {
            Step::Commit(drafts) => {
                let moment = at(1_000 + place as u64);
                let batches: Vec<Batch> = drafts.into_iter().map(|drafts| model.batch(moment, drafts)).collect();
                let expected: Vec<_> = batches.iter().map(|batch| model.commit(batch)).collect();
                let found = store.commit_many(batches).await;
                assert_eq!(found.iter().map(plain).collect::<Vec<_>>(), expected.iter().map(plain).collect::<Vec<_>>());
                model.appended(found.iter().flatten().flat_map(|done| &done.sequences).copied().collect());
            }
            Step::Claim { now, lease_ms, limit } => {
                let found = ok(store.claim(&claim(now, lease_ms, limit)).await);
                model.claimed(now, lease_ms, limit, &found);
            }
            Step::Renew { lease, until } => {
                let lease = model.lease(lease);
                let expected = model.renew(&lease, at(until));
                assert_eq!(store.renew(&lease, at(until)).await, expected);
            }
            Step::Reopen => {
                drop(store);
                store = home.open();
            }
        }
        model.compare(&*store).await;
    }
}

/// A result without what an adapter may choose: words, and which sequences it gives.
fn plain(result: &StoreResult<Committed>) -> StoreResult<Committed> {
    match result {
        Err(StoreError::Unacceptable(_)) => Err(StoreError::Unacceptable(String::new())),
        Err(StoreError::Tampered(_)) => Err(StoreError::Tampered(String::new())),
        Err(error) => Err(error.clone()),
        Ok(done) => Ok(Committed { sequences: vec![0; done.sequences.len()], ..done.clone() }),
    }
}

/// The values of index columns.
type Index = Vec<(&'static str, String)>;
/// The epoch of a hold, and until when it holds.
type Hold = Option<(u64, Timestamp)>;

/// The store as the port's documentation describes it, without any care for speed.
#[derive(Clone, Default)]
struct Model {
    records: BTreeMap<RecordKey, (Record, Index)>,
    events: Vec<Event>,
    entries: Vec<Bytes>,
    work: BTreeMap<String, (WorkDraft, Hold)>,
    leases: Vec<Lease>,
}

impl Model {
    fn lease(&self, place: usize) -> Lease {
        let unknown = Lease { queue: "mail".to_owned(), id: "w0".to_owned(), epoch: 0 };
        let place = place.checked_rem(self.leases.len()).unwrap_or_default();
        self.leases.get(place).cloned().unwrap_or(unknown)
    }

    fn batch(&self, moment: Timestamp, drafts: Vec<Draft>) -> Batch {
        let change = |draft| match draft {
            Draft::Change(change) => change,
            Draft::Finish(lease) => Change::Finish(self.lease(lease)),
            Draft::Release(lease, due) => Change::Release { lease: self.lease(lease), due: at(due) },
        };
        Batch { at: moment, changes: drafts.into_iter().map(change).collect() }
    }

    fn commit(&mut self, batch: &Batch) -> StoreResult<Committed> {
        let mut next = self.clone();
        let mut done = Committed::default();
        for change in &batch.changes {
            next.apply(change, batch.at, &mut done)?;
        }
        *self = next;
        Ok(done)
    }

    fn apply(&mut self, change: &Change, moment: Timestamp, done: &mut Committed) -> StoreResult<()> {
        match change {
            Change::Put(put) => done.versions.push(self.put(put, moment)?),
            Change::Delete { key, expect } => {
                self.expected(key, *expect, true)?;
                self.records.remove(key);
            }
            Change::Require { key, expect } => drop(self.expected(key, *expect, false)?),
            Change::Count { key, by, index } => self.count(key, (*by, index), moment)?,
            Change::Append(draft) => done.sequences.push(self.append(draft, moment)),
            Change::Enter(draft) => {
                done.positions.push(self.entries.len() as u64);
                self.entries.push(draft.bytes.clone());
            }
            Change::Enqueue(draft) => {
                if self.work.insert(draft.id.clone(), (draft.clone(), None)).is_some() {
                    return Err(StoreError::Unacceptable(String::new()));
                }
            }
            Change::Finish(lease) => {
                self.held(lease)?;
                self.work.remove(&lease.id);
            }
            Change::Release { lease, due } => {
                let (draft, hold) = self.held(lease)?;
                draft.due = *due;
                *hold = None;
            }
        }
        Ok(())
    }

    fn expected(&self, key: &RecordKey, expect: Expect, to_change: bool) -> StoreResult<u64> {
        let present = self.records.get(key).map(|(record, _)| record);
        let found = present.map_or(0, |record| record.version);
        let holds = match expect {
            Expect::Absent => found == 0,
            Expect::Version(version) => version == found,
            Expect::Any => true,
        };
        match present {
            _ if !holds => Err(StoreError::Conflict { key: key.clone(), expected: expect, found }),
            Some(record) if record.terminal && to_change => Err(StoreError::Immutable { key: key.clone() }),
            _ => Ok(found),
        }
    }

    fn put(&mut self, put: &Put, moment: Timestamp) -> StoreResult<u64> {
        let version = self.expected(&put.key, put.expect, true)? + 1;
        let Put { key, body, terminal, .. } = put.clone();
        let record = Record { key, version, body, terminal, changed_at: moment };
        self.records.insert(put.key.clone(), (record, put.index.clone()));
        Ok(version)
    }

    fn count(&mut self, key: &RecordKey, (by, index): (i64, &Index), changed_at: Timestamp) -> StoreResult<()> {
        let version = self.expected(key, Expect::Any, true)? + 1;
        let (number, index) = match self.records.get(key) {
            Some((record, index)) => (count_of(&record.body), index.clone()),
            None => (Some(0), index.clone()),
        };
        let number = number.ok_or_else(|| StoreError::Tampered(String::new()))?;
        let body = count_body(number.saturating_add(by));
        let record = Record { key: key.clone(), version, body, terminal: false, changed_at };
        self.records.insert(key.clone(), (record, index));
        Ok(())
    }

    /// Under a sequence that stands for the one the store will give.
    fn append(&mut self, draft: &EventDraft, moment: Timestamp) -> u64 {
        let sequence = 0;
        self.events.push(Event { sequence, at: moment, draft: draft.clone() });
        sequence
    }

    /// Takes over the sequences that the store gave: only that they grow is promised.
    fn appended(&mut self, given: Vec<u64>) {
        let first = self.events.len() - given.len();
        for (place, sequence) in (first..).zip(given) {
            let before = self.events.get(place.wrapping_sub(1)).map_or(0, |event| event.sequence);
            assert!(before < sequence, "sequence {sequence} does not grow");
            if let Some(event) = self.events.get_mut(place) {
                event.sequence = sequence;
            }
        }
    }

    fn held(&mut self, lease: &Lease) -> StoreResult<(&mut WorkDraft, &mut Hold)> {
        match self.work.get_mut(&lease.id) {
            Some((draft, hold)) if hold.is_some_and(|(epoch, _)| epoch == lease.epoch) => Ok((draft, hold)),
            _ => {
                let Lease { queue, id, epoch } = lease.clone();
                Err(StoreError::LeaseLost { queue, id, epoch })
            }
        }
    }

    fn renew(&mut self, lease: &Lease, until: Timestamp) -> StoreResult<()> {
        let (_, hold) = self.held(lease)?;
        *hold = hold.map(|(epoch, held_until)| (epoch, held_until.max(until)));
        Ok(())
    }

    /// Checks what was claimed, and takes over the epochs: only that they grow is promised.
    fn claimed(&mut self, now: u64, lease_ms: u64, limit: usize, found: &[Work]) {
        let is_free = |hold: &Hold| hold.is_none_or(|(_, until)| until <= at(now));
        let free = self.work.values().filter(|(draft, hold)| draft.due <= at(now) && is_free(hold));
        let mut due: Vec<&WorkDraft> = free.map(|(draft, _)| draft).collect();
        due.sort_by_key(|draft| (draft.due, draft.id.clone()));
        due.truncate(limit);
        assert_eq!(found.iter().map(|work| &work.draft).collect::<Vec<_>>(), due);
        for work in found {
            let epoch = work.lease.epoch;
            assert!(self.leases.iter().all(|earlier| earlier.epoch < epoch), "epoch {epoch} does not grow");
            assert_eq!(work.until, at(now + lease_ms));
            self.leases.push(work.lease.clone());
            if let Some((_, hold)) = self.work.get_mut(&work.lease.id) {
                *hold = Some((epoch, work.until));
            }
        }
    }

    async fn compare(&self, store: &dyn Store) {
        let numbers = (0..3).map(|number| tally(&format!("t{number}")));
        for key in (0..4).map(|number| agent(&format!("a{number}"))).chain(numbers) {
            let expected = self.records.get(&key).map(|(record, _)| record.clone());
            assert_eq!(ok(store.get(&key).await), expected);
        }
        for (kind, name, value) in
            [(Kind::Agent, "state", "active"), (Kind::Agent, "state", "deleted"), (Kind::Tally, "counter", "calls")]
        {
            let index = (name, value.to_owned());
            let among = self.records.values().filter(|(_, indexed)| indexed.contains(&index));
            let mut expected: Vec<Record> = among.map(|(record, _)| record.clone()).collect();
            let query = ListQuery { kind, index: Some(index.clone()), ..all_agents() };
            assert_eq!(ok(store.list(&query).await), expected);
            expected.reverse();
            assert_eq!(ok(store.list(&ListQuery { newest_first: true, ..query }).await), expected);
        }
        assert_eq!(ok(store.tail(&tenant("acme"), None, 0, 10_000).await), self.events);
        let entries = ok(store.entries(&tenant("acme"), 0, 10_000).await);
        assert_eq!(entries.into_iter().map(|entry| entry.bytes).collect::<Vec<_>>(), self.entries);
        let integrity = TestIntegrity::default();
        let mut head = TreeHead::default();
        for bytes in &self.entries {
            integrity.append(&mut head, integrity.leaf(bytes));
        }
        assert_eq!(ok(store.tree_head(&tenant("acme")).await), head);
    }
}
