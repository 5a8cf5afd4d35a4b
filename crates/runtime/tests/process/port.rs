//! The suite of the port.

use super::place;

#[tokio::test(flavor = "multi_thread")]
async fn process_boxes_keep_the_promises_of_the_port() {
    let Some(place) = place().await else { return };
    aegis_conformance::runtime::suite(place.subject()).await;
    place.close().await;
}
