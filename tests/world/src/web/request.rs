//! Reading requests off a connection while every byte goes into the log. Must not know:
//! answers.

use std::io::{self, Read};

use super::record::{Entry, Log};

const READ_LENGTH: usize = 16 * 1024;
/// A head, or a line in front of a chunk, that is longer is no request.
const HEAD_LIMIT: usize = 1024 * 1024;

/// A request whose head was read.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    version: String,
    pub(crate) headers: Vec<(String, String)>,
    /// How many bytes the body had, without what frames them.
    pub(crate) body_length: u64,
}

/// One connection and what was read of it too early.
pub(crate) struct Incoming<'a, S> {
    stream: &'a mut S,
    log: &'a Log,
    entry: Entry<'a>,
    pending: Vec<u8>,
}

impl Request {
    fn read(head: &[u8]) -> Option<Self> {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let mut words = lines.next()?.split(' ').map(str::to_owned);
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let headers = lines
            .map(|line| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned())))
            .collect::<Option<_>>()?;
        Some(Self { method, target, version, headers, body_length: 0 })
    }

    /// The target without its query; of a target with a host, what follows the host.
    pub(crate) fn path(&self) -> &str {
        let target = self.target.split('?').next().unwrap_or_default();
        match target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => target,
        }
    }

    /// The query of the target.
    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether a header of that name lists the word.
    pub(crate) fn has(&self, name: &str, word: &str) -> bool {
        let mut values = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        values.any(|(_, value)| value.split(',').any(|listed| listed.trim().eq_ignore_ascii_case(word)))
    }

    /// Whether another request may follow on the same connection.
    pub(crate) fn keeps_connection(&self) -> bool {
        let keeps_by_default = self.version != "HTTP/1.0" || self.has("connection", "keep-alive");
        keeps_by_default && !self.has("connection", "close")
    }
}

impl<'a, S: Read> Incoming<'a, S> {
    pub(crate) fn new(stream: &'a mut S, log: &'a Log) -> Self {
        Self { stream, log, entry: log.entry(), pending: Vec::new() }
    }

    pub(crate) fn stream(&mut self) -> &mut S {
        self.stream
    }

    /// The head of the next request; none when the connection ended before it.
    pub(crate) fn head(&mut self) -> io::Result<Option<Request>> {
        self.entry = self.log.entry();
        let mut searched = 0;
        let length = loop {
            let found = self.pending[searched..].windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(at) = found {
                break searched + at + 4;
            }
            self.entry.replace(&self.pending);
            searched = self.pending.len().saturating_sub(3);
            if self.pending.len() > HEAD_LIMIT {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if !self.fill()? {
                return Ok(None);
            }
        };
        let head: Vec<u8> = self.pending.drain(..length).collect();
        self.entry.replace(&head);
        Request::read(&head).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Reads the body of a request and says how long it was. Chunks come before a length, so
    /// that what follows the last chunk is the next request.
    pub(crate) fn body(&mut self, request: &Request) -> io::Result<u64> {
        if request.has("transfer-encoding", "chunked") {
            return self.chunks();
        }
        let Some(length) = request.header("content-length") else { return Ok(0) };
        let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        self.take(length)?;
        Ok(length)
    }

    /// Hands over everything that still comes, and puts it into the log.
    pub(crate) fn for_each_rest(&mut self, mut each: impl FnMut(&mut S, &[u8]) -> io::Result<()>) -> io::Result<()>
    where
        S: io::Write,
    {
        loop {
            self.entry.append(&self.pending);
            each(self.stream, &self.pending)?;
            self.stream.flush()?;
            self.pending.clear();
            if !self.fill()? {
                return Ok(());
            }
        }
    }

    /// Puts what was read but not understood into the log.
    pub(crate) fn record_rest(&mut self) {
        self.entry.append(&self.pending);
        self.pending.clear();
    }

    fn chunks(&mut self) -> io::Result<u64> {
        let mut total: u64 = 0;
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length = u64::from_str_radix(digits, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            if length == 0 {
                while !self.line()?.is_empty() {}
                return Ok(total);
            }
            self.take(length)?;
            total = total.saturating_add(length);
            if !self.line()?.is_empty() {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.pending.windows(2).position(|bytes| bytes == b"\r\n") {
                let line: Vec<u8> = self.pending.drain(..at + 2).collect();
                self.entry.append(&line);
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if self.pending.len() > HEAD_LIMIT {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if !self.fill()? {
                self.record_rest();
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Moves exactly `length` bytes into the log.
    fn take(&mut self, length: u64) -> io::Result<()> {
        let mut left = length;
        loop {
            let here = usize::try_from(left).map_or(self.pending.len(), |left| left.min(self.pending.len()));
            self.entry.append(&self.pending[..here]);
            self.pending.drain(..here);
            left -= here as u64;
            if left == 0 {
                return Ok(());
            }
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads more; false when the connection has ended.
    fn fill(&mut self) -> io::Result<bool> {
        let mut buffer = [0; READ_LENGTH];
        match self.stream.read(&mut buffer) {
            Ok(length) => {
                self.pending.extend(&buffer[..length]);
                Ok(length > 0)
            }
            // A client of TLS may end without saying so.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}
