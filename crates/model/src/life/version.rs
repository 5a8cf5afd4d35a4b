//! The life of a version.
//!
//! ```text
//!               ready                update
//!   creating ──────────► active ◄─────────────► updating
//!      │                   │         ready          │
//!      │ fail              │                        │ fail
//!      ▼                   │ delete                 ▼
//!   failed(creating) ──────┼─────────── failed(updating)
//!                          ▼
//!                       deleting
//! ```
//!
//! Deleting is the end: what follows is the absence of the version. A failed version can only
//! be deleted; to mend it is to deploy a new one. Must not know: what a version consists of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rejected;

/// What a version was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "VersionFailedWhile")]
pub enum FailedWhile {
    /// It was being made.
    Creating,
    /// It was being changed.
    Updating,
}

/// Where a version is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state", content = "while")]
#[schemars(rename = "VersionState")]
pub enum State {
    /// It is being made.
    Creating,
    /// It can be invoked.
    Active,
    /// What it runs on is being changed.
    Updating,
    /// It cannot be invoked.
    Failed(FailedWhile),
    /// It is going away.
    Deleting,
}

/// What happens to a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// What was begun is complete.
    Ready,
    /// What was begun did not succeed.
    Fail,
    /// It is to be changed.
    Update,
    /// It is to go away.
    Delete,
}

/// What is to be done about a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Make its boxes ready ahead of work.
    FillPool,
    /// Take no new work to its present boxes.
    DrainPool,
    /// Remove what was prepared in vain.
    Discard,
    /// End its sessions and boxes, and remove what it kept.
    Remove,
}

impl State {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Creating,
        Self::Active,
        Self::Updating,
        Self::Failed(FailedWhile::Creating),
        Self::Failed(FailedWhile::Updating),
        Self::Deleting,
    ];

    /// The state as it is written in the API and in indexes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Active => "active",
            Self::Updating => "updating",
            Self::Failed(_) => "failed",
            Self::Deleting => "deleting",
        }
    }

    /// The state as the AgentCore wire names it.
    pub const fn agentcore_status(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "READY",
            Self::Updating => "UPDATING",
            Self::Failed(FailedWhile::Creating) => "CREATE_FAILED",
            Self::Failed(FailedWhile::Updating) => "UPDATE_FAILED",
            Self::Deleting => "DELETING",
        }
    }

    /// The state of that name on the AgentCore wire.
    pub fn by_agentcore_status(status: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.agentcore_status() == status)
    }

    /// Whether it never changes again.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Deleting)
    }

    /// The next state, and what is to be done.
    ///
    /// # Errors
    /// When the picture has no such step.
    pub fn step(self, event: Event) -> Result<(Self, Vec<Effect>), Rejected> {
        let failed = |during| Ok((Self::Failed(during), vec![Effect::Discard]));
        match (self, event) {
            (Self::Creating | Self::Updating, Event::Ready) => Ok((Self::Active, vec![Effect::FillPool])),
            (Self::Creating, Event::Fail) => failed(FailedWhile::Creating),
            (Self::Updating, Event::Fail) => failed(FailedWhile::Updating),
            (Self::Active, Event::Update) => Ok((Self::Updating, vec![Effect::DrainPool])),
            (Self::Active | Self::Failed(_), Event::Delete) => Ok((Self::Deleting, vec![Effect::Remove])),
            (Self::Deleting, Event::Delete) => Ok((self, vec![])),
            _ => Err(Rejected { what: "version", state: self.as_str(), event: event.as_str() }),
        }
    }
}

impl Event {
    /// All events.
    pub const ALL: [Self; 4] = [Self::Ready, Self::Fail, Self::Update, Self::Delete];

    /// The event as it is written in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Fail => "fail",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life::drawn::{Machine, check_machine};

    impl Machine for State {
        type Event = Event;
        type Effect = Effect;

        const DRAWN: &'static str = "
            Creating|Updating                          Ready   Active
            Creating                                   Fail    Failed(Creating)
            Active                                     Update  Updating
            Updating                                   Fail    Failed(Updating)
            Active|Failed(Creating)|Failed(Updating)   Delete  Deleting
            Deleting                                   Delete  Deleting";

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
    fn a_version_keeps_to_its_picture() {
        check_machine(State::Creating, &[]);
    }

    #[test]
    fn deleting_twice_is_deleting_once() {
        assert_eq!(State::Active.step(Event::Delete), Ok((State::Deleting, vec![Effect::Remove])));
        assert_eq!(State::Deleting.step(Event::Delete), Ok((State::Deleting, vec![])));
    }

    #[test]
    fn the_agentcore_names_are_the_documented_ones_and_read_back() {
        let names = State::ALL.map(State::agentcore_status);
        assert_eq!(names, ["CREATING", "READY", "UPDATING", "CREATE_FAILED", "UPDATE_FAILED", "DELETING"]);
        for state in State::ALL {
            assert_eq!(State::by_agentcore_status(state.agentcore_status()), Some(state));
        }
        assert_eq!(State::by_agentcore_status("ready"), None);
    }

    #[test]
    fn a_state_is_written_as_documented_and_reads_back() {
        let written = serde_json::to_string(&State::Failed(FailedWhile::Updating)).unwrap();
        assert_eq!(written, r#"{"state":"failed","while":"updating"}"#);
        for state in State::ALL {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
            assert!(text.contains(&format!(r#""state":"{}""#, state.as_str())), "{text}");
        }
    }
}
