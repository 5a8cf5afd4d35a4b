//! Agents that take or give without end: memory, output.

use super::FAILED;
use crate::sys::{self, call};

/// One mebibyte.
const CHUNK: usize = 1 << 20;

/// Every page is written to; when no more is given, what was taken is kept.
pub fn memory_hog() -> u8 {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut chunk: Vec<u8> = Vec::new();
        if chunk.try_reserve_exact(CHUNK).is_err() || taken.try_reserve(1).is_err() {
            sys::sleep_forever();
        }
        chunk.resize(CHUNK, 0x5a);
        taken.push(std::hint::black_box(chunk));
    }
}

/// One line, 64 bytes long.
const LINE: &[u8; 64] = b"the quick brown fox jumps over the lazy dog, and again and more\n";

fn lines() -> Vec<u8> {
    LINE.repeat(256)
}

/// To both streams, until neither takes any more.
pub fn log_flood() -> u8 {
    let lines = lines();
    while write(1, &lines) | write(2, &lines) {}
    FAILED
}

pub fn print_forever() -> u8 {
    let lines = lines();
    while write(1, &lines) {}
    FAILED
}

fn write(stream: i32, bytes: &[u8]) -> bool {
    call!(SYS_write, stream, bytes, bytes.len()).is_ok()
}
