//! `kill -9` inside commits: a second process commits without a pause and says what was
//! acknowledged; it is killed at a random moment, again and again, on the same directory.
#![expect(clippy::disallowed_methods, reason = "these tests start a second process and talk to it")]
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use aegis_conformance::store::TestIntegrity;
use aegis_conformance::store::draft::{agent, batch, claim, create, entry, event, ok, tenant, work};
use aegis_model::port::Store;
use aegis_model::record::{Batch, Change};
use aegis_store::verify_rows;
use tempfile::TempDir;

/// How often the process is killed.
const KILLS: u64 = 25;
/// Callers that commit at the same time.
const CALLERS: u64 = 16;

fn open(dir: &Path) -> Arc<dyn Store> {
    aegis_store::open(dir, Arc::new(TestIntegrity::default())).expect("the directory opens after a kill")
}

/// All that a batch can hold, each naming the same thing.
fn act(name: &str) -> Batch {
    batch([create(name), event("agents", name), entry(name), work(name, 0)])
}

/// A batch that fails after it has written everything: nothing of it may ever be seen.
fn refused(name: &str) -> Batch {
    let mut batch = act(&format!("refused-{name}"));
    batch.changes.push(Change::Require { key: agent(name), expect: aegis_model::record::Expect::Version(99) });
    batch
}

/// Run by the next test in a second process; alone it has nothing to do.
#[test]
fn a_second_process_commits_until_it_is_killed() {
    let (Ok(dir), Ok(round)) = (std::env::var("AEGIS_TEST_KILL_DIR"), std::env::var("AEGIS_TEST_KILL_ROUND")) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        let store = open(Path::new(&dir));
        let callers: Vec<_> =
            (0..CALLERS).map(|who| tokio::spawn(commit_for_ever(store.clone(), format!("{round}-{who}")))).collect();
        for caller in callers {
            caller.await.expect("a caller never ends");
        }
    });
}

async fn commit_for_ever(store: Arc<dyn Store>, who: String) {
    for number in 0_u64.. {
        let name = format!("r{who}-{number}");
        let mut results = store.commit_many(vec![act(&name), refused(&name)]).await;
        assert!(results.pop().is_some_and(|refused| refused.is_err()));
        let done = ok(results.remove(0));
        let (sequence, position) = (done.sequences[0], done.positions[0]);
        acknowledge(&format!("\nack {name} {sequence} {position}"));
        if number % 7 == 0 {
            ok(store.claim(&claim(1, 1, 2)).await);
        }
    }
}

fn acknowledge(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the parent reads");
}

fn start(dir: &Path, round: u64) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "a_second_process_commits_until_it_is_killed", "--nocapture"])
        .env("AEGIS_TEST_KILL_DIR", dir)
        .env("AEGIS_TEST_KILL_ROUND", round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the second process starts")
}

struct Acknowledged {
    name: String,
    sequence: u64,
    position: u64,
}

fn parse(line: &str) -> Option<Acknowledged> {
    let mut words = line.strip_prefix("ack ")?.split(' ');
    let name = words.next()?.to_owned();
    Some(Acknowledged { name, sequence: words.next()?.parse().ok()?, position: words.next()?.parse().ok()? })
}

/// Kills the process after so many acknowledgements, in the middle of the next commits, and
/// reads on: what was said before the end counts.
fn kill_after(mut child: Child, count: u64) -> Vec<Acknowledged> {
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let mut seen = Vec::new();
    for line in lines.by_ref() {
        seen.extend(parse(&line));
        if seen.len() as u64 >= count {
            break;
        }
    }
    child.kill().expect("it is ours");
    // The last line may be cut; one that has all its words but lost its end could lie.
    let rest: Vec<String> = lines.collect();
    let whole = rest.split_last().map_or(&[][..], |(_, whole)| whole);
    seen.extend(whole.iter().filter_map(|line| parse(line)));
    child.wait().expect("it is gone");
    seen
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed_inside_commits() {
    let dir = TempDir::new().expect("a directory");
    let mut acknowledged = Vec::new();
    for round in 0..KILLS {
        // Different moments in each round, from the first commit on.
        let count = 1 + round * round % 97;
        let seen = kill_after(start(dir.path(), round), count);
        assert!(seen.len() as u64 >= count, "round {round}: the process ended by itself");
        acknowledged.extend(seen);
        check(dir.path(), &acknowledged).await;
    }
    println!("{} commits were acknowledged over {KILLS} kills", acknowledged.len());
}

async fn check(dir: &Path, acknowledged: &[Acknowledged]) {
    let store = open(dir);
    let entries = ok(store.entries(&tenant("acme"), 0, usize::MAX).await);
    let events = ok(store.tail(&tenant("acme"), None, 0, usize::MAX).await);
    for Acknowledged { name, sequence, position } in acknowledged {
        assert!(ok(store.get(&agent(name)).await).is_some(), "document `{name}` is lost");
        assert_eq!(entries[*position as usize].bytes.as_ref(), name.as_bytes());
        let event = events.iter().find(|event| event.sequence == *sequence).expect("the event is there");
        assert_eq!(&event.draft.name, name);
    }
    // Whole batches only: every entry has its event and its document, and none is refused.
    let entered: BTreeSet<&[u8]> = entries.iter().map(|entry| entry.bytes.as_ref()).collect();
    let happened: BTreeSet<&[u8]> = events.iter().map(|event| event.draft.name.as_bytes()).collect();
    assert_eq!(entered, happened);
    assert_eq!(entered.len(), entries.len());
    assert!(entered.iter().all(|name| !name.starts_with(b"refused")));
    assert_eq!(ok(store.tree_head(&tenant("acme")).await).size, entries.len() as u64);
    drop(store);
    let report = verify_rows(dir, &TestIntegrity::default()).expect("it can be checked");
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.records, report.events, report.work), (report.entries, report.entries, report.entries));
}
