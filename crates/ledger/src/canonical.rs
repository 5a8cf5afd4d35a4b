//! The one way to write a ledger entry: RFC 8785 canonical JSON, so that equal entries are
//! equal bytes. Must not know what becomes of the bytes.

use bytes::Bytes;
use serde_json::{Number, Value};

use aegis_model::ledger::Entry;

/// Largest entry. An entry bundle of an export gives each entry a length of 16 bits.
pub const ENTRY_SIZE_MAX_BYTES: usize = 60 * 1024;
/// Deepest nesting that is written.
const DEPTH_MAX: usize = 128;
/// Beyond this an integer is no longer exact as an RFC 8785 number.
const INTEGER_MAX: u64 = 1 << 53;

/// Why a value has no canonical form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// The integer is not exact as a double.
    #[error("the integer `{0}` is beyond 2^53 and has no exact canonical form")]
    InexactInteger(String),
    /// Not a number, or infinite.
    #[error("a number is not finite")]
    NotFinite,
    /// Arrays and objects within each other.
    #[error("the value is nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// The value cannot be written as JSON at all.
    #[error("the value cannot be written as JSON: {0}")]
    NotJson(String),
}

/// Why bytes are not a ledger entry, or an entry cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It is larger than an entry may be.
    #[error("the entry has {size_bytes} bytes, {ENTRY_SIZE_MAX_BYTES} are allowed")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
    },
    /// It is not an entry.
    #[error("not a ledger entry: {0}")]
    Malformed(String),
    /// It is an entry, but not written in the one canonical way.
    #[error("the entry is not in canonical form")]
    NotCanonical,
}

/// Writes an entry in its canonical form.
///
/// # Errors
/// When the entry is too large.
pub fn entry_bytes(entry: &Entry) -> Result<Bytes, EntryError> {
    let bytes = written(entry)?;
    if bytes.len() > ENTRY_SIZE_MAX_BYTES {
        return Err(EntryError::TooLarge { size_bytes: bytes.len() });
    }
    Ok(bytes.into())
}

/// Reads an entry, and insists that it is written in its canonical form.
///
/// # Errors
/// When it is too large, not an entry, or not in canonical form.
pub fn parse_entry(bytes: &[u8]) -> Result<Entry, EntryError> {
    if bytes.len() > ENTRY_SIZE_MAX_BYTES {
        return Err(EntryError::TooLarge { size_bytes: bytes.len() });
    }
    let entry: Entry = serde_json::from_slice(bytes).map_err(|error| EntryError::Malformed(error.to_string()))?;
    if written(&entry)? != bytes {
        return Err(EntryError::NotCanonical);
    }
    Ok(entry)
}

/// INVARIANT: the fields of `Entry` and of what it holds are declared in canonical order and
/// none is a float, so the compact form is the canonical form; a test compares the two. Going
/// through `to_canonical` would build a tree of values for each of a million entries.
fn written(entry: &Entry) -> Result<Vec<u8>, EntryError> {
    serde_json::to_vec(entry).map_err(|error| EntryError::Malformed(error.to_string()))
}

/// Writes any JSON value in its RFC 8785 form.
///
/// # Errors
/// When a number has no exact canonical form, or the value is nested too deeply.
pub fn to_canonical(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::new();
    write_value(&mut out, value, 0)?;
    Ok(out)
}

fn write_value(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), CanonicalError> {
    if depth > DEPTH_MAX {
        return Err(CanonicalError::TooDeep);
    }
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(out, number)?,
        Value::String(text) => write_string(out, text)?,
        Value::Array(items) => write_array(out, items, depth)?,
        Value::Object(fields) => write_object(out, fields.iter().collect(), depth)?,
    }
    Ok(())
}

fn write_array(out: &mut Vec<u8>, items: &[Value], depth: usize) -> Result<(), CanonicalError> {
    out.push(b'[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_value(out, item, depth + 1)?;
    }
    out.push(b']');
    Ok(())
}

/// Fields go by the UTF-16 code units of their names, which differs from the order of their
/// bytes where a name has characters beyond the basic plane.
fn write_object(out: &mut Vec<u8>, mut fields: Vec<(&String, &Value)>, depth: usize) -> Result<(), CanonicalError> {
    fields.sort_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
    out.push(b'{');
    for (place, (name, value)) in fields.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_string(out, name)?;
        out.push(b':');
        write_value(out, value, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

/// `serde_json` escapes exactly what RFC 8785 wants escaped, in the same way.
fn write_string(out: &mut Vec<u8>, text: &str) -> Result<(), CanonicalError> {
    serde_json::to_writer(out, text).map_err(|error| CanonicalError::NotJson(error.to_string()))
}

fn write_number(out: &mut Vec<u8>, number: &Number) -> Result<(), CanonicalError> {
    let magnitude = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64());
    let text = match magnitude {
        Some(magnitude) if magnitude > INTEGER_MAX => {
            return Err(CanonicalError::InexactInteger(number.to_string()));
        }
        Some(_) => number.to_string(),
        None => float_text(number.as_f64().ok_or(CanonicalError::NotFinite)?)?,
    };
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// A double as ECMAScript prints it: the shortest digits that read back as the same double.
fn float_text(number: f64) -> Result<String, CanonicalError> {
    if !number.is_finite() {
        return Err(CanonicalError::NotFinite);
    }
    if number == 0.0 {
        return Ok("0".to_owned());
    }
    let sign = if number < 0.0 { "-" } else { "" };
    let scientific = shortest(number.abs());
    let (mantissa, exponent) = scientific.split_once('e').ok_or(CanonicalError::NotFinite)?;
    let exponent: i32 = exponent.parse().map_err(|_| CanonicalError::NotFinite)?;
    Ok(format!("{sign}{}", placed(&mantissa.replace('.', ""), exponent)))
}

/// The shortest digits, and where two are equally near, the even ones: Rust's own choice
/// between those two is another one.
fn shortest(number: f64) -> String {
    let found = format!("{number:e}");
    let digits = found.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    let even = format!("{number:.*e}", digits.saturating_sub(1));
    if even.parse() == Ok(number) { even } else { found }
}

/// Puts the decimal point of `0.DIGITS × 10^(exponent + 1)` where ECMAScript puts it.
fn placed(digits: &str, exponent: i32) -> String {
    let before_point = usize::try_from(exponent + 1).unwrap_or(0);
    match exponent {
        0..=20 if before_point >= digits.len() => format!("{digits:0<before_point$}"),
        0..=20 => {
            let (whole, fraction) = digits.split_at(before_point);
            format!("{whole}.{fraction}")
        }
        -6..=-1 => format!("0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            format!("{first}{point}{rest}e{exponent:+}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::entry;
    use proptest::prelude::*;

    fn check(json: &str, canonical: &str) {
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(String::from_utf8(to_canonical(&value).unwrap()).unwrap(), canonical, "{json}");
    }

    #[test]
    fn fields_go_by_their_utf_16_code_units() {
        check(
            r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
               "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin"}"#,
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"\u{f6}\":\"Latin\",\
             \"\u{20ac}\":\"Euro Sign\",\"\u{1f600}\":\"Emoji: Grinning Face\",\
             \"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
        );
        check(r#"{"b":1,"a":{"d":[ 1, {"y":0,"x":0} ],"c":null}}"#, r#"{"a":{"c":null,"d":[1,{"x":0,"y":0}]},"b":1}"#);
    }

    #[test]
    fn strings_are_escaped_as_the_standard_says() {
        check(r#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/""#, "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
        check(r#""\b\t\f\u001f\u007f<>&\u2028""#, "\"\\b\\t\\f\\u001f\u{7f}<>&\u{2028}\"");
    }

    #[test]
    fn the_sample_of_the_standard_comes_out_as_printed_there() {
        // The numbers are given as doubles: reading text as doubles is not what is tested.
        let sample = serde_json::json!({
            "numbers": [333_333_333.333_333_3_f64, 1E30_f64, 4.50_f64, 2e-3_f64, 0.000_000_000_000_000_000_000_000_001_f64],
            "string": "\u{20ac}$\u{f}\nA'B\"\\\\\"/",
            "literals": [null, true, false],
        });
        assert_eq!(
            String::from_utf8(to_canonical(&sample).unwrap()).unwrap(),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn numbers_come_out_as_printed_in_the_standard() {
        for (bits, text) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(float_text(f64::from_bits(bits)).as_deref(), Ok(text), "{bits:#x}");
        }
    }

    #[test]
    fn what_is_not_finite_or_not_exact_or_too_deep_is_refused() {
        assert_eq!(float_text(f64::NAN), Err(CanonicalError::NotFinite));
        assert_eq!(float_text(f64::NEG_INFINITY), Err(CanonicalError::NotFinite));
        for exact in ["9007199254740992", "-9007199254740992"] {
            check(exact, exact);
        }
        for inexact in ["9007199254740993", "-9007199254740993", "18446744073709551615"] {
            let value: Value = serde_json::from_str(inexact).unwrap();
            assert_eq!(to_canonical(&value), Err(CanonicalError::InexactInteger(inexact.to_owned())));
        }
        let deep = (0..200).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert_eq!(to_canonical(&deep), Err(CanonicalError::TooDeep));
    }

    #[test]
    fn an_entry_is_written_in_its_canonical_form() {
        for position in 0..8 {
            let entry = entry(position);
            let canonical = to_canonical(&serde_json::to_value(&entry).unwrap()).unwrap();
            let bytes = entry_bytes(&entry).unwrap();
            assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&canonical));
            assert_eq!(parse_entry(&bytes).as_ref(), Ok(&entry));
        }
    }

    #[test]
    fn the_same_entry_written_otherwise_is_refused() {
        let text = String::from_utf8(entry_bytes(&entry(1)).unwrap().to_vec()).unwrap();
        let swapped = text.replacen("{\"action\"", "{\"kind\":\"act\",\"action\"", 1).replacen(
            ",\"kind\":\"act\",\"o",
            ",\"o",
            1,
        );
        for other in [
            text.replacen(':', ": ", 1),
            format!("{text}\n"),
            format!(" {text}"),
            text.replacen("agent_deploy", "agent\\u005fdeploy", 1),
            text.replacen("\"isolation\":null,", "", 1),
            text.replacen(".001Z", ".0010Z", 1),
            swapped,
        ] {
            assert_ne!(other, text);
            assert_eq!(parse_entry(other.as_bytes()), Err(EntryError::NotCanonical), "{other}");
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let text = String::from_utf8(entry_bytes(&entry(1)).unwrap().to_vec()).unwrap();
        for other in [
            String::new(),
            "{}".to_owned(),
            "null".to_owned(),
            text.replacen("{\"action\"", "{\"action\":\"x\",\"action\"", 1),
            text.replacen("{\"action\"", "{\"aaa\":1,\"action\"", 1),
            text.replacen("\"tenant\":\"acme\"", "\"tenant\":\"../acme\"", 1),
            text[..text.len() - 1].to_owned(),
        ] {
            assert_ne!(other, text);
            assert!(matches!(parse_entry(other.as_bytes()), Err(EntryError::Malformed(_))), "{other}");
        }
        assert!(parse_entry(b"\xff").is_err());
    }

    #[test]
    fn an_entry_that_no_bundle_could_hold_is_refused() {
        let mut entry = entry(1);
        entry.subject = "x".repeat(ENTRY_SIZE_MAX_BYTES);
        assert!(matches!(entry_bytes(&entry), Err(EntryError::TooLarge { .. })));
        let bytes = serde_json::to_vec(&entry).unwrap();
        assert!(matches!(parse_entry(&bytes), Err(EntryError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn any_text_in_an_entry_reads_back(subject in ".*", action in "\\PC*", outcome in proptest::option::of(".*")) {
            let mut entry = entry(3);
            entry.subject = subject;
            entry.action = action;
            entry.outcome_mac = outcome;
            let bytes = entry_bytes(&entry).unwrap();
            prop_assert_eq!(to_canonical(&serde_json::to_value(&entry).unwrap()).unwrap(), bytes.to_vec());
            prop_assert_eq!(parse_entry(&bytes), Ok(entry));
        }

        #[test]
        fn every_double_reads_back_as_itself(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            prop_assert_eq!(float_text(number).unwrap().parse::<f64>().unwrap(), number);
        }

        #[test]
        fn arbitrary_bytes_never_crash_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(parse_entry(&bytes).is_err());
        }
    }
}
