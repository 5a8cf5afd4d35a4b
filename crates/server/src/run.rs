//! Starting and stopping: everything is ready before `ready` is said, and running requests
//! end before the process does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aegis_dispatch::Runs;
use aegis_egress::Egress;
use aegis_gateway::App;
use aegis_model::Fault;
use aegis_model::port::{Gate, Store};
use axum::Router;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::config::{Config, UpOptions};
use crate::data_dir::DataDir;
use crate::listen::{Listener, acceptor, bind};
use crate::start_error::StartError;
use crate::system::{raise_descriptors, seal_memory};
use crate::wire::{House, house};
use crate::{rotate, sweep, telemetry};

/// How often is kept when keys were used last.
const KEEP_USES_EVERY: Duration = Duration::from_secs(60);

/// One part of so many of this process's descriptors is for streams of boxes; the rest is for
/// everybody else, whatever boxes do.
const STREAMS_PART: u64 = 4;

/// A server that serves.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Where.
    pub url: String,
    /// Where metrics are.
    pub metrics_url: String,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where the first admin's key lies.
    pub admin_key: PathBuf,
    /// Whether this was the first start.
    pub first_start: bool,
}

/// Runs the server until SIGTERM or SIGINT. Says when it is ready.
///
/// # Errors
/// When it cannot start; the message names the cause.
pub fn run(options: &UpOptions, on_ready: impl FnOnce(&Ready) + Send) -> Result<(), StartError> {
    let config = Config::load(options)?;
    telemetry::start(config.log);
    seal_memory().map_err(StartError::System)?;
    let descriptors = raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(StartError::System)?;
    let ended = runtime.block_on(up(&config, descriptors, on_ready));
    // What still runs after the drain is cut off.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

#[expect(clippy::disallowed_methods, reason = "the drain has a time limit")]
async fn up(config: &Config, descriptors: u64, on_ready: impl FnOnce(&Ready) + Send) -> Result<(), StartError> {
    let mut stop_signals = StopSignals::listen()?;
    let tls = config.tls.as_ref().map(acceptor).transpose()?;
    let data = DataDir::open(&config.data_dir)?;
    let api = bind(config.listen, "--listen").await?;
    let metrics = bind(config.metrics_listen, "--metrics-listen").await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", api.local_addr().map_err(StartError::System)?);
    let house = house(config, &data, &url).await?;
    let ready = Ready {
        url,
        metrics_url: format!("http://{}/metrics", metrics.local_addr().map_err(StartError::System)?),
        data_dir: config.data_dir.clone(),
        admin_key: data.admin_key(),
        first_start: house.first_start,
    };
    let (stop, stopped) = watch::channel(false);
    let header_timeout = Duration::from_millis(config.http.header_timeout_ms);
    let streams_max = usize::try_from(descriptors / STREAMS_PART).unwrap_or(usize::MAX);
    let egress = way_out(config, &house, streams_max);
    let served = (aegis_gateway::door_router(&house.app), Arc::clone(&egress));
    house.door.open(served, header_timeout, (streams_max, stopped.clone()));
    let serving =
        tokio::spawn(listener(config, &house, api, aegis_gateway::router(&house.app), tls).serve(stopped.clone()));
    let measured = listener(config, &house, metrics, aegis_gateway::metrics_router(&house.app), None);
    let measuring = tokio::spawn(measured.serve(stopped.clone()));
    let sweeping = tokio::spawn(sweep::run(Arc::clone(&house.store), Arc::clone(&house.clock), stopped));
    let rotating = tokio::spawn(rotate::run(Arc::clone(&house.rotator), stop.subscribe()));
    let keeping = tokio::spawn(keep_uses(Arc::clone(&house.app), stop.subscribe()));
    tokio::spawn(warm_up(Arc::clone(&house.runs), Arc::clone(&house.store)));
    tokio::spawn(go_on_rotating(Arc::clone(&house.app)));
    tracing::info!(url = ready.url, metrics = ready.metrics_url, "ready");
    on_ready(&ready);
    stop_signals.next().await;
    house.app.drain();
    tracing::info!("stopping: no new connections, running requests may end; signal again to stop at once");
    let _ = stop.send(true);
    let ended = async { tokio::join!(serving, measuring, sweeping, rotating, keeping) };
    tokio::select! {
        _ = ended => tracing::info!("stopped"),
        () = tokio::time::sleep(Duration::from_millis(config.drain_timeout_ms)) => tracing::warn!("stopped; requests were cut off"),
        () = stop_signals.next() => tracing::warn!("stopped at once"),
    }
    house.runs.close().await;
    house.tiers.close().await;
    house.door.close();
    egress.settle().await;
    house.outward.close().await;
    Ok(())
}

/// The way out of boxes. Each of its connections takes two descriptors.
fn way_out(config: &Config, house: &House, streams_max: usize) -> Arc<Egress> {
    let gate = Arc::clone(&house.outward) as Arc<dyn Gate>;
    let settings = config.egress.settings(streams_max / 2);
    Egress::new(gate, settings, Arc::clone(&house.clock), Arc::clone(&house.entropy))
}

/// Keeps when keys were used last, now and then and once more at the end.
#[expect(clippy::disallowed_methods, reason = "a chore that waits for its time")]
async fn keep_uses(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut going_on = true;
    while going_on {
        going_on = tokio::select! {
            () = tokio::time::sleep(KEEP_USES_EVERY) => true,
            _ = stop.changed() => false,
        };
        if let Err(error) = app.keep_uses().await {
            tracing::warn!(%error, "when keys were used last could not be kept");
        }
    }
}

/// A rotation of the key-encryption key that was cut short is completed while the server serves.
async fn go_on_rotating(app: Arc<App>) {
    match app.go_on_rotating().await {
        Ok(None) => {}
        Ok(Some(done)) => {
            tracing::info!(key = done.key, tenants = done.tenants, "a rotation that was cut short is complete")
        }
        Err(error) => {
            tracing::warn!(%error, "a rotation that was cut short is not complete; nothing is lost, rotate again")
        }
    }
}

/// Boxes that are to be kept ready are made while the server serves already.
async fn warm_up(runs: Arc<Runs>, store: Arc<dyn Store>) {
    let warmed = async {
        for tenant in sweep::tenants(&*store).await? {
            runs.warm_up_all(&tenant).await?;
        }
        Ok::<(), Fault>(())
    };
    if let Err(error) = warmed.await {
        tracing::warn!(%error, "boxes could not be kept ready");
    }
}

fn listener(
    config: &Config,
    house: &House,
    socket: tokio::net::TcpListener,
    router: Router,
    tls: Option<tokio_rustls::TlsAcceptor>,
) -> Listener {
    Listener {
        socket,
        tls,
        router,
        metrics: house.app.metrics(),
        connections_max: config.http.connections_max,
        header_timeout: Duration::from_millis(config.http.header_timeout_ms),
    }
}

/// SIGTERM and SIGINT.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> Result<Self, StartError> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(StartError::System)?,
            interrupt: signal(SignalKind::interrupt()).map_err(StartError::System)?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
