//! The clock and the randomness of the machine, behind their ports.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aegis_model::Timestamp;
use aegis_model::port::{Clock, Entropy, EntropyError};

/// Lets this process have as many descriptors as the machine gives it; it says how many.
pub fn raise_descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let given = getrlimit(Resource::Nofile);
    // If it cannot be raised, what it was goes on being the limit.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: given.maximum, maximum: given.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Keeps the memory of this process to itself: it writes no core file, and other processes of
/// its user can neither trace it nor look at it.
///
/// # Errors
/// When the kernel does not let it.
pub fn seal_memory() -> std::io::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// The memory of the machine.
pub fn memory_mib() -> u64 {
    let about = rustix::system::sysinfo();
    let unit = u64::from(about.mem_unit).max(1);
    about.totalram.saturating_mul(unit) / (1024 * 1024)
}

/// The machine's clock, which holds still when it is set back.
pub struct SystemClock {
    latest_ms: AtomicU64,
    started: Instant,
}

impl SystemClock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn start() -> Self {
        Self { latest_ms: AtomicU64::new(0), started: Instant::now() }
    }

    /// The time, never earlier than told before.
    fn not_before(&self, machine_ms: u64) -> u64 {
        self.latest_ms.fetch_max(machine_ms, Ordering::Relaxed).max(machine_ms)
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let machine = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(self.not_before(u64::try_from(machine.as_millis()).unwrap_or(u64::MAX)))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The randomness of the operating system.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks for randomness")]
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(buffer).map_err(|error| EntropyError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_holds_still() {
        let clock = SystemClock::start();
        assert_eq!(clock.not_before(1_000), 1_000);
        assert_eq!(clock.not_before(400), 1_000);
        assert_eq!(clock.not_before(1_001), 1_001);
    }

    #[test]
    fn randomness_differs() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        assert!(SystemEntropy.fill(&mut one).is_ok() && SystemEntropy.fill(&mut other).is_ok());
        assert_ne!(one, other);
    }
}
