//! How long the value of a secret takes to read when everything needed is in memory, beside the
//! floor in the same run: opening the same bytes under a key at hand.

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aegis_adapters::key_ring::{KeyRingFile, LocalKeys};
use aegis_identity::MasterKey;
use aegis_ledger::Sealer;
use aegis_ledger::journal::Journal;
use aegis_model::act::DecisionMark;
use aegis_model::api::SecretSet;
use aegis_model::port::{Clock, Entropy, EntropyError, Fetch, FetchError, Store};
use aegis_model::secret::SecretValue;
use aegis_model::{
    Act, Caller, CorrelationId, DecisionId, Operation, Principal, ReasonClass, Role, SecretName, TenantId, Timestamp,
};
use aegis_store::{Cached, SqliteStore};
use aegis_tenancy::{Issuers, Roots, Tenancy, Vault, WorkloadNames};
use async_trait::async_trait;
use bytes::Bytes;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Rounds; the median counts.
const ROUNDS: usize = 9;
/// Reads in a round.
const READS: usize = 2_000;
const SIZES_BYTES: [usize; 3] = [40, 1_024, 65_536];

/// Prints both medians for each size.
///
/// # Errors
/// When a directory cannot be used.
pub fn run() -> Outcome {
    let dir = tempfile::Builder::new().prefix("secrets").tempdir_in("target")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let sqlite = Arc::new(SqliteStore::open(dir.path(), Arc::new(Sealer::new(&[7; 32])))?);
        let tenancy = tenancy(Arc::new(Cached::new(sqlite)))?;
        let start = tenancy.first_start(now()).await?.ok_or("the directory is not new")?;
        tenancy.complete(start).await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "the value of a secret, median of {ROUNDS} rounds")?;
        for size_bytes in SIZES_BYTES {
            let value = "x".repeat(size_bytes);
            let wish = SecretSet { value: SecretValue::new(value.clone()), description: None, rotate_every_ms: None };
            tenancy.secret_set(&act(), &name()?, wish).await?;
            let read = read_ns(&tenancy).await?;
            let floor = open_ns(value.as_bytes())?;
            writeln!(
                out,
                "{size_bytes:>6} bytes {read:>10.0} ns   open alone {floor:>8.0} ns   {:.1} × it",
                read / floor
            )?;
        }
        Ok(())
    })
}

async fn read_ns(tenancy: &Tenancy) -> Outcome<f64> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..READS {
            black_box(tenancy.secret_read(&TenantId::first(), &name()?, None, now()).await?);
        }
        rounds.push(begun.elapsed().as_nanos() as f64 / READS as f64);
    }
    Ok(median(rounds))
}

fn open_ns(value: &[u8]) -> Outcome<f64> {
    let key = MasterKey::new([5; 32]);
    let sealed = key.seal([9; 24], b"place", value);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..READS {
            black_box(key.open(b"place", &sealed)?);
        }
        rounds.push(begun.elapsed().as_nanos() as f64 / READS as f64);
    }
    Ok(median(rounds))
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds.get(ROUNDS / 2).copied().unwrap_or_default()
}

/// The time in these benchmarks.
pub fn now() -> Timestamp {
    Timestamp::from_millis(1_000)
}

fn name() -> Outcome<SecretName> {
    Ok("token".parse()?)
}

/// What the machine gives to a server; nothing of it is measured here.
struct Machine(AtomicU64);

impl Entropy for Machine {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        for piece in buffer.chunks_mut(8) {
            // No two are the same; nobody has to be unable to guess them.
            let number = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            piece.iter_mut().zip(number.to_be_bytes()).for_each(|(place, byte)| *place = byte);
        }
        Ok(())
    }
}

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        now()
    }

    fn elapsed_ns(&self) -> u64 {
        0
    }
}

#[async_trait]
impl Fetch for Machine {
    async fn get(&self, address: &str) -> Result<Bytes, FetchError> {
        Err(FetchError::Unreachable(address.to_owned()))
    }
}

/// The room over that store.
pub fn tenancy(store: Arc<dyn Store>) -> Outcome<Tenancy> {
    let machine = Arc::new(Machine(AtomicU64::new(1)));
    let (entropy, fetch): (Arc<dyn Entropy>, Arc<dyn Fetch>) = (Arc::clone(&machine) as _, Arc::clone(&machine) as _);
    let clock: Arc<dyn Clock> = machine;
    let master = MasterKey::new([5; 32]);
    let home = tempfile::tempdir()?;
    let file = KeyRingFile::at(home.path().join("master.key"));
    let keys = LocalKeys::create(file, None, Arc::clone(&entropy), now())?;
    let vault = Arc::new(Vault::new(Arc::clone(&store), Arc::clone(&entropy), Arc::new(keys)));
    let journal = Arc::new(Journal::new(store, Arc::clone(&vault) as Arc<_>));
    let issuers = Issuers::new(Vec::new(), &fetch, &clock);
    let names = WorkloadNames { issuer: "https://aegis.example".to_owned(), trust_domain: "aegis.example".to_owned() };
    Ok(Tenancy::new(journal, vault, entropy, Roots { master: &master, region: "us-east-1", issuers, names }))
}

/// An act of the server itself.
pub fn act() -> Act {
    let decision = DecisionId::generate(now(), [0; 10]);
    Act {
        caller: Caller {
            tenant: TenantId::first(),
            principal: Principal::System,
            role: Role::Admin,
            correlation_id: CorrelationId::generate(now(), [0; 10]),
        },
        operation: Operation::SecretSet,
        at: now(),
        decision: DecisionMark { id: decision, class: ReasonClass::Permitted, policy_hash: String::new() },
        request_digest: [0; 32],
        idempotency: None,
        beside: Vec::new(),
        counted: None,
    }
}
