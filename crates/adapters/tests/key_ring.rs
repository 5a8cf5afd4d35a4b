//! The key ring in a file against the suite of the port `KeyWrap`, and what is its own.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::sync::Arc;

use aegis_adapters::key_ring::{KeyRingError, KeyRingFile, LocalKeys};
use aegis_adapters::private_file;
use aegis_conformance::key_wrap::{KeyPlace, suite};
use aegis_identity::{Passphrase, RingError};
use aegis_model::Timestamp;
use aegis_model::port::{Entropy, EntropyError, KeyWrap};
use tempfile::TempDir;

struct Machine;

impl Entropy for Machine {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        use std::io::Read;
        fs::File::open("/dev/urandom").unwrap().read_exact(buffer).unwrap();
        Ok(())
    }
}

fn at() -> Timestamp {
    Timestamp::from_millis(5)
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> KeyRingFile {
        KeyRingFile::at(self.0.path().join("master.key"))
    }

    fn create(&self, passphrase: Option<&Passphrase>) -> LocalKeys {
        LocalKeys::create(self.file(), passphrase, Arc::new(Machine), at()).unwrap()
    }

    fn reopen(&self, passphrase: Option<&Passphrase>) -> Result<LocalKeys, KeyRingError> {
        LocalKeys::open(self.file().find()?, passphrase, Arc::new(Machine), at())
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.file().path()).unwrap()
    }
}

impl KeyPlace for Place {
    fn open(&self) -> Arc<dyn KeyWrap> {
        match self.file().path().exists() {
            true => Arc::new(self.reopen(None).unwrap()),
            false => Arc::new(self.create(None)),
        }
    }
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes().to_vec()).unwrap()
}

fn root(keys: &LocalKeys) -> [u8; 32] {
    keys.root().derive("x")
}

#[tokio::test]
async fn a_key_ring_keeps_what_the_port_promises() {
    suite(Place::new).await;
}

#[tokio::test]
async fn a_rotation_keeps_root_and_passphrase() {
    let place = Place::new();
    let secret = passphrase("correct horse");
    let keys = place.create(Some(&secret));
    let wrapped = keys.wrap("a", b"key").await.unwrap();
    keys.rotate(at()).await.unwrap();
    assert!(place.file().find().unwrap().is_sealed());
    let reopened = place.reopen(Some(&secret)).unwrap();
    assert_eq!(root(&reopened), root(&keys));
    assert_eq!(reopened.unwrap("a", &wrapped).await.unwrap().to_vec(), b"key");
    assert_eq!(format!("{reopened:?}"), "LocalKeys(…)");
}

#[tokio::test]
async fn a_passphrase_is_set_changed_and_removed_without_touching_a_key() {
    let place = Place::new();
    let keys = place.create(None);
    let wrapped = keys.wrap("a", b"key").await.unwrap();
    let (one, other) = (passphrase("correct horse"), passphrase("battery staple"));
    let mut before = None;
    for next in [Some(&one), Some(&other), None] {
        let opened = place.reopen(before).unwrap();
        opened.lock(next).unwrap();
        let found = place.file().find().unwrap();
        assert_eq!(found.is_sealed(), next.is_some());
        let now = place.reopen(next).unwrap();
        assert_eq!(root(&now), root(&keys));
        assert_eq!(now.unwrap("a", &wrapped).await.unwrap().to_vec(), b"key");
        if next.is_some() {
            let refused = place.reopen(before).err();
            assert!(matches!(refused, Some(KeyRingError::Ring { .. })), "{refused:?}");
        }
        before = next;
    }
}

/// A crash leaves the file that was there, or the new one, and something aside.
#[tokio::test]
async fn what_a_crash_leaves_aside_is_in_nobodys_way() {
    let place = Place::new();
    let keys = place.create(None);
    let wrapped = keys.wrap("a", b"key").await.unwrap();
    let before = place.bytes();
    keys.rotate(at()).await.unwrap();
    let after = place.bytes();
    let aside = place.file().path().with_extension("new");
    for length in [0, 1, 17, after.len() / 2, after.len()] {
        private_file::write(place.file().path(), &before).unwrap();
        fs::write(&aside, &after[..length]).unwrap();
        let reopened = place.reopen(None).unwrap();
        assert_eq!(reopened.keys().await.unwrap().current, "1");
        assert_eq!(reopened.unwrap("a", &wrapped).await.unwrap().to_vec(), b"key");
        assert_eq!(reopened.rotate(at()).await.unwrap(), "2");
        assert!(!aside.exists());
    }
}

#[tokio::test]
async fn what_cannot_be_written_changes_nothing() {
    let place = Place::new();
    let keys = place.create(None);
    let before = place.bytes();
    fs::create_dir(place.file().path().with_extension("new")).unwrap();
    assert!(keys.rotate(at()).await.is_err());
    assert!(keys.lock(None).is_err() && keys.keep().is_err());
    assert_eq!(keys.keys().await.unwrap().current, "1");
    assert_eq!(keys.wrap("a", b"key").await.unwrap().under, "1");
    assert_eq!(place.bytes(), before);
}

#[test]
fn a_plain_key_becomes_a_ring_with_the_same_root() {
    let place = Place::new();
    private_file::write(place.file().path(), &[7; 32]).unwrap();
    let plain = place.reopen(None).unwrap();
    assert!(place.file().find().unwrap().is_plain());
    plain.keep().unwrap();
    assert!(!place.file().find().unwrap().is_plain());
    assert_eq!(root(&place.reopen(None).unwrap()), root(&plain));
}

#[test]
fn what_is_wrong_is_told_with_the_file() {
    let place = Place::new();
    let missing = place.reopen(None).err().unwrap();
    assert!(matches!(missing, KeyRingError::Missing { .. }));
    place.create(Some(&passphrase("correct horse")));
    for (given, expected) in
        [(None, RingError::PassphraseMissing), (Some(passphrase("correct horsf")), RingError::PassphraseWrong)]
    {
        let error = place.reopen(given.as_ref()).err().unwrap();
        assert!(error.to_string().contains("master.key"), "{error}");
        assert!(matches!(error, KeyRingError::Ring { problem, .. } if problem == expected));
    }
}
