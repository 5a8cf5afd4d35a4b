//! Shows what is wrong with a manifest like a compiler: the place, the line, a caret, and
//! what may have been meant. Pure.

use std::path::Path;

use aegis_model::manifest::ManifestProblem;

use crate::output::{Style, clean, plural, width};

/// Longest part of a line that is shown.
const LINE_LENGTH_MAX: usize = 120;

/// Every problem with its place, and how many there are.
pub(crate) fn render(path: &Path, source: &[u8], problems: &[ManifestProblem], style: Style) -> String {
    let source = String::from_utf8_lossy(source);
    let lines: Vec<&str> = source.lines().collect();
    let mut shown: Vec<String> = problems.iter().map(|problem| one(path, &lines, problem, style)).collect();
    shown.push(format!("{} {} in `{}`", style.bad("error:"), plural(problems.len() as u64, "problem"), path.display()));
    shown.join("\n\n")
}

fn one(path: &Path, lines: &[&str], problem: &ManifestProblem, style: Style) -> String {
    let gutter = problem.line.to_string().len();
    let margin = " ".repeat(gutter);
    let bar = style.faint("|");
    let mut text = format!("{} {}\n", style.bad("error:"), style.strong(&clean(&problem.message)));
    let place = format!("{}:{}:{}", path.display(), problem.line, problem.column);
    text.push_str(&format!("{margin}{} {place}\n", style.faint("-->")));
    if let Some(line) = lines.get(problem.line.saturating_sub(1)) {
        let (before, after) = around(line, problem.column.saturating_sub(1));
        let caret = " ".repeat(width(&before)) + &style.bad("^");
        text.push_str(&format!("{margin} {bar}\n{} {bar} {before}{after}\n{margin} {bar} {caret}\n", problem.line));
    }
    if let Some(suggestion) = &problem.suggestion {
        text.push_str(&format!("{margin} = {}\n", clean(suggestion)));
    }
    text.trim_end().to_owned()
}

/// The part of a line around a column, made harmless: what stands before the column, and what
/// stands from it on. A long line is cut on both sides, so that the column is always seen.
fn around(line: &str, column: usize) -> (String, String) {
    let letters: Vec<char> = line.chars().collect();
    let column = column.min(letters.len());
    let begin = column.saturating_sub(LINE_LENGTH_MAX / 2);
    let part = |from: usize, to: usize| -> String {
        let letters = letters.iter().take(to).skip(from);
        clean(&letters.map(|letter| if *letter == '\t' { ' ' } else { *letter }).collect::<String>())
    };
    let end = (begin + LINE_LENGTH_MAX).min(letters.len());
    let head = if begin > 0 { "…" } else { "" };
    let tail = if end < letters.len() { "…" } else { "" };
    (format!("{head}{}", part(begin, column)), format!("{}{tail}", part(column, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: usize, column: usize, suggestion: Option<&str>) -> ManifestProblem {
        ManifestProblem {
            pointer: "/spec/comand".to_owned(),
            line,
            column,
            message: "unknown field `comand`".to_owned(),
            suggestion: suggestion.map(str::to_owned),
        }
    }

    fn check(source: &str, problem: ManifestProblem, expected: &str) {
        let shown = render(Path::new("agent.yaml"), source.as_bytes(), &[problem], Style { colour: false });
        assert_eq!(shown, format!("{expected}\n\nerror: 1 problem in `agent.yaml`"));
    }

    #[test]
    fn a_problem_is_shown_with_its_place_and_what_may_have_been_meant() {
        check(
            "spec:\n  comand: x\n",
            problem(2, 3, Some("did you mean `command`?")),
            "error: unknown field `comand`\n --> agent.yaml:2:3\n  |\n2 |   comand: x\n  |   ^\n  = did you mean `command`?",
        );
    }

    #[test]
    fn the_caret_stands_below_the_column_also_after_wide_letters() {
        check(
            "a: 東京 x\n",
            problem(1, 7, None),
            "error: unknown field `comand`\n --> agent.yaml:1:7\n  |\n1 | a: 東京 x\n  |         ^",
        );
    }

    #[test]
    fn a_place_that_is_not_in_the_text_is_named_without_a_line() {
        check("", problem(9, 9, None), "error: unknown field `comand`\n --> agent.yaml:9:9");
    }

    #[test]
    fn a_long_or_hostile_line_neither_floods_nor_draws() {
        let source = format!("{}\u{1b}[2J{}", "a".repeat(10_000), "b".repeat(10_000));
        let shown =
            render(Path::new("agent.yaml"), source.as_bytes(), &[problem(1, 10_001, None)], Style { colour: false });
        assert!(shown.len() < 700 && !shown.contains('\u{1b}'), "{shown}");
        let caret = shown.lines().find(|line| line.trim_end().ends_with('^')).expect("a caret");
        let line = shown.lines().find(|line| line.starts_with("1 |")).expect("a line");
        assert_eq!(line.chars().nth(caret.chars().count() - 1), Some('\\'), "{shown}");
    }
}
