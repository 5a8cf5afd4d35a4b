//! A connection to a host and a port, whatever it is going to carry: what may be carried is asked
//! first, and then the first bytes are looked at. TLS must name the host that was asked for;
//! what is HTTP is judged request by request; other bytes need a grant of their own.
//! Must not know: grants, and how names are resolved.

use std::sync::Arc;
use std::time::Duration;

use aegis_model::outward::{Manner, OutwardState, Refusal, Ruling, Wanted};
use aegis_model::port::Stream;

use crate::answer::{No, TLS_DENIED, Tongue};
use crate::case::{About, Case, Reached};
use crate::client_hello::{self, ClientHello, TlsProblem};
use crate::exchange::Exchanges;
use crate::host_name::HostName;
use crate::pipe::{Side, Upstream};
use crate::relay::relay;
use crate::serve::{Way, shown};
use crate::socks::Reply;

/// How long is waited for the first bytes where others may be carried: some servers speak first.
const FIRST_PATIENCE: Duration = Duration::from_millis(700);

/// What is said when a tunnel stands.
const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection Established\r\n\r\n";

/// A connection that is asked for.
pub(crate) struct Tunnel<'w> {
    /// The way it goes.
    pub(crate) way: &'w Way,
    /// To which host, as the program spelt it.
    pub(crate) host: &'w str,
    /// To which port.
    pub(crate) port: u16,
    /// How the program is answered.
    pub(crate) tongue: Tongue,
}

/// What a connection may carry.
enum May {
    /// Any bytes.
    Bytes(Ruling),
    /// TLS, and HTTP as far as each request may; any bytes too where that is only observed.
    Named(Ruling),
    /// HTTP, as far as each request may.
    Requests,
}

/// What the first bytes are.
enum First {
    Tls(Box<ClientHello>),
    TlsRefused(Refusal),
    Http,
    Other,
}

impl Tunnel<'_> {
    /// Carries it to its end.
    pub(crate) async fn carry(&self, side: &mut Side) {
        if let Err(no) = self.try_carry(side).await {
            let told = self.told(&no, side).await;
            self.way.tell(side, &told).await;
        }
    }

    fn what(&self) -> String {
        format!("{}:{}", shown(self.host), self.port)
    }

    /// A no, in words that the program understands.
    async fn told(&self, no: &No, side: &mut Side) -> Vec<u8> {
        match self.tongue {
            Tongue::Http => no.http(&self.way.room, &self.what()),
            Tongue::Socks => no.socks().write().to_vec(),
            Tongue::Silent => match self.first(side, FIRST_PATIENCE).await {
                Some(First::Http) => no.http(&self.way.room, &self.what()),
                Some(First::Tls(_) | First::TlsRefused(_)) => TLS_DENIED.to_vec(),
                Some(First::Other) | None => Vec::new(),
            },
        }
    }

    /// Carries it to its end, or says why it does not begin.
    async fn try_carry(&self, side: &mut Side) -> Result<(), No> {
        let way = self.way;
        if !way.may_begin() {
            return Err(way.too_much(self.host, Some(self.port)).await);
        }
        let Ok(host) = HostName::read(self.host) else {
            return Err(way.refuse((self.host, Some(self.port), "tcp"), Refusal::Name).await);
        };
        match self.may(&host).await? {
            May::Bytes(ruling) => self.bytes(side, self.wanted(&host, Manner::Tcp), &ruling).await,
            May::Named(ruling) => self.named(side, &host, &ruling).await,
            May::Requests => self.requests(side, &host).await,
        }
    }

    fn wanted(&self, host: &HostName, manner: Manner) -> Wanted {
        Wanted { host: host.as_str().to_owned(), port: self.port, manner, private_address: None }
    }

    /// What the connection may carry, before anything was said on it.
    async fn may(&self, host: &HostName) -> Result<May, No> {
        let gate = &self.way.egress.gate;
        let occupant = &self.way.room.occupant;
        let tls = self.wanted(host, Manner::Tls);
        let named = gate.judge(occupant, &tls).await.map_err(No::Unable)?;
        if named.decision.allowed {
            return Ok(May::Named(named));
        }
        let bytes = gate.judge(occupant, &self.wanted(host, Manner::Tcp)).await.map_err(No::Unable)?;
        if bytes.decision.allowed {
            return Ok(May::Bytes(bytes));
        }
        if named.passes {
            return Ok(May::Named(named));
        }
        let ports = gate.ports(occupant, host.as_str()).await.map_err(No::Unable)?;
        if ports.contains(&self.port) && named.decision.class == aegis_model::ReasonClass::NotPermitted {
            return Ok(May::Requests);
        }
        let refusal = Refusal::from(named.decision.class);
        Err(self.way.egress.refuse(&self.way.room, &About::from(&tls), (Some(&named), refusal)).await)
    }

    /// Any bytes, from the first on: the server may be the one who begins.
    async fn bytes(&self, side: &mut Side, wanted: Wanted, ruling: &Ruling) -> Result<(), No> {
        let (case, upstream, _) = self.reach(wanted, ruling).await?;
        self.stands(side).await;
        self.relayed(side, (case, upstream)).await;
        Ok(())
    }

    /// TLS for exactly this host, or HTTP.
    async fn named(&self, side: &mut Side, host: &HostName, ruling: &Ruling) -> Result<(), No> {
        let (mut case, upstream, reached) = self.reach(self.wanted(host, Manner::Tls), ruling).await?;
        self.stands(side).await;
        let patience = if ruling.is_observed() { FIRST_PATIENCE } else { self.way.egress.settings.head };
        let refusal = match self.first(side, patience).await {
            Some(First::Tls(hello)) => match judged_hello(&hello, host) {
                Ok(()) => {
                    self.relayed(side, (case, upstream)).await;
                    return Ok(());
                }
                Err(refusal) => refusal,
            },
            Some(First::TlsRefused(refusal)) => refusal,
            Some(First::Http) => {
                // Each request is a case of its own; this one was only the way to it.
                case.close(OutwardState::Ended).await;
                let mut exchanges = Exchanges::to_one_host(self.way, host, self.port).over((upstream, reached));
                exchanges.carry_all(side).await;
                return Ok(());
            }
            Some(First::Other) | None if ruling.is_observed() => {
                case.carries_bytes();
                self.relayed(side, (case, upstream)).await;
                return Ok(());
            }
            Some(First::Other) => Refusal::Protocol,
            // A hello that was begun and never became whole.
            None if side.has_said_something() => Refusal::Protocol,
            None => {
                case.close(OutwardState::Ended).await;
                return Ok(());
            }
        };
        case.refused(refusal);
        case.close(OutwardState::Refused).await;
        self.way.tell(side, &TLS_DENIED).await;
        Ok(())
    }

    /// HTTP only: nothing is dialled before a request was read and may pass.
    async fn requests(&self, side: &mut Side, host: &HostName) -> Result<(), No> {
        self.stands(side).await;
        let refusal = match self.first(side, self.way.egress.settings.head).await {
            Some(First::Http) => {
                Exchanges::to_one_host(self.way, host, self.port).carry_all(side).await;
                return Ok(());
            }
            Some(First::Tls(_) | First::TlsRefused(_)) => Refusal::Hidden,
            Some(First::Other) => Refusal::Protocol,
            None if side.has_said_something() => Refusal::Protocol,
            None => return Ok(()),
        };
        self.way.refuse((host.as_str(), Some(self.port), Manner::Tls.as_str()), refusal).await;
        self.way.tell(side, &TLS_DENIED).await;
        Ok(())
    }

    /// Reaches the host, once that is recorded.
    async fn reach(&self, wanted: Wanted, ruling: &Ruling) -> Result<(Case, Arc<dyn Stream>, Reached), No> {
        let mut case = Case::open(&self.way.egress, &self.way.room, (wanted.clone(), ruling)).await?;
        match case.dial(&wanted).await {
            Ok((stream, reached)) => Ok((case, Arc::new(Upstream(stream)), reached)),
            Err(no) => Err(case.fail(no).await),
        }
    }

    /// Tells the program that it may begin.
    async fn stands(&self, side: &Side) {
        // Whoever does not take this in is found out by what comes next.
        match self.tongue {
            Tongue::Http => self.way.tell(side, ESTABLISHED).await,
            Tongue::Socks => self.way.tell(side, &Reply::Succeeded.write()).await,
            Tongue::Silent => None,
        };
    }

    /// Looks at the first bytes, without using them up.
    async fn first(&self, side: &mut Side, patience: Duration) -> Option<First> {
        let read = |taken: &[u8]| match client_hello::looks_like_tls(taken) {
            Some(true) => match client_hello::read(taken) {
                Ok(None) => None,
                Ok(Some(hello)) => Some(First::Tls(Box::new(hello))),
                Err(TlsProblem::ServerName) => Some(First::TlsRefused(Refusal::ServerName)),
                Err(_) => Some(First::TlsRefused(Refusal::Protocol)),
            },
            Some(false) if taken.first().is_some_and(u8::is_ascii_uppercase) => Some(First::Http),
            Some(false) => Some(First::Other),
            None => None,
        };
        self.way.said_within(patience, side, read).await
    }

    /// Moves bytes until one side has enough, or the word comes that ends it.
    async fn relayed(&self, side: &mut Side, (case, upstream): (Case, Arc<dyn Stream>)) {
        let said = side.take();
        let meter = Arc::clone(case.meter());
        let inside = Arc::clone(side.stream());
        let ended = meter.unless_ended(relay((&*inside, &*upstream), said, &meter)).await;
        case.close(ended.map_or_else(OutwardState::from, |_| OutwardState::Ended)).await;
    }
}

/// Whether TLS is for that host, and for no other that it hides.
fn judged_hello(hello: &ClientHello, host: &HostName) -> Result<(), Refusal> {
    if hello.encrypted_client_hello {
        return Err(Refusal::EncryptedHello);
    }
    match &hello.server_name {
        Some(name) if name == host.as_str() => Ok(()),
        _ => Err(Refusal::ServerName),
    }
}
