//! Chunks: what they carry, what they may not be, and that pieces do not matter.

use super::*;
use proptest::prelude::*;

/// The data and the rest, when all of the input is given at once.
fn decode(input: &[u8]) -> Result<(Vec<u8>, bool, Vec<u8>), HttpProblem> {
    decode_in_pieces(&mut ChunkedDecoder::new(), &[input])
}

fn decode_in_pieces(decoder: &mut ChunkedDecoder, pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, Vec<u8>), HttpProblem> {
    let (mut data, mut rest) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut left = *piece;
        while !left.is_empty() && !decoder.is_ended() {
            let decoded = decoder.decode(left)?;
            assert!(decoded.consumed > 0, "the decoder stands still");
            assert!(decoded.data.end <= decoded.consumed);
            data.extend_from_slice(&left[decoded.data]);
            left = &left[decoded.consumed..];
        }
        rest.extend_from_slice(left);
    }
    Ok((data, decoder.is_ended(), rest))
}

fn check(input: &[u8], expected: Result<&str, HttpProblem>) {
    let found = decode(input).map(|(data, ended, _)| {
        assert!(ended, "{input:?} has not ended");
        String::from_utf8(data).unwrap()
    });
    assert_eq!(found, expected.map(str::to_owned), "{:?}", String::from_utf8_lossy(input));
}

#[test]
fn chunks_carry_their_data() {
    check(b"0\r\n\r\n", Ok(""));
    check(b"000\r\n\r\n", Ok(""));
    check(b"3\r\nabc\r\n0\r\n\r\n", Ok("abc"));
    check(b"0000000000000003\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", Ok("abc0123456789"));
    check(b"3;a=\"b\"\r\nabc\r\n0;x\r\n\r\n", Ok("abc"));
    check(b"3\r\n\r\n\n\r\n0\r\n\r\n", Ok("\r\n\n"));
    check(b"0\r\nx-sum: 1\r\ny:\r\n\r\n", Ok(""));
    assert_eq!(decode(b"1\r\na\r\n0\r\n\r\nGET /"), Ok((b"a".to_vec(), true, b"GET /".to_vec())));
    assert_eq!(decode(b"3\r\nab"), Ok((b"ab".to_vec(), false, Vec::new())));
    assert_eq!(decode(b"ffffffffffffffff\r\nab"), Ok((b"ab".to_vec(), false, Vec::new())));
}

#[test]
fn a_size_is_plain_digits() {
    let sizes: [&[u8]; 12] = [
        b"\r\n",
        b" 3\r\n",
        b"3 \r\n",
        b"+3\r\n",
        b"-3\r\n",
        b"0x3\r\n",
        b"g\r\n",
        b";a\r\n",
        b"3\n",
        b"0\n\r\n",
        b"00000000000000003\r\n",
        b"3 ;a\r\n",
    ];
    for size in sizes {
        check(size, Err(HttpProblem::BadChunkSize));
    }
    check(b"3\ra", Err(HttpProblem::BareCarriageReturn));
    check(b"fffffffffffffffff\r\n", Err(HttpProblem::BadChunkSize));
}

#[test]
fn a_chunk_ends_where_it_says() {
    for input in [b"3\r\nabcd\r\n", b"3\r\nabc\n0\r", b"3\r\nabc\rx\r"] {
        check(input, Err(HttpProblem::BadChunkEnd));
    }
}

#[test]
fn extensions_are_bounded() {
    let extended = |length: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "e".repeat(length));
    check(extended(256).as_bytes(), Ok("a"));
    check(extended(257).as_bytes(), Err(HttpProblem::BadChunkExtension));
    check(b"1;a\nb", Err(HttpProblem::BadChunkExtension));
    check(b"1;a\0", Err(HttpProblem::BadChunkExtension));
    check(b"1;a\rb", Err(HttpProblem::BareCarriageReturn));
}

#[test]
fn trailers_are_bounded_and_of_the_same_grammar() {
    let long = format!("0\r\nx: {}", "a".repeat(8 * 1024));
    check(long.as_bytes(), Err(HttpProblem::HeadTooLong(8 * 1024)));
    let many = format!("0\r\n{}\r\n", "x:\r\n".repeat(129));
    check(many.as_bytes(), Err(HttpProblem::TooManyHeaders(128)));
    check(b"0\r\nx: 1\n\r\n", Err(HttpProblem::BareLineFeed));
    check(b"0\r\nx : 1\r\n\r\n", Err(HttpProblem::BadHeaderName));
    check(b"0\r\nx: 1\r\n y\r\n\r\n", Err(HttpProblem::FoldedHeader));
    check(b"0\r\nGET / HTTP\r\n\r\n", Err(HttpProblem::HeaderWithoutColon));
    check(b"0\r\n\n", Err(HttpProblem::BareLineFeed));
    check(b"0\r\n\rx", Err(HttpProblem::BareCarriageReturn));
}

#[test]
fn a_refused_body_stays_refused() {
    let mut decoder = ChunkedDecoder::new();
    for _ in 0..2 {
        assert_eq!(decoder.decode(b"x"), Err(HttpProblem::BadChunkSize));
    }
    assert_eq!(decoder.decode(b"0\r\n\r\n"), Err(HttpProblem::BadChunkSize));
    assert!(!decoder.is_ended());
}

#[test]
fn a_size_is_written_without_leading_zeros() {
    let write = |length: u64| encode_chunk_header(NonZeroU64::new(length).unwrap()).as_bytes().to_vec();
    for length in [1, 9, 15, 16, 255, 0x1_0000, u64::MAX] {
        assert_eq!(write(length), format!("{length:x}\r\n").into_bytes());
    }
}

fn split<'a>(input: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    places.extend([0, input.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_in_any_pieces(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
        cuts: Vec<prop::sample::Index>,
    ) {
        let mut written = Vec::new();
        for chunk in &chunks {
            written.extend_from_slice(encode_chunk_header(NonZeroU64::new(chunk.len() as u64).unwrap()).as_bytes());
            written.extend_from_slice(chunk);
            written.extend_from_slice(CHUNK_END);
        }
        written.extend_from_slice(LAST_CHUNK);
        written.extend_from_slice(b"rest");
        let read = decode_in_pieces(&mut ChunkedDecoder::new(), &split(&written, &cuts));
        prop_assert_eq!(read, Ok((chunks.concat(), true, b"rest".to_vec())));
    }

    #[test]
    fn pieces_do_not_matter(input in "([0-3a;x: ]|\r\n|0\r\n|1\r\na\r\n|\n){0,16}", cuts: Vec<prop::sample::Index>) {
        let pieces = split(input.as_bytes(), &cuts);
        prop_assert_eq!(decode_in_pieces(&mut ChunkedDecoder::new(), &pieces), decode(input.as_bytes()));
    }

    #[test]
    fn no_bytes_bring_the_decoder_down(input: Vec<u8>) {
        let _ = decode(&input);
    }
}
