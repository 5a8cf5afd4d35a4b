//! The suite of the port `AgentHttp`: conversations with a server that is this suite, byte by
//! byte. An adapter calls `suite`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aegis_model::boxes::BoxError;
use aegis_model::port::{
    AgentHttp, ByteSink, ByteSource, Connection, HttpConversation, HttpError, HttpHead, HttpMethod, HttpRequest,
};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

/// Nothing here takes longer on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for what should not happen to happen.
const MOMENT: Duration = Duration::from_millis(50);

/// Runs every case.
pub async fn suite(http: &dyn AgentHttp) {
    requests_are_written_as_they_are(http).await;
    bodies_end_where_they_say(http).await;
    a_conversation_goes_on(http).await;
    a_conversation_ends(http).await;
    pieces_come_at_once(http).await;
    what_breaks_off_is_an_error(http).await;
    what_is_not_http_is_an_error(http).await;
    who_goes_closes_the_connection(http).await;
    who_does_not_read_makes_the_server_wait(http).await;
}

/// The server's side of a connection.
struct Server {
    heard: mpsc::Receiver<Bytes>,
    says: Option<mpsc::Sender<Result<Bytes, BoxError>>>,
    taken: Arc<AtomicUsize>,
}

struct Source(mpsc::Receiver<Result<Bytes, BoxError>>, Arc<AtomicUsize>);

struct Sink(mpsc::Sender<Bytes>);

#[async_trait]
impl ByteSource for Source {
    async fn read(&mut self) -> Result<Option<Bytes>, BoxError> {
        let piece = self.0.recv().await.transpose()?;
        self.1.fetch_add(piece.as_ref().map_or(0, Bytes::len), Ordering::Relaxed);
        Ok(piece)
    }
}

#[async_trait]
impl ByteSink for Sink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BoxError> {
        self.0.send(bytes).await.map_err(|_| BoxError::ConnectionLost)
    }
}

/// A connection, and the server's side of it.
fn connection() -> (Connection, Server) {
    let (to_server, heard) = mpsc::channel(4);
    let (says, from_server) = mpsc::channel(4);
    let taken = Arc::new(AtomicUsize::new(0));
    let output = Box::new(Source(from_server, Arc::clone(&taken)));
    (Connection { input: Box::new(Sink(to_server)), output }, Server { heard, says: Some(says), taken })
}

impl Server {
    async fn say(&self, text: &str) {
        let says = self.says.as_ref().expect("open");
        says.send(Ok(Bytes::copy_from_slice(text.as_bytes()))).await.expect("somebody listens");
    }

    async fn break_off(&mut self) {
        let says = self.says.take().expect("open");
        says.send(Err(BoxError::ConnectionLost)).await.expect("somebody listens");
    }

    /// Takes in a request that ends like this.
    async fn hear(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            let piece = tokio::time::timeout(PATIENCE, self.heard.recv()).await.expect("a request");
            text.push_str(std::str::from_utf8(&piece.expect("more")).expect("text"));
        }
        text
    }
}

fn ping() -> HttpRequest {
    HttpRequest { method: HttpMethod::Get, path: "/ping", headers: vec![("host", "a".to_owned())], body: Bytes::new() }
}

fn post(body: &'static str) -> HttpRequest {
    let headers = vec![("host", "a".to_owned()), ("x-one", "1".to_owned())];
    HttpRequest { method: HttpMethod::Post, path: "/invocations", headers, body: Bytes::from_static(body.as_bytes()) }
}

async fn soon<T>(waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, waiting).await.expect("an end")
}

async fn whole(conversation: &mut dyn HttpConversation) -> Result<String, HttpError> {
    let mut text = String::new();
    while let Some(piece) = soon(conversation.read()).await? {
        text.push_str(std::str::from_utf8(&piece).expect("text"));
    }
    Ok(text)
}

/// Asks for `/ping`; the server says that, and closes the connection if it `closes`.
async fn answered(http: &dyn AgentHttp, says: &str, closes: bool) -> (Result<(HttpHead, String), HttpError>, bool) {
    let (connection, mut server) = connection();
    let mut conversation = http.converse(connection).await.expect("a conversation");
    let answering = async {
        server.hear("\r\n\r\n").await;
        for piece in says.as_bytes().chunks(7) {
            let says = server.says.as_ref().expect("open");
            if says.send(Ok(Bytes::copy_from_slice(piece))).await.is_err() {
                break;
            }
        }
        if closes {
            server.says = None;
        }
        server
    };
    let asking = async {
        let head = conversation.ask(ping()).await?;
        Ok((head, whole(&mut *conversation).await?))
    };
    let (answer, _server) = soon(async { tokio::join!(asking, answering) }).await;
    (answer, conversation.is_open())
}

async fn requests_are_written_as_they_are(http: &dyn AgentHttp) {
    let (connection, mut server) = connection();
    let mut conversation = http.converse(connection).await.expect("a conversation");
    let answering = async {
        let text = server.hear("{\"a\":1}").await;
        server.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        text
    };
    let (head, text) = soon(async { tokio::join!(conversation.ask(post("{\"a\":1}")), answering) }).await;
    assert_eq!(head, Ok(HttpHead { status: 200, content_type: None }));
    let lower = text.to_ascii_lowercase();
    for line in ["post /invocations http/1.1\r\n", "host: a\r\n", "x-one: 1\r\n", "content-length: 7\r\n"] {
        assert!(lower.contains(line), "{text}");
    }
    let unsayable = HttpRequest { headers: vec![("x-one", "1\r\nx-two: 2".to_owned())], ..ping() };
    assert_eq!(whole(&mut *conversation).await, Ok(String::new()));
    assert!(matches!(soon(conversation.ask(unsayable)).await, Err(HttpError::Unreadable(_))));
}

/// What a server says, and what is taken of it.
async fn check(
    http: &dyn AgentHttp,
    says: &str,
    closes: bool,
    (status, content_type, body): (u16, Option<&str>, &str),
) {
    let (answer, _) = answered(http, says, closes).await;
    let head = HttpHead { status, content_type: content_type.map(str::to_owned) };
    assert_eq!(answer, Ok((head, body.to_owned())), "{says}");
}

async fn bodies_end_where_they_say(http: &dyn AgentHttp) {
    let json = Some("application/json");
    let sized = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull";
    check(http, sized, false, (200, json, "null")).await;
    let chunked = "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n";
    check(http, chunked, false, (500, None, "abc")).await;
    check(
        http,
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end",
        true,
        (200, Some("text/plain"), "to the end"),
    )
    .await;
    check(http, "HTTP/1.1 204 Nothing\r\n\r\n", false, (204, None, "")).await;
    check(
        http,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        false,
        (404, None, "no"),
    )
    .await;
}

async fn a_conversation_goes_on(http: &dyn AgentHttp) {
    let (connection, mut server) = connection();
    let mut conversation = http.converse(connection).await.expect("a conversation");
    assert!(conversation.is_open());
    let answering = async {
        for number in 0..3 {
            server.hear("\r\n\r\n").await;
            server.say(&format!("HTTP/1.1 20{number} OK\r\ncontent-length: 1\r\n\r\n{number}")).await;
        }
        server
    };
    let asking = async {
        for number in 0..3 {
            let head = conversation.ask(ping()).await.expect("an answer");
            assert!(!conversation.is_open(), "before the body was read");
            let body = whole(&mut *conversation).await.expect("a body");
            assert_eq!((head.status, body), (200 + number, number.to_string()));
            assert!(conversation.is_open(), "after answer {number}");
        }
    };
    let (_server, ()) = soon(async { tokio::join!(answering, asking) }).await;
}

async fn a_conversation_ends(http: &dyn AgentHttp) {
    let polite = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let talkative = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno";
    for says in [polite, old, talkative] {
        let (answer, open) = answered(http, says, false).await;
        assert_eq!(answer.map(|(_, body)| body), Ok("ok".to_owned()), "{says}");
        assert!(!open, "{says}");
    }
    let (connection, mut server) = connection();
    let mut conversation = http.converse(connection).await.expect("a conversation");
    let answering = async {
        server.hear("\r\n\r\n").await;
        server.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    };
    let _ = soon(async { tokio::join!(conversation.ask(ping()), answering) }).await;
    assert_eq!(whole(&mut *conversation).await, Ok(String::new()));
    assert!(conversation.is_open());
    drop(server);
    assert!(!conversation.is_open(), "the server has closed it");
    assert_eq!(soon(conversation.ask(ping())).await, Err(HttpError::Unanswered));
}

async fn pieces_come_at_once(http: &dyn AgentHttp) {
    for (head, piece) in
        [("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "3\r\none\r\n"), ("HTTP/1.0 200 OK\r\n\r\n", "one")]
    {
        let (connection, mut server) = connection();
        let mut conversation = http.converse(connection).await.expect("a conversation");
        let answering = async {
            server.hear("\r\n\r\n").await;
            server.say(head).await;
        };
        let (answer, ()) = soon(async { tokio::join!(conversation.ask(ping()), answering) }).await;
        assert_eq!(answer.map(|head| head.status), Ok(200));
        for _ in 0..3 {
            assert!(tokio::time::timeout(MOMENT, conversation.read()).await.is_err(), "nothing was said");
            server.say(piece).await;
            assert_eq!(soon(conversation.read()).await, Ok(Some(Bytes::from_static(b"one"))));
        }
    }
}

async fn what_breaks_off_is_an_error(http: &dyn AgentHttp) {
    let unanswered = (Err(HttpError::Unanswered), false);
    assert_eq!(answered(http, "", true).await, unanswered);
    for says in [
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnul",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
    ] {
        assert_eq!(answered(http, says, true).await, (Err(HttpError::BrokenOff), false), "{says}");
    }
    // A connection that breaks is no end of a body that says nothing of its length.
    let (connection, mut server) = connection();
    let mut conversation = http.converse(connection).await.expect("a conversation");
    let answering = async {
        server.hear("\r\n\r\n").await;
        server.say("HTTP/1.0 200 OK\r\n\r\npart").await;
        server.break_off().await;
    };
    let asking = async {
        conversation.ask(ping()).await?;
        whole(&mut *conversation).await
    };
    let (answer, ()) = soon(async { tokio::join!(asking, answering) }).await;
    assert_eq!(answer, Err(HttpError::BrokenOff));
}

async fn what_is_not_http_is_an_error(http: &dyn AgentHttp) {
    let long = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "x".repeat(1_000_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    for says in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\r\n\r\n",
        "HTTP/1.1 20x OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab",
        &long,
        &many,
    ] {
        let (answer, open) = answered(http, says, true).await;
        let start: String = says.chars().take(60).collect();
        assert!(matches!(answer, Err(HttpError::Unreadable(_) | HttpError::BrokenOff)), "{start}: {answer:?}");
        assert!(!open, "{start}");
    }
}

async fn who_goes_closes_the_connection(http: &dyn AgentHttp) {
    // While the head is waited for: the answer that comes later is nobody's.
    let (connection, mut server) = connection();
    let mut conversation = http.converse(connection).await.expect("a conversation");
    assert!(tokio::time::timeout(MOMENT, conversation.ask(ping())).await.is_err());
    server.hear("\r\n\r\n").await;
    assert!(!conversation.is_open());
    let late = Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1");
    let _ = server.says.as_ref().expect("open").send(Ok(late)).await;
    assert!(!conversation.is_open());
    assert_eq!(soon(conversation.ask(ping())).await, Err(HttpError::Unanswered));
    drop(conversation);
    assert_eq!(soon(server.heard.recv()).await, None, "closed");
    // In the middle of a body.
    let (connection, mut server) = self::connection();
    let mut conversation = http.converse(connection).await.expect("a conversation");
    let answering = async {
        server.hear("\r\n\r\n").await;
        server.say("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n1").await;
    };
    let _ = soon(async { tokio::join!(conversation.ask(ping()), answering) }).await;
    assert_eq!(soon(conversation.read()).await, Ok(Some(Bytes::from_static(b"1"))));
    assert!(tokio::time::timeout(MOMENT, conversation.read()).await.is_err());
    let _ = server.says.as_ref().expect("open").send(Ok(Bytes::from_static(b"23"))).await;
    assert!(!conversation.is_open());
    drop(conversation);
    assert_eq!(soon(server.heard.recv()).await, None, "closed");
}

async fn who_does_not_read_makes_the_server_wait(http: &dyn AgentHttp) {
    let (connection, mut server) = connection();
    let mut conversation = http.converse(connection).await.expect("a conversation");
    let answering = async {
        server.hear("\r\n\r\n").await;
        server.say("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n").await;
    };
    let _ = soon(async { tokio::join!(conversation.ask(ping()), answering) }).await;
    let says = server.says.take().expect("open");
    let speaking = async { while says.send(Ok(Bytes::from(vec![b'x'; 65_536]))).await.is_ok() {} };
    let reading = async {
        let _ = conversation.read().await;
        std::future::pending::<()>().await;
    };
    let _ = tokio::time::timeout(MOMENT, async { tokio::join!(speaking, reading) }).await;
    let taken = server.taken.load(Ordering::Relaxed);
    assert!(taken < 1_000_000, "{taken} bytes were taken in that nobody reads");
}
