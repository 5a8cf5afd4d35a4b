//! Files that a person names: read with a bound, `-` for stdin. Must not know: what is in them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::context::Context;
use crate::failure::Failure;

/// Reads a file of at most `limit_bytes`, or stdin when it is called `-`.
pub(crate) fn read(context: &mut Context, path: &Path, limit_bytes: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        (&mut context.terminal.answers).take(limit_bytes + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit_bytes + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::unreadable(path, &error))?;
    if bytes.len() as u64 > limit_bytes {
        let message = format!("`{}` is larger than {limit_bytes} bytes", path.display());
        return Err(Failure::usage(message, "name another file"));
    }
    Ok(bytes)
}
