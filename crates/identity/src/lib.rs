//! Who somebody is, as mathematics: API keys, signed requests, tokens, the key ring and what it seals.
//!
//! Owns the text form of API keys, their keyed hash, access keys and the signatures of requests
//! ([`sigv4`]), tokens of other issuers and our own ([`jwt`]), key derivation, the sealed
//! envelope, the key ring and its passphrase; one file or folder per idea. Must not know: any
//! I/O, the clock, where randomness comes from (bytes come in), or how a key record is stored.

mod api_key;
mod base64_text;
mod envelope;
pub mod jwt;
mod key_ring;
mod key_text;
mod mac;
mod master_key;
mod passphrase;
mod redact;
pub mod sigv4;

pub use api_key::{ApiKey, Pepper, verify};
pub use base64_text::{Base64Error, from_base64, to_base64};
pub use envelope::OpenError;
pub use key_ring::{FoundRing, Generation, KeyRing, Lock, RingError};
pub use key_text::KeyParseError;
pub use master_key::MasterKey;
pub use passphrase::{Cost, NoPassphrase, Passphrase, PassphraseKey};
pub use redact::redact;
