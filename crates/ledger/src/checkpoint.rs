//! C2SP checkpoints: the signed head of a ledger. Must not know how the tree is kept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use aegis_model::TenantId;
use aegis_model::ledger::{Hash, TreeHead};

use crate::note::{Note, NoteError, Signer, VerifierKey};
use crate::tree::{self, MalformedHead};

/// What every origin begins with. An origin is also the name of the key that signs.
const ORIGIN_PREFIX: &str = "aegis/";

/// The origin of a tenant's checkpoints.
pub fn origin(tenant: &TenantId) -> String {
    format!("{ORIGIN_PREFIX}{tenant}")
}

/// The tenant an origin belongs to, if it is an origin of ours.
pub(crate) fn tenant_of(origin: &str) -> Option<TenantId> {
    origin.strip_prefix(ORIGIN_PREFIX)?.parse().ok()
}

/// Why a text is not a checkpoint that counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it does not count.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note does not say a checkpoint.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// It was signed by the key, but as the head of another ledger.
    #[error("the checkpoint is of `{found}`, not of `{expected}`")]
    OtherOrigin {
        /// The key's name.
        expected: String,
        /// What the checkpoint says.
        found: String,
    },
}

/// The head of a ledger at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Of which ledger.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The checkpoint of a tree.
    ///
    /// # Errors
    /// When the head cannot be the head of any tree.
    pub fn of_head(origin: &str, head: &TreeHead) -> Result<Self, MalformedHead> {
        Ok(Self { origin: origin.to_owned(), size: head.size, root: tree::root(head)? })
    }

    /// The note text.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The whole signed note.
    ///
    /// # Errors
    /// When the signer signs for another ledger.
    pub fn sign(&self, signer: &Signer) -> Result<String, CheckpointError> {
        self.require_origin(signer.verifier())?;
        Ok(signer.sign(&self.text())?)
    }

    /// The whole note, signed by a key and by the one that it took the place of: whoever knows
    /// either of them can verify it.
    ///
    /// # Errors
    /// When a signer signs for another ledger.
    pub fn sign_with(&self, signer: &Signer, before: &Signer) -> Result<String, CheckpointError> {
        self.require_origin(signer.verifier())?;
        self.require_origin(before.verifier())?;
        Ok(signer.sign_with(&self.text(), before)?)
    }

    /// Reads a checkpoint that `key` signed as the head of its own ledger.
    ///
    /// # Errors
    /// When it is malformed, not signed by `key`, or of another ledger.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        let checkpoint = Self::parse_text(Note::parse(note)?.verify(key)?)?;
        checkpoint.require_origin(key)?;
        Ok(checkpoint)
    }

    /// Reads a note text. What it says counts only if the note around it was verified.
    fn parse_text(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.split('\n');
        let mut line = |what| lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::Malformed(what));
        let origin = line("it has no origin")?.to_owned();
        let size = decimal(line("it has no size")?).ok_or(CheckpointError::Malformed("the size is not a number"))?;
        let root = hash_text(line("it has no root")?).ok_or(CheckpointError::Malformed("the root is not a hash"))?;
        // Extension lines are allowed by the format; ours have none, and an unread line in a
        // signed head is a place to hide something.
        if lines.next() != Some("") || lines.next().is_some() {
            return Err(CheckpointError::Malformed("it has extension lines"));
        }
        Ok(Self { origin, size, root })
    }

    fn require_origin(&self, key: &VerifierKey) -> Result<(), CheckpointError> {
        if self.origin == key.name() {
            return Ok(());
        }
        Err(CheckpointError::OtherOrigin { expected: key.name().to_owned(), found: self.origin.clone() })
    }
}

/// A decimal number without leading zeros or sign.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A SHA-256 in base64, in the one form there is.
pub(crate) fn hash_text(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::signer;

    fn sample() -> Checkpoint {
        Checkpoint { origin: "aegis/acme".to_owned(), size: 20_852_163, root: [5; 32] }
    }

    fn signed(text: &str) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::open(signer().sign(text).unwrap().as_bytes(), signer().verifier())
    }

    #[test]
    fn the_published_example_reads_as_a_checkpoint() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::parse_text(text).unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(checkpoint.text(), text);
    }

    #[test]
    fn a_signed_checkpoint_reads_back() {
        let note = sample().sign(&signer()).unwrap();
        assert_eq!(Checkpoint::open(note.as_bytes(), signer().verifier()), Ok(sample()));
        let empty = Checkpoint::of_head("aegis/acme", &TreeHead::default()).unwrap();
        assert_eq!(signed(&empty.text()), Ok(empty));
    }

    #[test]
    fn a_checkpoint_of_two_keys_reads_with_either_and_with_no_third() {
        let (old, new) = (signer(), Signer::from_seed("aegis/acme", &[77; 32]).unwrap());
        let note = sample().sign_with(&new, &old).unwrap();
        for known in [&old, &new] {
            assert_eq!(Checkpoint::open(note.as_bytes(), known.verifier()), Ok(sample()));
        }
        let third = Signer::from_seed("aegis/acme", &[78; 32]).unwrap();
        assert!(Checkpoint::open(note.as_bytes(), third.verifier()).is_err());
    }

    #[test]
    fn every_other_writing_is_refused_even_when_signed() {
        let root = STANDARD.encode([5; 32]);
        for bad in [
            format!("aegis/acme\n007\n{root}\n"),
            format!("aegis/acme\n+7\n{root}\n"),
            format!("aegis/acme\n-7\n{root}\n"),
            format!("aegis/acme\n 7\n{root}\n"),
            format!("aegis/acme\n7 \n{root}\n"),
            format!("aegis/acme\n\n{root}\n"),
            format!("aegis/acme\n99999999999999999999\n{root}\n"),
            format!("aegis/acme\n7\n{root}=\n"),
            format!("aegis/acme\n7\n{}\n", STANDARD.encode([5; 31])),
            format!("aegis/acme\n7\n{root}\nextension\n"),
            format!("aegis/acme\n7\n{root}\n\n"),
            "aegis/acme\n7\n".to_owned(),
            format!("\n7\n{root}\n"),
        ] {
            assert!(matches!(signed(&bad), Err(CheckpointError::Malformed(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_ledger_does_not_count() {
        let other = Checkpoint { origin: "aegis/other".to_owned(), ..sample() };
        assert!(matches!(other.sign(&signer()), Err(CheckpointError::OtherOrigin { .. })));
        assert!(matches!(signed(&other.text()), Err(CheckpointError::OtherOrigin { .. })));
    }

    #[test]
    fn a_head_that_is_no_head_has_no_checkpoint() {
        let head = TreeHead { size: 3, frontier: vec![[0; 32]] };
        assert_eq!(Checkpoint::of_head("aegis/acme", &head), Err(MalformedHead { size: 3, roots: 1 }));
    }

    #[test]
    fn every_tenant_has_an_origin_that_can_name_a_key() {
        for tenant in ["default", "a", "0-1", "platform"] {
            let tenant: TenantId = tenant.parse().unwrap();
            let origin = origin(&tenant);
            assert!(Signer::from_seed(&origin, &[1; 32]).is_ok());
            assert_eq!(tenant_of(&origin), Some(tenant));
        }
        assert_eq!(tenant_of("aegis/../x"), None);
        assert_eq!(tenant_of("example.com/log"), None);
    }
}
