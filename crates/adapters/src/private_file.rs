//! Files for their owner only, written whole or not at all, durably. Must not know: what is
//! in them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const MODE: u32 = 0o600;

/// Puts `bytes` there, instead of what was there before. At every moment, also across a crash,
/// the file is what it was or what it is to be; what a crash leaves aside is written over the
/// next time. Whoever writes has the directory to himself.
///
/// # Errors
/// When it could not be written; if only the last step failed, the file may be new already,
/// and not durable yet.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_file_is_replaced_whole_and_private_whatever_a_crash_left_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.key");
        for (round, left) in [None, Some(&b""[..]), Some(b"half of a l"), Some(b"a whole other one")].iter().enumerate()
        {
            if let Some(left) = left {
                fs::write(path.with_extension("new"), left).unwrap();
            }
            write(&path, format!("round {round}").as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("round {round}"));
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_cannot_be_written_leaves_the_file_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.key");
        write(&path, b"before").unwrap();
        fs::create_dir(path.with_extension("new")).unwrap();
        assert!(write(&path, b"after").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"before");
    }
}
