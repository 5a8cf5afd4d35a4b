//! Agents that do one plain thing: answer, wait, ignore, end.
#![expect(unsafe_code, reason = "signals are set by calls without a safe wrapper")]

use super::FAILED;
use crate::say;
use crate::sys::{self, call};
use std::io::{Read as _, Write as _};

pub fn answer() -> u8 {
    let mut input = Vec::new();
    if std::io::stdin().lock().read_to_end(&mut input).is_err() {
        return FAILED;
    }
    say(r#"{"ok":true}"#);
    0
}

/// Without buffers of its own, so that what came in goes out at once.
pub fn echo() -> u8 {
    let mut buffer = vec![0; 64 * 1024];
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    loop {
        let copied = input.read(&mut buffer).and_then(|length| {
            output.write_all(buffer.get(..length).unwrap_or_default())?;
            output.flush()?;
            Ok(length)
        });
        match copied {
            Ok(0) => return 0,
            Ok(_) => {}
            Err(_) => return FAILED,
        }
    }
}

/// Ends by a signal; one that does not end a process leaves it waiting.
pub fn signal(signal: i32) -> u8 {
    // SAFETY: the default action runs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    _ = call!(SYS_kill, std::process::id(), signal);
    sys::sleep_forever()
}

pub fn sleep(seconds: f64) -> u8 {
    sys::sleep_ms((seconds * 1000.0) as i64);
    0
}

/// Ends with its input.
pub fn idle() -> u8 {
    say("ready");
    match std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()) {
        Ok(_) => 0,
        Err(_) => FAILED,
    }
}

pub fn never_read() -> u8 {
    sys::sleep_forever()
}

pub fn close_streams() -> u8 {
    [0, 1, 2].into_iter().for_each(sys::close);
    sys::sleep_forever()
}

/// Those that cannot be ignored stay as they are.
pub fn ignore_term() -> u8 {
    for signal in 1..=64 {
        // SAFETY: to ignore a signal runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    say("ready");
    sys::sleep_forever()
}
