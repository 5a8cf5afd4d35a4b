//! The life of a run.
//!
//! ```text
//!             started            wait(what)
//!   queued ───────────► running ────────────► waiting(approval | timer | budget)
//!      │                 │   ▲ └──────────────────┘ │
//!      │                 │   come(the same what)    │
//!      │                 │                          │
//!      │                 ├─► succeeded              │
//!      └─────────────────┴──────────────────────────┘
//!                        │
//!                        ▼
//!   failed | timed_out | cancelled | budget_exceeded | policy_violation | killed | crashed
//! ```
//!
//! A terminal run never changes; its state is the status of its outcome. A retry is a new run
//! linked to this one, and only where this one did not succeed. Must not know: what the run
//! does, or what its outcome says beyond the status.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rejected;
use crate::outcome::OutcomeStatus;

/// What a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RunWait")]
pub enum Wait {
    /// For a person to approve a step.
    Approval,
    /// For a moment to come.
    Timer,
    /// For more money.
    Budget,
}

/// Where a run is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state", content = "for")]
#[schemars(rename = "RunState")]
pub enum State {
    /// It waits for its turn.
    Queued,
    /// It is at work.
    Running,
    /// It rests until something comes.
    Waiting(Wait),
    /// It did what was asked.
    Succeeded,
    /// It did not.
    Failed,
    /// It was stopped by its time limit.
    TimedOut,
    /// Somebody stopped it.
    Cancelled,
    /// It was stopped by its budget.
    BudgetExceeded,
    /// It was stopped by the policy.
    PolicyViolation,
    /// The kill switch stopped it.
    Killed,
    /// Its box or its node is gone.
    Crashed,
}

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// It is its turn.
    Started,
    /// It cannot go on until something comes.
    Wait(Wait),
    /// Something came. A run that waits for something else does not take it.
    Come(Wait),
    /// It did what was asked.
    Succeed,
    /// It did not.
    Fail,
    /// Its time is over.
    TimeOut,
    /// Somebody stops it.
    Cancel,
    /// Its budget is spent.
    ExceedBudget,
    /// The policy stops it.
    ViolatePolicy,
    /// The kill switch.
    Kill,
    /// Its box or its node is gone.
    Crash,
    /// Somebody wants it done again.
    Retry,
}

/// What is to be done about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Begin the work.
    Execute,
    /// See to it that what it waits for is announced.
    Await(Wait),
    /// Go on with the work.
    Resume,
    /// Take it out of the queue.
    Withdraw,
    /// Nothing needs to come any more.
    Forget(Wait),
    /// Stop the work in the box.
    Interrupt,
    /// Give back what was reserved and not spent.
    Settle,
    /// Write the outcome and tell whoever waits for it.
    Conclude,
    /// Open a new run that is linked to this one.
    OpenRetry,
}

/// A status that no run ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no run ends as `{0:?}`; only a step does")]
pub struct StepOnly(pub OutcomeStatus);

/// A run that has not ended has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a run that is `{}` has no outcome yet", .0.as_str())]
pub struct NotEnded(pub State);

impl State {
    /// All states.
    pub const ALL: [Self; 13] = [
        Self::Queued,
        Self::Running,
        Self::Waiting(Wait::Approval),
        Self::Waiting(Wait::Timer),
        Self::Waiting(Wait::Budget),
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::BudgetExceeded,
        Self::PolicyViolation,
        Self::Killed,
        Self::Crashed,
    ];

    /// The state as it is written in the API and in indexes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting(_) => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::BudgetExceeded => "budget_exceeded",
            Self::PolicyViolation => "policy_violation",
            Self::Killed => "killed",
            Self::Crashed => "crashed",
        }
    }

    /// Whether it never changes again.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::Waiting(_))
    }

    /// The next state, and what is to be done.
    ///
    /// # Errors
    /// When the picture has no such step.
    pub fn step(self, event: Event) -> Result<(Self, Vec<Effect>), Rejected> {
        match (self, event) {
            (Self::Queued, Event::Started) => Ok((Self::Running, vec![Effect::Execute])),
            (Self::Running, Event::Wait(what)) => Ok((Self::Waiting(what), vec![Effect::Await(what)])),
            (Self::Waiting(what), Event::Come(come)) if what == come => Ok((Self::Running, vec![Effect::Resume])),
            (ended, Event::Cancel | Event::Kill) if ended.is_terminal() => Ok((ended, vec![])),
            (ended, Event::Retry) if ended.is_terminal() && ended != Self::Succeeded => {
                Ok((ended, vec![Effect::OpenRetry]))
            }
            (open, _) if !open.is_terminal() => open.end(event),
            _ => Err(self.rejects(event)),
        }
    }

    /// Ends a run that is not terminal.
    fn end(self, event: Event) -> Result<(Self, Vec<Effect>), Rejected> {
        let end = event.end().filter(|end| *end != Self::Succeeded || self == Self::Running);
        let end = end.ok_or_else(|| self.rejects(event))?;
        let effects = self.leave(end).into_iter().chain([Effect::Settle, Effect::Conclude]).collect();
        Ok((end, effects))
    }

    /// What the present state leaves behind when the run ends.
    fn leave(self, end: Self) -> Option<Effect> {
        match self {
            Self::Queued => Some(Effect::Withdraw),
            Self::Waiting(what) => Some(Effect::Forget(what)),
            // Who reports success or failure has stopped working; so has a box that is gone.
            Self::Running if matches!(end, Self::Succeeded | Self::Failed | Self::Crashed) => None,
            Self::Running => Some(Effect::Interrupt),
            _ => None,
        }
    }

    fn rejects(self, event: Event) -> Rejected {
        Rejected { what: "run", state: self.as_str(), event: event.as_str() }
    }
}

impl Event {
    /// All events.
    pub const ALL: [Self; 16] = [
        Self::Started,
        Self::Wait(Wait::Approval),
        Self::Wait(Wait::Timer),
        Self::Wait(Wait::Budget),
        Self::Come(Wait::Approval),
        Self::Come(Wait::Timer),
        Self::Come(Wait::Budget),
        Self::Succeed,
        Self::Fail,
        Self::TimeOut,
        Self::Cancel,
        Self::ExceedBudget,
        Self::ViolatePolicy,
        Self::Kill,
        Self::Crash,
        Self::Retry,
    ];

    /// The event as it is written in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Wait(_) => "wait",
            Self::Come(Wait::Approval) => "approval",
            Self::Come(Wait::Timer) => "timer",
            Self::Come(Wait::Budget) => "budget",
            Self::Succeed => "succeed",
            Self::Fail => "fail",
            Self::TimeOut => "time_out",
            Self::Cancel => "cancel",
            Self::ExceedBudget => "exceed_budget",
            Self::ViolatePolicy => "violate_policy",
            Self::Kill => "kill",
            Self::Crash => "crash",
            Self::Retry => "retry",
        }
    }

    /// The end that the event brings, if it brings one.
    const fn end(self) -> Option<State> {
        match self {
            Self::Succeed => Some(State::Succeeded),
            Self::Fail => Some(State::Failed),
            Self::TimeOut => Some(State::TimedOut),
            Self::Cancel => Some(State::Cancelled),
            Self::ExceedBudget => Some(State::BudgetExceeded),
            Self::ViolatePolicy => Some(State::PolicyViolation),
            Self::Kill => Some(State::Killed),
            Self::Crash => Some(State::Crashed),
            Self::Started | Self::Wait(_) | Self::Come(_) | Self::Retry => None,
        }
    }
}

impl TryFrom<OutcomeStatus> for State {
    type Error = StepOnly;

    fn try_from(status: OutcomeStatus) -> Result<Self, StepOnly> {
        match status {
            OutcomeStatus::Succeeded => Ok(Self::Succeeded),
            OutcomeStatus::Failed => Ok(Self::Failed),
            OutcomeStatus::TimedOut => Ok(Self::TimedOut),
            OutcomeStatus::Cancelled => Ok(Self::Cancelled),
            OutcomeStatus::BudgetExceeded => Ok(Self::BudgetExceeded),
            OutcomeStatus::PolicyViolation => Ok(Self::PolicyViolation),
            OutcomeStatus::Killed => Ok(Self::Killed),
            OutcomeStatus::Crashed => Ok(Self::Crashed),
            OutcomeStatus::Partial | OutcomeStatus::Skipped => Err(StepOnly(status)),
        }
    }
}

impl TryFrom<State> for OutcomeStatus {
    type Error = NotEnded;

    fn try_from(state: State) -> Result<Self, NotEnded> {
        match state {
            State::Succeeded => Ok(Self::Succeeded),
            State::Failed => Ok(Self::Failed),
            State::TimedOut => Ok(Self::TimedOut),
            State::Cancelled => Ok(Self::Cancelled),
            State::BudgetExceeded => Ok(Self::BudgetExceeded),
            State::PolicyViolation => Ok(Self::PolicyViolation),
            State::Killed => Ok(Self::Killed),
            State::Crashed => Ok(Self::Crashed),
            State::Queued | State::Running | State::Waiting(_) => Err(NotEnded(state)),
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
            Queued             Started         Running
            Running            Wait(Approval)  Waiting(Approval)
            Running            Wait(Timer)     Waiting(Timer)
            Running            Wait(Budget)    Waiting(Budget)
            Waiting(Approval)  Come(Approval)  Running
            Waiting(Timer)     Come(Timer)     Running
            Waiting(Budget)    Come(Budget)    Running
            Running            Succeed         Succeeded
            Queued|Running|Waiting(Approval)|Waiting(Timer)|Waiting(Budget)  Fail           Failed
            Queued|Running|Waiting(Approval)|Waiting(Timer)|Waiting(Budget)  TimeOut        TimedOut
            Queued|Running|Waiting(Approval)|Waiting(Timer)|Waiting(Budget)  Cancel         Cancelled
            Queued|Running|Waiting(Approval)|Waiting(Timer)|Waiting(Budget)  ExceedBudget   BudgetExceeded
            Queued|Running|Waiting(Approval)|Waiting(Timer)|Waiting(Budget)  ViolatePolicy  PolicyViolation
            Queued|Running|Waiting(Approval)|Waiting(Timer)|Waiting(Budget)  Kill           Killed
            Queued|Running|Waiting(Approval)|Waiting(Timer)|Waiting(Budget)  Crash          Crashed
            Succeeded          Cancel|Kill        Succeeded
            Failed             Cancel|Kill|Retry  Failed
            TimedOut           Cancel|Kill|Retry  TimedOut
            Cancelled          Cancel|Kill|Retry  Cancelled
            BudgetExceeded     Cancel|Kill|Retry  BudgetExceeded
            PolicyViolation    Cancel|Kill|Retry  PolicyViolation
            Killed             Cancel|Kill|Retry  Killed
            Crashed            Cancel|Kill|Retry  Crashed";

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

    fn check_effects(state: State, event: Event, expected: &[Effect]) {
        assert_eq!(state.step(event).map(|(_, effects)| effects), Ok(expected.to_vec()), "{state:?} on {event:?}");
    }

    #[test]
    fn a_run_keeps_to_its_picture() {
        check_machine(State::Queued, &[Event::Cancel, Event::Kill]);
    }

    #[test]
    fn every_end_is_concluded_and_settled_once() {
        for state in State::ALL.into_iter().filter(|state| !state.is_terminal()) {
            for event in Event::ALL {
                let Ok((next, effects)) = state.step(event) else { continue };
                let concluded = effects.ends_with(&[Effect::Settle, Effect::Conclude]);
                assert_eq!(concluded, next.is_terminal(), "{state:?} on {event:?}");
            }
        }
        check_effects(State::Killed, Event::Kill, &[]);
    }

    #[test]
    fn an_end_leaves_nothing_behind() {
        check_effects(State::Queued, Event::Cancel, &[Effect::Withdraw, Effect::Settle, Effect::Conclude]);
        check_effects(State::Running, Event::Kill, &[Effect::Interrupt, Effect::Settle, Effect::Conclude]);
        check_effects(State::Running, Event::Succeed, &[Effect::Settle, Effect::Conclude]);
        let forget = Effect::Forget(Wait::Approval);
        check_effects(State::Waiting(Wait::Approval), Event::TimeOut, &[forget, Effect::Settle, Effect::Conclude]);
    }

    #[test]
    fn a_late_timer_approves_nothing() {
        let refused = State::Waiting(Wait::Approval).step(Event::Come(Wait::Timer));
        assert_eq!(refused, Err(Rejected { what: "run", state: "waiting", event: "timer" }));
    }

    #[test]
    fn a_retry_is_a_new_run() {
        assert_eq!(State::Failed.step(Event::Retry), Ok((State::Failed, vec![Effect::OpenRetry])));
        assert!(State::Running.step(Event::Retry).is_err());
        assert!(State::Succeeded.step(Event::Retry).is_err());
    }

    #[test]
    fn the_terminal_states_are_the_statuses_of_a_runs_outcome() {
        for state in State::ALL {
            let status = OutcomeStatus::try_from(state);
            assert_eq!(status.is_ok(), state.is_terminal(), "{state:?}");
            if let Ok(status) = status {
                assert_eq!(State::try_from(status), Ok(state));
                assert_eq!(serde_json::to_value(status).unwrap(), state.as_str());
            }
        }
        for status in [OutcomeStatus::Partial, OutcomeStatus::Skipped] {
            assert_eq!(State::try_from(status), Err(StepOnly(status)));
        }
    }

    #[test]
    fn a_state_is_written_as_documented_and_reads_back() {
        let written = serde_json::to_string(&State::Waiting(Wait::Approval)).unwrap();
        assert_eq!(written, r#"{"state":"waiting","for":"approval"}"#);
        for state in State::ALL {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
            assert!(text.contains(&format!(r#""state":"{}""#, state.as_str())), "{text}");
        }
    }
}
