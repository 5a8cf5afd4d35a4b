//! The word that ends a connection.

use super::*;
use crate::played::{Still, occupant};
use crate::settings::Settings;

fn meter(settings: &Settings) -> Arc<Meter> {
    let clock: Arc<dyn Clock> = Arc::new(Still);
    Meter::new(&Room::new(occupant(), settings, 0), &clock)
}

#[tokio::test]
async fn what_was_ended_before_it_begins_moves_nothing() {
    // Which of both is looked at first would be left to chance.
    for _ in 0..50 {
        let meter = meter(&Settings::default());
        meter.end(Stop::Revoked);
        let work = async { meter.count(Direction::Out, 1) };
        assert_eq!(meter.unless_ended(work).await, Err(Stop::Revoked));
        assert_eq!(meter.moved(), (0, 0));
    }
}

#[tokio::test]
async fn the_first_word_is_the_one_that_is_told() {
    let meter = meter(&Settings { session_bytes_max: 10, ..Settings::default() });
    meter.count(Direction::In, 10);
    assert_eq!(meter.unless_ended(async { 1 }).await, Ok(1));
    meter.count(Direction::Out, 1);
    meter.end(Stop::Revoked);
    assert_eq!(meter.ended().await, Stop::Exceeded);
}
