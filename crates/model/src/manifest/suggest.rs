//! What may have been meant: the nearest of a list of names, by edit distance.

/// Longer names are nobody's typing error.
const LENGTH_MAX: usize = 40;

/// The name that was probably meant, if one is near enough.
pub(crate) fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if given.is_empty() || given.len() > LENGTH_MAX {
        return None;
    }
    let plain = flattened(given);
    let allowed = (given.chars().count() / 3).clamp(1, 3);
    let ranked = names.into_iter().map(|name| (distance(&plain, &flattened(name)), name));
    ranked.filter(|(distance, name)| *distance <= allowed && *distance < name.len()).min().map(|(_, name)| name)
}

/// The name without case and separators, so that `maxLifetime` is near `max_lifetime`.
fn flattened(name: &str) -> Vec<char> {
    name.chars().filter(|char| !matches!(char, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Edits between two texts, where swapping two neighbours counts as one.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, left) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, right) in to.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX - 1);
            let change = at(&last, column) + usize::from(left != right);
            let mut best = change.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let swapped = row > 0 && column > 0 && from.get(row - 1) == Some(right) && to.get(column - 1) == Some(left);
            if swapped {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_the_name_that_was_meant() {
        let names = ["memory", "max_lifetime", "timeout", "cpu", "name"];
        let check = |given: &str, expected: Option<&str>| assert_eq!(nearest(given, names), expected, "{given}");
        check("memroy", Some("memory"));
        check("Memory", Some("memory"));
        check("maxLifetime", Some("max_lifetime"));
        check("max-lifetime", Some("max_lifetime"));
        check("timout", Some("timeout"));
        check("cup", Some("cpu"));
        check("gpu", Some("cpu"));
        check("zzz", None);
        check("", None);
        check(&"memory".repeat(1000), None);
    }
}
