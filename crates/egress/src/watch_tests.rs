//! What is looked after while other things are stuck.

use aegis_model::outward::{Manner, Refusal, Wanted};

use super::*;
use crate::case::{About, Case};
use crate::played::{Played, Still, occupant};
use crate::settings::Settings;

#[tokio::test(start_paused = true)]
async fn what_is_open_is_looked_after_while_records_cannot_be_kept() {
    let played = Arc::new(Played::default());
    let gate: Arc<dyn Gate> = Arc::<Played>::clone(&played);
    let egress = Egress::new(gate, Settings::default(), Arc::new(Still), Arc::new(Still));
    let (refused, open) = (egress.room(&occupant()), egress.room(&occupant()));
    let wanted = Wanted { host: "api.example.com".to_owned(), port: 443, manner: Manner::Tls, private_address: None };
    for _ in 0..2 {
        egress.refuse(&refused, &About::from(&wanted), (None, Refusal::NotPermitted)).await;
    }
    let ruling = egress.judged(&open, &wanted).await.unwrap();
    let case = Case::open(&egress, &open, (wanted, &ruling)).await.unwrap();
    // That it was refused twice is to be recorded now, and cannot be.
    played.is_full.store(true, Ordering::Relaxed);
    refused.occupant.leave();
    let _ = tokio::time::timeout(LOOK * 2, std::future::pending::<()>()).await;
    open.occupant.leave();
    let ended = tokio::time::timeout(LOOK * 2, case.meter().ended()).await;
    assert_eq!(ended.ok(), Some(Stop::Revoked));
}
