//! The key ring: the root secret of an installation, and the generations of its key-encryption
//! key. As text it has four lines:
//!
//! ```text
//! aegis key ring v1
//! open                                   or: argon2id MEMORY_KIB PASSES LANES SALT
//! BASE64                                 the keys, or the envelope they are sealed in
//! SHA256                                 over the three lines above
//! ```
//!
//! The keys are the root (32 bytes), then of each generation, oldest first: its number (8), when
//! it was made (8, milliseconds) and the key (32). The last one seals, all of them open. The
//! digest tells a damaged ring from a wrong passphrase; it is no protection.
//! Must not know: where the text is kept, or what the keys seal.

use std::fmt;

use aegis_model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::envelope::{self, OpenError};
use crate::mac::{from_hex, to_hex};
use crate::master_key::MasterKey;
use crate::passphrase::{Cost, Passphrase, PassphraseKey};

const NAME: &str = "aegis key ring";
const HEAD: &str = "aegis key ring v1";
/// The second line of a ring that no passphrase protects.
const OPEN: &str = "open";
const ROOT_LENGTH: usize = 32;
const GENERATION_LENGTH: usize = 8 + 8 + 32;
/// Of the plain key that was all there was before there were rings.
const PLAIN_LENGTH: usize = 32;
/// What that key sealed tenants' keys for.
const PLAIN_PURPOSE: &str = "tenant-keys";

/// Why a key ring cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// It is not what was written.
    #[error("is damaged")]
    Damaged,
    /// A later release wrote it.
    #[error("was written by a newer release")]
    Newer,
    /// It is sealed.
    #[error("is under a passphrase, and none was given")]
    PassphraseMissing,
    /// It is sealed under another one.
    #[error("does not open with this passphrase")]
    PassphraseWrong,
}

/// One generation of the key-encryption key.
pub struct Generation {
    /// Counted from 1, never given twice.
    pub number: u64,
    /// When it was made.
    pub created_at: Timestamp,
    key: MasterKey,
}

impl Generation {
    /// Seals a key for its place. A `nonce` is used once; random bytes are good.
    pub fn seal(&self, nonce: [u8; 24], place: &[u8], plain: &[u8]) -> Vec<u8> {
        self.key.seal(nonce, place, plain)
    }

    /// Opens what [`Generation::seal`] made for the same place.
    ///
    /// # Errors
    /// When the bytes were altered, or belong to another generation or place.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.key.open(place, sealed)
    }
}

/// The keys of an installation. Wiped from memory when dropped.
pub struct KeyRing {
    root: MasterKey,
    /// Oldest first.
    older: Vec<Generation>,
    newest: Generation,
}

/// What a key ring lies under.
#[derive(Clone, Debug)]
pub enum Lock {
    /// Nothing but the mode of its file.
    Open,
    /// A passphrase.
    Passphrase(PassphraseKey),
}

impl KeyRing {
    /// The keys of a new installation. Both must be unguessable.
    pub fn new(root: [u8; 32], key: [u8; 32], at: Timestamp) -> Self {
        let newest = Generation { number: 1, created_at: at, key: MasterKey::new(key) };
        Self { root: MasterKey::new(root), older: Vec::new(), newest }
    }

    /// The secret from which the other keys of the installation follow.
    pub fn root(&self) -> MasterKey {
        self.root.copy()
    }

    /// The generation that seals.
    pub fn newest(&self) -> &Generation {
        &self.newest
    }

    /// The generations that only open, oldest first.
    pub fn older(&self) -> &[Generation] {
        &self.older
    }

    /// The generation of that number.
    pub fn generation(&self, number: u64) -> Option<&Generation> {
        self.generations().find(|generation| generation.number == number)
    }

    /// The same ring with a new generation, which must be unguessable.
    #[must_use]
    pub fn rotated(&self, key: [u8; 32], at: Timestamp) -> Self {
        let number = self.newest.number.saturating_add(1);
        let newest = Generation { number, created_at: at, key: MasterKey::new(key) };
        Self { root: self.root.copy(), older: self.generations().map(Generation::copy).collect(), newest }
    }

    /// The same ring with its newest generation only.
    #[must_use]
    pub fn retired(&self) -> Self {
        Self { root: self.root.copy(), older: Vec::new(), newest: self.newest.copy() }
    }

    /// The text to be kept. A `nonce` is used once; random bytes are good.
    pub fn to_text(&self, lock: &Lock, nonce: [u8; 24]) -> Zeroizing<String> {
        let keys = self.keys();
        let (lock_line, kept) = match lock {
            Lock::Open => (OPEN.to_owned(), keys),
            Lock::Passphrase(passphrase) => {
                let line = lock_line(passphrase.cost, &passphrase.salt);
                let sealed = envelope::seal(&passphrase.key, nonce, bound(&line).as_bytes(), &keys);
                (line, Zeroizing::new(sealed))
            }
        };
        let kept = Zeroizing::new(STANDARD.encode(&*kept));
        // INVARIANT: the text has its final size from the start, so that growing leaves no copy
        // of the keys behind.
        let mut text = Zeroizing::new(String::with_capacity(HEAD.len() + lock_line.len() + kept.len() + 64 + 4));
        for line in [HEAD, &lock_line, &kept] {
            text.push_str(line);
            text.push('\n');
        }
        let digest = digest(text.as_bytes());
        text.push_str(&digest);
        text.push('\n');
        text
    }

    fn generations(&self) -> impl Iterator<Item = &Generation> {
        self.older.iter().chain([&self.newest])
    }

    fn keys(&self) -> Zeroizing<Vec<u8>> {
        let size = ROOT_LENGTH + GENERATION_LENGTH * (self.older.len() + 1);
        let mut keys = Zeroizing::new(Vec::with_capacity(size));
        keys.extend_from_slice(self.root.bytes());
        for generation in self.generations() {
            keys.extend_from_slice(&generation.number.to_be_bytes());
            keys.extend_from_slice(&generation.created_at.as_millis().to_be_bytes());
            keys.extend_from_slice(generation.key.bytes());
        }
        keys
    }

    /// Reads what [`KeyRing::keys`] wrote.
    fn of_keys(keys: &[u8]) -> Option<Self> {
        let (root, rest) = keys.split_first_chunk::<ROOT_LENGTH>()?;
        let (parts, left_over) = rest.as_chunks::<GENERATION_LENGTH>();
        let mut generations = parts.iter().map(Generation::read).collect::<Option<Vec<_>>>()?;
        let sound = left_over.is_empty() && generations.is_sorted_by(|one, next| one.number < next.number);
        let newest = generations.pop()?;
        sound.then(|| Self { root: MasterKey::new(*root), older: generations, newest })
    }

    /// The ring of an installation that has the plain key only.
    fn of_plain(key: [u8; PLAIN_LENGTH], at: Timestamp) -> Self {
        let root = MasterKey::new(key);
        let first = root.derive(PLAIN_PURPOSE);
        Self::new(key, first, at)
    }
}

impl Generation {
    fn copy(&self) -> Self {
        Self { number: self.number, created_at: self.created_at, key: self.key.copy() }
    }

    fn read(part: &[u8; GENERATION_LENGTH]) -> Option<Self> {
        let (number, rest) = part.split_first_chunk::<8>()?;
        let (created_at, key) = rest.split_first_chunk::<8>()?;
        Some(Self {
            number: u64::from_be_bytes(*number),
            created_at: Timestamp::from_millis(u64::from_be_bytes(*created_at)),
            key: MasterKey::new(key.try_into().ok()?),
        })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(…)")
    }
}

/// A key ring as it was found, not opened yet.
pub struct FoundRing(Found);

enum Found {
    Plain(Zeroizing<[u8; PLAIN_LENGTH]>),
    Open(Zeroizing<Vec<u8>>),
    Sealed { cost: Cost, salt: [u8; 16], line: String, envelope: Vec<u8> },
}

impl FoundRing {
    /// Looks at what was found: a ring, or the plain key that is older than rings.
    ///
    /// # Errors
    /// `Damaged` unless it is to the last byte what was written once; `Newer`.
    pub fn read(bytes: &[u8]) -> Result<Self, RingError> {
        if let Ok(plain) = <[u8; PLAIN_LENGTH]>::try_from(bytes)
            && !bytes.starts_with(NAME.as_bytes())
        {
            return Ok(Self(Found::Plain(Zeroizing::new(plain))));
        }
        Self::read_ring(bytes).map(Self)
    }

    fn read_ring(bytes: &[u8]) -> Result<Found, RingError> {
        let text = std::str::from_utf8(bytes).map_err(|_| RingError::Damaged)?;
        let lines: Vec<&str> = text.split('\n').collect();
        let [head, lock, kept, digested, ""] = lines.as_slice() else { return Err(RingError::Damaged) };
        let above = text.len() - digested.len() - 1;
        if digest(text.as_bytes().get(..above).unwrap_or_default()) != *digested {
            return Err(RingError::Damaged);
        }
        if *head != HEAD {
            return Err(if head.starts_with(NAME) { RingError::Newer } else { RingError::Damaged });
        }
        let kept = Zeroizing::new(STANDARD.decode(kept).map_err(|_| RingError::Damaged)?);
        if *lock == OPEN {
            return Ok(Found::Open(kept));
        }
        let (cost, salt) = read_lock(lock).ok_or(RingError::Damaged)?;
        Ok(Found::Sealed { cost, salt, line: (*lock).to_owned(), envelope: kept.to_vec() })
    }

    /// Whether it takes a passphrase to open it.
    pub fn is_sealed(&self) -> bool {
        matches!(self.0, Found::Sealed { .. })
    }

    /// Whether it is older than rings, and ought to be kept as one.
    pub fn is_plain(&self) -> bool {
        matches!(self.0, Found::Plain(_))
    }

    /// Opens it. A plain key becomes a ring that was made `at`. Takes its time if there is a
    /// passphrase.
    ///
    /// # Errors
    /// When the passphrase is missing or wrong, or what is sealed is no ring.
    pub fn open(&self, passphrase: Option<&Passphrase>, at: Timestamp) -> Result<(KeyRing, Lock), RingError> {
        match &self.0 {
            Found::Plain(key) => Ok((KeyRing::of_plain(**key, at), Lock::Open)),
            Found::Open(keys) => KeyRing::of_keys(keys).map(|ring| (ring, Lock::Open)).ok_or(RingError::Damaged),
            Found::Sealed { cost, salt, line, envelope } => {
                let passphrase = passphrase.ok_or(RingError::PassphraseMissing)?;
                let key = PassphraseKey::derive(passphrase, *cost, *salt).ok_or(RingError::Damaged)?;
                let opened = envelope::open(&key.key, bound(line).as_bytes(), envelope);
                let keys = opened.map_err(|error| match error {
                    OpenError::Forged => RingError::PassphraseWrong,
                    OpenError::TooShort | OpenError::Version(_) => RingError::Damaged,
                })?;
                let ring = KeyRing::of_keys(&keys).ok_or(RingError::Damaged)?;
                Ok((ring, Lock::Passphrase(key)))
            }
        }
    }
}

impl fmt::Debug for FoundRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FoundRing(…)")
    }
}

/// What the envelope is bound to: the lines above it.
fn bound(lock_line: &str) -> String {
    format!("{HEAD}\n{lock_line}\n")
}

fn digest(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

fn lock_line(cost: Cost, salt: &[u8; 16]) -> String {
    format!("argon2id {} {} {} {}", cost.memory_kib, cost.passes, cost.lanes, to_hex(salt))
}

/// Reads what [`lock_line`] writes, in that one spelling.
fn read_lock(line: &str) -> Option<(Cost, [u8; 16])> {
    let words: Vec<&str> = line.split(' ').collect();
    let ["argon2id", memory, passes, lanes, salt] = words.as_slice() else { return None };
    let cost = Cost { memory_kib: memory.parse().ok()?, passes: passes.parse().ok()?, lanes: lanes.parse().ok()? };
    // Half the digits of what the reader of 32 bytes takes.
    let padded = from_hex(&format!("{salt}{}", "0".repeat(32)))?;
    let salt = *padded.first_chunk::<16>()?;
    (cost.is_bearable() && lock_line(cost, &salt) == line).then_some((cost, salt))
}

#[cfg(test)]
mod tests;
