//! C2SP `tlog-proof`: an entry's place in a ledger with the signed head, in one text that
//! verifies offline. Must not know where it came from.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use aegis_model::ledger::Hash;

use crate::checkpoint::{Checkpoint, CheckpointError, decimal, hash_text};
use crate::note::{NOTE_SIZE_MAX_BYTES, VerifierKey};
use crate::proof::{ProofProblem, verify_inclusion};
use crate::tree::leaf_hash;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1\n";
/// A path has one hash for each level of the tree at most.
const PATH_LENGTH_MAX: usize = 64;
/// The checkpoint, the path, the first lines, and room for extra data.
const PROOF_SIZE_MAX_BYTES: usize = NOTE_SIZE_MAX_BYTES + 64 * 1024;

/// Why a text proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// It is not a proof.
    #[error("not a ledger proof: {0}")]
    Malformed(&'static str),
    /// The checkpoint in it does not count.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint counts, but the path does not lead to it.
    #[error("the entry is not at position {position}: {problem}")]
    Path {
        /// Which position.
        position: u64,
        /// What is wrong with the path.
        problem: ProofProblem,
    },
}

/// A proof that an entry is in a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// The entry's position.
    pub position: u64,
    /// From the leaf's sibling to the root's child.
    pub path: Vec<Hash>,
    /// The signed checkpoint, word for word.
    pub checkpoint: String,
}

impl TlogProof {
    /// The proof as it is stored in a `.tlog-proof` file.
    pub fn text(&self) -> String {
        let path: String = self.path.iter().map(|hash| format!("{}\n", STANDARD.encode(hash))).collect();
        format!("{FIRST_LINE}index {}\n{path}\n{}", self.position, self.checkpoint)
    }

    /// Reads a proof. Extra data, which nothing authenticates, is passed over.
    ///
    /// # Errors
    /// When it is not a proof.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        let wrong = TlogProofError::Malformed;
        if bytes.len() > PROOF_SIZE_MAX_BYTES {
            return Err(wrong("it is too large"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
        let rest = text.strip_prefix(FIRST_LINE).ok_or(wrong("the first line is missing"))?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(wrong("it has no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if let Some(extra) = lines.next_if(|line| line.starts_with("extra ")) {
            let data = extra.strip_prefix("extra ").and_then(|data| STANDARD.decode(data).ok());
            data.ok_or(wrong("the extra data is not base64"))?;
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let position = index.ok_or(wrong("it has no index"))?;
        let path: Option<Vec<Hash>> = lines.take(PATH_LENGTH_MAX + 1).map(hash_text).collect();
        let path = path.ok_or(wrong("a line is not a hash"))?;
        if path.len() > PATH_LENGTH_MAX {
            return Err(wrong("it has too many hashes"));
        }
        Ok(Self { position, path, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that exactly these bytes are in the ledger whose head `key` signed, and returns
    /// that head.
    ///
    /// # Errors
    /// When the checkpoint does not count or the path does not lead from the entry to it.
    pub fn verify(&self, entry: &[u8], key: &VerifierKey) -> Result<Checkpoint, TlogProofError> {
        self.verify_leaf(&leaf_hash(entry), key)
    }

    /// The same for an entry of which only the leaf hash is known.
    ///
    /// # Errors
    /// When the checkpoint does not count or the path does not lead from the leaf to it.
    pub fn verify_leaf(&self, leaf: &Hash, key: &VerifierKey) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = Checkpoint::open(self.checkpoint.as_bytes(), key)?;
        verify_inclusion(leaf, self.position, checkpoint.size, &self.path, &checkpoint.root)
            .map_err(|problem| TlogProofError::Path { position: self.position, problem })?;
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{checkpoint, entries, signer};
    use crate::tree::node_hash;
    use proptest::prelude::*;

    /// The proof of the middle one of three entries.
    fn sample() -> (TlogProof, Vec<Vec<u8>>) {
        let entries = entries(3);
        let path = vec![leaf_hash(&entries[0]), leaf_hash(&entries[2])];
        let checkpoint = checkpoint(&entries).sign(&signer()).unwrap();
        (TlogProof { position: 1, path, checkpoint }, entries)
    }

    #[test]
    fn a_proof_has_the_lines_of_the_standard_and_reads_back() {
        let (proof, entries) = sample();
        let text = proof.text();
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!(&lines[..2], ["c2sp.org/tlog-proof@v1", "index 1"]);
        assert_eq!((lines[4], lines[5], lines[6]), ("", "aegis/acme", "3"));
        assert_eq!(TlogProof::parse(text.as_bytes()), Ok(proof.clone()));
        assert_eq!(proof.verify(&entries[1], signer().verifier()), Ok(checkpoint(&entries)));
    }

    #[test]
    fn the_only_entry_of_a_ledger_has_a_proof_without_hashes() {
        let entries = entries(1);
        let note = checkpoint(&entries).sign(&signer()).unwrap();
        let proof = TlogProof { position: 0, path: Vec::new(), checkpoint: note };
        let read = TlogProof::parse(proof.text().as_bytes()).unwrap();
        assert!(read.verify(&entries[0], signer().verifier()).is_ok());
    }

    #[test]
    fn extra_data_is_passed_over() {
        let (proof, _) = sample();
        let text = proof.text().replacen("index", "extra YWI=\nindex", 1);
        assert_eq!(TlogProof::parse(text.as_bytes()), Ok(proof.clone()));
        let broken = proof.text().replacen("index", "extra YW\nindex", 1);
        assert!(TlogProof::parse(broken.as_bytes()).is_err());
    }

    #[test]
    fn it_proves_nothing_else_and_under_no_other_key() {
        let (proof, entries) = sample();
        let key = signer();
        for other in [&entries[0], &entries[2], &b"x".to_vec()] {
            assert!(matches!(proof.verify(other, key.verifier()), Err(TlogProofError::Path { .. })));
        }
        let stranger = crate::note::Signer::from_seed("aegis/acme", &[8; 32]).unwrap();
        assert!(matches!(proof.verify(&entries[1], stranger.verifier()), Err(TlogProofError::Checkpoint(_))));
        let moved = TlogProof { position: 0, ..proof.clone() };
        assert!(moved.verify(&entries[1], key.verifier()).is_err());
        let inner = node_hash(&leaf_hash(&entries[0]), &leaf_hash(&entries[1]));
        let shorter = TlogProof { position: 0, path: vec![leaf_hash(&entries[2])], ..proof };
        assert!(shorter.verify_leaf(&inner, key.verifier()).is_err(), "an inner node passes as an entry");
    }

    #[test]
    fn a_flip_of_any_byte_is_noticed() {
        let (proof, entries) = sample();
        let text = proof.text().into_bytes();
        for place in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone();
                bytes[place] ^= 1 << bit;
                let verdict = TlogProof::parse(&bytes).and_then(|proof| proof.verify(&entries[1], signer().verifier()));
                assert!(verdict.is_err(), "byte {place}, bit {bit}");
            }
        }
    }

    #[test]
    fn what_is_no_proof_is_refused() {
        let text = sample().0.text();
        let long = text.replacen("index 1\n", &format!("index 1\n{}", "A".repeat(43) + "=\n").repeat(65), 1);
        for bad in [
            String::new(),
            text.replacen("@v1", "@v2", 1),
            text.replacen("index 1", "index 01", 1),
            text.replacen("index 1\n", "", 1),
            text.replacen("\n\n", "\n", 1),
            text.replace('\n', "\r\n"),
            long,
            "x".repeat(PROOF_SIZE_MAX_BYTES + 1),
        ] {
            assert!(TlogProof::parse(bad.as_bytes()).is_err(), "{}", bad.chars().take(60).collect::<String>());
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_crashes_the_parser(text in "(c2sp.org/tlog-proof@v1\n)?(index [0-9]{1,30}\n)?(.|\n){0,200}") {
            let _ = TlogProof::parse(text.as_bytes());
        }
    }
}
