//! What the store keeps: typed documents, events, ledger entries and work, and the batches
//! of changes that hold all or nothing.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::TenantId;
use crate::ledger::Hash;
use crate::time::Timestamp;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $name:literal [$($index:literal),*];)*) => {
        /// The kinds of documents. Names are stored; they are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name that is stored.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The index columns a document of this kind may declare.
            pub const fn indexes(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($index),*]),* }
            }
        }
    };
}

kinds! {
    /// A tenant; kept under the platform tenant.
    Tenant "tenant" ["state"];
    /// An API key; kept under the platform tenant, because the tenant follows from the key.
    Key "key" ["tenant"];
    /// When a key was used last; kept under the platform tenant, beside the key, which stays
    /// as it is.
    KeyUse "key_use" [];
    /// An agent.
    Agent "agent" ["state"];
    /// A version of an agent; immutable.
    Version "version" ["agent"];
    /// What became of the grants a version asks for.
    Grant "grant" ["agent", "state"];
    /// An endpoint of an agent.
    Endpoint "endpoint" ["agent"];
    /// A session; final when it has ended.
    Session "session" ["agent", "open"];
    /// A run; final when it has ended.
    Run "run" ["agent", "session", "open"];
    /// A decision about something that wanted out of a box; final when that has ended.
    Outward "outward" ["session", "refused"];
    /// A revision of a tenant's policies; immutable.
    PolicyRevision "policy_revision" [];
    /// Which revision of a tenant's policies is in force.
    PolicyInForce "policy_in_force" [];
    /// A decision about an act, with all that it was made from.
    Judged "judged" [];
    /// An intent that services may ask for.
    Intent "intent" [];
    /// What governs an intent.
    Governance "governance" [];
    /// A question to people whether an act may happen, and their answer; final when it was used,
    /// rejected, withdrawn, or asked anew.
    Approval "approval" ["state", "action", "standing"];
    /// A secret, sealed.
    Secret "secret" ["state", "rotated"];
    /// A freeze.
    Freeze "freeze" [];
    /// The stored answer to a request with an idempotency key.
    Answer "answer" ["expires"];
    /// What a counter has counted for one of its keys, in one step of its window.
    Tally "tally" ["counter", "expires"];
    /// Facts about the installation itself.
    Installation "installation" [];
}

/// Where a document lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id, unique among its kind and tenant. At most [`RECORD_ID_LENGTH_MAX`] bytes.
    pub id: String,
}

/// Longest id of a document.
pub const RECORD_ID_LENGTH_MAX: usize = 512;
/// Largest body of a document, an event, an entry or a piece of work.
pub const BODY_SIZE_MAX_BYTES: usize = 4 * 1024 * 1024;

impl RecordKey {
    /// The place of the document `id`.
    pub fn new(kind: Kind, tenant: TenantId, id: impl Into<String>) -> Self {
        Self { kind, tenant, id: id.into() }
    }
}

/// A document as it was last committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it lies.
    pub key: RecordKey,
    /// 1 for a new document, one more with every change.
    pub version: u64,
    /// JSON.
    pub body: Bytes,
    /// Whether it is final: the store refuses every further change.
    pub terminal: bool,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

/// A number that is kept as a document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Number {
    count: i64,
}

/// The body of a document that [`Change::Count`] adds to.
pub fn count_body(count: i64) -> Bytes {
    Bytes::from(format!("{{\"count\":{count}}}"))
}

/// The number that such a body says; none if it is another document's.
pub fn count_of(body: &[u8]) -> Option<i64> {
    serde_json::from_slice::<Number>(body).ok().map(|number| number.count)
}

/// What must be true of a document for a change to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is none.
    Absent,
    /// It is there with exactly this version.
    Version(u64),
    /// Anything. For caches and sweeps, never for state that others change.
    Any,
}

/// A document to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Where.
    pub key: RecordKey,
    /// What must be true before.
    pub expect: Expect,
    /// JSON.
    pub body: Bytes,
    /// Values of the index columns that [`Kind::indexes`] declares.
    pub index: Vec<(&'static str, String)>,
    /// Whether this is the last change the document will ever see.
    pub terminal: bool,
}

/// An event to be appended to a tenant's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// Whose.
    pub tenant: TenantId,
    /// What it is about, e.g. `agents` or `runs/run_…`.
    pub stream: String,
    /// What happened.
    pub name: String,
    /// JSON.
    pub body: Bytes,
}

/// An event as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place among all events: grows by at least one, never reused.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// The event.
    pub draft: EventDraft,
}

/// A ledger entry to be integrated into its tenant's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryDraft {
    /// Whose tree.
    pub tenant: TenantId,
    /// The canonical bytes.
    pub bytes: Bytes,
}

/// A ledger entry as it was integrated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its position in the tenant's tree, from 0.
    pub position: u64,
    /// The canonical bytes.
    pub bytes: Bytes,
    /// SHA-256(0x00 ‖ bytes).
    pub leaf: Hash,
}

/// Work to be done later by whoever claims it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkDraft {
    /// Which queue.
    pub queue: String,
    /// Its id, unique in the queue.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// Not before.
    pub due: Timestamp,
    /// JSON.
    pub body: Bytes,
}

/// A hold on a piece of work. Whoever presents an older epoch is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which queue.
    pub queue: String,
    /// Which work.
    pub id: String,
    /// Grows with every claim.
    pub epoch: u64,
}

/// Claimed work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The hold.
    pub lease: Lease,
    /// Until when it holds.
    pub until: Timestamp,
    /// The work.
    pub draft: WorkDraft,
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write a document.
    Put(Put),
    /// Remove a document.
    Delete {
        /// Which.
        key: RecordKey,
        /// What must be true before.
        expect: Expect,
    },
    /// Change nothing, but hold only if this is true.
    Require {
        /// Which document.
        key: RecordKey,
        /// What must be true.
        expect: Expect,
    },
    /// Add to a number that is kept as a document, whatever it is by now: concurrent batches
    /// lose none of what they add. Holds at the ends of the range of numbers, refuses a final
    /// document, and one that is no number was altered. Adds nothing to [`Committed::versions`].
    Count {
        /// Which document; it is made when there is none.
        key: RecordKey,
        /// How much.
        by: i64,
        /// Values of the index columns, if the document is made; those of one that is there stay.
        index: Vec<(&'static str, String)>,
    },
    /// Append an event.
    Append(EventDraft),
    /// Integrate a ledger entry.
    Enter(EntryDraft),
    /// Add work.
    Enqueue(WorkDraft),
    /// Remove work that was done under a lease.
    Finish(Lease),
    /// Give work back, to be claimed again from `due` on.
    Release {
        /// The hold.
        lease: Lease,
        /// Not before.
        due: Timestamp,
    },
}

/// Changes that hold all or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// When, by the caller's clock.
    pub at: Timestamp,
    /// In order.
    pub changes: Vec<Change>,
}

/// What a batch became.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The new version of every put, in order.
    pub versions: Vec<u64>,
    /// The sequence of every appended event, in order.
    pub sequences: Vec<u64>,
    /// The position of every ledger entry in its tenant's tree, in order.
    pub positions: Vec<u64>,
}

/// A page of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Which kind.
    pub kind: Kind,
    /// Whose.
    pub tenant: TenantId,
    /// Only those whose index column has this value.
    pub index: Option<(&'static str, String)>,
    /// Only ids after this one in the chosen order.
    pub after: Option<String>,
    /// Greatest id first.
    pub newest_first: bool,
    /// At most so many.
    pub limit: usize,
}

/// A claim on due work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimQuery {
    /// Which queue.
    pub queue: String,
    /// The caller's clock.
    pub now: Timestamp,
    /// How long to hold.
    pub lease_ms: u64,
    /// At most so many.
    pub limit: usize,
}
