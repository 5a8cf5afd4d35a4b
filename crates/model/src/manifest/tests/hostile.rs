//! Texts that somebody wrote to break the parser, and texts that only look strange.

use super::super::{MANIFEST_DEPTH_MAX, MANIFEST_NODES_MAX, MANIFEST_SIZE_MAX_BYTES};
use super::sample::FULL;
use super::{lines, parse, problems, valid};

fn check(text: impl AsRef<[u8]>, expected: &str) {
    assert_eq!(lines(&problems(text.as_ref())), expected);
}

#[test]
fn what_is_no_document_is_refused() {
    check("", "line 1, column 1: the manifest is empty @ ");
    check("# only a comment\n", "line 1, column 1: the manifest is empty @ ");
    check("agent", "line 1, column 1: the manifest must be a map, found a text @ ");
    check("[]", "line 1, column 1: the manifest must be a map, found a list @ ");
    check(b"kind: A\n  \xff", "line 2, column 3: byte 10 is not UTF-8 @ ");
    check(b"\xff\xfek\0i\0", "line 1, column 1: byte 0 is not UTF-8 @ ");
    check("kind: A\0gent", "line 1, column 8: the character U+0000 is not taken @ ");
    check("kind: \u{1b}[31m", "line 1, column 7: the character U+001B is not taken @ ");
}

#[test]
fn a_huge_text_is_refused_by_its_size() {
    let text = "a".repeat(MANIFEST_SIZE_MAX_BYTES + 1);
    check(text, "line 1, column 1: the manifest has 262145 bytes, more than 262144 @ ");
}

#[test]
fn deep_nesting_is_refused_in_every_spelling() {
    let deep = |count: usize, open: &str, close: &str| format!("{}{}", open.repeat(count), close.repeat(count));
    let blocks: String = (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth.min(250)))).collect();
    for text in [
        deep(100_000, "[", "]"),
        deep(40_000, "{a: ", "}"),
        deep(100_000, "[", ""),
        "- ".repeat(100_000),
        deep(30_000, "{\"a\":[", "]}"),
        "? ".repeat(100_000),
        blocks,
    ] {
        let found = lines(&problems(text.as_bytes()));
        let expected = format!("the manifest is nested deeper than {MANIFEST_DEPTH_MAX} levels @ ");
        let refused = found.ends_with(&expected)
            || found.contains("neither YAML nor JSON")
            || found.contains("cannot be the name");
        assert!(refused, "{found}");
    }
    let text = format!("{}{}", "[".repeat(MANIFEST_DEPTH_MAX), "]".repeat(MANIFEST_DEPTH_MAX));
    check(&text, "line 1, column 1: the manifest must be a map, found a list @ ");
    let text = format!("[{text}]");
    check(text, "line 1, column 65: the manifest is nested deeper than 64 levels @ ");
}

#[test]
fn too_many_values_are_refused() {
    let text = format!("[{}]", "1,".repeat(MANIFEST_NODES_MAX));
    let found = lines(&problems(text.as_bytes()));
    assert!(found.contains("the manifest has more than 20000 values"), "{found}");
}

#[test]
fn a_bomb_of_aliases_is_refused_at_its_first_anchor() {
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    check(bomb, "line 1, column 4: anchors are not taken; write the value out where it is used @ /a");
}

#[test]
fn words_keep_their_meaning() {
    for text in ["no", "off", "12:30", "0777x", "1_000", "=", "2026-11-20", "1e", "NO", "y", "1.2.3", "0x", "0b1"] {
        let parsed = valid(&FULL.replace("LOG_LEVEL: info", &format!("LOG_LEVEL: {text}")));
        let env = parsed.manifest.spec.env.into_values().next();
        assert_eq!(env.as_deref(), Some(text));
    }
    for text in ["true", "False", "1", "-1", "0x1F", "0o17", "1.5", "1e3", ".5", "null", "~"] {
        let changed = FULL.replace("LOG_LEVEL: info", &format!("LOG_LEVEL: {text}"));
        assert!(parse(changed.as_bytes()).is_err(), "{text} is no text");
    }
}

#[test]
fn line_ends_a_byte_order_mark_and_comments_change_nothing() {
    let expected = valid(FULL).manifest;
    assert_eq!(valid(&FULL.replace('\n', "\r\n")).manifest, expected);
    assert_eq!(valid(&format!("\u{feff}{FULL}")).manifest, expected);
    assert_eq!(valid(&format!("%YAML 1.2\n---\n{FULL}...\n# end\n")).manifest, expected);
}

#[test]
fn json_reads_like_yaml_with_its_own_escapes() {
    let text = r#"{"apiVersion":"aegis/v1","kind":"Agent","metadata":{"name":"a"},
	"spec":{"runtime":{"command":["a\/b","\ud83d\ude00","\\ud83d\\ude00","\u00e9\t\n"]}}}"#;
    let command = valid(text).manifest.spec.runtime.command;
    let expected = ["a/b", "😀", "\\ud83d\\ude00", "é\t\n"].map(str::to_owned).to_vec();
    assert_eq!(command, Some(expected));
    assert!(parse(text.replace("\\ude00\",\"\\\\", "\",\"\\\\").as_bytes()).is_err(), "half a pair is no character");
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let secret = concat!("ghp", "_0123456789abcdefABCDEF0123456789abcd");
    for (old, new) in [
        ("kind: Agent", format!("kind: {secret}")),
        ("name: github-triage,", format!("name: {secret},")),
        ("host: pinned.example", format!("host: 'https://user:{secret}@pinned.example'")),
        ("cpu: 500m", format!("cpu: {secret}")),
        ("command: [\"python3\", \"agent.py\"]", format!("command: run {secret}")),
        ("command: [\"python3\", \"agent.py\"]", format!("command: [run, --token={secret}]")),
        ("LOG_LEVEL: info", format!("LOG_LEVEL: {secret}")),
        ("team: platform", format!("team: {secret}")),
        ("models: [\"gpt-*\"]", format!("models: [\"{secret} \"]")),
    ] {
        let found = lines(&problems(FULL.replace(old, &new).as_bytes()));
        assert!(!found.contains(secret), "{found}");
    }
}

#[test]
fn a_hostile_field_name_cannot_flood_or_break_a_message() {
    let name = format!("\"{}\\n\\\"~/\"", "x".repeat(100_000));
    let found = problems(FULL.replace("kind: Agent", &format!("{name}: 1")).as_bytes());
    for problem in found {
        assert!(problem.to_string().len() < 400 && !problem.to_string().contains('\n'));
        assert!(problem.pointer.len() < 1_000, "{}", problem.pointer.len());
    }
}

#[test]
fn work_does_not_grow_out_of_hand_with_the_number_of_mistakes() {
    let fields: String = (0..9_900).map(|number| format!("  memroy{number}: 1\n")).collect();
    assert_eq!(problems(format!("kind: Agent\nspec:\n{fields}").as_bytes()).len(), 51);
    let hosts = vec!["d_"; 9_000].join(",");
    let older = format!(
        "version: '1.0'\nagent: {{name: a, runtime: python}}\npermissions: {{network: {{allow: [{hosts}]}}}}\n"
    );
    check(
        older,
        "line 3, column 32: `permissions.network.allow` has 9000 elements, more than 256 @ /permissions/network/allow",
    );
}
