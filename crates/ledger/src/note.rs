//! C2SP signed notes with Ed25519, and the keys that sign and verify them. Reads strictly:
//! one text, one form. Must not know what a note says.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// Largest note that is read. Post-quantum witnesses sign with almost 5 kB each.
pub const NOTE_SIZE_MAX_BYTES: usize = 128 * 1024;
/// Most signatures that are read.
const SIGNATURES_MAX: usize = 64;
/// The signature type of plain Ed25519.
const ED25519: u8 = 0x01;
/// What a signature line begins with: an em dash and a space.
const SIGNATURE_MARK: &str = "\u{2014} ";

/// Why a text is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is empty or has characters a key name cannot have.
    #[error("`{0}` cannot name a key: a name has no spaces, no plus and no control characters")]
    Name(String),
    /// Not `NAME+ID+KEY`.
    #[error("a verifier key has the form `NAME+ID+KEY`, with 8 hexadecimal digits and base64")]
    Form,
    /// A key of another kind.
    #[error("the verifier key is not an Ed25519 key")]
    Kind,
    /// The id does not belong to the name and the key.
    #[error("the id of the verifier key does not belong to its name and key")]
    Id,
    /// The key is no point on the curve, or a weak one.
    #[error("the verifier key is not a sound Ed25519 key")]
    Weak,
}

/// Why a note does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// The text cannot be signed.
    #[error("the text cannot be signed: {0}")]
    Unsignable(&'static str),
    /// It is not signed by the key.
    #[error("the note is not signed by `{0}`")]
    NotSigned(String),
    /// The key's signature is wrong.
    #[error("the signature by `{0}` is wrong")]
    WrongSignature(String),
}

/// A public key with its name, as it is pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl VerifierKey {
    fn new(name: &str, key: VerifyingKey) -> Result<Self, KeyError> {
        if !name_is_sound(name) {
            return Err(KeyError::Name(name.chars().take(80).flat_map(char::escape_debug).collect()));
        }
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        Ok(Self { name: name.to_owned(), id: key_id(name, &key), key })
    }

    /// The name of the key, which is also the origin of the checkpoints it signs.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// SHA-256(name ‖ newline ‖ type ‖ public key), the first four bytes.
fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let digest = Sha256::new().chain_update(name).chain_update([b'\n', ED25519]).chain_update(key.as_bytes());
    let [first, second, third, fourth, ..] = <[u8; 32]>::from(digest.finalize());
    [first, second, third, fourth]
}

fn name_is_sound(name: &str) -> bool {
    let unsound = |letter: char| letter == '+' || letter.is_whitespace() || letter.is_control();
    !name.is_empty() && name.len() <= 255 && !name.chars().any(unsound)
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), STANDARD.encode(bytes))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
        let (id, encoded) = rest.split_once('+').ok_or(KeyError::Form)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| KeyError::Form)?;
        let (kind, key) = bytes.split_first().ok_or(KeyError::Form)?;
        if *kind != ED25519 {
            return Err(KeyError::Kind);
        }
        let key: &[u8; 32] = key.try_into().map_err(|_| KeyError::Form)?;
        let key = Self::new(name, VerifyingKey::from_bytes(key).map_err(|_| KeyError::Weak)?)?;
        if format!("{:08x}", u32::from_be_bytes(key.id)) != id {
            return Err(KeyError::Id);
        }
        Ok(key)
    }
}

/// A private key with its name.
pub struct Signer {
    key: SigningKey,
    verifier: VerifierKey,
}

impl Signer {
    /// The key that grows from a secret seed.
    ///
    /// # Errors
    /// When the name cannot name a key.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, key.verifying_key())?;
        Ok(Self { key, verifier })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a text, and gives the whole note.
    ///
    /// # Errors
    /// When the text is not a note text: it ends with a newline and has no other control
    /// characters.
    pub fn sign(&self, text: &str) -> Result<String, NoteError> {
        if !text.ends_with('\n') {
            return Err(NoteError::Unsignable("it does not end with a newline"));
        }
        if has_control(text) {
            return Err(NoteError::Unsignable("it has control characters"));
        }
        Ok(format!("{text}\n{}", self.signature_line(text)))
    }

    /// Signs as [`Signer::sign`] does, with the signature of another key below.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn sign_with(&self, text: &str, other: &Self) -> Result<String, NoteError> {
        Ok(self.sign(text)? + &other.signature_line(text))
    }

    fn signature_line(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes());
        let bytes = [&self.verifier.id[..], &signature.to_bytes()].concat();
        format!("{SIGNATURE_MARK}{} {}\n", self.verifier.name, STANDARD.encode(bytes))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier)
    }
}

/// Control characters other than newline.
fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 && byte != b'\n')
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NoteSignature<'a> {
    name: &'a str,
    id: [u8; 4],
    signature: Vec<u8>,
}

/// A note as it was read. Its text counts only after [`Note::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    signatures: Vec<NoteSignature<'a>>,
}

impl<'a> Note<'a> {
    /// Reads a note without checking any signature.
    ///
    /// # Errors
    /// When it is not a signed note.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_SIZE_MAX_BYTES {
            return Err(NoteError::Malformed("it is too large"));
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        if has_control(whole) {
            return Err(NoteError::Malformed("it has control characters"));
        }
        let blank = whole.rfind("\n\n").ok_or(NoteError::Malformed("it has no signatures"))?;
        let (text, rest) = whole.split_at(blank + 1);
        let lines = rest.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Malformed("it does not end with a newline"))?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(NoteError::Malformed("it has too many signatures"));
        }
        let signatures = lines.split('\n').map(signature_line).collect::<Option<Vec<_>>>();
        Ok(Self { text, signatures: signatures.ok_or(NoteError::Malformed("a signature line is malformed"))? })
    }

    /// The text, when `key` signed it. Signatures by unknown keys are passed over, as the
    /// format demands; a wrong signature by `key` fails the note.
    ///
    /// # Errors
    /// When `key` did not sign it, or signed something else.
    pub fn verify(&self, key: &VerifierKey) -> Result<&'a str, NoteError> {
        let mut own = self.signatures.iter().filter(|line| line.name == key.name && line.id == key.id);
        let line = own.next().ok_or_else(|| NoteError::NotSigned(key.name.clone()))?;
        let wrong = || NoteError::WrongSignature(key.name.clone());
        let signature = Signature::from_slice(&line.signature).map_err(|_| wrong())?;
        key.key.verify_strict(self.text.as_bytes(), &signature).map_err(|_| wrong())?;
        // A second signature by the same key has nothing to say; only tampering adds one.
        if own.next().is_some() {
            return Err(wrong());
        }
        Ok(self.text)
    }

    /// How many signatures the note has, by whomever.
    pub fn signature_count(&self) -> usize {
        self.signatures.len()
    }
}

fn signature_line(line: &str) -> Option<NoteSignature<'_>> {
    let (name, encoded) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    let sound = name_is_sound(name) && !signature.is_empty();
    sound.then(|| NoteSignature { name, id: *id, signature: signature.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The published example of the format.
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const SECRET: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const TEXT: &str =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn published() -> (Signer, VerifierKey) {
        let secret = STANDARD.decode(SECRET).unwrap();
        let seed: [u8; 32] = secret[1..].try_into().unwrap();
        (Signer::from_seed("PeterNeumann", &seed).unwrap(), KEY.parse().unwrap())
    }

    fn verify(note: &str, key: &VerifierKey) -> Result<String, NoteError> {
        Note::parse(note.as_bytes())?.verify(key).map(str::to_owned)
    }

    #[test]
    fn the_published_example_is_signed_and_verified_byte_by_byte() {
        let (signer, key) = published();
        assert_eq!(signer.verifier(), &key);
        assert_eq!(signer.verifier().to_string(), KEY);
        assert_eq!(signer.sign(TEXT).as_deref(), Ok(NOTE));
        assert_eq!(verify(NOTE, &key).as_deref(), Ok(TEXT));
    }

    #[test]
    fn other_published_keys_read_back() {
        for key in [
            "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6",
        ] {
            assert_eq!(key.parse::<VerifierKey>().unwrap().to_string(), key);
        }
    }

    #[test]
    fn no_part_of_a_key_is_a_key() {
        for start in 0..KEY.len() {
            for end in start + 1..=KEY.len() {
                let whole = start == 0 && end == KEY.len();
                assert_eq!(KEY[start..end].parse::<VerifierKey>().is_ok(), whole, "{start}..{end}");
            }
        }
    }

    #[test]
    fn no_other_text_is_the_same_key() {
        for place in 0..KEY.len() {
            for flip in 1..=255_u8 {
                let mut bytes = KEY.as_bytes().to_vec();
                bytes[place] ^= flip;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                assert!(text.parse::<VerifierKey>().is_err(), "{text}");
            }
        }
        for bad in [
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "",
            "+",
            "++",
        ] {
            assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_weak_key_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let key = VerifyingKey::from_bytes(&identity).unwrap();
        assert_eq!(VerifierKey::new("a", key), Err(KeyError::Weak));
    }

    #[test]
    fn a_name_that_would_break_a_line_is_refused() {
        for name in ["", "a b", "a+b", "a\nb", "a\tb", "a\u{a0}b", "a\u{2003}b", "a\0"] {
            assert!(matches!(Signer::from_seed(name, &[1; 32]), Err(KeyError::Name(_))), "{name:?}");
        }
    }

    #[test]
    fn a_flip_of_any_bit_of_a_note_is_noticed() {
        let (_, key) = published();
        for place in 0..NOTE.len() {
            for bit in 0..8 {
                let mut bytes = NOTE.as_bytes().to_vec();
                bytes[place] ^= 1 << bit;
                let verdict = Note::parse(&bytes).and_then(|note| note.verify(&key).map(str::to_owned));
                assert!(verdict.is_err(), "byte {place}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_signature_by_another_key_does_not_count() {
        let (signer, key) = published();
        let other = Signer::from_seed("PeterNeumann", &[9; 32]).unwrap();
        let note = other.sign(TEXT).unwrap();
        assert_eq!(verify(&note, &key), Err(NoteError::NotSigned("PeterNeumann".to_owned())));
        let renamed = Signer::from_seed("Enoch", &signer.key.to_bytes()).unwrap().sign(TEXT).unwrap();
        assert!(verify(&renamed, &key).is_err());
        assert!(verify(&renamed.replace("Enoch", "PeterNeumann"), &key).is_err());
    }

    #[test]
    fn signatures_by_witnesses_are_passed_over_but_a_second_own_one_is_not() {
        let (signer, key) = published();
        let witness = Signer::from_seed("witness.example", &[3; 32]).unwrap().sign(TEXT).unwrap();
        let line = witness.lines().last().unwrap();
        assert_eq!(verify(&format!("{NOTE}{line}\n"), &key).as_deref(), Ok(TEXT));
        assert_eq!(Note::parse(format!("{NOTE}{line}\n").as_bytes()).unwrap().signature_count(), 2);
        let own = NOTE.lines().last().unwrap();
        let twice = format!("{NOTE}{own}\n");
        assert_eq!(verify(&twice, &key), Err(NoteError::WrongSignature(signer.verifier().name().to_owned())));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let many = format!("a\n\n{}", "\u{2014} n AAAAAAA=\n".repeat(SIGNATURES_MAX + 1));
        let huge = format!("{}\n{NOTE}", "x".repeat(NOTE_SIZE_MAX_BYTES));
        for bad in [
            "",
            "\n",
            "\n\n",
            TEXT,
            NOTE.trim_end(),
            &NOTE.replace('\n', "\r\n"),
            &NOTE.replace("\u{2014} ", "- "),
            &NOTE.replace("AM=", "AM"),
            &NOTE.replace("AM=", "AN="),
            &format!("{NOTE}\n"),
            "a\n\n\u{2014} n AAAAAA==\n",
            &many,
            &huge,
        ] {
            assert!(Note::parse(bad.as_bytes()).is_err(), "{}", bad.chars().take(100).collect::<String>());
        }
        assert!(Note::parse(b"a\n\n\xff\n").is_err());
    }

    #[test]
    fn what_is_no_text_is_not_signed() {
        let (signer, _) = published();
        for bad in ["", "a", "a\r\n", "a\0\n"] {
            assert!(matches!(signer.sign(bad), Err(NoteError::Unsignable(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_signer_never_prints_its_seed() {
        let signer = Signer::from_seed("a", &[1; 32]).unwrap();
        assert_eq!(format!("{signer:?}"), format!("Signer({})", signer.verifier()));
    }

    proptest! {
        #[test]
        fn every_text_that_is_signed_verifies(text in "([^\\x00-\\x1f]|\n){0,80}", seed in any::<[u8; 32]>()) {
            let signer = Signer::from_seed("aegis/acme", &seed).unwrap();
            let text = format!("{text}\n");
            let note = signer.sign(&text).unwrap();
            prop_assert_eq!(verify(&note, signer.verifier()), Ok(text));
        }
    }
}
