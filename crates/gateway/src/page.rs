//! Pages: limits and opaque cursors.

use aegis_model::api::{PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, Page, PageQuery};
use aegis_model::{Code, Fault};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longest cursor that is looked at.
const CURSOR_LENGTH_MAX: usize = 1_024;

/// Which part of a list is asked for.
pub struct Part {
    /// The id before the first item.
    pub after: Option<String>,
    limit: usize,
}

impl Part {
    /// Reads the query of a list.
    ///
    /// # Errors
    /// `Validation` when the limit or the cursor is none.
    pub fn new(query: &PageQuery) -> Result<Self, Fault> {
        let limit = limit(query.limit)?;
        let after = query.cursor.as_deref().map(decode).transpose()?;
        Ok(Self { after, limit })
    }

    /// How many items to read: one more than asked for tells whether there are more.
    pub fn wanted(&self) -> usize {
        self.limit + 1
    }

    /// The page, from what was read.
    pub fn page<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> String) -> Page<T> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|item| URL_SAFE_NO_PAD.encode(id(item)));
        Page { items, next_cursor }
    }
}

/// The number of items to show.
///
/// # Errors
/// `Validation` when it is out of bounds.
pub fn limit(asked: Option<u32>) -> Result<usize, Fault> {
    let limit = asked.map_or(PAGE_LIMIT_DEFAULT, |limit| limit as usize);
    if (1..=PAGE_LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Fault::new(Code::Validation, format!("`limit` must be from 1 to {PAGE_LIMIT_MAX}")).at("/limit"))
}

fn decode(cursor: &str) -> Result<String, Fault> {
    let wrong = || Fault::new(Code::Validation, "`cursor` is not one that this list gave").at("/cursor");
    if cursor.len() > CURSOR_LENGTH_MAX {
        return Err(wrong());
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    String::from_utf8(bytes).map_err(|_| wrong())
}
