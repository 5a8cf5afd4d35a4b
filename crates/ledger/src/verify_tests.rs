//! Every attack on an export that we know, and every byte of one.

use super::*;
use crate::export::{Directory, ExportFile};
use crate::note::Signer;
use crate::samples::{Memory, checkpoint, entries, export, export_by, signer};

fn verify(export: &Memory) -> Result<Report, Broken> {
    verify_export(export, Some(signer().verifier()), None)
}

fn verify_unpinned(export: &Memory) -> Result<Report, Broken> {
    verify_export(export, None, None)
}

/// Changes one file and says what the verifier says.
fn changed(export: &Memory, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Broken {
    let mut export = export.clone();
    change(export.0.get_mut(path).unwrap());
    verify(&export).unwrap_err()
}

/// The offset of the entry with this place in its bundle.
fn offset(entries: &[Vec<u8>], place: usize) -> usize {
    entries[..place].iter().map(|entry| entry.len() + 2).sum()
}

/// The bundle of these entries.
fn bundle(entries: &[Vec<u8>]) -> Vec<u8> {
    entries.iter().flat_map(|entry| [&(entry.len() as u16).to_be_bytes()[..], entry].concat()).collect()
}

#[test]
fn a_sound_export_of_any_size_verifies() {
    for count in [0, 1, 2, 3, 255, 256, 257, 511, 512, 600] {
        let entries = entries(count);
        let report = verify(&export(&entries)).unwrap();
        assert_eq!(report.checkpoint, checkpoint(&entries), "{count}");
        assert_eq!((report.trust, report.extends, report.signatures_unchecked), (Trust::Pinned, None, 0));
        assert_eq!(report.verifier_key, signer().verifier().to_string());
    }
}

#[test]
fn a_large_export_with_three_levels_verifies_and_its_top_tiles_are_checked() {
    let entries = entries(65_800);
    let export = export(&entries);
    assert!(verify(&export).is_ok());
    let broken = changed(&export, "tile/1/000", |bytes| bytes[32 * 200] ^= 1);
    assert!(matches!(&broken, Broken::Tile { path, position: 51_200 } if path == "tile/1/000"), "{broken}");
}

#[test]
fn a_tile_that_is_too_short_or_too_long_is_named() {
    let export = export(&entries(620));
    for (path, length, position) in [
        ("tile/0/001", 8191, 511),
        ("tile/0/002.p/108", 0, 512),
        ("tile/1/000.p/2", 32, 256),
        ("tile/1/000.p/2", 31, 0),
    ] {
        let broken = changed(&export, path, |bytes| bytes.truncate(length));
        assert_eq!(broken.position(), Some(position));
        assert!(matches!(&broken, Broken::Tile { path: found, .. } if found == path), "{broken}");
        let broken = changed(&export, path, |bytes| bytes.push(0));
        assert!(matches!(&broken, Broken::Unreadable { path: found, .. } if found == path), "{broken}");
    }
}

#[test]
fn without_a_pinned_key_the_report_says_so() {
    let report = verify_unpinned(&export(&entries(3))).unwrap();
    assert_eq!(report.trust, Trust::Unpinned);
}

#[test]
fn every_byte_of_a_small_export_counts() {
    let export = export(&entries(3));
    for (path, bytes) in &export.0 {
        for place in 0..bytes.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut export = export.clone();
                export.0.get_mut(path).unwrap()[place] ^= flip;
                assert!(verify(&export).is_err(), "`{path}` byte {place} flip {flip:#x} with a pinned key");
                assert!(verify_unpinned(&export).is_err(), "`{path}` byte {place} flip {flip:#x}");
            }
        }
    }
}

#[test]
fn every_file_of_an_empty_export_counts() {
    let export = export(&[]);
    for (path, bytes) in &export.0 {
        for place in 0..bytes.len() {
            let broken = changed(&export, path, |bytes| bytes[place] ^= 1);
            assert_eq!(broken.position(), None, "{broken}");
        }
    }
    let mut padded = export.clone();
    padded.0.insert("tile/0/000.p/1".to_owned(), vec![0; 32]);
    assert!(matches!(verify(&padded), Err(Broken::Foreign { .. })));
}

#[test]
fn every_region_of_a_larger_export_counts() {
    let entries = entries(620);
    let export = export(&entries);
    let mut tried = 0;
    for (path, bytes) in &export.0 {
        for place in (0..bytes.len()).step_by(389).chain(bytes.len().checked_sub(1)) {
            let broken = changed(&export, path, |bytes| bytes[place] ^= 0x20);
            assert!(!broken.to_string().is_empty());
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn every_prefix_of_every_file_counts() {
    let export = export(&entries(2));
    for (path, bytes) in &export.0 {
        for length in 0..bytes.len() {
            changed(&export, path, |bytes| bytes.truncate(length));
        }
        changed(&export, path, |bytes| bytes.push(0));
        changed(&export, path, |bytes| bytes.push(b'\n'));
        changed(&export, path, |bytes| bytes.insert(0, b'\n'));
    }
}

#[test]
fn an_edited_record_is_named() {
    let entries = entries(620);
    let export = export(&entries);
    for position in [0_usize, 1, 255, 256, 300, 511, 512, 619] {
        let path = if position < 512 {
            format!("tile/entries/{:03}", position / 256)
        } else {
            "tile/entries/002.p/108".to_owned()
        };
        let start = offset(&entries[position / 256 * 256..], position % 256) + 2;
        let broken = changed(&export, &path, |bytes| {
            let text = b"agent_deploy";
            let place = bytes[start..].windows(text.len()).position(|window| window == text).unwrap();
            bytes[start + place..start + place + 12].copy_from_slice(b"agent_delete");
        });
        assert_eq!(broken.position(), Some(position as u64));
        let message = format!("record {position} in `{path}`: the entry is not the one that was signed");
        assert_eq!(broken.to_string(), message);
    }
}

#[test]
fn a_record_that_is_no_longer_canonical_is_named() {
    let entries = entries(3);
    let broken = changed(&export(&entries), "tile/entries/000.p/3", |bytes| {
        let place = offset(&entries, 1) + 3;
        bytes[place] = b' ';
    });
    assert!(matches!(broken, Broken::Record { position: 1, problem: RecordProblem::Entry(_), .. }), "{broken}");
}

#[test]
fn a_damaged_hash_is_told_from_a_damaged_record() {
    let export = export(&entries(620));
    for (path, place, position) in [
        ("tile/0/000", 32 * 7, 7),
        ("tile/0/001", 32 * 3 + 31, 259),
        ("tile/0/002.p/108", 32 * 107, 619),
        ("tile/1/000.p/2", 32, 256),
    ] {
        let broken = changed(&export, path, |bytes| bytes[place] ^= 0x80);
        assert_eq!(broken.position(), Some(position));
        assert!(matches!(&broken, Broken::Tile { path: found, .. } if found == path), "{broken}");
    }
}

#[test]
fn an_edited_record_is_named_though_a_higher_tile_is_damaged_too() {
    let entries = entries(620);
    let mut export = export(&entries);
    export.0.get_mut("tile/1/000.p/2").unwrap()[0] ^= 1;
    let broken = changed(&export, "tile/entries/001", |bytes| {
        let start = offset(&entries[256..], 44) + 2;
        let place = bytes[start..].windows(2).position(|window| window == b"0f").unwrap();
        bytes[start + place] = b'1';
    });
    assert!(matches!(broken, Broken::Record { position: 300, problem: RecordProblem::Altered, .. }), "{broken}");
}

#[test]
fn a_record_and_its_hash_edited_together_are_named() {
    let entries = entries(620);
    let mut export = export(&entries);
    let mut forged = entries[300].clone();
    let at = forged.windows(2).position(|window| window == b"0f").unwrap();
    forged[at] = b'1';
    let start = offset(&entries[256..], 44) + 2;
    export.0.get_mut("tile/entries/001").unwrap()[start..start + forged.len()].copy_from_slice(&forged);
    export.0.get_mut("tile/0/001").unwrap()[44 * 32..45 * 32].copy_from_slice(&leaf_hash(&forged));
    let broken = verify(&export).unwrap_err();
    assert!(
        matches!(&broken, Broken::Record { position: 256, problem: RecordProblem::AtOdds(tile), .. } if tile == "tile/1/000.p/2"),
        "{broken}"
    );
}

#[test]
fn a_deleted_record_is_named() {
    let entries = entries(5);
    let without: Vec<_> = entries.iter().enumerate().filter(|(place, _)| *place != 2).map(|(_, e)| e.clone()).collect();
    let broken = changed(&export(&entries), "tile/entries/000.p/5", |bytes| *bytes = bundle(&without));
    assert_eq!(broken.position(), Some(2), "{broken}");
    let last = changed(&export(&entries), "tile/entries/000.p/5", |bytes| *bytes = bundle(&entries[..4]));
    assert!(matches!(last, Broken::Record { position: 4, problem: RecordProblem::CutShort, .. }), "{last}");
}

#[test]
fn reordered_and_repeated_records_are_named() {
    let entries = entries(5);
    let mut swapped = entries.clone();
    swapped.swap(1, 3);
    let broken = changed(&export(&entries), "tile/entries/000.p/5", |bytes| *bytes = bundle(&swapped));
    assert!(matches!(broken, Broken::Record { position: 1, problem: RecordProblem::Altered, .. }), "{broken}");
    let mut longer = entries.clone();
    longer.push(entries[4].clone());
    let broken = changed(&export(&entries), "tile/entries/000.p/5", |bytes| *bytes = bundle(&longer));
    assert!(matches!(broken, Broken::Record { position: 4, problem: RecordProblem::GoesOn, .. }), "{broken}");
}

#[test]
fn whole_bundles_and_tiles_cannot_change_places() {
    let export = export(&entries(600));
    for (left, right) in [("tile/entries/000", "tile/entries/001"), ("tile/0/000", "tile/0/001")] {
        let mut swapped = export.clone();
        let (one, two) = (export.0[left].clone(), export.0[right].clone());
        swapped.0.insert(left.to_owned(), two);
        swapped.0.insert(right.to_owned(), one);
        assert_eq!(verify(&swapped).unwrap_err().position(), Some(0), "{left}");
    }
}

#[test]
fn everything_rebuilt_without_the_key_is_noticed() {
    let mut forged = entries(300);
    forged.remove(7);
    let mut rebuilt = export(&forged);
    let genuine = export(&entries(299));
    rebuilt.0.insert("checkpoint".to_owned(), genuine.0["checkpoint"].clone());
    assert!(matches!(verify(&rebuilt), Err(Broken::Rebuilt { since: 0 })));
    let early = checkpoint(&entries(5));
    let verdict = verify_export(&rebuilt, Some(signer().verifier()), Some(&early));
    assert!(matches!(verdict, Err(Broken::Rebuilt { since: 5 })));
    let later = checkpoint(&entries(100));
    let verdict = verify_export(&rebuilt, Some(signer().verifier()), Some(&later));
    assert!(matches!(verdict, Err(Broken::Forked { kept: 100 })));
}

#[test]
fn a_missing_file_is_named_and_a_foreign_one_too() {
    let export = export(&entries(600));
    for path in export.0.keys() {
        let mut export = export.clone();
        export.0.remove(path);
        let broken = verify(&export).unwrap_err();
        assert!(matches!(&broken, Broken::Missing { path: found, .. } if found == path), "{broken}");
    }
    for path in
        ["tile/0/003", "tile/0/002.p/87", "tile/entries/000.p/1", "tile/2/000.p/1", "notes.txt", "tile/0/000.p/256"]
    {
        let mut export = export.clone();
        export.0.insert(path.to_owned(), b"x".to_vec());
        let broken = verify(&export).unwrap_err();
        assert!(matches!(&broken, Broken::Foreign { path: found } if found == path), "{broken}");
    }
}

#[test]
fn a_truncated_ledger_verifies_alone_but_not_against_a_kept_checkpoint() {
    let entries = entries(300);
    let truncated = export(&entries[..290]);
    assert!(verify(&truncated).is_ok());
    let kept = checkpoint(&entries);
    let verdict = verify_export(&truncated, Some(signer().verifier()), Some(&kept));
    assert!(matches!(verdict, Err(Broken::Truncated { kept: 300, found: 290 })));
    let report =
        verify_export(&export(&entries), Some(signer().verifier()), Some(&checkpoint(&entries[..290]))).unwrap();
    assert_eq!(report.extends, Some(290));
}

#[test]
fn a_fork_signed_with_the_real_key_is_noticed_against_any_kept_checkpoint_after_it() {
    let entries = entries(300);
    let mut other = entries.clone();
    other.remove(200);
    let fork = export(&other);
    assert!(verify(&fork).is_ok());
    for (kept, holds) in [(0, true), (1, true), (200, true), (201, false), (256, false), (299, false)] {
        let verdict = verify_export(&fork, Some(signer().verifier()), Some(&checkpoint(&entries[..kept])));
        assert_eq!(verdict.is_ok(), holds, "{kept}");
        assert!(holds || matches!(verdict, Err(Broken::Forked { .. })));
    }
    let mut lie = checkpoint(&[]);
    lie.root = [1; 32];
    assert!(matches!(verify_export(&fork, None, Some(&lie)), Err(Broken::Forked { kept: 0 })));
    lie.origin = "aegis/other".to_owned();
    assert!(matches!(verify_export(&fork, None, Some(&lie)), Err(Broken::OtherLedger { .. })));
}

#[test]
fn a_signature_with_another_key_is_noticed_when_the_key_is_pinned() {
    let stranger = Signer::from_seed("aegis/acme", &[8; 32]).unwrap();
    let mut forged = export_by(&stranger, &entries(3));
    assert!(matches!(verify(&forged), Err(Broken::OtherKey)));
    assert_eq!(verify_unpinned(&forged).unwrap().trust, Trust::Unpinned);
    forged.0.insert("vkey".to_owned(), export(&entries(3)).0["vkey"].clone());
    assert!(matches!(verify(&forged), Err(Broken::Checkpoint(_))));
    assert!(matches!(verify_unpinned(&forged), Err(Broken::Checkpoint(_))));
}

#[test]
fn a_record_of_another_tenant_does_not_belong() {
    let other = Signer::from_seed("aegis/other", &[7; 32]).unwrap();
    let mut head = TreeHead::default();
    tree::append(&mut head, leaf_hash(&entries(1)[0]));
    let note = Checkpoint::of_head("aegis/other", &head).unwrap().sign(&other).unwrap();
    let mut forged = Memory::default();
    let mut exporter = crate::export::Exporter::new();
    forged.take(exporter.push(&entries(1)[0]).unwrap());
    forged.take(exporter.finish(&note, other.verifier()).unwrap());
    let broken = verify_export(&forged, Some(other.verifier()), None).unwrap_err();
    assert!(matches!(broken, Broken::Record { position: 0, problem: RecordProblem::OtherTenant(_), .. }), "{broken}");
}

#[test]
fn a_signature_of_a_witness_beside_ours_is_counted_but_not_trusted() {
    let entries = entries(3);
    let mut export = export(&entries);
    let witness = Signer::from_seed("witness.example", &[3; 32]).unwrap().sign(&checkpoint(&entries).text()).unwrap();
    let line = format!("{}\n", witness.lines().last().unwrap());
    export.0.get_mut("checkpoint").unwrap().extend_from_slice(line.as_bytes());
    assert_eq!(verify(&export).unwrap().signatures_unchecked, 1);
}

#[test]
fn an_export_on_a_disk_verifies_and_a_link_in_it_does_not() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = Directory::new(temporary.path());
    for (path, bytes) in export(&entries(300)).0 {
        directory.write(&ExportFile { path, bytes }).unwrap();
    }
    assert!(verify_export(&directory, Some(signer().verifier()), None).is_ok());
    let tile = temporary.path().join("tile/0/000");
    std::fs::rename(&tile, temporary.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../../elsewhere", &tile).unwrap();
    let broken = verify_export(&directory, Some(signer().verifier()), None).unwrap_err();
    assert!(matches!(&broken, Broken::Unreadable { path, position: Some(0), .. } if path == "tile/0/000"), "{broken}");
}
