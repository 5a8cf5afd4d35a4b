//! Reads the headers of an archive one by one, as they lie there. The extension headers that
//! name, size or otherwise change the next entry are read here and not by the `tar` crate, so
//! that an archive which another reader would read differently is refused.
//! Must not know: compression.

use std::io::Read;

use tar::{Archive, Entry, EntryType, Header, PaxExtensions};

use super::layout::{Kind, Layout};
use super::meter::{Meter, read_error};
use super::path::{EntryProblem, PATH_LENGTH_MAX, check_link, parts};
use super::{BundleError, BundleReport};

/// Largest extension header.
const EXTENSION_SIZE_MAX_BYTES: u64 = 64 * 1024;
/// What an archive is made of.
const BLOCK_SIZE: u64 = 512;
/// Most zeros after the end of an archive.
const PADDING_MAX_BYTES: u64 = 1024 * 1024;

/// What a local extension header may say. Whatever else it says is refused.
const PAX_KEYS: &[&str] = &[
    "path",
    "linkpath",
    "size",
    "mtime",
    "atime",
    "ctime",
    "uid",
    "gid",
    "uname",
    "gname",
    "comment",
    "charset",
    "hdrcharset",
    "LIBARCHIVE.creationtime",
    "SCHILY.dev",
    "SCHILY.ino",
    "SCHILY.nlink",
];

/// Judges an archive to its end.
pub(super) fn judge<R: Read>(meter: Meter<R>, entries_max: u64) -> Result<BundleReport, BundleError> {
    let mut archive = Archive::new(meter);
    let mut judge = Judge::default();
    let mut end = 0;
    let mut entries = 0;
    for entry in archive.entries().map_err(read_error)?.raw(true) {
        let mut entry = entry.map_err(read_error)?;
        entries += 1;
        if entries > entries_max.saturating_mul(3) || judge.entries > entries_max {
            return Err(BundleError::TooManyEntries { entries_max });
        }
        judge.take(&mut entry)?;
        end = entry.raw_file_position().saturating_add(entry.size().div_ceil(BLOCK_SIZE).saturating_mul(BLOCK_SIZE));
    }
    if judge.entries > entries_max {
        return Err(BundleError::TooManyEntries { entries_max });
    }
    if !judge.next.is_empty() {
        return Err(BundleError::damaged("an extension header describes an entry that is not there"));
    }
    let mut meter = archive.into_inner();
    if meter.count() <= end {
        return Err(BundleError::damaged("the archive has no end mark"));
    }
    check_padding(&mut meter)?;
    let files = judge.layout.finish()?;
    Ok(BundleReport { unpacked_bytes: meter.count(), files })
}

/// After its end mark an archive holds nothing but zeros, and not many.
fn check_padding<R: Read>(meter: &mut Meter<R>) -> Result<(), BundleError> {
    let end = meter.count();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = meter.read(&mut buffer).map_err(read_error)?;
        if read == 0 {
            return Ok(());
        }
        let zeros = buffer.iter().take(read).all(|byte| *byte == 0);
        if !zeros || meter.count() - end > PADDING_MAX_BYTES {
            return Err(BundleError::damaged("there is data after the end of the archive"));
        }
    }
}

/// What extension headers say about the next entry.
#[derive(Default)]
struct Announced {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    any: bool,
}

impl Announced {
    fn is_empty(&self) -> bool {
        !self.any
    }
}

#[derive(Default)]
struct Judge {
    layout: Layout,
    next: Announced,
    entries: u64,
}

impl Judge {
    fn take<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), BundleError> {
        let header = entry.header().clone();
        let short = header.path_bytes().into_owned();
        let refuse = |problem| BundleError::entry(&short, problem);
        if header.as_ustar().is_none() && header.as_gnu().is_none() {
            return Err(refuse(EntryProblem::Attributes));
        }
        match header.entry_type() {
            EntryType::XGlobalHeader => self.global(entry).map_err(|error| error.named(&short)),
            EntryType::XHeader => self.local(entry).map_err(|error| error.named(&short)),
            EntryType::GNULongName | EntryType::GNULongLink => {
                self.long(entry, header.entry_type()).map_err(|error| error.named(&short))
            }
            _ => self.entry(&header, short, entry.size()),
        }
    }

    /// A global header may carry a comment, as archives made by git do, and nothing else.
    fn global<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), Refusal> {
        let data = extension(entry)?;
        for (key, _) in pax(&data)? {
            if key != "comment" {
                return Err(EntryProblem::Attributes.into());
            }
        }
        Ok(())
    }

    fn local<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), Refusal> {
        let data = extension(entry)?;
        self.next.any = true;
        let mut seen = Vec::new();
        for (key, value) in pax(&data)? {
            if !PAX_KEYS.contains(&key) {
                let sparse = key.starts_with("GNU.sparse.");
                return Err(if sparse { EntryProblem::Sparse } else { EntryProblem::Attributes }.into());
            }
            if seen.contains(&key) {
                return Err(EntryProblem::NamedTwice.into());
            }
            seen.push(key);
            match key {
                "path" => set(&mut self.next.path, value)?,
                "linkpath" => set(&mut self.next.link, value)?,
                "size" => self.next.size = Some(decimal(value).ok_or(EntryProblem::SizeDoubtful)?),
                _ => {}
            }
        }
        Ok(())
    }

    fn long<R: Read>(&mut self, entry: &mut Entry<'_, R>, kind: EntryType) -> Result<(), Refusal> {
        let data = extension(entry)?;
        let name = data.strip_suffix(b"\0").unwrap_or(&data);
        if name.len() > PATH_LENGTH_MAX {
            return Err(EntryProblem::TooLong.into());
        }
        self.next.any = true;
        let place = if kind == EntryType::GNULongName { &mut self.next.path } else { &mut self.next.link };
        set(place, name)
    }

    fn entry(&mut self, header: &Header, short: Vec<u8>, size: u64) -> Result<(), BundleError> {
        self.entries += 1;
        let announced = std::mem::take(&mut self.next);
        let name = announced.path.unwrap_or(short);
        let refuse = |problem| BundleError::entry(&name, problem);
        if announced.size.is_some_and(|announced| announced != size) {
            return Err(refuse(EntryProblem::SizeDoubtful));
        }
        let mode = header.mode().map_err(BundleError::damaged)?;
        if mode & 0o7000 != 0 {
            return Err(refuse(EntryProblem::SpecialMode));
        }
        let link =
            announced.link.or_else(|| header.link_name_bytes().map(|link| link.into_owned())).unwrap_or_default();
        self.place(header.entry_type(), &name, &link, size).map_err(refuse)
    }

    fn place(&mut self, kind: EntryType, name: &[u8], link: &[u8], size: u64) -> Result<(), EntryProblem> {
        let is_directory = kind == EntryType::Directory;
        if size != 0 && !kind.is_file() && (kind.is_symlink() || kind.is_hard_link() || is_directory) {
            return Err(EntryProblem::UnexpectedData);
        }
        let kind = match kind {
            EntryType::Regular => Kind::File,
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => Kind::SymbolicLink,
            EntryType::Link => return self.hard_link(name, link),
            EntryType::GNUSparse => return Err(EntryProblem::Sparse),
            _ => return Err(EntryProblem::SpecialFile),
        };
        let parts = parts(name, is_directory)?;
        if kind == Kind::SymbolicLink {
            check_link(link, parts.len().saturating_sub(1))?;
        }
        // Only the top of the bundle has no parts; it may be there, and more than once.
        if parts.is_empty() { Ok(()) } else { self.layout.add(&parts, kind) }
    }

    fn hard_link(&mut self, name: &[u8], link: &[u8]) -> Result<(), EntryProblem> {
        let own = parts(name, false)?;
        let target = parts(link, false)?;
        if !self.layout.has_file(&target) {
            return Err(EntryProblem::HardLinkUnknown);
        }
        self.layout.add(&own, Kind::File)
    }
}

/// A problem of an extension header, before its entry is known by name.
enum Refusal {
    Problem(EntryProblem),
    Bundle(BundleError),
}

impl From<EntryProblem> for Refusal {
    fn from(problem: EntryProblem) -> Self {
        Self::Problem(problem)
    }
}

impl Refusal {
    fn named(self, name: &[u8]) -> BundleError {
        match self {
            Self::Problem(problem) => BundleError::entry(name, problem),
            Self::Bundle(error) => error,
        }
    }
}

/// Sets what no other header has set for this entry.
fn set(place: &mut Option<Vec<u8>>, value: &[u8]) -> Result<(), Refusal> {
    if place.is_some() {
        return Err(EntryProblem::NamedTwice.into());
    }
    *place = Some(value.to_vec());
    Ok(())
}

/// The data of an extension header.
fn extension<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, Refusal> {
    if entry.size() > EXTENSION_SIZE_MAX_BYTES {
        return Err(EntryProblem::Attributes.into());
    }
    let mut data = Vec::new();
    entry.read_to_end(&mut data).map_err(|error| Refusal::Bundle(read_error(error)))?;
    if data.len() as u64 != entry.size() {
        return Err(Refusal::Bundle(BundleError::damaged("the archive ends within an extension header")));
    }
    Ok(data)
}

/// The keys and values of an extension header. A header that is not used up to its last byte
/// is one that two readers may read differently.
fn pax(data: &[u8]) -> Result<Vec<(&str, &[u8])>, Refusal> {
    let mut pairs = Vec::new();
    let mut used = 0;
    for pair in PaxExtensions::new(data) {
        let pair = pair.map_err(|error| Refusal::Bundle(BundleError::damaged(error)))?;
        let key = pair.key().map_err(|_| EntryProblem::Attributes)?;
        let length = key.len() + pair.value_bytes().len();
        used += length + record_overhead(length);
        pairs.push((key, pair.value_bytes()));
    }
    if used != data.len() {
        return Err(EntryProblem::Attributes.into());
    }
    Ok(pairs)
}

/// Bytes of a record beside key and value: the length in decimal, a space, `=` and a newline.
fn record_overhead(length: usize) -> usize {
    let digits = |number: usize| number.checked_ilog10().unwrap_or(0) as usize + 1;
    let guess = length + 3 + digits(length);
    3 + digits(length + 3 + digits(guess))
}

fn decimal(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
