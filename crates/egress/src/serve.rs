//! What is opened inside, served: as a proxy of HTTP, as one of SOCKS, as a connection to a name
//! that was resolved, as the question whether a name may be reached. Must not know: rules, and
//! what a connection carries once it stands.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aegis_model::outward::Refusal;
use aegis_model::port::{NameAsker, Opening, Stream, Towards};

use crate::Egress;
use crate::answer::{self, No, Tongue};
use crate::case::About;
use crate::exchange::Exchanges;
use crate::host_name::HostName;
use crate::http::{HeadScanner, Limits, RequestHead, Target, parse_request};
use crate::pipe::Side;
use crate::room::Room;
use crate::socks::{self, Command, Destination, Greeting, Login, Method, Reply, Request};
use crate::tunnel::Tunnel;

/// How a SOCKS client begins.
const SOCKS_5: u8 = 5;

/// The host of what names none that could be told.
const ANY: &str = "*";

/// One box's way out, while one of its connections is served.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) egress: Arc<Egress>,
    pub(crate) room: Arc<Room>,
}

/// A place among all connections, until it is dropped.
struct Open(Arc<Egress>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves what something inside opened.
pub(crate) async fn serve(egress: Arc<Egress>, room: Arc<Room>, opening: Opening) {
    let way = Way { egress: Arc::clone(&egress), room: Arc::clone(&room) };
    match opening {
        Opening::Name { name, asker } => way.name(name, asker).await,
        Opening::Stream { towards, stream } => {
            let before = egress.open.fetch_add(1, Ordering::Relaxed);
            let _open = Open(Arc::clone(&egress));
            let free = egress.settings.connections_max.saturating_sub(before);
            let Some(_place) = room.enter(free) else {
                way.too_much(ANY, None).await;
                return;
            };
            way.stream(towards, stream).await;
        }
    }
}

impl Way {
    /// Says on which ports a name may be reached. It is not resolved for that.
    async fn name(&self, name: String, asker: Box<dyn NameAsker>) {
        if !self.may_begin() {
            // Data in many names leaves no more than one record.
            self.too_much(ANY, None).await;
            asker.tell(Vec::new()).await;
            return;
        }
        let (found, refusal) = match HostName::read(&name) {
            Ok(host) => {
                let ports = self.egress.gate.ports(&self.room.occupant, host.as_str()).await;
                (ports.unwrap_or_default(), Refusal::NotPermitted)
            }
            Err(_) => (Vec::new(), Refusal::Name),
        };
        if found.is_empty() {
            self.refuse((&name, None, "name"), refusal).await;
        }
        asker.tell(found).await;
    }

    async fn stream(&self, towards: Towards, stream: Arc<dyn Stream>) {
        let mut side = Side::new(stream);
        match towards {
            // Whoever handed this over mistook the way.
            Towards::Api => {}
            Towards::Host { name, port } => {
                let tunnel = Tunnel { way: self, host: &name, port, tongue: Tongue::Silent };
                tunnel.carry(&mut side).await;
            }
            Towards::Proxy => {
                if self.said(&mut side, |taken| (!taken.is_empty()).then_some(())).await.is_none() {
                    return;
                }
                match side.taken().first() {
                    Some(&SOCKS_5) => self.socks(&mut side).await,
                    _ => self.proxy(&mut side).await,
                }
            }
        }
    }

    /// Waits, for a while, until `read` finds in what was said what it looks for.
    pub(crate) async fn said<T>(&self, side: &mut Side, read: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        self.said_within(self.egress.settings.head, side, read).await
    }

    /// The same with another patience.
    pub(crate) async fn said_within<T>(
        &self,
        patience: Duration,
        side: &mut Side,
        mut read: impl FnMut(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let reading = async {
            loop {
                if let Some(found) = read(side.taken()) {
                    return Some(found);
                }
                if !side.more().await.ok()? {
                    return None;
                }
            }
        };
        tokio::time::timeout(patience, reading).await.ok().flatten()
    }

    /// Tells the program something, if it takes that in before long.
    pub(crate) async fn tell(&self, side: &Side, bytes: &[u8]) -> Option<()> {
        tokio::time::timeout(self.egress.settings.head, side.write(bytes)).await.ok()?.ok()
    }

    /// Refuses something about which nobody was asked: its host as it was spelt, its port, and how
    /// it is spoken to, as far as these are known.
    pub(crate) async fn refuse(&self, (host, port, manner): (&str, Option<u16>, &'static str), refusal: Refusal) -> No {
        let about = About { host: shown(host), port, manner, request: None };
        self.egress.refuse(&self.room, &about, (None, refusal)).await
    }

    /// More than a session may have.
    pub(crate) async fn too_much(&self, host: &str, port: Option<u16>) -> No {
        self.refuse((host, port, "tcp"), Refusal::TooMuch).await
    }

    /// A request that cannot be read without doubt.
    pub(crate) async fn malformed(&self, host: &str) -> No {
        self.refuse((host, None, "http"), Refusal::Malformed).await
    }

    /// Whether the session may begin one more connection or request now.
    pub(crate) fn may_begin(&self) -> bool {
        self.room.hurry(self.egress.clock.elapsed_ns()) && self.room.has_bytes()
    }

    /// One request after the other, or a tunnel.
    async fn proxy(&self, side: &mut Side) {
        let mut exchanges = Exchanges::to_any_host(self);
        while let Some(head) = self.head(side, exchanges.patience()).await {
            match &head.target {
                Target::Authority { host, port } => {
                    let (host, port) = (host.clone(), *port);
                    Tunnel { way: self, host: &host, port, tongue: Tongue::Http }.carry(side).await;
                    return;
                }
                Target::Absolute { .. } => {
                    if !exchanges.carry(side, head).await {
                        return;
                    }
                }
                Target::Origin(_) | Target::Asterisk => {
                    self.tell(side, &answer::misled()).await;
                    return;
                }
            }
        }
    }

    /// The next head of a request. One that cannot be read without doubt is refused.
    pub(crate) async fn head(&self, side: &mut Side, patience: Duration) -> Option<RequestHead> {
        let limits = Limits::default();
        let mut scanner = HeadScanner::new();
        let parsed =
            self.said_within(patience, side, |taken| parse_request(taken, &limits, &mut scanner).transpose()).await;
        match parsed {
            Some(Ok((head, used))) => {
                side.used(used);
                Some(head)
            }
            Some(Err(problem)) => {
                self.malformed(ANY).await;
                self.tell(side, &answer::unreadable(&problem)).await;
                None
            }
            // What was begun and never became whole is refused like what is wrong.
            None if side.has_said_something() => {
                self.malformed(ANY).await;
                None
            }
            None => None,
        }
    }

    async fn socks(&self, side: &mut Side) {
        if let Some(request) = self.socks_request(side).await {
            let host = match &request.destination {
                Destination::Name(name) => name.clone(),
                Destination::Address(address) => address.to_string(),
            };
            if request.command != Command::Connect {
                self.tell(side, &Reply::CommandNotSupported.write()).await;
                return;
            }
            Tunnel { way: self, host: &host, port: request.port, tongue: Tongue::Socks }.carry(side).await;
        }
    }

    async fn socks_request(&self, side: &mut Side) -> Option<Request> {
        let (greeting, used) = self.said(side, |taken| Greeting::read(taken).transpose()).await?.ok()?;
        side.used(used);
        self.tell(side, &socks::write_method(greeting.method)).await?;
        if greeting.method? == Method::Password {
            let (_, used) = self.said(side, |taken| Login::read(taken).transpose()).await?.ok()?;
            side.used(used);
            self.tell(side, &socks::write_login_ok()).await?;
        }
        match self.said(side, |taken| Request::read(taken).transpose()).await? {
            Ok((request, used)) => {
                side.used(used);
                Some(request)
            }
            Err(problem) => {
                if let Some(reply) = problem.reply() {
                    self.tell(side, &reply.write()).await;
                }
                None
            }
        }
    }
}

/// A name as it may be shown: whatever stood in it.
pub(crate) fn shown(name: &str) -> String {
    name.escape_debug().take(255).collect()
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
