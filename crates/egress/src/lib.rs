//! The way out of boxes: what something inside wants to reach is named, judged by the port
//! `Gate`, recorded, and only then resolved, looked at, dialled and metered.
//!
//! ```text
//!   box ─ proxy · SOCKS · resolved name ─► serve ─► judge ─► record ─► resolve ─► check ─► dial
//!                                                                                   │
//!                    HTTP: parsed, judged request by request, written anew  ◄───────┤
//!                    TLS: the hello read, its name compared, then unopened  ◄───────┤
//!                    bytes, where a grant names them                        ◄───────┘
//! ```
//!
//! Whatever is in doubt is refused. Must not know: rules and grants, how records are kept, what
//! a box is made of.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod address;
mod answer;
mod case;
pub mod client_hello;
mod dial;
mod exchange;
pub mod host_name;
pub mod http;
mod live;
mod names;
mod pipe;
#[cfg(test)]
mod played;
mod relay;
mod room;
mod serve;
mod settings;
pub mod socks;
mod tunnel;
mod watch;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aegis_model::port::{Clock, Entropy, Gate, Occupant, Opening};

use live::Live;
pub use names::{NameProblem, Names};
use room::Room;
pub use settings::Settings;

/// How often is looked, at the end, whether everything has ended.
const SETTLE_LOOKS: usize = 100;
const SETTLE_LOOK: Duration = Duration::from_millis(10);

/// The way out of every box.
pub struct Egress {
    gate: Arc<dyn Gate>,
    names: Names,
    settings: Settings,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    rooms: Mutex<HashMap<usize, Arc<Room>>>,
    live: Mutex<HashMap<u64, Arc<Live>>>,
    own: Mutex<HashMap<IpAddr, Looked>>,
    numbers: AtomicU64,
    open: AtomicUsize,
    generation: AtomicU64,
}

/// Whether an address is this machine's own, and when that was looked at.
#[derive(Clone, Copy)]
struct Looked {
    own: bool,
    at_ns: u64,
}

impl Egress {
    /// The way out, judged by that gate. To be made where tasks can be started.
    pub fn new(gate: Arc<dyn Gate>, settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Arc<Self> {
        let names = Names::new(settings.name_servers.clone(), Arc::clone(&clock), Arc::clone(&entropy));
        let egress = Arc::new(Self {
            gate,
            names,
            settings,
            clock,
            entropy,
            rooms: Mutex::default(),
            live: Mutex::default(),
            own: Mutex::default(),
            numbers: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            generation: AtomicU64::new(0),
        });
        watch::start(&egress);
        egress
    }

    /// Serves what something in a box opened, on its own from now on.
    pub fn attend(self: &Arc<Self>, occupant: Arc<Occupant>, opening: Opening) {
        let room = self.room(&occupant);
        tokio::spawn(serve::serve(Arc::clone(self), room, opening));
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Waits, for a moment at most, until everything has ended and said so: the boxes are gone.
    #[expect(clippy::disallowed_methods, reason = "nobody tells when the last one has ended")]
    pub async fn settle(&self) {
        for _ in 0..SETTLE_LOOKS {
            if self.open() == 0 {
                return;
            }
            tokio::time::sleep(SETTLE_LOOK).await;
        }
    }

    /// What that box has taken. It is known by its place in memory, which is nobody else's while
    /// it is kept here.
    fn room(&self, occupant: &Arc<Occupant>) -> Arc<Room> {
        let place = Arc::as_ptr(occupant).addr();
        let make = || Room::new(Arc::clone(occupant), &self.settings, self.clock.elapsed_ns());
        Arc::clone(locked(&self.rooms).entry(place).or_insert_with(make))
    }
}

/// What a panicking holder left is still whole: each change is a single step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
