//! How fast a ledger grows, proves and verifies: a real export of a million entries on a
//! disk, against the floor of hashing the same bytes. Must not know how the store keeps them.

use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use aegis_ledger::export::{Directory, Exporter};
use aegis_ledger::proof::{TreeSource, inclusion_proof, verify_inclusion};
use aegis_ledger::tree::{append, leaf_hash, root};
use aegis_ledger::verify::verify_export;
use aegis_ledger::{Checkpoint, Sealer, Signer, entry_bytes};
use aegis_model::ledger::{Entry, EntryDecision, Hash, TreeHead};
use aegis_model::port::Integrity;
use aegis_model::{ReasonClass, Timestamp};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Entries in the ledger that is verified.
const ENTRIES: u64 = 1_000_000;
/// What verifying them may take.
const VERIFY_MAX: Duration = Duration::from_secs(10);
/// What the process may hold while verifying.
const MEMORY_MAX_BYTES: u64 = 200 * 1024 * 1024;
/// Proofs that are made and verified.
const PROOFS: u64 = 2_000;
/// Row marks that are made.
const MARKS: u64 = 1_000_000;

/// Prints the rates, and fails when the verification of a million entries misses its figure.
///
/// # Errors
/// When a figure is missed, or the temporary directory cannot be written.
pub fn run() -> Outcome {
    let mut out = std::io::stdout().lock();
    let entries: Vec<Vec<u8>> =
        (0..1_000).map(|at| sample(at).map(|entry| entry.to_vec())).collect::<Result<_, _>>()?;
    let floor = growth(&mut out, &entries)?;
    marks(&mut out)?;
    proofs(&mut out)?;
    verification(&mut out, floor)
}

fn sample(position: u64) -> Outcome<bytes::Bytes> {
    let entry = Entry {
        action: "agent_deploy".to_owned(),
        correlation_id: format!("cor_{position:026}").parse()?,
        decision: Some(EntryDecision {
            allowed: true,
            id: format!("dec_{position:026}"),
            reason: ReasonClass::Permitted,
        }),
        isolation: None,
        kind: "act".to_owned(),
        outcome_mac: Some(format!("{position:064x}")),
        policy_hash: Some("a1".repeat(32)),
        principal: "key/key_00000000000000000000000000".to_owned(),
        request_mac: Some(format!("{:064x}", position * 7)),
        subject: format!("agent/triage-{position}"),
        tenant: "acme".parse()?,
        time: Timestamp::from_millis(1_700_000_000_000 + position),
    };
    Ok(entry_bytes(&entry)?)
}

/// Leaf hash and append for each entry, against hashing alone, which is the floor.
fn growth(out: &mut impl Write, entries: &[Vec<u8>]) -> Outcome<Duration> {
    let rounds = ENTRIES / entries.len() as u64;
    let began = Instant::now();
    for entry in (0..rounds).flat_map(|_| entries) {
        black_box(leaf_hash(black_box(entry)));
    }
    let floor = began.elapsed();
    let mut head = TreeHead::default();
    let began = Instant::now();
    for entry in (0..rounds).flat_map(|_| entries) {
        black_box(append(&mut head, leaf_hash(black_box(entry))));
    }
    let whole = began.elapsed();
    let bytes: usize = entries.iter().map(Vec::len).sum();
    let rate = bytes as f64 * rounds as f64 / floor.as_secs_f64() / 1e6;
    writeln!(
        out,
        "hash of an entry       {:>8.0} ns ({rate:.0} MB/s, {} bytes)",
        each_ns(floor, ENTRIES),
        bytes / entries.len()
    )?;
    writeln!(out, "hash and append        {:>8.0} ns", each_ns(whole, ENTRIES))?;
    Ok(floor)
}

fn marks(out: &mut impl Write) -> Outcome {
    let sealer = Sealer::new(&[7; 32]);
    for size in [64, 512] {
        let body = vec![b'x'; size];
        let began = Instant::now();
        for round in 0..MARKS {
            black_box(sealer.mark(&[b"agent", b"acme", b"triage", &round.to_be_bytes(), &body]));
        }
        writeln!(out, "row mark, {size:>4} bytes   {:>8.0} ns", each_ns(began.elapsed(), MARKS))?;
    }
    Ok(())
}

/// The leaves and kept nodes of a tree in memory.
struct Kept(Vec<Vec<Hash>>);

#[async_trait::async_trait]
impl TreeSource for Kept {
    type Error = Infallible;

    async fn hashes(&self, level: u8, index: u64, count: usize) -> Result<Vec<Hash>, Infallible> {
        let level = self.0.get(usize::from(level)).and_then(|level| level.get(index as usize..));
        Ok(level.into_iter().flatten().take(count).copied().collect())
    }
}

fn proofs(out: &mut impl Write) -> Outcome {
    let mut head = TreeHead::default();
    let mut kept = Kept(vec![Vec::new(); 4]);
    for position in 0..ENTRIES {
        let leaf = leaf_hash(&position.to_be_bytes());
        kept.0.iter_mut().take(1).for_each(|leaves| leaves.push(leaf));
        for node in append(&mut head, leaf) {
            kept.0.iter_mut().skip(usize::from(node.level)).take(1).for_each(|level| level.push(node.hash));
        }
    }
    let root = root(&head)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let positions = (0..PROOFS).map(|round| round * 7_919 % ENTRIES);
    let began = Instant::now();
    let paths: Vec<(u64, Vec<Hash>)> = positions
        .map(|position| Ok((position, runtime.block_on(inclusion_proof(&kept, ENTRIES, position))?)))
        .collect::<Outcome<_>>()?;
    writeln!(out, "proof of inclusion     {:>8.0} ns (hashes in memory)", each_ns(began.elapsed(), PROOFS))?;
    let began = Instant::now();
    for (position, path) in &paths {
        verify_inclusion(&leaf_hash(&position.to_be_bytes()), *position, ENTRIES, path, &root)?;
    }
    writeln!(out, "its verification       {:>8.0} ns", each_ns(began.elapsed(), PROOFS))?;
    Ok(())
}

fn verification(out: &mut impl Write, floor: Duration) -> Outcome {
    let temporary = tempfile::tempdir()?;
    let directory = Directory::new(temporary.path());
    let signer = Signer::from_seed("aegis/acme", &[7; 32])?;
    let began = Instant::now();
    export(&directory, &signer)?;
    writeln!(out, "export                 {:>8.2} s", began.elapsed().as_secs_f64())?;
    // Forget the peak of what went before.
    fs::write("/proc/self/clear_refs", "5")?;
    let began = Instant::now();
    let report = verify_export(&directory, Some(signer.verifier()), None)?;
    let took = began.elapsed();
    let peak_bytes = peak_memory_bytes()?;
    let (seconds, ratio) = (took.as_secs_f64(), took.as_secs_f64() / floor.as_secs_f64());
    writeln!(out, "verify {} entries {seconds:>8.2} s ({ratio:.1} times the hashing alone)", report.checkpoint.size)?;
    writeln!(out, "memory while verifying {:>8} MB", peak_bytes >> 20)?;
    if took > VERIFY_MAX || peak_bytes > MEMORY_MAX_BYTES {
        return Err(format!("verifying may take {VERIFY_MAX:?} and {} MB", MEMORY_MAX_BYTES >> 20).into());
    }
    Ok(())
}

fn export(directory: &Directory, signer: &Signer) -> Outcome {
    let mut exporter = Exporter::new();
    let mut head = TreeHead::default();
    for position in 0..ENTRIES {
        let entry = sample(position)?;
        append(&mut head, leaf_hash(&entry));
        for file in exporter.push(&entry)? {
            directory.write(&file)?;
        }
    }
    let note = Checkpoint::of_head(signer.verifier().name(), &head)?.sign(signer)?;
    for file in exporter.finish(&note, signer.verifier())? {
        directory.write(&file)?;
    }
    Ok(())
}

/// The largest resident memory since it was last reset.
fn peak_memory_bytes() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the kernel tells no VmHWM")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}

fn each_ns(whole: Duration, times: u64) -> f64 {
    whole.as_nanos() as f64 / times as f64
}
