//! The filter of system calls: what is on the list may be called, some of it only with
//! harmless arguments; the rest does not exist (`ENOSYS`, so that programs take their older
//! way) or is forbidden (`EPERM`, so that people see why). Another processor mode than the
//! one the list is for ends the process. The lists are in `calls`; this file makes a
//! program for the kernel of them.
//!
//! The kernel runs the program for every call that is not always allowed, so the numbers are
//! searched in halves, not one by one.
#![expect(unsafe_code, reason = "installing a filter has no safe wrapper")]

mod calls;

use crate::raw::answer;
use rustix::io::Errno;

use calls::{ALLOWED, CHECKED, Check, FORBIDDEN};

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const JUMP_IF_ANY: u16 = 0x45;
const AND: u16 = 0x54;
const ANSWER: u16 = 0x06;

const ANSWER_ALLOW: u32 = 0x7fff_0000;
const ANSWER_KILL: u32 = 0x8000_0000;
const ANSWER_ERROR: u32 = 0x0005_0000;
const NOT_PERMITTED: u32 = ANSWER_ERROR | libc::EPERM.cast_unsigned();
const NOT_THERE: u32 = ANSWER_ERROR | libc::ENOSYS.cast_unsigned();
const NO_SUCH_FAMILY: u32 = ANSWER_ERROR | libc::EAFNOSUPPORT.cast_unsigned();

/// Where the kernel puts number, mode and arguments of a call.
const NUMBER: u32 = 0;
const MODE: u32 = 4;
const ARGUMENTS: u32 = 16;

const X86_64: u32 = 0xc000_003e;
/// Numbers from here on are of the mode with 32-bit pointers.
const X32: u32 = 0x4000_0000;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allow,
    Forbid,
    Absent,
    Check(&'static [Check]),
}

/// Lets this process, and everything it starts, call only what the list allows.
pub fn restrict() -> Result<(), Errno> {
    let program = program();
    let length = u16::try_from(program.len()).map_err(|_| Errno::TOOBIG)?;
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the program, which outlives the call, and does not write to it.
    answer(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) })
}

fn program() -> Vec<libc::sock_filter> {
    let mut program =
        vec![plain(LOAD, MODE), jump(JUMP_IF_EQUAL, X86_64, 1, 0), plain(ANSWER, ANSWER_KILL), plain(LOAD, NUMBER)];
    program.extend(search(&ranges()));
    program
}

/// Every number belongs to a range with one verdict; ranges begin where the one before ends.
fn ranges() -> Vec<(u32, Verdict)> {
    let of = |numbers: &[libc::c_long], verdict: Verdict| {
        let numbers = numbers.iter().filter_map(|number| u32::try_from(*number).ok());
        numbers.map(move |number| (number, verdict)).collect::<Vec<_>>()
    };
    let mut named = of(ALLOWED, Verdict::Allow);
    named.extend(of(FORBIDDEN, Verdict::Forbid));
    named.extend(CHECKED.iter().flat_map(|(number, checks)| of(&[*number], Verdict::Check(checks))));
    named.sort_by_key(|(number, _)| *number);
    let mut ranges = vec![(0, Verdict::Absent)];
    let mut next = 0;
    for (number, verdict) in named {
        if number > next {
            ranges.push((next, Verdict::Absent));
        }
        ranges.push((number, verdict));
        next = number + 1;
    }
    ranges.extend([(next, Verdict::Absent), (X32, Verdict::Forbid)]);
    ranges.dedup_by(|later, earlier| {
        later.0 == earlier.0 && {
            *earlier = *later;
            true
        }
    });
    ranges.dedup_by(|later, earlier| later.1 == earlier.1);
    ranges
}

/// A search through ranges, in halves.
fn search(ranges: &[(u32, Verdict)]) -> Vec<libc::sock_filter> {
    match ranges {
        [] => vec![plain(ANSWER, ANSWER_KILL)],
        [(_, verdict)] => verdict_code(*verdict),
        _ => {
            let (lower, upper) = ranges.split_at(ranges.len() / 2);
            let below = search(lower);
            let begins = upper.first().map_or(0, |(number, _)| *number);
            let distance = u32::try_from(below.len()).unwrap_or(u32::MAX);
            let mut code = vec![jump(JUMP_IF_AT_LEAST, begins, 0, 1), plain(JUMP, distance)];
            code.extend(below);
            code.extend(search(upper));
            code
        }
    }
}

fn verdict_code(verdict: Verdict) -> Vec<libc::sock_filter> {
    match verdict {
        Verdict::Allow => vec![plain(ANSWER, ANSWER_ALLOW)],
        Verdict::Forbid => vec![plain(ANSWER, NOT_PERMITTED)],
        Verdict::Absent => vec![plain(ANSWER, NOT_THERE)],
        Verdict::Check(checks) => {
            let mut code: Vec<_> = checks.iter().flat_map(|check| guard(*check)).collect();
            code.push(plain(ANSWER, ANSWER_ALLOW));
            code
        }
    }
}

/// Answers with an error unless the check holds.
fn guard(check: Check) -> Vec<libc::sock_filter> {
    let half = |argument: u32, upper: u32| plain(LOAD, ARGUMENTS + argument * 8 + upper * 4);
    match check {
        Check::NoneOf { argument, bits } => {
            vec![half(argument, 0), jump(JUMP_IF_ANY, bits, 0, 1), plain(ANSWER, NOT_PERMITTED)]
        }
        Check::NeitherOf { argument, values } => {
            let mut code = vec![half(argument, 0)];
            for value in values {
                code.extend([jump(JUMP_IF_EQUAL, *value, 0, 1), plain(ANSWER, NOT_PERMITTED)]);
            }
            code
        }
        Check::OneOf { argument, values } => one_of(half(argument, 0), None, values, NOT_PERMITTED),
        Check::Family { values } => one_of(half(0, 0), None, values, NO_SUCH_FAMILY),
        Check::Kind { argument, mask, values } => one_of(half(argument, 0), Some(mask), values, NO_SUCH_FAMILY),
    }
}

fn one_of(load: libc::sock_filter, mask: Option<u32>, values: &[u32], otherwise: u32) -> Vec<libc::sock_filter> {
    let mut code = vec![load];
    code.extend(mask.map(|mask| plain(AND, mask)));
    for (index, value) in values.iter().enumerate() {
        // Over the remaining comparisons and the refusal.
        let over = u8::try_from(values.len() - index).unwrap_or(u8::MAX);
        code.push(jump(JUMP_IF_EQUAL, *value, over, 0));
    }
    code.push(plain(ANSWER, otherwise));
    code
}

const fn plain(code: u16, value: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k: value }
}

const fn jump(code: u16, value: u32, then: u8, otherwise: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt: then, jf: otherwise, k: value }
}

#[cfg(test)]
#[path = "seccomp_tests.rs"]
mod tests;
