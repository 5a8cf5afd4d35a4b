//! What holds for every request and response: a structure survives being written, pieces do
//! not matter, and nothing brings a reader down.

use proptest::prelude::*;

use super::{
    BodyFraming, BodyReader, HeadScanner, HttpProblem, Limits, RequestHead, RequestKind, ResponseHead, Target,
    parse_request, parse_response, write_request, write_response,
};

type Found<T> = Result<Option<(T, usize)>, HttpProblem>;

fn request(input: &[u8]) -> Found<RequestHead> {
    parse_request(input, &Limits::default(), &mut HeadScanner::new())
}

fn response(input: &[u8]) -> Found<ResponseHead> {
    parse_response(input, &Limits::default(), &RequestKind::default(), &mut HeadScanner::new())
}

/// Gives ever longer pieces of the input, until something is found.
fn in_pieces<T>(input: &[u8], cuts: &[prop::sample::Index], mut parse: impl FnMut(&[u8]) -> Found<T>) -> Found<T> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    ends.push(input.len());
    ends.sort_unstable();
    for end in ends {
        let found = parse(&input[..end])?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn blank() -> impl Strategy<Value = String> {
    "[ \t]{0,3}"
}

/// Lines of headers that may stand in any request.
fn any_header() -> impl Strategy<Value = String> {
    prop_oneof![
        ("[xX]-[a-zA-Z0-9!#$%&'*+.^_`|~-]{0,8}", blank(), "([!-~\u{e9}]([ -~\t]{0,12}[!-~])?)?", blank())
            .prop_map(|(name, before, value, after)| format!("{name}:{before}{value}{after}\r\n")),
        prop::sample::select(vec![
            "Connection: keep-alive\r\n",
            "connection:close , ,X-A\r\n",
            "Upgrade: h2c\r\n",
            "TE: trailers\r\n",
            "Proxy-Authorization: x\r\n",
            "Cookie: a=b\r\n",
            "cookie: c=d\r\n",
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_framing() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("transfer-ENCODING: \tChunked \r\n".to_owned()),
        "[0-9]{1,19}".prop_map(|length| format!("Content-Length:{length}\r\n")),
    ]
}

fn any_request() -> impl Strategy<Value = String> {
    let target = prop_oneof!["(/|%[2-7][0-9a-eA-E]|[a-z.;,=:@~-]){0,12}(\\?[!$-~]{0,8})?"];
    let parts =
        (prop::bool::ANY, "[A-Z]{1,8}|[a-z]{12}", prop::bool::ANY, target, prop::sample::select(vec!["", ":81"]));
    let headers = (prop::collection::vec(any_header(), 0..6), any_framing(), prop::bool::ANY, prop::bool::ANY);
    (parts, headers).prop_map(|((empty_line, method, absolute, target, port), (headers, framing, host_last, old))| {
        let version = if old && !framing.to_ascii_lowercase().starts_with('t') { "HTTP/1.0" } else { "HTTP/1.1" };
        let prefix = if absolute { format!("hTTp://H.example{port}") } else { String::new() };
        let host = format!("HOST: h.Example{port}\r\n");
        let (before, after) = if host_last { ("", host.as_str()) } else { (host.as_str(), "") };
        let empty_line = if empty_line { "\r\n" } else { "" };
        let headers = headers.concat();
        format!("{empty_line}{method} {prefix}/{target} {version}\r\n{before}{headers}{framing}{after}\r\n")
    })
}

/// What a request is to the one who judges it. Its version, the form of its target and its
/// connection are the agent's affair.
fn judged(head: &RequestHead) -> impl PartialEq + std::fmt::Debug + use<> {
    let host = head.authority.host.to_ascii_lowercase();
    let port = head.authority.port.unwrap_or(80);
    (head.method.clone(), head.target.path().cloned(), host, port, head.headers.clone(), head.framing)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn what_is_judged_is_what_is_sent(input in any_request()) {
        let head = match request(input.as_bytes()) {
            Ok(found) => found.unwrap().0,
            Err(HttpProblem::AboveRoot | HttpProblem::BadEscape | HttpProblem::EscapedControl | HttpProblem::DisguisedDotSegment | HttpProblem::BadMethod) => return Ok(()),
            Err(problem) => panic!("{problem}: {input:?}"),
        };
        let host = head.authority.host.clone();
        let written = write_request(&head, &host, head.authority.port.unwrap_or(80), true).unwrap();
        let (again, consumed) = request(&written).unwrap().unwrap();
        prop_assert_eq!(consumed, written.len());
        prop_assert_eq!(judged(&again), judged(&head));
        prop_assert_eq!(write_request(&again, &host, again.authority.port.unwrap_or(80), true), Ok(written));
    }

    #[test]
    fn a_request_is_the_same_in_any_pieces(input in any_request(), cuts: Vec<prop::sample::Index>, damage: Option<(prop::sample::Index, u8)>) {
        let mut input = format!("{input}GET / HTTP").into_bytes();
        if let Some((place, byte)) = damage {
            let place = place.index(input.len());
            input[place] = byte;
        }
        let mut scanner = HeadScanner::new();
        let found = in_pieces(&input, &cuts, |piece| parse_request(piece, &Limits::default(), &mut scanner));
        prop_assert_eq!(found, request(&input));
    }

    #[test]
    fn a_small_limit_is_the_same_in_any_pieces(input in any_request(), cuts: Vec<prop::sample::Index>, head in 0_usize..120, headers in 0_usize..5) {
        let limits = Limits { head_bytes_max: head, headers_max: headers, target_bytes_max: 8 };
        let mut scanner = HeadScanner::new();
        let found = in_pieces(input.as_bytes(), &cuts, |piece| parse_request(piece, &limits, &mut scanner));
        prop_assert_eq!(&found, &parse_request(input.as_bytes(), &limits, &mut HeadScanner::new()));
        if let Ok(found) = found {
            prop_assert!(found.unwrap().1 <= head);
        }
    }

    #[test]
    fn a_response_is_the_same_in_any_pieces_and_when_written(
        status in 100_u16..600, headers in prop::collection::vec(any_header(), 0..6), framing in any_framing(), cuts: Vec<prop::sample::Index>,
    ) {
        let input = format!("HTTP/1.1 {status} some reason\r\n{}{framing}\r\nrest", headers.concat());
        let mut scanner = HeadScanner::new();
        let found = in_pieces(input.as_bytes(), &cuts, |piece| {
            parse_response(piece, &Limits::default(), &RequestKind::default(), &mut scanner)
        });
        prop_assert_eq!(&found, &response(input.as_bytes()));
        if let Ok(found) = found {
            let head = found.unwrap().0;
            let written = write_response(&head, head.keep_alive, head.framing);
            let again = response(&written).unwrap().unwrap().0;
            // Neither an interim response nor a WebSocket says that the connection closes.
            let goes_on = head.is_interim() || head.upgrades_to_websocket && head.is_switching();
            prop_assert_eq!(again, ResponseHead { keep_alive: head.keep_alive || goes_on, ..head });
        }
    }

    #[test]
    fn no_bytes_bring_a_reader_down(input: Vec<u8>, text in "[ -~\r\n\t]{0,64}", length: u64) {
        for bytes in [input.as_slice(), text.as_bytes()] {
            let _ = request(bytes);
            let _ = response(bytes);
            let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n\r\n", String::from_utf8_lossy(bytes));
            let _ = request(head.as_bytes());
            let _ = Target::parse(bytes, "CONNECT");
            let _ = Target::parse(bytes, "GET");
            for framing in [BodyFraming::None, BodyFraming::Length(length), BodyFraming::Chunked] {
                let decoded = BodyReader::from(framing).decode(bytes);
                prop_assert!(decoded.is_err() || decoded.is_ok_and(|decoded| decoded.consumed <= bytes.len()));
            }
        }
    }
}
