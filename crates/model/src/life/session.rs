//! The life of a session.
//!
//! ```text
//!     ┌─┐ invoked              ┌─┐ invoked
//!   starting ──────────────► active ◄────────────► idle
//!      │          ready        │    quiet   invoked  │
//!      │                       │                     │
//!      ├───────────────────────┴─────────────────────┤ end(reason)
//!      ▼                                             ▼
//!   ended(completed | lifetime | killed | crashed | budget | policy | idle)
//! ```
//!
//! Only an idle session ends by being idle: a timer that fires while work arrives is late.
//! The first reason stays. Must not know: which box serves it, or how work is queued.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rejected, run};

/// Why a session ended; always told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SessionEndReason")]
pub enum EndReason {
    /// Its work is done, or its owner closed it.
    Completed,
    /// Nothing was asked of it for too long.
    Idle,
    /// It lived as long as a session may.
    Lifetime,
    /// The kill switch.
    Killed,
    /// Its box or its node is gone.
    Crashed,
    /// The money is spent.
    Budget,
    /// The policy ended it.
    Policy,
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
#[schemars(rename = "SessionState")]
pub enum State {
    /// Its box is being found or made.
    Starting,
    /// At least one run is in it.
    Active,
    /// Nothing is asked of it.
    Idle,
    /// It is over.
    Ended(EndReason),
}

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// It has its box.
    Ready,
    /// A run arrived.
    Invoked,
    /// Its last run is over.
    Quiet,
    /// It is to end.
    End(EndReason),
}

/// What is to be done about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Keep the run until the session has its box.
    Hold,
    /// Hand the waiting runs to the box.
    Deliver,
    /// Bring the box back to work.
    WakeBox,
    /// Let the box rest.
    RestBox,
    /// Begin to count idle time.
    StartIdleTimer,
    /// Cease to count idle time.
    StopIdleTimer,
    /// Stop the box, with grace.
    StopBox,
    /// Destroy the box now; safe to repeat.
    KillBox,
    /// Bring this event to every run in the session that has not ended.
    EndRuns(run::Event),
}

impl EndReason {
    /// All reasons.
    pub const ALL: [Self; 7] =
        [Self::Completed, Self::Idle, Self::Lifetime, Self::Killed, Self::Crashed, Self::Budget, Self::Policy];

    /// The reason as it is written in the API and in indexes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
            Self::Killed => "killed",
            Self::Crashed => "crashed",
            Self::Budget => "budget",
            Self::Policy => "policy",
        }
    }

    /// What happens to runs that have not ended when their session does.
    pub const fn run_event(self) -> run::Event {
        match self {
            Self::Completed | Self::Idle => run::Event::Cancel,
            Self::Lifetime => run::Event::TimeOut,
            Self::Killed => run::Event::Kill,
            Self::Crashed => run::Event::Crash,
            Self::Budget => run::Event::ExceedBudget,
            Self::Policy => run::Event::ViolatePolicy,
        }
    }

    /// How the box goes: with grace where the agent did no wrong, at once otherwise.
    const fn box_effect(self) -> Effect {
        match self {
            Self::Completed | Self::Idle | Self::Lifetime | Self::Budget => Effect::StopBox,
            Self::Killed | Self::Crashed | Self::Policy => Effect::KillBox,
        }
    }
}

impl State {
    /// All states.
    pub const ALL: [Self; 10] = [
        Self::Starting,
        Self::Active,
        Self::Idle,
        Self::Ended(EndReason::Completed),
        Self::Ended(EndReason::Idle),
        Self::Ended(EndReason::Lifetime),
        Self::Ended(EndReason::Killed),
        Self::Ended(EndReason::Crashed),
        Self::Ended(EndReason::Budget),
        Self::Ended(EndReason::Policy),
    ];

    /// The state as it is written in the API and in indexes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Ended(_) => "ended",
        }
    }

    /// Whether it never changes again.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Ended(_))
    }

    /// The next state, and what is to be done.
    ///
    /// # Errors
    /// When the picture has no such step.
    pub fn step(self, event: Event) -> Result<(Self, Vec<Effect>), Rejected> {
        match (self, event) {
            (Self::Starting, Event::Ready) => Ok((Self::Active, vec![Effect::Deliver])),
            (Self::Starting, Event::Invoked) => Ok((self, vec![Effect::Hold])),
            (Self::Active, Event::Invoked) => Ok((self, vec![Effect::Deliver])),
            (Self::Active, Event::Quiet) => Ok((Self::Idle, vec![Effect::RestBox, Effect::StartIdleTimer])),
            (Self::Idle, Event::Invoked) => {
                Ok((Self::Active, vec![Effect::StopIdleTimer, Effect::WakeBox, Effect::Deliver]))
            }
            // A box that was asked to end may still be in its grace time; a kill cuts it short.
            (Self::Ended(_), Event::End(EndReason::Killed)) => Ok((self, vec![Effect::KillBox])),
            (Self::Ended(_), Event::End(_)) => Ok((self, vec![])),
            (Self::Idle, Event::End(reason)) => {
                Ok((Self::Ended(reason), vec![Effect::StopIdleTimer, reason.box_effect()]))
            }
            (Self::Starting | Self::Active, Event::End(reason)) if reason != EndReason::Idle => {
                Ok((Self::Ended(reason), vec![Effect::EndRuns(reason.run_event()), reason.box_effect()]))
            }
            _ => Err(Rejected { what: "session", state: self.as_str(), event: event.as_str() }),
        }
    }
}

impl Event {
    /// All events.
    pub const ALL: [Self; 10] = [
        Self::Ready,
        Self::Invoked,
        Self::Quiet,
        Self::End(EndReason::Completed),
        Self::End(EndReason::Idle),
        Self::End(EndReason::Lifetime),
        Self::End(EndReason::Killed),
        Self::End(EndReason::Crashed),
        Self::End(EndReason::Budget),
        Self::End(EndReason::Policy),
    ];

    /// The event as it is written in messages; an end by its reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Invoked => "invoked",
            Self::Quiet => "quiet",
            Self::End(reason) => reason.as_str(),
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
            Starting     Ready    Active
            Starting     Invoked  Starting
            Active|Idle  Invoked  Active
            Active       Quiet    Idle
            Idle                  End(Idle)       Ended(Idle)
            Starting|Active|Idle  End(Completed)  Ended(Completed)
            Starting|Active|Idle  End(Lifetime)   Ended(Lifetime)
            Starting|Active|Idle  End(Killed)     Ended(Killed)
            Starting|Active|Idle  End(Crashed)    Ended(Crashed)
            Starting|Active|Idle  End(Budget)     Ended(Budget)
            Starting|Active|Idle  End(Policy)     Ended(Policy)
            Ended(Completed)  End(Completed)|End(Idle)|End(Lifetime)|End(Killed)|End(Crashed)|End(Budget)|End(Policy)  Ended(Completed)
            Ended(Idle)       End(Completed)|End(Idle)|End(Lifetime)|End(Killed)|End(Crashed)|End(Budget)|End(Policy)  Ended(Idle)
            Ended(Lifetime)   End(Completed)|End(Idle)|End(Lifetime)|End(Killed)|End(Crashed)|End(Budget)|End(Policy)  Ended(Lifetime)
            Ended(Killed)     End(Completed)|End(Idle)|End(Lifetime)|End(Killed)|End(Crashed)|End(Budget)|End(Policy)  Ended(Killed)
            Ended(Crashed)    End(Completed)|End(Idle)|End(Lifetime)|End(Killed)|End(Crashed)|End(Budget)|End(Policy)  Ended(Crashed)
            Ended(Budget)     End(Completed)|End(Idle)|End(Lifetime)|End(Killed)|End(Crashed)|End(Budget)|End(Policy)  Ended(Budget)
            Ended(Policy)     End(Completed)|End(Idle)|End(Lifetime)|End(Killed)|End(Crashed)|End(Budget)|End(Policy)  Ended(Policy)";

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

    fn open() -> impl Iterator<Item = State> {
        State::ALL.into_iter().filter(|state| !state.is_terminal())
    }

    #[test]
    fn a_session_keeps_to_its_picture() {
        let stops = [EndReason::Completed, EndReason::Killed, EndReason::Lifetime].map(Event::End);
        check_machine(State::Starting, &stops);
    }

    #[test]
    fn every_end_takes_the_box_and_its_open_runs_along() {
        for (state, reason) in open().flat_map(|state| EndReason::ALL.map(|reason| (state, reason))) {
            let Ok((next, effects)) = state.step(Event::End(reason)) else {
                assert!(reason == EndReason::Idle && state != State::Idle, "{state:?} {reason:?}");
                continue;
            };
            assert_eq!(next, State::Ended(reason));
            assert!(effects.contains(&Effect::StopBox) != effects.contains(&Effect::KillBox), "{effects:?}");
            let ends_runs = effects.contains(&Effect::EndRuns(reason.run_event()));
            assert_eq!(ends_runs, state != State::Idle, "an idle session has no open run");
        }
    }

    #[test]
    fn a_kill_destroys_the_box_in_every_state() {
        for state in State::ALL {
            let (_, effects) = state.step(Event::End(EndReason::Killed)).unwrap();
            assert!(effects.contains(&Effect::KillBox), "{state:?}");
        }
    }

    #[test]
    fn the_first_reason_stays() {
        let (ended, _) = State::Active.step(Event::End(EndReason::Policy)).unwrap();
        assert_eq!(ended.step(Event::End(EndReason::Completed)), Ok((State::Ended(EndReason::Policy), vec![])));
    }

    #[test]
    fn every_open_run_takes_the_end_of_its_session() {
        for reason in EndReason::ALL {
            for run in run::State::ALL.into_iter().filter(|run| !run.is_terminal()) {
                assert!(run.step(reason.run_event()).is_ok_and(|(next, _)| next.is_terminal()), "{run:?} {reason:?}");
            }
        }
    }

    #[test]
    fn a_late_idle_timer_ends_nothing() {
        let refused = State::Active.step(Event::End(EndReason::Idle));
        assert_eq!(refused.unwrap_err().to_string(), "a session that is `active` does not take `idle`");
    }

    #[test]
    fn a_state_is_written_as_documented_and_reads_back() {
        let written = serde_json::to_string(&State::Ended(EndReason::Lifetime)).unwrap();
        assert_eq!(written, r#"{"state":"ended","reason":"lifetime"}"#);
        for state in State::ALL {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
            assert!(text.contains(&format!(r#""state":"{}""#, state.as_str())), "{text}");
        }
    }
}
