//! Programs in a box: how they start, what they say, how they end.

use std::time::Duration;

use aegis_model::boxes::{BoxError, BoxPlan, BoxSignal, Exit, Program};
use bytes::Bytes;

use super::{Subject, agent_of, case, exec};

pub(super) async fn cases(subject: &Subject) {
    case("how a program ended is told", endings(subject)).await;
    case("bytes are neither lost nor reordered", bytes_come_back(subject)).await;
    case("a program that does not exist is named", missing(subject)).await;
    case("an agent that does not exist leaves no box", missing_agent(subject)).await;
    case("a program is killed when its time is over", timed_out(subject)).await;
    case("a signal reaches a program", signalled(subject)).await;
    case("output that nobody reads makes the writer wait", never_read_by_us(subject)).await;
    case("too much output ends the program", too_long(subject)).await;
    case("an agent that never reads can be ended", never_reads(subject)).await;
    case("an agent that closes its streams is still watched", closed_streams(subject)).await;
    case("a daemon does not hold up the end of its parent", daemon(subject)).await;
    case("programs run beside each other", beside(subject)).await;
}

async fn end_of(subject: &Subject, arguments: &[&str]) -> Exit {
    let made = subject.plain().await;
    let answer = exec(&*made, arguments).await.expect("started").collect(1_024).await.expect("answer");
    made.kill().await;
    answer.ending.exit
}

async fn endings(subject: &Subject) {
    assert_eq!(end_of(subject, &["true"]).await, Exit::Code(0));
    assert_eq!(end_of(subject, &["exit", "7"]).await, Exit::Code(7));
    assert_eq!(end_of(subject, &["exit", "255"]).await, Exit::Code(255));
    assert_eq!(end_of(subject, &["signal", "15"]).await, Exit::Signal(15));
    assert_eq!(end_of(subject, &["signal", "9"]).await, Exit::Signal(9));
}

async fn bytes_come_back(subject: &Subject) {
    let made = subject.plain().await;
    let running = exec(&*made, &["echo"]).await.expect("started");
    let sent: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
    let (mut input, mut output, steering) = (running.input, running.output, running.steering);
    let sending = sent.clone();
    tokio::spawn(async move {
        for piece in sending.chunks(70_000) {
            input.write(Bytes::copy_from_slice(piece)).await.expect("written");
        }
    });
    let mut received = Vec::new();
    while let Some(bytes) = output.read().await.expect("read") {
        received.extend_from_slice(&bytes);
    }
    assert!(received == sent, "{} bytes of {} came back", received.len(), sent.len());
    assert_eq!(steering.ending().await.exit, Exit::Code(0));
    let stats = made.stats().await.expect("stats");
    assert!(stats.door_in_bytes >= 3_000_000 && stats.door_out_bytes >= 3_000_000, "{stats:?}");
    made.kill().await;
}

async fn missing(subject: &Subject) {
    let made = subject.plain().await;
    for name in ["/app/no-such-program", "no-such-program"] {
        let refused = made.exec(Program::of([name])).await.err();
        assert!(matches!(&refused, Some(BoxError::StartFailed { program, .. }) if program == name), "{refused:?}");
    }
    assert!(matches!(made.exec(Program::default()).await.err(), Some(BoxError::StartFailed { .. })));
    assert_eq!(exec(&*made, &["true"]).await.expect("the next one starts").collect(1).await.map(|_| ()), Ok(()));
    made.kill().await;
}

async fn missing_agent(subject: &Subject) {
    let plan = BoxPlan { agent: Some(Program::of(["/app/no-such-agent"])), ..subject.plan() };
    let refused = subject.runtime.create(plan).await.err();
    assert!(matches!(&refused, Some(BoxError::StartFailed { .. })), "{refused:?}");
    assert_eq!(subject.runtime.alive(), 0);
}

async fn timed_out(subject: &Subject) {
    let made = subject.plain().await;
    let program = Program { timeout_ms: 50, ..agent_of(&["ignore-term"]) };
    let running = made.exec(program).await.expect("started");
    assert_eq!(running.steering.ending().await.exit, Exit::TimedOut);
    made.kill().await;
}

async fn signalled(subject: &Subject) {
    let made = subject.plain().await;
    let mut running = exec(&*made, &["idle"]).await.expect("started");
    running.output.read().await.expect("ready");
    running.steering.signal(BoxSignal::Terminate).await.expect("sent");
    assert_eq!(running.steering.ending().await.exit, Exit::Signal(15));
    made.kill().await;
}

async fn never_read_by_us(subject: &Subject) {
    let made = subject.plain().await;
    let running = exec(&*made, &["print-forever"]).await.expect("started");
    tokio::task::yield_now().await;
    // Whatever it wrote is bounded by what lies between it and us.
    let stats = made.stats().await.expect("stats");
    assert_eq!(stats.door_out_bytes, 0);
    made.kill().await;
    drop(running);
}

async fn too_long(subject: &Subject) {
    let made = subject.plain().await;
    let running = exec(&*made, &["print-forever"]).await.expect("started");
    let steering = std::sync::Arc::clone(&running.steering);
    assert_eq!(running.collect(1_000_000).await.err(), Some(BoxError::OutputTooLong(1_000_000)));
    // Killed, or ended by itself as nobody listens any more: it is not left running.
    steering.ending().await;
    made.kill().await;
}

async fn never_reads(subject: &Subject) {
    let made = subject.with_agent(&["never-read"]).await;
    made.claim().await.expect("claimed");
    let running = made.invoke(Bytes::from(vec![0; 4_000_000])).await.expect("invoked");
    made.kill().await;
    assert!(matches!(running.steering.ending().await.exit, Exit::BoxEnded(_)));
}

async fn closed_streams(subject: &Subject) {
    let made = subject.plain().await;
    let mut running = exec(&*made, &["close-streams"]).await.expect("started");
    assert_eq!(running.output.read().await, Ok(None));
    running.steering.signal(BoxSignal::Kill).await.expect("sent");
    assert_eq!(running.steering.ending().await.exit, Exit::Signal(9));
    made.kill().await;
}

async fn daemon(subject: &Subject) {
    let made = subject.plain().await;
    let answer = exec(&*made, &["daemonise"]).await.expect("started").collect(1_024).await.expect("answer");
    assert_eq!((answer.ending.exit, answer.output.as_ref()), (Exit::Code(0), b"done\n".as_slice()));
    made.kill().await;
}

async fn beside(subject: &Subject) {
    let made = subject.plain().await;
    let mut slow = exec(&*made, &["echo"]).await.expect("started");
    for _ in 0..10 {
        assert_eq!(exec(&*made, &["true"]).await.expect("started").collect(1).await.map(|_| ()), Ok(()));
    }
    slow.input.write(Bytes::from_static(b"still here")).await.expect("written");
    let read = tokio::time::timeout(Duration::from_secs(10), slow.output.read()).await;
    assert_eq!(read, Ok(Ok(Some(Bytes::from_static(b"still here")))));
    made.kill().await;
}
