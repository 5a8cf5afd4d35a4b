//! Messages made by hand, what one side writes and the other reads, and what nobody should send.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    ADDRESSES_MAX, ALIASES_MAX, Answers, DnsProblem, Flaw, Kind, MESSAGE_BYTES_MAX, Query, Rcode, framed, reply,
    unframed, write_query,
};
use proptest::prelude::*;

const ID: u16 = 0xbeef;
const HEADER: usize = 12;

/// A header with this number, these flags and these counts.
fn header(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    [ID, flags].into_iter().chain(counts).flat_map(u16::to_be_bytes).collect()
}

/// A name as bytes, of any labels.
fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire
}

fn question(name: &[u8], kind: u16) -> Vec<u8> {
    [name, &kind.to_be_bytes(), &[0, 1]].concat()
}

/// A question of ours with this name.
fn asks(name: &[u8]) -> Vec<u8> {
    [header(0x0100, [1, 0, 0, 0]), question(name, 1)].concat()
}

fn record(owner: &[u8], kind: u16, ttl: u32, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [owner, &kind.to_be_bytes(), &[0, 1], &ttl.to_be_bytes(), &length, content].concat()
}

const OPT: [u8; 11] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];

fn a(owner: &str, ttl: u32, last: u8) -> Vec<u8> {
    record(&wire(owner), 1, ttl, &[192, 0, 2, last])
}

fn cname(owner: &str, ttl: u32, target: &str) -> Vec<u8> {
    record(&wire(owner), 5, ttl, &wire(target))
}

fn asked() -> Query {
    Query::read(&[header(0x0100, [1, 0, 0, 1]), question(&wire("Api.Example"), 1), OPT.to_vec()].concat()).unwrap()
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

mod queries {
    use super::*;

    fn check(name: &[u8], expected: Result<Option<&str>, Flaw>) {
        let read = Query::read(&asks(name)).map(|query| query.name);
        let expected =
            expected.map(|name| name.map(str::to_owned)).map_err(|flaw| DnsProblem::Malformed { id: ID, flaw });
        assert_eq!(read, expected, "{name:?}");
    }

    fn refused(message: &[u8], flaw: Flaw) {
        assert_eq!(Query::read(message), Err(DnsProblem::Malformed { id: ID, flaw }), "{message:?}");
    }

    #[test]
    fn a_name_is_read_in_lower_case() {
        check(&wire("api.example.com"), Ok(Some("api.example.com")));
        check(&wire("API.Example.COM"), Ok(Some("api.example.com")));
        check(&wire("_dmarc.a-b"), Ok(Some("_dmarc.a-b")));
        check(&wire("com"), Ok(Some("com")));
        check(&wire("1.0.0.127.in-addr.arpa"), Ok(Some("1.0.0.127.in-addr.arpa")));
    }

    #[test]
    fn what_is_no_host_has_no_name() {
        check(&[0], Ok(None));
        check(b"\x03a.b\x00", Ok(None));
        check(b"\x03a\0b\x03com\x00", Ok(None));
        check(b"\x03a b\x03com\x00", Ok(None));
        check(b"\x03com\x03a%b\x00", Ok(None));
        check(b"\x01*\x03com\x00", Ok(None));
        check(b"\x02\xc3\xbc\x00", Ok(None));
    }

    #[test]
    fn names_and_labels_have_an_end() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(longest.len(), 253);
        check(&wire(&longest), Ok(Some(&longest)));
        check(&wire(&format!("{longest}a")), Err(Flaw::NameTooLong));
        check(&wire(&"a.".repeat(200)), Err(Flaw::NameTooLong));
        check(&[&[64], &[b'a'; 64][..], &[0]].concat(), Err(Flaw::Label));
        check(&[&[0x80], &[b'a'; 64][..], &[0]].concat(), Err(Flaw::Label));
    }

    #[test]
    fn a_question_continues_nowhere() {
        check(&[0xc0, 12], Err(Flaw::Pointer));
        check(&[0xc0, 0], Err(Flaw::Pointer));
        check(b"\x01a\xc0\x0c", Err(Flaw::Pointer));
        check(&[0xff, 0xff], Err(Flaw::Pointer));
    }

    #[test]
    fn kinds_and_flags_are_read() {
        for code in 0..300_u16 {
            let message = [header(0, [1, 0, 0, 0]), question(&wire("a"), code)].concat();
            let query = Query::read(&message).unwrap();
            assert_eq!((query.kind.code(), query.recursion_desired, query.edns), (code, false, false));
        }
        let known = [(1, Kind::A), (28, Kind::Aaaa), (12, Kind::Ptr), (65, Kind::Https), (64, Kind::Svcb)];
        assert!(known.iter().all(|(code, kind)| Kind::of(*code) == *kind));
        assert_eq!(Kind::of(255), Kind::Other(255));
        let query = asked();
        assert_eq!((query.id, query.recursion_desired, query.edns), (ID, true, true));
    }

    #[test]
    fn a_message_that_is_no_question_is_refused() {
        assert_eq!(Query::read(&[header(0x8100, [1, 0, 0, 0]), question(&wire("a"), 1)].concat()), {
            Err(DnsProblem::NotAQuestion)
        });
        let update = [header(0x2800, [1, 0, 0, 0]), question(&wire("a"), 1)].concat();
        assert_eq!(Query::read(&update), Err(DnsProblem::NotImplemented { id: ID, opcode: 5 }));
        let chaos = [header(0, [1, 0, 0, 0]), wire("version.bind"), vec![0, 16, 0, 3]].concat();
        refused(&chaos, Flaw::Class);
        assert_eq!(Query::read(&vec![0; MESSAGE_BYTES_MAX + 1]), Err(DnsProblem::TooLong));
    }

    #[test]
    fn counts_that_lie_are_refused() {
        let one = question(&wire("a"), 1);
        let with = |counts, rest: &[u8]| [header(0, counts), rest.to_vec()].concat();
        refused(&with([0, 0, 0, 0], &[]), Flaw::Counts);
        refused(&with([2, 0, 0, 0], &[one.clone(), one.clone()].concat()), Flaw::Counts);
        refused(&with([1, 1, 0, 0], &[one.clone(), a("a", 1, 1)].concat()), Flaw::Counts);
        refused(&with([1, 0, 1, 0], &[one.clone(), a("a", 1, 1)].concat()), Flaw::Counts);
        refused(&with([1, 0, 0, 0], &[one.clone(), one.clone()].concat()), Flaw::Trailing);
        refused(&with([1, 0, 0, 0], &[&one[..], &OPT].concat()), Flaw::Trailing);
        refused(&with([1, 0, 0, 1], &one), Flaw::Short);
        refused(&with([1, 0, 0, 65535], &[&one[..], &OPT].concat()), Flaw::Short);
        refused(&with([1, 0, 0, 2], &[&one[..], &OPT, &OPT].concat()), Flaw::Extensions);
        let named = [&one[..], &wire("a"), &OPT[1..]].concat();
        refused(&with([1, 0, 0, 1], &named), Flaw::Extensions);
    }

    #[test]
    fn other_records_beside_the_question_are_read_over() {
        let rest = [&question(&wire("a"), 1)[..], &a("b", 1, 1), &OPT].concat();
        assert!(Query::read(&[header(0, [1, 0, 0, 2]), rest].concat()).unwrap().edns);
        let cookie = record(&[0], 41, 0, &[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
        let rest = [question(&wire("a"), 1), cookie].concat();
        assert!(Query::read(&[header(0, [1, 0, 0, 1]), rest].concat()).unwrap().edns);
    }

    #[test]
    fn a_question_that_ends_early_still_gets_an_answer() {
        let whole = write_query(ID, "api.example.com", Kind::A).unwrap();
        for end in 0..whole.len() {
            let problem = Query::read(&whole[..end]).unwrap_err();
            let answer = problem.reply();
            if end < HEADER {
                assert_eq!((problem, answer), (DnsProblem::NoHeader, None));
            } else {
                assert_eq!(problem, DnsProblem::Malformed { id: ID, flaw: Flaw::Short });
                assert_eq!(answer, Some(vec![0xbe, 0xef, 0x80, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]));
            }
        }
    }

    #[test]
    fn a_question_is_written_as_bytes() {
        let expected = [
            &[0xbe, 0xef, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1][..],
            b"\x03api\x07example\x00\x00\x1c\x00\x01",
            b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00",
        ]
        .concat();
        assert_eq!(write_query(ID, "api.example", Kind::Aaaa), Ok(expected));
    }

    #[test]
    fn only_a_host_can_be_asked_for() {
        let long = ["a".repeat(64), "a.".repeat(126) + "aa", "a".repeat(300), "a.".repeat(40_000)];
        let odd = ["", ".", "a.", ".a", "a..b", "a b", "a\0b", "bücher", "*.a", "a%b", "a/b"];
        for name in odd.into_iter().chain(long.iter().map(String::as_str)) {
            assert_eq!(write_query(1, name, Kind::A), Err(DnsProblem::Name), "{name:?}");
        }
        assert!(write_query(1, &("a.".repeat(126) + "a"), Kind::A).is_ok());
    }
}

mod replies {
    use super::*;

    /// The header of a reply is this, the question comes back, and the rest is that.
    fn check(message: &[u8], flags: u16, counts: [u16; 4], rest: &[u8]) {
        let expected = [header(flags, counts), question(&wire("Api.Example"), 1), rest.to_vec()].concat();
        assert_eq!(message, expected);
    }

    #[test]
    fn every_reply_repeats_the_question() {
        let query = asked();
        let ours = [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 18, 0, 7][..], &OPT].concat();
        check(&reply::address(&query, Ipv4Addr::new(198, 18, 0, 7), 60), 0x8180, [1, 1, 0, 1], &ours);
        check(&reply::no_data(&query), 0x8180, [1, 0, 0, 1], &OPT);
        check(&reply::no_such_name(&query, None), 0x8183, [1, 0, 0, 1], &OPT);
        check(&reply::refused(&query), 0x8185, [1, 0, 0, 1], &OPT);
        check(&reply::failed(&query), 0x8182, [1, 0, 0, 1], &OPT);
        let explained = [&OPT[..9], &[0, 9, 0, 15, 0, 5, 0, 18, b'w', b'h', b'y']].concat();
        check(&reply::no_such_name(&query, Some("why")), 0x8183, [1, 0, 0, 1], &explained);
        assert_eq!(reply::malformed(ID), header(0x8081, [0; 4]));
        assert_eq!(reply::not_implemented(ID, 5), header(0xa884, [0; 4]));
    }

    #[test]
    fn nothing_is_explained_to_who_would_not_understand() {
        let query = Query { edns: false, recursion_desired: false, ..asked() };
        check(&reply::no_such_name(&query, Some("why")), 0x8083, [1, 0, 0, 0], &[]);
        check(&reply::no_data(&query), 0x8080, [1, 0, 0, 0], &[]);
    }

    #[test]
    fn an_address_is_only_given_to_who_asked_for_one() {
        let query = Query { kind: Kind::Aaaa, ..asked() };
        assert_eq!(reply::address(&query, Ipv4Addr::LOCALHOST, 60), reply::no_data(&query));
    }

    #[test]
    fn a_reason_is_cut_between_letters() {
        let why = format!("{}ü and more", "a".repeat(199));
        let message = reply::no_such_name(&asked(), Some(&why));
        assert!(message.ends_with(&[&[0, 201, 0, 18][..], &[b'a'; 199]].concat()), "{message:?}");
        let longest = "a.".repeat(126) + "a";
        let query = Query::read(&write_query(ID, &longest, Kind::A).unwrap()).unwrap();
        assert!(reply::no_such_name(&query, Some(&"x".repeat(100_000))).len() <= 512);
    }
}

mod answers {
    use super::*;

    fn message(flags: u16, records: &[Vec<u8>]) -> Vec<u8> {
        let count = u16::try_from(records.len()).unwrap();
        [header(flags, [1, count, 0, 0]), question(&wire("Api.Example"), 1), records.concat()].concat()
    }

    fn read(records: &[Vec<u8>]) -> Result<Answers, DnsProblem> {
        Answers::read(&message(0x8180, records), ID, "api.example", Kind::A)
    }

    fn good(records: &[Vec<u8>], aliases: &[&str], lasts: &[u8], ttl_s: u32) {
        let expected = Answers {
            rcode: Rcode::Ok,
            truncated: false,
            aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
            addresses: lasts.iter().map(|last| address(*last)).collect(),
            ttl_s,
        };
        assert_eq!(read(records), Ok(expected));
    }

    fn bad(records: &[Vec<u8>], flaw: Flaw) {
        assert_eq!(read(records), Err(DnsProblem::Malformed { id: ID, flaw }));
    }

    #[test]
    fn addresses_and_aliases_are_followed_in_any_order() {
        good(&[], &[], &[], 0);
        good(&[a("api.example", 60, 1), a("API.EXAMPLE", 30, 2)], &[], &[1, 2], 30);
        let chain = [cname("api.example", 9, "B.example"), cname("b.example", 300, "c.cdn"), a("c.cdn", 60, 3)];
        good(&chain, &["b.example", "c.cdn"], &[3], 9);
        let [first, second, third] = chain;
        good(&[third, second, first.clone()], &["b.example", "c.cdn"], &[3], 9);
        good(std::slice::from_ref(&first), &["b.example"], &[], 9);
        good(&[first.clone(), first, a("b.example", 5, 1)], &["b.example"], &[1], 5);
        good(&[a("api.example", 0xffff_ffff, 1)], &[], &[1], 0);
    }

    #[test]
    fn records_of_somebody_else_are_not_taken() {
        good(&[a("other.example", 1, 9), a("api.example", 60, 1)], &[], &[1], 60);
        good(&[a("other.example", 1, 9)], &[], &[], 0);
        good(&[a("x.api.example", 1, 9), a("example", 1, 9), a("", 1, 9)], &[], &[], 0);
        good(&[cname("other.example", 1, "other.example"), a("api.example", 60, 1)], &[], &[1], 60);
        good(&[a("api.example", 60, 1), record(&wire("api.example"), 28, 1, &[0; 16])], &[], &[1], 60);
        good(&[a("api.example", 60, 1), record(&wire("api.example"), 46, 1, &[0; 3])], &[], &[1], 60);
        good(&[record(b"\x0bapi.example\x00", 1, 1, &[1, 2, 3, 4]), a("api.example", 60, 1)], &[], &[1], 60);
        let mut chaos = a("api.example", 60, 9);
        chaos[13 + 3] = 3;
        good(&[chaos, a("api.example", 60, 1)], &[], &[1], 60);
    }

    #[test]
    fn aliases_that_lead_nowhere_are_refused() {
        bad(&[cname("api.example", 1, "api.example")], Flaw::Aliases);
        bad(&[cname("api.example", 1, "b"), cname("b", 1, "API.example")], Flaw::Aliases);
        bad(&[cname("api.example", 1, "b"), cname("b", 1, "c"), cname("c", 1, "b")], Flaw::Aliases);
        bad(&[cname("api.example", 1, "b"), cname("api.example", 1, "c")], Flaw::Aliases);
        bad(&[cname("api.example", 1, "b"), a("api.example", 1, 1), a("b", 1, 1)], Flaw::Aliases);
        bad(&[cname("api.example", 1, "")], Flaw::Aliases);
        bad(&[cname("api.example", 1, "a b.example")], Flaw::Aliases);
        let link = |n: usize| if n == 0 { "api.example".to_owned() } else { format!("n{n}") };
        let chain = |links: usize| (0..links).map(|n| cname(&link(n), 1, &link(n + 1))).collect::<Vec<_>>();
        assert_eq!(read(&chain(ALIASES_MAX)).unwrap().aliases.len(), ALIASES_MAX);
        bad(&chain(ALIASES_MAX + 1), Flaw::Aliases);
    }

    #[test]
    fn only_so_many_records_are_taken() {
        let many = |count: usize| (0..count).map(|n| a("api.example", 60, (n % 256) as u8)).collect::<Vec<_>>();
        assert_eq!(read(&many(ADDRESSES_MAX)).unwrap().addresses.len(), ADDRESSES_MAX);
        assert_eq!(read(&many(256)).unwrap().addresses.len(), ADDRESSES_MAX);
        bad(&many(257), Flaw::TooManyRecords);
    }

    #[test]
    fn names_continue_backwards_only() {
        // The question begins at 12 and has 17 bytes, so the first record begins at 29.
        let at = |target: u8| record(&[0xc0, target], 1, 60, &[192, 0, 2, 1]);
        good(&[at(12)], &[], &[1], 60);
        good(&[at(16)], &[], &[], 0);
        let alias = record(&[0xc0, 12], 5, 60, b"\x03cdn\xc0\x10");
        good(&[alias, record(b"\xc0\x29", 1, 9, &[192, 0, 2, 4])], &["cdn.example"], &[4], 9);
        bad(&[at(29)], Flaw::Pointer);
        bad(&[at(30)], Flaw::Pointer);
        bad(&[at(255)], Flaw::Pointer);
        bad(&[at(0)], Flaw::Pointer);
        bad(&[at(11)], Flaw::Pointer);
        bad(&[record(b"\x01a\xc0\x1d", 1, 60, &[192, 0, 2, 1])], Flaw::Pointer);
        bad(&[record(b"\x09aaaaaaaaa\xc0\x1d", 1, 60, &[192, 0, 2, 1])], Flaw::Pointer);
        bad(&[record(&[0xff, 0xff], 1, 60, &[192, 0, 2, 1])], Flaw::Pointer);
        bad(&[record(&[0x40, 1], 1, 60, &[192, 0, 2, 1])], Flaw::Label);
    }

    #[test]
    fn a_name_jumps_only_so_often_and_grows_only_so_long() {
        // Pointers, each to the one in front of it, hidden in a record of another kind.
        let ladder = |steps: u16, first: &[u8], step: &[u8]| {
            let start = 29 + 12;
            let mut content = first.to_vec();
            let mut before = start;
            for _ in 0..steps {
                let here = start + u16::try_from(content.len()).unwrap();
                content.extend(step);
                content.extend((0xc000 | before).to_be_bytes());
                before = here;
            }
            let top = (0xc000 | before).to_be_bytes();
            [record(&[0xc0, 12], 16, 1, &content), record(&top, 1, 60, &[192, 0, 2, 1])]
        };
        good(&ladder(63, &wire("api.example"), &[]), &[], &[1], 60);
        bad(&ladder(64, &wire("api.example"), &[]), Flaw::Pointer);
        let label = b"\x09aaaaaaaaa";
        good(&ladder(24, &[0], label), &[], &[], 0);
        bad(&ladder(26, &[0], label), Flaw::NameTooLong);
    }

    #[test]
    fn records_hold_what_their_kind_says() {
        bad(&[record(&wire("api.example"), 1, 1, &[1, 2, 3])], Flaw::Record);
        bad(&[record(&wire("api.example"), 1, 1, &[1, 2, 3, 4, 5])], Flaw::Record);
        bad(&[record(&wire("api.example"), 5, 1, b"\x01b\x00\x00")], Flaw::Record);
        let short = [record(&wire("api.example"), 5, 1, b"\x01b"), a("api.example", 1, 1)];
        assert!(read(&short).is_err());
        let v6 = [header(0x8180, [1, 1, 0, 0]), question(&wire("a"), 28), record(&wire("a"), 28, 7, &[0; 16])].concat();
        let answers = Answers::read(&v6, ID, "a", Kind::Aaaa).unwrap();
        assert_eq!((answers.addresses, answers.ttl_s), (vec!["::".parse::<IpAddr>().unwrap()], 7));
        let short =
            [header(0x8180, [1, 1, 0, 0]), question(&wire("a"), 28), record(&wire("a"), 28, 7, &[0; 4])].concat();
        assert!(Answers::read(&short, ID, "a", Kind::Aaaa).is_err());
    }

    #[test]
    fn an_answer_is_to_exactly_our_question() {
        let whole = message(0x8180, &[a("api.example", 60, 1)]);
        let check = |message: &[u8], expected| {
            assert_eq!(Answers::read(message, ID, "API.example", Kind::A).map(|_| ()), expected);
        };
        check(&whole, Ok(()));
        assert_eq!(Answers::read(&whole, ID + 1, "api.example", Kind::A), Err(DnsProblem::OtherId));
        assert_eq!(Answers::read(&whole, ID, "api.example", Kind::Aaaa), Err(DnsProblem::OtherQuestion));
        assert_eq!(Answers::read(&whole, ID, "api.exampl", Kind::A), Err(DnsProblem::OtherQuestion));
        check(&message(0x0180, &[]), Err(DnsProblem::NotAnAnswer));
        check(&message(0xa980, &[]), Err(DnsProblem::NotAnAnswer));
        check(&header(0x8181, [0; 4]), Err(DnsProblem::OtherQuestion));
        let twice = [header(0x8180, [2, 0, 0, 0]), question(&wire("api.example"), 1).repeat(2)].concat();
        check(&twice, Err(DnsProblem::OtherQuestion));
        let chaos = [header(0x8180, [1, 0, 0, 0]), wire("api.example"), vec![0, 1, 0, 3]].concat();
        check(&chaos, Err(DnsProblem::OtherQuestion));
        let pointer = [header(0x8180, [1, 0, 0, 0]), question(&[0xc0, 12], 1)].concat();
        check(&pointer, Err(DnsProblem::Malformed { id: ID, flaw: Flaw::Pointer }));
        check(&[&whole[..], &[0]].concat(), Err(DnsProblem::Malformed { id: ID, flaw: Flaw::Trailing }));
        check(&vec![0; MESSAGE_BYTES_MAX + 1], Err(DnsProblem::TooLong));
    }

    #[test]
    fn outcomes_are_told_apart() {
        let outcome = |message: &[u8]| {
            let answers = Answers::read(message, ID, "api.example", Kind::A).unwrap();
            (answers.rcode, answers.truncated, answers.addresses.len())
        };
        let records = [a("api.example", 60, 1)];
        assert_eq!(outcome(&message(0x8180, &records)), (Rcode::Ok, false, 1));
        assert_eq!(outcome(&message(0x8183, &records)), (Rcode::NoSuchName, false, 0));
        assert_eq!(outcome(&message(0x8182, &records)), (Rcode::Other(2), false, 0));
        assert_eq!(outcome(&message(0x8380, &records)), (Rcode::Ok, true, 0));
        assert_eq!(outcome(&message(0x8380, &records)[..35]), (Rcode::Ok, true, 0));
        let extended = |high: u8| {
            let mut opt = OPT;
            opt[5] = high;
            [header(0x8180, [1, 1, 0, 1]), question(&wire("api.example"), 1), records.concat(), opt.to_vec()].concat()
        };
        assert_eq!(outcome(&extended(0)), (Rcode::Ok, false, 1));
        assert_eq!(outcome(&extended(1)), (Rcode::Other(16), false, 0));
        assert_eq!(outcome(&extended(255)), (Rcode::Other(255), false, 0));
    }

    #[test]
    fn an_answer_that_ends_early_is_refused() {
        let whole = [
            header(0x8180, [1, 2, 1, 1]),
            question(&wire("api.example"), 1),
            cname("api.example", 1, "b.example"),
            a("b.example", 1, 1),
            record(&wire("example"), 2, 1, &wire("ns.example")),
            OPT.to_vec(),
        ]
        .concat();
        assert_eq!(Answers::read(&whole, ID, "api.example", Kind::A).unwrap().addresses, [address(1)]);
        for end in 0..whole.len() {
            let expected =
                if end < HEADER { DnsProblem::NoHeader } else { DnsProblem::Malformed { id: ID, flaw: Flaw::Short } };
            assert_eq!(Answers::read(&whole[..end], ID, "api.example", Kind::A), Err(expected), "{end}");
        }
        let lies = [header(0x8180, [1, 65535, 65535, 65535]), question(&wire("api.example"), 1)].concat();
        assert_eq!(Answers::read(&lies, ID, "api.example", Kind::A), {
            Err(DnsProblem::Malformed { id: ID, flaw: Flaw::Short })
        });
    }
}

#[test]
fn a_stream_carries_whole_messages() {
    let message = write_query(ID, "a.example", Kind::A).unwrap();
    let stream = framed(&message).unwrap();
    for end in 0..stream.len() {
        assert_eq!(unframed(&stream[..end]), Ok(None));
    }
    let more = [&stream[..], &stream].concat();
    assert_eq!(unframed(&more), Ok(Some((&message[..], stream.len()))));
    assert_eq!(unframed(&[0, 11]), Err(DnsProblem::NoHeader));
    assert_eq!(unframed(&[0, 12]), Ok(None));
    assert!(framed(&vec![0; MESSAGE_BYTES_MAX]).is_ok());
    assert_eq!(framed(&vec![0; MESSAGE_BYTES_MAX + 1]), Err(DnsProblem::TooLong));
}

fn any_name() -> impl Strategy<Value = String> {
    proptest::collection::vec("[a-zA-Z0-9_-]{1,20}", 1..10).prop_map(|labels| labels.join("."))
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::A), Just(Kind::Aaaa), any::<u16>().prop_map(Kind::of)]
}

proptest! {
    #[test]
    fn no_bytes_bring_the_readers_down(bytes: Vec<u8>, flags: u16, counts in any::<[u8; 4]>()) {
        let near = [header(flags & 0x83ff, counts.map(|count| u16::from(count % 3))), bytes.clone()].concat();
        let behind = [header(0x8180, [1, 2, 0, 0]), question(&wire("a"), 1), bytes.clone()].concat();
        for message in [&bytes, &near, &behind] {
            let _ = Query::read(message).map_err(DnsProblem::reply);
            let _ = Answers::read(message, ID, "a", Kind::A);
            let _ = unframed(message);
        }
    }

    #[test]
    fn a_question_comes_back_as_it_went(id: u16, name in any_name(), kind in any_kind()) {
        let query = Query::read(&write_query(id, &name, kind).unwrap()).unwrap();
        prop_assert_eq!(query.name, Some(name.to_ascii_lowercase()));
        prop_assert_eq!((query.id, query.kind, query.recursion_desired, query.edns), (id, kind, true, true));
    }

    #[test]
    fn an_answer_comes_back_as_it_went(id: u16, name in any_name(), bits: u32, ttl_s in 0..u32::MAX >> 1, why: String) {
        let query = Query::read(&write_query(id, &name, Kind::A).unwrap()).unwrap();
        let given = Ipv4Addr::from_bits(bits);
        let read = |message: &[u8]| Answers::read(message, id, &name, Kind::A).unwrap();
        let answers = read(&reply::address(&query, given, ttl_s));
        prop_assert_eq!((answers.addresses, answers.ttl_s), (vec![IpAddr::V4(given)], ttl_s));
        prop_assert_eq!(read(&reply::no_such_name(&query, Some(&why))).rcode, Rcode::NoSuchName);
        prop_assert_eq!(read(&reply::no_data(&query)).rcode, Rcode::Ok);
        prop_assert_eq!(read(&reply::refused(&query)).rcode, Rcode::Other(5));
        prop_assert_eq!(read(&reply::failed(&query)).rcode, Rcode::Other(2));
    }

    #[test]
    fn a_spoilt_answer_never_names_another_owner(place in 29_usize..80, value: u8) {
        let mut message = [
            header(0x8180, [1, 2, 0, 0]),
            question(&wire("api.example"), 1),
            cname("api.example", 60, "b.example"),
            a("b.example", 60, 1),
        ]
        .concat();
        prop_assume!(place < message.len());
        message[place] = value;
        if let Ok(answers) = Answers::read(&message, ID, "api.example", Kind::A) {
            prop_assert!(answers.addresses.is_empty() || answers.addresses.len() == 1);
            prop_assert!(answers.addresses.is_empty() || !answers.aliases.is_empty());
        }
    }
}
