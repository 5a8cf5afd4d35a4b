//! Attacks on the clock of the machine. None of them moves it: a willing kernel is given what it must refuse.

use crate::attack::Area::Kernel;
use crate::attack::{Attack, Outcome};
use crate::process;
use crate::sys::{self, call};

pub const ATTACKS: &[Attack] = &[
    Attack::new(Kernel, "settimeofday", "sets the clock", settimeofday),
    Attack::new(Kernel, "clock-settime", "sets the clock by its number", clock_settime),
    Attack::new(Kernel, "adjtimex", "changes the speed of the clock", adjtimex),
    Attack::new(Kernel, "clock-adjtime", "changes the speed of the clock by its number", clock_adjtime),
];

/// Neither a time nor a zone: who may set the clock is told that it was done.
fn settimeofday() -> Outcome {
    Outcome::refused("settimeofday", call!(SYS_settimeofday, 0, 0))
}

/// The kernel checks the time before it asks who calls, so only a time that is valid tells. It is that of now, and
/// not even that is set by a process that might succeed.
fn clock_settime() -> Outcome {
    let now_ns = sys::clock_ns(libc::CLOCK_REALTIME);
    let seconds = if process::is_privileged() { -1 } else { now_ns / 1_000_000_000 };
    let time = sys::bytes_of([seconds, now_ns % 1_000_000_000]);
    Outcome::refused("clock_settime", call!(SYS_clock_settime, libc::CLOCK_REALTIME, time.as_slice()))
}

/// A `timex` that asks for a tick of one microsecond, which no kernel takes.
fn impossible_tick() -> [u8; 208] {
    let mut timex = [0_u8; 208];
    timex[..4].copy_from_slice(&libc::ADJ_TICK.to_ne_bytes());
    timex[88] = 1;
    timex
}

fn adjtimex() -> Outcome {
    Outcome::refused("adjtimex", call!(SYS_adjtimex, &mut impossible_tick()))
}

fn clock_adjtime() -> Outcome {
    let result = call!(SYS_clock_adjtime, libc::CLOCK_REALTIME, &mut impossible_tick());
    Outcome::refused("clock_adjtime", result)
}
