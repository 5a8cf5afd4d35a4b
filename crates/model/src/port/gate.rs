//! The gate as it stands before whatever leaves a box: decides, and takes in the records.

use async_trait::async_trait;

use super::Occupant;
use crate::error::Fault;
use crate::outward::{OutwardRecord, Ruling, Wanted};

/// Decides what may leave a box, and keeps what became of it.
///
/// Guarantees:
/// - a ruling is taken from one generation of the policy, never from parts of two;
/// - a record that was taken is durable within 100 ms while the store works; when records cannot
///   be kept, nothing more is let out;
/// - when it cannot decide, the answer is an error, and the act does not happen.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Says whether it may leave the box of that occupant.
    ///
    /// # Errors
    /// When nobody can say: then it may not.
    async fn judge(&self, occupant: &Occupant, wanted: &Wanted) -> Result<Ruling, Fault>;

    /// The ports on which the occupant's grants name a host; none when they do not name it.
    ///
    /// # Errors
    /// When nobody can say.
    async fn ports(&self, occupant: &Occupant, host: &str) -> Result<Vec<u16>, Fault>;

    /// Takes in a record, before what it tells of happens, or after it has ended. Waits while
    /// too many are on their way.
    ///
    /// # Errors
    /// When records cannot be kept: then nothing may happen either.
    async fn record(&self, occupant: &Occupant, record: OutwardRecord) -> Result<(), Fault>;

    /// Waits until the policy is of a later generation than that one, and says which.
    async fn changed(&self, since: u64) -> u64;
}
