//! JSON values as YAML. Every text that could be read as anything else is quoted in the way
//! of JSON, which YAML contains.

use serde_json::Value;

/// A value as a YAML document.
pub(crate) fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out.trim_start_matches('\n').to_owned()
}

/// Writes a value after its key or dash: a scalar on the same line, a collection below.
fn write(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                begin(out, depth);
                out.push_str(&scalar(name));
                out.push(':');
                write_inner(out, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                begin(out, depth);
                out.push('-');
                let mut inner = String::new();
                write_inner(&mut inner, item, depth);
                // The first line of a collection stands beside its dash.
                out.push(' ');
                out.push_str(inner.trim_start());
            }
        }
        Value::String(text) => out.push_str(&scalar(text)),
        other => out.push_str(&other.to_string()),
    }
}

fn write_inner(out: &mut String, value: &Value, depth: usize) {
    let is_collection = matches!(value, Value::Object(fields) if !fields.is_empty())
        || matches!(value, Value::Array(items) if !items.is_empty());
    if !is_collection {
        out.push(' ');
    }
    write(out, value, depth + 1);
}

fn begin(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

/// A text, quoted unless nobody could take it for anything but a text.
pub(crate) fn scalar(text: &str) -> String {
    let begins_well = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let is_plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./@+".contains(letter));
    let is_word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" | "nan" | "inf"
    );
    if begins_well && is_plain && !is_word {
        return text.to_owned();
    }
    // JSON leaves these as they are, but YAML breaks lines at some of them.
    let quoted = Value::String(text.to_owned()).to_string();
    let escaped = quoted.chars().map(|letter| match letter {
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => format!("\\u{:04x}", u32::from(letter)),
        _ => letter.to_string(),
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: Value, expected: &str) {
        assert_eq!(to_yaml(&value), expected);
    }

    #[test]
    fn collections_are_written_below_their_name() {
        check(json!({"a": 1, "b": {"c": [true, null]}}), "a: 1\nb:\n  c:\n    - true\n    - null");
        check(json!({"items": [{"count": 1, "name": ["x"]}]}), "items:\n  - count: 1\n    name:\n      - x");
        check(json!({"a": [], "b": {}, "c": ""}), "a: []\nb: {}\nc: \"\"");
        check(json!([]), "[]");
        check(json!("x"), "x");
        check(json!([[1, 2], ["  x"]]), "- - 1\n  - 2\n- - \"  x\"");
    }

    #[test]
    fn texts_that_could_be_something_else_are_quoted() {
        for text in
            ["", "1", "1.5", "no", "True", "null", "~", "- x", "a: b", "a #b", "*x", "&x", "2026-01-01", " x", "\t"]
        {
            assert!(scalar(text).starts_with('"'), "{text:?}");
        }
        for text in ["agent", "agent/triage", "platform-admin", "/app/x.py"] {
            assert_eq!(scalar(text), text);
        }
        check(json!({"a": "line\nline"}), "a: \"line\\nline\"");
        check(json!({"no": "\u{85}"}), "\"no\": \"\\u0085\"");
    }

    #[test]
    fn what_is_written_reads_back() {
        for value in [
            json!({"a": {"b": [{"c": [[1, -2], {"d": null}]}, "x: y", [], {}]}, "-": "- a", "multi": "a\n b\n"}),
            json!({"items": [{"name": "no", "n": 1.5}, {"name": "1e3"}, {"name": "0x1F"}, {"name": "é\t\u{b7}"}]}),
            json!([{"a": 1, "b": {"c": "#"}}, [["%", "@a", "`", "!x", "|", ">"]], "..."]),
        ] {
            let text = to_yaml(&value);
            let read = aegis_model::manifest::document(text.as_bytes()).expect(&text);
            assert_eq!(read, value, "{text}");
        }
    }
}
