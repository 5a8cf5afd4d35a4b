//! How fast somebody may ask: a token bucket for each of many, in bounded memory.
//! Reads no clock: the present moment comes in.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

/// Shards, so that requests rarely wait for each other.
const SHARDS: usize = 16;
/// Buckets a shard keeps before it forgets the full ones.
const BUCKETS_MAX: usize = 4_096;
const SECOND_NS: u64 = 1_000_000_000;

/// What is left of somebody's allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many may be saved up.
    pub limit: u32,
    /// How many are left.
    pub remaining: u32,
    /// Until one more (when refused), or until all are there again.
    pub reset_ms: u64,
}

/// One bucket: the moment at which it will be full again.
#[derive(Clone, Copy)]
struct Bucket {
    full_at_ns: u64,
}

/// Buckets by key.
pub struct Rates<K> {
    shards: Vec<Mutex<HashMap<K, Bucket>>>,
    hasher: RandomState,
    /// What one request costs.
    cost_ns: u64,
    burst: u32,
}

impl<K: Hash + Eq + Clone> Rates<K> {
    /// `per_second` requests for each key, of which `burst` may be saved up.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            cost_ns: SECOND_NS / u64::from(per_second.max(1)),
            burst: burst.max(1),
        }
    }

    /// Takes one request from `key`'s allowance.
    ///
    /// # Errors
    /// What is left, when nothing is left.
    pub fn take(&self, key: &K, now_ns: u64) -> Result<Allowance, Allowance> {
        let capacity_ns = self.cost_ns.saturating_mul(u64::from(self.burst));
        let index = usize::try_from(self.hasher.hash_one(key)).unwrap_or(0) % SHARDS;
        let Some(shard) = self.shards.get(index) else {
            return Err(self.allowance(capacity_ns));
        };
        let mut buckets = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let owed_ns = buckets.get(key).map_or(0, |bucket| bucket.full_at_ns.saturating_sub(now_ns));
        if owed_ns + self.cost_ns > capacity_ns {
            return Err(self.refusal(owed_ns + self.cost_ns - capacity_ns));
        }
        forget_full(&mut buckets, now_ns);
        buckets.insert(key.clone(), Bucket { full_at_ns: now_ns + owed_ns + self.cost_ns });
        Ok(self.allowance(owed_ns + self.cost_ns))
    }

    fn allowance(&self, owed_ns: u64) -> Allowance {
        let used = u32::try_from(owed_ns.div_ceil(self.cost_ns)).unwrap_or(u32::MAX);
        Allowance {
            limit: self.burst,
            remaining: self.burst.saturating_sub(used),
            reset_ms: owed_ns.div_ceil(1_000_000),
        }
    }

    fn refusal(&self, wait_ns: u64) -> Allowance {
        Allowance { limit: self.burst, remaining: 0, reset_ms: wait_ns.div_ceil(1_000_000) }
    }
}

/// Keeps a shard small: a full bucket says nothing and can be forgotten.
fn forget_full<K: Hash + Eq>(buckets: &mut HashMap<K, Bucket>, now_ns: u64) {
    if buckets.len() >= BUCKETS_MAX {
        buckets.retain(|_, bucket| bucket.full_at_ns > now_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let rates = Rates::new(10, 3);
        assert_eq!(rates.take(&"a", 0).map(|left| left.remaining), Ok(2));
        assert_eq!(rates.take(&"a", 0).map(|left| left.remaining), Ok(1));
        assert_eq!(rates.take(&"a", 0).map(|left| left.remaining), Ok(0));
        assert_eq!(rates.take(&"a", 0).map_err(|left| left.reset_ms), Err(100));
        assert!(rates.take(&"b", 0).is_ok(), "another key is not concerned");
        assert!(rates.take(&"a", 100_000_000).is_ok());
        assert!(rates.take(&"a", 100_000_000).is_err());
    }

    #[test]
    fn memory_stays_bounded_under_many_keys() {
        let rates = Rates::new(1_000, 1);
        for key in 0..200_000_u64 {
            let _ = rates.take(&key, key * 1_000_000);
        }
        let kept: usize = rates.shards.iter().map(|shard| shard.lock().map(|map| map.len()).unwrap_or(0)).sum();
        assert!(kept <= SHARDS * BUCKETS_MAX, "{kept}");
    }
}
