//! An agent that is a server in a box that exists in memory only.
#![expect(clippy::disallowed_methods, reason = "the paused clock of the test is the time")]

use std::sync::Mutex;

use aegis_conformance::runtime::{FakeRuntime, agent_of};
use aegis_model::boxes::{BoxPlan, BoxResources, RootPlan};
use aegis_model::port::{AgentHttp, Clock, Connection, HttpHead, LiveBox, LogError, Logs, Runtime};
use aegis_model::run::{LogDraft, LogLine};
use aegis_model::{TenantId, Timestamp};
use async_trait::async_trait;
use serde_json::json;

use aegis_model::port::HttpConversation;
use bytes::Bytes;

use super::*;
use crate::session::log::LineLog;
use crate::session::speech::Nobody;

struct World(tokio::time::Instant);

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap()
    }
}

#[async_trait]
impl Logs for World {
    fn append(&self, _: &TenantId, _: &SessionId, _: LogDraft) {}

    async fn read(&self, _: &TenantId, _: &SessionId, _: u64, _: usize) -> Result<Vec<LogLine>, LogError> {
        Ok(Vec::new())
    }
}

/// Every connection answers so many questions, and is then found closed, or closes without an
/// answer when it is asked.
struct Scripted {
    answers: usize,
    closes_unseen: bool,
    /// For each question, the number of its connection.
    asked: Arc<Mutex<Vec<usize>>>,
    begun: Mutex<usize>,
}

struct Conversation {
    number: usize,
    left: usize,
    closes_unseen: bool,
    asked: Arc<Mutex<Vec<usize>>>,
    body: Option<Bytes>,
    _connection: Connection,
}

#[async_trait]
impl AgentHttp for Scripted {
    async fn converse(&self, connection: Connection) -> Result<Box<dyn HttpConversation>, HttpError> {
        let mut begun = self.begun.lock().unwrap();
        *begun += 1;
        Ok(Box::new(Conversation {
            number: *begun,
            left: self.answers,
            closes_unseen: self.closes_unseen,
            asked: Arc::clone(&self.asked),
            body: None,
            _connection: connection,
        }))
    }
}

#[async_trait]
impl HttpConversation for Conversation {
    async fn ask(&mut self, request: HttpRequest) -> Result<HttpHead, HttpError> {
        if request.method == HttpMethod::Post {
            self.asked.lock().unwrap().push(self.number);
        }
        self.left = self.left.checked_sub(1).ok_or(HttpError::Unanswered)?;
        self.body = Some(Bytes::from_static(b"{}"));
        Ok(HttpHead { status: 200, content_type: Some("application/json".to_owned()) })
    }

    async fn read(&mut self) -> Result<Option<Bytes>, HttpError> {
        Ok(self.body.take())
    }

    fn is_open(&mut self) -> bool {
        self.left > 0 || self.closes_unseen
    }
}

/// That agent of the suite, in a box, spoken to like that.
async fn agent(arguments: &[&str], http: Scripted) -> (HttpAgent, Arc<dyn LiveBox>) {
    let plan = BoxPlan { root: RootPlan::Host, code: None, resources: BoxResources::default(), agent: None };
    let live = FakeRuntime::default().create(plan).await.unwrap();
    let running = live.exec(agent_of(arguments)).await.unwrap();
    let world = Arc::new(World(tokio::time::Instant::now()));
    let log = || LineLog {
        logs: Arc::clone(&world) as Arc<dyn Logs>,
        clock: Arc::clone(&world) as Arc<dyn Clock>,
        tenant: "a".parse().unwrap(),
        session: "s".parse().unwrap(),
        run: None,
        correlation_id: "c".parse().unwrap(),
        line: Mutex::default(),
    };
    let server = Server::attend(running, [log(), log()]);
    let lines = Lines::new(Arc::clone(&live), 8080, Arc::new(http), Arc::clone(&world) as Arc<dyn Clock>);
    (HttpAgent::new("s".parse().unwrap(), lines, server), live)
}

fn scripted(answers: usize, closes_unseen: bool) -> (Scripted, Arc<Mutex<Vec<usize>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    (Scripted { answers, closes_unseen, asked: Arc::clone(&asked), begun: Mutex::new(0) }, asked)
}

async fn ask(agent: &HttpAgent) -> Result<Value, Fault> {
    let said = Said { input: Bytes::from_static(b"{}"), correlation_id: "c".parse().unwrap() };
    agent.speak(&said, &Nobody).await
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_never_listens_is_waited_for_so_long_and_its_log_told() {
    let (agent, _live) = agent(&["ignore-term"], scripted(1, false).0).await;
    let begun = tokio::time::Instant::now();
    let fault = ask(&agent).await.unwrap_err();
    assert_eq!(fault.code(), Code::AgentStartFailed);
    assert_eq!(fault.message(), "the agent does not listen on port 8080 of its box after 30 s");
    assert_eq!(fault.details()["log"], json!(["ready"]));
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_ends_before_it_listens_failed_to_start() {
    let (agent, _live) = agent(&["exit", "7"], scripted(1, false).0).await;
    let fault = ask(&agent).await.unwrap_err();
    let expected = "the agent ended with exit code 7 before it listened on port 8080";
    assert_eq!((fault.code(), fault.message()), (Code::AgentStartFailed, expected));
    assert!(agent.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_box_that_ends_is_no_failure_of_the_agent() {
    let (agent, live) = agent(&["ignore-term"], scripted(1, false).0).await;
    let (fault, _) = tokio::join!(ask(&agent), live.kill());
    assert_eq!(fault.unwrap_err().code(), Code::StateInvalid);
    assert!(!agent.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_used_until_it_closes_and_asked_again_only_if_it_rested() {
    // The first connection is asked how the agent is, too.
    let (http, asked) = scripted(3, false);
    let (found_closed, _live) = agent(&["tcp-echo", "8080"], http).await;
    for _ in 0..4 {
        assert_eq!(ask(&found_closed).await.unwrap(), json!({}));
    }
    assert_eq!(*asked.lock().unwrap(), [1, 1, 2, 2]);
    let (http, asked) = scripted(2, true);
    let (closes_unseen, _live) = agent(&["tcp-echo", "8080"], http).await;
    for _ in 0..3 {
        assert_eq!(ask(&closes_unseen).await.unwrap(), json!({}));
    }
    assert_eq!(*asked.lock().unwrap(), [1, 1, 2, 2], "the second question was asked twice");
    let (http, asked) = scripted(0, true);
    let (never, _live) = agent(&["tcp-echo", "8080"], http).await;
    assert_eq!(ask(&never).await.unwrap_err().message(), "the agent closed the connection without an answer");
    assert_eq!(*asked.lock().unwrap(), [1 + 1], "a new connection is asked once");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_rests_too_long_is_closed() {
    let (http, asked) = scripted(100, false);
    let (agent, _live) = agent(&["tcp-echo", "8080"], http).await;
    ask(&agent).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    agent.sweep();
    ask(&agent).await.unwrap();
    tokio::time::advance(Duration::from_secs(3)).await;
    agent.sweep();
    ask(&agent).await.unwrap();
    assert_eq!(*asked.lock().unwrap(), [1, 1, 2]);
}

#[test]
fn only_who_says_so_is_busy() {
    assert!(says_busy(br#"{"status":"HealthyBusy","time_of_last_update":1}"#));
    for other in [r#"{"status":"Healthy"}"#, r#""HealthyBusy""#, "HealthyBusy", "", "{}", r#"{"status":1}"#] {
        assert!(!says_busy(other.as_bytes()), "{other}");
    }
}
