//! Any bytes at a box's door are a message or are refused, in both directions, and cost no
//! more memory than their length pays for. The first byte says what the rest is: a frame for
//! the host, a frame for the guest, or a whole conversation, in which the host asks and any
//! frames come back; what the host takes of it is compared with the rules, written down once
//! more over everything that was said before.
#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use aegis_door::{Dialogue, FRAME_BYTES_MAX, STREAMS_AT_ONCE, ToGuest, ToHost, decode, encode};
use libfuzzer_sys::fuzz_target;

/// Counts what is held, and the most of it.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator, and counts beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What that costs at its most, beyond what was held before.
fn cost<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let made = work();
    (made, MOST.load(Ordering::Relaxed).saturating_sub(before))
}

/// An error of the reader may say where it was.
const COST_SMALL: usize = 1_024;
/// A message for the host holds a text, or streams that each have a place for one; what it holds
/// may be copied as it grows.
const COST_PER_BYTE: usize = 128;
/// A description of a box is lists of texts: one byte can stand for an empty one.
const COST_PER_BYTE_OF_SETUP: usize = 128;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => {
            let _ = host_frame(rest);
        }
        1 => guest_frame(rest),
        _ => conversation(rest),
    }
});

fn host_frame(frame: &[u8]) -> Option<ToHost> {
    let (message, cost) = cost(|| decode::<ToHost>(frame));
    assert!(cost <= COST_SMALL + COST_PER_BYTE * frame.len(), "{} bytes cost {cost}", frame.len());
    let message = message.ok()?;
    let streams = matches!(message, ToHost::Open { .. });
    assert!(frame.len() <= FRAME_BYTES_MAX && (streams || message.descriptors() <= 1));
    assert_eq!(encode(&message).and_then(|frame| decode(&frame)), Ok(message.clone()));
    Some(message)
}

fn guest_frame(frame: &[u8]) {
    let (message, cost) = cost(|| decode::<ToGuest>(frame));
    assert!(cost <= COST_SMALL + COST_PER_BYTE_OF_SETUP * frame.len(), "{} bytes cost {cost}", frame.len());
    let Ok(message) = message else { return };
    assert!(frame.len() <= FRAME_BYTES_MAX);
    assert_eq!(encode(&message).and_then(|frame| decode(&frame)), Ok(message));
}

/// What happened at the door.
enum Said {
    AskedProgram(u32),
    AskedJob(u32),
    AskedConnect(u32),
    TakenBack(u32),
    Heard(ToHost),
}

fn conversation(mut rest: &[u8]) {
    let mut dialogue = Dialogue::default();
    let mut said: Vec<Said> = Vec::new();
    let mut number = 0;
    while let Some((what, after)) = rest.split_first() {
        rest = after;
        match what % 8 {
            0 => {
                dialogue.ask_program(number);
                said.push(Said::AskedProgram(number));
                number += 1;
            }
            1 => {
                dialogue.ask_job(number);
                said.push(Said::AskedJob(number));
                number += 1;
            }
            2 => {
                let Some((number, after)) = rest.split_first() else { return };
                rest = after;
                dialogue.take_back((*number).into());
                said.push(Said::TakenBack((*number).into()));
            }
            4 => {
                dialogue.ask_connect(number);
                said.push(Said::AskedConnect(number));
                number += 1;
            }
            _ => {
                let Some((length, after)) = rest.split_first() else { return };
                let (frame, after) = after.split_at(after.len().min((*length).into()));
                rest = after;
                let Some(message) = host_frame(frame) else { continue };
                let due = dialogue.due();
                let taken = dialogue.hear(&message);
                assert_eq!(taken.is_ok(), may_say(&said, &message), "{message:?}: {taken:?}");
                if taken.is_ok() {
                    said.push(Said::Heard(message));
                } else {
                    assert_eq!(dialogue.due(), due, "what was refused changed something");
                }
            }
        }
        assert!(dialogue.due() <= said.len(), "more is due than was asked");
    }
}

/// The rules, over everything that was said before.
fn may_say(said: &[Said], message: &ToHost) -> bool {
    let heard = |is: &dyn Fn(&ToHost) -> bool| {
        said.iter().filter(|said| matches!(said, Said::Heard(message) if is(message))).count()
    };
    let entered = heard(&|message| matches!(message, ToHost::Entered { .. })) > 0;
    let ready = heard(&|message| matches!(message, ToHost::Ready)) > 0;
    let failed = heard(&|message| matches!(message, ToHost::SetupFailed { .. })) > 0;
    let taken_back = |number: u32| {
        let asked = |said: &Said| match said {
            Said::AskedProgram(n) | Said::AskedJob(n) | Said::AskedConnect(n) => *n == number,
            Said::TakenBack(_) | Said::Heard(_) => false,
        };
        let since = said.iter().position(asked).unwrap_or_default();
        said[since..].iter().any(|said| matches!(said, Said::TakenBack(n) if *n == number))
    };
    let asked_program = |number: u32| {
        said.iter().any(|said| matches!(said, Said::AskedProgram(n) if *n == number)) && !taken_back(number)
    };
    let asked_job =
        |number: u32| said.iter().any(|said| matches!(said, Said::AskedJob(n) if *n == number)) && !taken_back(number);
    let asked_connect = |number: u32| {
        said.iter().any(|said| matches!(said, Said::AskedConnect(n) if *n == number)) && !taken_back(number)
    };
    let connected = |number: u32| {
        let of = |said: &ToHost| match said {
            ToHost::Connected { job } | ToHost::ConnectFailed { job, .. } => *job == number,
            _ => false,
        };
        heard(&of) > 0
    };
    let started = |number: u32| heard(&|said| matches!(said, ToHost::Started { process } if *process == number)) > 0;
    let refused =
        |number: u32| heard(&|said| matches!(said, ToHost::StartFailed { process, .. } if *process == number)) > 0;
    let exited = |number: u32| heard(&|said| matches!(said, ToHost::Exited { process, .. } if *process == number)) > 0;
    match message {
        ToHost::Entered { .. } => !entered && !failed,
        ToHost::Ready => entered && !ready && !failed,
        ToHost::SetupFailed { .. } => !ready && !failed,
        ToHost::Started { process } | ToHost::StartFailed { process, .. } => {
            ready && asked_program(*process) && !started(*process) && !refused(*process)
        }
        ToHost::Exited { process, .. } => ready && asked_program(*process) && started(*process) && !exited(*process),
        ToHost::Done { job, .. } => {
            ready
                && asked_job(*job)
                && heard(&|said| matches!(said, ToHost::Done { job: done, .. } if done == job)) == 0
        }
        ToHost::Connected { job } | ToHost::ConnectFailed { job, .. } => {
            ready && asked_connect(*job) && !connected(*job)
        }
        ToHost::Open { kinds } => ready && (1..=STREAMS_AT_ONCE).contains(&kinds.len()),
        ToHost::Resolve { .. } => ready,
    }
}
