//! Taking a stream of events apart, as it comes. Only what is said counts, not what the sender
//! calls it. Must not know: who hears the events.

/// What was said of an event so far.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    any: bool,
    after_return: bool,
}

impl Events {
    /// More came; `event` is given each event that is whole now.
    pub(super) fn take(&mut self, bytes: &[u8], mut event: impl FnMut(Vec<u8>)) {
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (end, text) = match piece.split_last() {
                Some((end @ (b'\n' | b'\r'), text)) => (Some(*end), text),
                _ => (None, piece),
            };
            let second_half = std::mem::take(&mut self.after_return) && text.is_empty() && end == Some(b'\n');
            self.line.extend_from_slice(text);
            if end.is_some() && !second_half {
                self.end_line(&mut event);
            }
            self.after_return = end == Some(b'\r');
        }
    }

    /// Nothing more comes. An event without its empty line counts: many senders forget it.
    pub(super) fn end(mut self, mut event: impl FnMut(Vec<u8>)) {
        if !self.line.is_empty() {
            self.end_line(&mut event);
        }
        self.end_event(&mut event);
    }

    /// How much is held of an event that is not whole.
    pub(super) fn held_bytes(&self) -> usize {
        self.line.len() + self.data.len()
    }

    fn end_line(&mut self, event: &mut impl FnMut(Vec<u8>)) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.end_event(event);
        }
        let (name, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (line.get(..colon), line.get(colon + 1..)),
            None => (Some(line.as_slice()), None),
        };
        if name != Some(b"data") {
            return;
        }
        let value = value.unwrap_or_default();
        if std::mem::replace(&mut self.any, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
    }

    fn end_event(&mut self, event: &mut impl FnMut(Vec<u8>)) {
        if std::mem::take(&mut self.any) {
            event(std::mem::take(&mut self.data));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The events of that text, when it comes in pieces of that length.
    fn events(text: &str, length: usize) -> Vec<String> {
        let (mut events, mut heard) = (Events::default(), Vec::new());
        for piece in text.as_bytes().chunks(length) {
            events.take(piece, |data| heard.push(data));
        }
        events.end(|data| heard.push(data));
        heard.into_iter().map(|data| String::from_utf8(data).unwrap()).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        for length in 1..=text.len().max(1) {
            assert_eq!(events(text, length), expected, "{text:?} in pieces of {length}");
        }
    }

    #[test]
    fn what_is_said_counts() {
        check("data: 1\n\ndata: 2\n\n", &["1", "2"]);
        check("data:1\n\n", &["1"]);
        check("data:  1\n\n", &[" 1"]);
        check("data: a\ndata: b\n\n", &["a\nb"]);
        check("data\n\n", &[""]);
        check("data:\ndata:\n\n", &["\n"]);
    }

    #[test]
    fn what_it_is_called_does_not() {
        check(": hello\n\nevent: x\nid: 7\nretry: 9\ndata: 1\n\n", &["1"]);
        check("event: ping\n\n", &[]);
        check("database: 1\n\n", &[]);
        check("\n\n\n", &[]);
    }

    #[test]
    fn lines_end_in_three_ways() {
        check("data: 1\r\n\r\ndata: 2\r\n\r\n", &["1", "2"]);
        check("data: 1\r\rdata: 2\r\r", &["1", "2"]);
        check("data: a\r\ndata: b\n\r\n", &["a\nb"]);
    }

    #[test]
    fn the_last_event_may_lack_its_end() {
        check("data: 1\n\ndata: 2\n", &["1", "2"]);
        check("data: 1", &["1"]);
    }

    proptest! {
        #[test]
        fn how_it_is_cut_changes_nothing(text in "(data|d|: |:|\r|\n|\r\n|1){0,30}", length in 1_usize..9) {
            prop_assert_eq!(events(&text, length), events(&text, text.len().max(1)));
        }
    }
}
