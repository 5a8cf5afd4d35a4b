//! The life of a box.
//!
//! ```text
//!          prepared           claimed
//!   cold ───────────► warm ───────────► hot
//!    │                 │ ▲               │ │
//!    │                 │ └───────────────┘ │
//!    │                 │      released     │
//!    ├─────────────────┼───────────────────┤
//!    │ failed                              │ stop, kill
//!    ▼                                     ▼
//!   failed                            terminated
//! ```
//!
//! Cold: nothing runs yet. Warm: isolated, its agent waiting for input. Hot: at work for its
//! session. A box serves one session in its life; going back to warm is resting between two
//! pieces of that session's work. Must not know: which back end the box is made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rejected;

/// Where a box is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BoxState")]
pub enum State {
    /// Nothing runs yet.
    Cold,
    /// Isolated, its agent waiting for input.
    Warm,
    /// At work for its session.
    Hot,
    /// It could not be prepared, or it broke.
    Failed,
    /// It was ended on purpose.
    Terminated,
}

/// What happens to a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// It is isolated and its agent waits for input.
    Prepared,
    /// Its session has work for it.
    Claimed,
    /// The work is done.
    Released,
    /// It could not be prepared, or it broke.
    Failed,
    /// It is no longer needed.
    Stop,
    /// It has to be gone at once.
    Kill,
}

/// What is to be done about a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Let the session's input in.
    Serve,
    /// Keep it, using as little as possible.
    Rest,
    /// Ask its agent to end, and destroy it after the grace time.
    ShutDown,
    /// Destroy it now; safe to repeat.
    Destroy,
    /// Tell its session that it is gone.
    TellSession,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Cold, Self::Warm, Self::Hot, Self::Failed, Self::Terminated];

    /// The state as it is written in the API and in indexes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Hot => "hot",
            Self::Failed => "failed",
            Self::Terminated => "terminated",
        }
    }

    /// Whether it never changes again.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Terminated)
    }

    /// The next state, and what is to be done.
    ///
    /// # Errors
    /// When the picture has no such step.
    pub fn step(self, event: Event) -> Result<(Self, Vec<Effect>), Rejected> {
        match (self, event) {
            (Self::Cold, Event::Prepared) => Ok((Self::Warm, vec![])),
            (Self::Warm, Event::Claimed) => Ok((Self::Hot, vec![Effect::Serve])),
            (Self::Hot, Event::Released) => Ok((Self::Warm, vec![Effect::Rest])),
            (Self::Hot, Event::Failed) => Ok((Self::Failed, vec![Effect::Destroy, Effect::TellSession])),
            (Self::Cold | Self::Warm, Event::Failed) => Ok((Self::Failed, vec![Effect::Destroy])),
            (Self::Hot, Event::Stop) => Ok((Self::Terminated, vec![Effect::ShutDown, Effect::TellSession])),
            (Self::Cold | Self::Warm, Event::Stop) => Ok((Self::Terminated, vec![Effect::Destroy])),
            (Self::Hot, Event::Kill) => Ok((Self::Terminated, vec![Effect::Destroy, Effect::TellSession])),
            (Self::Cold | Self::Warm, Event::Kill) => Ok((Self::Terminated, vec![Effect::Destroy])),
            (Self::Failed | Self::Terminated, Event::Stop) => Ok((self, vec![])),
            // A box that was asked to end may still be in its grace time; a kill cuts it short.
            (Self::Failed | Self::Terminated, Event::Kill) => Ok((self, vec![Effect::Destroy])),
            _ => Err(Rejected { what: "box", state: self.as_str(), event: event.as_str() }),
        }
    }
}

impl Event {
    /// All events.
    pub const ALL: [Self; 6] = [Self::Prepared, Self::Claimed, Self::Released, Self::Failed, Self::Stop, Self::Kill];

    /// The event as it is written in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Claimed => "claimed",
            Self::Released => "released",
            Self::Failed => "failed",
            Self::Stop => "stop",
            Self::Kill => "kill",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life::drawn::{Machine, check_machine};
    use proptest::prelude::*;

    impl Machine for State {
        type Event = Event;
        type Effect = Effect;

        const DRAWN: &'static str = "
            Cold            Prepared   Warm
            Warm            Claimed    Hot
            Hot             Released   Warm
            Cold|Warm|Hot   Failed     Failed
            Cold|Warm|Hot   Stop|Kill  Terminated
            Failed          Stop|Kill  Failed
            Terminated      Stop|Kill  Terminated";

        fn states() -> Vec<Self> {
            Self::ALL.to_vec()
        }

        fn events() -> Vec<Event> {
            Event::ALL.to_vec()
        }

        fn is_terminal(self) -> bool {
            self.is_terminal()
        }

        fn step(self, event: Event) -> Result<(Self, Vec<Effect>), Rejected> {
            self.step(event)
        }
    }

    #[test]
    fn a_box_keeps_to_its_picture() {
        check_machine(State::Cold, &[Event::Stop, Event::Kill]);
    }

    #[test]
    fn a_kill_destroys_in_every_state() {
        for state in State::ALL {
            let (next, effects) = state.step(Event::Kill).unwrap();
            assert!(next.is_terminal() && effects.contains(&Effect::Destroy), "{state:?}");
        }
    }

    #[test]
    fn a_session_learns_when_its_box_is_gone() {
        for event in [Event::Failed, Event::Stop, Event::Kill] {
            assert!(State::Hot.step(event).unwrap().1.contains(&Effect::TellSession), "{event:?}");
        }
    }

    #[test]
    fn no_ended_box_is_left_running() {
        for (state, event) in State::ALL.iter().flat_map(|state| Event::ALL.map(|event| (*state, event))) {
            let Ok((next, effects)) = state.step(event) else { continue };
            let ends = effects.iter().any(|effect| matches!(effect, Effect::Destroy | Effect::ShutDown));
            assert!(ends || !next.is_terminal() || state.is_terminal(), "{state:?} {event:?}");
        }
    }

    proptest! {
        #[test]
        fn a_killed_box_never_serves_again(before: Vec<u8>, after: Vec<u8>) {
            let alive = State::Cold.walk(&before);
            let (dead, _) = alive.step(Event::Kill).unwrap();
            prop_assert_eq!(dead.walk(&after), dead);
            for event in Event::ALL {
                let effects = dead.step(event).map(|(_, effects)| effects).unwrap_or_default();
                prop_assert!(!effects.contains(&Effect::Serve));
            }
        }
    }
}
