//! The way to a target: the connection to the proxy and the CONNECT dialogue over it.
//!
//! Owns the request, the reading of the answer's head and the choice among several proxies and
//! targets; must not know what the tunnel is used for.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::options::Options;
use crate::socket::{Failure, Interest, Link};

const HEAD_LIMIT: usize = 16 * 1024;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Where connections go and what counts as open.
pub struct Route {
    proxies: Vec<SocketAddr>,
    requests: Vec<Vec<u8>>,
    reset: bool,
    timeout: Duration,
}

impl Route {
    /// Reads `proxy`, `target`, `direct`, `reset` and `timeout_s`.
    ///
    /// # Errors
    /// When one of them is missing or wrong.
    pub fn tunnels(options: &mut Options) -> Outcome<Self> {
        if options.switch("direct")? {
            options.take("target");
            return Self::connections(options);
        }
        let requests = requests(&options.need("target")?);
        Ok(Self { requests, ..Self::connections(options)? })
    }

    /// Reads the same but the target, for connections that count as open without a dialogue.
    ///
    /// # Errors
    /// When one of them is missing or wrong.
    pub fn connections(options: &mut Options) -> Outcome<Self> {
        let list = options.need("proxy")?;
        let addresses: Result<Vec<SocketAddr>, _> = list.split(',').map(str::parse).collect();
        Ok(Self {
            proxies: addresses.map_err(|_| format!("`{list}` is not numeric ADDR:PORT"))?,
            requests: vec![Vec::new()],
            reset: options.switch("reset")?,
            timeout: Duration::from_secs(options.number("timeout_s", Some(10))?),
        })
    }

    /// How long a connection may take to open.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Begins the connection number `turn`; the numbers go round all proxies and targets.
    ///
    /// # Errors
    /// When no connection can even be begun.
    pub fn dial(&self, turn: usize) -> Result<Dialogue<'_>, Failure> {
        let started = Instant::now();
        let link = Link::connect(self.proxies[turn % self.proxies.len()], self.reset)?;
        let request = &self.requests[turn % self.requests.len()];
        Ok(Dialogue { link, started, request, sent: 0, head: Vec::new() })
    }
}

/// The requests for a list of targets with commas between them.
pub fn requests(targets: &str) -> Vec<Vec<u8>> {
    targets
        .split(',')
        .map(|target| format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").into_bytes())
        .collect()
}

/// What a step led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing more can be done before this.
    Wait(Interest),
    /// The way is open; this many bytes came right behind the answer's head.
    Open(usize),
}

/// A connection on its way to being open.
pub struct Dialogue<'a> {
    /// The connection.
    pub link: Link,
    /// When it was begun.
    pub started: Instant,
    request: &'a [u8],
    sent: usize,
    head: Vec<u8>,
}

impl Dialogue<'_> {
    /// Goes as far as is possible without waiting.
    ///
    /// # Errors
    /// When the way does not open.
    pub fn advance(&mut self, scratch: &mut [u8]) -> Result<Step, Failure> {
        if self.request.is_empty() {
            let connected = self.link.is_connected()?;
            return Ok(if connected { Step::Open(0) } else { Step::Wait(Interest::Write) });
        }
        if self.sent < self.request.len() {
            self.sent += self.link.send(&self.request[self.sent..])?.unwrap_or(0);
            let complete = self.sent == self.request.len();
            return Ok(Step::Wait(if complete { Interest::Read } else { Interest::Write }));
        }
        match self.link.receive(scratch)? {
            None => Ok(Step::Wait(Interest::Read)),
            Some(0) => Err(Failure::Closed("before the answer")),
            Some(count) => self.read_head(&scratch[..count]),
        }
    }

    fn read_head(&mut self, bytes: &[u8]) -> Result<Step, Failure> {
        self.head.extend_from_slice(bytes);
        match self.head.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD) {
            Some(at) => {
                judge(&self.head)?;
                Ok(Step::Open(self.head.len() - at - END_OF_HEAD.len()))
            }
            None if self.head.len() > HEAD_LIMIT => Err(Failure::LongHead),
            None => Ok(Step::Wait(Interest::Read)),
        }
    }
}

fn judge(head: &[u8]) -> Result<(), Failure> {
    if head.starts_with(b"HTTP/1.") && head.get(8..10) == Some(b" 2") {
        return Ok(());
    }
    Err(Failure::Refused(first_line(head)))
}

/// The first line of what a proxy said, short enough for a report.
pub fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\r' || *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{first_line, judge, requests};

    #[test]
    fn only_an_answer_of_success_opens_the_way() {
        assert!(judge(b"HTTP/1.1 200 Connection established\r\n\r\n").is_ok());
        assert!(judge(b"HTTP/1.0 204 x\r\n\r\n").is_ok());
        assert!(judge(b"HTTP/1.1 403 Forbidden\r\n\r\n").is_err());
        assert!(judge(b"SSH-2.0\r\n\r\n").is_err());
    }

    #[test]
    fn every_target_of_the_list_gets_its_request() {
        let wanted = b"CONNECT b:2 HTTP/1.1\r\nHost: b:2\r\n\r\n".to_vec();
        assert_eq!(requests("a:1,b:2")[1], wanted);
    }

    #[test]
    fn the_first_line_is_cut_to_what_a_report_can_hold() {
        assert_eq!(first_line(b"HTTP/1.1 403 No\r\nX: y"), "HTTP/1.1 403 No");
        assert_eq!(first_line(&[b'a'; 300]).len(), 80);
    }
}
