//! Secrets that programs rotate.

use async_trait::async_trait;

use crate::act::Act;
use crate::error::Fault;
use crate::rotation::{RotationDue, RotationTask};
use crate::secret::SecretInfo;
use crate::time::Timestamp;

/// Keeps how far rotations are. Every change is on disk when it is answered, so a rotation goes
/// on after a crash where it was.
#[async_trait]
pub trait Rotations: Send + Sync {
    /// What is to be worked on now: due, wanted, or begun by a server that died.
    async fn due(&self, now: Timestamp) -> Result<Vec<RotationDue>, Fault>;

    /// A try begins. From now on only its box has a say.
    async fn begin(&self, act: &Act, due: &RotationDue) -> Result<RotationTask, Fault>;

    /// The program says that it has done what was asked. True when the secret is rotated;
    /// false when the next step is due.
    async fn done(&self, act: &Act, task: &RotationTask) -> Result<bool, Fault>;

    /// The program could not do what was asked. Nothing is lost by that.
    async fn failed(&self, act: &Act, task: &RotationTask, reason: &str) -> Result<SecretInfo, Fault>;
}
