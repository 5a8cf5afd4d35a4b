//! What this machine can do. Grows with what Aegis needs of a machine.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::config::{Config, UpOptions};
use crate::data_dir::DataDir;

/// Free space below which a warning is due.
const FREE_MIN_BYTES: u64 = 1024 * 1024 * 1024;

/// How long a listener may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// It is there and works.
    Ok,
    /// It is not there.
    Missing,
    /// It is there and does not work.
    Failed,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoctorCheck {
    /// What was looked at.
    pub name: String,
    /// What was found.
    pub state: CheckState,
    /// The same in words.
    pub found: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Whether the configuration needs it.
    pub configured: bool,
}

/// All checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    /// One by one.
    pub checks: Vec<DoctorCheck>,
}

impl DoctorReport {
    /// Whether everything that is configured works.
    pub fn is_well(&self) -> bool {
        self.checks.iter().all(|check| check.state == CheckState::Ok || !check.configured)
    }
}

/// Looks at the machine.
pub fn doctor(options: &UpOptions) -> DoctorReport {
    let config = match Config::load(options) {
        Ok(config) => config,
        Err(error) => return DoctorReport { checks: vec![needed("configuration", Err(error.to_string()), None)] },
    };
    let mut checks = vec![
        needed("configuration", Ok("valid".to_owned()), None),
        needed("data directory", data_dir(&config.data_dir), Some("choose another with `--data-dir`")),
        needed("free space", free_space(&config.data_dir), Some("free at least 1 GiB on that disk")),
        needed("API address", free_port(config.listen), Some("choose another with `--listen`")),
        needed("metrics address", free_port(config.metrics_listen), Some("choose another with `--metrics-listen`")),
    ];
    if let Some(tls) = &config.tls {
        let read = crate::listen::acceptor(tls).map(|_| "usable".to_owned()).map_err(|error| error.to_string());
        checks.push(needed("TLS certificate", read, Some("give a PEM chain and its key in `tls`")));
    }
    checks.extend(boxes());
    DoctorReport { checks }
}

fn needed(name: &str, found: Result<String, String>, fix: Option<&str>) -> DoctorCheck {
    let state = if found.is_ok() { CheckState::Ok } else { CheckState::Failed };
    let fix = fix.filter(|_| found.is_err()).map(str::to_owned);
    let found = found.unwrap_or_else(|problem| problem);
    DoctorCheck { name: name.to_owned(), state, found, fix, configured: true }
}

fn data_dir(path: &Path) -> Result<String, String> {
    if !path.exists() {
        return Ok(format!("`{}` will be made", path.display()));
    }
    DataDir::open(path).map(|_| format!("`{}`", path.display())).map_err(|error| error.to_string())
}

/// Free space at the nearest directory that exists.
fn free_space(path: &Path) -> Result<String, String> {
    let there = path.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(there).map_err(|error| error.to_string())?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let text = format!("{} MiB", free / 1024 / 1024);
    if free < FREE_MIN_BYTES { Err(text) } else { Ok(text) }
}

/// Whether the address is free, or Aegis itself is there already.
fn free_port(address: std::net::SocketAddr) -> Result<String, String> {
    match std::net::TcpListener::bind(address) {
        Ok(_) => Ok(format!("`{address}` is free")),
        Err(_) if is_aegis(address) => Ok(format!("`{address}`: Aegis is running there")),
        Err(error) => Err(format!("`{address}`: {error}")),
    }
}

/// Whether what listens there answers as Aegis does.
fn is_aegis(address: std::net::SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(4_096).read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("ERR_NO_SUCH_ROUTE"))
}

/// What boxes need of the machine. A server without boxes starts all the same.
fn boxes() -> Vec<DoctorCheck> {
    let survey = aegis_runtime::process::survey();
    let verdict = match survey.absent() {
        None => Ok("can be made".to_owned()),
        Some(_) => Err("cannot be made: see what is missing below".to_owned()),
    };
    let mut checks = vec![kernel_release(), optional("process boxes", verdict, None)];
    let findings = survey.findings.into_iter();
    checks.extend(findings.map(|finding| optional(finding.name, finding.found, Some(finding.fix))));
    checks
}

fn optional(name: &str, found: Result<String, String>, fix: Option<&str>) -> DoctorCheck {
    let state = if found.is_ok() { CheckState::Ok } else { CheckState::Missing };
    DoctorCheck { state, configured: false, ..needed(name, found, fix) }
}

fn kernel_release() -> DoctorCheck {
    let found = fs::read_to_string("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned());
    optional("kernel", found.map_err(|error| error.to_string()), None)
}
