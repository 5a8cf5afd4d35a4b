//! What several decisions about one act count for, as one.

use std::sync::Arc;

use aegis_model::port::{Counted, StoreError};
use aegis_model::record::Change;

/// All of them, committed or given back together.
#[derive(Debug)]
pub struct Together(Vec<Arc<dyn Counted>>);

impl Together {
    /// All of them as one; `None` where there is none.
    pub fn of(all: impl Iterator<Item = Arc<dyn Counted>>) -> Option<Arc<dyn Counted>> {
        let all: Vec<_> = all.collect();
        if all.is_empty() { None } else { Some(Arc::new(Self(all))) }
    }
}

impl Counted for Together {
    fn changes(&self) -> Vec<Change> {
        self.0.iter().flat_map(|counted| counted.changes()).collect()
    }

    fn settle(&self) {
        self.0.iter().for_each(|counted| counted.settle());
    }

    fn failed(&self, error: &StoreError) {
        self.0.iter().for_each(|counted| counted.failed(error));
    }
}
