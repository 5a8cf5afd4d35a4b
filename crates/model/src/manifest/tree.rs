//! A parsed document that remembers where everything stood. Must not know: what a manifest is.

use serde_json::{Map, Number, Value};

use super::problem::{Place, child};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A field of a map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Node,
}

impl Node {
    /// The fields, if this is a map.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The field of that name.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The text, if this is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The element or field of that name, as it is written in a pointer.
    fn step(&self, name: &str) -> Option<&Node> {
        match &self.content {
            Content::List(items) => items.get(name.parse::<usize>().ok()?),
            _ => self.get(&name.replace("~1", "/").replace("~0", "~")),
        }
    }

    /// What the pointer leads to.
    pub(super) fn at(&self, pointer: &str) -> Option<&Node> {
        pointer.split('/').skip(1).try_fold(self, |node, name| node.step(name))
    }

    /// Where the pointer leads to, or where the last part of it that is there stands.
    pub(super) fn place_of(&self, pointer: &str) -> Place {
        let mut node = self;
        for name in pointer.split('/').skip(1) {
            let Some(next) = node.step(name) else { break };
            node = next;
        }
        node.place
    }

    /// The value without its places.
    pub(super) fn to_value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(bool) => Value::Bool(*bool),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Content::Map(entries) => {
                let fields = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value()));
                Value::Object(fields.collect::<Map<String, Value>>())
            }
        }
    }

    /// Calls `visit` with every text below, and its pointer.
    pub(super) fn each_text<'a>(&'a self, pointer: &str, visit: &mut dyn FnMut(&str, &'a str, Place)) {
        match &self.content {
            Content::Text(text) => visit(pointer, text, self.place),
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.each_text(&child(pointer, index), visit);
                }
            }
            Content::Map(entries) => {
                for entry in entries {
                    entry.value.each_text(&child(pointer, &entry.key), visit);
                }
            }
            _ => {}
        }
    }
}
