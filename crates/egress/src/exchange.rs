//! Requests of HTTP that can be read, one after the other on a connection: each is judged, and
//! only what was judged is written anew to the host; so is its answer on the way back. Must not
//! know what a request is for.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use aegis_model::boxes::BoxError;
use aegis_model::outward::{Manner, OutwardState, Refusal, Wanted};
use aegis_model::port::Stream;

use crate::answer::No;
use crate::case::{Case, Reached};
use crate::host_name::HostName;
use crate::http::{
    BodyFraming, BodyReader, CHUNK_END, HeadScanner, LAST_CHUNK, Limits, RequestHead, RequestKind, ResponseFraming,
    ResponseHead, Target, Version, encode_chunk_header, parse_response, write_request, write_response,
};
use crate::live::Meter;
use crate::pipe::{Side, Upstream};
use crate::relay::{Direction, relay};
use crate::serve::{Way, shown};

/// How long a connection waits for its next request.
const NEXT_PATIENCE: Duration = Duration::from_secs(60);
/// What is said to a program that waits with a body until it is asked for it.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// Heads that may come before the one that counts.
const INTERIM_MAX: usize = 8;

/// A host that is connected to, and may take the next request too.
struct Connected {
    host: String,
    port: u16,
    reached: Reached,
    side: Side,
}

/// Requests on one connection.
pub(crate) struct Exchanges<'w> {
    way: &'w Way,
    /// The only host that they may be for, where the connection is to one.
    only: Option<(HostName, u16)>,
    connected: Option<Connected>,
    begun: bool,
}

/// How an exchange has ended.
struct Done {
    /// Whether the program may ask for more.
    inside: bool,
    /// Whether the host may be asked for more.
    outside: bool,
}

/// The body of a request on its way.
struct Outgoing {
    reader: BodyReader,
    chunked: bool,
    /// Whether the host has all of it. That it was read to its end is not enough: what the host
    /// still misses of it would be taken from the next request.
    sent: bool,
}

impl Outgoing {
    fn new(framing: BodyFraming) -> Self {
        let reader = BodyReader::from(framing);
        Self { sent: reader.is_ended(), reader, chunked: framing == BodyFraming::Chunked }
    }
}

/// Why an exchange broke off.
enum Broken {
    /// The program went away, or sent what cannot be read.
    Inside,
    /// The host went away, or sent what cannot be read, before anything of it was passed on.
    Outside,
    /// The same in the middle of its answer.
    Half,
}

impl From<BoxError> for Broken {
    fn from(_: BoxError) -> Self {
        Self::Inside
    }
}

impl<'w> Exchanges<'w> {
    /// Requests that each name their host, as to a proxy.
    pub(crate) fn to_any_host(way: &'w Way) -> Self {
        Self { way, only: None, connected: None, begun: false }
    }

    /// Requests on a connection to one host.
    pub(crate) fn to_one_host(way: &'w Way, host: &HostName, port: u16) -> Self {
        Self { way, only: Some((host.clone(), port)), connected: None, begun: false }
    }

    /// The same, over a connection that stands already.
    pub(crate) fn over(mut self, (upstream, reached): (Arc<dyn Stream>, Reached)) -> Self {
        if let Some((host, port)) = &self.only {
            let side = Side::new(upstream);
            self.connected = Some(Connected { host: host.as_str().to_owned(), port: *port, reached, side });
        }
        self
    }

    /// How long the next request is waited for.
    pub(crate) fn patience(&self) -> Duration {
        if self.begun { NEXT_PATIENCE } else { self.way.egress.settings.head }
    }

    /// One request after the other, until the program or the judge has enough.
    pub(crate) async fn carry_all(&mut self, side: &mut Side) {
        while let Some(head) = self.way.head(side, self.patience()).await {
            if !self.carry(side, head).await {
                return;
            }
        }
    }

    /// One request with its answer; whether there may be another one.
    pub(crate) async fn carry(&mut self, side: &mut Side, head: RequestHead) -> bool {
        self.begun = true;
        match self.try_carry(side, head).await {
            Ok(goes_on) => goes_on,
            Err((no, what)) => {
                self.way.tell(side, &no.http(&self.way.room, &what)).await;
                false
            }
        }
    }

    /// Whom a request is for. On a connection to one host it is for that one.
    async fn wanted(&self, head: &RequestHead) -> Result<Wanted, No> {
        let way = self.way;
        let (host, port) = match (&head.target, &self.only) {
            (Target::Absolute { host, port, .. }, None) => (host.clone(), *port),
            (Target::Absolute { .. } | Target::Authority { .. }, _) | (_, None) => {
                return Err(way.malformed(&head.authority.host).await);
            }
            (Target::Origin(_) | Target::Asterisk, Some((_, port))) => {
                (head.authority.host.clone(), head.authority.port.unwrap_or(*port))
            }
        };
        let Ok(name) = HostName::read(&host) else {
            return Err(way.refuse((&host, Some(port), "http"), Refusal::Name).await);
        };
        if self.only.as_ref().is_some_and(|(only, only_port)| *only != name || *only_port != port) {
            return Err(way.refuse((&host, Some(port), "http"), Refusal::ServerName).await);
        }
        let path = head.target.path().map_or("*", |path| path.path());
        let manner = Manner::Http {
            method: head.method.as_str().to_owned(),
            path: path.to_owned(),
            websocket: head.upgrade.is_some(),
        };
        Ok(Wanted { host: name.as_str().to_owned(), port, manner, private_address: None })
    }

    async fn try_carry(&mut self, side: &mut Side, head: RequestHead) -> Result<bool, (No, String)> {
        let way = self.way;
        let host = shown(&head.authority.host);
        // Before anything of it is looked at, so that what is no host is counted too.
        if !way.may_begin() {
            return Err((way.too_much(&head.authority.host, head.authority.port).await, host));
        }
        let wanted = self.wanted(&head).await.map_err(|no| (no, host))?;
        let what = format!("{}:{}", wanted.host, wanted.port);
        let told = |no: No| (no, what.clone());
        let ruling = way.egress.judged(&way.room, &wanted).await.map_err(told)?;
        let mut case = Case::open(&way.egress, &way.room, (wanted.clone(), &ruling)).await.map_err(told)?;
        let mut upstream = match self.upstream(&mut case, &wanted).await {
            Ok(upstream) => upstream,
            Err(no) => return Err((case.fail(no).await, what)),
        };
        let meter = Arc::clone(case.meter());
        let work = exchanged(side, &mut upstream.side, (&head, &wanted), &meter);
        match meter.unless_ended(work).await {
            Err(stop) => {
                case.close(stop.into()).await;
                Ok(false)
            }
            Ok(Ok(done)) => {
                case.close(OutwardState::Ended).await;
                self.connected = done.outside.then_some(upstream);
                Ok(done.inside)
            }
            Ok(Err(Broken::Outside)) => {
                let no = No::Unreached(crate::dial::DialProblem::Answer);
                Err((case.fail(no).await, what))
            }
            Ok(Err(Broken::Inside | Broken::Half)) => {
                case.close(OutwardState::Failed).await;
                Ok(false)
            }
        }
    }

    /// The connection that the request before went over, if it was to the same host; a new one
    /// otherwise.
    async fn upstream(&mut self, case: &mut Case, wanted: &Wanted) -> Result<Connected, No> {
        if let Some(connected) = self.connected.take()
            && connected.host == wanted.host
            && connected.port == wanted.port
            && is_quiet(&connected.side)
        {
            case.go_again(wanted, &connected.reached).await?;
            return Ok(connected);
        }
        let (stream, reached) = case.dial(wanted).await?;
        let side = Side::new(Arc::new(Upstream(stream)));
        Ok(Connected { host: wanted.host.clone(), port: wanted.port, reached, side })
    }
}

/// Whether a host that waits for the next request has said nothing and has not hung up.
fn is_quiet(side: &Side) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    side.taken().is_empty() && side.stream().poll_read(&mut context, &mut [0]).is_pending()
}

/// One request to the host, and its answer back.
async fn exchanged(
    inside: &mut Side,
    outside: &mut Side,
    (head, wanted): (&RequestHead, &Wanted),
    meter: &Meter,
) -> Result<Done, Broken> {
    let written = write_request(head, &wanted.host, wanted.port, true).map_err(|_| Broken::Inside)?;
    outside.write(&written).await.map_err(|_| Broken::Outside)?;
    meter.count(Direction::Out, written.len());
    if head.expect_continue {
        inside.write(CONTINUE).await?;
    }
    let kind = RequestKind::of(head);
    let (from, to) = (Arc::clone(inside.stream()), Arc::clone(outside.stream()));
    let mut body = Outgoing::new(head.framing);
    let upgrades = head.upgrade.is_some();
    let mut answering = Answering { back: Arc::clone(&from), kind, version: head.version, upgrades, meter };
    let answered = {
        let sending = send_body(inside, &*to, &mut body, meter);
        let answer = answering.answer(outside);
        tokio::pin!(sending, answer);
        tokio::select! {
            // Whoever stops in the middle of a request has no use for an answer.
            sent = &mut sending => { sent?; answer.await? }
            // A host may answer before it has read everything; then it is not asked again.
            answered = &mut answer => answered?,
        }
    };
    match answered {
        Answered::Switched => {
            let said = inside.take();
            let before = outside.take();
            meter.count(Direction::In, before.len());
            inside.write(&before).await?;
            let _ = relay((&*from, &*to), said, meter).await;
            Ok(Done { inside: false, outside: false })
        }
        Answered::Whole { keep_alive, framed } => {
            Ok(Done { inside: body.sent && framed && head.keep_alive, outside: body.sent && keep_alive })
        }
    }
}

/// Passes the body of a request on, in a framing of our own.
async fn send_body(inside: &mut Side, to: &dyn Stream, body: &mut Outgoing, meter: &Meter) -> Result<(), Broken> {
    while !body.reader.is_ended() {
        if inside.taken().is_empty() && !inside.more().await? {
            return Err(Broken::Inside);
        }
        let decoded = body.reader.decode(inside.taken()).map_err(|_| Broken::Inside)?;
        let data = inside.taken().get(decoded.data.clone()).unwrap_or_default();
        meter.count(Direction::Out, data.len());
        pass_on(to, data, body.chunked).await?;
        inside.used(decoded.consumed);
    }
    if body.chunked {
        crate::pipe::write(to, LAST_CHUNK).await?;
    }
    body.sent = true;
    Ok(())
}

async fn pass_on(to: &dyn Stream, data: &[u8], chunked: bool) -> Result<(), BoxError> {
    let Some(length) = u64::try_from(data.len()).ok().and_then(NonZeroU64::new) else { return Ok(()) };
    if !chunked {
        return crate::pipe::write(to, data).await;
    }
    let header = encode_chunk_header(length);
    let whole = [header.as_bytes(), data, CHUNK_END].concat();
    crate::pipe::write(to, &whole).await
}

/// How a host has answered.
enum Answered {
    /// With an answer, which was passed on.
    Whole {
        /// Whether it may be asked for more.
        keep_alive: bool,
        /// Whether the program knows where the answer ends.
        framed: bool,
    },
    /// By speaking another protocol from now on; the head was passed on.
    Switched,
}

/// What is to be done with an answer.
struct Answering<'m> {
    back: Arc<dyn Stream>,
    kind: RequestKind,
    version: Version,
    /// Whether the program asked for another protocol.
    upgrades: bool,
    meter: &'m Meter,
}

impl Answering<'_> {
    async fn answer(&mut self, outside: &mut Side) -> Result<Answered, Broken> {
        let head = self.head(outside).await?;
        if head.is_switching() {
            if !self.upgrades || !head.upgrades_to_websocket {
                return Err(Broken::Outside);
            }
            self.tell(&write_response(&head, true, ResponseFraming::None)).await?;
            return Ok(Answered::Switched);
        }
        // Whoever speaks the older version knows no chunks.
        let framing = match (head.framing, self.version) {
            (ResponseFraming::Chunked, Version::Http10) => ResponseFraming::UntilClose,
            (framing, _) => framing,
        };
        let framed = framing != ResponseFraming::UntilClose;
        self.tell(&write_response(&head, framed, framing)).await?;
        self.body(outside, (head.framing, framing)).await?;
        Ok(Answered::Whole { keep_alive: head.keep_alive && head.framing != ResponseFraming::UntilClose, framed })
    }

    /// The head that counts. What comes before it is for nobody.
    async fn head(&self, outside: &mut Side) -> Result<ResponseHead, Broken> {
        let limits = Limits::default();
        for _ in 0..INTERIM_MAX {
            let mut scanner = HeadScanner::new();
            let head = loop {
                match parse_response(outside.taken(), &limits, &self.kind, &mut scanner) {
                    Ok(Some((head, used))) => {
                        outside.used(used);
                        break head;
                    }
                    Ok(None) => {}
                    Err(_) => return Err(Broken::Outside),
                }
                if !outside.more().await.map_err(|_| Broken::Outside)? {
                    return Err(Broken::Outside);
                }
            };
            if !head.is_interim() {
                return Ok(head);
            }
        }
        Err(Broken::Outside)
    }

    async fn body(&self, outside: &mut Side, (came, goes): (ResponseFraming, ResponseFraming)) -> Result<(), Broken> {
        let mut body = BodyReader::from(came);
        let chunked = goes == ResponseFraming::Chunked;
        while !body.is_ended() {
            if outside.taken().is_empty() && !outside.more().await.map_err(|_| Broken::Half)? {
                // Where nothing else says it, this is the end; elsewhere something is missing.
                return body.close().map_err(|_| Broken::Half);
            }
            let decoded = body.decode(outside.taken()).map_err(|_| Broken::Half)?;
            let data = outside.taken().get(decoded.data.clone()).unwrap_or_default();
            self.meter.count(Direction::In, data.len());
            pass_on(&*self.back, data, chunked).await?;
            outside.used(decoded.consumed);
        }
        if chunked { self.tell(LAST_CHUNK).await } else { Ok(()) }
    }

    async fn tell(&self, bytes: &[u8]) -> Result<(), Broken> {
        self.meter.count(Direction::In, bytes.len());
        Ok(crate::pipe::write(&*self.back, bytes).await?)
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
