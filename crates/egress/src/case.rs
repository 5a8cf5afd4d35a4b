//! One thing that wants out, from its decision to its last record. What was let out is recorded
//! before it happens and once more when it has ended. Must not know how it is carried out.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use aegis_model::outward::{Manner, OutwardRecord, OutwardState, Refusal, Ruling, Wanted};
use aegis_model::{DecisionId, Fault, Timestamp};

use crate::answer::No;
use crate::dial::{self, Checked, DialProblem};
use crate::live::{Live, Meter};
use crate::room::Room;
use crate::{Egress, Looked, locked};

/// How long it is believed whether an address is this machine's own.
const LOOKED_NS: u64 = 5_000_000_000;
/// Addresses that are remembered.
const LOOKED_MAX: usize = 4_096;

/// Characters of a path that are kept in a record.
const PATH_KEPT: usize = 512;

/// What is known of something before anything is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    /// The host, as far as it can be told.
    pub(crate) host: String,
    /// The port, where there is one.
    pub(crate) port: Option<u16>,
    /// How it is spoken to, as far as that is known.
    pub(crate) manner: &'static str,
    /// Method and path, where a request can be read.
    pub(crate) request: Option<(String, String)>,
}

impl From<&Wanted> for About {
    fn from(wanted: &Wanted) -> Self {
        let request = match &wanted.manner {
            Manner::Http { method, path, .. } => Some((method.clone(), path.chars().take(PATH_KEPT).collect())),
            Manner::Tls | Manner::Tcp => None,
        };
        Self { host: wanted.host.clone(), port: Some(wanted.port), manner: wanted.manner.as_str(), request }
    }
}

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// The address that was dialled.
    address: IpAddr,
    /// Those of the host that only a grant opens which names their range.
    private: Vec<IpAddr>,
}

/// Something that was let out.
pub(crate) struct Case {
    egress: Arc<Egress>,
    room: Arc<Room>,
    record: OutwardRecord,
    number: u64,
    live: Arc<Live>,
}

impl Egress {
    /// Asks the gate; what may not pass is recorded, and its handle told.
    pub(crate) async fn judged(&self, room: &Arc<Room>, wanted: &Wanted) -> Result<Ruling, No> {
        let ruling = self.gate.judge(&room.occupant, wanted).await.map_err(No::Unable)?;
        if ruling.passes {
            return Ok(ruling);
        }
        let refusal = Refusal::from(ruling.decision.class);
        Err(self.refuse(room, &About::from(wanted), (Some(&ruling), refusal)).await)
    }

    /// Records a refusal, and says what to tell. The same one again, soon after, is told by the
    /// record before.
    pub(crate) async fn refuse(
        &self,
        room: &Arc<Room>,
        about: &About,
        (ruling, refusal): (Option<&Ruling>, Refusal),
    ) -> No {
        let now_ns = self.clock.elapsed_ns();
        let mut record = match self.record(room, about, ruling) {
            Ok(record) => record,
            Err(fault) => return No::Unable(fault),
        };
        record.allowed = false;
        record.state = OutwardState::Refused;
        record.refusal = Some(refusal);
        if let Some(id) = room.repeated(&record, now_ns) {
            return No::Refused(refusal, id);
        }
        // Whoever asks for ever another thing writes no more records than others make requests.
        if !room.may_record(now_ns) {
            (record.host, record.port, record.method, record.path) = ("*".to_owned(), None, None, None);
            if let Some(id) = room.repeated(&record, now_ns) {
                return No::Refused(refusal, id);
            }
        }
        let id = record.id.clone();
        for record in std::iter::once(record.clone()).chain(room.remember(record, now_ns)) {
            if let Err(fault) = self.gate.record(&room.occupant, record).await {
                return No::Unable(fault);
            }
        }
        No::Refused(refusal, id)
    }

    fn record(&self, room: &Room, about: &About, ruling: Option<&Ruling>) -> Result<OutwardRecord, Fault> {
        let at: Timestamp = self.clock.now();
        let id = match ruling {
            Some(ruling) => ruling.decision.id.clone(),
            None => {
                let mut random = [0; 10];
                self.entropy.fill(&mut random).map_err(Fault::internal)?;
                DecisionId::generate(at, random)
            }
        };
        let occupant = &room.occupant;
        let (method, path) = about.request.clone().unzip();
        let observed = ruling.is_some_and(Ruling::is_observed);
        Ok(OutwardRecord {
            id,
            at,
            agent: occupant.agent.clone(),
            version: occupant.version,
            session_id: occupant.session().cloned(),
            correlation_id: occupant.correlation_id().cloned(),
            host: about.host.clone(),
            port: about.port,
            manner: about.manner.to_owned(),
            method,
            path,
            address: None,
            allowed: ruling.is_some_and(|ruling| ruling.decision.allowed),
            observed,
            state: OutwardState::Begun,
            refusal: ruling.filter(|_| observed).map(|ruling| Refusal::from(ruling.decision.class)),
            reasons: ruling.map(|ruling| ruling.decision.reasons.clone()).unwrap_or_default(),
            policy_hash: ruling.map(|ruling| ruling.decision.policy_hash.clone()).unwrap_or_default(),
            repeated: 0,
            bytes_out: 0,
            bytes_in: 0,
            duration_ms: 0,
        })
    }

    /// Whether an address is this machine's own; looked at anew now and then.
    async fn is_own(&self, address: IpAddr) -> bool {
        let now_ns = self.clock.elapsed_ns();
        let known = locked(&self.own).get(&address).copied();
        if let Some(known) = known.filter(|known| now_ns.saturating_sub(known.at_ns) < LOOKED_NS) {
            return known.own;
        }
        let own = dial::is_own(address).await;
        let mut looked = locked(&self.own);
        if looked.len() >= LOOKED_MAX {
            looked.clear();
        }
        looked.insert(address, Looked { own, at_ns: now_ns });
        own
    }
}

impl Case {
    /// Something is let out: recorded before it happens, and under watch until it has ended.
    pub(crate) async fn open(
        egress: &Arc<Egress>,
        room: &Arc<Room>,
        (wanted, ruling): (Wanted, &Ruling),
    ) -> Result<Self, No> {
        let record = egress.record(room, &About::from(&wanted), Some(ruling)).map_err(No::Unable)?;
        egress.gate.record(&room.occupant, record.clone()).await.map_err(No::Unable)?;
        let number = egress.numbers.fetch_add(1, Ordering::Relaxed);
        let live = Arc::new(Live {
            occupant: Arc::clone(&room.occupant),
            wanted: Mutex::new(vec![wanted]),
            meter: Meter::new(room, &egress.clock),
            begun_ns: egress.clock.elapsed_ns(),
        });
        locked(&egress.live).insert(number, Arc::clone(&live));
        egress.catch_up(&live, ruling.generation).await;
        Ok(Self { egress: Arc::clone(egress), room: Arc::clone(room), record, number, live })
    }

    /// How much it moves, and the word that ends it.
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.live.meter
    }

    /// Finds the host, looks at every address it has, and connects to one of them.
    pub(crate) async fn dial(&mut self, wanted: &Wanted) -> Result<(tokio::net::TcpStream, Reached), No> {
        let egress = Arc::clone(&self.egress);
        let patience = egress.settings.connect;
        let found = tokio::time::timeout(patience, dial::find(&egress.names, &wanted.host)).await;
        let unanswered = DialProblem::Name(crate::NameProblem::Unanswered);
        let checked = match found.unwrap_or(Err(unanswered)) {
            Ok(checked) => checked,
            Err(DialProblem::Class(address, _)) => return Err(self.refuse(address, Refusal::Address)),
            Err(problem) => return Err(No::Unreached(problem)),
        };
        self.passable(wanted, &checked).await?;
        let found = dial::connect(&checked.addresses, wanted.port, patience).await;
        let (stream, address) = found.map_err(No::Unreached)?;
        self.record.address = Some(address);
        Ok((stream, Reached { address, private: checked.private }))
    }

    /// Goes to where a connection leads that stands already: whatever is sent over it must be
    /// allowed there, and not only what it was opened for.
    pub(crate) async fn go_again(&mut self, wanted: &Wanted, reached: &Reached) -> Result<(), No> {
        self.allowed_at(wanted, &reached.private).await?;
        self.record.address = Some(reached.address);
        Ok(())
    }

    /// Whether each of the addresses may be reached.
    async fn passable(&mut self, wanted: &Wanted, checked: &Checked) -> Result<(), No> {
        for address in &checked.addresses {
            if self.egress.is_own(*address).await {
                return Err(self.refuse(*address, Refusal::OwnAddress));
            }
        }
        self.allowed_at(wanted, &checked.private).await
    }

    /// Whether a grant names the range of each of these. From now on it is this that must go on
    /// being allowed.
    async fn allowed_at(&mut self, wanted: &Wanted, private: &[IpAddr]) -> Result<(), No> {
        let mut there = Vec::with_capacity(private.len());
        let mut oldest = u64::MAX;
        for address in private {
            let wanted = Wanted { private_address: Some(*address), ..wanted.clone() };
            let ruling = self.egress.gate.judge(&self.room.occupant, &wanted).await.map_err(No::Unable)?;
            if !ruling.passes {
                return Err(self.refuse(*address, Refusal::Address));
            }
            oldest = oldest.min(ruling.generation);
            there.push(wanted);
        }
        if !there.is_empty() {
            *locked(&self.live.wanted) = there;
            self.egress.catch_up(&self.live, oldest).await;
        }
        Ok(())
    }

    /// What was let out turns out to be refused, for the address that it leads to.
    fn refuse(&mut self, address: IpAddr, refusal: Refusal) -> No {
        self.record.address = Some(address);
        self.refused(refusal)
    }

    /// It turns out to carry neither TLS nor HTTP, and may.
    pub(crate) fn carries_bytes(&mut self) {
        self.record.manner = Manner::Tcp.as_str().to_owned();
    }

    /// What was let out turns out to be refused. The record is written when it is closed.
    pub(crate) fn refused(&mut self, refusal: Refusal) -> No {
        self.record.refusal = Some(refusal);
        self.record.allowed = false;
        No::Refused(refusal, self.record.id.clone())
    }

    /// It has ended.
    pub(crate) async fn close(mut self, state: OutwardState) {
        locked(&self.egress.live).remove(&self.number);
        let now_ns = self.egress.clock.elapsed_ns();
        (self.record.bytes_out, self.record.bytes_in) = self.live.meter.moved();
        self.record.duration_ms = now_ns.saturating_sub(self.live.begun_ns) / 1_000_000;
        let refused = self.record.refusal.is_some() && !self.record.observed;
        self.record.state = if refused { OutwardState::Refused } else { state };
        // Nobody waits for this any more; what cannot be kept keeps others from leaving.
        let _ = self.egress.gate.record(&self.room.occupant, self.record.clone()).await;
    }

    /// It was not let out after all, or was not reached; says why.
    pub(crate) async fn fail(self, no: No) -> No {
        let state = if matches!(no, No::Refused(..)) { OutwardState::Refused } else { OutwardState::Failed };
        self.close(state).await;
        no
    }
}

#[cfg(test)]
#[path = "case_tests.rs"]
mod tests;
