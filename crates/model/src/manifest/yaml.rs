//! From bytes to a tree: YAML 1.2 with its core scalars, and so JSON. Bounded in size, depth
//! and number of nodes; whatever makes one text mean more than it shows (anchors, tags,
//! repeated keys, further documents, hidden characters) is refused. Must not know: what a
//! manifest is.

use std::borrow::Cow;
use std::collections::BTreeSet;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde::de::IgnoredAny;
use serde_json::Number;

use super::problem::{ManifestProblem, Place, child};
use super::tree::{Content, Entry, Node};
use super::units::quoted;

/// Largest manifest.
pub const MANIFEST_SIZE_MAX_BYTES: usize = 256 * 1024;
/// Deepest nesting.
pub const MANIFEST_DEPTH_MAX: usize = 64;
/// Longest name of a field.
const KEY_LENGTH_MAX: usize = 256;
/// Most values, keys included.
pub const MANIFEST_NODES_MAX: usize = 20_000;

/// Reads one document.
pub(super) fn read(bytes: &[u8]) -> Result<Node, ManifestProblem> {
    if bytes.len() > MANIFEST_SIZE_MAX_BYTES {
        let message = format!("the manifest has {} bytes, more than {MANIFEST_SIZE_MAX_BYTES}", bytes.len());
        return Err(Place::START.problem("", message));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (valid, _) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
        let place = end_of(&String::from_utf8_lossy(valid));
        place.problem("", format!("byte {} is not UTF-8", error.valid_up_to()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((index, char)) = text.char_indices().find(|(_, char)| is_hidden(*char)) {
        let place = end_of(text.get(..index).unwrap_or_default());
        return Err(place.problem("", format!("the character U+{:04X} is not taken", u32::from(char))));
    }
    build(&join_surrogates(text))
}

/// Characters that a reader of the manifest would not see, or that would reorder what they see.
fn is_hidden(char: char) -> bool {
    let control = char.is_control() && !matches!(char, '\t' | '\n' | '\r');
    control || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// The place right after `text`.
fn end_of(text: &str) -> Place {
    let line = text.matches('\n').count() + 1;
    let last = text.rsplit('\n').next().unwrap_or_default();
    Place { line, column: last.chars().count() + 1 }
}

/// JSON writes characters beyond the first plane as two escapes, YAML as one: where the text
/// is JSON, such pairs are joined. Places right of one on the same line move by two.
fn join_surrogates(text: &str) -> Cow<'_, str> {
    let has_pair = text.contains("\\ud") || text.contains("\\uD");
    if !has_pair || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Cow::Borrowed(text);
    }
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        joined.push_str(before);
        rest = match surrogate_pair(escape) {
            Some((code, after)) => {
                joined.push_str(&format!("\\U{code:08X}"));
                after
            }
            None => {
                let length = escape.char_indices().nth(2).map_or(escape.len(), |(index, _)| index);
                let (plain, after) = escape.split_at(length);
                joined.push_str(plain);
                after
            }
        };
    }
    joined.push_str(rest);
    Cow::Owned(joined)
}

/// The character that `\uD83D\uDE00` spells, and the text after it.
fn surrogate_pair(text: &str) -> Option<(u32, &str)> {
    let unit = |text: &str| u32::from_str_radix(text.strip_prefix("\\u")?, 16).ok();
    let high = unit(text.get(..6)?).filter(|unit| (0xD800..0xDC00).contains(unit))?;
    let low = unit(text.get(6..12)?).filter(|unit| (0xDC00..0xE000).contains(unit))?;
    Some((0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), text.get(12..)?))
}

fn place_of(span: Span) -> Place {
    Place { line: span.start.line().max(1), column: span.start.col() + 1 }
}

fn build(text: &str) -> Result<Node, ManifestProblem> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            let place = Place { line: marker.line().max(1), column: marker.col() + 1 };
            if error.info().contains("unknown anchor") {
                return place.problem("", "aliases are not taken; write the value out");
            }
            place.problem("", format!("the text is neither YAML nor JSON: {}", error.info().to_lowercase()))
        })?;
        builder.take(event, place_of(span))?;
    }
    builder.root.ok_or_else(|| Place::START.problem("", "the manifest is empty"))
}

/// A list or map whose end has not been seen.
struct Frame {
    place: Place,
    name: String,
    parts: Parts,
}

enum Parts {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: BTreeSet<String>, key: Option<(String, Place)> },
}

#[derive(Default)]
struct Builder {
    open: Vec<Frame>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), ManifestProblem> {
        match event {
            Event::DocumentStart(_) => self.document(place),
            Event::Alias(_) => Err(self.refuse(place, "aliases are not taken; write the value out")),
            Event::Scalar(text, style, anchor, tag) => {
                self.admit(place, anchor, tag.is_some())?;
                if let Some(char) = text.chars().find(|char| is_hidden(*char)) {
                    return Err(self.refuse(place, &format!("the character U+{:04X} is not taken", u32::from(char))));
                }
                self.scalar(&text, style, place)
            }
            Event::SequenceStart(anchor, tag) => {
                self.admit(place, anchor, tag.is_some())?;
                self.begin(place, Parts::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.admit(place, anchor, tag.is_some())?;
                self.begin(place, Parts::Map { entries: Vec::new(), seen: BTreeSet::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn document(&mut self, place: Place) -> Result<(), ManifestProblem> {
        self.documents += 1;
        if self.documents > 1 {
            return Err(place.problem("", "a second document begins here; a manifest is exactly one"));
        }
        Ok(())
    }

    fn refuse(&self, place: Place, message: &str) -> ManifestProblem {
        place.problem(&self.pointer(), message)
    }

    /// The pointer of the value that comes next.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for frame in self.open.iter().skip(1) {
            pointer = child(&pointer, &frame.name);
        }
        self.next_name().map_or(pointer.clone(), |name| child(&pointer, name))
    }

    /// The name of the value that comes next, in the list or map that is open.
    fn next_name(&self) -> Option<String> {
        match &self.open.last()?.parts {
            Parts::List(items) => Some(items.len().to_string()),
            Parts::Map { key, .. } => key.as_ref().map(|(key, _)| key.clone()),
        }
    }

    /// Counts a node and refuses what would let it mean more than it shows.
    fn admit(&mut self, place: Place, anchor: usize, tagged: bool) -> Result<(), ManifestProblem> {
        self.nodes += 1;
        if self.nodes > MANIFEST_NODES_MAX {
            return Err(self.refuse(place, &format!("the manifest has more than {MANIFEST_NODES_MAX} values")));
        }
        if anchor != 0 {
            return Err(self.refuse(place, "anchors are not taken; write the value out where it is used"));
        }
        if tagged {
            return Err(self.refuse(place, "tags are not taken; quote a text that looks like something else"));
        }
        Ok(())
    }

    fn begin(&mut self, place: Place, parts: Parts) -> Result<(), ManifestProblem> {
        if self.open.len() >= MANIFEST_DEPTH_MAX {
            return Err(place.problem("", format!("the manifest is nested deeper than {MANIFEST_DEPTH_MAX} levels")));
        }
        if let Some(Frame { parts: Parts::Map { key: None, .. }, .. }) = self.open.last() {
            return Err(self.refuse(place, "a list or map cannot be the name of a field"));
        }
        let name = self.next_name().unwrap_or_default();
        self.open.push(Frame { place, name, parts });
        Ok(())
    }

    fn end(&mut self) -> Result<(), ManifestProblem> {
        let Some(frame) = self.open.pop() else { return Ok(()) };
        let content = match frame.parts {
            Parts::List(items) => Content::List(items),
            Parts::Map { entries, .. } => Content::Map(entries),
        };
        self.place_node(Node { place: frame.place, content });
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Place) -> Result<(), ManifestProblem> {
        if let Some(Frame { parts: Parts::Map { seen, key: key @ None, .. }, .. }) = self.open.last_mut() {
            if text.len() > KEY_LENGTH_MAX {
                let message = format!("the name of a field is longer than {KEY_LENGTH_MAX} bytes");
                return Err(self.refuse(place, &message));
            }
            let fresh = seen.insert(text.to_owned());
            *key = Some((text.to_owned(), place));
            if fresh {
                return Ok(());
            }
            return Err(self.refuse(place, &format!("the field {} is there twice", quoted(text))));
        }
        let content = match style {
            ScalarStyle::Plain => plain(text).map_err(|why| self.refuse(place, &why))?,
            _ => Content::Text(text.to_owned()),
        };
        self.place_node(Node { place, content });
        Ok(())
    }

    fn place_node(&mut self, node: Node) {
        match self.open.last_mut().map(|frame| &mut frame.parts) {
            None => self.root = Some(node),
            Some(Parts::List(items)) => items.push(node),
            Some(Parts::Map { entries, key, .. }) => {
                if let Some((key, place)) = key.take() {
                    entries.push(Entry { key, place, value: node });
                }
            }
        }
    }
}

/// What a plain scalar is in the core schema of YAML 1.2: `no` and `12:30` are texts.
fn plain(text: &str) -> Result<Content, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Bool(true),
        "false" | "False" | "FALSE" => Content::Bool(false),
        _ => match number(text) {
            Some(Some(number)) => Content::Number(number),
            Some(None) => return Err(format!("the number {} is too large", quoted(text))),
            None => Content::Text(text.to_owned()),
        },
    })
}

/// The number that `text` spells: `None` if it spells none, `Some(None)` if none that can be kept.
fn number(text: &str) -> Option<Option<Number>> {
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| !digits.is_empty()) {
        let whole = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        return whole.then(|| u64::from_str_radix(digits, 16).ok().map(Number::from));
    }
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| !digits.is_empty()) {
        let whole = digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        return whole.then(|| u64::from_str_radix(digits, 8).ok().map(Number::from));
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let positive = text.strip_prefix('+').unwrap_or(text);
        let small = positive.parse::<u64>().map(Number::from).or_else(|_| positive.parse::<i64>().map(Number::from));
        return Some(small.ok());
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(None);
    }
    is_float(unsigned).then(|| text.parse::<f64>().ok().and_then(Number::from_f64))
}

/// Whether `text` is `1.`, `.5`, `1.5` or one of them with an exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(left, right)| (left, Some(right)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_fits
}
