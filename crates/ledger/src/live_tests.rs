//! A ledger as a store gives it, sound and in every way broken.

use bytes::Bytes;

use super::*;
use crate::samples::{checkpoint, entries};

fn stored(count: u64) -> Vec<StoredEntry> {
    let keep = |(position, bytes): (usize, Vec<u8>)| StoredEntry {
        position: position as u64,
        leaf: leaf_hash(&bytes),
        bytes: Bytes::from(bytes),
    };
    entries(count).into_iter().enumerate().map(keep).collect()
}

fn head(count: u64) -> TreeHead {
    let mut head = TreeHead::default();
    for entry in entries(count) {
        tree::append(&mut head, leaf_hash(&entry));
    }
    head
}

fn verify(entries: &[StoredEntry], head: &TreeHead) -> Result<Hash, LiveProblem> {
    let mut verifier = EntriesVerifier::new("acme".parse().unwrap());
    for entry in entries {
        verifier.push(entry)?;
    }
    verifier.finish(head)
}

#[test]
fn sound_entries_give_the_root_of_their_head() {
    for count in [0, 1, 256, 300] {
        assert_eq!(verify(&stored(count), &head(count)), Ok(checkpoint(&entries(count)).root));
    }
}

#[test]
fn the_first_broken_record_is_named() {
    let sound = stored(10);
    let change = |change: &dyn Fn(&mut Vec<StoredEntry>)| {
        let mut entries = sound.clone();
        change(&mut entries);
        verify(&entries, &head(10)).unwrap_err()
    };
    assert_eq!(change(&|all| all[4].leaf[0] ^= 1), LiveProblem::Leaf { position: 4 });
    assert_eq!(change(&|all| all[4].bytes = all[5].bytes.clone()), LiveProblem::Leaf { position: 4 });
    assert!(matches!(change(&|all| all[4].bytes = Bytes::new()), LiveProblem::Entry { position: 4, .. }));
    assert_eq!(change(&|all| drop(all.remove(4))), LiveProblem::Position { expected: 4, found: 5 });
    assert_eq!(change(&|all| all.swap(4, 6)), LiveProblem::Position { expected: 4, found: 6 });
    assert_eq!(change(&|all| all.truncate(8)), LiveProblem::Ends { position: 8 });
    assert_eq!(change(&|all| all.extend(stored(11).pop())), LiveProblem::Head { size: 10 });
    assert_eq!(change(&|all| all[9] = StoredEntry { position: 9, ..all[8].clone() }), LiveProblem::Head { size: 10 });
}

#[test]
fn a_head_that_does_not_fit_is_noticed() {
    let mut other = head(10);
    other.frontier[1][0] ^= 1;
    assert_eq!(verify(&stored(10), &other), Err(LiveProblem::Head { size: 10 }));
    other.frontier.pop();
    assert!(matches!(verify(&stored(10), &other), Err(LiveProblem::MalformedHead(_))));
}

#[test]
fn entries_of_another_tenant_are_noticed() {
    let mut verifier = EntriesVerifier::new("other".parse().unwrap());
    assert!(matches!(verifier.push(&stored(1)[0]), Err(LiveProblem::OtherTenant { position: 0, .. })));
}

#[test]
fn completed_nodes_are_handed_out_for_comparing() {
    let mut verifier = EntriesVerifier::new("acme".parse().unwrap());
    let nodes: Vec<TreeNode> = stored(520).iter().flat_map(|entry| verifier.push(entry).unwrap()).collect();
    assert_eq!(nodes.iter().map(|node| (node.level, node.index)).collect::<Vec<_>>(), [(1, 0), (1, 1)]);
}
