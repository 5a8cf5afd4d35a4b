//! Holds a tree against a JSON Schema and lists everything that does not fit: unknown,
//! missing and misplaced fields, wrong types, amounts out of bounds, texts without their form.
//! Knows the part of JSON Schema that our own types produce; must not know what they mean.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::names;
use super::permissions::Cidr;
use super::problem::{ManifestProblem, PROBLEMS_MAX, child};
use super::suggest::nearest;
use super::tree::{Content, Entry, Node};
use super::units::{Cpu, Duration, Memory, UnitError, quoted};
use crate::id::NAME_PATTERN;

/// Lists what in `root` does not fit `schema`.
pub(super) fn walk(root: &Node, schema: &Value) -> Vec<ManifestProblem> {
    let mut walker = Walker { schema, problems: Vec::new() };
    walker.value(root, schema, "");
    walker.problems
}

/// The pointer as people write it: `spec.permissions.network[0].host`.
pub(super) fn dotted(pointer: &str) -> String {
    let mut text = String::new();
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        if !text.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            text.push_str(&format!("[{name}]"));
        } else {
            let dot = if text.is_empty() { "" } else { "." };
            text.push_str(&format!("{dot}{name}"));
        }
    }
    if text.is_empty() { "the manifest".to_owned() } else { quoted(&text) }
}

/// Advice is looked for only so often.
const ADVISED_MAX: usize = 2 * PROBLEMS_MAX;

/// How a schema calls the bounds of a count.
struct Measure {
    least: &'static str,
    most: &'static str,
    unit: &'static str,
}

const CHARACTERS: Measure = Measure { least: "minLength", most: "maxLength", unit: "characters" };
const ELEMENTS: Measure = Measure { least: "minItems", most: "maxItems", unit: "elements" };
const FIELDS: Measure = Measure { least: "minProperties", most: "maxProperties", unit: "fields" };

struct Walker<'a> {
    schema: &'a Value,
    problems: Vec<ManifestProblem>,
}

impl<'a> Walker<'a> {
    /// Follows references, and the branch of a choice that fits a present or absent value.
    fn resolve(&self, mut schema: &'a Value, is_null: bool) -> &'a Value {
        loop {
            let reference = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
            let branch = schema.get("anyOf").and_then(Value::as_array).and_then(|branches| {
                let wanted = |branch: &&Value| (branch.get("type").and_then(Value::as_str) == Some("null")) == is_null;
                branches.iter().find(wanted).or(branches.first())
            });
            schema = match reference.and_then(|path| self.schema.pointer(path)).or(branch) {
                Some(next) => next,
                None => return schema,
            };
        }
    }

    fn value(&mut self, node: &Node, schema: &'a Value, pointer: &str) {
        let schema = self.resolve(schema, matches!(node.content, Content::Null));
        if let Some(allowed) = allowed_texts(schema) {
            return self.one_of(node, &allowed, pointer);
        }
        let types = types(schema);
        if types.is_empty() {
            return;
        }
        if !types.iter().any(|name| is_type(node, name)) {
            return self.wrong_type(node, schema, &types, pointer);
        }
        match &node.content {
            Content::Text(text) => self.text(node, text, schema, pointer),
            Content::Number(number) => self.number(node, number, schema, pointer),
            Content::List(items) => self.list(node, items, schema, pointer),
            Content::Map(entries) => self.map(node, entries, schema, pointer),
            Content::Null | Content::Bool(_) => {}
        }
    }

    fn report(&mut self, node: &Node, pointer: &str, message: String) {
        self.problems.push(node.place.problem(pointer, message));
    }

    fn one_of(&mut self, node: &Node, allowed: &[&str], pointer: &str) {
        let given = node.text();
        if given.is_some_and(|given| allowed.contains(&given)) {
            return;
        }
        let listed = allowed.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ");
        let found = given.map_or_else(|| kind_of(node).to_owned(), quoted);
        let expected = if allowed.len() == 1 { listed } else { format!("one of {listed}") };
        let problem = node.place.problem(pointer, format!("{} must be {expected}, found {found}", dotted(pointer)));
        let meant = given.and_then(|given| nearest(given, allowed.iter().copied()));
        self.problems.push(match meant {
            Some(meant) => problem.meant(meant),
            None => problem,
        });
    }

    fn wrong_type(&mut self, node: &Node, schema: &Value, types: &[&str], pointer: &str) {
        let wanted: Vec<&str> = types.iter().filter(|name| **name != "null").map(|name| type_name(name)).collect();
        let message = format!("{} must be {}, found {}", dotted(pointer), wanted.join(" or "), kind_of(node));
        let problem = node.place.problem(pointer, message);
        let formed = node.text().is_none().then(|| check_schema_text(schema, &node.to_value().to_string()));
        let better = match formed {
            Some(Err(error)) => error.suggestion,
            _ => better_spelling(node, types),
        };
        self.problems.push(match better {
            Some(better) => problem.meant(&better),
            None if matches!(node.content, Content::Null) => problem.advise("give it a value, or remove the field"),
            None => problem,
        });
    }

    fn text(&mut self, node: &Node, text: &str, schema: &Value, pointer: &str) {
        let length = text.chars().count() as u64;
        self.bounds(node, pointer, schema, (length, &CHARACTERS));
        if let Err(error) = check_schema_text(schema, text) {
            let error = UnitError { message: format!("{}: {}", dotted(pointer), error.message), ..error };
            self.problems.push(ManifestProblem::of_unit(node.place, pointer, error));
        }
    }

    fn number(&mut self, node: &Node, number: &serde_json::Number, schema: &Value, pointer: &str) {
        let given = number.as_f64().unwrap_or(f64::INFINITY);
        let least = schema.get("minimum").and_then(Value::as_f64);
        let most = schema.get("maximum").and_then(Value::as_f64).or(match format_of(schema) {
            "uint32" => Some(f64::from(u32::MAX)),
            _ => None,
        });
        if least.is_some_and(|least| given < least) || most.is_some_and(|most| given > most) {
            let bounds = match (least, most) {
                (Some(least), Some(most)) => format!("between {least} and {most}"),
                (Some(least), None) => format!("at least {least}"),
                (None, most) => format!("at most {}", most.unwrap_or_default()),
            };
            self.report(node, pointer, format!("{} must be {bounds}, found {number}", dotted(pointer)));
        }
        if let Err(error) = check_schema_text(schema, &number.to_string()) {
            let error = UnitError { message: format!("{}: {}", dotted(pointer), error.message), ..error };
            self.problems.push(ManifestProblem::of_unit(node.place, pointer, error));
        }
    }

    fn list(&mut self, node: &Node, items: &[Node], schema: &'a Value, pointer: &str) {
        self.bounds(node, pointer, schema, (items.len() as u64, &ELEMENTS));
        let Some(schema) = schema.get("items") else { return };
        for (index, item) in items.iter().enumerate() {
            self.value(item, schema, &child(pointer, index));
        }
    }

    fn bounds(&mut self, node: &Node, pointer: &str, schema: &Value, (count, measure): (u64, &Measure)) {
        let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
        if let Some(least) = bound(measure.least).filter(|least| count < *least) {
            let least = if least == 1 {
                "must not be empty".to_owned()
            } else {
                format!("must have at least {least} {}", measure.unit)
            };
            self.report(node, pointer, format!("{} {least}", dotted(pointer)));
        }
        if let Some(most) = bound(measure.most).filter(|most| count > *most) {
            self.report(node, pointer, format!("{} has {count} {}, more than {most}", dotted(pointer), measure.unit));
        }
    }

    fn map(&mut self, node: &Node, entries: &[Entry], schema: &'a Value, pointer: &str) {
        self.bounds(node, pointer, schema, (entries.len() as u64, &FIELDS));
        let nothing = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        for entry in entries {
            let below = child(pointer, &entry.key);
            match properties.and_then(|properties| properties.get(&entry.key)) {
                Some(schema) => self.value(&entry.value, schema, &below),
                None => match free_field(schema) {
                    Some((form, value)) => self.free(entry, form, value, &below),
                    None => self.unknown(entry, properties.unwrap_or(&nothing), pointer),
                },
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for name in required.filter(|name| node.get(name).is_none()) {
            let below = child(pointer, name);
            self.report(node, &below, format!("the field {} is missing", dotted(&below)));
        }
    }

    /// A field whose name is free, but must have a form.
    fn free(&mut self, entry: &Entry, form: &str, value: &'a Value, pointer: &str) {
        if let Some(Err(error)) = names::check_form(form, &entry.key) {
            self.problems.push(ManifestProblem::of_unit(entry.place, pointer, error));
        }
        self.value(&entry.value, value, pointer);
    }

    fn unknown(&mut self, entry: &Entry, properties: &Map<String, Value>, parent: &str) {
        let pointer = child(parent, &entry.key);
        let name = quoted(&entry.key);
        let place = if parent.is_empty() { "a manifest".to_owned() } else { dotted(parent) };
        let problem = entry.place.problem(&pointer, format!("{place} has no field {name}"));
        // A hostile manifest has thousands of unknown fields; nobody reads advice on them all.
        if self.problems.len() > ADVISED_MAX {
            return self.problems.push(problem);
        }
        let near = nearest(&entry.key, properties.keys().map(String::as_str)).map(str::to_owned);
        self.problems.push(match near.or_else(|| self.elsewhere(entry)) {
            Some(meant) => problem.meant(&meant),
            None => problem,
        });
    }

    /// Where else a field of that name is, one that can hold the value first.
    fn elsewhere(&self, entry: &Entry) -> Option<String> {
        let mut found = Vec::new();
        self.fields(self.schema, &entry.key, String::new(), &mut found);
        let fits = |schema: &'a Value| {
            let mut probe = Walker { schema: self.schema, problems: Vec::new() };
            probe.value(&entry.value, schema, "");
            probe.problems.is_empty()
        };
        let fitting = found.iter().find(|(_, schema)| fits(schema));
        fitting.or(found.first()).map(|(path, _)| path.clone())
    }

    /// Collects the paths of every field called `wanted`.
    fn fields(&self, schema: &'a Value, wanted: &str, path: String, found: &mut Vec<(String, &'a Value)>) {
        let schema = self.resolve(schema, false);
        if let Some(items) = schema.get("items") {
            self.fields(items, wanted, format!("{path}[]"), found);
        }
        for (name, below) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{name}");
            if name == wanted {
                found.push((path.clone(), below));
            }
            self.fields(below, wanted, path, found);
        }
    }
}

/// The form of the names and the schema of fields that are not listed, if there may be any.
fn free_field(schema: &Value) -> Option<(&str, &Value)> {
    let formed = schema.get("patternProperties").and_then(Value::as_object).and_then(|patterns| patterns.iter().next());
    let formed = formed.map(|(pattern, value)| (pattern.as_str(), value));
    formed.or_else(|| {
        let free = schema.get("additionalProperties").filter(|free| **free != Value::Bool(false))?;
        Some(("", free))
    })
}

fn format_of(schema: &Value) -> &str {
    schema.get("format").and_then(Value::as_str).unwrap_or_default()
}

/// The texts of an enumeration.
fn allowed_texts(schema: &Value) -> Option<Vec<&str>> {
    if let Some(only) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![only]);
    }
    if let Some(texts) = schema.get("enum").and_then(Value::as_array) {
        return Some(texts.iter().filter_map(Value::as_str).collect());
    }
    let branches = schema.get("oneOf").and_then(Value::as_array)?;
    Some(branches.iter().filter_map(allowed_texts).flatten().collect())
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_type(node: &Node, name: &str) -> bool {
    match (&node.content, name) {
        (Content::Null, "null")
        | (Content::Bool(_), "boolean")
        | (Content::Number(_), "number")
        | (Content::Text(_), "string")
        | (Content::List(_), "array")
        | (Content::Map(_), "object") => true,
        (Content::Number(number), "integer") => number.is_u64() || number.is_i64(),
        _ => false,
    }
}

fn type_name(name: &str) -> &'static str {
    match name {
        "boolean" => "`true` or `false`",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a list",
        "object" => "a map",
        _ => "a text",
    }
}

/// What a value is, for messages. The value itself may be a secret and is not repeated.
fn kind_of(node: &Node) -> &'static str {
    match &node.content {
        Content::Null => "nothing",
        Content::Bool(_) => "`true` or `false`",
        Content::Number(number) if number.is_f64() => "a number with a fraction",
        Content::Number(_) => "a number",
        Content::Text(_) => "a text",
        Content::List(_) => "a list",
        Content::Map(_) => "a map",
    }
}

/// The same value as the type that is wanted, where that is only a matter of spelling.
fn better_spelling(node: &Node, types: &[&str]) -> Option<String> {
    match &node.content {
        Content::Bool(_) | Content::Number(_) if types.contains(&"string") => Some(format!("\"{}\"", node.to_value())),
        Content::Number(number) if types.contains(&"array") => Some(format!("[{number}]")),
        Content::Text(text) if text.len() > 40 => None,
        Content::Text(text) if types.contains(&"array") => {
            let words = text.split_whitespace().map(|word| format!("\"{}\"", word.escape_debug()));
            Some(format!("[{}]", words.collect::<Vec<_>>().join(", ")))
        }
        Content::Text(text) if types.contains(&"integer") => text.trim().parse::<u64>().ok().map(|n| n.to_string()),
        Content::Text(text) if types.contains(&"boolean") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" => Some("true".to_owned()),
            "no" | "off" | "false" => Some("false".to_owned()),
            _ => None,
        },
        _ => None,
    }
}

/// Says whether a text has the form that its schema names.
fn check_schema_text(schema: &Value, text: &str) -> Result<(), UnitError> {
    match format_of(schema) {
        "aegis-cpu" => Cpu::from_str(text).map(|_| ()),
        "aegis-memory" => Memory::from_str(text).map(|_| ()),
        "aegis-duration" => Duration::from_str(text).map(|_| ()),
        Cidr::FORMAT => Cidr::from_str(text).map(|_| ()),
        _ if schema.get("pattern").and_then(Value::as_str) == Some(NAME_PATTERN) => names::named(text),
        format => names::check_form(format, text).unwrap_or(Ok(())),
    }
}
