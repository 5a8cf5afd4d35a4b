//! The names that an entry and a link may have: relative, plain, and never upwards past the
//! top of the bundle. Must not know: archives.

/// Longest path of an entry.
pub(super) const PATH_LENGTH_MAX: usize = 1024;
/// Longest part of a path.
const PART_LENGTH_MAX: usize = 255;
/// Most parts of a path.
const PARTS_MAX: usize = 64;
/// Longest piece of a name that a message repeats.
const SHOWN_LENGTH_MAX: usize = 120;

/// What is wrong with an entry. Each reads on after the entry's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// The path begins with `/`.
    #[error("has an absolute path")]
    Absolute,
    /// The path has a `..`.
    #[error("has a `..` in its path")]
    Upwards,
    /// The path has no parts, an empty one or a `.`.
    #[error("has an empty or `.` part in its path")]
    EmptyPart,
    /// The path is longer than a file system takes.
    #[error("has a path that is too long or too deep")]
    TooLong,
    /// The path has characters that some unpackers or terminals take for something else.
    #[error("has a backslash, a control character or a character that is not UTF-8 in its path")]
    Unreadable,
    /// The name means a deletion to image tools.
    #[error("has a name that means a deletion in images")]
    Whiteout,
    /// Two headers give two names.
    #[error("is named twice")]
    NamedTwice,
    /// The same path was there before.
    #[error("is there twice")]
    Repeated,
    /// The same path but for its case was there before.
    #[error("differs from another entry only in case")]
    CaseClash,
    /// A parent is no directory.
    #[error("lies below a file or a link")]
    BelowFile,
    /// It is a device, a pipe or the like.
    #[error("is a device, a pipe or of an unknown kind")]
    SpecialFile,
    /// It has holes.
    #[error("is a sparse file")]
    Sparse,
    /// It has the set-user-id, set-group-id or sticky bit.
    #[error("has a set-user-id, set-group-id or sticky bit")]
    SpecialMode,
    /// It should have no data, but has.
    #[error("has data where its kind has none")]
    UnexpectedData,
    /// Its size is said twice, differently, or not at all.
    #[error("has a size that cannot be trusted")]
    SizeDoubtful,
    /// It has attributes beyond those of a plain file.
    #[error("has extended attributes or headers that are not taken")]
    Attributes,
    /// The link has no target.
    #[error("links to nothing")]
    LinkEmpty,
    /// The link's target is absolute.
    #[error("links to an absolute path")]
    LinkAbsolute,
    /// The link's target lies outside.
    #[error("links out of the bundle")]
    LinkOut,
    /// The link's target goes up after it went down, so that other links decide where it ends.
    #[error("links through a `..` after a name")]
    LinkWinding,
    /// The hard link's target is not a file that was there before.
    #[error("is a hard link to something that is not an earlier file")]
    HardLinkUnknown,
}

/// A name for messages: escaped, and cut where it is long.
pub(super) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let shown: String = text.chars().take(SHOWN_LENGTH_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_LENGTH_MAX).is_some() { format!("{shown}…") } else { shown }
}

/// The parts of an entry's path; none for the top of the bundle itself.
pub(super) fn parts(name: &[u8], is_directory: bool) -> Result<Vec<String>, EntryProblem> {
    let text = readable(name)?;
    if text.starts_with('/') {
        return Err(EntryProblem::Absolute);
    }
    let inside = text.strip_prefix("./").unwrap_or(text);
    let inside = if is_directory { inside.strip_suffix('/').unwrap_or(inside) } else { inside };
    if is_directory && matches!(text, "." | "./") {
        return Ok(Vec::new());
    }
    let parts: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if parts.len() > PARTS_MAX || parts.iter().any(|part| part.len() > PART_LENGTH_MAX) {
        return Err(EntryProblem::TooLong);
    }
    if parts.iter().any(|part| part == "..") {
        return Err(EntryProblem::Upwards);
    }
    if parts.iter().any(|part| part.is_empty() || part == ".") {
        return Err(EntryProblem::EmptyPart);
    }
    if parts.iter().any(|part| part.starts_with(".wh.")) {
        return Err(EntryProblem::Whiteout);
    }
    Ok(parts)
}

/// Says whether a symbolic link that lies below `depth` directories stays inside.
///
/// A target is some `..` and then names. The `..` are walked from the link's own directory,
/// which is a real one (nothing lies below a link); the names may pass further links, each of
/// which stays inside by the same rule. So no chain of links leads out.
pub(super) fn check_link(target: &[u8], depth: usize) -> Result<(), EntryProblem> {
    if target.is_empty() {
        return Err(EntryProblem::LinkEmpty);
    }
    let text = readable(target)?;
    if text.starts_with('/') {
        return Err(EntryProblem::LinkAbsolute);
    }
    let mut ups = 0;
    let mut named = false;
    for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." if named => return Err(EntryProblem::LinkWinding),
            ".." => ups += 1,
            _ => named = true,
        }
    }
    if ups > depth { Err(EntryProblem::LinkOut) } else { Ok(()) }
}

/// The bytes as a text without anything that another reader could see differently.
fn readable(bytes: &[u8]) -> Result<&str, EntryProblem> {
    if bytes.len() > PATH_LENGTH_MAX {
        return Err(EntryProblem::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| EntryProblem::Unreadable)?;
    let reordering = |char: char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if text.chars().any(|char| char == '\\' || char.is_control() || reordering(char)) {
        return Err(EntryProblem::Unreadable);
    }
    Ok(text)
}
