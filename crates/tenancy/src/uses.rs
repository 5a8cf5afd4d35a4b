//! When keys were used last: remembered as requests come, kept now and then. No record of a
//! request hangs on it; what a server did not keep before it died is lost.
//!
//! Must not know: what keys are used for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aegis_model::key::KeyInfo;
use aegis_model::record::{Batch, Change, Expect, Kind, Put, RecordKey};
use aegis_model::{Fault, KeyId, Principal, TenantId, Timestamp};

use crate::{Authenticated, Tenancy, only, read};

/// When a key was used.
#[derive(Clone, Copy)]
struct Use {
    at: Timestamp,
    kept: bool,
}

/// When keys were used last, as far as this process knows.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<KeyId, Use>>);

impl Uses {
    fn all(&self) -> MutexGuard<'_, HashMap<KeyId, Use>> {
        // What a panicking holder left is still whole: each change is a single step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, key: &KeyId, at: Timestamp) {
        let mut all = self.all();
        match all.get_mut(key) {
            Some(last) if last.at >= at => {}
            Some(last) => *last = Use { at, kept: false },
            None => drop(all.insert(key.clone(), Use { at, kept: false })),
        }
    }

    fn not_kept(&self) -> Vec<(KeyId, Timestamp)> {
        self.all().iter().filter(|(_, last)| !last.kept).map(|(key, last)| (key.clone(), last.at)).collect()
    }

    /// Uses that came since stay to be kept.
    fn kept(&self, uses: &[(KeyId, Timestamp)]) {
        let mut all = self.all();
        for (key, at) in uses {
            if let Some(last) = all.get_mut(key).filter(|last| last.at == *at) {
                last.kept = true;
            }
        }
    }
}

impl Tenancy {
    /// Somebody was let in.
    pub fn seen(&self, who: &Authenticated, at: Timestamp) {
        if let Principal::Key { id } = &who.principal {
            self.uses.note(id, at);
        }
    }

    /// Keeps when keys were used, as far as that is not kept yet; tells of how many keys.
    ///
    /// # Errors
    /// When the store cannot take it; it is tried again with the next call.
    pub async fn keep_uses(&self, at: Timestamp) -> Result<usize, Fault> {
        let uses = self.uses.not_kept();
        if uses.is_empty() {
            return Ok(0);
        }
        let changes = uses.iter().map(|(key, at)| put_use(key, *at)).collect::<Result<_, _>>()?;
        only(self.store().commit_many(vec![Batch { at, changes }]).await)?;
        self.uses.kept(&uses);
        Ok(uses.len())
    }

    /// The key with when it was used last.
    pub(crate) async fn with_use(&self, mut key: KeyInfo) -> Result<KeyInfo, Fault> {
        let here = self.uses.all().get(&key.id).map(|last| last.at);
        key.last_used_at = match here {
            Some(at) => Some(at),
            None => self.store().get(&use_key(&key.id)).await?.map(|record| read(&record)).transpose()?,
        };
        Ok(key)
    }
}

fn use_key(key: &KeyId) -> RecordKey {
    RecordKey::new(Kind::KeyUse, TenantId::platform(), key.as_str())
}

fn put_use(key: &KeyId, at: Timestamp) -> Result<Change, Fault> {
    Ok(Change::Put(Put {
        key: use_key(key),
        expect: Expect::Any,
        body: serde_json::to_vec(&at).map_err(Fault::internal)?.into(),
        index: Vec::new(),
        terminal: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_that_comes_while_another_is_kept_is_kept_later() {
        let uses = Uses::default();
        let key = KeyId::generate(Timestamp::from_millis(1), [1; 10]);
        uses.note(&key, Timestamp::from_millis(5));
        let first = uses.not_kept();
        uses.note(&key, Timestamp::from_millis(4));
        uses.note(&key, Timestamp::from_millis(6));
        uses.kept(&first);
        let second = vec![(key, Timestamp::from_millis(6))];
        assert_eq!(uses.not_kept(), second);
        uses.kept(&second);
        assert!(uses.not_kept().is_empty());
    }
}
