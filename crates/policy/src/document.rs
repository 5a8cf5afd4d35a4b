//! The document that somebody sends about an intent: read from JSON into fields with bounds, and
//! made into an entity whose tags they are. Must not know conditions.

use std::collections::{BTreeMap, BTreeSet};

use aegis_model::governance::{FIELD_DEPTH_MAX, Number, is_field_name};
use cedar_policy::{Entity, EntityUid, RestrictedExpression};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::request::FieldValue;

/// The document, in the context.
pub(crate) const SAID: &str = "document";
/// What a tag of the document is, in Cedar: at most one of these is there, but for a list of
/// nothing; none for what no rule can look into. Numbers are a record, not a `decimal`, so that
/// every whole number of 64 bits can be compared with every other number.
pub(crate) const TAG_TYPE: &str = "{ text?: String, number?: { whole: Long, billionths: Long }, flag?: Bool, \
     texts?: Set<String>, numbers?: Set<{ whole: Long, billionths: Long }> }";

/// Most fields of a document, without those that only hold others.
const FIELDS_MAX: usize = 64;
/// Longest text of a field, in bytes.
const TEXT_BYTES_MAX: usize = 4 * 1024;
/// Most entries of a list.
const ENTRIES_MAX: usize = 256;

/// Why a document is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("`{pointer}`: {message}")]
pub struct DocumentProblem {
    /// Where, as a JSON pointer into the document.
    pub pointer: String,
    /// Why.
    pub message: String,
}

fn problem<T>(pointer: &str, message: impl Into<String>) -> Result<T, DocumentProblem> {
    Err(DocumentProblem { pointer: pointer.to_owned(), message: message.into() })
}

/// The fields of a document, each by the names on the way to it. `null` is as good as absent, and
/// what stands below a name that no condition can name is left out.
///
/// # Errors
/// When it is not an object, or is too large: the first place where that shows.
pub(crate) fn fields_of(document: &Value) -> Result<BTreeMap<String, FieldValue>, DocumentProblem> {
    let mut walk = Walk::default();
    match document {
        Value::Null => {}
        Value::Object(map) => walk.object(&[], map)?,
        _ => return problem("", "the document is not an object"),
    }
    Ok(walk.fields)
}

#[derive(Default)]
struct Walk {
    fields: BTreeMap<String, FieldValue>,
    count: usize,
}

impl Walk {
    /// Goes through an object at the end of these names; no deeper than names may go.
    fn object(&mut self, above: &[&str], map: &Map<String, Value>) -> Result<(), DocumentProblem> {
        for (name, value) in map {
            let path: Vec<&str> = above.iter().copied().chain([name.as_str()]).collect();
            match value {
                _ if !is_field_name(name) => self.count(above)?,
                Value::Object(inner) if !inner.is_empty() => {
                    if path.len() == FIELD_DEPTH_MAX {
                        return problem(&pointer(&path), format!("it lies deeper than {FIELD_DEPTH_MAX} names"));
                    }
                    self.fields.insert(path.join("."), FieldValue::Other);
                    self.object(&path, inner)?;
                }
                value => {
                    self.count(&path)?;
                    let field = field(&pointer(&path), value)?;
                    self.fields.extend(field.map(|field| (path.join("."), field)));
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, path: &[&str]) -> Result<(), DocumentProblem> {
        self.count += 1;
        if self.count > FIELDS_MAX {
            return problem(&pointer(path), format!("the document has more than {FIELDS_MAX} fields"));
        }
        Ok(())
    }
}

/// None of the names needs an escape.
fn pointer(path: &[&str]) -> String {
    path.iter().flat_map(|name| ["/", name]).collect()
}

fn field(pointer: &str, value: &Value) -> Result<Option<FieldValue>, DocumentProblem> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(value) => FieldValue::Flag(*value),
        Value::Number(number) => Number::of(number).map_or(FieldValue::Other, FieldValue::Number),
        Value::String(text) => FieldValue::Text(short(pointer, text)?.to_owned()),
        Value::Array(list) => listed(pointer, list)?,
        Value::Object(_) => FieldValue::Other,
    }))
}

fn short<'a>(pointer: &str, text: &'a str) -> Result<&'a str, DocumentProblem> {
    if text.len() > TEXT_BYTES_MAX {
        return problem(pointer, format!("the text is longer than {TEXT_BYTES_MAX} bytes"));
    }
    Ok(text)
}

/// A list is looked into only where all of it is of one type.
fn listed(pointer: &str, list: &[Value]) -> Result<FieldValue, DocumentProblem> {
    if list.len() > ENTRIES_MAX {
        return problem(pointer, format!("the list has more than {ENTRIES_MAX} entries"));
    }
    for text in list.iter().filter_map(Value::as_str) {
        short(pointer, text)?;
    }
    if list.is_empty() {
        return Ok(FieldValue::EmptyList);
    }
    let texts: Option<BTreeSet<String>> = list.iter().map(|entry| entry.as_str().map(str::to_owned)).collect();
    let numbers: Option<BTreeSet<Number>> = list.iter().map(|entry| Number::of(entry.as_number()?)).collect();
    Ok(match (texts, numbers) {
        (Some(texts), _) => FieldValue::Texts(texts),
        (None, Some(numbers)) => FieldValue::Numbers(numbers),
        (None, None) => FieldValue::Other,
    })
}

/// The document as an entity.
///
/// # Errors
/// When Cedar refuses a value.
pub(crate) fn entity(
    uid: &EntityUid,
    fields: &BTreeMap<String, FieldValue>,
) -> Result<Entity, Box<dyn std::error::Error>> {
    let tag = |(path, value): (&String, &FieldValue)| Ok((path.clone(), tag(value)?));
    let tags: Vec<(String, RestrictedExpression)> =
        fields.iter().map(tag).collect::<Result<_, cedar_policy::ExpressionConstructionError>>()?;
    Ok(Entity::new_with_tags(uid.clone(), [], [], tags)?)
}

type Made = Result<RestrictedExpression, cedar_policy::ExpressionConstructionError>;

fn tag(value: &FieldValue) -> Made {
    let text = |text: &String| RestrictedExpression::new_string(text.clone());
    let one = |name: &str, value| vec![(name.to_owned(), value)];
    let set = |values: Vec<RestrictedExpression>| RestrictedExpression::new_set(values);
    RestrictedExpression::new_record(match value {
        FieldValue::Flag(value) => one("flag", RestrictedExpression::new_bool(*value)),
        FieldValue::Number(value) => one("number", number(*value)?),
        FieldValue::Text(value) => one("text", text(value)),
        FieldValue::Texts(values) => one("texts", set(values.iter().map(text).collect())),
        FieldValue::Numbers(values) => {
            one("numbers", set(values.iter().copied().map(number).collect::<Result<_, _>>()?))
        }
        FieldValue::EmptyList => {
            vec![("texts".to_owned(), set(Vec::new())), ("numbers".to_owned(), set(Vec::new()))]
        }
        FieldValue::Other => Vec::new(),
    })
}

fn number(value: Number) -> Made {
    RestrictedExpression::new_record([
        ("whole".to_owned(), RestrictedExpression::new_long(value.whole)),
        ("billionths".to_owned(), RestrictedExpression::new_long(value.billionths)),
    ])
}
