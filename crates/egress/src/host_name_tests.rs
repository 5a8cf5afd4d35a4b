//! The list of attacks on names, and the properties that hold for all texts.

use super::*;
use proptest::prelude::*;

fn check(text: &str, expected: Result<&str, HostProblem>) {
    assert_eq!(HostName::read(text).as_ref().map(HostName::as_str).map_err(|problem| *problem), expected, "{text:?}");
}

fn address(text: &str) -> HostProblem {
    HostProblem::Address(Some(text.parse().unwrap()))
}

#[test]
fn a_name_is_read_in_one_way() {
    check("github.com", Ok("github.com"));
    check("evilgithub.com", Ok("evilgithub.com"));
    check("github.com.evil.io", Ok("github.com.evil.io"));
    check("github.com-evil.io", Ok("github.com-evil.io"));
    check("com", Ok("com"));
    check("localhost", Ok("localhost"));
    check("GitHub.COM", Ok("github.com"));
    check("github.com.", Ok("github.com"));
    check("xn--bcher-kva.example", Ok("xn--bcher-kva.example"));
    check("XN--BCHER-KVA.example", Ok("xn--bcher-kva.example"));
    check("_dmarc.a_b.example", Ok("_dmarc.a_b.example"));
    check("1.example", Ok("1.example"));
    check("127.0.0.1.example", Ok("127.0.0.1.example"));
    check("0x7f.example", Ok("0x7f.example"));
    check("3com", Ok("3com"));
    check("a.0xg", Ok("a.0xg"));
    check("a--b.example", Ok("a--b.example"));
}

#[test]
fn dots_and_hyphens_stand_where_they_may() {
    check("", Err(HostProblem::Empty));
    check(".", Err(HostProblem::Empty));
    check("..", Err(HostProblem::EmptyLabel));
    check("github.com..", Err(HostProblem::EmptyLabel));
    check(".github.com", Err(HostProblem::EmptyLabel));
    check("github..com", Err(HostProblem::EmptyLabel));
    check("-a.example", Err(HostProblem::Hyphen));
    check("a-.example", Err(HostProblem::Hyphen));
    check("a.-", Err(HostProblem::Hyphen));
}

#[test]
fn what_is_not_ascii_is_refused() {
    check("bücher.example", Err(HostProblem::NotAscii));
    check("ｇithub.com", Err(HostProblem::NotAscii));
    check("github。com", Err(HostProblem::NotAscii));
    check("gıthub.com", Err(HostProblem::NotAscii));
    check("\u{200b}github.com", Err(HostProblem::NotAscii));
    check("１２７.0.0.1", Err(HostProblem::NotAscii));
    check("①27.0.0.1", Err(HostProblem::NotAscii));
    check("\u{212a}.example", Err(HostProblem::NotAscii));
}

#[test]
fn what_another_reader_could_cut_at_is_refused() {
    check("github.com\0.evil.io", Err(HostProblem::Character('\0')));
    check("github.com%00.evil.io", Err(HostProblem::Character('%')));
    check("github%2ecom", Err(HostProblem::Character('%')));
    check(" github.com", Err(HostProblem::Character(' ')));
    check("github.com ", Err(HostProblem::Character(' ')));
    check("github.com\t", Err(HostProblem::Character('\t')));
    check("github.com\r\n", Err(HostProblem::Character('\r')));
    check("a@b", Err(HostProblem::Character('@')));
    check("a:1", Err(HostProblem::Character(':')));
    check("127.0.0.1:80", Err(HostProblem::Character(':')));
    check("a/b", Err(HostProblem::Character('/')));
    check("a\\b", Err(HostProblem::Character('\\')));
    check("a?b", Err(HostProblem::Character('?')));
    check("a#b", Err(HostProblem::Character('#')));
    check("*.example", Err(HostProblem::Character('*')));
    check("a,b", Err(HostProblem::Character(',')));
    check("[::1", Err(HostProblem::Character('[')));
    check("[a]", Err(HostProblem::Character('[')));
    check("a\x7f", Err(HostProblem::Character('\x7f')));
}

#[test]
fn an_address_is_not_a_name_in_any_spelling() {
    check("127.0.0.1", Err(address("127.0.0.1")));
    check("127.0.0.1.", Err(address("127.0.0.1")));
    check("127.1", Err(address("127.0.0.1")));
    check("0", Err(address("0.0.0.0")));
    check("2130706433", Err(address("127.0.0.1")));
    check("0177.0.0.1", Err(address("127.0.0.1")));
    check("0x7f.1", Err(address("127.0.0.1")));
    check("0x7f000001", Err(address("127.0.0.1")));
    check("::1", Err(address("::1")));
    check("[::1]", Err(address("::1")));
    check("[::ffff:169.254.169.254]", Err(address("::ffff:169.254.169.254")));
    check("[fe80::1%25eth0]", Err(address("fe80::1")));
    check("4294967296", Err(HostProblem::Address(None)));
    check("256.256.256.256", Err(HostProblem::Address(None)));
    check("08.0.0.1", Err(HostProblem::Address(None)));
    check("1.2.3.4.5", Err(HostProblem::Address(None)));
    check("example.1", Err(HostProblem::Address(None)));
    check("example.0x1F", Err(HostProblem::Address(None)));
    check("example.0X", Err(HostProblem::Address(None)));
    check("example.09.", Err(HostProblem::Address(None)));
}

#[test]
fn a_name_and_its_labels_have_an_end() {
    let label = "a".repeat(63);
    check(&label, Ok(&label));
    check(&format!("{label}a.example"), Err(HostProblem::LabelTooLong));
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(longest.len(), 253);
    check(&longest, Ok(&longest));
    check(&format!("{longest}."), Ok(&longest));
    check(&format!("{longest}a"), Err(HostProblem::TooLong));
    check(&format!("{longest}a."), Err(HostProblem::TooLong));
    check(&"é".repeat(10_000), Err(HostProblem::TooLong));
}

#[test]
fn a_problem_shows_no_control_characters() {
    assert_eq!(HostProblem::Character('\0').to_string(), "a host holds the character `\\u{0}`");
    assert_eq!(HostProblem::Character('\n').to_string(), "a host holds the character `\\n`");
}

proptest! {
    #[test]
    fn a_name_that_was_read_reads_as_itself(text in "\\PC{0,12}|[a-zA-Z0-9._-]{1,30}") {
        if let Ok(name) = HostName::read(&text) {
            prop_assert_eq!(HostName::read(name.as_str()), Ok(name.clone()));
            prop_assert_eq!(name.to_string().parse(), Ok(name.clone()));
            prop_assert_eq!(literal(name.as_str()), None);
            prop_assert!(name.as_str().bytes().all(|byte| b"abcdefghijklmnopqrstuvwxyz0123456789-_.".contains(&byte)));
            prop_assert_eq!(text.trim_end_matches('.').to_ascii_lowercase(), name.as_str());
        }
    }

    #[test]
    fn an_ordinary_name_is_read(name in "[a-z0-9]{1,9}(-[a-z0-9]{1,9})?\\.[a-z]{2,9}") {
        let read = HostName::read(&name.to_ascii_uppercase()).map(|read| read.to_string());
        prop_assert_eq!(read, Ok(name));
    }
}
