//! The way out of a box against squid and tinyproxy: throughput and new connections through
//! CONNECT, what a round trip adds, and neighbours under half-open and slow connections. All of it
//! in network namespaces of its own, by one load program, against the same servers outside, in
//! rounds of all in turn. What is sent is TLS as far as its hello goes.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use aegis_world::{Program, World};
use serde_json::Value;

use crate::http::Server;
use crate::invoke::{Line, deploy_folder};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 7;
const HOST: &str = "target.example";
const SQUID: &str = "127.0.0.1:3129";
const TINYPROXY: &str = "127.0.0.1:3130";
const OURS: &str = "127.0.0.1:7702";
const ECHO: u16 = 443;
const SOURCE: u16 = 8443;
const SINK: u16 = 9443;

const CONFIG: &str = "[http]\nkey_rate_per_second = 10000000\nkey_burst = 10000000\n[boxes]\nalive_max = 32\n\
    [egress]\nsession_connections_max = 4096\nsession_rate_per_second = 1000000\nsession_burst = 1000000\n\
    session_max_mib = 1000000000\nname_servers = [\"10.77.0.2\"]\n";

/// The whole.
pub fn run() -> Outcome<()> {
    let program = std::env::current_exe()?.with_file_name("aegis");
    if !program.exists() {
        return Err(format!("`{}` is missing: build it first", program.display()).into());
    }
    let world = World::enter().map_err(|error| format!("no world: {error}"))?;
    let home = tempfile::tempdir()?;
    fs::write(home.path().join("aegis.toml"), CONFIG)?;
    let outside = Outside::start(&world)?;
    let peers = Peers::start(home.path())?;
    let mut server = Server::start(&program, home.path())?;
    let measured = measure(&program, &server, home.path());
    server.stop()?;
    drop((peers, outside));
    measured
}

/// What both sides are measured against.
struct Outside(#[expect(dead_code, reason = "ended when it is dropped")] Vec<Program>);

impl Outside {
    fn start(world: &World) -> Outcome<Self> {
        world.names().set_addresses(HOST, &["20.0.0.1"]);
        world.add_address("20.0.0.1");
        let mut programs = Vec::new();
        for (port, kind) in [(ECHO, "echo"), (SOURCE, "source"), (SINK, "sink")] {
            let mut serve = Command::new(aegis_programs::LOAD);
            serve.args(["serve", &format!("listen=20.0.0.1:{port}"), &format!("kind={kind}"), "threads=2", "reset=1"]);
            programs.push(world.run_outside(serve.stdout(Stdio::null()))?);
        }
        Ok(Self(programs))
    }
}

/// The proxies that others use.
struct Peers(Vec<Child>);

impl Drop for Peers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }
}

impl Peers {
    fn start(home: &Path) -> Outcome<Self> {
        let place = home.join("peers");
        fs::create_dir_all(&place)?;
        Command::new("chmod").arg("-R").arg("a+rwX").arg(home).status()?;
        let log = place.join("squid.log");
        let squid = format!(
            "http_port {SQUID}\nhttp_access allow all\ncache deny all\ncache_mem 0 MB\naccess_log none\ncache_log {}\n\
             cache_store_log none\npid_filename none\ncoredump_dir {}\nmax_filedescriptors 20000\n\
             shutdown_lifetime 1 second\nvisible_hostname bench\ncache_effective_user proxy\n\
             cache_effective_group proxy\nvia off\nforwarded_for delete\nnetdb_filename none\npinger_enable off\n\
             dns_nameservers 10.77.0.2\n",
            log.display(),
            place.display()
        );
        let tinyproxy = "User nobody\nGroup nogroup\nPort 3130\nListen 127.0.0.1\nTimeout 600\nMaxClients 10000\n\
             LogLevel Critical\nAllow 127.0.0.1\nDisableViaHeader Yes\n";
        fs::write(place.join("squid.conf"), squid)?;
        fs::write(place.join("tinyproxy.conf"), tinyproxy)?;
        fs::write(place.join("resolv.conf"), "nameserver 10.77.0.2\n")?;
        let mut squid = Command::new("squid");
        squid.args(["-N", "-f"]).arg(place.join("squid.conf"));
        // It has no name servers of its own to be told; the machine's are those of the world here.
        let mut tinyproxy = Command::new("unshare");
        let mount = format!(
            "mount --bind {} /etc/resolv.conf && exec tinyproxy -d -c {}",
            place.join("resolv.conf").display(),
            place.join("tinyproxy.conf").display()
        );
        tinyproxy.args(["-m", "sh", "-c", &mount]);
        let quiet =
            |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let peers = Self(vec![quiet(&mut squid)?, quiet(&mut tinyproxy)?]);
        for address in [SQUID, TINYPROXY] {
            let begun = Instant::now();
            while TcpStream::connect(address).is_err() {
                if begun.elapsed() > Duration::from_secs(20) {
                    return Err(format!("nothing listens on {address}: are squid and tinyproxy installed?").into());
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(peers)
    }
}

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Direct,
    Squid,
    Tinyproxy,
    Aegis,
}

const ALL: [Who; 4] = [Who::Direct, Who::Squid, Who::Tinyproxy, Who::Aegis];

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Direct => "no proxy",
            Self::Squid => "squid",
            Self::Tinyproxy => "tinyproxy",
            Self::Aegis => "aegis, from a box",
        }
    }
}

/// Where the load comes from.
struct Load<'s> {
    server: &'s Server,
    key: String,
}

impl Load<'_> {
    /// What the load program reports, run by hand or in a box.
    fn report(&self, who: Who, what: &str, port: u16, words: &str) -> Outcome<Value> {
        let target = format!("target={HOST}:{port} hello={HOST}");
        let words = match who {
            Who::Direct => format!("{what} proxy=20.0.0.1:{port} direct=1 {target} {words}"),
            Who::Squid => format!("{what} proxy={SQUID} {target} {words}"),
            Who::Tinyproxy => format!("{what} proxy={TINYPROXY} {target} {words}"),
            Who::Aegis => format!("{what} proxy={OURS} {target} {words}"),
        };
        if who == Who::Aegis { self.inside("load", &words) } else { outside(&words) }
    }

    fn inside(&self, agent: &str, words: &str) -> Outcome<Value> {
        let mut line = Line::open(&self.server.address, &self.key)?;
        let body = serde_json::json!({"input": words}).to_string();
        let answer = line.ask(&format!("/api/v1/agents/{agent}/invocations"), &body, 200)?;
        Ok(serde_json::from_slice::<Value>(&answer)?["output"].clone())
    }
}

fn outside(words: &str) -> Outcome<Value> {
    let output = Command::new(aegis_programs::LOAD).args(words.split(' ')).stderr(Stdio::null()).output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn measure(program: &Path, server: &Server, home: &Path) -> Outcome<()> {
    let key = fs::read_to_string(home.join("data/admin.key"))?.trim().to_owned();
    // A crowd has the processor that every box has; whoever measures throughput has both.
    for (name, cpu) in [("load", "cpu: \"2\", "), ("neighbour", ""), ("crowd", "")] {
        let folder = home.join("agents").join(name);
        let source = folder.join("src");
        fs::create_dir_all(&source)?;
        fs::copy(aegis_programs::LOAD, source.join("load"))?;
        let manifest = format!(
            "apiVersion: aegis/v1\nkind: Agent\nmetadata: {{name: {name}}}\nspec:\n  runtime: {{isolation: process, command: [sh, -c, 'exec /app/load $(tr -d \\\")'], source: ./src}}\n  resources: {{{cpu}memory: 256Mi, disk: 16Mi}}\n  permissions: {{network: [{{host: {HOST}, ports: [{ECHO}, {SOURCE}, {SINK}]}}]}}\n"
        );
        fs::write(folder.join("agent.yaml"), manifest)?;
        deploy_folder(program, (&server.address, &key), &folder)?;
    }
    let load = Load { server, key };
    println!("the way out, against proxies of others: {ROUNDS} rounds, medians");
    let connects = rounds(&load, |load, who| {
        let found = load.report(who, "connects", ECHO, "count=8000 concurrency=32 reset=1")?;
        number(&found, "failed")
            .and_then(|failed| if failed > 8.0 { Err(format!("{found}").into()) } else { Ok(()) })?;
        Ok(vec![number(&found, "per_second")?, number(&found, "p50_us")?, number(&found, "p99_us")?])
    })?;
    show("new connections/s, echo p50 and p99 µs", &connects);
    let pings = rounds(&load, |load, who| {
        let found = load.report(who, "pings", ECHO, "count=4000")?;
        Ok(vec![number(&found, "p50_us")?, number(&found, "p99_us")?])
    })?;
    show("round trip of 64 bytes, p50 and p99 µs", &pings);
    for (what, port, direction) in [("down", SOURCE, "down"), ("up", SINK, "up")] {
        let bytes = rounds(&load, |load, who| {
            let words = format!("seconds=2 streams=4 direction={direction}");
            Ok(vec![number(&load.report(who, "bytes", port, &words)?, "megabytes_per_second")?])
        })?;
        show(&format!("throughput {what}, MB/s, 4 streams"), &bytes);
        println!("  to squid: {:.2} (bar 1.0)", bytes[3].1[0] / bytes[1].1[0]);
    }
    println!("  new connections to squid: {:.2} (bar 1.0)", connects[3].1[0] / connects[1].1[0]);
    println!("  added p99 of a round trip: {:+.3} ms (bar 1)", (pings[3].1[1] - pings[0].1[1]) / 1e3);
    crowd(&load)
}

/// A box that opens 10,000 connections and says nothing on them, or a thousand that say a byte
/// now and then, and another box that works.
fn crowd(load: &Load<'_>) -> Outcome<()> {
    let ping = format!("pings proxy={OURS} target={HOST}:{ECHO} hello={HOST} count=3000");
    let mut alone = Vec::new();
    for _ in 0..ROUNDS {
        alone.push(number(&load.inside("neighbour", &ping)?, "p99_us")?);
    }
    let alone = median(&mut alone);
    println!("a neighbour's p99 alone: {alone:.0} µs; resident {} kB", load.server.resident_kb()?);
    let crowds = [
        ("10,000 half-open", format!("idle proxy={OURS} target={HOST}:{ECHO} count=10000 hold_s=8 stage=half-head")),
        ("1,000 slow", format!("slow proxy={OURS} target={HOST}:{ECHO} count=1000 hold_s=8 hello={HOST}")),
    ];
    for (what, words) in crowds {
        let (mut during, resident, held) = thread::scope(|scope| -> Outcome<_> {
            let holding = scope.spawn(|| load.inside("crowd", &words).map_err(|error| error.to_string()));
            thread::sleep(Duration::from_secs(3));
            let mut during = Vec::new();
            for _ in 0..3 {
                during.push(number(&load.inside("neighbour", &ping)?, "p99_us")?);
            }
            let resident = load.server.resident_kb()?;
            let held = holding.join().map_err(|_| "the crowd failed")??;
            Ok((during, resident, held))
        })?;
        let during = median(&mut during);
        println!(
            "  under {what}: p99 {during:.0} µs, {:.2} of alone (bar 2); resident {resident} kB; opened {}",
            during / alone,
            held["opened"]
        );
    }
    Ok(())
}

type Figures = Vec<(Who, Vec<f64>)>;

/// The medians of all, measured in turn.
fn rounds(load: &Load<'_>, measure: impl Fn(&Load<'_>, Who) -> Outcome<Vec<f64>>) -> Outcome<Figures> {
    let mut samples: Vec<Vec<Vec<f64>>> = vec![Vec::new(); ALL.len()];
    for round in 0..ROUNDS {
        let mut order: Vec<usize> = (0..ALL.len()).collect();
        order.rotate_left(round % ALL.len());
        for which in order {
            samples[which].push(measure(load, ALL[which])?);
        }
    }
    let middle = |samples: &[Vec<f64>]| {
        let figures = samples.first().map_or(0, Vec::len);
        (0..figures)
            .map(|figure| median(&mut samples.iter().map(|sample| sample[figure]).collect::<Vec<_>>()))
            .collect()
    };
    Ok(ALL.iter().zip(&samples).map(|(who, samples)| (*who, middle(samples))).collect())
}

fn show(what: &str, figures: &Figures) {
    println!("{what}");
    for (who, figures) in figures {
        let figures: Vec<String> = figures.iter().map(|figure| format!("{figure:>10.1}")).collect();
        println!("  {:<18} {}", who.name(), figures.join(" "));
    }
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

fn number(report: &Value, name: &str) -> Outcome<f64> {
    report[name].as_f64().ok_or_else(|| format!("no `{name}` in {report}").into())
}
