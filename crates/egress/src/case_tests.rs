//! What must go on being allowed while something is open, asked of a gate that is played by the
//! test.

use std::time::Duration;

use aegis_model::port::Gate;

use super::*;
use crate::live::Stop;
use crate::played::{Played, Still, occupant};
use crate::settings::Settings;

fn wanted() -> Wanted {
    Wanted { host: "db.example.com".to_owned(), port: 443, manner: Manner::Tls, private_address: None }
}

fn addresses() -> Vec<IpAddr> {
    vec!["10.1.0.1".parse().unwrap(), "10.2.0.1".parse().unwrap()]
}

async fn opened(gate: &Arc<Played>) -> Case {
    let gate: Arc<dyn Gate> = Arc::<Played>::clone(gate);
    let egress = Egress::new(gate, Settings::default(), Arc::new(Still), Arc::new(Still));
    let room = egress.room(&occupant());
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
