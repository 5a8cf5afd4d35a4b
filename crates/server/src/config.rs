//! The one configuration: a TOML file, then the environment, then the command line; typed,
//! checked once, read nowhere else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use aegis_gateway::Limits;
use aegis_identity::Passphrase;
use aegis_identity::sigv4::{VerifyOptions, Window};
use aegis_tenancy::Trust;
use serde::Deserialize;

use crate::keys::KeysConfig;

mod approvals;
mod egress;
mod identity;
mod issuer;

use approvals::ApprovalsConfig;
use egress::EgressConfig;
use identity::IdentityConfig;
use issuer::IssuerConfig;

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct UpOptions {
    /// Where everything is kept.
    pub data_dir: Option<PathBuf>,
    /// Where the API is served.
    pub listen: Option<SocketAddr>,
    /// Where metrics are served.
    pub metrics_listen: Option<SocketAddr>,
    /// The configuration file.
    pub config_file: Option<PathBuf>,
    /// The passphrase of the keys, as somebody typed it who was asked.
    pub passphrase: Option<Passphrase>,
    /// Readable logs with more detail. Changes no rule.
    pub dev: bool,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file `{}` cannot be read: {cause}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("configuration file `{}` is not valid: {problem}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A variable of the environment is not what it should be.
    #[error("`{name}` is not valid: {problem}")]
    Variable {
        /// Which.
        name: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// There is no place for data.
    #[error("no data directory: set `HOME`, `AEGIS_DATA_DIR` or `--data-dir`")]
    NoDataDir,
    /// Everybody on the network could read the traffic.
    #[error(
        "refusing to serve `{0}` without TLS: set `tls.certificate` and `tls.key`, or `http.tls_terminated_by_proxy`"
    )]
    OpenWithoutTls(SocketAddr),
    /// Nobody could sign for it.
    #[error("`auth.region` has 1 to 64 of the characters a-z, 0-9 and -, and `{0}` has not")]
    Region(String),
    /// Nobody could find the keys there.
    #[error(
        "`identity.issuer` is the address of this server as others see it, `http://` or `https://`, and `{0}` is none"
    )]
    IdentityIssuer(String),
    /// Nothing can be named in it.
    #[error("`identity.trust_domain` has 1 to 255 of the characters a-z, 0-9, `.`, `-` and `_`, and `{0}` has not")]
    TrustDomain(String),
    /// Its tokens could not be judged.
    #[error("`auth.issuers`, `{issuer}`: {problem}")]
    Issuer {
        /// Which.
        issuer: String,
        /// What is wrong.
        problem: String,
    },
    /// A limit makes no sense.
    #[error("`{name}` must be from {min} to {max}")]
    OutOfBounds {
        /// Which.
        name: &'static str,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
}

/// Everything that can be configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where the API is served.
    pub listen: SocketAddr,
    /// Where metrics are served.
    pub metrics_listen: SocketAddr,
    /// The HTTP front.
    pub http: HttpConfig,
    /// Certificates, when this server speaks TLS itself.
    pub tls: Option<TlsConfig>,
    /// Who asks, and how that is proven.
    pub auth: AuthConfig,
    /// How sessions prove to others who they are.
    pub identity: IdentityConfig,
    /// The keys of the installation.
    pub keys: KeysConfig,
    /// Boxes.
    pub boxes: BoxesConfig,
    /// The way out of them.
    pub egress: EgressConfig,
    /// What somebody has to approve.
    pub approvals: ApprovalsConfig,
    /// Logs.
    pub log: LogConfig,
    /// How long running requests may go on after the first SIGTERM.
    pub drain_timeout_ms: u64,
}

/// The HTTP front.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Names, beside the loopback ones, that this server answers for.
    pub hosts: Vec<String>,
    /// Origins of web pages that may ask.
    pub origins: Vec<String>,
    /// Whether a proxy in front speaks TLS.
    pub tls_terminated_by_proxy: bool,
    /// Open connections at once.
    pub connections_max: usize,
    /// How long a request's head may take, and how long a connection may idle.
    pub header_timeout_ms: u64,
    /// How long a body may take.
    pub body_timeout_ms: u64,
    /// How long an answer may take.
    pub answer_timeout_ms: u64,
    /// Largest body of an ordinary request.
    pub body_size_max_bytes: usize,
    /// Largest body of a deployment with a bundle.
    pub bundle_size_max_bytes: usize,
    /// Requests per second for each key.
    pub key_rate_per_second: u32,
    /// How many requests a key may save up.
    pub key_burst: u32,
    /// Requests per second for each session at the door of its box.
    pub session_rate_per_second: u32,
    /// How many requests a session may save up.
    pub session_burst: u32,
    /// Failed authentications per second for each address.
    pub failure_rate_per_second: u32,
}

/// Who asks, and how that is proven.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// The region that requests are signed for.
    pub region: String,
    /// How far the clocks of those who sign may be apart from this server's.
    pub clock_skew_max_s: u32,
    /// Certificates (PEM) of authorities to trust, beside those of the machine, where issuers
    /// publish their keys.
    pub authorities: Option<PathBuf>,
    /// Whose tokens are believed.
    pub issuers: Vec<IssuerConfig>,
}

/// Boxes.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoxesConfig {
    /// How many may live at a time.
    pub alive_max: usize,
    /// How many of each size are prepared for before anybody asks.
    pub ready_per_size: usize,
    /// Memory that all of them together may be given.
    pub memory_max_mib: u64,
    /// Processes and threads that all of them together may be given.
    pub pids_max: u64,
    /// How many runs may wait for room at a time.
    pub waiting_max: usize,
}

/// Certificates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Readable on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// Readable.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Failures only.
    Error,
    /// What may become one.
    Warn,
    /// Starting, stopping, and the rare events.
    #[default]
    Info,
    /// Every request.
    Debug,
    /// Everything.
    Trace,
}

/// Logs.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// How.
    pub format: LogFormat,
    /// How much.
    pub level: LogLevel,
    /// Room for the logs of agents; the oldest go first.
    pub agents_max_mib: u64,
}

/// The services that requests may be signed for: Aegis itself, what proxies in front of an
/// API sign for, and the ones whose clients speak to Aegis unchanged.
const SERVICES: [&str; 4] = ["aegis", "execute-api", "bedrock-agentcore", "bedrock-agentcore-control"];

fn is_region(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (1..=64).contains(&text.len()) && letters
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::new(),
            listen: loopback(7700),
            metrics_listen: loopback(7701),
            http: HttpConfig::default(),
            tls: None,
            auth: AuthConfig::default(),
            identity: IdentityConfig::default(),
            keys: KeysConfig::default(),
            boxes: BoxesConfig::default(),
            egress: EgressConfig::default(),
            approvals: ApprovalsConfig::default(),
            log: LogConfig::default(),
            drain_timeout_ms: 30_000,
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            origins: Vec::new(),
            tls_terminated_by_proxy: false,
            connections_max: 4_096,
            header_timeout_ms: 30_000,
            body_timeout_ms: 30_000,
            answer_timeout_ms: 60_000,
            body_size_max_bytes: 512 * 1024,
            bundle_size_max_bytes: 64 * 1024 * 1024,
            key_rate_per_second: 2_000,
            key_burst: 4_000,
            session_rate_per_second: 20,
            session_burst: 100,
            failure_rate_per_second: 50,
        }
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self { region: "us-east-1".to_owned(), clock_skew_max_s: 300, authorities: None, issuers: Vec::new() }
    }
}

impl AuthConfig {
    /// Whose tokens are believed.
    pub fn trusts(&self) -> Vec<Trust> {
        self.issuers.iter().map(IssuerConfig::trust).collect()
    }

    /// Refuses to believe tokens of this server itself: agents choose for whom they are.
    ///
    /// # Errors
    /// When this server is among the issuers.
    pub fn refuses(&self, own: &str) -> Result<(), ConfigError> {
        let same = |one: &&IssuerConfig| one.issuer.trim_end_matches('/') == own;
        match self.issuers.iter().find(same) {
            None => Ok(()),
            Some(one) => {
                let problem = "it is this server itself, and agents choose for whom its tokens are".to_owned();
                Err(ConfigError::Issuer { issuer: one.issuer.clone(), problem })
            }
        }
    }

    /// What signed requests must be signed for.
    fn signatures(&self) -> VerifyOptions {
        let services = SERVICES.map(str::to_owned).to_vec();
        let window = Window::from_secs(self.clock_skew_max_s).unwrap_or(Window::DEFAULT);
        VerifyOptions { services, window, ..VerifyOptions::new(&self.region, "") }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: LogLevel::Info, agents_max_mib: 1_024 }
    }
}

impl Default for BoxesConfig {
    fn default() -> Self {
        Self {
            alive_max: 1_000,
            ready_per_size: 4,
            memory_max_mib: crate::system::memory_mib(),
            pids_max: 100_000,
            waiting_max: 1_000,
        }
    }
}

impl Config {
    /// The limits of the front.
    pub fn limits(&self) -> Limits {
        Limits {
            body_size_max_bytes: self.http.body_size_max_bytes,
            bundle_size_max_bytes: self.http.bundle_size_max_bytes,
            body_timeout_ms: self.http.body_timeout_ms,
            answer_timeout_ms: self.http.answer_timeout_ms,
            key_rate_per_second: self.http.key_rate_per_second,
            key_burst: self.http.key_burst,
            session_rate_per_second: self.http.session_rate_per_second,
            session_burst: self.http.session_burst,
            failure_rate_per_second: self.http.failure_rate_per_second,
            large_bodies_max: 4,
            signatures: self.auth.signatures(),
        }
    }

    /// Reads file, environment and command line, and checks the result.
    ///
    /// # Errors
    /// Naming the file, variable or field that is wrong.
    pub fn load(options: &UpOptions) -> Result<Self, ConfigError> {
        Self::load_from(options, variable)
    }

    fn load_from(options: &UpOptions, variable: fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let file = options.config_file.clone().or_else(|| variable("AEGIS_CONFIG").map(PathBuf::from));
        let mut config = match &file {
            Some(path) => read(path)?,
            None => Self::default(),
        };
        config.take_environment(variable)?;
        config.take_options(options);
        if config.data_dir.as_os_str().is_empty() {
            config.data_dir = home(variable).ok_or(ConfigError::NoDataDir)?;
        }
        config.check()?;
        Ok(config)
    }

    fn take_environment(&mut self, variable: fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        if let Some(dir) = variable("AEGIS_DATA_DIR") {
            self.data_dir = PathBuf::from(dir);
        }
        if let Some(file) = variable("AEGIS_PASSPHRASE_FILE") {
            self.keys.passphrase_file = Some(PathBuf::from(file));
        }
        for (name, place) in [("AEGIS_LISTEN", &mut self.listen), ("AEGIS_METRICS_LISTEN", &mut self.metrics_listen)] {
            if let Some(text) = variable(name) {
                let problem = |_| ConfigError::Variable { name, problem: format!("`{text}` is not ADDRESS:PORT") };
                *place = text.parse().map_err(problem)?;
            }
        }
        Ok(())
    }

    fn take_options(&mut self, options: &UpOptions) {
        if let Some(dir) = &options.data_dir {
            self.data_dir.clone_from(dir);
        }
        self.keys.typed.clone_from(&options.passphrase);
        self.listen = options.listen.unwrap_or(self.listen);
        self.metrics_listen = options.metrics_listen.unwrap_or(self.metrics_listen);
        if options.dev {
            self.log = LogConfig { format: LogFormat::Pretty, level: LogLevel::Debug, ..self.log };
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let private = self.tls.is_some() || self.http.tls_terminated_by_proxy;
        for address in [self.listen, self.metrics_listen] {
            if !address.ip().is_loopback() && !private {
                return Err(ConfigError::OpenWithoutTls(address));
            }
        }
        let http = &self.http;
        let bounds: [(&'static str, u64, u64, u64); 17] = [
            ("http.connections_max", http.connections_max as u64, 1, 1_000_000),
            ("http.header_timeout_ms", http.header_timeout_ms, 100, 600_000),
            ("http.body_timeout_ms", http.body_timeout_ms, 100, 3_600_000),
            ("http.answer_timeout_ms", http.answer_timeout_ms, 100, 3_600_000),
            ("http.body_size_max_bytes", http.body_size_max_bytes as u64, 1_024, 3 * 1024 * 1024),
            ("http.bundle_size_max_bytes", http.bundle_size_max_bytes as u64, 1_024, 1024 * 1024 * 1024),
            ("http.key_rate_per_second", u64::from(http.key_rate_per_second), 1, 100_000_000),
            ("http.key_burst", u64::from(http.key_burst), 1, 100_000_000),
            ("http.session_rate_per_second", u64::from(http.session_rate_per_second), 1, 100_000_000),
            ("http.session_burst", u64::from(http.session_burst), 1, 100_000_000),
            ("auth.clock_skew_max_s", u64::from(self.auth.clock_skew_max_s), 1, 900),
            ("log.agents_max_mib", self.log.agents_max_mib, 1, 1 << 30),
            // As many as there are users for them.
            ("boxes.alive_max", self.boxes.alive_max as u64, 1, 4_000),
            ("boxes.ready_per_size", self.boxes.ready_per_size as u64, 0, 64),
            ("boxes.memory_max_mib", self.boxes.memory_max_mib, 16, 1 << 30),
            ("boxes.pids_max", self.boxes.pids_max, 1, 1 << 22),
            ("boxes.waiting_max", self.boxes.waiting_max as u64, 0, 100_000),
        ];
        if !is_region(&self.auth.region) {
            return Err(ConfigError::Region(self.auth.region.clone()));
        }
        self.identity.names("http://127.0.0.1")?;
        self.auth.issuers.iter().try_for_each(IssuerConfig::check)?;
        let names: std::collections::BTreeSet<&str> = self.auth.issuers.iter().map(|one| one.issuer.as_str()).collect();
        if names.len() < self.auth.issuers.len() {
            let problem = "an issuer is there twice; put its rules together".to_owned();
            return Err(ConfigError::Issuer { issuer: names.into_iter().collect::<Vec<_>>().join(", "), problem });
        }
        self.egress.check()?;
        self.approvals.check()?;
        match bounds.iter().find(|(_, value, min, max)| !(min..=max).contains(&value)) {
            Some((name, _, min, max)) => Err(ConfigError::OutOfBounds { name, min: *min, max: *max }),
            None => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Config, ConfigError> {
    let unreadable = |cause| ConfigError::Unreadable { path: path.to_owned(), cause };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    toml::from_str(&text).map_err(|error| {
        let place = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.split('\n').count());
        ConfigError::Invalid { path: path.to_owned(), problem: format!("line {place}: {}", error.message()) }
    })
}

/// Where data lies when nobody says.
fn home(variable: fn(&str) -> Option<String>) -> Option<PathBuf> {
    let shared = variable("XDG_DATA_HOME").filter(|dir| Path::new(dir).is_absolute()).map(PathBuf::from);
    let own = variable("HOME").filter(|dir| !dir.is_empty()).map(|dir| Path::new(&dir).join(".local/share"));
    shared.or(own).map(|dir| dir.join("aegis"))
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn check(toml: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("aegis.toml");
        std::fs::write(&file, toml).unwrap();
        let options = UpOptions { config_file: Some(file), data_dir: Some("d".into()), ..UpOptions::default() };
        Config::load_from(&options, nothing)
    }

    #[test]
    fn the_default_serves_loopback_only() {
        let config = check("").unwrap();
        assert!(config.listen.ip().is_loopback() && config.metrics_listen.ip().is_loopback());
    }

    #[test]
    fn an_open_address_needs_tls_or_a_proxy() {
        assert!(matches!(check("listen = \"0.0.0.0:7700\""), Err(ConfigError::OpenWithoutTls(_))));
        assert!(check("listen = \"0.0.0.0:7700\"\n[http]\ntls_terminated_by_proxy = true").is_ok());
        assert!(check("listen = \"0.0.0.0:7700\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"").is_ok());
    }

    #[test]
    fn unknown_fields_and_wild_limits_are_refused() {
        assert!(matches!(check("lisen = \"127.0.0.1:1\""), Err(ConfigError::Invalid { .. })));
        assert!(matches!(check("[http]\nkey_burst = 0"), Err(ConfigError::OutOfBounds { .. })));
        assert!(matches!(check("[boxes]\nalive_max = 0"), Err(ConfigError::OutOfBounds { .. })));
        let approvals = |time: &str| check(&format!("[approvals]\nexpires_after = \"{time}\""));
        for good in ["1m", "7d", "90m"] {
            assert!(approvals(good).is_ok(), "{good}");
        }
        assert!(matches!(approvals("59s"), Err(ConfigError::OutOfBounds { .. })));
        assert!(matches!(approvals("8d"), Err(ConfigError::OutOfBounds { .. })));
        assert!(matches!(check("[auth]\nclock_skew_max_s = 901"), Err(ConfigError::OutOfBounds { .. })));
        let issuer = |rest: &str| format!("[[auth.issuers]]\nissuer = \"https://i.example\"\n{rest}");
        let rule = "rules = [{tenant = \"acme\", role = \"viewer\"}]";
        assert!(check(&issuer(&format!("audiences = [\"aegis\"]\n{rule}"))).is_ok());
        let platform = rule.replace("viewer", "platform-admin");
        for wrong in [
            &format!("audiences = []\n{rule}"),
            "audiences = [\"a\"]\nrules = []",
            &format!("audiences = [\"a\"]\n{platform}"),
        ] {
            assert!(matches!(check(&issuer(wrong)), Err(ConfigError::Issuer { .. })), "{wrong}");
        }
        assert!(matches!(check("[auth]\nregion = \"Here/there\""), Err(ConfigError::Region(_))));
        assert!(matches!(check("[http]\nbody_size_max_bytes = 99999999"), Err(ConfigError::OutOfBounds { .. })));
    }

    #[test]
    fn without_a_home_the_data_directory_must_be_named() {
        let options = UpOptions::default();
        assert!(matches!(Config::load_from(&options, nothing), Err(ConfigError::NoDataDir)));
    }

    #[test]
    fn the_command_line_wins_over_environment_and_file() {
        fn environment(name: &str) -> Option<String> {
            (name == "AEGIS_LISTEN").then(|| "127.0.0.1:2".to_owned())
        }
        let mut options = UpOptions { data_dir: Some("d".into()), ..UpOptions::default() };
        assert_eq!(Config::load_from(&options, environment).unwrap().listen.port(), 2);
        options.listen = Some(loopback(3));
        assert_eq!(Config::load_from(&options, environment).unwrap().listen.port(), 3);
    }
}
