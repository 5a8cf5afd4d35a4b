//! Judges a bundle (`tar.zst`) before anything of it is kept: reads it to its end in a stream,
//! writes nothing, and refuses whatever could reach outside its directory, hide something
//! from a second reader, or use up the machine. The rules are stricter than what `tar` takes,
//! so that every unpacker sees the same files.
//! Must not know: where bundles come from and where they are kept.

mod archive;
mod layout;
mod meter;
mod path;

#[cfg(test)]
mod tests;

use std::io::Read;

use aegis_model::{Code, Fault};
use ruzstd::decoding::StreamingDecoder;

pub use path::EntryProblem;

use meter::Meter;

/// How large a bundle may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleLimits {
    /// Bytes as they were sent.
    pub bundle_bytes_max: u64,
    /// Bytes when unpacked, headers included.
    pub unpacked_bytes_max: u64,
    /// Files, directories and links together.
    pub entries_max: u64,
    /// How many times larger than sent a bundle may unpack; judged beyond [`RATIO_FREE_BYTES`].
    pub ratio_max: u64,
    /// Memory that a decompressor needs; levels up to 19 need 8 MiB.
    pub window_bytes_max: u64,
}

/// So much may any bundle unpack to, whatever its ratio.
pub const RATIO_FREE_BYTES: u64 = 16 * 1024 * 1024;

impl Default for BundleLimits {
    fn default() -> Self {
        Self {
            bundle_bytes_max: 128 * 1024 * 1024,
            unpacked_bytes_max: 1024 * 1024 * 1024,
            entries_max: 20_000,
            ratio_max: 200,
            window_bytes_max: 8 * 1024 * 1024,
        }
    }
}

/// What a bundle holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleReport {
    /// Bytes when unpacked, headers included.
    pub unpacked_bytes: u64,
    /// Files and links, without directories.
    pub files: u64,
}

/// Why a bundle is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// More was sent than may be.
    #[error("the bundle has {size_bytes} bytes, more than {max_bytes}")]
    TooLarge {
        /// What was sent.
        size_bytes: u64,
        /// What may be.
        max_bytes: u64,
    },
    /// It unpacks to more than it may.
    #[error("the bundle unpacks to more than {max_bytes} bytes")]
    UnpacksTooLarge {
        /// What it may.
        max_bytes: u64,
    },
    /// It unpacks to far more than was sent.
    #[error("the bundle unpacks to more than {ratio_max} times its size")]
    RatioTooLarge {
        /// What it may.
        ratio_max: u64,
    },
    /// It needs too much memory to be unpacked.
    #[error(
        "the bundle needs {window_bytes} bytes of memory to be unpacked, more than {max_bytes}; compress it at level 19 or below"
    )]
    WindowTooLarge {
        /// What it needs.
        window_bytes: u64,
        /// What it may.
        max_bytes: u64,
    },
    /// It has too many entries.
    #[error("the bundle has more than {entries_max} entries")]
    TooManyEntries {
        /// How many it may have.
        entries_max: u64,
    },
    /// It holds nothing.
    #[error("the bundle holds no file")]
    Empty,
    /// It is not a `tar.zst`, or a part of one is missing or changed.
    #[error("the bundle is damaged: {reason}")]
    Damaged {
        /// What was found.
        reason: String,
    },
    /// One of its entries is not acceptable.
    #[error("the entry `{name}` of the bundle {problem}")]
    Entry {
        /// Its name, escaped.
        name: String,
        /// What is wrong with it.
        problem: EntryProblem,
    },
}

impl BundleError {
    fn damaged(reason: impl ToString) -> Self {
        let reason: String = reason.to_string().chars().take(200).flat_map(char::escape_debug).collect();
        Self::Damaged { reason }
    }

    fn entry(name: &[u8], problem: EntryProblem) -> Self {
        Self::Entry { name: path::shown(name), problem }
    }
}

impl From<BundleError> for Fault {
    fn from(error: BundleError) -> Self {
        let fault = Fault::new(Code::BundleInvalid, error.to_string()).at("/bundle");
        match error {
            BundleError::Entry { name, .. } => fault.with("entry", name),
            _ => fault,
        }
    }
}

/// Judges a bundle as it was sent.
///
/// # Errors
/// When the bundle is damaged, hostile or too large; the first thing found is named.
pub fn inspect(bytes: &[u8], limits: &BundleLimits) -> Result<BundleReport, BundleError> {
    let size_bytes = bytes.len() as u64;
    if size_bytes > limits.bundle_bytes_max {
        return Err(BundleError::TooLarge { size_bytes, max_bytes: limits.bundle_bytes_max });
    }
    let mut decoder =
        StreamingDecoder::new_with_max_window_size(bytes, limits.window_bytes_max).map_err(frame_error)?;
    let by_ratio = size_bytes.saturating_mul(limits.ratio_max).max(RATIO_FREE_BYTES);
    let bound = if by_ratio < limits.unpacked_bytes_max {
        meter::Bound { bytes_max: by_ratio, error: BundleError::RatioTooLarge { ratio_max: limits.ratio_max } }
    } else {
        unpacked_bound(limits)
    };
    let report = archive::judge(Meter::new(&mut decoder, bound), limits.entries_max)?;
    if !decoder.get_ref().is_empty() {
        return Err(BundleError::damaged("there is data after the end of the compressed stream"));
    }
    let (stored, computed) = (decoder.decoder.get_checksum_from_data(), decoder.decoder.get_calculated_checksum());
    if stored.is_some() && stored != computed {
        return Err(BundleError::damaged("the checksum of the compressed stream is wrong"));
    }
    Ok(report)
}

/// Judges the archive inside a bundle, already decompressed.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_archive(archive: impl Read, limits: &BundleLimits) -> Result<BundleReport, BundleError> {
    archive::judge(Meter::new(archive, unpacked_bound(limits)), limits.entries_max)
}

fn unpacked_bound(limits: &BundleLimits) -> meter::Bound {
    let max_bytes = limits.unpacked_bytes_max;
    meter::Bound { bytes_max: max_bytes, error: BundleError::UnpacksTooLarge { max_bytes } }
}

fn frame_error(error: ruzstd::decoding::errors::FrameDecoderError) -> BundleError {
    match error {
        ruzstd::decoding::errors::FrameDecoderError::WindowSizeTooBig { requested, max } => {
            BundleError::WindowTooLarge { window_bytes: requested, max_bytes: max }
        }
        other => BundleError::damaged(format!("it is not compressed with zstd: {other}")),
    }
}
