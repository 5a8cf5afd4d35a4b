//! What leaves boxes for the world: decided by the policy in force, and recorded before it
//! happens. The adapter of the port `Gate`.
//!
//! Must not know: how a host is reached, or what is said to it.

mod look;
mod record;
mod tally;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use aegis_ledger::journal::Journal;
use aegis_model::decision::{LayerReason, PolicyLayer};
use aegis_model::outward::{Manner, OutwardRecord, Ruling, Wanted};
use aegis_model::port::{Clock, Entropy, Gate, Occupant};
use aegis_model::{AgentName, Code, Fault, TenantId};
use aegis_policy::{
    ContextValue, GrantAction, Looks, Request, Resource, ResourceType, Sets, Subject, SubjectKind, Verdict,
};
use async_trait::async_trait;

use crate::policies::{AgentGrants, Answer, Asked};
use crate::{DecisionAnswer, DecisionKind, Freezes, Policies};
use record::Recorder;
pub use tally::Counted;
use tally::Tally;

/// Most answers that are remembered for one agent and generation.
const KNOWN_MAX: usize = 4_096;

/// The ports that are watched for every name in a session that is observed: nobody can know
/// which of them a program is going to connect to.
const OBSERVED_PORTS: [u16; 10] = [22, 80, 443, 3306, 5432, 5672, 6379, 8443, 9092, 27017];

/// Decides what leaves boxes, and keeps the records.
pub struct Outward {
    policies: Arc<Policies>,
    freezes: Arc<Freezes>,
    clock: Arc<dyn Clock>,
    journal: Arc<Journal>,
    recorder: Recorder,
    tally: Tally,
}

/// The rooms and ports that it needs.
pub struct OutwardParts {
    /// The policy in force.
    pub policies: Arc<Policies>,
    /// The kill switch.
    pub freezes: Arc<Freezes>,
    /// Records.
    pub journal: Arc<Journal>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub entropy: Arc<dyn Entropy>,
}

impl Outward {
    /// A gate over the policy and the kill switch, which keeps its records in the journal. To be
    /// made where tasks can be started.
    pub fn new(parts: OutwardParts) -> Arc<Self> {
        let OutwardParts { policies, freezes, journal, clock, entropy } = parts;
        let recorder = Recorder::start(Arc::clone(&journal), entropy);
        Arc::new(Self { policies, freezes, clock, journal, recorder, tally: Tally::default() })
    }

    /// Waits until every record that was taken is kept; no more are taken.
    pub async fn close(&self) {
        self.recorder.close().await;
    }

    /// What left boxes so far.
    pub fn counted(&self) -> Counted {
        self.tally.counted()
    }

    /// What the kill switch and the policy say to somebody who lives in a box.
    async fn rule(&self, occupant: &Occupant, wanted: &Wanted) -> Result<Ruling, Fault> {
        if self.freezes.is_frozen(&occupant.tenant, &occupant.agent) {
            return Err(Fault::new(Code::Frozen, format!("agent `{}` is frozen", occupant.agent)));
        }
        let grants = self.policies.agent_grants(&occupant.tenant, &occupant.agent, occupant.version).await?;
        let Answer { verdict, log_only } = self.answer(&grants, occupant, wanted).await?;
        let passes = verdict.allowed || passes_observed(occupant, wanted, &verdict);
        let decision = self.policies.decision(verdict, self.clock.now(), log_only)?;
        Ok(Ruling { decision, passes, generation: grants.generation })
    }

    /// What the sets say. Requests differ by their paths too much to be remembered; and what
    /// depends on the time or on what was counted is another answer the next time.
    async fn answer(&self, grants: &AgentGrants, occupant: &Occupant, wanted: &Wanted) -> Result<Answer, Fault> {
        if matches!(wanted.manner, Manner::Http { .. }) || grants.looks != Looks::default() {
            return self.ask(grants, occupant, wanted).await;
        }
        let known = || grants.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known().get(wanted) {
            return Ok(answer.clone());
        }
        let answer = self.ask(grants, occupant, wanted).await?;
        let mut known = known();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(wanted.clone(), answer.clone());
        Ok(answer)
    }

    /// TLS that nobody opens is let out where HTTP is granted without looking into it, and where
    /// it is granted to pass unopened.
    async fn ask(&self, grants: &AgentGrants, occupant: &Occupant, wanted: &Wanted) -> Result<Answer, Fault> {
        let (first, second) = protocols(&wanted.manner);
        let answer = self.ask_as(grants, occupant, (wanted, first)).await?;
        match second {
            Some(second) if !answer.verdict.allowed => {
                let other = self.ask_as(grants, occupant, (wanted, second)).await?;
                Ok(if other.verdict.allowed { other } else { answer })
            }
            _ => Ok(answer),
        }
    }

    async fn ask_as(
        &self,
        grants: &AgentGrants,
        occupant: &Occupant,
        (wanted, protocol): (&Wanted, &str),
    ) -> Result<Answer, Fault> {
        let own = &grants.tenant;
        let sets = Sets { platform: self.policies.platform(), tenant: &own.enforced, grants: Some(&grants.set) };
        let request = request((&occupant.tenant, &occupant.agent), wanted, protocol);
        let session = occupant.session().map(|session| session.as_str());
        let asked = Asked { request, session, at: self.clock.now() };
        let (answer, ..) = self.policies.answer(own, &sets, asked).await?;
        Ok(answer)
    }
}

/// As which protocols of grants something is asked for, one after the other.
pub(crate) const fn protocols(manner: &Manner) -> (&'static str, Option<&'static str>) {
    match manner {
        Manner::Http { .. } => ("http", None),
        Manner::Tcp => ("tcp", None),
        Manner::Tls => ("http", Some("passthrough")),
    }
}

/// The question whether an agent may reach something.
pub(crate) fn request((tenant, agent): (&TenantId, &AgentName), wanted: &Wanted, protocol: &str) -> Request {
    let mut context = BTreeMap::from([
        ("port".to_owned(), ContextValue::Long(i64::from(wanted.port))),
        ("protocol".to_owned(), ContextValue::Text(protocol.to_owned())),
    ]);
    let mut add = |name: &str, value: ContextValue| drop(context.insert(name.to_owned(), value));
    let (read, upgrades) = match &wanted.manner {
        Manner::Http { method, path, websocket } => {
            add("method", ContextValue::Text(method.clone()));
            add("path", ContextValue::Text(path.clone()));
            (true, *websocket)
        }
        Manner::Tls | Manner::Tcp => (false, false),
    };
    add("hidden", ContextValue::Bool(!read));
    add("websocket", ContextValue::Bool(upgrades));
    if let Some(address) = wanted.private_address {
        add("private_address", ContextValue::Address { address });
    }
    Request {
        subject: Subject { kind: SubjectKind::Agent, id: agent.to_string(), tenant: tenant.clone(), role: None },
        action: GrantAction::Connect.into(),
        resource: Resource { kind: ResourceType::Host, id: wanted.host.clone(), tenant: tenant.clone() },
        context,
        at: None,
        counts: BTreeMap::new(),
        document: BTreeMap::new(),
    }
}

/// Whether it is only grants and tenant's rules that are against it, and the address is nobody's
/// own: what an observed session reports and lets out all the same.
fn passes_observed(occupant: &Occupant, wanted: &Wanted, verdict: &Verdict) -> bool {
    let house = |reason: &LayerReason| reason.layer == PolicyLayer::Platform;
    occupant.is_observed()
        && wanted.private_address.is_none()
        && verdict.reasons.iter().filter(|reason| house(reason)).all(|reason| reason.allowed)
        && verdict.reasons.iter().any(house)
}

#[async_trait]
impl Gate for Outward {
    async fn judge(&self, occupant: &Occupant, wanted: &Wanted) -> Result<Ruling, Fault> {
        if occupant.is_gone() {
            return Err(Fault::new(Code::StateInvalid, "the box is gone"));
        }
        let ruled = self.policies.timed(DecisionKind::Outward, self.rule(occupant, wanted)).await;
        if let Err(fault) = &ruled {
            // Nothing is recorded then.
            self.policies.decisions().count(DecisionKind::Outward, DecisionAnswer::of(Err(fault)), 1);
        }
        ruled
    }

    async fn ports(&self, occupant: &Occupant, host: &str) -> Result<Vec<u16>, Fault> {
        let grants = self.policies.agent_grants(&occupant.tenant, &occupant.agent, occupant.version).await?;
        let named = grants.network.iter().filter(|grant| grant.host.covers(host)).flat_map(|grant| &grant.ports);
        let watched = OBSERVED_PORTS.iter().filter(|_| occupant.is_observed());
        let mut ports: Vec<u16> = named.chain(watched).copied().collect();
        ports.sort_unstable();
        ports.dedup();
        Ok(ports)
    }

    async fn record(&self, occupant: &Occupant, record: OutwardRecord) -> Result<(), Fault> {
        self.tally.count(&record);
        if let Some(answer) = tally::answer(&record) {
            self.policies.decisions().count(DecisionKind::Outward, answer, tally::times(&record));
        }
        self.recorder.take(occupant, record).await
    }

    async fn changed(&self, since: u64) -> u64 {
        let mut generation = self.policies.generation();
        let later = generation.wait_for(|generation| *generation > since).await.map(|found| *found);
        match later {
            Ok(later) => later,
            // Whoever could change it is gone, and with it everything that could be asked.
            Err(_) => std::future::pending().await,
        }
    }
}
