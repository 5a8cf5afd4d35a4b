//! The ledger over a real database: what is committed there proves, exports and verifies,
//! and a tree that was grown wrongly does not.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::path::Path;
use std::sync::Arc;

use aegis_ledger::export::{Directory, Exporter};
use aegis_ledger::live::{LiveProblem, verify_store};
use aegis_ledger::proof::{Growth, root_at};
use aegis_ledger::tree::{leaf_hash, root};
use aegis_ledger::verify::verify_export;
use aegis_ledger::{
    Checkpoint, Sealer, Signer, StoreTree, TlogProof, consistency_proof, entry_bytes, inclusion_proof,
    verify_consistency,
};
use aegis_model::ledger::{Entry, Hash, TreeHead, TreeNode};
use aegis_model::port::{Integrity, Store};
use aegis_model::record::{Batch, Change, EntryDraft};
use aegis_model::{TenantId, Timestamp};
use aegis_store::SqliteStore;

const SIZE: u64 = 600;

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn entry(position: u64) -> Entry {
    Entry {
        action: "agent_deploy".to_owned(),
        correlation_id: format!("cor-{position}").parse().unwrap(),
        decision: None,
        isolation: None,
        kind: "act".to_owned(),
        outcome_mac: None,
        policy_hash: None,
        principal: "system".to_owned(),
        request_mac: None,
        subject: format!("agent/{position}"),
        tenant: acme(),
        time: Timestamp::from_millis(position),
    }
}

/// A store whose ledger of `acme` has the entries 0 to `SIZE`, in batches of 100.
async fn store_with_entries(dir: &Path, integrity: Arc<dyn Integrity>) -> SqliteStore {
    let store = SqliteStore::open(dir, integrity).unwrap();
    for first in (0..SIZE).step_by(100) {
        let enter =
            |position| Change::Enter(EntryDraft { tenant: acme(), bytes: entry_bytes(&entry(position)).unwrap() });
        let changes = (first..first + 100).map(enter).collect();
        let results = store.commit_many(vec![Batch { at: Timestamp::from_millis(first), changes }]).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }
    store
}

fn signer() -> Signer {
    Signer::from_seed("aegis/acme", &[7; 32]).unwrap()
}

fn sealer() -> Arc<dyn Integrity> {
    Arc::new(Sealer::new(&[9; 32]))
}

#[tokio::test]
async fn what_is_committed_verifies_where_it_lives() {
    let temporary = tempfile::tempdir().unwrap();
    let store = store_with_entries(temporary.path(), sealer()).await;
    let head = verify_store(&store, &acme(), None).await.unwrap();
    assert_eq!(head.size, SIZE);
    let tree = StoreTree { store: &store, tenant: &acme() };
    for size in [0, 1, 256, 599, SIZE] {
        let kept = Checkpoint { origin: "aegis/acme".to_owned(), size, root: root_at(&tree, size).await.unwrap() };
        assert_eq!(verify_store(&store, &acme(), Some(&kept)).await.as_ref(), Ok(&head));
        let forked = Checkpoint { root: [1; 32], ..kept };
        assert_eq!(verify_store(&store, &acme(), Some(&forked)).await, Err(LiveProblem::Forked { kept: size }));
    }
    let later = Checkpoint { origin: "aegis/acme".to_owned(), size: 601, root: [0; 32] };
    let truncated = LiveProblem::Truncated { kept: 601, found: SIZE };
    assert_eq!(verify_store(&store, &acme(), Some(&later)).await, Err(truncated));
    let other: TenantId = "other".parse().unwrap();
    assert_eq!(verify_store(&store, &other, None).await, Ok(TreeHead::default()));
}

#[tokio::test]
async fn what_is_committed_is_proved_under_the_signed_head() {
    let temporary = tempfile::tempdir().unwrap();
    let store = store_with_entries(temporary.path(), sealer()).await;
    let head = store.tree_head(&acme()).await.unwrap();
    let note = Checkpoint::of_head("aegis/acme", &head).unwrap().sign(&signer()).unwrap();
    let tree = StoreTree { store: &store, tenant: &acme() };
    for position in [0, 1, 255, 256, 511, 512, 599] {
        let path = inclusion_proof(&tree, SIZE, position).await.unwrap();
        let text = TlogProof { position, path, checkpoint: note.clone() }.text();
        let proof = TlogProof::parse(text.as_bytes()).unwrap();
        let bytes = entry_bytes(&entry(position)).unwrap();
        assert_eq!(proof.verify(&bytes, signer().verifier()).unwrap().size, SIZE);
        let other = entry_bytes(&entry(position + 1)).unwrap();
        assert!(proof.verify(&other, signer().verifier()).is_err());
    }
    for from in [1, 255, 256, 300, 512, 599] {
        let path = consistency_proof(&tree, from, SIZE).await.unwrap();
        let from_root = root_at(&tree, from).await.unwrap();
        let growth = Growth { from, from_root, to: SIZE, to_root: root(&head).unwrap() };
        assert_eq!(verify_consistency(&growth, &path), Ok(()));
    }
}

#[tokio::test]
async fn what_is_committed_exports_and_verifies_offline() {
    let temporary = tempfile::tempdir().unwrap();
    let store = store_with_entries(&temporary.path().join("data"), sealer()).await;
    let head = store.tree_head(&acme()).await.unwrap();
    let note = Checkpoint::of_head("aegis/acme", &head).unwrap().sign(&signer()).unwrap();
    let directory = Directory::new(temporary.path().join("export"));
    let mut exporter = Exporter::new();
    while exporter.size() < SIZE {
        for entry in store.entries(&acme(), exporter.size(), 64).await.unwrap() {
            exporter.push(&entry.bytes).unwrap().iter().for_each(|file| directory.write(file).unwrap());
        }
    }
    let rest = exporter.finish(&note, signer().verifier()).unwrap();
    rest.iter().for_each(|file| directory.write(file).unwrap());
    let report = verify_export(&directory, Some(signer().verifier()), None).unwrap();
    assert_eq!((report.checkpoint.size, report.checkpoint.root), (SIZE, root(&head).unwrap()));
}

/// A tree grown wrongly at one place, as a defect or an intruder in the server would.
struct Wrong {
    right: Sealer,
    at: u64,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Leaf,
    Node,
    Head,
}

impl Integrity for Wrong {
    fn leaf(&self, bytes: &[u8]) -> Hash {
        let due = entry_bytes(&entry(self.at)).unwrap();
        let wrong = matches!(self.what, What::Leaf) && bytes == &due[..];
        if wrong { [1; 32] } else { leaf_hash(bytes) }
    }

    fn append(&self, head: &mut TreeHead, leaf: Hash) -> Vec<TreeNode> {
        let leaf = if matches!(self.what, What::Head) && head.size == self.at { [1; 32] } else { leaf };
        let mut nodes = self.right.append(head, leaf);
        if matches!(self.what, What::Node) {
            nodes.iter_mut().for_each(|node| node.hash = [1; 32]);
        }
        nodes
    }

    fn mark(&self, parts: &[&[u8]]) -> [u8; 16] {
        self.right.mark(parts)
    }
}

async fn check_wrong(what: What, at: u64, expected: LiveProblem) {
    let temporary = tempfile::tempdir().unwrap();
    let wrong = Arc::new(Wrong { right: Sealer::new(&[9; 32]), at, what });
    let store = store_with_entries(temporary.path(), wrong).await;
    assert_eq!(verify_store(&store, &acme(), None).await, Err(expected));
}

#[tokio::test]
async fn a_tree_that_was_grown_wrongly_is_noticed() {
    check_wrong(What::Leaf, 300, LiveProblem::Leaf { position: 300 }).await;
    check_wrong(What::Node, 0, LiveProblem::Node { level: 1, index: 0 }).await;
    check_wrong(What::Head, 520, LiveProblem::Head { size: SIZE }).await;
}
