//! Background work: expired answers of idempotency keys are removed, what was counted when no
//! window sees it any more, and decisions, approvals and records of what left boxes when they are
//! old. The ledger keeps its entries.

use std::sync::Arc;
use std::time::Duration;

use aegis_dispatch::history;
use aegis_ledger::journal::expired_hour;
use aegis_model::TenantId;
use aegis_model::port::{Clock, Store, StoreError};
use aegis_model::record::{Batch, Change, Expect, Kind, ListQuery, Record};
use aegis_model::tenant::TenantState;
use tokio::sync::watch;

/// How often.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// How many documents are read and removed at once.
const PAGE: usize = 500;
/// How many hours back are looked at: what is older was swept, or the server was down longer.
const HOURS_BACK: u64 = 24 * 7;
/// For how long decisions, approvals, and records of what left boxes are kept. No approval lasts
/// longer.
const DECISIONS_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Sweeps now and then until `stop` changes.
#[expect(clippy::disallowed_methods, reason = "a chore that waits for its time")]
pub async fn run(store: Arc<dyn Store>, clock: Arc<dyn Clock>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = stop.changed() => return,
        }
        if let Err(error) = sweep(&*store, &*clock).await {
            tracing::warn!(%error, "what has expired could not be removed");
        }
    }
}

async fn sweep(store: &dyn Store, clock: &dyn Clock) -> Result<(), StoreError> {
    let last_hour = expired_hour(clock.now());
    let oldest_ms = clock.now().as_millis().saturating_sub(DECISIONS_KEPT_MS);
    for tenant in tenants(store).await? {
        for hour in last_hour.saturating_sub(HOURS_BACK)..last_hour {
            while sweep_hour(store, clock, &tenant, hour).await? == PAGE {}
        }
        history::sweep(store, &tenant, clock.now()).await?;
        for kind in [Kind::Outward, Kind::Judged, Kind::Approval] {
            while sweep_decisions(store, clock, (&tenant, kind), oldest_ms).await? == PAGE {}
        }
    }
    Ok(())
}

/// Every tenant that can be used.
pub async fn tenants(store: &dyn Store) -> Result<Vec<TenantId>, StoreError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let query = ListQuery {
            kind: Kind::Tenant,
            tenant: TenantId::platform(),
            index: Some(("state", TenantState::Active.as_str().to_owned())),
            after: after.take(),
            newest_first: false,
            limit: PAGE,
        };
        let records = store.list(&query).await?;
        found.extend(records.iter().filter_map(|record| record.key.id.parse::<TenantId>().ok()));
        match records.last() {
            Some(last) if records.len() == PAGE => after = Some(last.key.id.clone()),
            _ => return Ok(found),
        }
    }
}

/// Removes up to a page of answers that expired in `hour`.
async fn sweep_hour(store: &dyn Store, clock: &dyn Clock, tenant: &TenantId, hour: u64) -> Result<usize, StoreError> {
    let query = ListQuery {
        kind: Kind::Answer,
        tenant: tenant.clone(),
        index: Some(("expires", hour.to_string())),
        after: None,
        newest_first: false,
        limit: PAGE,
    };
    remove(store, clock, store.list(&query).await?).await
}

/// Removes up to a page of decisions that were written before that time: their ids are in the
/// order of time.
async fn sweep_decisions(
    store: &dyn Store,
    clock: &dyn Clock,
    (tenant, kind): (&TenantId, Kind),
    oldest_ms: u64,
) -> Result<usize, StoreError> {
    let query = ListQuery { kind, tenant: tenant.clone(), index: None, after: None, newest_first: false, limit: PAGE };
    let mut records = store.list(&query).await?;
    records.retain(|record| record.changed_at.as_millis() < oldest_ms);
    remove(store, clock, records).await
}

/// Removes these; how many they were.
async fn remove(store: &dyn Store, clock: &dyn Clock, records: Vec<Record>) -> Result<usize, StoreError> {
    if records.is_empty() {
        return Ok(0);
    }
    let expect = |version| Expect::Version(version);
    let changes =
        records.iter().map(|record| Change::Delete { key: record.key.clone(), expect: expect(record.version) });
    let batch = Batch { at: clock.now(), changes: changes.collect() };
    for result in store.commit_many(vec![batch]).await {
        result?;
    }
    Ok(records.len())
}
