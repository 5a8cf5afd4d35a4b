//! Lists: fetched page by page, whole unless limited. Must not know: of what.

use aegis_model::api::{PAGE_LIMIT_MAX, Page, PageQuery};
use aegis_sdk::ClientError;

/// How much of a list.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Limit {
    /// At most so many; all when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
}

/// Fetches pages until there are no more, or there are enough.
pub(crate) async fn collect<T>(
    limit: Limit,
    fetch: impl AsyncFn(PageQuery) -> Result<Page<T>, ClientError>,
) -> Result<Page<T>, ClientError> {
    let enough = limit.limit.map_or(usize::MAX, |limit| limit as usize);
    let mut all = Page { items: Vec::new(), next_cursor: None };
    loop {
        let wanted = (enough - all.items.len()).min(PAGE_LIMIT_MAX);
        let query = PageQuery { limit: u32::try_from(wanted).ok(), cursor: all.next_cursor.take() };
        let page = fetch(query).await?;
        let is_empty = page.items.is_empty();
        all.items.extend(page.items);
        all.next_cursor = page.next_cursor;
        // An empty page that names a next one would have us ask for ever.
        if all.next_cursor.is_none() || is_empty || all.items.len() >= enough {
            all.items.truncate(enough);
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of a list of `size` numbers.
    async fn page(size: usize, query: PageQuery) -> Result<Page<usize>, ClientError> {
        let from: usize = query.cursor.map_or(0, |cursor| cursor.parse().expect("cursor"));
        let to = (from + query.limit.expect("limit") as usize).min(size);
        Ok(Page { items: (from..to).collect(), next_cursor: (to < size).then(|| to.to_string()) })
    }

    fn check(size: usize, limit: Option<u32>, expected: usize, more: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let all = runtime.block_on(collect(Limit { limit }, async |query| page(size, query).await)).expect("a list");
        assert_eq!(all.items, (0..expected).collect::<Vec<_>>());
        assert_eq!(all.next_cursor.is_some(), more);
    }

    #[test]
    fn a_list_is_fetched_whole_or_up_to_its_limit() {
        check(0, None, 0, false);
        check(1_234, None, 1_234, false);
        check(1_234, Some(700), 700, true);
        check(500, Some(500), 500, false);
        check(3, Some(9), 3, false);
    }

    #[test]
    fn a_server_that_never_ends_a_list_does_not_hold_us() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let empty = async |_: PageQuery| Ok(Page::<u8> { items: Vec::new(), next_cursor: Some("again".to_owned()) });
        assert!(runtime.block_on(collect(Limit { limit: None }, empty)).expect("a list").items.is_empty());
    }
}
