//! Tests over a real database: what is decided at once, what survives, what is forgotten.

mod exact;
mod random;
mod rules;

use std::path::Path;
use std::sync::Arc;

use aegis_conformance::store::TestIntegrity;
use aegis_ledger::journal::{Answer, Deed, Journal};
use aegis_model::act::DecisionMark;
use aegis_model::counter::{Counter, CounterKey};
use aegis_model::manifest::Duration;
use aegis_model::port::{Counted, Store, TenantKeys, TenantSecrets};
use aegis_model::record::{Batch, Change, Expect, Kind, ListQuery, RecordKey, count_of};
use aegis_model::{
    Act, Caller, CorrelationId, DecisionId, Fault, Operation, Principal, ReasonClass, Role, TenantId, Timestamp,
};
use async_trait::async_trait;

use super::{Counting, Histories};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// When tests begin.
const BEGUN: u64 = 500_000 * HOUR;

struct Keys;

#[async_trait]
impl TenantKeys for Keys {
    async fn of(&self, _: &TenantId) -> Result<Arc<TenantSecrets>, Fault> {
        let secrets = TenantSecrets { mac_key: [1; 32], signing_seed: [2; 32], previous_signing_seed: None };
        Ok(Arc::new(secrets))
    }
}

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// Counts calls of the whole tenant.
fn calls(window_ms: Option<u64>) -> Counter {
    Counter {
        name: "calls".to_owned(),
        actions: vec!["call".to_owned()],
        per: Vec::new(),
        sum: None,
        window: window_ms.map(Duration::from_millis),
    }
}

fn open(dir: &Path) -> Arc<dyn Store> {
    aegis_store::open(dir, Arc::new(TestIntegrity::default())).unwrap()
}

/// Everything over one store.
struct World {
    store: Arc<dyn Store>,
    journal: Journal,
    histories: Arc<Histories>,
}

impl World {
    fn over(store: Arc<dyn Store>) -> Arc<Self> {
        let journal = Journal::new(Arc::clone(&store), Arc::new(Keys));
        let histories = Histories::new(&journal);
        Arc::new(Self { store, journal, histories })
    }

    fn open(dir: &Path) -> Arc<Self> {
        Self::over(open(dir))
    }

    /// Asks for an act: allowed if every count that is asked for stays below its limit.
    async fn ask(&self, counters: &[Counter], ask: Ask<'_>) -> (bool, Option<Arc<dyn Counted>>) {
        let decide = |counts: &std::collections::BTreeMap<String, i64>| {
            let allowed = ask.limits.iter().all(|(name, limit)| counts.get(*name).is_some_and(|count| count < limit));
            (allowed, allowed)
        };
        let answer = self.histories.decide(&acme(), &ask.counting(counters), decide).await;
        answer.unwrap_or_else(|fault| panic!("{fault:?}"))
    }

    async fn counts(&self, counters: &[Counter], ask: Ask<'_>) -> std::collections::BTreeMap<String, i64> {
        let decide = |counts: &std::collections::BTreeMap<String, i64>| (false, counts.clone());
        let (counts, counted) = self.histories.decide(&acme(), &ask.counting(counters), decide).await.unwrap();
        assert!(counted.is_none(), "what is not allowed reserves nothing");
        counts
    }

    /// Of the only counter.
    async fn count(&self, counter: &Counter, ask: Ask<'_>) -> i64 {
        self.counts(std::slice::from_ref(counter), ask).await[&counter.name]
    }

    /// Commits an act that counts; one that is refused by the store if `holds` is not set.
    async fn commit(&self, counted: Option<Arc<dyn Counted>>, holds: bool) -> Result<(), Fault> {
        let key = RecordKey::new(Kind::Agent, acme(), "nobody");
        let refused = Change::Require { key, expect: Expect::Version(1) };
        let changes = if holds { Vec::new() } else { vec![refused] };
        let deed =
            Deed { subject: "agent/a".to_owned(), stream: "agents", changes, answer: Answer::empty(), also: None };
        self.journal.commit(&act(counted), deed).await.map(drop)
    }

    /// The sum of all numbers in the store.
    async fn stored(&self) -> i64 {
        let query = ListQuery {
            kind: Kind::Tally,
            tenant: acme(),
            index: None,
            after: None,
            newest_first: false,
            limit: 100_000,
        };
        let records = self.store.list(&query).await.unwrap();
        records.iter().map(|record| count_of(&record.body).unwrap()).sum()
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Ask<'a> {
    action: &'a str,
    principal: &'a str,
    resource: &'a str,
    session: Option<&'a str>,
    amount: Option<i64>,
    at_ms: u64,
    limits: &'a [(&'a str, i64)],
}

const CALL: Ask<'_> =
    Ask { action: "call", principal: "ann", resource: "mail", session: None, amount: None, at_ms: BEGUN, limits: &[] };

impl<'a> Ask<'a> {
    fn counting<'b>(&'b self, counters: &'b [Counter]) -> Counting<'b> {
        let Ask { action, principal, resource, session, at_ms, .. } = *self;
        let amounts: &(dyn Fn(&str) -> Option<i64> + Sync) = match self.amount {
            Some(5) => &|name| (name == "bytes").then_some(5),
            Some(7) => &|name| (name == "bytes").then_some(7),
            Some(0) => &|name| (name == "bytes").then_some(0),
            Some(-1) => &|name| (name == "bytes").then_some(-1),
            Some(i64::MAX) => &|name| (name == "bytes").then_some(i64::MAX),
            _ => &|_| None,
        };
        Counting { counters, action, principal, resource, session, amounts, at: at(at_ms) }
    }
}

fn act(counted: Option<Arc<dyn Counted>>) -> Act {
    Act {
        caller: Caller {
            tenant: acme(),
            principal: Principal::System,
            role: Role::Admin,
            correlation_id: CorrelationId::generate(at(BEGUN), [0; 10]),
        },
        operation: Operation::AgentInvoke,
        at: at(BEGUN),
        decision: DecisionMark {
            id: DecisionId::generate(at(BEGUN), [0; 10]),
            class: ReasonClass::Permitted,
            policy_hash: String::new(),
        },
        request_digest: [0; 32],
        idempotency: None,
        beside: Vec::new(),
        counted,
    }
}

/// Commits what is counted alone, as whoever commits acts does.
async fn commit_changes(store: &dyn Store, counted: &dyn Counted) {
    let batch = Batch { at: at(BEGUN), changes: counted.changes() };
    assert!(store.commit_many(vec![batch]).await.iter().all(Result::is_ok));
}
