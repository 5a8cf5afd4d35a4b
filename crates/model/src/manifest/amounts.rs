//! The amounts that a box and a session can have: what they get where a manifest is silent,
//! and between which bounds it may choose. Checks, schema and boxes read them here.
//! Must not know: how an amount is written.

use super::units::{Cpu, Duration, Memory};

/// What can be had of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount<T> {
    /// Where the manifest is silent.
    pub default: T,
    /// The smallest.
    pub least: T,
    /// The largest.
    pub most: T,
}

const MINUTE_MS: u64 = 60_000;

/// A share of the processors.
pub const CPU: Amount<Cpu> =
    Amount { default: Cpu::from_millis(1_000), least: Cpu::from_millis(10), most: Cpu::from_millis(256_000) };
/// Memory of a box.
pub const MEMORY: Amount<Memory> = Amount {
    default: Memory::from_bytes(256 << 20),
    least: Memory::from_bytes(4 << 20),
    most: Memory::from_bytes(4 << 40),
};
/// Room for files in a box.
pub const DISK: Amount<Memory> = Amount {
    default: Memory::from_bytes(512 << 20),
    least: Memory::from_bytes(1 << 20),
    most: Memory::from_bytes(64 << 40),
};
/// Processes and threads of a box.
pub const PIDS: Amount<u32> = Amount { default: 64, least: 1, most: 32_768 };
/// The longest a run may take.
pub const TIMEOUT: Amount<Duration> = time(5 * MINUTE_MS);
/// How long a session waits for work.
pub const IDLE_TIMEOUT: Amount<Duration> = time(15 * MINUTE_MS);
/// The longest a session may live.
pub const MAX_LIFETIME: Amount<Duration> = time(8 * 60 * MINUTE_MS);

/// A length of time, which has the same bounds everywhere.
const fn time(default_ms: u64) -> Amount<Duration> {
    Amount {
        default: Duration::from_millis(default_ms),
        least: Duration::from_millis(100),
        most: Duration::from_millis(30 * 24 * 60 * MINUTE_MS),
    }
}
