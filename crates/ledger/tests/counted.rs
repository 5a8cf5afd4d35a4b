//! What an act counts for is committed with it, once, and by nobody else.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::sync::{Arc, Mutex};

use aegis_ledger::Sealer;
use aegis_ledger::journal::{Answer, Deed, Journal};
use aegis_model::act::DecisionMark;
use aegis_model::port::{Counted, Store, StoreError, TenantKeys, TenantSecrets};
use aegis_model::record::{Change, Expect, Kind, RecordKey, count_of};
use aegis_model::{
    Act, Caller, Code, CorrelationId, DecisionId, Fault, Operation, Principal, ReasonClass, Role, SecurityChange,
    TenantId, Timestamp,
};
use aegis_store::SqliteStore;
use async_trait::async_trait;

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

fn tally() -> RecordKey {
    RecordKey::new(Kind::Tally, acme(), "calls")
}

/// Notes what it is told; counts one until it is settled.
#[derive(Debug, Default)]
struct Noted(Mutex<Vec<String>>);

impl Noted {
    fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Counted for Noted {
    fn changes(&self) -> Vec<Change> {
        self.0.lock().unwrap().push("changes".to_owned());
        let is_settled = self.told().contains(&"settled".to_owned());
        let one = (!is_settled).then(|| Change::Count { key: tally(), by: 1, index: Vec::new() });
        one.into_iter().collect()
    }

    fn settle(&self) {
        self.0.lock().unwrap().push("settled".to_owned());
    }

    fn failed(&self, error: &StoreError) {
        let kind = if matches!(error, StoreError::Conflict { .. }) { "conflict" } else { "failed" };
        self.0.lock().unwrap().push(kind.to_owned());
    }
}

fn act(counted: Option<Arc<dyn Counted>>) -> Act {
    let at = Timestamp::from_millis(7);
    Act {
        caller: Caller {
            tenant: acme(),
            principal: Principal::System,
            role: Role::Admin,
            correlation_id: CorrelationId::generate(at, [0; 10]),
        },
        operation: Operation::AgentInvoke,
        at,
        decision: DecisionMark {
            id: DecisionId::generate(at, [0; 10]),
            class: ReasonClass::Permitted,
            policy_hash: String::new(),
        },
        request_digest: [0; 32],
        idempotency: None,
        beside: Vec::new(),
        counted,
    }
}

fn deed(changes: Vec<Change>) -> Deed {
    Deed { subject: "agent/a".to_owned(), stream: "agents", changes, answer: Answer::empty(), also: None }
}

fn impossible() -> Change {
    Change::Require { key: RecordKey::new(Kind::Agent, acme(), "nobody"), expect: Expect::Version(1) }
}

fn open(directory: &std::path::Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(directory, Arc::new(Sealer::new(&[9; 32]))).unwrap())
}

async fn counted_so_far(store: &dyn Store) -> Option<i64> {
    store.get(&tally()).await.unwrap().map(|record| count_of(&record.body).unwrap())
}

#[tokio::test]
async fn an_act_counts_with_its_commit_and_once_only() {
    let temporary = tempfile::tempdir().unwrap();
    let store = open(temporary.path());
    let journal = Journal::new(Arc::clone(&store), Arc::new(Keys));
    let noted = Arc::new(Noted::default());
    let act_counted = act(Some(Arc::clone(&noted) as Arc<dyn Counted>));

    let refused = journal.commit(&act_counted, deed(vec![impossible()])).await.unwrap_err();
    assert_eq!(refused.code(), Code::Conflict);
    assert_eq!(noted.told(), ["changes", "conflict"]);
    assert_eq!(counted_so_far(&*store).await, None);

    journal.commit(&act_counted, deed(Vec::new())).await.unwrap();
    assert_eq!(noted.told(), ["changes", "conflict", "changes", "settled"]);
    assert_eq!(counted_so_far(&*store).await, Some(1));

    journal.commit(&act_counted, deed(Vec::new())).await.unwrap();
    journal.commit(&act(None), deed(Vec::new())).await.unwrap();
    assert_eq!(counted_so_far(&*store).await, Some(1));
    assert_eq!(store.tree_head(&acme()).await.unwrap().size, 3, "each commit that held has its entry");
}

#[tokio::test]
async fn a_change_of_security_is_counted_when_it_is_committed_and_not_when_it_fails() {
    let temporary = tempfile::tempdir().unwrap();
    let store = open(temporary.path());
    let journal = Journal::new(store, Arc::new(Keys));
    let count = || {
        let told = journal.security_changes();
        assert_eq!(told.len(), SecurityChange::ALL.len(), "those that never happened are told too");
        told.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>()
    };
    let created = Act { operation: Operation::KeyCreate, ..act(None) };
    journal.commit(&created, deed(vec![impossible()])).await.unwrap_err();
    journal.commit(&act(None), deed(Vec::new())).await.unwrap();
    assert_eq!(count(), []);
    journal.commit(&created, deed(Vec::new())).await.unwrap();
    assert_eq!(count(), [(SecurityChange::Key, 1)]);
}
