//! Removes what was counted so long ago that no window sees it any more.

use aegis_ledger::journal::expired_hour;
use aegis_model::port::{Store, StoreResult};
use aegis_model::record::{Batch, Change, Expect, Kind, ListQuery};
use aegis_model::{TenantId, Timestamp};

/// How many documents are read and removed at once.
const PAGE: usize = 500;
/// How many hours back are looked at: what is older was swept, or the server was down longer.
const HOURS_BACK: u64 = 24 * 7;

/// Removes the steps of a tenant's counters that no window sees any more.
///
/// # Errors
/// When the store cannot answer; what was not removed is the next time.
pub async fn sweep(store: &dyn Store, tenant: &TenantId, now: Timestamp) -> StoreResult<()> {
    let last_hour = expired_hour(now);
    for hour in last_hour.saturating_sub(HOURS_BACK)..last_hour {
        while sweep_hour(store, (tenant, now), hour).await? == PAGE {}
    }
    Ok(())
}

/// Removes up to a page of steps that expired in `hour`.
async fn sweep_hour(store: &dyn Store, (tenant, at): (&TenantId, Timestamp), hour: u64) -> StoreResult<usize> {
    let query = ListQuery {
        kind: Kind::Tally,
        tenant: tenant.clone(),
        index: Some(("expires", hour.to_string())),
        after: None,
        newest_first: false,
        limit: PAGE,
    };
    let records = store.list(&query).await?;
    if records.is_empty() {
        return Ok(0);
    }
    // Whatever is added to it in the meantime is not seen either.
    let changes = records.iter().map(|record| Change::Delete { key: record.key.clone(), expect: Expect::Any });
    for result in store.commit_many(vec![Batch { at, changes: changes.collect() }]).await {
        result?;
    }
    Ok(records.len())
}
