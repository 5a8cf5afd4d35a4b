//! Questions and answers on one connection. Whoever waits for an answer moves the connection
//! on; while nobody does, nothing moves. So there is no task that could outlive whoever asked.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use aegis_model::port::{Connection as Stream, HttpConversation, HttpError, HttpHead, HttpMethod, HttpRequest};
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request};

use crate::wire::Wire;

/// The longest head of an answer, and the most that is held of its body.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// The most header lines of an answer.
const HEADERS_MAX: usize = 128;

/// What moves bytes for as long as it is polled.
type Moving = Pin<Box<Connection<Wire, Full<Bytes>>>>;

/// One connection, and what is said on it.
pub struct Conversation {
    asking: SendRequest<Full<Bytes>>,
    /// Until it has ended.
    moving: Option<Moving>,
    body: Option<Incoming>,
    /// Whether a question waits for the end of its answer. It stays so if whoever asked has gone.
    asked: bool,
    /// Whether anything came since the last question.
    heard: Arc<AtomicBool>,
}

impl Conversation {
    /// Nothing was said yet.
    pub async fn begin(stream: Stream) -> Result<Self, HttpError> {
        let heard = Arc::new(AtomicBool::new(false));
        let wire = Wire::new(stream, Arc::clone(&heard));
        let mut builder = Builder::new();
        builder.max_buf_size(BUFFER_BYTES_MAX).max_headers(HEADERS_MAX);
        let (asking, moving) = builder.handshake(wire).await.map_err(|_| HttpError::Unanswered)?;
        Ok(Self { asking, moving: Some(Box::pin(moving)), body: None, asked: false, heard })
    }

    fn explain(&self, error: &hyper::Error) -> HttpError {
        if !self.heard.load(Ordering::Relaxed) {
            HttpError::Unanswered
        } else if error.is_parse() {
            HttpError::Unreadable(error.to_string())
        } else {
            HttpError::BrokenOff
        }
    }
}

/// Moves a connection on, until it waits for the other side or has ended.
fn go_on(moving: &mut Option<Moving>, context: &mut Context<'_>) {
    if let Some(polled) = moving
        && polled.as_mut().poll(context).is_ready()
    {
        *moving = None;
    }
}

#[async_trait]
impl HttpConversation for Conversation {
    async fn ask(&mut self, request: HttpRequest) -> Result<HttpHead, HttpError> {
        if !self.is_open() {
            return Err(HttpError::Unanswered);
        }
        let mut answer = pin!(self.asking.send_request(translated(request)?));
        self.asked = true;
        self.heard.store(false, Ordering::Relaxed);
        let answer = poll_fn(|context| {
            go_on(&mut self.moving, context);
            answer.as_mut().poll(context)
        });
        let answer = answer.await.map_err(|error| self.explain(&error))?;
        let content_type = answer.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let head = HttpHead { status: answer.status().as_u16(), content_type: content_type.map(Into::into) };
        self.body = Some(answer.into_body());
        Ok(head)
    }

    async fn read(&mut self) -> Result<Option<Bytes>, HttpError> {
        loop {
            let frame = poll_fn(|context| {
                go_on(&mut self.moving, context);
                match &mut self.body {
                    Some(body) => Pin::new(body).poll_frame(context),
                    None => Poll::Ready(None),
                }
            });
            match frame.await {
                // What is not data comes after the body, and is for nobody.
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) => {
                    self.body = None;
                    return Err(self.explain(&error));
                }
                None if self.asked && self.body.is_none() => return Err(HttpError::BrokenOff),
                None => {
                    (self.body, self.asked) = (None, false);
                    return Ok(None);
                }
            }
        }
    }

    fn is_open(&mut self) -> bool {
        // Takes in that the server has closed it, or said what nobody asked for.
        go_on(&mut self.moving, &mut Context::from_waker(Waker::noop()));
        !self.asked && self.moving.is_some() && self.asking.is_ready()
    }
}

fn translated(request: HttpRequest) -> Result<Request<Full<Bytes>>, HttpError> {
    let method = match request.method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
    };
    let unsayable = |what: &str| HttpError::Unreadable(format!("{what} of the request cannot be written"));
    let mut translated = Request::new(Full::new(request.body));
    *translated.method_mut() = method;
    *translated.uri_mut() = request.path.parse().map_err(|_| unsayable("the path"))?;
    for (name, value) in request.headers {
        let value = HeaderValue::try_from(value).map_err(|_| unsayable("a header"))?;
        let name = HeaderName::try_from(name).map_err(|_| unsayable("a header"))?;
        translated.headers_mut().insert(name, value);
    }
    Ok(translated)
}
