//! The page about every field of a manifest: the schema's own words, with what the sample
//! writes there as the example. Must not know: what any field means.

use aegis_model::manifest;
use serde_json::{Map, Value};

use super::NOTICE;
use super::field::{Field, object_of};

const BEGINNING: &str = "\
# Every field of the manifest

What they are for, and how they go together: [manifest.md](manifest.md). For editors: \
[../manifest.schema.json](../manifest.schema.json).

A field that is *required* is so wherever the map around it is written. `[]` stands for each element of a \
list. What is marked **not yet** is refused by name, and is here because its form is settled.

Every field that can be written today:

";

const SAMPLE: &str = include_str!("sample.yaml");

/// The page.
pub(super) fn page() -> String {
    let schema = manifest::schema();
    let sample = sample();
    let sections = section(&Field::root(&schema), &sample);
    format!("{NOTICE}{BEGINNING}```yaml\n{SAMPLE}```\n\n{}\n", sections.trim_end())
}

/// The sample as data.
fn sample() -> Value {
    manifest::document(SAMPLE.as_bytes()).unwrap_or_default()
}

/// A map with its own fields, and after them the maps in it.
fn section(field: &Field, sample: &Value) -> String {
    let fields = field.fields();
    let own = fields.iter().filter(|field| object_of(field).is_none()).map(|field| entry(field, sample));
    let deeper = fields.iter().filter_map(|field| Some((field, object_of(field)?)));
    let deeper = deeper.map(|(field, inner)| heading(field, &inner) + &section(&inner, sample));
    own.chain(deeper).collect()
}

/// The beginning of a section: what the map, or the list of maps, is.
fn heading(field: &Field, inner: &Field) -> String {
    let kind = if inner.is_list() { "a list of maps" } else { "a map" };
    let facts: Vec<String> = [kind.to_owned()].into_iter().chain(field.limits()).chain([field.presence()]).collect();
    format!("## `{}`\n\n{}\n\n{}{}\n", inner.path, field.meaning(), fact(&facts.join(", ")), not_yet(field))
}

/// One field.
fn entry(field: &Field, sample: &Value) -> String {
    let choices = field.choices();
    let form = match choices.as_slice() {
        [] => field.form(),
        [(only, _)] => format!("always `{only}`"),
        _ => "one of these".to_owned(),
    };
    let facts = [form, field.presence()].join(", ");
    let choices = choices.iter().filter(|_| choices.len() > 1);
    let choices: String = choices.map(|(value, meaning)| format!("  - `{value}`: {meaning}\n")).collect();
    let example = written(sample, &field.path).map(|value| format!("example: `{}: {}`", field.name(), flow(value)));
    format!(
        "### `{}`\n\n{}\n\n{}{choices}{}{}\n",
        field.path,
        field.meaning(),
        fact(&facts),
        example.map(|example| fact(&example)).unwrap_or_default(),
        not_yet(field),
    )
}

fn fact(text: &str) -> String {
    format!("- {text}\n")
}

fn not_yet(field: &Field) -> String {
    manifest::refused_yet(&field.pointer()).iter().map(|what| fact(&format!("**not yet**: {what}"))).collect()
}

/// What the sample writes at a path; of a list the first element that writes something there.
fn written<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let found = value.get(name.trim_end_matches("[]"))?;
    match (name.ends_with("[]"), rest) {
        (_, "") => Some(found),
        (false, rest) => written(found, rest),
        (true, rest) => found.as_array()?.iter().find_map(|element| written(element, rest)),
    }
}

/// A value as YAML on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => flow_map(fields),
        other => other.to_string(),
    }
}

fn flow_map(fields: &Map<String, Value>) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {}", flow(value))).collect();
    format!("{{{}}}", fields.join(", "))
}

/// Whether YAML reads it as a text without quotes.
fn is_plain(text: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let word = matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "null");
    let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric() || "./".contains(first));
    begins && text.bytes().all(harmless) && !word && text.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field that has a form of its own.
    fn leaves<'a>(field: &Field<'a>) -> Vec<Field<'a>> {
        let below = |field: Field<'a>| match object_of(&field) {
            Some(inner) => leaves(&inner),
            None => vec![field],
        };
        field.fields().into_iter().flat_map(below).collect()
    }

    #[test]
    fn the_sample_is_a_manifest_and_writes_every_field_that_can_be_written() {
        let parsed = manifest::parse(SAMPLE.as_bytes()).expect("a manifest");
        assert!(parsed.notes.is_empty());
        let (schema, sample) = (manifest::schema(), sample());
        let found = leaves(&Field::root(&schema));
        assert!(found.len() > 55, "{}", found.len());
        for field in found {
            let refused = !manifest::refused_yet(&field.pointer()).is_empty();
            let has_example = written(&sample, &field.path).is_some();
            assert!(has_example || refused, "`{}` has no example", field.path);
        }
    }

    #[test]
    fn every_example_reads_back_as_what_the_sample_writes() {
        let (schema, sample) = (manifest::schema(), sample());
        for field in leaves(&Field::root(&schema)) {
            let Some(value) = written(&sample, &field.path) else { continue };
            let line = format!("{}: {}", field.name(), flow(value));
            let read = manifest::document(line.as_bytes()).expect("a document");
            assert_eq!(read.get(field.name()), Some(value), "{line}");
        }
    }

    #[test]
    fn the_page_tells_of_a_field_what_its_type_says() {
        let page = page();
        let memory = "- an amount of memory or disk: `256Mi`, `1Gi`, from `4Mi` to `4Ti`, default `256Mi`\n\
                      - example: `memory: 256Mi`\n";
        assert!(page.contains("### `spec.resources.memory`\n") && page.contains(memory), "{page}");
        assert!(page.contains("  - `process`: a sealed process of the host's kernel\n"));
        assert!(page.contains("  - `stdio`: JSON in, JSON out\n"));
        assert!(page.contains("- always `Agent`, required\n"));
        assert!(page.contains("## `spec.permissions.network[]`\n"));
        assert!(page.contains("- **not yet**: refused with `spec.memory`\n"));
        assert!(page.contains("- example: `format: \"Bearer {value}\"`\n"));
    }
}
