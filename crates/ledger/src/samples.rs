//! Entries, keys and exports for the tests of this room.

use std::collections::BTreeMap;
use std::io;

use aegis_model::ledger::{Entry, EntryDecision};
use aegis_model::{ReasonClass, Timestamp};

use crate::canonical::entry_bytes;
use crate::checkpoint::Checkpoint;
use crate::export::{ExportFile, Exporter, Files};
use crate::note::Signer;
use crate::tree;

/// The key that signs the sample ledgers.
pub fn signer() -> Signer {
    Signer::from_seed("aegis/acme", &[7; 32]).unwrap()
}

/// An entry that differs from the others by its position.
pub fn entry(position: u64) -> Entry {
    Entry {
        action: "agent_deploy".to_owned(),
        correlation_id: format!("cor-{position}").parse().unwrap(),
        decision: (!position.is_multiple_of(3)).then(|| EntryDecision {
            allowed: !position.is_multiple_of(5),
            id: format!("dec_{position}"),
            reason: ReasonClass::Permitted,
        }),
        isolation: None,
        kind: "act".to_owned(),
        outcome_mac: Some("0f".repeat(32)),
        policy_hash: Some("a1".repeat(32)),
        principal: "system".to_owned(),
        request_mac: None,
        subject: format!("agent/\u{20ac}-{position}"),
        tenant: "acme".parse().unwrap(),
        time: Timestamp::from_millis(1_700_000_000_000 + position),
    }
}

/// The first `count` entries in their canonical form.
pub fn entries(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|position| entry_bytes(&entry(position)).unwrap().to_vec()).collect()
}

/// The checkpoint over `entries`.
pub fn checkpoint(entries: &[Vec<u8>]) -> Checkpoint {
    let mut head = aegis_model::ledger::TreeHead::default();
    for entry in entries {
        tree::append(&mut head, tree::leaf_hash(entry));
    }
    Checkpoint::of_head("aegis/acme", &head).unwrap()
}

/// An export in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Memory {
    /// Keeps files.
    pub fn take(&mut self, files: Vec<ExportFile>) {
        self.0.extend(files.into_iter().map(|file| (file.path, file.bytes)));
    }
}

impl Files for Memory {
    fn read(&self, path: &str, limit_bytes: usize, into: &mut Vec<u8>) -> io::Result<bool> {
        into.clear();
        let Some(bytes) = self.0.get(path) else {
            return Ok(false);
        };
        if bytes.len() > limit_bytes {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        into.extend_from_slice(bytes);
        Ok(true)
    }

    fn list(&self, visit: &mut dyn FnMut(&str)) -> io::Result<()> {
        self.0.keys().for_each(|path| visit(path));
        Ok(())
    }
}

/// An export of `entries`, signed by `signer`.
pub fn export_by(signer: &Signer, entries: &[Vec<u8>]) -> Memory {
    let note = checkpoint(entries).sign(signer).unwrap();
    let mut memory = Memory::default();
    let mut exporter = Exporter::new();
    for entry in entries {
        memory.take(exporter.push(entry).unwrap());
    }
    memory.take(exporter.finish(&note, signer.verifier()).unwrap());
    memory
}

/// An export of `entries`.
pub fn export(entries: &[Vec<u8>]) -> Memory {
    export_by(&signer(), entries)
}
