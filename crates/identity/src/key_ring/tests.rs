//! Key rings: what is read is what was written, and nothing else is.

use super::*;
use proptest::prelude::*;

const CHEAP: Cost = Cost { memory_kib: 32, passes: 1, lanes: 1 };

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn ring() -> KeyRing {
    KeyRing::new([1; 32], [2; 32], at(5)).rotated([3; 32], at(6))
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes().to_vec()).unwrap()
}

fn locked() -> Lock {
    Lock::Passphrase(PassphraseKey::derive(&passphrase("correct horse"), CHEAP, [9; 16]).unwrap())
}

/// What opens, or why it does not.
fn opened(bytes: &[u8], passphrase: Option<&Passphrase>) -> Result<Vec<u8>, RingError> {
    let (ring, _) = FoundRing::read(bytes)?.open(passphrase, at(7))?;
    Ok(ring.keys().to_vec())
}

#[test]
fn what_was_written_is_read() {
    let ring = ring();
    for (lock, passphrase) in [(Lock::Open, None), (locked(), Some(passphrase("correct horse")))] {
        let text = ring.to_text(&lock, [8; 24]);
        assert_eq!(opened(text.as_bytes(), passphrase.as_ref()), Ok(ring.keys().to_vec()));
        // What it is locked with stays known, so that it can be written again.
        let found = FoundRing::read(text.as_bytes()).unwrap();
        let (_, again) = found.open(passphrase.as_ref(), at(7)).unwrap();
        assert_eq!(*ring.to_text(&again, [8; 24]), *text);
        assert_eq!((found.is_sealed(), found.is_plain()), (passphrase.is_some(), false));
    }
}

/// Installations depend on these bytes: they never change.
#[test]
fn the_form_never_changes() {
    assert_eq!(
        *KeyRing::new([1; 32], [2; 32], at(5)).to_text(&Lock::Open, [8; 24]),
        "aegis key ring v1\nopen\n\
         AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEAAAAAAAAAAQAAAAAAAAAFAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n\
         9971b9303c8d7edf5b915c1ece1bde78b8e796a34ecd75f02605122e0f57bb28\n"
    );
}

#[test]
fn only_its_passphrase_opens_a_sealed_ring() {
    let text = ring().to_text(&locked(), [8; 24]);
    assert_eq!(opened(text.as_bytes(), None), Err(RingError::PassphraseMissing));
    for wrong in ["correct horsf", "correct hors e", "Correct horse"] {
        assert_eq!(opened(text.as_bytes(), Some(&passphrase(wrong))), Err(RingError::PassphraseWrong), "{wrong}");
    }
    let keys = ring().keys();
    assert!(!text.contains(&STANDARD.encode(&*keys)) && !text.contains(&STANDARD.encode([1; 30])));
}

#[test]
fn every_damage_is_noticed_and_told_apart_from_a_wrong_passphrase() {
    for lock in [Lock::Open, locked()] {
        let text = ring().to_text(&lock, [8; 24]);
        let whole = text.as_bytes();
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.to_vec();
                damaged[place] ^= 1 << bit;
                assert_eq!(opened(&damaged, None), Err(RingError::Damaged), "byte {place} bit {bit}");
            }
            assert_eq!(opened(&whole[..place], None), Err(RingError::Damaged), "cut after {place}");
        }
        for more in ["\n", "x", "\0"] {
            assert_eq!(opened(&[whole, more.as_bytes()].concat(), None), Err(RingError::Damaged));
        }
    }
}

/// With a digest that fits, so that the reader goes on to what is wrong.
fn forged(head: &str, lock: &str, kept: &str) -> Result<Vec<u8>, RingError> {
    let above = format!("{head}\n{lock}\n{kept}\n");
    opened(format!("{above}{}\n", digest(above.as_bytes())).as_bytes(), Some(&passphrase("correct horse")))
}

#[test]
fn what_nobody_wrote_is_not_read() {
    let good = STANDARD.encode(&*ring().keys());
    assert!(forged(HEAD, OPEN, &good).is_ok());
    assert_eq!(forged("aegis key ring v2", OPEN, &good), Err(RingError::Newer));
    assert_eq!(forged("a key ring", OPEN, &good), Err(RingError::Damaged));
    let salt = "09".repeat(16);
    for lock in [
        "shut".to_owned(),
        format!("argon2id 32 1 1 {salt}0"),
        format!("argon2id 032 1 1 {salt}"),
        format!("argon2id 4000000000 1 1 {salt}"),
        format!("argon2id 32 1000 1 {salt}"),
        format!("argon2id 0 1 1 {salt}"),
        "argon2id 32 1 1".to_owned(),
    ] {
        assert_eq!(forged(HEAD, &lock, &good), Err(RingError::Damaged), "{lock}");
    }
    let twice = KeyRing { older: vec![ring().newest], ..ring() };
    let none = STANDARD.encode([1; 32]);
    for kept in ["", "AQ==", none.as_str(), &STANDARD.encode(&*twice.keys()), &STANDARD.encode([1; 81])] {
        assert_eq!(forged(HEAD, OPEN, kept), Err(RingError::Damaged), "{kept}");
    }
}

#[test]
fn a_plain_key_is_a_ring_whose_first_generation_follows_from_it() {
    let plain: [u8; 32] = std::array::from_fn(|place| place as u8);
    let found = FoundRing::read(&plain).unwrap();
    assert!(found.is_plain() && !found.is_sealed());
    let (ring, _) = found.open(None, at(7)).unwrap();
    assert_eq!(ring.root().derive("x"), MasterKey::new(plain).derive("x"));
    // As tenants' keys were sealed before there were rings.
    let before = MasterKey::new(MasterKey::new(plain).derive("tenant-keys"));
    let sealed = before.seal([4; 24], b"acme", b"keys");
    assert_eq!(ring.newest().open(b"acme", &sealed).map(|plain| plain.to_vec()), Ok(b"keys".to_vec()));
    assert_eq!(ring.newest().number, 1);
}

#[test]
fn every_generation_opens_until_it_is_retired_and_the_root_never_changes() {
    let first = KeyRing::new([1; 32], [2; 32], at(5));
    let sealed = first.newest().seal([4; 24], b"acme", b"keys");
    let second = first.rotated([3; 32], at(6));
    assert_eq!((second.newest().number, second.older().len()), (2, 1));
    assert!(second.generation(1).unwrap().open(b"acme", &sealed).is_ok());
    assert!(second.newest().open(b"acme", &sealed).is_err());
    let retired = second.retired();
    assert!(retired.generation(1).is_none() && retired.older().is_empty());
    assert_eq!(retired.rotated([4; 32], at(7)).newest().number, 3, "a number is never given twice");
    for ring in [&second, &retired] {
        assert_eq!(ring.root().derive("x"), first.root().derive("x"));
    }
}

#[test]
fn debug_shows_nothing() {
    assert_eq!(format!("{:?}", ring()), "KeyRing(…)");
    assert_eq!(format!("{:?}", FoundRing::read(&[7; 32])), "Ok(FoundRing(…))");
    assert_eq!(format!("{:?}", locked()), "Passphrase(PassphraseKey(…))");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, text: String) {
        let _ = FoundRing::read(&bytes);
        let _ = FoundRing::read(format!("{HEAD}\n{text}").as_bytes());
        let _ = forged(HEAD, &text, &text);
    }
}
