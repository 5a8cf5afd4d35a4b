//! Every attack, from inside a real box.

use std::collections::BTreeMap;

use aegis_conformance::runtime::Subject;
use aegis_model::boxes::{BoxPlan, BoxResources, Program};
use serde_json::Value;

use super::place;

/// Runs every attack in one box, and returns what each of them reports.
async fn reports(subject: &Subject) -> Vec<Value> {
    let plan = subject.plan();
    let resources = BoxResources { pids: 256, ..plan.resources };
    let made = subject.runtime.create(BoxPlan { resources, ..plan }).await.expect("a box");
    let running = made.exec(Program::of(["/app/attacks", "run", "all"])).await.expect("started");
    let answer = running.collect(4_000_000).await.expect("an answer");
    made.kill().await;
    let text = String::from_utf8(answer.output.to_vec()).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a report")).collect()
}

fn text<'r>(report: &'r Value, field: &str) -> &'r str {
    report.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attack_gets_out_of_a_process_box() {
    let Some(place) = place().await else { return };
    let reports = reports(&place.subject()).await;
    assert!(reports.len() > 200, "only {} attacks were run", reports.len());
    let held = |report: &&Value| report.get("held").and_then(Value::as_bool) == Some(true);
    let got_out: Vec<&Value> = reports.iter().filter(|report| !held(report)).collect();
    assert!(got_out.is_empty(), "{got_out:#?}");
    let mut areas: BTreeMap<&str, usize> = BTreeMap::new();
    for report in &reports {
        *areas.entry(text(report, "area")).or_default() += 1;
    }
    eprintln!("attacks that were held off, by area: {areas:?}");
    place.close().await;
}
