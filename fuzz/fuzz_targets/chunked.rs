//! Bodies in chunks: the same bytes in other pieces are the same body.
#![no_main]

use aegis_egress::http::ChunkedDecoder;
use libfuzzer_sys::fuzz_target;

fn decoded<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> Option<(Vec<u8>, bool)> {
    let (mut decoder, mut data) = (ChunkedDecoder::new(), Vec::new());
    for mut piece in pieces {
        while !piece.is_empty() && !decoder.is_ended() {
            let step = decoder.decode(piece).ok()?;
            data.extend_from_slice(&piece[step.data.clone()]);
            piece = &piece[step.consumed..];
        }
    }
    Some((data, decoder.is_ended()))
}

fuzz_target!(|bytes: &[u8]| {
    let whole = decoded(std::iter::once(bytes));
    assert_eq!(whole, decoded(bytes.chunks(1)));
    assert_eq!(whole, decoded(bytes.chunks(7)));
});
