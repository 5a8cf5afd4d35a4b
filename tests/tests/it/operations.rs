//! What an operator watches: health and metrics.

use it::TestServer;

#[test]
fn health_is_open_and_says_nothing_but_ok() {
    let server = TestServer::start();
    for path in ["/health", "/health/live", "/health/ready", "/api/v1/health"] {
        let answer = server.call("GET", path, &[], "");
        assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"status":"ok"}"#), "{path}");
    }
}

#[test]
fn metrics_have_a_listener_of_their_own_and_no_series_of_a_callers_making() {
    let server = TestServer::start();
    server.tenant("acme");
    server.deploy(&server.admin, "triage");
    for number in 0..20 {
        server.admin("GET", &format!("/api/v1/agents/agent-{number}"), "");
        server.call("GET", &format!("/nowhere/{number}"), &[], "");
    }
    assert_eq!(server.call("GET", "/metrics", &[], "").status, 404, "not where the API is");
    let metrics = server.metrics();
    assert!(metrics.contains(r#"aegis_http_requests_total{operation="agent_deploy",status="201"} 1"#), "{metrics}");
    for word in ["acme", "triage", "agent-1", "nowhere", "key_0"] {
        assert!(!metrics.contains(word), "`{word}` in the metrics");
    }
    let series = metrics.lines().filter(|line| line.starts_with("aegis_http_requests_total")).count();
    assert!(series < 10, "{series} series");
}
