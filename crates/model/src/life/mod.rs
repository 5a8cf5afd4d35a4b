//! The life cycles of boxes, versions, sessions and runs, as pure step functions: a state and
//! an event give the next state and what is to be done about it. The caller does it.
//!
//! A step that is not drawn in the picture of its module is [`Rejected`] and changes nothing.
//! Events come late and twice (a timer fires while its cause ends, a box reports ready after
//! it was killed), so a rejection is often to be expected, never to be repaired by force.
//! Must not know: the clock, who causes an event, or how an effect is done.

pub mod box_cycle;
pub mod run;
pub mod session;
pub mod version;

#[cfg(test)]
mod drawn;

use crate::error::{Code, Fault};

/// A state does not take an event. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {what} that is `{state}` does not take `{event}`")]
pub struct Rejected {
    /// What has the life cycle: `box`, `version`, `session` or `run`.
    pub what: &'static str,
    /// The state it is in, and stays in.
    pub state: &'static str,
    /// The event that was refused.
    pub event: &'static str,
}

impl From<Rejected> for Fault {
    fn from(rejected: Rejected) -> Self {
        Fault::new(Code::StateInvalid, rejected.to_string()).with("state", rejected.state)
    }
}
