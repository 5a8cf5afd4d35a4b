//! How much a guest may ask of the host. What goes beyond is not an error of the host: the
//! box waits, or is refused, or ends. Must not know: the clock; the time comes in.

/// The most descriptors that may come beside one message.
pub const DESCRIPTORS_MAX: usize = 16;

/// How much one box may ask of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams that are open at a time.
    pub streams_max: u32,
    /// Messages at once.
    pub burst: u32,
    /// Messages per second in the long run.
    pub per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { streams_max: 256, burst: 8_000, per_second: 4_000 }
    }
}

/// What is left of a box's messages.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    limits: Limits,
    left: u64,
    counted_ns: u64,
}

const SECOND_NS: u64 = 1_000_000_000;

impl Allowance {
    /// A full one.
    pub fn new(limits: Limits, now_ns: u64) -> Self {
        Self { limits, left: u64::from(limits.burst), counted_ns: now_ns }
    }

    /// Takes one message, or says for how many nanoseconds to wait for the next.
    ///
    /// # Errors
    /// When nothing is left now.
    pub fn take(&mut self, now_ns: u64) -> Result<(), u64> {
        let step_ns = SECOND_NS / u64::from(self.limits.per_second.max(1));
        let steps = now_ns.saturating_sub(self.counted_ns) / step_ns;
        self.left = self.left.saturating_add(steps).min(u64::from(self.limits.burst));
        self.counted_ns = self.counted_ns.saturating_add(steps.saturating_mul(step_ns));
        if self.left == 0 {
            return Err(step_ns.saturating_sub(now_ns.saturating_sub(self.counted_ns)).max(1));
        }
        self.left = self.left.saturating_sub(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let limits = Limits { streams_max: 1, burst: 3, per_second: 10 };
        let mut allowance = Allowance::new(limits, 0);
        for _ in 0..3 {
            assert_eq!(allowance.take(0), Ok(()));
        }
        assert_eq!(allowance.take(0), Err(SECOND_NS / 10));
        assert_eq!(allowance.take(SECOND_NS / 10), Ok(()));
        assert!(allowance.take(SECOND_NS / 10).is_err());
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_burst_and_rate(pauses in proptest::collection::vec(0_u64..50_000_000, 1..400)) {
            let limits = Limits { streams_max: 1, burst: 5, per_second: 100 };
            let mut allowance = Allowance::new(limits, 0);
            let (mut now, mut taken) = (0_u64, 0_u64);
            for pause in pauses {
                now += pause;
                taken += u64::from(allowance.take(now).is_ok());
            }
            prop_assert!(taken <= 5 + now * 100 / SECOND_NS + 1);
        }
    }
}
