//! What counting costs: decisions per second through the counters, and durable commits of acts
//! that count against the same acts that do not, in the same run. Must not know how anything is
//! counted.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aegis_dispatch::{Counting, Histories};
use aegis_ledger::Sealer;
use aegis_ledger::journal::{Answer, Deed, Journal};
use aegis_model::act::DecisionMark;
use aegis_model::counter::{Counter, CounterKey};
use aegis_model::manifest::Duration as Window;
use aegis_model::port::{Counted, TenantKeys, TenantSecrets};
use aegis_model::{
    Act, Caller, CorrelationId, DecisionId, Fault, Operation, Principal, ReasonClass, Role, TenantId, Timestamp,
};
use async_trait::async_trait;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Rounds; the median of each column counts, and the rounds interleave what is compared.
const ROUNDS: usize = 5;
/// How long each measurement runs.
const MEASURED: Duration = Duration::from_millis(1_500);
/// Who asks, in turn.
const PRINCIPALS: u64 = 1_000;
/// How many callers commit at the same time.
const CALLERS: u64 = 64;
/// When.
const BEGUN_MS: u64 = 1_800_000_000_000;

/// One row of the table.
struct Contender {
    name: &'static str,
    measure: fn(&Path) -> Outcome<f64>,
    per_second: Vec<f64>,
}

/// Prints the table.
///
/// # Errors
/// When a directory cannot be used.
pub fn run() -> Outcome {
    let contender = |name, measure| Contender { name, measure, per_second: Vec::new() };
    let mut contenders = [
        contender("decide, one counter", |dir| decisions(dir, 1)),
        contender("decide, eight counters", |dir| decisions(dir, 8)),
        contender("64 commits, nothing counted", |dir| commits(dir, None)),
        contender("64 commits, a key each", |dir| commits(dir, Some(CounterKey::Principal))),
        contender("64 commits, one key for all", |dir| commits(dir, Some(CounterKey::Resource))),
    ];
    for _ in 0..ROUNDS {
        for contender in &mut contenders {
            let dir = tempfile::Builder::new().prefix("histories").tempdir_in("target")?;
            contender.per_second.push((contender.measure)(dir.path())?);
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "what counting costs, {PRINCIPALS} keys, median of {ROUNDS} rounds")?;
    writeln!(out, "{:<32}{:>12}{:>12}{:>12}", "", "per second", "lowest", "highest")?;
    for Contender { name, mut per_second, .. } in contenders {
        per_second.sort_by(f64::total_cmp);
        let at = |place: usize| per_second.get(place).copied().unwrap_or_default();
        writeln!(out, "{name:<32}{:>12.0}{:>12.0}{:>12.0}", at(ROUNDS / 2), at(0), at(ROUNDS - 1))?;
    }
    Ok(())
}

struct Keys;

#[async_trait]
impl TenantKeys for Keys {
    async fn of(&self, _: &TenantId) -> Result<Arc<TenantSecrets>, Fault> {
        let secrets = TenantSecrets { mac_key: [1; 32], signing_seed: [2; 32], previous_signing_seed: None };
        Ok(Arc::new(secrets))
    }
}

fn counter(number: usize, per: CounterKey) -> Counter {
    Counter {
        name: format!("calls_{number}"),
        actions: vec!["agent_invoke".to_owned()],
        per: vec![per],
        sum: None,
        window: Some(Window::from_millis(3_600_000)),
    }
}

async fn allowed(
    histories: &Histories,
    counters: &[Counter],
    (number, at_ms): (u64, u64),
) -> Result<Option<Arc<dyn Counted>>, Fault> {
    let principal = format!("key_01k0000000{:016}", number % PRINCIPALS);
    let question = Counting {
        counters,
        action: "agent_invoke",
        principal: &principal,
        resource: "github-triage",
        session: None,
        amounts: &|_| None,
        at: Timestamp::from_millis(at_ms),
    };
    let decide = |counts: &BTreeMap<String, i64>| (counts.len() == counters.len(), ());
    histories.decide(&TenantId::first(), &question, decide).await.map(|((), counted)| counted)
}

fn opened(dir: &Path) -> Outcome<Arc<Journal>> {
    let store = aegis_store::open(dir, Arc::new(Sealer::new(&[7; 32])))?;
    Ok(Arc::new(Journal::new(store, Arc::new(Keys))))
}

/// One after the other on one thread; what is reserved is given back.
fn decisions(dir: &Path, counters: usize) -> Outcome<f64> {
    let counters: Vec<Counter> = (0..counters).map(|number| counter(number, CounterKey::Principal)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let histories = Histories::new(&*opened(dir)?);
        for number in 0..PRINCIPALS {
            allowed(&histories, &counters, (number, BEGUN_MS)).await?;
        }
        let (begun, mut count) = (Instant::now(), 0);
        while begun.elapsed() < MEASURED {
            for _ in 0..100 {
                allowed(&histories, &counters, (count, BEGUN_MS + count / 100)).await?;
                count += 1;
            }
        }
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    })
}

/// So many callers, each waiting for one commit before it asks for the next.
fn commits(dir: &Path, per: Option<CounterKey>) -> Outcome<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let journal = opened(dir)?;
        let histories = Histories::new(&journal);
        let counters: Arc<[Counter]> = per.map(|per| counter(0, per)).into_iter().collect();
        let (next, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let caller = || caller(journal.clone(), histories.clone(), counters.clone(), next.clone());
        let tasks: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(caller())).collect();
        let mut count = 0;
        for task in tasks {
            count += task.await??;
        }
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    })
}

async fn caller(
    journal: Arc<Journal>,
    histories: Arc<Histories>,
    counters: Arc<[Counter]>,
    next: Arc<AtomicU64>,
) -> Result<u64, Fault> {
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < MEASURED {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let counted = allowed(&histories, &counters, (number, BEGUN_MS + number / 10)).await?;
        let deed = Deed {
            subject: format!("agent/a{number}"),
            stream: "agents",
            changes: Vec::new(),
            answer: Answer::empty(),
            also: None,
        };
        journal.commit(&act(counted), deed).await?;
        count += 1;
    }
    Ok(count)
}

fn act(counted: Option<Arc<dyn Counted>>) -> Act {
    let at = Timestamp::from_millis(BEGUN_MS);
    Act {
        caller: Caller {
            tenant: TenantId::first(),
            principal: Principal::System,
            role: Role::Admin,
            correlation_id: CorrelationId::generate(at, [0; 10]),
        },
        operation: Operation::AgentInvoke,
        at,
        decision: DecisionMark {
            id: DecisionId::generate(at, [0; 10]),
            class: ReasonClass::Permitted,
            policy_hash: String::new(),
        },
        request_digest: [0; 32],
        idempotency: None,
        beside: Vec::new(),
        counted,
    }
}
