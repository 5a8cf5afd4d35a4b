//! The door service: what is opened in a box is served by the same routes as everybody else's
//! requests, for whoever lives there.
//!
//! Must not know: what is asked, or whether it is allowed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aegis_adapters::wire::Wire;
use aegis_model::port::{Connection, Door, Occupant};
use axum::Router;
use tokio::sync::watch;

use crate::listen::{Asker, converse};

/// What serves a stream.
struct Service {
    router: Router,
    header_timeout: Duration,
    stop: watch::Receiver<bool>,
}

/// Serves the doors of boxes, once it is open. Until then there is nobody to speak to.
#[derive(Default)]
pub struct DoorService(OnceLock<Service>);

impl DoorService {
    /// From now on streams are served, until `stop` changes.
    pub fn open(&self, router: Router, header_timeout: Duration, stop: watch::Receiver<bool>) {
        let _ = self.0.set(Service { router, header_timeout, stop });
    }
}

impl Door for DoorService {
    fn attend(&self, occupant: Arc<Occupant>, stream: Connection) {
        let Some(service) = self.0.get() else { return };
        let (router, stop) = (service.router.clone(), service.stop.clone());
        let timeout = service.header_timeout;
        tokio::spawn(converse(Wire::new(stream, Arc::default()), Asker::Box(occupant), router, (timeout, stop)));
    }
}
