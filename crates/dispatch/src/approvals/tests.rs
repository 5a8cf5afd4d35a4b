//! Tests over a real database and with a clock of their own: what time does to approvals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aegis_conformance::store::TestIntegrity;
use aegis_fleet::Fleet;
use aegis_ledger::journal::{Answer, Deed, Journal};
use aegis_model::act::DecisionMark;
use aegis_model::api::{ApprovalApprove, ApprovalDeny, ApprovalListQuery, StandingWish};
use aegis_model::approval::{APPROVALS_PENDING_MAX, Approval, ApprovalState, Asked};
use aegis_model::port::{Clock, Entropy, EntropyError, ObjectError, Objects, TenantKeys, TenantSecrets};
use aegis_model::record::{Batch, Change, Expect};
use aegis_model::{
    Act, ApprovalId, Caller, Code, CorrelationId, DecisionId, Fault, KeyId, Operation, Principal, ReasonClass, Role,
    TenantId, Timestamp,
};
use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;

use super::{Approvals, ApprovalsParts, Before, Found, Stored, Wanted, written};
use crate::Policies;

const HOUR: u64 = 60 * 60 * 1_000;
const BEGUN: u64 = 1_700_000_000_000;

/// A clock that is set, and randomness that only counts.
#[derive(Default)]
struct Hands(AtomicU64, AtomicU64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGUN + self.0.load(Ordering::Relaxed))
    }

    fn elapsed_ns(&self) -> u64 {
        0
    }
}

impl Entropy for Hands {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        let number = self.1.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        buffer.fill(0);
        buffer.iter_mut().zip(number).for_each(|(place, byte)| *place = byte);
        Ok(())
    }
}

struct Nothing;

#[async_trait]
impl Objects for Nothing {
    async fn put(&self, _: Bytes) -> Result<String, ObjectError> {
        Ok(String::new())
    }

    async fn get(&self, _: &str) -> Result<Option<Bytes>, ObjectError> {
        Ok(None)
    }
}

#[async_trait]
impl TenantKeys for Nothing {
    async fn of(&self, _: &TenantId) -> Result<Arc<TenantSecrets>, Fault> {
        let secrets = TenantSecrets { mac_key: [1; 32], signing_seed: [2; 32], previous_signing_seed: None };
        Ok(Arc::new(secrets))
    }
}

/// The room, its clock, and what acts are committed to.
struct World {
    hands: Arc<Hands>,
    journal: Arc<Journal>,
    approvals: Arc<Approvals>,
    _dir: TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = aegis_store::open(dir.path(), Arc::new(TestIntegrity::default())).unwrap();
        let (hands, keys) = (Arc::new(Hands::default()), Arc::new(Nothing));
        let journal = Arc::new(Journal::new(store, keys));
        let fleet = Arc::new(Fleet::new(Arc::clone(&journal), Arc::new(Nothing)));
        let entropy: Arc<dyn Entropy> = Arc::clone(&hands) as Arc<dyn Entropy>;
        let clock: Arc<dyn Clock> = Arc::clone(&hands) as Arc<dyn Clock>;
        let means = (Arc::clone(&entropy), Arc::clone(&clock));
        let policies = Arc::new(Policies::new(Arc::clone(&journal), fleet, means).unwrap());
        let parts = ApprovalsParts { journal: Arc::clone(&journal), policies, clock, entropy, expires_after_ms: HOUR };
        Self { hands, journal, approvals: Approvals::new(parts), _dir: dir }
    }

    fn later(&self, ms: u64) {
        self.hands.0.fetch_add(ms, Ordering::Relaxed);
    }

    async fn find(&self, number: u8) -> Found {
        let asker = caller(1);
        self.approvals.find(&self.wanted(&asker, number)).await.unwrap()
    }

    fn wanted<'a>(&self, asker: &'a Caller, number: u8) -> Wanted<'a> {
        Wanted {
            caller: asker,
            operation: Operation::AgentDelete,
            resource: "agent/triage",
            request_digest: [number; 32],
            at: self.hands.now(),
            policy_revision: 0,
        }
    }

    /// Asks, and keeps the question as the gate does.
    async fn ask(&self, number: u8) -> Result<Approval, Fault> {
        let asker = caller(1);
        let asked = Asked::of(Operation::AgentDelete, "/agents/triage", b"");
        let asking = self.approvals.ask(&self.wanted(&asker, number), (asked, "Somebody.".to_owned())).await?;
        self.commit(asking.change.clone().into_iter().collect()).await?;
        Ok(asking.approval.clone())
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), Fault> {
        let batch = Batch { at: self.hands.now(), changes };
        let done = self.journal.store().commit_many(vec![batch]).await.pop().unwrap();
        done.map(drop).map_err(Fault::from)
    }

    async fn approve(&self, id: &ApprovalId, standing: Option<StandingWish>) -> Result<Approval, Fault> {
        let wish = ApprovalApprove { reason: String::new(), standing };
        self.approvals.approve(&self.act(2), id, wish).await
    }

    /// Uses what was found up, as an act does that is committed with it.
    async fn pass(&self, found: Found) -> Result<(), Fault> {
        let Found::Approved(stored) = found else { panic!("{found:?}") };
        let asker = caller(1);
        let by = DecisionId::generate(self.hands.now(), [3; 10]);
        let change = self.approvals.used(&self.wanted(&asker, 1), stored, &by).await?;
        self.commit(vec![change]).await
    }

    fn act(&self, who: u64) -> Act {
        Act {
            caller: caller(who),
            operation: Operation::ApprovalApprove,
            at: self.hands.now(),
            decision: DecisionMark {
                id: DecisionId::generate(self.hands.now(), [0; 10]),
                class: ReasonClass::Permitted,
                policy_hash: String::new(),
            },
            request_digest: [0; 32],
            idempotency: None,
            beside: Vec::new(),
            counted: None,
        }
    }

    async fn in_state(&self, state: ApprovalState) -> Vec<ApprovalId> {
        let query = ApprovalListQuery { state: Some(state), ..ApprovalListQuery::default() };
        let found = self.approvals.list(&acme(), &query, (None, 2_000)).await.unwrap();
        found.into_iter().map(|approval| approval.id).collect()
    }
}

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn caller(who: u64) -> Caller {
    let at = Timestamp::from_millis(who);
    let principal = Principal::Key { id: KeyId::generate(at, [0; 10]) };
    Caller { tenant: acme(), principal, role: Role::Admin, correlation_id: CorrelationId::generate(at, [0; 10]) }
}

#[tokio::test]
async fn what_nobody_decides_in_time_expires_and_is_told_apart() {
    let world = World::new();
    let first = world.ask(1).await.unwrap();
    world.later(HOUR - 1);
    assert!(matches!(world.find(1).await, Found::Pending(found) if found.id == first.id));
    world.later(1);
    assert!(matches!(world.find(1).await, Found::Unasked(Before::Ended(ApprovalState::Expired))));
    let late = world.approve(&first.id, None).await.unwrap_err();
    assert_eq!((late.code(), late.message().contains("it expired at")), (Code::StateInvalid, true), "{late}");
    assert!(world.in_state(ApprovalState::Expired).await.contains(&first.id));
    assert!(world.in_state(ApprovalState::Pending).await.is_empty());
    assert_ne!(world.ask(1).await.unwrap().id, first.id);
}

#[tokio::test]
async fn what_was_approved_is_to_be_used_in_time() {
    let world = World::new();
    let first = world.ask(1).await.unwrap();
    world.later(HOUR - 1);
    world.approve(&first.id, None).await.unwrap();
    world.later(HOUR - 1);
    assert!(matches!(world.find(1).await, Found::Approved(_)), "the time begins with the decision");
    world.later(1);
    assert!(matches!(world.find(1).await, Found::Unasked(Before::Ended(ApprovalState::Expired))));
}

#[tokio::test]
async fn a_no_holds_until_the_time_is_over() {
    let world = World::new();
    let first = world.ask(1).await.unwrap();
    let wish = ApprovalDeny { reason: "no".to_owned() };
    world.approvals.deny(&world.act(2), &first.id, wish).await.unwrap();
    world.later(HOUR - 1);
    assert!(matches!(world.find(1).await, Found::Rejected(found) if found.reason == "no"));
    world.later(1);
    assert!(matches!(world.find(1).await, Found::Unasked(Before::Ended(ApprovalState::Rejected))));
}

#[tokio::test]
async fn a_standing_approval_ends_when_its_time_is_over() {
    let world = World::new();
    let first = world.ask(1).await.unwrap();
    world.approve(&first.id, Some(StandingWish { for_ms: 2 * HOUR, uses: Some(2) })).await.unwrap();
    world.later(2 * HOUR - 1);
    let found = world.find(9).await;
    world.pass(found).await.unwrap();
    world.later(1);
    assert!(matches!(world.find(9).await, Found::Unasked(Before::Nothing)));
    assert!(matches!(world.find(1).await, Found::Unasked(Before::Ended(ApprovalState::Expired))));
}

#[tokio::test]
async fn of_two_that_found_the_same_approval_one_passes_and_after_a_withdrawal_none() {
    let world = World::new();
    for standing in [None, Some(StandingWish { for_ms: HOUR, uses: Some(1) })] {
        let asked = world.ask(1).await.unwrap();
        world.approve(&asked.id, standing).await.unwrap();
        let (one, two) = (world.find(1).await, world.find(1).await);
        world.pass(one).await.unwrap();
        assert!(world.pass(two).await.is_err());
    }
    let asked = world.ask(1).await.unwrap();
    world.approve(&asked.id, Some(StandingWish { for_ms: HOUR, uses: None })).await.unwrap();
    let (one, two) = (world.find(1).await, world.find(1).await);
    world.pass(one).await.unwrap();
    world.approvals.withdraw(&world.act(2), &asked.id).await.unwrap();
    assert!(world.pass(two).await.is_err(), "it was withdrawn between finding and passing");
}

#[tokio::test]
async fn no_more_wait_than_may_and_what_expired_makes_room() {
    let world = World::new();
    let first = world.ask(1).await.unwrap();
    let other = |number: usize| {
        let id = ApprovalId::generate(world.hands.now(), [9, 0, 0, 0, 0, 0, 0, 0, (number >> 8) as u8, number as u8]);
        let approval = Approval { id, action_mac: number.to_string(), ..first.clone() };
        written(&acme(), &approval, None, Expect::Absent).unwrap()
    };
    world.commit((2..APPROVALS_PENDING_MAX).map(other).collect()).await.unwrap();
    assert!(world.ask(2).await.is_ok(), "the last one that fits");
    let refused = world.ask(7).await.unwrap_err();
    assert_eq!(refused.code(), Code::Overloaded, "{refused}");
    world.later(HOUR);
    assert!(world.ask(7).await.is_ok());
}

#[tokio::test]
async fn neither_an_agent_nor_whoever_asked_decides() {
    let world = World::new();
    let asked = world.ask(1).await.unwrap();
    let agent = Principal::Agent { name: "triage".parse().unwrap() };
    for principal in [agent, Principal::System, caller(1).principal] {
        let act = Act { caller: Caller { principal, ..caller(2) }, ..world.act(2) };
        let refused = world.approvals.approve(&act, &asked.id, ApprovalApprove::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Denied, "{refused}");
        let wish = ApprovalDeny { reason: String::new() };
        assert_eq!(world.approvals.deny(&act, &asked.id, wish).await.unwrap_err().code(), Code::Denied);
    }
    assert_eq!(world.in_state(ApprovalState::Pending).await, [asked.id]);
}

#[tokio::test]
async fn a_use_is_committed_with_the_act_or_not_at_all() {
    let world = World::new();
    let asked = world.ask(1).await.unwrap();
    world.approve(&asked.id, None).await.unwrap();
    let Found::Approved(stored) = world.find(1).await else { panic!("it is approved") };
    let by = DecisionId::generate(world.hands.now(), [3; 10]);
    let asker = caller(1);
    let used = world.approvals.used(&world.wanted(&asker, 1), Stored { version: 9, ..stored }, &by).await.unwrap();
    let act = Act { beside: vec![used], ..world.act(1) };
    let deed = Deed {
        subject: "agent/triage".to_owned(),
        stream: "agents",
        changes: Vec::new(),
        answer: Answer::empty(),
        also: None,
    };
    assert_eq!(world.journal.commit(&act, deed).await.unwrap_err().code(), Code::Conflict);
    assert!(matches!(world.find(1).await, Found::Approved(_)), "what did not happen used nothing up");
}
