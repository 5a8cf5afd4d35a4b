//! The servers at the far end: one that echoes, one that swallows, one that gushes.
//!
//! Owns their loops, one for each thread with a listener of its own; must not know what lies
//! between them and who connects.

use std::io::Write;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use crate::Outcome;
use crate::options::Options;
use crate::report::Report;
use crate::socket::{Failure, Interest, Link, Listener, Poller, Ready};

const BUFFER: usize = 256 * 1024;
const LISTENER: usize = 0;
const ACCEPTED_AT_ONCE: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Echo,
    Sink,
    Source,
}

/// One connection and what it is still owed.
struct Visitor {
    link: Link,
    owed: Vec<u8>,
    paid: usize,
}

/// What one thread serves.
struct Server {
    kind: Kind,
    reset: bool,
    listener: Listener,
    poller: Poller,
    /// The visitors, each at its key; the listener's own key is never filled.
    visitors: Vec<Option<Visitor>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
}

/// Prints the address as one line of JSON and serves until the process is ended.
///
/// # Errors
/// When the options are wrong, the address cannot be had or a thread cannot wait for sockets.
pub fn run(mut options: Options) -> Outcome<Report> {
    let text = options.need("listen")?;
    let address: SocketAddr = text.parse().map_err(|_| format!("`{text}` is not numeric ADDR:PORT"))?;
    let kind = match options.need("kind")?.as_str() {
        "echo" => Kind::Echo,
        "sink" => Kind::Sink,
        "source" => Kind::Source,
        other => return Err(format!("`kind={other}` is none of echo, sink and source").into()),
    };
    let threads = options.at_least_one("threads", Some(2))?;
    let reset = options.switch("reset")?;
    options.finish()?;

    let first = Listener::listen(address)?;
    let address = first.address()?;
    let mut listeners = vec![first];
    for _ in 1..threads {
        listeners.push(Listener::listen(address)?);
    }
    writeln!(std::io::stdout(), "{{\"listening\": \"{address}\"}}")?;
    let handles: Vec<_> =
        listeners.into_iter().map(|listener| thread::spawn(move || serve(listener, kind, reset))).collect();
    for handle in handles {
        handle.join().map_err(|_| "a thread broke off")??;
    }
    Ok(Report::new("serve", true))
}

fn serve(listener: Listener, kind: Kind, reset: bool) -> Result<(), Failure> {
    let poller = Poller::new()?;
    poller.watch_listener(&listener, LISTENER)?;
    let (visitors, free, buffer) = (vec![None], Vec::new(), vec![0; BUFFER]);
    let mut server = Server { kind, reset, listener, poller, visitors, free, buffer };
    let mut ready = Vec::new();
    loop {
        server.poller.wait(Duration::from_secs(3600), &mut ready)?;
        for event in &ready {
            match event.key {
                LISTENER => server.welcome(),
                _ => server.attend(*event),
            }
        }
    }
}

impl Server {
    fn welcome(&mut self) {
        for _ in 0..ACCEPTED_AT_ONCE {
            match self.listener.accept() {
                Ok(Some(link)) => self.admit(link),
                Ok(None) => return,
                Err(failure) => {
                    // Without room for another socket, the wait would come back at once for ever.
                    crate::complain(&failure.to_string());
                    thread::sleep(Duration::from_millis(10));
                    return;
                }
            }
        }
    }

    fn admit(&mut self, mut link: Link) {
        let interest = if self.kind == Kind::Source { Interest::Both } else { Interest::Read };
        let key = self.free.pop().unwrap_or(self.visitors.len());
        if key == self.visitors.len() {
            self.visitors.push(None);
        }
        match self.poller.watch(&mut link, key, interest) {
            Ok(()) => self.visitors[key] = Some(Visitor { link, owed: Vec::new(), paid: 0 }),
            Err(_) => self.free.push(key),
        }
    }

    fn attend(&mut self, event: Ready) {
        let Some(mut visitor) = self.visitors[event.key].take() else { return };
        let done = match self.kind {
            Kind::Echo => self.echo(&mut visitor, event),
            Kind::Sink => self.swallow(&visitor),
            Kind::Source => self.gush(&visitor, event),
        };
        match done {
            Ok(()) => self.visitors[event.key] = Some(visitor),
            Err(_) => {
                if self.reset {
                    drop(visitor.link.reset_on_close());
                }
                self.free.push(event.key);
            }
        }
    }

    fn echo(&mut self, visitor: &mut Visitor, event: Ready) -> Result<(), Failure> {
        if !visitor.owed.is_empty() {
            return self.pay(visitor, event.key);
        }
        let count = self.take(&visitor.link)?;
        let sent = visitor.link.send(&self.buffer[..count])?.unwrap_or(0);
        if sent < count {
            visitor.owed.extend_from_slice(&self.buffer[sent..count]);
            self.poller.watch(&mut visitor.link, event.key, Interest::Write)?;
        }
        Ok(())
    }

    fn pay(&self, visitor: &mut Visitor, key: usize) -> Result<(), Failure> {
        visitor.paid += visitor.link.send(&visitor.owed[visitor.paid..])?.unwrap_or(0);
        if visitor.paid == visitor.owed.len() {
            visitor.owed.clear();
            visitor.paid = 0;
            self.poller.watch(&mut visitor.link, key, Interest::Read)?;
        }
        Ok(())
    }

    fn swallow(&mut self, visitor: &Visitor) -> Result<(), Failure> {
        self.take(&visitor.link).map(drop)
    }

    fn gush(&mut self, visitor: &Visitor, event: Ready) -> Result<(), Failure> {
        if event.readable {
            self.take(&visitor.link)?;
        }
        if event.writable {
            visitor.link.send(&self.buffer)?;
        }
        Ok(())
    }

    /// Receives what has come, with the visitor's end as a failure.
    fn take(&mut self, link: &Link) -> Result<usize, Failure> {
        match link.receive(&mut self.buffer)? {
            Some(0) => Err(Failure::Closed("by the visitor")),
            count => Ok(count.unwrap_or(0)),
        }
    }
}
