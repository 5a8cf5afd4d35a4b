//! Aligned columns. Cells are made harmless here, so that no verb can forget it.

use super::Style;
use super::text::{clean, width};

/// A cell: its text and whether it is coloured.
type Paint = fn(Style, &str) -> String;

/// Aligned columns with a heading.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<(String, Option<Paint>)>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| (clean(&cell), None)).collect());
    }

    /// Colours the last cell of the last row.
    pub(crate) fn paint_last(&mut self, paint: Paint) {
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.last_mut()) {
            cell.1 = Some(paint);
        }
    }

    /// Colours the first cell of the last row.
    pub(crate) fn paint_first(&mut self, paint: Paint) {
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.first_mut()) {
            cell.1 = Some(paint);
        }
    }

    /// The lines of the table; nothing but `empty` when there are no rows.
    pub(crate) fn render(&self, style: Style, empty: &str) -> String {
        if self.rows.is_empty() {
            return style.faint(empty);
        }
        let widths: Vec<usize> = (0..self.headings.len()).map(|column| self.column_width(column)).collect();
        let heading = self.headings.iter().map(|text| ((*text).to_owned(), None)).collect::<Vec<_>>();
        let mut lines = vec![style.faint(&line(&heading, &widths, style))];
        lines.extend(self.rows.iter().map(|row| line(row, &widths, style)));
        lines.join("\n")
    }

    fn column_width(&self, column: usize) -> usize {
        let heading = self.headings.get(column).map_or(0, |text| width(text));
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|(text, _)| width(text));
        cells.fold(heading, usize::max)
    }
}

fn line(cells: &[(String, Option<Paint>)], widths: &[usize], style: Style) -> String {
    let last = cells.len().saturating_sub(1);
    let cells = cells.iter().zip(widths).enumerate().map(|(column, ((text, paint), wanted))| {
        let shown = paint.map_or_else(|| text.clone(), |paint| paint(style, text));
        let gap = if column == last { 0 } else { wanted.saturating_sub(width(text)) };
        shown + &" ".repeat(gap)
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[&[&str]], expected: &str) {
        let mut table = Table::new(&["NAME", "VERSION"]);
        for row in rows {
            table.row(row.iter().map(|cell| (*cell).to_owned()));
        }
        assert_eq!(table.render(Style { colour: false }, "none"), expected);
    }

    #[test]
    fn columns_are_aligned_also_with_wide_letters() {
        check(&[&["triage", "12"], &["a", "3"]], "NAME    VERSION\ntriage  12\na       3");
        check(&[&["東京", "1"], &["grüne", "2"]], "NAME   VERSION\n東京   1\ngrüne  2");
        check(&[&["a", ""]], "NAME  VERSION\na");
    }

    #[test]
    fn a_table_without_rows_says_so() {
        check(&[], "none");
    }

    #[test]
    fn a_cell_cannot_make_a_line_of_its_own() {
        check(&[&["a\nb", "\u{1b}[1m"]], "NAME     VERSION\na\\u{a}b  \\u{1b}[1m");
    }

    #[test]
    fn colour_does_not_count_as_width() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["x".to_owned(), "no".to_owned()]);
        table.paint_first(Style::good);
        table.paint_last(Style::bad);
        let shown = table.render(Style { colour: true }, "");
        assert!(shown.ends_with("\u{1b}[32mx\u{1b}[0m  \u{1b}[1;31mno\u{1b}[0m"), "{shown:?}");
    }
}
