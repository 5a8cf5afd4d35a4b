//! Ledger entries, and the tree that grows with them. The adapter must have been opened
//! with [`TestIntegrity::default`].

use aegis_model::id::TenantId;
use aegis_model::ledger::{Hash, TreeHead};
use aegis_model::port::{Integrity, Store};
use aegis_model::record::{Change, EntryDraft, Expect};

use crate::store::draft::{agent, batch, commit, entry, ok, tenant};
use crate::store::{Home, TestIntegrity};

/// The head and the kept nodes of level 1 over some texts.
fn grown(texts: &[String]) -> (TreeHead, Vec<Hash>) {
    let integrity = TestIntegrity::default();
    let mut head = TreeHead::default();
    let leaves = texts.iter().map(|text| integrity.leaf(text.as_bytes()));
    let nodes = leaves.flat_map(|leaf| integrity.append(&mut head, leaf)).map(|node| node.hash).collect();
    (head, nodes)
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{{\"number\":{number}}}")).collect()
}

async fn check_tree(store: &dyn Store, whose: &TenantId, texts: &[String]) {
    let integrity = TestIntegrity::default();
    let entries = ok(store.entries(whose, 0, usize::MAX).await);
    assert_eq!(entries.len(), texts.len());
    for (place, (found, text)) in entries.iter().zip(texts).enumerate() {
        assert_eq!((found.position, found.bytes.as_ref()), (place as u64, text.as_bytes()));
        assert_eq!(found.leaf, integrity.leaf(text.as_bytes()));
    }
    let leaves: Vec<Hash> = entries.iter().map(|entry| entry.leaf).collect();
    assert_eq!(ok(store.leaves(whose, 0, usize::MAX).await), leaves);
    let (head, nodes) = grown(texts);
    assert_eq!(ok(store.tree_head(whose).await), head);
    assert_eq!(ok(store.nodes(whose, 1, 0, usize::MAX).await), nodes);
}

/// In order, from any position, whatever fails in between, apart for every tenant.
pub async fn positions_have_no_holes(home: &dyn Home) {
    let store = home.open();
    let other = Change::Enter(EntryDraft { tenant: tenant("other"), bytes: "foreign".into() });
    let refuse = Change::Require { key: agent("nobody"), expect: Expect::Version(1) };
    let batches = vec![
        batch([entry("0"), other, entry("1")]),
        batch([entry("lost"), refuse]),
        batch([entry("2")]),
        batch([entry("3"), entry("4")]),
    ];
    let done = store.commit_many(batches).await;
    let positions: Vec<u64> = done.into_iter().flatten().flat_map(|done| done.positions).collect();
    assert_eq!(positions, [0, 0, 1, 2, 3, 4]);
    let expected: Vec<String> = (0..5).map(|number| number.to_string()).collect();
    check_tree(&*store, &tenant("acme"), &expected).await;
    check_tree(&*store, &tenant("other"), &["foreign".to_owned()]).await;
    let some = ok(store.entries(&tenant("acme"), 2, 2).await);
    assert_eq!(some.iter().map(|entry| entry.position).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(ok(store.leaves(&tenant("acme"), 4, 10).await).len(), 1);
    for beyond in [5, u64::MAX] {
        assert_eq!(ok(store.entries(&tenant("acme"), beyond, 10).await), []);
        assert_eq!(ok(store.leaves(&tenant("acme"), beyond, 10).await), [[0; 32]; 0]);
    }
}

/// One hash for every one bit of the size, after every commit.
pub async fn heads_grow_as_the_tree_rules_say(home: &dyn Home) {
    let store = home.open();
    assert_eq!(ok(store.tree_head(&tenant("acme")).await), TreeHead::default());
    let texts = texts(40);
    for (place, text) in texts.iter().enumerate() {
        ok(commit(&*store, [entry(text)]).await);
        let (head, _) = grown(texts.get(..=place).unwrap_or_default());
        assert_eq!(head.frontier.len(), head.size.count_ones() as usize);
        assert_eq!(ok(store.tree_head(&tenant("acme")).await), head);
    }
}

/// Also when the entries before the failure have completed subtrees.
pub async fn a_failed_batch_leaves_the_head_alone(home: &dyn Home) {
    let store = home.open();
    let texts = texts(300);
    let (first, rest) = texts.split_at(200);
    ok(commit(&*store, first.iter().map(|text| entry(text))).await);
    let refuse = Change::Require { key: agent("nobody"), expect: Expect::Version(1) };
    let lost = (0..100).map(|number| entry(&format!("lost {number}"))).chain([refuse]);
    assert!(commit(&*store, lost).await.is_err());
    check_tree(&*store, &tenant("acme"), first).await;
    ok(commit(&*store, rest.iter().map(|text| entry(text))).await);
    check_tree(&*store, &tenant("acme"), &texts).await;
}

/// One for every 256 entries, and none before.
pub async fn kept_nodes_are_there_when_complete(home: &dyn Home) {
    let store = home.open();
    let texts = texts(1_000);
    let acme = tenant("acme");
    let (most, last) = texts.split_at(255);
    ok(commit(&*store, most.iter().map(|text| entry(text))).await);
    assert_eq!(ok(store.nodes(&acme, 1, 0, 10).await), [[0; 32]; 0]);
    ok(commit(&*store, last.iter().map(|text| entry(text))).await);
    check_tree(&*store, &acme, &texts).await;
    let (_, nodes) = grown(&texts);
    assert_eq!(nodes.len(), 3);
    assert_eq!(ok(store.nodes(&acme, 1, 1, 1).await).first(), nodes.get(1));
    for (level, index) in [(1, 3), (1, u64::MAX), (2, 0), (0, 0), (255, 0)] {
        assert_eq!(ok(store.nodes(&acme, level, index, 10).await), [[0; 32]; 0], "level {level} index {index}");
    }
}

/// Where it stopped.
pub async fn a_tree_goes_on_growing_after_reopening(home: &dyn Home) {
    let texts = texts(600);
    for part in texts.chunks(77) {
        let store = home.open();
        ok(commit(&*store, part.iter().map(|text| entry(text))).await);
    }
    check_tree(&*home.open(), &tenant("acme"), &texts).await;
}
