//! Agents that use up what there is a number of: blocks, inodes, descriptors. They leave what they took.

use super::FAILED;
use crate::errno::Errno;
use crate::say;
use serde_json::json;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// One mebibyte.
const BLOCK: usize = 1 << 20;
/// How many blocks go into one file, so that no limit on the size of a file is what ends it.
const BLOCKS_PER_FILE: usize = 64;

/// Blocks until none is left, to the last byte.
pub fn disk(directory: &str) -> u8 {
    let block = vec![0x5a; BLOCK];
    let mut bytes = 0_u64;
    for number in 0_u64.. {
        let filled = fill(&Path::new(directory).join(format!("fill-{number}")), &block, &mut bytes);
        if let Err(errno) = filled {
            say(&json!({"error": errno.to_string(), "bytes": bytes}).to_string());
            return 0;
        }
    }
    FAILED
}

/// Counts what was written before the error too.
fn fill(path: &Path, block: &[u8], bytes: &mut u64) -> Result<(), Errno> {
    let mut file = File::create(path)?;
    for _ in 0..BLOCKS_PER_FILE {
        let mut rest = block;
        while !rest.is_empty() {
            let written = file.write(rest)?;
            *bytes += written as u64;
            rest = rest.get(written..).unwrap_or_default();
        }
    }
    Ok(())
}

pub fn inodes(directory: &str) -> u8 {
    for number in 0_u64.. {
        if let Err(error) = File::create(Path::new(directory).join(format!("empty-{number}"))) {
            let errno = Errno::from(error);
            say(&json!({"error": errno.to_string(), "files": number}).to_string());
            return 0;
        }
    }
    FAILED
}

pub fn descriptors() -> u8 {
    let mut open = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => open.push(file),
            Err(error) => {
                let errno = Errno::from(error);
                say(&json!({"error": errno.to_string(), "count": open.len()}).to_string());
                return 0;
            }
        }
    }
}
