//! Alerts: the rules that are shipped, put by `promtool` to metrics that a real server told
//! before and after what they warn of had happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use aegis_model::Operation;
use it::TestServer;
use serde_json::{Value, json};

/// A rule whose evaluation fails: no number is larger than the largest.
const BROKEN: &str = "forbid (principal, action == Action::\"version_view\", resource)\n\
                      when { context.version + 9223372036854775807 > 0 };";

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/alerts").join(file).canonicalize().unwrap()
}

/// Runs promtool with this on its standard input; `None` on a machine that has none, which is
/// said aloud.
#[expect(clippy::print_stderr, reason = "whoever reads the tests must see what was not tried")]
fn promtool(arguments: &[&str], input: &str) -> Option<Output> {
    let command = Command::new("promtool").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = command else {
        eprintln!("SKIPPED: `promtool` is not installed here; on Debian it is in the package `prometheus`");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[track_caller]
fn passes(arguments: &[&str], input: &str) {
    if let Some(output) = promtool(arguments, input) {
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "promtool {arguments:?}\n{told}");
    }
}

/// Every series with its value.
fn series(metrics: &str) -> BTreeMap<String, f64> {
    let read = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    metrics.lines().filter(|line| !line.starts_with('#')).filter_map(read).collect()
}

/// The series as Prometheus keeps it, which notes whom it has scraped.
fn scraped(name: &str) -> String {
    match name.split_once('{') {
        Some((name, labels)) => format!("{name}{{job=\"aegis\",{labels}"),
        None => format!("{name}{{job=\"aegis\"}}"),
    }
}

/// Two minutes of the one scrape, then the other one; as promtool writes it.
fn over_time(before: &str, after: &str) -> Vec<Value> {
    let (before, after) = (series(before), series(after));
    let each = after.iter().map(|(name, value)| {
        let first = before.get(name).map_or("_x8".to_owned(), |value| format!("{value}x7"));
        json!({"series": scraped(name), "values": format!("{first} {value}x24")})
    });
    each.chain([json!({"series": "up{job=\"aegis\"}", "values": "1x32"})]).collect()
}

/// Whether exactly these alerts fire at that time, by name and label.
fn firing(time: &str, alerts: &[(&str, &str)]) -> Value {
    let labels = |(name, change): &(&str, &str)| match *change {
        "" => format!("{{alertname=\"{name}\"}}"),
        change => format!("{{alertname=\"{name}\",change=\"{change}\"}}"),
    };
    let samples: Vec<Value> = alerts.iter().map(|alert| json!({"labels": labels(alert), "value": 1})).collect();
    let expression = "count by (alertname, change) (ALERTS{alertstate=\"firing\"})";
    json!({"expr": expression, "eval_time": time, "exp_samples": samples})
}

/// What each of the security alerts is about.
fn trouble(server: &TestServer) {
    let viewer = server.key("viewer");
    for _ in 0..11 {
        assert_eq!(server.deploy(&viewer, "triage").status, 403);
    }
    assert_eq!(server.with_key("aegis_wrong", "GET", "/api/v1/agents", "").status, 401);
    let body = json!({"text": BROKEN, "reason": "as the test says"}).to_string();
    let applied = server.admin("PUT", "/api/v1/policies/broken", &body);
    assert_eq!(applied.status, 200, "{}", applied.text);
    for _ in 0..6 {
        let answer = server.admin("GET", "/api/v1/agents/triage/versions/2", "");
        assert_eq!((answer.status, answer.code().as_str()), (403, "ERR_DENIED"), "{}", answer.text);
    }
}

#[test]
fn every_security_alert_fires_on_the_metrics_of_a_server_that_had_such_trouble_and_none_before() {
    let server = TestServer::start();
    let before = server.metrics();
    trouble(&server);
    let after = server.metrics();
    let alerts = [
        ("AegisDecisionsFailed", ""),
        ("AegisDenials", ""),
        ("AegisSecurityChange", "key"),
        ("AegisSecurityChange", "policy"),
        ("AegisUnauthorised", ""),
    ];
    let test = json!({
        "rule_files": [deploy("aegis.rules.yml")],
        "evaluation_interval": "15s",
        "tests": [{
            "interval": "15s",
            "input_series": over_time(&before, &after),
            "promql_expr_test": [firing("1m45s", &[]), firing("5m", &alerts)],
        }],
    });
    let file = server.home().join("alerts.test.yml");
    fs::write(&file, test.to_string()).unwrap();
    passes(&["test", "rules", file.to_str().unwrap()], "");
}

#[test]
fn what_is_allowed_tried_and_committed_is_counted_once_and_what_fails_is_not_a_change() {
    let server = TestServer::start();
    let before = series(&server.metrics());
    let since = |name: &str| series(&server.metrics())[name] - before[name];
    assert_eq!(server.admin("GET", "/api/v1/agents", "").status, 200);
    assert_eq!(server.admin("POST", "/api/v1/keys", r#"{"role":"nobody"}"#).status, 422);
    for answer in [("allowed", 2.0), ("denied", 0.0), ("failed", 0.0)] {
        let name = format!("aegis_decisions_total{{kind=\"api\",answer=\"{}\"}}", answer.0);
        assert_eq!(since(&name), answer.1, "{name}");
    }
    assert_eq!(since("aegis_decision_seconds_count{kind=\"api\"}"), 2.0);
    assert_eq!(since("aegis_security_changes_total{change=\"key\"}"), 0.0);

    let operator = server.key("operator");
    assert_eq!(server.deploy(&operator, "asks").status, 201);
    assert_eq!(since("aegis_security_changes_total{change=\"grant\"}"), 0.0, "nobody has approved it");
    assert_eq!(server.deploy(&server.admin, "holds").status, 201);
    assert_eq!(since("aegis_security_changes_total{change=\"grant\"}"), 1.0);

    let text = "forbid (principal, action == Action::\"agent_list\", resource);";
    let body = json!({"text": text, "mode": "LOG_ONLY", "reason": "as the test says"}).to_string();
    assert_eq!(server.admin("PUT", "/api/v1/policies/trial", &body).status, 200);
    assert_eq!(server.admin("GET", "/api/v1/agents", "").status, 200);
    assert_eq!(since("aegis_policy_log_only_total"), 1.0);

    assert_eq!(server.admin("POST", "/api/v1/freeze", r#"{"target":"agent/holds"}"#).status, 200);
    assert_eq!(server.deploy(&server.admin, "holds").status, 423);
    assert_eq!(since("aegis_decisions_total{kind=\"api\",answer=\"denied\"}"), 1.0, "a freeze is a no");
    assert_eq!(since("aegis_security_changes_total{change=\"freeze\"}"), 1.0);
}

/// Asks for a page in two ways; none of them is granted.
const ASKER: &str = r#"
import json, urllib.request
def get(url):
    try: return urllib.request.urlopen(url, timeout=20).status
    except OSError as error: return str(error)
print(json.dumps([get("http://api.example.com/"), get("https://api.example.com/")]))
"#;

#[test]
fn what_wants_out_of_a_box_is_one_denial_however_often_it_had_to_be_judged() {
    let server = TestServer::start();
    let manifest = json!({
        "apiVersion": "aegis/v1", "kind": "Agent", "metadata": {"name": "asker"},
        "spec": {
            "runtime": {"isolation": "process", "command": ["python3", "-c", ASKER]},
            "resources": {"memory": "128Mi", "pids": 32, "disk": "16Mi"},
        },
    });
    let deployed = server.admin("POST", "/api/v1/agents", &manifest.to_string());
    assert_eq!(deployed.status, 201, "{}", deployed.text);
    let before = series(&server.metrics());
    let told = it::runs::outcome(&it::runs::invoke(&server, "asker", &json!({"input": null})));
    let after = series(&server.metrics());
    let since = |answer: &str| {
        let name = format!("aegis_decisions_total{{kind=\"outward\",answer=\"{answer}\"}}");
        after[&name] - before[&name]
    };
    assert_eq!((since("allowed"), since("denied"), since("failed")), (0.0, 2.0, 0.0), "{told}");
    let judged = "aegis_decision_seconds_count{kind=\"outward\"}";
    assert!(after[judged] - before[judged] >= 2.0);
}

#[test]
fn the_rules_are_valid_and_pass_their_own_tests() {
    passes(&["check", "rules", deploy("aegis.rules.yml").to_str().unwrap()], "");
    passes(&["test", "rules", deploy("aegis.rules.test.yml").to_str().unwrap()], "");
    let (rules, tests) = (read("aegis.rules.yml"), read("aegis.rules.test.yml"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(alerts.len(), 8, "{alerts:?}");
    for alert in alerts {
        let tested = format!("alertname: {alert}\n        exp_alerts:");
        assert!(tests.contains(&format!("{tested}\n")), "no test makes `{alert}` fire");
        assert!(tests.contains(&format!("{tested} []")), "no test shows when `{alert}` does not fire");
    }
}

#[test]
fn the_rules_ask_for_series_that_a_server_tells_and_leave_out_what_waits() {
    let server = TestServer::start();
    server.admin("GET", "/api/v1/agents", "");
    let metrics = series(&server.metrics());
    let told: BTreeSet<&str> = metrics.keys().filter_map(|name| name.split('{').next()).collect();
    let rules = read("aegis.rules.yml");
    let expressions = rules.lines().filter(|line| !line.contains("description:") && !line.trim().starts_with('#'));
    let words = expressions.flat_map(|line| line.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_'));
    let asked: BTreeSet<&str> = words.filter(|word| word.starts_with("aegis_")).collect();
    assert!(asked.len() >= 7, "{asked:?}");
    assert_eq!(asked.difference(&told).collect::<Vec<_>>(), Vec::<&&str>::new(), "nobody tells these");
    let waits = Operation::ALL.iter().copied().filter(|operation| operation.waits()).map(Operation::as_str);
    let left_out = format!("operation!~\"{}\"", waits.collect::<Vec<_>>().join("|"));
    assert!(rules.contains(&left_out), "{left_out}");
}

#[test]
fn the_metrics_pass_the_lint_of_prometheus() {
    let server = TestServer::start();
    server.admin("GET", "/api/v1/agents", "");
    passes(&["check", "metrics"], &plain(&server.metrics()));
}

/// The same in the older text form, which is all that the lint reads: there the name of a counter
/// is that of its series.
fn plain(metrics: &str) -> String {
    let counters: BTreeSet<&str> =
        metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let named = |line: &str| match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["#", "EOF"] | ["#", "UNIT", ..] => String::new(),
        ["#", what, name, rest @ ..] if counters.contains(name) => {
            format!("# {what} {name}_total {}\n", rest.join(" "))
        }
        _ => format!("{line}\n"),
    };
    metrics.lines().map(named).collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(deploy(file)).unwrap()
}
