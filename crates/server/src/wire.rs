//! Which adapter stands behind which port, and which room gets which port.

use std::path::Path;
use std::sync::Arc;

use aegis_adapters::agent_http::HyperHttp;
use aegis_adapters::fetch::HttpsFetch;
use aegis_adapters::key_ring::LocalKeys;
use aegis_adapters::logs::DiskLogs;
use aegis_adapters::objects::DiskObjects;
use aegis_dispatch::rotation::RotatorParts;
use aegis_dispatch::run::Parts;
use aegis_dispatch::{
    Approvals, ApprovalsParts, Freezes, Gate, Orbit, OrbitParts, Outward, OutwardParts, Policies, Rotator, Runs,
};
use aegis_fleet::session::admission::{Admission, Room};
use aegis_fleet::session::{SessionParts, Sessions};
use aegis_fleet::{CodeDirectories, Fleet, Tiers};
use aegis_gateway::{App, Hosts, Metrics, Rooms, Watched};
use aegis_identity::MasterKey;
use aegis_ledger::Sealer;
use aegis_ledger::journal::Journal;
use aegis_ledger::reader::LedgerReader;
use aegis_model::boxes::BoxError;
use aegis_model::manifest::Isolation;
use aegis_model::port::{
    AgentHttp, Clock, Door, Entropy, Fetch, Integrity, Logs, Objects, Rotations, Runtime, Store, TenantKeys,
};
use aegis_runtime::process::{ProcessRuntime, Settings};
use aegis_store::DirectoryLock;
use aegis_tenancy::{Issuers, Roots, Tenancy, Vault};

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::door::DoorService;
use crate::keys::{self, OpenKeys};
use crate::start_error::StartError;
use crate::system::{SystemClock, SystemEntropy};

/// The server's parts, joined.
pub struct House {
    /// The front.
    pub app: Arc<App>,
    /// The store, for background work.
    pub store: Arc<dyn Store>,
    /// The time, for background work.
    pub clock: Arc<dyn Clock>,
    /// What makes boxes.
    pub tiers: Tiers,
    /// What runs in them.
    pub runs: Arc<Runs>,
    /// What has secrets rotated.
    pub rotator: Arc<Rotator>,
    /// What serves the doors of boxes.
    pub door: Arc<DoorService>,
    /// What decides about whatever leaves them, and keeps the records.
    pub outward: Arc<Outward>,
    /// Randomness, for background work.
    pub entropy: Arc<dyn Entropy>,
    /// Whether this was the first start.
    pub first_start: bool,
}

/// What stands behind the ports.
struct Ports {
    store: Arc<dyn Store>,
    objects: Arc<dyn Objects>,
    logs: Arc<dyn Logs>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    vault: Arc<Vault>,
    root: MasterKey,
}

/// Builds the house in `data`, which is to be found at `url`.
pub async fn house(config: &Config, data: &DataDir, url: &str) -> Result<House, StartError> {
    let ports = wire_ports(config, data)?;
    let keys: Arc<dyn TenantKeys> = Arc::clone(&ports.vault) as Arc<dyn TenantKeys>;
    let journal = Arc::new(Journal::new(Arc::clone(&ports.store), Arc::clone(&keys)));
    let tenancy = Arc::new(wire_tenancy(config, &ports, &journal, url)?);
    let first_start = first_start(&tenancy, &*ports.clock, data).await?;
    let fleet = Arc::new(Fleet::new(Arc::clone(&journal), Arc::clone(&ports.objects)));
    let freezes = Arc::new(Freezes::load(Arc::clone(&journal)).await?);
    let policies = Arc::new(wire_policies(&ports, &journal, &fleet)?);
    let approvals = wire_approvals(config, &ports, (&journal, &policies));
    let gate = wire_gate(&journal, &policies, (&freezes, &approvals));
    let outward = wire_outward(&ports, &journal, (&policies, &freezes));
    let tiers = wire_tiers(config, data, &ports.clock).await;
    let door = Arc::new(DoorService::default());
    let sessions = wire_sessions(config, data, &ports, (&tiers, &door))?;
    let runs = Runs::new(Parts {
        journal: Arc::clone(&journal),
        fleet: Arc::clone(&fleet),
        sessions,
        freezes: Arc::clone(&freezes),
        logs: Arc::clone(&ports.logs),
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
    });
    recover(&runs, &*ports.store).await?;
    let rotator = wire_rotator(&ports, &tenancy, (&runs, &freezes));
    let orbit = Orbit::new(OrbitParts {
        journal: Arc::clone(&journal),
        policies: Arc::clone(&policies),
        gate: Arc::clone(&gate),
        runs: Arc::clone(&runs),
        clock: Arc::clone(&ports.clock),
    });
    let metrics = Metrics::new(Watched {
        runtimes: tiers.all().cloned().collect(),
        outward: Arc::clone(&outward),
        policies: Arc::clone(&policies),
        journal: Arc::clone(&journal),
    });
    let rooms = Rooms {
        tenancy,
        orbit,
        gate,
        freezes,
        approvals,
        outward: Arc::clone(&outward),
        policies,
        fleet,
        runs: Arc::clone(&runs),
        rotator: Arc::clone(&rotator),
        ledger: LedgerReader::new(Arc::clone(&ports.store), keys),
        journal,
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
    };
    let hosts = Hosts::new(&config.http.hosts, &config.http.origins);
    let app = App::new(rooms, config.limits(), hosts, Arc::new(metrics));
    let Ports { store, clock, entropy, .. } = ports;
    Ok(House { app, store, clock, tiers, runs, rotator, door, outward, entropy, first_start })
}

fn wire_ports(config: &Config, data: &DataDir) -> Result<Ports, StartError> {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let (store, keys) = wire_store(config, data)?;
    let root = keys.root();
    let objects = wire_objects(data)?;
    let logs = wire_logs(config, data)?;
    let vault = Arc::new(Vault::new(Arc::clone(&store), Arc::clone(&entropy), Arc::new(keys)));
    let clock = Arc::new(SystemClock::start());
    Ok(Ports { store, objects, logs, clock, entropy, vault, root })
}

/// What marks rows and grows trees.
pub fn wire_integrity(root: &MasterKey) -> Arc<dyn Integrity> {
    Arc::new(Sealer::new(&root.derive("row-marks")))
}

/// The directory is taken before its keys are read, so that nobody changes them meanwhile; and
/// keys of an older form are written anew only when the database has shown that they are its.
fn wire_store(config: &Config, data: &DataDir) -> Result<(Arc<dyn Store>, LocalKeys), StartError> {
    let taken = DirectoryLock::take(data.path())?;
    let OpenKeys { keys, is_plain } = keys::open(&config.keys, data)?;
    let store = aegis_store::open_taken(taken, wire_integrity(&keys.root()))?;
    if is_plain {
        keys.keep()?;
        tracing::info!("`master.key` is a key ring from now on");
    }
    Ok((store, keys))
}

fn wire_objects(data: &DataDir) -> Result<Arc<dyn Objects>, StartError> {
    let path = data.objects();
    let objects = DiskObjects::open(&path).map_err(|cause| StartError::DataDir { path, cause })?;
    Ok(Arc::new(objects))
}

/// A machine that cannot make boxes of a kind can do everything else.
async fn wire_tiers(config: &Config, data: &DataDir, clock: &Arc<dyn Clock>) -> Tiers {
    let process = wire_process(config, data, clock).await;
    match &process {
        Ok(_) => tracing::info!("process boxes can be made"),
        Err(error) => tracing::warn!(%error, "`aegis doctor` tells how to mend it"),
    }
    Tiers::default().with(Isolation::Process, process)
}

fn wire_sessions(
    config: &Config,
    data: &DataDir,
    ports: &Ports,
    (tiers, door): (&Tiers, &Arc<DoorService>),
) -> Result<Arc<Sessions>, StartError> {
    let path = data.code();
    let unusable = |cause| StartError::DataDir { path: path.clone(), cause };
    let code = CodeDirectories::open(path.clone(), Arc::clone(&ports.objects)).map_err(unusable)?;
    let whole = Room {
        boxes: config.boxes.alive_max as u64,
        memory_bytes: config.boxes.memory_max_mib.saturating_mul(1024 * 1024),
        pids: config.boxes.pids_max,
    };
    let admission = Admission::new(whole, config.boxes.waiting_max);
    Ok(Sessions::new(SessionParts {
        tiers: tiers.clone(),
        code,
        admission,
        http: wire_agent_http(),
        door: Arc::clone(door) as Arc<dyn Door>,
        logs: Arc::clone(&ports.logs),
        clock: Arc::clone(&ports.clock),
    }))
}

fn wire_rotator(ports: &Ports, tenancy: &Arc<Tenancy>, (runs, freezes): (&Arc<Runs>, &Arc<Freezes>)) -> Arc<Rotator> {
    Rotator::new(RotatorParts {
        rotations: Arc::clone(tenancy) as Arc<dyn Rotations>,
        runs: Arc::clone(runs),
        freezes: Arc::clone(freezes),
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
    })
}

/// What speaks with agents that are servers.
fn wire_agent_http() -> Arc<dyn AgentHttp> {
    Arc::new(HyperHttp)
}

fn wire_logs(config: &Config, data: &DataDir) -> Result<Arc<dyn Logs>, StartError> {
    let path = data.logs();
    let bytes_max = config.log.agents_max_mib.saturating_mul(1024 * 1024);
    let logs = DiskLogs::open(path.clone(), bytes_max).map_err(|cause| StartError::DataDir { path, cause })?;
    Ok(Arc::new(logs))
}

/// What was open when the server went away is recorded as crashed before anything begins.
async fn recover(runs: &Runs, store: &dyn Store) -> Result<(), StartError> {
    for tenant in crate::sweep::tenants(store).await.map_err(aegis_model::Fault::from)? {
        let crashed = runs.recover(&tenant).await?;
        if crashed > 0 {
            tracing::warn!(tenant = tenant.as_str(), crashed, "runs that were open when the server went away");
        }
    }
    Ok(())
}

async fn wire_process(config: &Config, data: &DataDir, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Runtime>, BoxError> {
    let settings = Settings {
        directory: data.boxes(),
        ready_per_size: config.boxes.ready_per_size,
        boxes_max: config.boxes.alive_max,
        clock: Arc::clone(clock),
    };
    Ok(Arc::new(ProcessRuntime::open(settings).await?))
}

fn wire_tenancy(config: &Config, ports: &Ports, journal: &Arc<Journal>, url: &str) -> Result<Tenancy, StartError> {
    let issuers = Issuers::new(config.auth.trusts(), &wire_fetch(config)?, &ports.clock);
    let names = config.identity.names(url)?;
    config.auth.refuses(&names.issuer)?;
    let roots = Roots { master: &ports.root, region: &config.auth.region, issuers, names };
    Ok(Tenancy::new(Arc::clone(journal), Arc::clone(&ports.vault), Arc::clone(&ports.entropy), roots))
}

/// What reads what issuers of tokens publish.
fn wire_fetch(config: &Config) -> Result<Arc<dyn Fetch>, StartError> {
    let unreadable = |path: &Path, problem: String| StartError::Tls(format!("`{}`: {problem}", path.display()));
    let authorities = match &config.auth.authorities {
        Some(path) => Some(std::fs::read(path).map_err(|error| unreadable(path, error.to_string()))?),
        None => None,
    };
    let fetch = HttpsFetch::new(authorities.as_deref()).map_err(|error| StartError::Tls(error.to_string()))?;
    Ok(Arc::new(fetch))
}

fn wire_policies(ports: &Ports, journal: &Arc<Journal>, fleet: &Arc<Fleet>) -> Result<Policies, StartError> {
    let means = (Arc::clone(&ports.entropy), Arc::clone(&ports.clock));
    Ok(Policies::new(Arc::clone(journal), Arc::clone(fleet), means)?)
}

fn wire_gate(
    journal: &Arc<Journal>,
    policies: &Arc<Policies>,
    (freezes, approvals): (&Arc<Freezes>, &Arc<Approvals>),
) -> Arc<Gate> {
    let (freezes, approvals) = (Arc::clone(freezes), Arc::clone(approvals));
    Arc::new(Gate::new(Arc::clone(journal), Arc::clone(policies), freezes, approvals))
}

fn wire_approvals(
    config: &Config,
    ports: &Ports,
    (journal, policies): (&Arc<Journal>, &Arc<Policies>),
) -> Arc<Approvals> {
    Approvals::new(ApprovalsParts {
        journal: Arc::clone(journal),
        policies: Arc::clone(policies),
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
        expires_after_ms: config.approvals.expires_after.as_millis(),
    })
}

fn wire_outward(
    ports: &Ports,
    journal: &Arc<Journal>,
    (policies, freezes): (&Arc<Policies>, &Arc<Freezes>),
) -> Arc<Outward> {
    Outward::new(OutwardParts {
        policies: Arc::clone(policies),
        freezes: Arc::clone(freezes),
        journal: Arc::clone(journal),
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
    })
}

/// The admin's key is on disk before it counts: a start that is cut short leaves no key that
/// nobody has.
async fn first_start(tenancy: &Tenancy, clock: &dyn Clock, data: &DataDir) -> Result<bool, StartError> {
    let Some(start) = tenancy.first_start(clock.now()).await? else {
        return Ok(false);
    };
    data.keep_admin_key(&start.admin_key)?;
    tenancy.complete(start).await?;
    Ok(true)
}
