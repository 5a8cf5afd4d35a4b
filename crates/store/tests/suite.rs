//! The suite of the port against every way in which the store can be stacked.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::sync::Arc;

use aegis_conformance::store::{FaultyStore, Home, TestIntegrity};
use aegis_model::port::Store;
use aegis_store::{Cached, GroupCommit, SqliteStore};
use tempfile::TempDir;

type Stack = fn(SqliteStore) -> Arc<dyn Store>;

struct Directory {
    dir: TempDir,
    stack: Stack,
}

impl Directory {
    fn new(stack: Stack) -> Self {
        Self { dir: TempDir::new().expect("a directory"), stack }
    }
}

impl Home for Directory {
    fn open(&self) -> Arc<dyn Store> {
        let sqlite = SqliteStore::open(self.dir.path(), Arc::new(TestIntegrity::default()));
        (self.stack)(sqlite.expect("the directory is free again"))
    }
}

mod sqlite {
    use super::*;
    aegis_conformance::store_suite!(Directory::new(|sqlite| Arc::new(sqlite)));
}

mod grouped {
    use super::*;
    aegis_conformance::store_suite!(Directory::new(|sqlite| Arc::new(GroupCommit::new(Arc::new(sqlite)))));
}

mod whole {
    use super::*;
    aegis_conformance::store_suite!(Directory::new(|sqlite| {
        Arc::new(Cached::new(Arc::new(GroupCommit::new(Arc::new(sqlite)))))
    }));
}

/// The fake that injects faults is itself a sound store while it injects none.
mod fake {
    use super::*;
    aegis_conformance::store_suite!(Directory::new(|sqlite| Arc::new(FaultyStore::scripted(Arc::new(sqlite), []))));
}
