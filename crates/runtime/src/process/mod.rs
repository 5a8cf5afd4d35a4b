//! Boxes that are sealed processes of the host's kernel. A box costs one small program, and
//! needs nothing installed.
//!
//! ```text
//!   create ─► slot (user, cgroups, disk; some are kept ready)
//!          ─► spawner: one thread starts the guest, which sets the box up from inside
//!          ─► attend: one task per box hears what the guest says, and clears up at the end
//! ```
//!
//! Must not know: what runs in a box, who wants it.

mod attend;
mod cgroup;
mod channel;
mod connection;
mod create;
mod disk;
mod hearing;
mod leftovers;
mod live;
mod openings;
mod plan;
mod root;
mod shared;
mod slot;
mod spawn;
mod streams;
mod survey;
mod tally;
mod watched;

pub use create::ProcessRuntime;
pub use survey::{Finding, Survey, survey};

use std::path::PathBuf;
use std::sync::Arc;

use aegis_model::port::Clock;

/// How process boxes are made.
#[derive(Clone)]
pub struct Settings {
    /// A directory of the runtime's own.
    pub directory: PathBuf,
    /// How many boxes of each size are prepared for, before anybody asks.
    pub ready_per_size: usize,
    /// How many boxes may live at a time.
    pub boxes_max: usize,
    /// Measures how much a box says.
    pub clock: Arc<dyn Clock>,
}
