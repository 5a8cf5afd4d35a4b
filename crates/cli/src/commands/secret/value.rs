//! Where the value of a secret comes from: stdin, a file, or a person who is asked. Never from
//! the command line itself.

use std::path::{Path, PathBuf};

use aegis_model::secret::{SECRET_SIZE_MAX_BYTES, SecretValue};

use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::terminal::SilentTerminal;

/// A value and the end of its line.
const INPUT_SIZE_MAX_BYTES: u64 = SECRET_SIZE_MAX_BYTES as u64 + 2;

/// Where the value comes from.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// Read the value from this file instead of stdin
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// What was typed where no value belongs.
    #[arg(hide = true, value_name = "VALUE", num_args = 0.., value_parser = misplaced)]
    misplaced: Vec<Misplaced>,
}

/// Something that may be a value; it is not kept.
#[derive(Clone, Copy, Debug)]
struct Misplaced;

#[expect(clippy::unnecessary_wraps, reason = "the form of a parser of arguments; a refusal by it would show the value")]
fn misplaced(_: &str) -> Result<Misplaced, String> {
    Ok(Misplaced)
}

/// Reads the value. One end of line after it is not a part of it.
pub(super) fn read(context: &mut Context, source: &Source) -> Result<SecretValue, Failure> {
    if !source.misplaced.is_empty() {
        let why =
            "a value is not taken from the command line: its history, and every user of this machine, could see it";
        return Err(Failure::usage(why, "give it on stdin, or name a file with `--from-file`"));
    }
    let bytes = match &source.from_file {
        Some(path) => input::read(context, path, INPUT_SIZE_MAX_BYTES)?,
        None => match SilentTerminal::enter() {
            Some(_silent) => typed(context)?,
            None => input::read(context, Path::new("-"), INPUT_SIZE_MAX_BYTES)?,
        },
    };
    value(bytes)
}

fn typed(context: &mut Context) -> Result<Vec<u8>, Failure> {
    let line = context.terminal.ask_line("value (not shown while you type): ", INPUT_SIZE_MAX_BYTES + 1);
    line.map_err(|error| Failure::unreadable(Path::new("-"), &error))
}

fn value(bytes: Vec<u8>) -> Result<SecretValue, Failure> {
    let no_text = |_| Failure::usage("the value is not UTF-8 text", "encode it first, for example with `base64`");
    let mut text = String::from_utf8(bytes).map_err(no_text)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() || text.len() > SECRET_SIZE_MAX_BYTES {
        let rule = format!("a value has 1 to {SECRET_SIZE_MAX_BYTES} bytes");
        return Err(Failure::usage(rule, "give it on stdin, or name a file with `--from-file`"));
    }
    Ok(SecretValue::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &[u8], taken: Option<&str>) {
        let read = value(given.to_vec()).ok().map(SecretValue::into_text);
        assert_eq!(read.as_deref(), taken, "{given:?}");
    }

    #[test]
    fn one_end_of_line_is_no_part_of_a_value() {
        check(b"hunter2", Some("hunter2"));
        check(b"hunter2\n", Some("hunter2"));
        check(b"hunter2\r\n", Some("hunter2"));
        check(b"hunter2\n\n", Some("hunter2\n"));
        check(b" hunter2 ", Some(" hunter2 "));
        check(b"a\nb\r", Some("a\nb\r"));
        check("é\n".as_bytes(), Some("é"));
    }

    #[test]
    fn what_is_no_value_is_refused_and_not_repeated() {
        for bad in [&b""[..], b"\n", b"\r\n", b"hunter2\xff", &[b'x'; SECRET_SIZE_MAX_BYTES + 1]] {
            let failure = value(bad.to_vec()).expect_err("no value");
            assert_eq!(failure.exit_code(), 2);
            assert!(!failure.to_string().contains("hunter2") && !failure.to_string().contains("xx"));
        }
        assert!(value(vec![b'x'; SECRET_SIZE_MAX_BYTES]).is_ok());
    }
}
