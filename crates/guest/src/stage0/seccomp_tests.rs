//! The filter, run by a small machine like the kernel's, on calls of every kind.

use std::collections::BTreeSet;

use super::{ALLOWED, CHECKED, FORBIDDEN, X32, X86_64, program};

/// What the kernel would answer to this call.
fn run(mode: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let mut data = Vec::new();
    data.extend(number.to_le_bytes());
    data.extend(mode.to_le_bytes());
    data.extend([0; 8]);
    data.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
    let program = program();
    let (mut at, mut value) = (0, 0_u32);
    loop {
        let step = program[at];
        at += 1;
        let (then, otherwise) = (usize::from(step.jt), usize::from(step.jf));
        match step.code {
            super::LOAD => {
                let from = step.k as usize;
                value = u32::from_le_bytes(data[from..from + 4].try_into().unwrap());
            }
            super::AND => value &= step.k,
            super::JUMP => at += step.k as usize,
            super::JUMP_IF_EQUAL => at += if value == step.k { then } else { otherwise },
            super::JUMP_IF_AT_LEAST => at += if value >= step.k { then } else { otherwise },
            super::JUMP_IF_ANY => at += if value & step.k != 0 { then } else { otherwise },
            super::ANSWER => return step.k,
            other => panic!("no instruction {other:#x}"),
        }
    }
}

#[track_caller]
fn check(number: libc::c_long, arguments: [u64; 6], expected: u32) {
    let answered = run(X86_64, u32::try_from(number).unwrap(), arguments);
    assert_eq!(answered, expected, "call {number} {arguments:x?}: {answered:#x}");
}

#[test]
fn the_lists_do_not_contradict_each_other() {
    let mut seen = BTreeSet::new();
    let checked = CHECKED.iter().map(|(number, _)| number);
    for number in ALLOWED.iter().chain(FORBIDDEN).chain(checked) {
        assert!(seen.insert(number), "{number} twice");
    }
}

#[test]
fn what_is_allowed_passes_and_what_is_forbidden_is_refused() {
    for number in ALLOWED {
        check(*number, [u64::MAX; 6], super::ANSWER_ALLOW);
    }
    for number in FORBIDDEN {
        check(*number, [0; 6], super::NOT_PERMITTED);
    }
}

#[test]
fn what_is_on_no_list_is_not_there() {
    let named: BTreeSet<_> = ALLOWED.iter().chain(FORBIDDEN).chain(CHECKED.iter().map(|(number, _)| number)).collect();
    for number in (0..1_000).filter(|number| !named.contains(number)) {
        check(number, [0; 6], super::NOT_THERE);
    }
    // `clone3` hides its flags behind a pointer; programs fall back to `clone`.
    check(libc::SYS_clone3, [0; 6], super::NOT_THERE);
}

#[test]
fn another_mode_of_the_processor_is_not_served() {
    const I386: u32 = 0x4000_0003;
    assert_eq!(run(I386, 20, [0; 6]), super::ANSWER_KILL);
    assert_eq!(run(X86_64, X32, [0; 6]), super::NOT_PERMITTED);
    assert_eq!(run(X86_64, X32 | 39, [0; 6]), super::NOT_PERMITTED);
    assert_eq!(run(X86_64, u32::MAX, [0; 6]), super::NOT_PERMITTED);
}

#[test]
fn a_process_is_made_only_in_the_namespaces_there_are() {
    check(libc::SYS_clone, [0x11, 0, 0, 0, 0, 0], super::ANSWER_ALLOW);
    let flags = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    for flag in flags {
        check(libc::SYS_clone, [u64::from(flag.cast_unsigned()) | 0x11, 0, 0, 0, 0, 0], super::NOT_PERMITTED);
    }
}

#[test]
fn sockets_are_of_the_loopback_only() {
    for (family, kind, protocol) in [(1, 1, 0), (2, 1, 6), (2, 2, 17), (10, 1, 0), (2, 0o2_000_001, 0), (1, 5, 0)] {
        check(libc::SYS_socket, [family, kind, protocol, 0, 0, 0], super::ANSWER_ALLOW);
    }
    for family in (0..64).filter(|family| ![1, 2, 10].contains(family)) {
        check(libc::SYS_socket, [family, 2, 0, 0, 0, 0], super::NO_SUCH_FAMILY);
    }
    for kind in [3, 4, 6, 10] {
        check(libc::SYS_socket, [2, kind, 0, 0, 0, 0], super::NO_SUCH_FAMILY);
    }
    // Ping, multipath TCP, SCTP.
    for protocol in [1, 262, 132, 255] {
        check(libc::SYS_socket, [2, 2, protocol, 0, 0, 0], super::NOT_PERMITTED);
    }
    check(libc::SYS_socketpair, [1, 1, 0, 0, 0, 0], super::ANSWER_ALLOW);
    check(libc::SYS_socketpair, [16, 1, 0, 0, 0, 0], super::NO_SUCH_FAMILY);
}

#[test]
fn nobody_types_into_a_terminal_of_somebody_else() {
    check(libc::SYS_ioctl, [0, 0x5401, 0, 0, 0, 0], super::ANSWER_ALLOW);
    check(libc::SYS_ioctl, [0, 0x5412, 0, 0, 0, 0], super::NOT_PERMITTED);
    check(libc::SYS_ioctl, [0, 0x541C, 0, 0, 0, 0], super::NOT_PERMITTED);
    // The kernel looks at the lower half only.
    check(libc::SYS_ioctl, [0, 0xFFFF_FFFF_0000_5412, 0, 0, 0, 0], super::NOT_PERMITTED);
}

#[test]
fn nobody_slows_the_guest_down() {
    check(libc::SYS_sched_setaffinity, [0, 8, 0, 0, 0, 0], super::ANSWER_ALLOW);
    check(libc::SYS_sched_setaffinity, [17, 8, 0, 0, 0, 0], super::ANSWER_ALLOW);
    for call in [libc::SYS_sched_setaffinity, libc::SYS_sched_setscheduler, libc::SYS_sched_setattr] {
        check(call, [1, 8, 0, 0, 0, 0], super::NOT_PERMITTED);
    }
    check(libc::SYS_setpriority, [0, 17, 10, 0, 0, 0], super::ANSWER_ALLOW);
    check(libc::SYS_setpriority, [0, 1, 19, 0, 0, 0], super::NOT_PERMITTED);
    check(libc::SYS_setpriority, [2, 0, 19, 0, 0, 0], super::NOT_PERMITTED);
    check(libc::SYS_ioprio_set, [1, 1, 0, 0, 0, 0], super::NOT_PERMITTED);
    check(libc::SYS_ioprio_set, [3, 0, 0, 0, 0, 0], super::NOT_PERMITTED);
}

#[test]
fn limits_and_personality_are_ones_own_and_ordinary() {
    check(libc::SYS_prlimit64, [0, 7, 0, 0, 0, 0], super::ANSWER_ALLOW);
    check(libc::SYS_prlimit64, [1, 7, 0, 0, 0, 0], super::NOT_PERMITTED);
    check(libc::SYS_personality, [0xFFFF_FFFF, 0, 0, 0, 0, 0], super::ANSWER_ALLOW);
    check(libc::SYS_personality, [0x0004_0000, 0, 0, 0, 0, 0], super::NOT_PERMITTED);
}
