//! From a dispatch to the question whether its intent may be fulfilled.
//! Must not know the clock, time zones, or how often anything was allowed: it is told.

use std::collections::BTreeMap;

use aegis_model::Timestamp;
use aegis_model::time::Weekday;
use serde_json::Value;

use crate::action::IntentAction;
use crate::document::{self, DocumentProblem};
use crate::request::{ContextValue, Request, Resource, ResourceType, Subject};

/// Everything that is known when somebody wants an intent fulfilled.
#[derive(Clone, Debug)]
pub struct IntentAsk<'a> {
    /// Who. The intent is of the same tenant.
    pub subject: Subject,
    /// Of which service.
    pub service: &'a str,
    /// Which intent.
    pub intent: &'a str,
    /// When.
    pub at: Timestamp,
    /// The hour of the day in the time zone of the record, 0 to 23.
    pub local_hour: u8,
    /// The day of the week in the time zone of the record.
    pub local_weekday: Weekday,
    /// How often the intent was allowed in the last minute, before this one.
    pub last_minute: u64,
    /// How often the intent was allowed in the last hour, before this one.
    pub last_hour: u64,
    /// What was said about it: an object, or `null`.
    pub context: &'a Value,
}

/// The question whether an intent may be fulfilled, to be put to the platform's set, the tenant's
/// and the one of its governance records.
///
/// # Errors
/// When the context is not an object, or is too large: more than 64 fields, deeper than 8 names,
/// a text longer than 4 KiB, a list of more than 256 entries.
pub fn intent_request(ask: IntentAsk<'_>) -> Result<Request, DocumentProblem> {
    let document = document::fields_of(ask.context)?;
    // Nobody counts further than that.
    let count = |count: u64| ContextValue::Long(i64::try_from(count).unwrap_or(i64::MAX));
    let context = [
        ("local_hour", ContextValue::Long(ask.local_hour.into())),
        ("local_weekday", ContextValue::Text(ask.local_weekday.as_str().to_owned())),
        ("last_minute", count(ask.last_minute)),
        ("last_hour", count(ask.last_hour)),
    ];
    let id = format!("{}/{}", ask.service, ask.intent);
    let resource = Resource { kind: ResourceType::Intent, id, tenant: ask.subject.tenant.clone() };
    Ok(Request {
        subject: ask.subject,
        action: IntentAction::Fulfil.into(),
        resource,
        context: context.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        at: Some(ask.at),
        counts: BTreeMap::new(),
        document,
    })
}
