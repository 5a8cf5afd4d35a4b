//! Work, and the holds on it.

use std::collections::BTreeSet;

use aegis_model::port::{Store, StoreError, StoreResult};
use aegis_model::record::{Change, ClaimQuery, Lease, Work};

use crate::store::Home;
use crate::store::draft::{agent, at, claim, commit, create, ok, work};

fn ids(claimed: &[Work]) -> Vec<&str> {
    claimed.iter().map(|work| work.lease.id.as_str()).collect()
}

async fn claim_one(store: &dyn Store, query: ClaimQuery) -> Lease {
    let mut claimed = ok(store.claim(&query).await);
    assert_eq!(claimed.len(), 1, "{query:?} should find one piece of work");
    claimed.remove(0).lease
}

fn is_lost<T: std::fmt::Debug>(result: StoreResult<T>) {
    assert!(matches!(result, Err(StoreError::LeaseLost { .. })), "{result:?}");
}

/// Not before it is due, by the time it is due and then by id, at most so many.
pub async fn due_work_is_claimed_oldest_first(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [work("late", 30), work("b", 10), work("a", 10), work("early", 5), work("later", 31)]).await);
    assert_eq!(ids(&ok(store.claim(&claim(4, 100, 10)).await)), [""; 0]);
    assert_eq!(ids(&ok(store.claim(&claim(30, 100, 0)).await)), [""; 0]);
    let first = ok(store.claim(&claim(30, 100, 2)).await);
    assert_eq!(ids(&first), ["early", "a"]);
    assert!(first.iter().all(|work| work.until == at(130) && work.draft.body == work.draft.id));
    assert_eq!(ids(&ok(store.claim(&claim(30, 100, usize::MAX)).await)), ["b", "late"]);
    let other = ClaimQuery { queue: "post".to_owned(), ..claim(100, 100, 10) };
    assert_eq!(ids(&ok(store.claim(&other).await)), [""; 0]);
}

/// To the millisecond.
pub async fn held_work_is_not_claimed_until_its_time_is_over(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [work("a", 0)]).await);
    claim_one(&*store, claim(10, 100, 10)).await;
    drop(store);
    let store = home.open();
    for now in [10, 109, 5] {
        assert_eq!(ids(&ok(store.claim(&claim(now, 100, 10)).await)), [""; 0]);
    }
    claim_one(&*store, claim(110, 100, 10)).await;
}

/// The older epoch can do nothing any more.
pub async fn a_claim_by_somebody_else_ends_a_hold(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [work("a", 0)]).await);
    let older = claim_one(&*store, claim(0, 10, 1)).await;
    let newer = claim_one(&*store, claim(10, 10, 1)).await;
    assert!(newer.epoch > older.epoch);
    is_lost(store.renew(&older, at(1_000)).await);
    is_lost(commit(&*store, [Change::Finish(older.clone())]).await);
    is_lost(commit(&*store, [Change::Release { lease: older, due: at(0) }]).await);
    ok(store.renew(&newer, at(1_000)).await);
    ok(commit(&*store, [Change::Finish(newer.clone())]).await);
    is_lost(commit(&*store, [Change::Finish(newer.clone())]).await);
    is_lost(store.renew(&newer, at(2_000)).await);
    assert_eq!(ids(&ok(store.claim(&claim(9_000, 10, 1)).await)), [""; 0]);
}

/// Only the epoch decides, so no clock can give one piece of work to two.
pub async fn a_hold_survives_its_time_while_nobody_claims(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [work("a", 0)]).await);
    let lease = claim_one(&*store, claim(0, 10, 1)).await;
    ok(store.renew(&lease, at(5_000)).await);
    assert_eq!(ids(&ok(store.claim(&claim(4_999, 10, 1)).await)), [""; 0]);
    ok(commit(&*store, [Change::Finish(lease)]).await);
}

/// A renewal never shortens a hold, so one that comes late does no harm.
pub async fn renewing_keeps_others_away(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [work("a", 0)]).await);
    let lease = claim_one(&*store, claim(0, 10, 1)).await;
    ok(store.renew(&lease, at(50)).await);
    ok(store.renew(&lease, at(20)).await);
    assert_eq!(ids(&ok(store.claim(&claim(49, 10, 1)).await)), [""; 0]);
    claim_one(&*store, claim(50, 10, 1)).await;
    is_lost(store.renew(&lease, at(100)).await);
}

/// From the new due time on, under a new epoch.
pub async fn released_work_can_be_claimed_again(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [work("a", 0)]).await);
    let first = claim_one(&*store, claim(0, 1_000, 1)).await;
    ok(commit(&*store, [Change::Release { lease: first.clone(), due: at(20) }]).await);
    is_lost(store.renew(&first, at(2_000)).await);
    is_lost(commit(&*store, [Change::Finish(first.clone())]).await);
    assert_eq!(ids(&ok(store.claim(&claim(19, 10, 1)).await)), [""; 0]);
    let second = claim_one(&*store, claim(20, 10, 1)).await;
    assert!(second.epoch > first.epoch);
    let nobody = Lease { epoch: 0, ..second };
    is_lost(store.renew(&nobody, at(2_000)).await);
}

/// Not when the work was done and added again, not after reopening.
pub async fn an_epoch_is_never_given_twice(home: &dyn Home) {
    let mut epochs = Vec::new();
    for round in 0..4 {
        let store = home.open();
        ok(commit(&*store, [work("a", 0)]).await);
        let lease = claim_one(&*store, claim(round * 100, 10, 1)).await;
        ok(commit(&*store, [Change::Finish(lease.clone())]).await);
        ok(commit(&*store, [work("a", 0)]).await);
        is_lost(commit(&*store, [Change::Finish(lease.clone())]).await);
        let again = claim_one(&*store, claim(round * 100, 10, 1)).await;
        is_lost(store.renew(&lease, at(10_000)).await);
        ok(commit(&*store, [Change::Finish(again.clone())]).await);
        epochs.extend([lease.epoch, again.epoch]);
    }
    assert!(epochs.is_sorted_by(|left, right| left < right), "{epochs:?}");
}

/// A second piece of the same id is a defect of the caller.
pub async fn work_is_unique_in_its_queue(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [work("a", 0)]).await);
    let refused = commit(&*store, [create("b"), work("a", 7)]).await;
    assert!(matches!(refused, Err(StoreError::Unacceptable(_))), "{refused:?}");
    assert_eq!(ok(store.get(&agent("b")).await), None);
    assert_eq!(ids(&ok(store.claim(&claim(100, 10, 10)).await)), ["a"]);
}

/// Whoever lost the work cannot write its result.
pub async fn a_lost_lease_undoes_its_batch(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [work("a", 0)]).await);
    let older = claim_one(&*store, claim(0, 10, 1)).await;
    let newer = claim_one(&*store, claim(10, 10, 1)).await;
    is_lost(commit(&*store, [create("result"), Change::Finish(older)]).await);
    assert_eq!(ok(store.get(&agent("result")).await), None);
    ok(commit(&*store, [create("result"), Change::Finish(newer)]).await);
    assert!(ok(store.get(&agent("result")).await).is_some());
}

/// However many ask.
pub async fn concurrent_claims_share_no_work(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, (0..100).map(|number| work(&format!("w{number}"), number))).await);
    let claims: Vec<_> = (0..30)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { ok(store.claim(&claim(1_000, 1_000, 5)).await) })
        })
        .collect();
    let (mut seen, mut epochs) = (BTreeSet::new(), BTreeSet::new());
    for one in claims {
        for work in one.await.unwrap_or_else(|error| panic!("a claim failed: {error}")) {
            assert!(epochs.insert(work.lease.epoch), "an epoch was given twice");
            assert!(seen.insert(work.lease.id), "a piece of work was given twice");
        }
    }
    assert_eq!(seen.len(), 100);
}
