//! Governance records as policies: compiled when they are first asked for, and again when the
//! document has changed. Must not know who asks.

use std::sync::{Arc, PoisonError};

use aegis_model::decision::PolicyLayer;
use aegis_model::governance::GovernanceRecord;
use aegis_model::record::{Kind, RecordKey};
use aegis_model::time::Weekday;
use aegis_model::{Code, Fault, TenantId, Timestamp};
use aegis_policy::{PolicySet, governance_policies};
use jiff::tz::TimeZone;

use super::Orbit;
use crate::document::read;

/// Most records that are kept compiled.
const COMPILED_MAX: usize = 10_000;

/// A record, compiled.
pub(super) struct Governed {
    /// The record.
    pub(super) record: GovernanceRecord,
    /// Its rules.
    pub(super) set: PolicySet,
    zone: TimeZone,
}

impl Governed {
    /// Compiles a record.
    pub(super) fn compile(tenant: &TenantId, record: GovernanceRecord) -> Result<Self, Fault> {
        let zone = zone(&record)?;
        let sources = governance_policies(tenant, std::slice::from_ref(&record)).map_err(|problems| {
            let (pointer, message) =
                problems.first().map(|problem| (problem.pointer.clone(), problem.message.clone())).unwrap_or_default();
            // The record is the first and only one of a list.
            let pointer = pointer.trim_start_matches("/0").to_owned();
            Fault::new(Code::Validation, format!("the governance record is not valid: {message}"))
                .at(&pointer)
                .with("problems", serde_json::json!(problems))
        })?;
        let set = PolicySet::compile(PolicyLayer::Governance, &sources).map_err(crate::policies::defect)?;
        Ok(Self { record, set, zone })
    }

    /// The hour and the day of the week in the record's time zone.
    pub(super) fn local(&self, at: Timestamp) -> (u8, Weekday) {
        let fallback = || (u8::try_from(at.hour()).unwrap_or(0), at.weekday());
        let Ok(ms) = i64::try_from(at.as_millis()) else { return fallback() };
        let Ok(moment) = jiff::Timestamp::from_millisecond(ms) else { return fallback() };
        let local = moment.to_zoned(self.zone.clone());
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
        let weekday = Weekday::ALL.into_iter().nth(day).unwrap_or(at.weekday());
        (u8::try_from(local.hour()).unwrap_or(0), weekday)
    }
}

fn zone(record: &GovernanceRecord) -> Result<TimeZone, Fault> {
    let Some(times) = &record.time_restrictions else { return Ok(TimeZone::UTC) };
    TimeZone::get(&times.timezone).map_err(|_| {
        let rule = format!("there is no time zone `{}`; zones are called like `Europe/Berlin`", times.timezone);
        Fault::new(Code::Validation, rule).at("/time_restrictions/timezone")
    })
}

/// Where a record lies.
pub(super) fn governance_key(tenant: &TenantId, service: &str, intent: &str) -> RecordKey {
    RecordKey::new(Kind::Governance, tenant.clone(), format!("{service}/{intent}"))
}

impl Orbit {
    /// The record of an intent, compiled; `None` when there is none.
    pub(super) async fn governed(
        &self,
        tenant: &TenantId,
        service: &str,
        intent: &str,
    ) -> Result<Option<Arc<Governed>>, Fault> {
        let key = governance_key(tenant, service, intent);
        if key.id.len() > aegis_model::record::RECORD_ID_LENGTH_MAX {
            return Ok(None);
        }
        let Some(stored) = self.journal.store().get(&key).await? else { return Ok(None) };
        let place = (tenant.clone(), key.id);
        let compiled = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let record: GovernanceRecord = read(&stored)?;
        // Not by its version: one that was deleted and made anew begins with the same.
        if let Some(known) = compiled().get(&place).filter(|known| known.record == record) {
            return Ok(Some(Arc::clone(known)));
        }
        let tenant = tenant.clone();
        let compiling = tokio::task::spawn_blocking(move || Governed::compile(&tenant, record));
        let governed = Arc::new(compiling.await.map_err(Fault::internal)??);
        let mut compiled = compiled();
        if compiled.len() >= COMPILED_MAX {
            compiled.clear();
        }
        compiled.insert(place, Arc::clone(&governed));
        Ok(Some(governed))
    }
}
