//! Logs on disk: numbered, bounded, without keys, readable after a restart.
#![expect(clippy::expect_used, reason = "a test that cannot be set up ends")]

use std::sync::Arc;

use aegis_adapters::logs::DiskLogs;
use aegis_model::port::Logs;
use aegis_model::run::LogDraft;
use aegis_model::{CorrelationId, SessionId, TenantId, Timestamp};

fn draft(text: impl Into<String>) -> LogDraft {
    let at = Timestamp::from_millis(1);
    LogDraft { at, run_id: None, correlation_id: CorrelationId::generate(at, [0; 10]), text: text.into() }
}

fn whose(session: &str) -> (TenantId, SessionId) {
    ("acme".parse().expect("a name"), session.parse().expect("an id"))
}

fn open(directory: &std::path::Path) -> Arc<DiskLogs> {
    Arc::new(DiskLogs::open(directory.join("logs"), 4 * 1024 * 1024).expect("logs"))
}

#[tokio::test]
async fn lines_are_numbered_and_read_back_in_order_also_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let (tenant, session) = whose("ada");
    let logs = open(directory.path());
    for number in 1..=3 {
        logs.append(&tenant, &session, draft(format!("line {number}")));
    }
    let read = logs.read(&tenant, &session, 1, 10).await.expect("lines");
    assert_eq!(
        read.iter().map(|line| (line.number, line.text.as_str())).collect::<Vec<_>>(),
        [(2, "line 2"), (3, "line 3")]
    );
    drop(logs);
    let logs = open(directory.path());
    logs.append(&tenant, &session, draft("line 4"));
    let read = logs.read(&tenant, &session, 3, 10).await.expect("lines");
    assert_eq!(read.iter().map(|line| line.number).collect::<Vec<_>>(), [4]);
    let (_, other) = whose("eve");
    assert!(logs.read(&tenant, &other, 0, 10).await.expect("lines").is_empty());
}

#[tokio::test]
async fn a_log_is_bounded_and_loses_its_oldest_lines_first() {
    let directory = tempfile::tempdir().expect("a directory");
    let (tenant, session) = whose("ada");
    let logs = open(directory.path());
    for round in 0..20 {
        for _ in 0..100 {
            logs.append(&tenant, &session, draft("x".repeat(1_000)));
        }
        // Reading waits for the writer, so nothing is lost on the way.
        let last = logs.read(&tenant, &session, round * 100, 1_000).await.expect("lines");
        assert_eq!(last.last().map(|line| line.number), Some((round + 1) * 100));
    }
    let all = logs.read(&tenant, &session, 0, usize::MAX).await.expect("lines");
    assert!(all.len() < 1_100 && all.len() > 500, "{}", all.len());
    assert_eq!(all.last().map(|line| line.number), Some(2_000));
}

#[tokio::test]
async fn a_flood_is_cut_and_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let (tenant, session) = whose("ada");
    let logs = open(directory.path());
    for _ in 0..200_000 {
        logs.append(&tenant, &session, draft("flood"));
    }
    logs.read(&tenant, &session, 0, 1).await.expect("lines");
    logs.append(&tenant, &session, draft("after"));
    let kept = logs.read(&tenant, &session, 0, usize::MAX).await.expect("lines");
    let last = kept.last().expect("a line");
    assert!(last.text.starts_with("after") && last.number < 200_000, "{last:?}");
    // The first line that is kept again says so; that may be one of the flood.
    assert!(kept.iter().any(|line| line.text.contains("were not kept")), "{last:?}");
}

#[tokio::test]
async fn a_line_is_cut_and_cannot_draw_on_a_terminal() {
    let directory = tempfile::tempdir().expect("a directory");
    let (tenant, session) = whose("ada");
    let logs = open(directory.path());
    logs.append(&tenant, &session, draft("\u{1b}[31mred\u{7}\tä"));
    logs.append(&tenant, &session, draft("ä".repeat(10_000)));
    let read = logs.read(&tenant, &session, 0, 10).await.expect("lines");
    assert_eq!(read[0].text, "[31mred\tä");
    assert!(read[1].text.len() < 8_200 && read[1].text.ends_with('…'));
}

#[tokio::test]
async fn whole_logs_go_when_there_is_no_room_the_oldest_first() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = open(directory.path());
    let tenant: TenantId = "acme".parse().expect("a name");
    for number in 0..200 {
        let session: SessionId = format!("s{number}").parse().expect("an id");
        for _ in 0..40 {
            logs.append(&tenant, &session, draft("x".repeat(1_000)));
        }
        logs.read(&tenant, &session, 0, 1).await.expect("lines");
    }
    let kept = |session: &str| {
        let (logs, session) = (Arc::clone(&logs), session.parse::<SessionId>().expect("an id"));
        let tenant = tenant.clone();
        async move { !logs.read(&tenant, &session, 0, 1).await.expect("lines").is_empty() }
    };
    assert!(!kept("s0").await && kept("s199").await);
}
