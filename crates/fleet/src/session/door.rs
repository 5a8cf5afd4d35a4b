//! The door of a box: what is opened inside is served, for whoever lives there. Must not know:
//! what is asked there, or answered.

use std::sync::Arc;

use aegis_model::port::{Door, LiveBox, Occupant};

/// Has the box's door served for as long as it lives.
pub(super) fn serve(door: &Arc<dyn Door>, live: &dyn LiveBox, occupant: &Arc<Occupant>) {
    let Some(mut openings) = live.openings() else { return };
    let (door, occupant) = (Arc::clone(door), Arc::clone(occupant));
    tokio::spawn(async move {
        while let Some(opening) = openings.next().await {
            door.attend(Arc::clone(&occupant), opening);
        }
        occupant.leave();
    });
}
