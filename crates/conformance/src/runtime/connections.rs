//! Connections to servers inside a box. The suite's server says back what it hears.

use std::sync::Arc;
use std::time::Duration;

use aegis_model::boxes::{BoxEnd, BoxError, BoxPlan, BoxResources, BoxSignal};
use aegis_model::port::{Connection, LiveBox, Opening, Openings, Running, Towards};
use bytes::Bytes;

use super::{Subject, case, exec};

const PORT: u16 = 8080;

pub(super) async fn cases(subject: &Subject) {
    case("a server that nobody started is not reached", refused(subject)).await;
    case("what a server says comes back in its order", round_trip(subject)).await;
    case("connections do not disturb each other", beside(subject)).await;
    case("a server learns that nothing more comes, and says its last", last_words(subject)).await;
    case("a connection ends with its server", server_gone(subject)).await;
    case("a connection ends with its box", box_gone(subject)).await;
    case("so many connections may be open and no more", so_many(subject)).await;
    case("what is opened inside is served outside", opened(subject)).await;
    case("what is opened inside ends with its box", opened_and_gone(subject)).await;
}

/// A box in which the server runs and listens.
async fn served(subject: &Subject) -> (Arc<dyn LiveBox>, Running) {
    let made = subject.plain().await;
    let server = serve(&*made).await;
    (made, server)
}

async fn serve(made: &dyn LiveBox) -> Running {
    let mut server = exec(made, &["tcp-echo", &PORT.to_string()]).await.expect("started");
    assert_eq!(server.output.read().await, Ok(Some(Bytes::from_static(b"ready\n"))));
    server
}

/// Writes that, and reads as much.
async fn echo(connection: &mut Connection, text: &'static [u8]) -> Vec<u8> {
    connection.input.write(Bytes::from_static(text)).await.expect("written");
    let mut heard = Vec::new();
    while heard.len() < text.len() {
        heard.extend_from_slice(&connection.output.read().await.expect("read").expect("more"));
    }
    heard
}

async fn refused(subject: &Subject) {
    let (made, _server) = served(subject).await;
    assert_eq!(made.connect(PORT + 1).await.err(), Some(BoxError::NotListening(PORT + 1)));
    made.connect(PORT).await.expect("the next one is connected");
    made.kill().await;
    assert_eq!(made.connect(PORT).await.err(), Some(BoxError::Ended(BoxEnd::Killed)));
}

async fn round_trip(subject: &Subject) {
    let (made, _server) = served(subject).await;
    let Connection { mut input, mut output } = made.connect(PORT).await.expect("connected");
    let sent: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
    let sending = sent.clone();
    tokio::spawn(async move {
        for piece in sending.chunks(70_000) {
            input.write(Bytes::copy_from_slice(piece)).await.expect("written");
        }
    });
    let mut received = Vec::new();
    while received.len() < sent.len() {
        received.extend_from_slice(&output.read().await.expect("read").expect("more"));
    }
    assert!(received == sent, "{} bytes of {} came back", received.len(), sent.len());
    let stats = made.stats().await.expect("stats");
    assert!(stats.door_in_bytes >= 3_000_000 && stats.door_out_bytes >= 3_000_000, "{stats:?}");
    made.kill().await;
}

async fn beside(subject: &Subject) {
    let (made, _server) = served(subject).await;
    let mut first = made.connect(PORT).await.expect("connected");
    let mut second = made.connect(PORT).await.expect("connected");
    assert_eq!(echo(&mut first, b"one").await, b"one");
    assert_eq!(echo(&mut second, b"two").await, b"two");
    drop(second);
    assert_eq!(echo(&mut first, b"three").await, b"three");
    made.kill().await;
}

async fn last_words(subject: &Subject) {
    let (made, _server) = served(subject).await;
    let Connection { mut input, mut output } = made.connect(PORT).await.expect("connected");
    input.write(Bytes::from_static(b"last")).await.expect("written");
    drop(input);
    assert_eq!(output.read().await, Ok(Some(Bytes::from_static(b"last"))));
    assert_eq!(output.read().await, Ok(None));
    made.kill().await;
}

async fn server_gone(subject: &Subject) {
    let (made, server) = served(subject).await;
    let mut connection = made.connect(PORT).await.expect("connected");
    assert_eq!(echo(&mut connection, b"here").await, b"here");
    server.steering.signal(BoxSignal::Kill).await.expect("sent");
    server.steering.ending().await;
    assert!(!matches!(connection.output.read().await, Ok(Some(_))), "somebody still answers");
    assert_eq!(made.connect(PORT).await.err(), Some(BoxError::NotListening(PORT)));
    made.kill().await;
}

async fn box_gone(subject: &Subject) {
    let (made, _server) = served(subject).await;
    let mut connection = made.connect(PORT).await.expect("connected");
    let reading = tokio::spawn(async move { connection.output.read().await });
    assert_eq!(made.kill().await, BoxEnd::Killed);
    let read = tokio::time::timeout(Duration::from_secs(10), reading).await.expect("an end").expect("no panic");
    assert!(!matches!(read, Ok(Some(_))), "{read:?}");
}

async fn so_many(subject: &Subject) {
    let plan = subject.plan();
    let resources = BoxResources { pids: 1_000, ..plan.resources };
    let made = subject.runtime.create(BoxPlan { resources, ..plan }).await.expect("a box");
    let _server = serve(&*made).await;
    let mut open = Vec::new();
    let refused = loop {
        match made.connect(PORT).await {
            Ok(connection) => open.push(connection),
            Err(error) => break error,
        }
        assert!(open.len() <= 1_000, "without end");
    };
    assert!(matches!(refused, BoxError::NoRoom(_)), "{refused:?}");
    assert!(open.len() >= 100, "only {} were possible", open.len());
    open.truncate(1);
    let mut next = made.connect(PORT).await.expect("there is room again");
    assert_eq!(echo(&mut next, b"next").await, b"next");
    made.kill().await;
}

/// Where the API is found inside.
const API_PORT: u16 = 7700;

async fn speak(made: &dyn LiveBox) -> Running {
    exec(made, &["tcp-speak", &API_PORT.to_string()]).await.expect("started")
}

/// The next stream that something inside opens to the API.
async fn next(openings: &mut dyn Openings) -> Connection {
    match openings.next().await {
        Some(Opening::Stream { towards: Towards::Api, stream }) => Connection::of(stream),
        _ => panic!("something else was opened, or nothing"),
    }
}

async fn opened(subject: &Subject) {
    let made = subject.plain().await;
    // One that is opened before anybody serves waits.
    let mut first = speak(&*made).await;
    first.input.write(Bytes::from_static(b"hello")).await.expect("written");
    let mut openings = made.openings().expect("given out once");
    assert!(made.openings().is_none(), "given out twice");
    let Connection { mut input, mut output } = next(&mut *openings).await;
    assert_eq!(output.read().await, Ok(Some(Bytes::from_static(b"hello"))));
    input.write(Bytes::from_static(b"who is there?")).await.expect("written");
    assert_eq!(first.output.read().await, Ok(Some(Bytes::from_static(b"who is there?"))));
    // Each side learns that the other says no more.
    drop(first.input);
    assert_eq!(output.read().await, Ok(None));
    drop((input, output));
    assert_eq!(first.output.read().await, Ok(None));
    let mut second = speak(&*made).await;
    let mut stream = next(&mut *openings).await;
    stream.input.write(Bytes::from_static(b"!")).await.expect("written");
    assert_eq!(second.output.read().await, Ok(Some(Bytes::from_static(b"!"))));
    made.kill().await;
}

async fn opened_and_gone(subject: &Subject) {
    let made = subject.plain().await;
    let mut openings = made.openings().expect("given out once");
    let speaker = speak(&*made).await;
    let mut stream = next(&mut *openings).await;
    made.kill().await;
    assert!(openings.next().await.is_none());
    assert!(matches!(stream.output.read().await, Ok(None) | Err(_)), "nobody says anything any more");
    assert!(made.openings().is_none());
    drop(speaker);
}
