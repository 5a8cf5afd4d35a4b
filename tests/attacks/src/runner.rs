//! Runs one attack in a process of its own. Owns the time limit and what a silent death means.

use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::sys::{self, Ended, call};

/// How long an attack may take. Some look at every file there is, on a disk that nobody has read yet: the limit is only
/// there to end what hangs.
const LIMIT_MS: i64 = 60_000;

/// Tries `attack` and judges it.
pub fn run(attack: &Attack) -> Outcome {
    match start(attack) {
        Ok((child, answers)) => {
            let outcome = judge(child, answers);
            sys::close(answers.into());
            outcome
        }
        Err(errno) => Outcome::broken(format!("the attack could not be started: {errno}")),
    }
}

/// A session of its own gives the attack no terminal to lose, and gives us one name for all its processes.
fn start(attack: &Attack) -> Result<(i32, i32), Errno> {
    let (answers, answer) = sys::pipe()?;
    let child = sys::fork(|| {
        _ = call!(SYS_setsid);
        sys::close(answers.into());
        let outcome = (attack.run)();
        let line = format!("{}{}", if outcome.held { '+' } else { '-' }, outcome.why);
        i32::from(call!(SYS_write, answer, line.as_bytes(), line.len()).is_err())
    })?;
    sys::close(answer.into());
    Ok((child, answers))
}

fn judge(child: i32, answers: i32) -> Outcome {
    let answer = receive(answers);
    let ended = if answer.is_none() { ends_soon(child) } else { None };
    // Whatever the attack started goes with it.
    _ = call!(SYS_kill, -child, libc::SIGKILL);
    if ended.is_none() {
        _ = call!(SYS_kill, child, libc::SIGKILL);
        _ = sys::wait(child);
    }
    match (answer, ended) {
        (Some(outcome), _) => outcome,
        (None, Some(Ended::Exit(code))) => Outcome::broken(format!("ended without an answer, exit code {code}")),
        (None, Some(Ended::Signal(signal))) => Outcome::held(format!("killed by signal {signal}")),
        (None, None) => Outcome::broken("no answer"),
    }
}

/// How the child ended: its pipe closes a moment before it can be waited for.
fn ends_soon(child: i32) -> Option<Ended> {
    for _ in 0..50 {
        match sys::ended(child) {
            Ok(None) => sys::sleep_ms(10),
            Ok(ended) => return ended,
            Err(_) => return None,
        }
    }
    None
}

/// The answer, unless time runs out or the attack ends first. It is far shorter than a pipe writes at once.
fn receive(answers: i32) -> Option<Outcome> {
    if !sys::becomes_ready(answers.into(), libc::POLLIN, LIMIT_MS).ok()? {
        return None;
    }
    let mut buffer = [0_u8; 4096];
    let length = call!(SYS_read, answers, &mut buffer, 4096).ok()?;
    let line = String::from_utf8_lossy(buffer.get(..usize::try_from(length).ok()?)?).into_owned();
    let why = line.get(1..)?.to_owned();
    Some(if line.starts_with('+') { Outcome::held(why) } else { Outcome::broken(why) })
}
