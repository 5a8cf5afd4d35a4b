//! Putting recorded decisions to a draft: which of them would have come out differently?
//!
//! Only the tenant's set is asked again; what the other sets said stands in the record. So a
//! grant that has changed since does not blur what the draft changes. Counts and time are those
//! of the decision.

use std::sync::Arc;

use aegis_model::api::{PolicyReplay, PolicyReplayed, ReplayedDecision};
use aegis_model::decision::{LayerReason, PolicyLayer, ReasonClass};
use aegis_model::outward::{Manner, OutwardRecord, Wanted};
use aegis_model::record::{Kind, ListQuery};
use aegis_model::{Code, DecisionId, Fault, TenantId, Timestamp};
use aegis_policy::{PolicySet, Request, ask};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::Policies;
use super::draft::compiled;
use super::judge::Judged;
use crate::document::read;
use crate::outward::{protocols, request};

/// Most decisions of one replay.
const LIMIT_MAX: u32 = 50_000;
/// How many decisions are looked at when nobody says.
const LIMIT_DEFAULT: u32 = 10_000;
/// How many that would change are told.
const CHANGES_MAX: usize = 1_000;
/// How much of each kind of decisions is read: what is older is not looked at, which the answer
/// tells.
const SIZE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long putting them to the draft may take.
const TIME_MAX_NS: u64 = 30 * 1_000_000_000;
/// One replay at a time: each holds many decisions in memory.
static REPLAYING: Semaphore = Semaphore::const_new(1);
/// How many records are read at once.
const PAGE: usize = 500;

/// A decision of the past.
struct Past {
    id: DecisionId,
    at: Timestamp,
    principal: String,
    reasons: Vec<LayerReason>,
    /// The question; several where any of them was enough, none where it is not known.
    asked: Vec<Request>,
    /// Whether somebody had approved it: then the draft is asked without what can be lifted.
    approved: bool,
}

impl Policies {
    /// Puts recorded decisions to a draft.
    ///
    /// # Errors
    /// `PolicyInvalid` when the draft does not compile.
    pub async fn replay(&self, tenant: &TenantId, wish: PolicyReplay) -> Result<PolicyReplayed, Fault> {
        let limit = wish.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Fault::new(Code::Validation, format!("`limit` must be from 1 to {LIMIT_MAX}")).at("/limit"));
        }
        let draft = compiled(wish.draft, "/draft").await?.enforced;
        let full = |_| Fault::new(Code::Overloaded, "another replay is under way");
        let turn = REPLAYING.try_acquire().map_err(full)?;
        let bounds = (wish.since, limit as usize);
        let mut past: Vec<Past> = self
            .newest(tenant, Kind::Judged, bounds, |judged: &Judged| judged.at)
            .await?
            .into_iter()
            .map(Past::from)
            .collect();
        let outward = self.newest(tenant, Kind::Outward, bounds, |record: &OutwardRecord| record.at).await?;
        past.extend(outward.into_iter().map(|record| Past::of(tenant, record)));
        past.sort_unstable_by(|left, right| (right.at, &right.id).cmp(&(left.at, &left.id)));
        past.truncate(limit as usize);
        let clock = Arc::clone(&self.clock);
        let replaying = tokio::task::spawn_blocking(move || {
            // Whoever asked may have gone: the turn is over when the work is.
            let _turn = turn;
            let until_ns = clock.elapsed_ns().saturating_add(TIME_MAX_NS);
            replayed(&draft, &past, || clock.elapsed_ns() < until_ns)
        });
        replaying.await.map_err(Fault::internal)?
    }

    /// The newest records of a kind whose ids are in the order of time.
    async fn newest<T: DeserializeOwned>(
        &self,
        tenant: &TenantId,
        kind: Kind,
        (since, limit): (Option<Timestamp>, usize),
        at: impl Fn(&T) -> Timestamp,
    ) -> Result<Vec<T>, Fault> {
        let (mut found, mut after, mut size_bytes) = (Vec::new(), None, 0);
        loop {
            let (tenant, after_last) = (tenant.clone(), after.take());
            let limit_now = PAGE.min(limit - found.len());
            let query =
                ListQuery { kind, tenant, index: None, after: after_last, newest_first: true, limit: limit_now };
            let records = self.journal.store().list(&query).await?;
            for record in &records {
                let document: T = read(record)?;
                if since.is_some_and(|since| at(&document) < since) {
                    return Ok(found);
                }
                found.push(document);
                size_bytes += record.body.len();
            }
            match records.last() {
                Some(last) if records.len() == limit_now && found.len() < limit && size_bytes < SIZE_BYTES_MAX => {
                    after = Some(last.key.id.clone())
                }
                _ => return Ok(found),
            }
        }
    }
}

impl From<Judged> for Past {
    fn from(judged: Judged) -> Self {
        let Judged { decision, at, principal, request, approval, incomplete, .. } = judged;
        let approved = approval.is_some();
        let asked = if incomplete { Vec::new() } else { vec![request] };
        Self { id: decision.id, at, principal, reasons: decision.reasons, asked, approved }
    }
}

impl Past {
    /// What left a box, or wanted to. Only a name was asked for where there is no port.
    fn of(tenant: &TenantId, record: OutwardRecord) -> Self {
        let OutwardRecord { id, at, agent, host, port, manner, method, path, reasons, .. } = record;
        let manner = match (manner.as_str(), method, path) {
            ("http", Some(method), Some(path)) => Some(Manner::Http { method, path, websocket: false }),
            ("tls", ..) => Some(Manner::Tls),
            ("tcp", ..) => Some(Manner::Tcp),
            _ => None,
        };
        let asked = match (manner, port) {
            (Some(manner), Some(port)) => {
                let wanted = Wanted { host, port, manner, private_address: None };
                let (first, second) = protocols(&wanted.manner);
                let at_that_time = |protocol| Request { at: Some(at), ..request((tenant, &agent), &wanted, protocol) };
                [Some(first), second].into_iter().flatten().map(at_that_time).collect()
            }
            _ => Vec::new(),
        };
        Self { id, at, principal: format!("agent/{agent}"), reasons, asked, approved: false }
    }

    /// What the draft says in place of the tenant's set, and whether that changes the answer.
    fn put_to(&self, draft: &PolicySet) -> Option<(bool, LayerReason)> {
        let others = |reason: &&LayerReason| reason.layer != PolicyLayer::Tenant;
        let others_allow = self.reasons.iter().filter(others).all(|reason| reason.allowed);
        let was_allowed = self.reasons.iter().all(|reason| reason.allowed);
        let draft = draft.approved().filter(|_| self.approved).unwrap_or(draft);
        let mut said = self.asked.iter().map(|asked| ask(draft, asked));
        let first = said.next()?;
        let reason = if first.allowed { first } else { said.find(|other| other.allowed).unwrap_or(first) };
        (others_allow && reason.allowed != was_allowed).then_some((was_allowed, reason))
    }
}

fn replayed(draft: &PolicySet, past: &[Past], in_time: impl Fn() -> bool) -> Result<PolicyReplayed, Fault> {
    // What left boxes is recorded without what counters had come to.
    let counts = draft.looks_at().counters;
    let without_counts = |past: &Past| counts && past.asked.iter().any(|asked| asked.counts.is_empty());
    let known = |past: &&Past| !past.asked.is_empty() && !past.reasons.is_empty() && !without_counts(past);
    let mut changes = Vec::new();
    let mut changed: u64 = 0;
    for past in past.iter().filter(known) {
        if !in_time() {
            let rule = "the draft takes too long with so many decisions; lower `limit`";
            return Err(Fault::new(Code::TimedOut, rule).at("/limit"));
        }
        let Some((was_allowed, reason)) = past.put_to(draft) else { continue };
        changed += 1;
        if changes.len() < CHANGES_MAX {
            changes.extend(told(past, was_allowed, reason));
        }
    }
    let examined = past.iter().filter(known).count();
    Ok(PolicyReplayed {
        examined: examined as u64,
        changed,
        skipped: (past.len() - examined) as u64,
        oldest: past.last().map(|past| past.at),
        changes,
    })
}

fn told(past: &Past, was_allowed: bool, reason: LayerReason) -> Option<ReplayedDecision> {
    let asked = past.asked.first()?;
    Some(ReplayedDecision {
        id: past.id.clone(),
        at: past.at,
        principal: past.principal.clone(),
        action: asked.action.as_str().to_owned(),
        resource: format!("{}/{}", asked.resource.kind.as_str(), asked.resource.id),
        was_allowed,
        would_be_allowed: reason.allowed,
        class: if reason.allowed { ReasonClass::Permitted } else { reason.class },
        policies: reason.policies,
    })
}
