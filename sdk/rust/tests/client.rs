//! The client against a real server on a socket, which answers what it is told to.
#![expect(clippy::expect_used, reason = "what a test cannot set up ends it")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aegis_model::api::{
    ApprovalApprove, ApprovalDeny, ApprovalListQuery, ApprovalViewQuery, ConsistencyQuery, DecisionListQuery,
    DispatchRequest, EndpointSet, EntriesQuery, FreezeRequest, IdentityTokenWish, IntentSet, InvokeRequest, KeyCreate,
    LogQuery, PageQuery, PolicyApply, PolicyAsk, PolicyDraft, PolicyDraftSet, PolicyReplay, PolicyRollback, PolicySet,
    PolicyTest, ProofQuery, RotationProposal, RotationSet, RunListQuery, SecretRotate, SecretSet, SessionListQuery,
    TenantCreate, ThawRequest,
};
use aegis_model::exec::ExecRequest;
use aegis_model::freeze::FreezeTarget;
use aegis_model::policy::PolicyMode;
use aegis_model::secret::SecretValue;
use aegis_model::{ApprovalId, Code, Fault, KeyId, Operation, RunId, Timestamp};
use aegis_sdk::{Client, ClientError, ClientOptions, Deployment};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const KEY: &str = "aegis_key_secret";

/// What the server does with a request.
#[derive(Clone)]
enum Reply {
    /// Answers with a status, more headers and a body.
    Answer(u16, &'static str, String),
    /// Reads the request and closes the connection.
    Drop,
    /// Reads the request and never answers.
    Hang,
}

fn ok(body: &str) -> Reply {
    Reply::Answer(200, "", body.to_owned())
}

fn fault(code: Code) -> Reply {
    let envelope = Fault::new(code, "no").envelope("cor_server");
    Reply::Answer(code.status(), "", serde_json::to_string(&envelope).expect("json"))
}

/// A request as it arrived.
#[derive(Clone, Debug)]
struct Seen {
    line: String,
    head: String,
    body: Vec<u8>,
}

impl Seen {
    fn header(&self, name: &str) -> Option<String> {
        let found = self
            .head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    }
}

struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers each request with the next reply, and all further ones with the last.
    async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let Some(request) = read(&mut stream).await else { continue };
                let number = {
                    let mut log = log.lock().expect("log");
                    log.push(request);
                    log.len() - 1
                };
                match &replies[number.min(replies.len() - 1)] {
                    Reply::Answer(status, headers, body) => {
                        let length = body.len();
                        let answer = format!(
                            "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
                        );
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                    Reply::Drop => {}
                    Reply::Hang => held.push(stream),
                }
            }
        });
        Self { url, seen }
    }

    fn client(&self) -> Client {
        Client::new(&self.url, KEY).expect("client")
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("log").clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let line = head.lines().next()?.to_owned();
    let mut seen = Seen { line, head, body: bytes[head_end + 4..].to_vec() };
    let length: usize = seen.header("content-length").map_or(0, |length| length.parse().expect("a length"));
    while seen.body.len() < length {
        stream.read_buf(&mut seen.body).await.ok()?;
    }
    Some(seen)
}

fn key_id() -> KeyId {
    KeyId::generate(Timestamp::from_millis(1), [7; 10])
}

/// Calls every operation once; what comes back does not matter.
async fn call_all(client: &Client) {
    let page = PageQuery { limit: Some(7), cursor: Some("a&b".to_owned()) };
    let (name, endpoint) = ("triage".parse().expect("name"), "prod".parse().expect("name"));
    let tenant = "acme".parse().expect("name");
    let ask = PolicyAsk { action: "agent_list".to_owned(), ..PolicyAsk::default() };
    let _ = client.agent_list(&page).await;
    let _ = client.agent_deploy(&Deployment::yaml("kind: Agent")).await;
    let _ = client.agent_view(&name).await;
    let _ = client.agent_delete(&name).await;
    let _ = client.version_list(&name, &page).await;
    let _ = client.version_view(&name, 3).await;
    let _ = client.version_revoke(&name, 3).await;
    let _ = client.version_approve(&name, 3).await;
    let _ = client.endpoint_list(&name, &page).await;
    let _ = client.endpoint_view(&name, &endpoint).await;
    let _ = client.endpoint_set(&name, &endpoint, &EndpointSet { version: 3 }).await;
    let _ = client.endpoint_delete(&name, &endpoint).await;
    let (run, session) = (RunId::generate(Timestamp::from_millis(1), [7; 10]), "ada".parse().expect("id"));
    let _ = client.agent_invoke(&name, &InvokeRequest::default()).await;
    let _ = client.agent_observe(&name, &InvokeRequest::default()).await;
    let _ = client.run_list(&RunListQuery::default()).await;
    let _ = client.run_view(&run).await;
    let _ = client.run_events(&run, 0).await;
    let _ = client.run_cancel(&run).await;
    let _ = client.run_retry(&run).await;
    let _ = client.session_list(&SessionListQuery::default()).await;
    let _ = client.session_view(&session).await;
    let _ = client.session_logs(&session, &LogQuery::default()).await;
    let _ = client.session_exec(&session, &ExecRequest::default()).await;
    let _ = client.session_file_get(&session, "a b/c").await;
    let _ = client.session_file_put(&session, "a b/c", Default::default(), true).await;
    let _ = client.session_end(&session).await;
    let _ = client.key_list(&page).await;
    let _ = client
        .key_create(&KeyCreate { role: None, tenant: None, kind: None, label: String::new(), expires_in_ms: None })
        .await;
    let _ = client.key_revoke(&key_id()).await;
    let _ = client.encryption_key_rotate().await;
    secrets(client, &page).await;
    let _ = client.tenant_list(&page).await;
    let _ = client.tenant_create(&TenantCreate { id: "acme".parse().expect("name") }).await;
    let _ = client.tenant_delete(&tenant).await;
    let _ = client.policy_list(&aegis_model::api::PolicyListQuery::default()).await;
    policies(client, &page).await;
    intents(client, &page).await;
    let _ = client.policy_test(&PolicyTest { draft: None, cases: Vec::new() }).await;
    let _ = client.policy_explain(&ask).await;
    approvals(client).await;
    let _ = client.decision_list(&DecisionListQuery::default()).await;
    let _ = client.ledger_checkpoint().await;
    let _ = client.ledger_key_rotate().await;
    let _ = client.identity_view().await;
    let wish = IdentityTokenWish { audience: "vault".to_owned(), lifetime_s: None };
    let _ = client.identity_token(&wish).await;
    let _ = client.identity_key_rotate().await;
    let _ = client.ledger_entries(&EntriesQuery { from: Some(5), limit: None }).await;
    let _ = client.ledger_proof(&ProofQuery { position: 5, size: Some(9) }).await;
    let _ = client.ledger_consistency(&ConsistencyQuery { from: 5, to: None }).await;
    let _ = client.freeze_list(&page).await;
    let _ = client.freeze_set(&FreezeRequest { target: FreezeTarget::All, reason: String::new() }).await;
    let _ = client.freeze_lift(&ThawRequest { target: FreezeTarget::All }).await;
}

async fn policies(client: &Client, page: &PageQuery) {
    let name = "no-prod".parse().expect("name");
    let set = PolicySet { mode: PolicyMode::Enforce, text: String::new(), reason: String::new() };
    let _ = client.policy_apply(&PolicyApply::default()).await;
    let _ = client.policy_rollback(&PolicyRollback { revision: 1, reason: String::new() }).await;
    let _ = client.policy_set(&name, &set).await;
    let _ = client.policy_delete(&name).await;
    let _ = client.policy_revision_list(page).await;
    let _ = client.policy_revision_view(7).await;
    let _ = client.policy_diff(&PolicyDraftSet::default()).await;
    let draft = PolicyDraft::Text(String::new());
    let _ = client.policy_replay(&PolicyReplay { draft, since: None, limit: None }).await;
}

async fn intents(client: &Client, page: &PageQuery) {
    let agent = "triage".parse().expect("name");
    let set = IntentSet { agent, endpoint: None, timeout_ms: None, description: String::new() };
    let record = serde_json::json!({"service": "billing", "intent": "refund"});
    let record = serde_json::from_value(record).expect("a record");
    let _ = client.dispatch(&DispatchRequest::default()).await;
    let _ = client.intent_list(page).await;
    let _ = client.intent_view("billing", "refund").await;
    let _ = client.intent_set("billing", "refund", &set).await;
    let _ = client.intent_delete("billing", "refund").await;
    let _ = client.governance_list(page).await;
    let _ = client.governance_view("billing", "refund").await;
    let _ = client.governance_set(&record).await;
    let _ = client.governance_delete("billing", "refund").await;
}

fn approval_id() -> ApprovalId {
    ApprovalId::generate(Timestamp::from_millis(1), [7; 10])
}

async fn approvals(client: &Client) {
    let id = approval_id();
    let _ = client.approval_list(&ApprovalListQuery::default()).await;
    let _ = client.approval_view(&id, &ApprovalViewQuery { wait_ms: Some(5) }).await;
    let _ = client.approval_approve(&id, &ApprovalApprove::default()).await;
    let _ = client.approval_deny(&id, &ApprovalDeny::default()).await;
    let _ = client.approval_withdraw(&id).await;
}

async fn secrets(client: &Client, page: &PageQuery) {
    let (name, value) = ("triage".parse().expect("name"), || SecretValue::new("x".to_owned()));
    let program = RotationSet { agent: "triage".parse().expect("a name"), agent_version: None, overlap_ms: None };
    let _ = client.rotation_set(&name, &program).await;
    let _ = client.rotation_start(&name).await;
    let _ = client.rotation_remove(&name).await;
    let _ = client.rotation_read(&name).await;
    let _ = client.rotation_propose(&name, &RotationProposal { value: value() }).await;
    let _ = client.secret_list(page).await;
    let _ = client.secret_view(&name).await;
    let set = SecretSet { value: value(), description: None, rotate_every_ms: None };
    let _ = client.secret_set(&name, &set).await;
    let _ = client.secret_rotate(&name, &SecretRotate { value: value(), overlap_ms: None }).await;
    let _ = client.secret_rollback(&name).await;
    let _ = client.secret_delete(&name).await;
}

#[tokio::test]
async fn every_operation_goes_where_the_table_says() {
    let server = Server::start(vec![fault(Code::NotFound)]).await;
    call_all(&server.client()).await;
    let filled = |operation: &Operation| {
        let path = operation.path().replace("{name}", "triage").replace("{version}", "3").replace("{endpoint}", "prod");
        let path = path.replace("{key_id}", key_id().as_str()).replace("{tenant}", "acme");
        let path = path.replace("{approval_id}", approval_id().as_str());
        let path = path.replace("{policy}", "no-prod").replace("{revision}", "7");
        let path = path.replace("{service}", "billing").replace("{intent}", "refund");
        let run = RunId::generate(Timestamp::from_millis(1), [7; 10]);
        let path = path.replace("{run_id}", run.as_str()).replace("{session_id}", "ada").replace("{path}", "a%20b/c");
        format!("{} /api/v1{path}", operation.method().as_str())
    };
    let expected: BTreeSet<String> = Operation::ALL.iter().map(filled).collect();
    let lines: Vec<String> = server.seen().iter().map(|seen| seen.line.clone()).collect();
    let called: BTreeSet<String> = lines
        .iter()
        .map(|line| line.split(['?']).next().unwrap_or("").trim_end_matches(" HTTP/1.1").to_owned())
        .collect();
    assert_eq!(called, expected);
    let listed = lines.iter().find(|line| line.starts_with("GET /api/v1/agents?")).expect("a list");
    assert!(listed.contains("cursor=a%26b") && listed.contains("limit=7"), "{listed}");
    assert!(lines.contains(&"GET /api/v1/ledger/entries?from=5 HTTP/1.1".to_owned()), "{lines:#?}");
}

#[tokio::test]
async fn every_request_has_key_and_correlation_id_and_every_post_an_idempotency_key() {
    let server = Server::start(vec![fault(Code::NotFound)]).await;
    call_all(&server.client()).await;
    let seen = server.seen();
    let mut keys = BTreeSet::new();
    for request in &seen {
        assert_eq!(request.header("x-api-key").as_deref(), Some(KEY), "{}", request.line);
        assert!(request.header("x-correlation-id").is_some_and(|id| id.starts_with("cor_")), "{}", request.line);
        let key = request.header("idempotency-key");
        assert_eq!(key.is_some(), request.line.starts_with("POST"), "{}", request.line);
        assert!(key.is_none_or(|key| keys.insert(key)), "a key was used twice");
    }
    assert_eq!(seen.len(), Operation::ALL.len());
}

#[tokio::test]
async fn a_repeat_is_the_same_request() {
    let replies =
        vec![fault(Code::StoreUnavailable), Reply::Drop, ok("{\"items\":[],\"revision\":0,\"policy_hash\":\"\"}")];
    let server = Server::start(replies).await;
    let deployment = Deployment::yaml("kind: Agent").with_bundle(vec![1, 2, 3]);
    let _ = server.client().agent_deploy(&deployment).await;
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    for repeat in &seen[1..] {
        assert_eq!((&repeat.head, &repeat.body), (&seen[0].head, &seen[0].body));
    }
    assert!(seen[0].header("content-type").is_some_and(|kind| kind.starts_with("multipart/form-data; boundary=")));
}

#[tokio::test]
async fn a_delete_that_may_have_happened_is_not_repeated() {
    let server = Server::start(vec![Reply::Drop]).await;
    let error = server.client().agent_delete(&"a".parse().expect("name")).await.expect_err("no answer");
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code_status_and_correlation_id() {
    for code in [Code::Denied, Code::NotFound, Code::Frozen, Code::Conflict, Code::Internal, Code::BudgetExceeded] {
        let server = Server::start(vec![fault(code)]).await;
        let error =
            server.client().policy_list(&aegis_model::api::PolicyListQuery::default()).await.expect_err("refused");
        let ClientError::Api { status, body } = &error else { panic!("{error:?}") };
        assert_eq!((*status, body.code), (code.status(), code));
        assert_eq!((error.exit_code(), error.correlation_id()), (code.category().exit_code(), Some("cor_server")));
        assert_eq!(server.seen().len(), 1, "{code} was repeated");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_so_that_the_key_stays_here() {
    let other = Server::start(vec![ok("{}")]).await;
    let location: &'static str = Box::leak(format!("Location: {}/x\r\n", other.url).into_boxed_str());
    for status in [301, 302, 307, 308] {
        let server = Server::start(vec![Reply::Answer(status, location, String::new())]).await;
        let error =
            server.client().policy_list(&aegis_model::api::PolicyListQuery::default()).await.expect_err("a redirect");
        assert!(error.to_string().contains("redirects"), "{error}");
        assert_eq!(error.exit_code(), 10);
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn answers_that_are_not_of_the_api_are_no_panic() {
    let unknown = "{\"error\":{\"code\":\"ERR_FROM_THE_FUTURE\\u001b[2J\"}}";
    for (status, body, exit_code) in [
        (200, "", 10),
        (200, "<html>", 10),
        (200, "{\"items\":3}", 10),
        (404, "<html>", 10),
        (502, "bad gateway", 6),
        (503, "", 8),
        (401, "", 4),
        (500, unknown, 10),
    ] {
        let server = Server::start(vec![Reply::Answer(status, "", body.to_owned())]).await;
        let error = server
            .client()
            .policy_list(&aegis_model::api::PolicyListQuery::default())
            .await
            .expect_err("not of the API");
        assert!(matches!(error, ClientError::Protocol { .. }), "{error:?}");
        assert_eq!(error.exit_code(), exit_code, "{status} {body}");
        assert!(!error.to_string().contains('\u{1b}'));
        assert_eq!(server.seen().len(), 1, "{status} was repeated");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = Server::start(vec![Reply::Hang]).await;
    let options = ClientOptions { timeout_ms: 100, ..ClientOptions::default() };
    let client = Client::with_options(&server.url, KEY, options).expect("client");
    let error = client.policy_list(&aegis_model::api::PolicyListQuery::default()).await.expect_err("no answer");
    assert!(matches!(error, ClientError::TimedOut { timeout_ms: 100, .. }), "{error:?}");
    assert_eq!((error.exit_code(), server.seen().len()), (7, 2));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_its_cause() {
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let client = Client::new(&format!("http://127.0.0.1:{port}"), KEY).expect("client");
    let error = client.policy_list(&aegis_model::api::PolicyListQuery::default()).await.expect_err("nobody there");
    assert_eq!(error.exit_code(), 6);
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn an_answer_without_a_body_is_enough_where_none_is_expected() {
    let server = Server::start(vec![Reply::Answer(204, "", String::new())]).await;
    server.client().freeze_lift(&ThawRequest { target: FreezeTarget::All }).await.expect("thawed");
}

#[tokio::test]
async fn retry_after_is_kept_to_and_an_endless_one_is_not_waited_for() {
    let body = serde_json::to_string(&Fault::new(Code::RateLimited, "no").envelope("cor_1")).expect("json");
    let server = Server::start(vec![Reply::Answer(429, "Retry-After: 3600\r\n", body)]).await;
    let error = server.client().policy_list(&aegis_model::api::PolicyListQuery::default()).await.expect_err("limited");
    assert_eq!((error.exit_code(), server.seen().len()), (8, 1));
}

#[tokio::test]
async fn the_caller_may_choose_the_ids() {
    let server = Server::start(vec![fault(Code::NotFound)]).await;
    let client = server.client().with_correlation_id(&"cor-mine".parse().expect("an id"));
    let client = client.with_idempotency_key("mine").expect("a key");
    let _ = client.tenant_create(&TenantCreate { id: "acme".parse().expect("name") }).await;
    let seen = server.seen();
    assert_eq!(seen[0].header("x-correlation-id").as_deref(), Some("cor-mine"));
    assert_eq!(seen[0].header("idempotency-key").as_deref(), Some("mine"));
    assert!(server.client().with_idempotency_key("a\r\nb").is_err());
}
