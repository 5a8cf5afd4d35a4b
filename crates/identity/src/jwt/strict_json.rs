//! JSON as security needs it: an object, without repeated members, not too deep.
//!
//! Of two members with one name, some readers take the first and some the last; whoever signs
//! and whoever decides could then read two different tokens. Must not know: what the members mean.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Containers inside each other.
const DEPTH_MAX: usize = 16;

/// Why a text is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It is not JSON, or something follows it.
    #[error("the text is not JSON")]
    NotJson,
    /// It is JSON of another kind.
    #[error("the JSON is no object")]
    NotObject,
    /// A member is there twice.
    #[error("the JSON has a member twice")]
    Repeated,
    /// There are too many containers inside each other.
    #[error("the JSON is nested too deeply")]
    TooDeep,
}

/// Reads an object.
pub(super) fn parse(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let reason = Cell::new(JsonError::NotJson);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0, reason: &reason }.deserialize(&mut reader).map_err(|_| reason.get())?;
    reader.end().map_err(|_| JsonError::NotJson)?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NotObject),
    }
}

/// Reads one value at a depth. The reason is kept beside serde's error, which is only a text.
struct Strict<'r> {
    depth: usize,
    reason: &'r Cell<JsonError>,
}

impl<'r> Strict<'r> {
    fn refuse<E: de::Error>(&self, reason: JsonError) -> E {
        self.reason.set(reason);
        E::custom(reason)
    }

    fn inner<E: de::Error>(&self) -> Result<Strict<'r>, E> {
        let depth = self.depth + 1;
        if depth > DEPTH_MAX { Err(self.refuse(JsonError::TooDeep)) } else { Ok(Strict { depth, ..*self }) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner()?)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.inner()?)?;
            if all.insert(name, value).is_some() {
                return Err(self.refuse(JsonError::Repeated));
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_refused(text: &str, expected: JsonError) {
        assert_eq!(parse(text.as_bytes()), Err(expected), "{text}");
    }

    #[test]
    fn an_object_is_read_as_serde_json_reads_it() {
        let text = r#" {"a": [1, -2, 3.5, 1e3, true, null, "é\u0041"], "b": {"c": {}}, "d": 18446744073709551615} "#;
        assert_eq!(Value::Object(parse(text.as_bytes()).unwrap()), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn repeated_members_are_refused_wherever_they_are() {
        check_refused(r#"{"a":1,"a":1}"#, JsonError::Repeated);
        check_refused(r#"{"a":1,"b":2,"\u0061":3}"#, JsonError::Repeated);
        check_refused(r#"{"x":[{"a":1,"a":2}]}"#, JsonError::Repeated);
    }

    #[test]
    fn what_is_too_deep_is_refused() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(DEPTH_MAX - 1).as_bytes()).is_ok());
        check_refused(&nested(DEPTH_MAX + 1), JsonError::TooDeep);
        check_refused(&nested(100_000), JsonError::TooDeep);
        check_refused(&r#"{"a":"#.repeat(1_000), JsonError::TooDeep);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["1", "null", "[]", "\"a\""] {
            check_refused(text, JsonError::NotObject);
        }
        for text in ["", "{", "{}x", "{} {}", "{'a':1}", "{\"a\":1,}", "{\"a\":NaN}", "\u{feff}{}", "{\"a\":\"\n\"}"] {
            check_refused(text, JsonError::NotJson);
        }
        assert_eq!(parse(b"{\"a\":\"\xff\"}"), Err(JsonError::NotJson));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
