//! How deep a policy's text may nest. Cedar's parser recurses without a limit, so that a few
//! hundred brackets would end the whole process; its validator lets long chains pass unchecked,
//! and its work doubles with every `if` inside an `if`. Counts like Cedar's lexer and must not
//! know what the text means.

/// Open brackets at any one place.
const BRACKETS_MAX: usize = 32;
/// Operators, attribute accesses, branches and conditions of one rule.
const LINKS_MAX: usize = 256;

/// Branches of one rule.
const BRANCHES_MAX: usize = 8;

/// Where the text nests too deep, as a byte offset, and what is too much there.
pub(crate) fn problem(text: &str) -> Option<(usize, &'static str)> {
    let mut brackets = 0_usize;
    let mut links = 0_usize;
    let mut branches = 0_usize;
    let mut tokens = Tokens { rest: text.as_bytes(), offset: 0 };
    while let Some((offset, token)) = tokens.next() {
        match token {
            Token::Open => brackets += 1,
            Token::Close => brackets = brackets.saturating_sub(1),
            Token::Link => links += 1,
            Token::Branch => branches += 1,
            Token::End => (links, branches) = (0, 0),
        }
        if brackets > BRACKETS_MAX {
            return Some((offset, "more than 32 brackets are open here; split the rule"));
        }
        if links > LINKS_MAX {
            return Some((offset, "the rule has more than 256 operators and attributes; split it"));
        }
        if branches > BRANCHES_MAX {
            return Some((offset, "the rule has more than 8 branches; split it"));
        }
    }
    None
}

/// Where the rule with this number, from 0, begins, as a byte offset: at its first word or mark
/// behind the semicolon of the rule before it.
pub(crate) fn rule_start(text: &str, index: usize) -> usize {
    let mut tokens = Tokens { rest: text.as_bytes(), offset: 0 };
    let mut ended = 0;
    while ended < index {
        match tokens.next() {
            Some((_, Token::End)) => ended += 1,
            Some(_) => {}
            None => return 0,
        }
    }
    tokens.skip_blank();
    tokens.offset
}

/// What matters for nesting.
enum Token {
    Open,
    Close,
    Link,
    Branch,
    End,
}

/// The tokens that matter, outside texts and comments.
struct Tokens<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl Tokens<'_> {
    fn next(&mut self) -> Option<(usize, Token)> {
        loop {
            let offset = self.offset;
            let token = match self.rest {
                [] => return None,
                [b'"', ..] => self.skip_text(),
                [b'/', b'/', ..] => self.skip_while(|byte| byte != b'\n' && byte != b'\r'),
                [b'(' | b'[' | b'{', ..] => self.take(1, Some(Token::Open)),
                [b')' | b']' | b'}', ..] => self.take(1, Some(Token::Close)),
                [b';', ..] => self.take(1, Some(Token::End)),
                [byte, ..] if b"&|+-*.!<>=?/%".contains(byte) => self.take(1, Some(Token::Link)),
                [byte, ..] if is_word(*byte) => self.word(),
                _ => self.take(1, None),
            };
            if let Some(token) = token {
                return Some((offset, token));
            }
        }
    }

    fn skip_blank(&mut self) {
        loop {
            match self.rest {
                [b'/', b'/', ..] => self.skip_while(|byte| byte != b'\n' && byte != b'\r'),
                [byte, ..] if byte.is_ascii_whitespace() => self.take(1, None),
                _ => return,
            };
        }
    }

    fn take(&mut self, length: usize, token: Option<Token>) -> Option<Token> {
        self.rest = self.rest.get(length..).unwrap_or_default();
        self.offset += length;
        token
    }

    fn skip_while(&mut self, inside: impl Fn(u8) -> bool) -> Option<Token> {
        let length = self.rest.iter().take_while(|byte| inside(**byte)).count();
        self.take(length, None)
    }

    fn skip_text(&mut self) -> Option<Token> {
        self.take(1, None);
        loop {
            match self.rest {
                [] => return None,
                [b'"', ..] => return self.take(1, None),
                [b'\\', _, ..] => self.take(2, None),
                _ => self.take(1, None),
            };
        }
    }

    fn word(&mut self) -> Option<Token> {
        let length = self.rest.iter().take_while(|byte| is_word(**byte)).count();
        let word = self.rest.get(..length).unwrap_or_default();
        let token = match word {
            b"if" => Some(Token::Branch),
            b"when" | b"unless" | b"has" | b"in" | b"is" | b"like" => Some(Token::Link),
            _ => None,
        };
        self.take(length, token)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        problem(text).is_some()
    }

    #[test]
    fn brackets_are_counted_across_rules_and_links_within_one() {
        assert!(!refused(&"(".repeat(32)) && refused(&"(".repeat(33)));
        assert!(refused(&"(;".repeat(33)), "a stray semicolon closes nothing");
        assert!(!refused(&"a && b;".repeat(1_000)) && refused(&"a && b".repeat(129)));
        assert!(!refused(&"()".repeat(1_000)));
        assert!(!refused(&"if a then b else c; ".repeat(99)) && refused(&"if a then ".repeat(9)));
    }

    #[test]
    fn a_rule_begins_behind_the_semicolon_before_it() {
        let text = "// a;\n a \";\" ; // b;\n\tb;c";
        assert_eq!([0, 1, 2, 3].map(|index| rule_start(text, index)), [7, 22, 24, 0]);
    }

    #[test]
    fn texts_and_comments_do_not_count_and_end_where_cedar_ends_them() {
        let many = "(".repeat(99);
        assert!(!refused(&format!("\"{many}\"")) && !refused(&format!("// {many}\n")));
        assert!(refused(&format!("\"a\"{many}")) && refused(&format!("\"\\\\\"{many}")));
        assert!(!refused(&format!("\"\\\"{many}\"")));
        assert!(refused(&format!("// x\n{many}")) && refused(&format!("// x\r{many}")));
        assert!(refused(&format!("/ / {many}")));
    }
}
