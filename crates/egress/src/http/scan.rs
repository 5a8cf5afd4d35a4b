//! Finds the end of a head, byte by byte, and refuses what no head may hold: line ends that
//! are not CRLF, control characters, too much. Must not know: what the lines mean.

use std::ops::Range;

use super::head::METHOD_BYTES_MAX;
use super::{HttpProblem, Limits};

/// What stands around a target in the longest request line: two spaces, the version, CR.
const AROUND_TARGET: usize = METHOD_BYTES_MAX + 2 + "HTTP/1.1".len() + 1;

/// How far a head has been looked through. One per connection and direction: it is given to
/// every call with the same, growing input, so that no byte is looked at twice. When a head
/// was complete it begins anew, for the input after what was consumed.
#[derive(Clone, Debug, Default)]
pub struct HeadScanner {
    offset: usize,
    start: usize,
    line_start: usize,
    lines: usize,
    after_carriage_return: bool,
}

/// Which lines are looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// A request: one empty line before it is tolerated, for old programs send one.
    Request,
    /// A response: nothing before it.
    Response,
    /// Headers only, perhaps none.
    Trailers,
}

impl HeadScanner {
    /// One that has not looked at anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the lines stand, with the empty line at their end, or `None` when more is needed.
    /// A problem and an end stay what they are until the scanner begins anew.
    pub(super) fn scan(
        &mut self,
        input: &[u8],
        section: Section,
        limits: &Limits,
    ) -> Result<Option<Range<usize>>, HttpProblem> {
        for (index, byte) in input.iter().copied().enumerate().skip(self.offset) {
            let next = index.saturating_add(1);
            if self.is_end(index, byte, section) {
                return if next > limits.head_bytes_max {
                    Err(HttpProblem::HeadTooLong(limits.head_bytes_max))
                } else {
                    Ok(Some(self.start..next))
                };
            }
            self.check_limits(next, byte, section, limits)?;
            self.step(next, byte, section)?;
            self.offset = next;
        }
        Ok(None)
    }

    fn is_end(&self, index: usize, byte: u8, section: Section) -> bool {
        let empty_line = index == self.line_start.saturating_add(1) && self.after_carriage_return && byte == b'\n';
        empty_line && (self.lines > 0 || section == Section::Trailers)
    }

    fn check_limits(&self, next: usize, byte: u8, section: Section, limits: &Limits) -> Result<(), HttpProblem> {
        if next >= limits.head_bytes_max {
            return Err(HttpProblem::HeadTooLong(limits.head_bytes_max));
        }
        let in_request_line = section == Section::Request && self.lines == 0 && byte != b'\n';
        let line_max = limits.target_bytes_max.saturating_add(AROUND_TARGET);
        if in_request_line && next.saturating_sub(self.line_start) > line_max {
            return Err(HttpProblem::TargetTooLong(limits.target_bytes_max));
        }
        let lines_max = limits.headers_max.saturating_add(usize::from(section != Section::Trailers));
        if byte == b'\n' && self.after_carriage_return && self.lines >= lines_max {
            return Err(HttpProblem::TooManyHeaders(limits.headers_max));
        }
        Ok(())
    }

    fn step(&mut self, next: usize, byte: u8, section: Section) -> Result<(), HttpProblem> {
        match (byte, self.after_carriage_return) {
            (b'\n', true) => self.end_line(next, section),
            (b'\n', false) => Err(HttpProblem::BareLineFeed),
            (_, true) => Err(HttpProblem::BareCarriageReturn),
            (b'\r', false) => {
                self.after_carriage_return = true;
                Ok(())
            }
            (byte, false) if is_text(byte) => Ok(()),
            _ => Err(HttpProblem::ControlByte),
        }
    }

    fn end_line(&mut self, next: usize, section: Section) -> Result<(), HttpProblem> {
        if next == self.line_start.saturating_add(2) {
            if section != Section::Request || self.start > 0 {
                return Err(HttpProblem::EmptyLine);
            }
            self.start = next;
        } else {
            self.lines = self.lines.saturating_add(1);
        }
        self.line_start = next;
        self.after_carriage_return = false;
        Ok(())
    }
}

/// Whether a byte may stand in a line at all: what can be seen, space, tab, and beyond ASCII.
pub(super) fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(input: &str, section: Section) -> Result<Option<Range<usize>>, HttpProblem> {
        HeadScanner::new().scan(input.as_bytes(), section, &Limits::default())
    }

    #[test]
    fn the_end_of_a_head_is_its_first_empty_line() {
        assert_eq!(scan("a\r\nb\r\n\r\nc\r\n\r\n", Section::Request), Ok(Some(0..8)));
        assert_eq!(scan("\r\na\r\n\r\n", Section::Request), Ok(Some(2..7)));
        assert_eq!(scan("\r\na", Section::Trailers), Ok(Some(0..2)));
        assert_eq!(scan("a\r\n\r", Section::Response), Ok(None));
    }

    #[test]
    fn only_one_empty_line_is_tolerated_and_only_before_a_request() {
        assert_eq!(scan("\r\n\r\na\r\n\r\n", Section::Request), Err(HttpProblem::EmptyLine));
        assert_eq!(scan("\r\na\r\n\r\n", Section::Response), Err(HttpProblem::EmptyLine));
    }

    #[test]
    fn a_problem_and_an_end_are_found_again() {
        let limits = Limits { head_bytes_max: 4, ..Limits::default() };
        for input in ["a\nb", "a\rb", "a\0", "abc\r\n", "a\r\n\r\n"] {
            let mut scanner = HeadScanner::new();
            let first = scanner.scan(input.as_bytes(), Section::Request, &limits);
            assert!(first.is_err());
            assert_eq!(scanner.scan(input.as_bytes(), Section::Request, &limits), first);
        }
        let mut scanner = HeadScanner::new();
        for _ in 0..2 {
            assert_eq!(scanner.scan(b"a\r\n\r\nb", Section::Request, &Limits::default()), Ok(Some(0..5)));
        }
    }
}
