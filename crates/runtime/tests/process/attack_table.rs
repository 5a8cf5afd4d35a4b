//! The published table of attacks, `docs/attacks.md`: written from what the attacks report, and
//! compared with it. Must not know: what an attack does.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use aegis_runtime::process::survey;
use serde_json::Value;

use super::attacks::text;

/// Set to write the table instead of comparing it.
const WRITE: &str = "AEGIS_WRITE_ATTACKS";

/// The families, in the order of the program of attacks, and what each of them aims at.
const FAMILIES: [(&str, &str); 5] = [
    ("kernel", "System calls and the confinement itself"),
    ("files", "The file system, `/proc`, `/sys` and `/dev`"),
    ("channels", "Ways to talk to somebody outside"),
    ("credentials", "Secrets that may lie about"),
    ("door", "The one way out, and the guest that holds it"),
];

/// The table says of each attack that was tried what was just seen. What the kernel answered
/// depends on the kernel: it is compared where the table was written, or on one like it.
pub fn is_what_was_seen(reports: &[Value], but: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/attacks.md");
    let seen = table(reports);
    if std::env::var_os(WRITE).is_some() {
        assert!(but.is_empty(), "a table with holes is not written");
        return fs::write(path, seen).expect("written");
    }
    let published = fs::read_to_string(&path).expect("the table is there");
    let alike = published.lines().any(|line| line == machine());
    let lines = |table: &str| -> Vec<String> { table.lines().filter_map(|line| compared(line, but, alike)).collect() };
    let (published, seen) = (lines(&published), lines(&seen));
    assert_eq!(published.len(), seen.len(), "`docs/attacks.md` has another number of lines; {}", how());
    for (published, seen) in published.iter().zip(seen) {
        assert_eq!(*published, seen, "`docs/attacks.md` is not what was seen; {}", how());
    }
}

fn how() -> String {
    format!("write it with `{WRITE}=1 cargo test -p aegis-runtime --test process no_attack_gets_out_of_a_process_box`")
}

/// What is compared of a line: all of it where everything was tried on a machine like the one
/// it was written on; elsewhere the attacks that were tried, and whether they were held off.
fn compared(line: &str, but: &[&str], alike: bool) -> Option<String> {
    if alike && but.is_empty() {
        return Some(line.to_owned());
    }
    let (row, _answer) = line.strip_prefix("| `")?.rsplit_once(" | ")?;
    let (name, _) = row.split_once('`')?;
    (!but.contains(&name)).then(|| row.to_owned())
}

/// The kernel, as it is what answers.
fn machine() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let findings = survey().findings;
    let landlock = findings.into_iter().find(|finding| finding.name == "Landlock").expect("a finding").found;
    let landlock = landlock.unwrap_or_default();
    format!("Answers of Linux {} on {}; Landlock {}.", release.trim(), std::env::consts::ARCH, landlock)
}

fn table(reports: &[Value]) -> String {
    let mut table = String::new();
    let held = reports.iter().filter(|report| report.get("held").and_then(Value::as_bool) == Some(true)).count();
    let head = format!(
        "<!-- Generated from what the attacks reported. Do not edit: {}. The same test, without the variable, \
         compares. -->\n\
         # Attacks on boxes\n\
         What the program `tests/attacks` tries from inside a box, and what came of it. Tier: `process`. \
         Attacks: {}. Held: {held}.\n\n\
         {}\n\n\
         A row says what the attack tries, and what it was answered: the kernel's word for no, or what was found \
         instead. What is absent from a box is `ENOENT`; a family of sockets that does not exist there is \
         `EAFNOSUPPORT`; a way out of its network, `ENETUNREACH`.\n",
        how(),
        reports.len(),
        machine(),
    );
    table.push_str(&head);
    for (family, aim) in FAMILIES {
        let of_family: Vec<&Value> = reports.iter().filter(|report| text(report, "area") == family).collect();
        let _ = write!(
            table,
            "\n## {family}: {}\n{aim}.\n\n| attack | tries | result | answer |\n|---|---|---|---|\n",
            of_family.len()
        );
        for report in of_family {
            let result = if report.get("held").and_then(Value::as_bool) == Some(true) { "held" } else { "**got out**" };
            let (name, tries, answer) = (text(report, "name"), text(report, "tries"), answer(text(report, "why")));
            let _ = writeln!(table, "| `{name}` | {tries} | {result} | {answer} |");
        }
    }
    table
}

/// The answer without what differs from one run to the next: numbers and states of processes.
fn answer(why: &str) -> String {
    let digit = |letter: char| letter.is_ascii_digit();
    let mut places = why.split(".attack-");
    let mut answer = places.next().unwrap_or_default().trim_start_matches(digit).trim_start().to_owned();
    for place in places {
        answer.push_str(".attack");
        answer.push_str(place.trim_start_matches(digit));
    }
    let (answer, _) = answer.split_once(", state ").unwrap_or((&answer, ""));
    answer.replace('|', "\\|")
}

#[test]
fn the_table_names_every_family() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/attacks.md");
    let published = fs::read_to_string(path).expect("the table is there");
    for (family, _) in FAMILIES {
        assert!(published.contains(&format!("\n## {family}: ")), "{family}");
    }
}

#[test]
fn elsewhere_it_is_compared_what_was_held_off() {
    let line = "| `mount` | mounts | held | mount: EPERM |";
    assert_eq!(compared(line, &[], true).as_deref(), Some(line));
    assert_eq!(compared(line, &[], false).as_deref(), Some("mount` | mounts | held"));
    assert_eq!(compared(line, &["walk"], true).as_deref(), Some("mount` | mounts | held"));
    assert_eq!(compared(line, &["mount"], true), None);
    assert_eq!(compared("## kernel: 108", &["walk"], true), None);
}

#[test]
fn an_answer_is_the_same_in_every_run() {
    assert_eq!(
        answer("/workspace/.attack-179/0: ENOENT; /workspace/.attack-7/1: EACCES"),
        "/workspace/.attack/0: ENOENT; /workspace/.attack/1: EACCES"
    );
    assert_eq!(answer("3 processes, all of this box"), "processes, all of this box");
    assert_eq!(answer("kill: taken; pid 1 lives on, state S"), "kill: taken; pid 1 lives on");
    assert_eq!(answer("mount: EPERM"), "mount: EPERM");
}
