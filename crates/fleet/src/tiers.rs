//! The kinds of boxes this server can make. Must not know: what a box is made of.

use std::sync::Arc;

use aegis_model::boxes::BoxError;
use aegis_model::manifest::Isolation;
use aegis_model::port::Runtime;

/// What makes boxes of a kind, or why nothing does.
type Tier = Result<Arc<dyn Runtime>, BoxError>;

/// A runtime for each kind of box, or why there is none.
#[derive(Clone, Default)]
pub struct Tiers {
    tiers: Vec<(Isolation, Tier)>,
}

impl Tiers {
    /// The same with one kind more.
    #[must_use]
    pub fn with(mut self, isolation: Isolation, runtime: Tier) -> Self {
        self.tiers.push((isolation, runtime));
        self
    }

    /// What makes boxes of this kind.
    ///
    /// # Errors
    /// When nothing does; never a weaker kind instead.
    pub fn of(&self, isolation: Isolation) -> Result<&Arc<dyn Runtime>, BoxError> {
        if isolation == Isolation::Strongest {
            let mut kinds = Isolation::STRONGEST_FIRST.into_iter();
            // The weakest kind is the one that every machine should have: its reason is told.
            return kinds.find_map(|kind| self.of(kind).ok()).map_or_else(|| self.of(Isolation::Process), Ok);
        }
        let tier = self.tiers.iter().find(|(kind, _)| *kind == isolation);
        let unknown = || BoxError::Absent { isolation, reason: "this server cannot make them".to_owned() };
        tier.ok_or_else(unknown)?.1.as_ref().map_err(Clone::clone)
    }

    /// Kills every box, and gives everything back to the machine.
    pub async fn close(&self) {
        for runtime in self.all() {
            runtime.close().await;
        }
    }

    /// Everything that makes boxes here.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Runtime>> {
        self.tiers.iter().filter_map(|(_, runtime)| runtime.as_ref().ok())
    }
}
