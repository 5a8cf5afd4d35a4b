//! What a guest may say, and when. Numbers are given by the host, each is answered in its
//! order and once; what says anything else is not the guest we know.
//!
//! ```text
//!           Entered           Ready
//!   silent ─────────► entered ──────► ready: Started · StartFailed · Exited · Done · Open
//!      │                 │                   · Resolve · Connected · ConnectFailed
//!      └─── SetupFailed ─┴──► failed: nothing
//!
//!   a program:  asked ── Started ──► runs ── Exited ──► forgotten
//!                 └──── StartFailed ──► forgotten
//! ```
//!
//! Pure: what a message brings about is the caller's. What is remembered is what the host
//! asked for, so nobody inside can make it grow.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::{JobId, ProcessId, STREAMS_AT_ONCE, ToHost};

/// What a guest said that it cannot say now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// It speaks of being set up when it is, or was not about to be.
    #[error("it was set up twice, or out of turn")]
    SetUpOutOfTurn,
    /// It speaks of anything else before it is set up.
    #[error("it spoke before it was set up")]
    NotSetUp,
    /// It speaks of a program that nobody asked for, or that has ended.
    #[error("it named a program nobody asked for")]
    UnknownProgram,
    /// What it says of a program cannot follow what it said before.
    #[error("it named a program in the wrong state")]
    ProgramOutOfTurn,
    /// It opens no stream, or more than come beside one message.
    #[error("it opened nothing, or too much at once")]
    OpensNothing,
    /// It answers what nobody asked, or answers twice.
    #[error("it answered to nothing")]
    AnswerToNothing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Silent,
    Entered,
    Ready,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Asked,
    Runs,
}

/// What was asked of a guest, and how far it has answered.
#[derive(Clone, Debug, Default)]
pub struct Dialogue {
    stage: Stage,
    programs: BTreeMap<ProcessId, Program>,
    jobs: BTreeSet<JobId>,
    connects: BTreeSet<JobId>,
}

impl Dialogue {
    /// The guest is asked to start a program.
    pub fn ask_program(&mut self, process: ProcessId) {
        self.programs.insert(process, Program::Asked);
    }

    /// The guest is asked to do a piece of work.
    pub fn ask_job(&mut self, job: JobId) {
        self.jobs.insert(job);
    }

    /// The guest is asked to connect to a server inside.
    pub fn ask_connect(&mut self, job: JobId) {
        self.connects.insert(job);
    }

    /// A question with this number did not reach the guest.
    pub fn take_back(&mut self, number: u32) {
        self.programs.remove(&number);
        self.jobs.remove(&number);
        self.connects.remove(&number);
    }

    /// How many answers are due: programs that have not ended, and work that is not done.
    pub fn due(&self) -> usize {
        self.programs.len().saturating_add(self.jobs.len()).saturating_add(self.connects.len())
    }

    /// How many programs run, or are being started.
    pub fn programs(&self) -> usize {
        self.programs.len()
    }

    /// The guest says something.
    ///
    /// # Errors
    /// When it cannot say that now. Nothing has changed then.
    pub fn hear(&mut self, message: &ToHost) -> Result<(), Violation> {
        match message {
            ToHost::Entered { .. } | ToHost::Ready | ToHost::SetupFailed { .. } => {
                self.stage = self.next_stage(message).ok_or(Violation::SetUpOutOfTurn)?;
                Ok(())
            }
            _ if self.stage != Stage::Ready => Err(Violation::NotSetUp),
            ToHost::Started { process } => {
                let program = self.program(*process, Program::Asked)?;
                *program = Program::Runs;
                Ok(())
            }
            ToHost::StartFailed { process, .. } => self.forget(*process, Program::Asked),
            ToHost::Exited { process, .. } => self.forget(*process, Program::Runs),
            ToHost::Done { job, .. } => answered(&mut self.jobs, *job),
            ToHost::Connected { job } | ToHost::ConnectFailed { job, .. } => answered(&mut self.connects, *job),
            // A message without a stream, or with more than fit beside one, is no message of ours.
            ToHost::Open { kinds } if kinds.is_empty() || kinds.len() > STREAMS_AT_ONCE => Err(Violation::OpensNothing),
            // How many are open, or asked, at a time is the host's to bound.
            ToHost::Open { .. } | ToHost::Resolve { .. } => Ok(()),
        }
    }

    fn next_stage(&self, message: &ToHost) -> Option<Stage> {
        match (self.stage, message) {
            (Stage::Silent, ToHost::Entered { .. }) => Some(Stage::Entered),
            (Stage::Entered, ToHost::Ready) => Some(Stage::Ready),
            (Stage::Silent | Stage::Entered, ToHost::SetupFailed { .. }) => Some(Stage::Failed),
            _ => None,
        }
    }

    fn program(&mut self, process: ProcessId, expected: Program) -> Result<&mut Program, Violation> {
        let program = self.programs.get_mut(&process).ok_or(Violation::UnknownProgram)?;
        if *program == expected { Ok(program) } else { Err(Violation::ProgramOutOfTurn) }
    }

    fn forget(&mut self, process: ProcessId, expected: Program) -> Result<(), Violation> {
        self.program(process, expected)?;
        self.programs.remove(&process);
        Ok(())
    }
}

fn answered(asked: &mut BTreeSet<JobId>, job: JobId) -> Result<(), Violation> {
    asked.remove(&job).then_some(()).ok_or(Violation::AnswerToNothing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Ended, Failure, StreamKind};

    const STARTED: ToHost = ToHost::Started { process: 7 };
    const NOT_STARTED: ToHost = ToHost::StartFailed { process: 7, failure: Failure::NotFound };
    const DONE: ToHost = ToHost::Done { job: 9, failure: None };
    const CONNECTED: ToHost = ToHost::Connected { job: 11 };
    const NOT_CONNECTED: ToHost = ToHost::ConnectFailed { job: 11, errno: 111 };

    const ENTERED: ToHost = ToHost::Entered { pid: 2 };

    fn open(streams: usize) -> ToHost {
        ToHost::Open { kinds: vec![StreamKind::Proxy; streams] }
    }

    fn resolve() -> ToHost {
        ToHost::Resolve { question: 3, name: "api.example.com".to_owned() }
    }

    fn exited() -> ToHost {
        ToHost::Exited { process: 7, ended: Ended::Code(0), timed_out: false, cpu_us: 0, memory_peak_bytes: 0 }
    }

    fn setup_failed() -> ToHost {
        ToHost::SetupFailed { step: "mounting".to_owned(), errno: 1 }
    }

    fn asked() -> Dialogue {
        let mut dialogue = Dialogue::default();
        dialogue.ask_program(7);
        dialogue.ask_job(9);
        dialogue.ask_connect(11);
        dialogue
    }

    /// Says these, the host having asked for program 7, job 9 and connection 11; what comes of
    /// the last one.
    fn say(messages: &[ToHost]) -> Result<(), Violation> {
        let mut dialogue = asked();
        let (last, before) = messages.split_last().expect("a message");
        for message in before {
            dialogue.hear(message).unwrap_or_else(|violation| panic!("{message:?}: {violation}"));
        }
        dialogue.hear(last)
    }

    #[track_caller]
    fn accepted(after_setup: &[ToHost]) {
        assert_eq!(say(&[&[ENTERED, ToHost::Ready], after_setup].concat()), Ok(()));
    }

    #[track_caller]
    fn refused(after_setup: &[ToHost], violation: Violation) {
        assert_eq!(say(&[&[ENTERED, ToHost::Ready], after_setup].concat()), Err(violation));
    }

    #[test]
    fn what_was_asked_is_answered_in_its_order() {
        accepted(&[STARTED, exited(), DONE]);
        accepted(&[DONE, NOT_STARTED]);
        accepted(&[STARTED, DONE, open(1), resolve(), open(STREAMS_AT_ONCE), exited()]);
        accepted(&[CONNECTED, DONE, STARTED]);
        accepted(&[NOT_CONNECTED, DONE]);
    }

    #[test]
    fn a_box_is_set_up_once_and_before_anything_else() {
        assert_eq!(say(&[ToHost::Ready]), Err(Violation::SetUpOutOfTurn));
        assert_eq!(say(&[ENTERED, ENTERED]), Err(Violation::SetUpOutOfTurn));
        assert_eq!(say(&[setup_failed()]), Ok(()));
        assert_eq!(say(&[ENTERED, setup_failed()]), Ok(()));
        assert_eq!(say(&[setup_failed(), ENTERED]), Err(Violation::SetUpOutOfTurn));
        assert_eq!(say(&[setup_failed(), setup_failed()]), Err(Violation::SetUpOutOfTurn));
        for early in [STARTED, NOT_STARTED, exited(), DONE, CONNECTED, NOT_CONNECTED, open(1), resolve()] {
            assert_eq!(say(std::slice::from_ref(&early)), Err(Violation::NotSetUp));
            assert_eq!(say(&[ENTERED, early]), Err(Violation::NotSetUp));
        }
        for late in [ENTERED, ToHost::Ready, setup_failed()] {
            refused(&[late], Violation::SetUpOutOfTurn);
        }
    }

    #[test]
    fn a_program_is_started_once_and_ends_once() {
        refused(&[ToHost::Started { process: 8 }], Violation::UnknownProgram);
        refused(&[STARTED, STARTED], Violation::ProgramOutOfTurn);
        refused(&[STARTED, NOT_STARTED], Violation::ProgramOutOfTurn);
        refused(&[exited()], Violation::ProgramOutOfTurn);
        refused(&[STARTED, exited(), exited()], Violation::UnknownProgram);
        refused(&[NOT_STARTED, STARTED], Violation::UnknownProgram);
        refused(&[NOT_STARTED, NOT_STARTED], Violation::UnknownProgram);
    }

    #[test]
    fn streams_come_as_many_at_once_as_fit_beside_a_message() {
        refused(&[open(0)], Violation::OpensNothing);
        refused(&[open(STREAMS_AT_ONCE + 1)], Violation::OpensNothing);
    }

    #[test]
    fn nobody_answers_what_was_not_asked() {
        refused(&[ToHost::Done { job: 7, failure: None }], Violation::AnswerToNothing);
        refused(&[DONE, DONE], Violation::AnswerToNothing);
    }

    #[test]
    fn nobody_hands_over_a_connection_that_was_not_asked_for() {
        refused(&[ToHost::Connected { job: 12 }], Violation::AnswerToNothing);
        refused(&[ToHost::ConnectFailed { job: 12, errno: 0 }], Violation::AnswerToNothing);
        for first in [CONNECTED, NOT_CONNECTED] {
            for second in [CONNECTED, NOT_CONNECTED] {
                refused(&[first.clone(), second], Violation::AnswerToNothing);
            }
        }
    }

    #[test]
    fn an_answer_of_one_kind_is_none_to_a_question_of_another() {
        refused(&[ToHost::Connected { job: 9 }], Violation::AnswerToNothing);
        refused(&[ToHost::ConnectFailed { job: 9, errno: 0 }], Violation::AnswerToNothing);
        refused(&[ToHost::Connected { job: 7 }], Violation::AnswerToNothing);
        refused(&[ToHost::Done { job: 11, failure: None }], Violation::AnswerToNothing);
        refused(&[ToHost::Started { process: 11 }], Violation::UnknownProgram);
    }

    #[test]
    fn what_was_taken_back_cannot_be_answered() {
        let mut dialogue = asked();
        for number in [7, 9, 11] {
            dialogue.take_back(number);
        }
        assert_eq!(dialogue.due(), 0);
        for message in [ENTERED, ToHost::Ready] {
            assert_eq!(dialogue.hear(&message), Ok(()));
        }
        assert_eq!(dialogue.hear(&STARTED), Err(Violation::UnknownProgram));
        assert_eq!(dialogue.hear(&DONE), Err(Violation::AnswerToNothing));
        assert_eq!(dialogue.hear(&CONNECTED), Err(Violation::AnswerToNothing));
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut dialogue = asked();
        for early in [DONE, CONNECTED] {
            assert!(dialogue.hear(&early).is_err());
        }
        assert_eq!((dialogue.due(), dialogue.programs()), (3, 1));
        for message in [ENTERED, ToHost::Ready, DONE, CONNECTED, STARTED, exited()] {
            assert_eq!(dialogue.hear(&message), Ok(()));
        }
        assert_eq!((dialogue.due(), dialogue.programs()), (0, 0));
    }
}
