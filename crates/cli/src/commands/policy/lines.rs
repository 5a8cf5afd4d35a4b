//! What two texts have in common, line by line. Pure.

/// How many unchanged lines are shown on each side of a change.
const AROUND: usize = 3;
/// Longer texts are not compared line by line: the work grows with the product of their lengths.
const PRODUCT_MAX: usize = 4_000_000;

/// A line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// It is in both.
    Same(&'a str),
    /// It is only in the first.
    Gone(&'a str),
    /// It is only in the second.
    New(&'a str),
    /// So many lines that are in both are left out.
    Cut(usize),
}

/// The lines of both texts, with as many in common as can be.
pub(super) fn differences<'a>(from: &'a str, to: &'a str) -> Vec<Line<'a>> {
    let (from, to): (Vec<&str>, Vec<&str>) = (from.lines().collect(), to.lines().collect());
    if from.len() * to.len() > PRODUCT_MAX {
        let gone = from.into_iter().map(Line::Gone);
        return gone.chain(to.into_iter().map(Line::New)).collect();
    }
    shortened(walked(&from, &to, &common(&from, &to)))
}

/// For each pair of places, how many lines the rests of the texts have in common.
fn common(from: &[&str], to: &[&str]) -> Vec<Vec<u32>> {
    let mut table = vec![vec![0; to.len() + 1]; from.len() + 1];
    for (i, left) in from.iter().enumerate().rev() {
        for (j, right) in to.iter().enumerate().rev() {
            table[i][j] = if left == right { table[i + 1][j + 1] + 1 } else { table[i + 1][j].max(table[i][j + 1]) };
        }
    }
    table
}

fn walked<'a>(from: &[&'a str], to: &[&'a str], table: &[Vec<u32>]) -> Vec<Line<'a>> {
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < from.len() || j < to.len() {
        if i < from.len() && j < to.len() && from[i] == to[j] {
            lines.push(Line::Same(from[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == to.len() || (i < from.len() && table[i + 1][j] >= table[i][j + 1]) {
            lines.push(Line::Gone(from[i]));
            i += 1;
        } else {
            lines.push(Line::New(to[j]));
            j += 1;
        }
    }
    lines
}

/// Leaves out what is far from any change.
fn shortened(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let changed: Vec<bool> = lines.iter().map(|line| !matches!(line, Line::Same(_))).collect();
    let mut shown = Vec::with_capacity(lines.len());
    for (place, line) in lines.into_iter().enumerate() {
        let near = place.saturating_sub(AROUND)..(place + AROUND + 1).min(changed.len());
        match (changed[near].contains(&true), shown.last_mut()) {
            (true, _) => shown.push(line),
            (false, Some(Line::Cut(count))) => *count += 1,
            (false, _) => shown.push(Line::Cut(1)),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, to: &str, expected: &str) {
        let drawn: Vec<String> = differences(from, to)
            .into_iter()
            .map(|line| match line {
                Line::Same(text) => format!(" {text}"),
                Line::Gone(text) => format!("-{text}"),
                Line::New(text) => format!("+{text}"),
                Line::Cut(count) => format!("…{count}"),
            })
            .collect();
        assert_eq!(drawn.join("|"), expected);
    }

    #[test]
    fn lines_in_common_stay_and_the_rest_is_marked() {
        check("a\nb\nc", "a\nx\nc", " a|-b|+x| c");
        check("", "a", "+a");
        check("a", "", "-a");
        check("a\nb", "b\na", "-a| b|+a");
        check("1\n2\n3\n4\n5\n6\n7\n8\n9", "1\n2\n3\n4\n5\n6\n7\n8\nx", "…5| 6| 7| 8|-9|+x");
        check("same", "same", "…1");
    }

    #[test]
    fn texts_that_are_too_long_are_shown_one_after_the_other() {
        let (from, to) = ("a\n".repeat(3_000), "b\n".repeat(3_000));
        let lines = differences(&from, &to);
        assert_eq!((lines.len(), &lines[0], &lines[5_999]), (6_000, &Line::Gone("a"), &Line::New("b")));
    }
}
