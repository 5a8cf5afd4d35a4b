//! What tests play: a clock that stands, a gate and streams that do what they are told. Must not know what is
//! tested.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use aegis_model::boxes::BoxError;
use aegis_model::outward::{OutwardRecord, Ruling, Wanted};
use aegis_model::port::{Clock, Entropy, EntropyError, Gate, Occupant, Stream};
use aegis_model::{Decision, DecisionId, Fault, ReasonClass, TenantId, Timestamp};
use async_trait::async_trait;

use crate::locked;

/// Time that does not pass, and chance that is always the same.
pub(crate) struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
    fn elapsed_ns(&self) -> u64 {
        0
    }
}

impl Entropy for Still {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        buffer.fill(1);
        Ok(())
    }
}

/// Lets everything out but what lies at closed addresses, by the first generation of its policy.
#[derive(Default)]
pub(crate) struct Played {
    /// Where nothing is let out.
    pub(crate) closed: Mutex<Vec<IpAddr>>,
    /// What is closed as soon as something was judged at an address.
    pub(crate) closed_next: Mutex<Vec<IpAddr>>,
    /// Whether records are not taken in, so that whoever has one waits.
    pub(crate) is_full: AtomicBool,
}

#[async_trait]
impl Gate for Played {
    async fn judge(&self, _: &Occupant, wanted: &Wanted) -> Result<Ruling, Fault> {
        let passes = wanted.private_address.is_none_or(|address| !locked(&self.closed).contains(&address));
        if wanted.private_address.is_some() {
            locked(&self.closed).append(&mut locked(&self.closed_next));
        }
        let id = DecisionId::generate(Timestamp::from_millis(0), [1; 10]);
        let class = if passes { ReasonClass::Permitted } else { ReasonClass::NotPermitted };
        let decision =
            Decision { id, allowed: passes, class, reasons: Vec::new(), policy_hash: String::new(), log_only: None };
        Ok(Ruling { decision, passes, generation: 1 })
    }
    async fn ports(&self, _: &Occupant, _: &str) -> Result<Vec<u16>, Fault> {
        Ok(Vec::new())
    }
    async fn record(&self, _: &Occupant, _: OutwardRecord) -> Result<(), Fault> {
        if self.is_full.load(Ordering::Relaxed) { std::future::pending().await } else { Ok(()) }
    }
    async fn changed(&self, _: u64) -> u64 {
        std::future::pending().await
    }
}

/// Says what it was given, and takes in only so many bytes.
pub(crate) struct Talker {
    says: Mutex<Vec<u8>>,
    takes: AtomicUsize,
}

impl Talker {
    /// What it says, and how much it takes in.
    pub(crate) fn new(says: &[u8], takes: usize) -> Arc<Self> {
        Arc::new(Self { says: Mutex::new(says.to_vec()), takes: AtomicUsize::new(takes) })
    }
}

impl Stream for Talker {
    fn poll_read(&self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, BoxError>> {
        let mut says = locked(&self.says);
        let length = says.len().min(buffer.len());
        if length == 0 {
            return Poll::Pending;
        }
        buffer[..length].copy_from_slice(&says[..length]);
        says.drain(..length);
        Poll::Ready(Ok(length))
    }
    fn poll_write(&self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, BoxError>> {
        let length = self.takes.load(Ordering::Relaxed).min(bytes.len());
        self.takes.fetch_sub(length, Ordering::Relaxed);
        if length == 0 { Poll::Pending } else { Poll::Ready(Ok(length)) }
    }
    fn shut(&self) {}
}

/// Somebody in a box.
pub(crate) fn occupant() -> Arc<Occupant> {
    Arc::new(Occupant::new(TenantId::first(), ("agent".parse().unwrap(), 1), "process"))
}
