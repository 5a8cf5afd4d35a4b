//! Agents that measure the box, or burn its processor.

use super::FAILED;
use crate::errno::Errno;
use crate::say;
use crate::sys;
use serde_json::json;
use std::hint::black_box;
use std::path::{Path, PathBuf};

/// Measures how long a child and a small file take, `count` times: one right after the other,
/// or each after a pause, and then from the moment on when the pause should have ended.
pub fn probe(count: usize, pause_ms: i64) -> u8 {
    let file = probe_file();
    let timed: Result<Vec<i64>, Errno> = (0..count).map(|_| timed_round(&file, pause_ms)).collect();
    _ = std::fs::remove_file(&file);
    match timed {
        Ok(mut times_ns) if !times_ns.is_empty() => {
            times_ns.sort_unstable();
            let [p50, p99] = [50, 99].map(|percent| percentile(&times_ns, percent) / 1000);
            say(&json!({"p50_us": p50, "p99_us": p99}).to_string());
            0
        }
        Ok(_) => FAILED,
        Err(errno) => {
            say(&json!({"error": errno.to_string()}).to_string());
            FAILED
        }
    }
}

fn probe_file() -> PathBuf {
    Path::new("/workspace").join(format!(".probe-{}", std::process::id()))
}

fn timed_round(file: &Path, pause_ms: i64) -> Result<i64, Errno> {
    let start_ns = sys::clock_ns(libc::CLOCK_MONOTONIC) + pause_ms * 1_000_000;
    if pause_ms > 0 {
        sys::sleep_ms(pause_ms);
    }
    let child = sys::fork(|| 0)?;
    sys::wait(child)?;
    std::fs::write(file, [0x5a; 4096])?;
    black_box(std::fs::read(file)?);
    Ok(sys::clock_ns(libc::CLOCK_MONOTONIC) - start_ns)
}

/// The smallest of the sorted values that `percent` of them do not exceed.
fn percentile(sorted: &[i64], percent: usize) -> i64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

pub fn spin() -> u8 {
    loop {
        work();
    }
}

/// Burns time of the processor, not of the clock on the wall.
pub fn burn(milliseconds: i64) -> u8 {
    while sys::clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID) < milliseconds.saturating_mul(1_000_000) {
        work();
    }
    0
}

fn work() {
    for number in 0..10_000_u64 {
        black_box(number.wrapping_mul(number));
    }
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<i64> = (1..=200).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 99)), (100, 198));
        assert_eq!((percentile(&[7], 50), percentile(&[7], 99)), (7, 7));
    }
}
