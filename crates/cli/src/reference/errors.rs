//! The page about what goes wrong: the error table, to be found by exit code, status and code.

use std::collections::BTreeMap;

use aegis_model::Code;
use aegis_model::error::Category;

use super::NOTICE;

const BEGINNING: &str = "\
# Troubleshooting

What goes wrong has a code. The command line names it, with what to do next:

```
$ aegis invoke nobody
error: agent `nobody` does not exist
  code: ERR_NOT_FOUND
  next: list what there is and check the name
  correlation id: cor_1ac0c9b0b6a2b9ef8d2a2ef3ac2d1e6b
```

Over HTTP, and with `--output json` on stderr, it is `error.code`; of a run that did not succeed it is \
`code` of its outcome. The correlation id stands in the server's log, in events and in the ledger as well.

An error without a code comes from the command line itself: an argument or a file that is wrong, or a \
server that did not start. [Operations](operations.md#a-server-that-does-not-start) lists what a start can say.

";

const END: &str = "\
Where none of this helps, look for the correlation id in the server's log: it has the cause.
";

/// The page.
pub(super) fn page() -> String {
    let mut page = format!("{NOTICE}{BEGINNING}## By what you see\n\n");
    page.push_str(&index("the command line ended with", |code| code.category().exit_code().into()));
    page.push_str(&index("HTTP status", Code::status));
    for category in categories() {
        page.push_str(&format!("## {}\n\n", name(category)));
        for code in Code::ALL.iter().filter(|code| code.category() == category) {
            page.push_str(&section(*code));
        }
    }
    page + END
}

/// The categories in the order of the table.
fn categories() -> Vec<Category> {
    let mut found: Vec<Category> = Vec::new();
    for code in Code::ALL {
        if !found.contains(&code.category()) {
            found.push(code.category());
        }
    }
    found
}

/// The category as it is written in an answer.
fn name(category: Category) -> String {
    let name = serde_json::to_value(category).ok();
    name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Which codes have that number.
fn index(title: &str, number: impl Fn(Code) -> u16) -> String {
    let mut rows: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for code in Code::ALL {
        let link = format!("[`{code}`](#{})", code.as_str().to_ascii_lowercase());
        rows.entry(number(*code)).or_default().push(link);
    }
    let rows: String = rows.iter().map(|(number, links)| format!("| {number} | {} |\n", links.join(" "))).collect();
    format!("| {title} | it may be |\n|---|---|\n{rows}\n")
}

fn section(code: Code) -> String {
    let causes: String = code.causes().iter().map(|cause| format!("- {cause}\n")).collect();
    format!(
        "### `{code}`\n\n{} HTTP {}, exit code {}, {}.\n\nWhat usually causes it:\n{causes}\nWhat to do: {}.\n\n",
        code.meaning(),
        code.status(),
        code.category().exit_code(),
        again(code.category()),
        code.suggestion(),
    )
}

/// Whether the same request may be sent again.
fn again(category: Category) -> String {
    let tries = category.tries();
    match (category.retryable(), tries.attempts_max) {
        (false, _) => "not retryable".to_owned(),
        (true, 1) => "retryable, but not by itself".to_owned(),
        (true, most) => {
            format!("retryable: {most} tries, {} to {} ms apart", tries.pause_min_ms, tries.pause_max_ms)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_section_with_its_causes_and_two_ways_to_it() {
        let page = page();
        for code in Code::ALL {
            assert_eq!(page.matches(&format!("### `{code}`\n")).count(), 1, "{code}");
            assert_eq!(page.matches(&format!("[`{code}`](#")).count(), 2, "{code}");
            assert!(code.causes().iter().all(|cause| page.contains(&format!("- {cause}\n"))), "{code}");
        }
    }

    #[test]
    fn what_may_be_repeated_is_told_with_its_pauses() {
        assert_eq!(again(Category::RateLimit), "retryable: 3 tries, 1000 to 30000 ms apart");
        assert_eq!(again(Category::Capacity), "retryable, but not by itself");
        assert_eq!(again(Category::Conflict), "not retryable");
    }
}
