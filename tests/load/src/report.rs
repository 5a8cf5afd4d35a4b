//! What a run prints: one line of JSON, and the percentiles in it.
//!
//! Owns the writing of numbers and names; must not know what was measured.

use std::collections::BTreeMap;
use std::fmt::Write;

use rustix::time::{ClockId, clock_gettime};

/// How often each reason of failure came up.
pub type Reasons = BTreeMap<String, usize>;

/// The fields of one line, in the order they were added.
pub struct Report {
    fields: String,
    worth: bool,
}

impl Report {
    /// Begins a line; `worth` is whether anything at all succeeded, which decides the exit code.
    pub fn new(subcommand: &str, worth: bool) -> Self {
        let mut report = Self { fields: String::new(), worth };
        report.text("subcommand", subcommand);
        report
    }

    /// Whether the run measured anything.
    pub fn is_worth_something(&self) -> bool {
        self.worth
    }

    /// Adds a whole number.
    pub fn number(&mut self, name: &str, number: usize) {
        self.field(name, &number.to_string());
    }

    /// Adds a number with three places after the point.
    pub fn decimal(&mut self, name: &str, number: f64) {
        let number = if number.is_finite() { number } else { 0.0 };
        self.field(name, &format!("{number:.3}"));
    }

    /// Adds a text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.field(name, &quoted(text));
    }

    /// Adds how often each reason came up, unless there is none.
    pub fn reasons(&mut self, name: &str, reasons: &Reasons) {
        if !reasons.is_empty() {
            let entries: Vec<String> =
                reasons.iter().map(|(text, count)| format!("{}:{count}", quoted(text))).collect();
            self.field(name, &format!("{{{}}}", entries.join(",")));
        }
    }

    /// Sorts the samples and adds their percentiles, as `<before>p50<after>` and so on.
    pub fn percentiles(&mut self, before: &str, after: &str, samples: &mut [u32]) {
        samples.sort_unstable();
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)] {
            self.number(&format!("{before}{name}{after}"), nearest_rank(samples, share) as usize);
        }
    }

    /// Adds the processor time this process has used, to tell its own cost from that of a proxy.
    pub fn own_cpu(&mut self) {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        self.decimal("own_cpu_seconds", used.tv_sec as f64 + used.tv_nsec as f64 / 1e9);
    }

    /// The whole line, without a line end.
    pub fn line(&self) -> String {
        format!("{{{}}}", self.fields)
    }

    fn field(&mut self, name: &str, value: &str) {
        if !self.fields.is_empty() {
            self.fields.push_str(", ");
        }
        self.fields.push_str(&quoted(name));
        self.fields.push_str(": ");
        self.fields.push_str(value);
    }
}

/// The smallest sample that at least this share of all samples does not exceed; zero for none.
fn nearest_rank(sorted: &[u32], share: f64) -> u32 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::{Reasons, Report, nearest_rank};

    #[test]
    fn percentiles_are_samples_that_were_seen() {
        let sorted: Vec<u32> = (1..=100).collect();
        assert_eq!([0.5, 0.9, 0.99, 1.0].map(|share| nearest_rank(&sorted, share)), [50, 90, 99, 100]);
        assert_eq!(nearest_rank(&[7], 0.5), 7);
        assert_eq!(nearest_rank(&[], 0.5), 0);
    }

    #[test]
    fn the_line_is_json() {
        let mut report = Report::new("pings", true);
        report.decimal("seconds", f64::NAN);
        report.percentiles("", "_us", &mut [3, 1, 2]);
        report.reasons("none", &Reasons::new());
        report.reasons("failures", &Reasons::from([("a \"b\"\r".to_owned(), 2)]));
        let wanted = r#"{"subcommand": "pings", "seconds": 0.000, "p50_us": 2, "p90_us": 3, "p99_us": 3, "max_us": 3, "failures": {"a \"b\"\u000d":2}}"#;
        assert_eq!(report.line(), wanted);
    }
}
