//! A field of a schema, and what the schema says of it in words. Knows the part of JSON Schema
//! that the manifest's types produce.

use serde_json::Value;

/// A field: where it stands and what the schema says of it.
#[derive(Clone)]
pub(super) struct Field<'a> {
    /// `spec.permissions.network[].host`; empty for the whole.
    pub(super) path: String,
    whole: &'a Value,
    /// What is said at the field itself.
    own: &'a Value,
    required: bool,
}

/// What a list or a text is counted in, and how a schema calls the bounds.
const LENGTHS: [(&str, &str, &str); 3] = [
    ("minLength", "maxLength", "characters"),
    ("minItems", "maxItems", "elements"),
    ("minProperties", "maxProperties", "entries"),
];

impl<'a> Field<'a> {
    /// The whole document.
    pub(super) fn root(schema: &'a Value) -> Self {
        Self { path: String::new(), whole: schema, own: schema, required: true }
    }

    /// The fields in it, if it is a map of named ones.
    pub(super) fn fields(&self) -> Vec<Self> {
        let form = self.resolved();
        let required = form.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|known| known == name));
        let dot = if self.path.is_empty() { "" } else { "." };
        let below = |(name, own): (&String, &'a Value)| Self {
            path: format!("{}{dot}{name}", self.path),
            whole: self.whole,
            own,
            required: is_required(name),
        };
        form.get("properties").and_then(Value::as_object).into_iter().flatten().map(below).collect()
    }

    /// Its name in the map around it.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default().trim_end_matches("[]")
    }

    /// Where it stands, as a JSON pointer without the places in lists.
    pub(super) fn pointer(&self) -> String {
        self.path.split('.').map(|name| format!("/{}", name.trim_end_matches("[]"))).collect()
    }

    /// What it means.
    pub(super) fn meaning(&self) -> String {
        words(self.own).replace('\n', " ")
    }

    pub(super) fn is_list(&self) -> bool {
        self.path.ends_with("[]")
    }

    /// Whether it must be written, or what holds where it is not.
    pub(super) fn presence(&self) -> String {
        match self.own.get("default") {
            _ if self.required => "required".to_owned(),
            Some(Value::String(text)) => format!("default `{text}`"),
            Some(default) if !default.is_object() => format!("default `{default}`"),
            _ => "optional".to_owned(),
        }
    }

    /// The texts it can be, with what each means.
    pub(super) fn choices(&self) -> Vec<(&'a str, String)> {
        let of = |schema: &'a Value| Some((schema.get("const")?.as_str()?, lower(words(schema))));
        let branches = self.resolved().get("oneOf").and_then(Value::as_array);
        branches.into_iter().flatten().filter_map(of).collect()
    }

    /// How many of it there may be.
    pub(super) fn limits(&self) -> Vec<String> {
        lengths(self.own)
    }

    /// Its form in words, with its limits.
    pub(super) fn form(&self) -> String {
        let bound = |name: &str| self.own.get(name).and_then(Value::as_str);
        let kind = self.kind(self.own);
        match (bound("x-least"), bound("x-most")) {
            (Some(least), Some(most)) => format!("{kind}, from `{least}` to `{most}`"),
            _ => kind,
        }
    }

    /// What kind of value a schema wants, and how much of it.
    fn kind(&self, schema: &'a Value) -> String {
        let form = resolve(self.whole, schema);
        if let Some(items) = form.get("items") {
            return format!("{}, each {}", counted("a list", form), self.one(items));
        }
        if let Some(patterns) = form.get("patternProperties").and_then(Value::as_object) {
            let pairs = patterns.iter().map(|(name, value)| format!("from `{name}` to {}", self.kind(value)));
            return format!("{}, {}", counted("a map", form), pairs.collect::<Vec<_>>().join(" or "));
        }
        match (type_of(form), form.get("pattern").and_then(Value::as_str)) {
            // The bounds of an amount say more than the pattern of its text.
            (_, Some(_)) if schema.get("x-least").is_some() => said(form),
            (_, Some(pattern)) => format!("{}, matching `{pattern}`", said(form)),
            (Some("boolean"), _) => "`true` or `false`".to_owned(),
            (Some("integer"), _) => number(form),
            (Some("string"), _) => counted("a text", form),
            _ => "any JSON value".to_owned(),
        }
    }

    /// An element of a list.
    fn one(&self, schema: &'a Value) -> String {
        let form = resolve(self.whole, schema);
        let choices = form.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let choices: Vec<String> =
            choices.filter_map(|choice| Some(format!("`{}`", choice.get("const")?.as_str()?))).collect();
        if choices.is_empty() { self.kind(schema) } else { format!("one of {}", choices.join(", ")) }
    }

    fn resolved(&self) -> &'a Value {
        resolve(self.whole, self.own)
    }
}

/// The map that a field is, or that each element of it is; `None` for everything else.
pub(super) fn object_of<'a>(field: &Field<'a>) -> Option<Field<'a>> {
    let form = field.resolved();
    if form.get("properties").is_some() {
        return Some(field.clone());
    }
    let element = form.get("items")?;
    let inner = Field { path: format!("{}[]", field.path), own: element, ..field.clone() };
    inner.resolved().get("properties").is_some().then_some(inner)
}

/// Follows references, and past the branch that is nothing.
fn resolve<'a>(whole: &'a Value, mut schema: &'a Value) -> &'a Value {
    loop {
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        let branches = schema.get("anyOf").and_then(Value::as_array);
        let some = branches.and_then(|branches| branches.iter().find(|branch| type_of(branch) != Some("null")));
        match reference.and_then(|path| whole.pointer(path)).or(some) {
            Some(next) => schema = next,
            None => return schema,
        }
    }
}

/// The type, nothing left aside.
fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

fn words(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// What a form says of itself, to stand within a sentence.
fn said(form: &Value) -> String {
    let words = lower(words(form));
    if words.is_empty() { "a text".to_owned() } else { words }
}

/// Without the capital and the full stop of a sentence.
fn lower(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let mut letters = sentence.chars();
    let first = letters.next();
    // `JSON` stays as it is.
    match (first, letters.clone().next().is_some_and(char::is_uppercase)) {
        (Some(first), false) => first.to_lowercase().chain(letters).collect(),
        _ => sentence.to_owned(),
    }
}

fn number(form: &Value) -> String {
    let bound = |name: &str| form.get(name).and_then(Value::as_u64).map(grouped);
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
        (Some(least), None) => format!("a whole number from {least}"),
        (None, Some(most)) => format!("a whole number up to {most}"),
        (None, None) => "a whole number".to_owned(),
    }
}

/// With a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let comma = |place: usize| if place > 0 && (digits.len() - place).is_multiple_of(3) { "," } else { "" };
    digits.chars().enumerate().map(|(place, digit)| format!("{}{digit}", comma(place))).collect()
}

/// What it is, and how much of it there may be.
fn counted(what: &str, form: &Value) -> String {
    [what.to_owned()].into_iter().chain(lengths(form)).collect::<Vec<_>>().join(", ")
}

fn lengths(form: &Value) -> Vec<String> {
    let bound = |name: &str| form.get(name).and_then(Value::as_u64);
    let told = |(least, most, unit): (&str, &str, &str)| match (bound(least), bound(most)) {
        (Some(least), Some(most)) => Some(format!("{} to {} {unit}", grouped(least), grouped(most))),
        (None, Some(most)) => Some(format!("up to {} {unit}", grouped(most))),
        _ => None,
    };
    LENGTHS.into_iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(own: Value, expected: &str) {
        let whole = json!({
            "properties": {"field": own},
            "$defs": {"Name": {"type": "string", "pattern": "^a$", "description": "The name."}},
        });
        let fields = Field::root(&whole).fields();
        let [field] = fields.as_slice() else { panic!("one field") };
        assert_eq!(format!("{}, {}", field.form(), field.presence()), expected);
    }

    #[test]
    fn a_schema_is_told_in_words() {
        check(json!({"type": "string", "minLength": 1, "maxLength": 64}), "a text, 1 to 64 characters, optional");
        check(
            json!({"type": ["integer", "null"], "minimum": 1, "maximum": 32768}),
            "a whole number from 1 to 32,768, optional",
        );
        check(json!({"type": "boolean", "default": false}), "`true` or `false`, default `false`");
        check(json!({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Name"}]}), "the name, matching `^a$`, optional");
        check(
            json!({"$ref": "#/$defs/Name", "x-least": "a", "x-most": "b", "default": "a"}),
            "the name, from `a` to `b`, default `a`",
        );
        check(
            json!({"type": "array", "items": {"oneOf": [{"const": "A"}, {"const": "B"}]}, "maxItems": 4}),
            "a list, up to 4 elements, each one of `A`, `B`, optional",
        );
        check(
            json!({"type": "object", "patternProperties": {"^x": {"type": "string"}}, "maxProperties": 2000}),
            "a map, up to 2,000 entries, from `^x` to a text, optional",
        );
        check(json!({"description": "Anything."}), "any JSON value, optional");
    }

    #[test]
    fn a_sentence_within_another_has_no_capital_but_a_name_does() {
        assert_eq!(lower("A container."), "a container");
        assert_eq!(lower("JSON in, JSON out."), "JSON in, JSON out");
        assert_eq!(lower(""), "");
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_000_000_000_000, "1,000,000,000,000")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_list_of_maps_has_the_fields_of_its_elements() {
        let whole = json!({"properties": {"all": {
            "type": "array", "items": {"properties": {"one": {"type": "string"}}, "required": ["one"]},
        }}});
        let fields = Field::root(&whole).fields();
        let inner = object_of(&fields[0]).expect("a map").fields();
        assert_eq!((inner[0].path.as_str(), inner[0].pointer().as_str()), ("all[].one", "/all/one"));
        assert_eq!(inner[0].presence(), "required");
    }
}
