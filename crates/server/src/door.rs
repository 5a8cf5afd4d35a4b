//! The door service: what is opened in a box towards the API is served by the same routes as
//! everybody else's requests, for whoever lives there; everything else goes the way out.
//!
//! Must not know: what is asked, or whether it is allowed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aegis_adapters::wire::Wire;
use aegis_egress::Egress;
use aegis_model::port::{Connection, Door, Occupant, Opening, Stream, Towards};
use axum::Router;
use tokio::sync::{Semaphore, watch};

use crate::listen::{Asker, converse};

/// What serves a stream.
#[derive(Clone)]
struct Service {
    router: Router,
    header_timeout: Duration,
    stop: watch::Receiver<bool>,
    places: Arc<Semaphore>,
    egress: Arc<Egress>,
}

/// Serves the doors of boxes, once it is open. Until then there is nobody to speak to.
#[derive(Default)]
pub struct DoorService(Mutex<Option<Service>>);

impl DoorService {
    /// From now on streams are served, so many at a time, until `stop` changes.
    pub fn open(
        &self,
        (router, egress): (Router, Arc<Egress>),
        header_timeout: Duration,
        (streams_max, stop): (usize, watch::Receiver<bool>),
    ) {
        let places = Arc::new(Semaphore::new(streams_max.min(Semaphore::MAX_PERMITS)));
        self.put(Some(Service { router, header_timeout, stop, places, egress }));
    }

    /// From now on there is nobody to speak to again. What serves knows the boxes, and those
    /// know this door: without an end of it, the store would never be closed.
    pub fn close(&self) {
        self.put(None);
    }

    fn put(&self, service: Option<Service>) {
        // What a panicking holder left is still whole: each change is a single step.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = service;
    }

    fn service(&self) -> Option<Service> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Door for DoorService {
    fn attend(&self, occupant: Arc<Occupant>, opening: Opening) {
        match opening {
            Opening::Stream { towards: Towards::Api, stream } => {
                if let Some(service) = self.service() {
                    service.converse(occupant, stream);
                }
            }
            outward => {
                let egress =
                    self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|open| Arc::clone(&open.egress));
                if let Some(egress) = egress {
                    egress.attend(occupant, outward);
                }
            }
        }
    }
}

impl Service {
    fn converse(self, occupant: Arc<Occupant>, stream: Arc<dyn Stream>) {
        let Self { router, header_timeout, stop, places, .. } = self;
        let Ok(place) = places.try_acquire_owned() else { return };
        let wire = Wire::new(Connection::of(stream), Arc::default());
        tokio::spawn(async move {
            converse(wire, Asker::Box(occupant), router, (header_timeout, stop)).await;
            drop(place);
        });
    }
}
