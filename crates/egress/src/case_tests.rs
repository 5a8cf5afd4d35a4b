//! What must go on being allowed while something is open, asked of a gate that is played by the
//! test.

use std::time::Duration;

use aegis_model::port::{Clock, Entropy, EntropyError, Gate, Occupant};
use aegis_model::{Decision, ReasonClass, TenantId};
use async_trait::async_trait;

use super::*;
use crate::live::Stop;
use crate::settings::Settings;

struct Still;

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
struct Played {
    closed: Mutex<Vec<IpAddr>>,
    /// What is closed as soon as something was judged at an address.
    closed_next: Mutex<Vec<IpAddr>>,
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
        let decision = Decision { id, allowed: passes, class, reasons: Vec::new(), policy_hash: String::new() };
        Ok(Ruling { decision, passes, generation: 1 })
    }
    async fn ports(&self, _: &Occupant, _: &str) -> Result<Vec<u16>, Fault> {
        Ok(Vec::new())
    }
    async fn record(&self, _: &Occupant, _: OutwardRecord) -> Result<(), Fault> {
        Ok(())
    }
    async fn changed(&self, _: u64) -> u64 {
        std::future::pending().await
    }
}

fn wanted() -> Wanted {
    Wanted { host: "db.example.com".to_owned(), port: 443, manner: Manner::Tls, private_address: None }
}

fn addresses() -> Vec<IpAddr> {
    vec!["10.1.0.1".parse().unwrap(), "10.2.0.1".parse().unwrap()]
}

async fn opened(gate: &Arc<Played>) -> Case {
    let gate: Arc<dyn Gate> = Arc::<Played>::clone(gate);
    let egress = Egress::new(gate, Settings::default(), Arc::new(Still), Arc::new(Still));
    let occupant = Occupant::new(TenantId::first(), ("agent".parse().unwrap(), 1), "process");
    let room = egress.room(&Arc::new(occupant));
    let ruling = egress.judged(&room, &wanted()).await.unwrap();
    Case::open(&egress, &room, (wanted(), &ruling)).await.unwrap()
}

async fn was_ended(case: &Case) -> Option<Stop> {
    tokio::time::timeout(Duration::from_millis(50), case.meter().ended()).await.ok()
}

#[tokio::test]
async fn a_host_is_left_when_any_of_its_private_addresses_is_not_granted_any_more() {
    for closed in addresses() {
        let gate = Arc::new(Played::default());
        let mut case = opened(&gate).await;
        let reached = Reached { address: closed, private: addresses() };
        case.go_again(&wanted(), &reached).await.unwrap();
        case.egress.judge_again(&case.live).await;
        assert_eq!(was_ended(&case).await, None);
        locked(&gate.closed).push(closed);
        case.egress.judge_again(&case.live).await;
        assert_eq!(was_ended(&case).await, Some(Stop::Revoked), "{closed}");
    }
}

#[tokio::test]
async fn a_change_between_the_judgement_of_an_address_and_its_watch_is_not_missed() {
    let gate = Arc::new(Played::default());
    let mut case = opened(&gate).await;
    // The policy is changed after the addresses were judged, and all that is open was looked
    // through before they were watched.
    *locked(&gate.closed_next) = addresses().split_off(1);
    case.egress.generation.store(2, Ordering::Release);
    let reached = Reached { address: addresses()[0], private: addresses().split_off(1) };
    case.go_again(&wanted(), &reached).await.unwrap();
    assert_eq!(was_ended(&case).await, Some(Stop::Revoked));
}
