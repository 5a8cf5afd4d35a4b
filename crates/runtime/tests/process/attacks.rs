//! Every attack, from inside real boxes; and the published table of them, which is compared
//! with what was just seen.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use aegis_conformance::runtime::Subject;
use aegis_model::boxes::{BoxPlan, BoxResources, Exit, Program, RootPlan};
use aegis_model::port::LiveBox;
use serde_json::Value;

use super::{attack_table as table, patience, place};

/// Attacks that look at every file there is, and have seconds for it. Where that is not enough
/// for the files of the host, they see those of a small root only.
const WALKS: [&str; 4] = ["door-socket", "key-files", "setuid-program", "writable-places"];

/// What the program of attacks prints, line by line.
async fn reports(made: &dyn LiveBox, arguments: &[&str]) -> Vec<Value> {
    let words = ["/app/attacks"].iter().chain(arguments).copied();
    let running = made.exec(Program::of(words)).await.expect("started");
    let answer = running.collect(4_000_000).await.expect("an answer");
    assert!(matches!(answer.ending.exit, Exit::Code(0 | 1)), "{:?}", answer.ending);
    let text = String::from_utf8(answer.output.to_vec()).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a report")).collect()
}

pub fn text<'r>(report: &'r Value, field: &str) -> &'r str {
    report.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Tries every attack but those in a box with that root; none may get anywhere. Answers what
/// each of them reported.
async fn all_are_held_off(subject: &Subject, root: RootPlan, but: &[&str]) -> Vec<Value> {
    let plan = subject.plan();
    let resources = BoxResources { pids: 256, ..plan.resources };
    let made = subject.runtime.create(BoxPlan { root, resources, ..plan }).await.expect("a box");
    let known = reports(&*made, &["list"]).await;
    assert!(known.len() > 200, "only {} attacks are known", known.len());
    let names: Vec<&str> = known.iter().map(|attack| text(attack, "name")).filter(|name| !but.contains(name)).collect();
    let reports = reports(&*made, &[&["run"], names.as_slice()].concat()).await;
    made.kill().await;
    assert_eq!(reports.len(), known.len() - but.len(), "attacks ended before their end");
    let held = |report: &&Value| report.get("held").and_then(Value::as_bool) == Some(true);
    let got_out: Vec<&Value> = reports.iter().filter(|report| !held(report)).collect();
    assert!(got_out.is_empty(), "{got_out:#?}");
    let mut areas: BTreeMap<&str, usize> = BTreeMap::new();
    for report in &reports {
        *areas.entry(text(report, "area")).or_default() += 1;
    }
    eprintln!("attacks that were held off: {}, by area: {areas:?}", reports.len());
    reports
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attack_gets_out_of_a_process_box() {
    let Some(place) = place().await else { return };
    let but = if patience() > 1 { &WALKS[..] } else { &[] };
    let reports = all_are_held_off(&place.subject(), RootPlan::Host, but).await;
    table::is_what_was_seen(&reports, but);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attack_gets_out_of_a_box_with_a_root_of_its_own() {
    let Some(place) = place().await else { return };
    let root = place.directory.path().join("root");
    let programs = root.join("usr/bin");
    fs::create_dir_all(&programs).expect("made");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("mode set");
    // One that would run as whoever runs this, if it could.
    for (name, mode) in [("tool", 0o755), ("setuid", 0o6755)] {
        fs::copy(place.code.join("attacks"), programs.join(name)).expect("copied");
        fs::set_permissions(programs.join(name), fs::Permissions::from_mode(mode)).expect("mode set");
    }
    all_are_held_off(&place.subject(), RootPlan::Directory(root), &[]).await;
    place.close().await;
}
