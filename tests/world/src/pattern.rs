//! The bytes that services send when only their number matters. Must not know: who sends them.

use std::io::{self, Write};

const ALPHABET: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";
/// A whole number of alphabets, so that block after block continues the pattern.
const BLOCK_LENGTH: usize = 26 * 2_500;

/// The first `length` bytes of the alphabet repeated: what `/bytes/N`, `/chunked/N` and
/// [`crate::World::source`] send.
pub fn pattern(length: usize) -> Vec<u8> {
    ALPHABET.iter().copied().cycle().take(length).collect()
}

/// Writes the first `length` bytes of the pattern, block by block.
pub(crate) fn write_pattern(out: &mut impl Write, length: u64) -> io::Result<()> {
    let block = pattern(block_length(length));
    let mut left = length;
    while left > 0 {
        let piece = &block[..block_length(left)];
        out.write_all(piece)?;
        left -= piece.len() as u64;
    }
    Ok(())
}

fn block_length(length: u64) -> usize {
    usize::try_from(length).map_or(BLOCK_LENGTH, |length| length.min(BLOCK_LENGTH))
}
