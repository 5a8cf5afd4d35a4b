//! The page about what each role may do: the table of operations, by group.

use aegis_model::Role;
use aegis_model::operation::{ActionGroup, Effect, Operation};

use super::NOTICE;

const BEGINNING: &str = "\
# What each role may do

Every operation of the API with its name in policies, in the ledger and in `openapi.json`. A role holds \
its own group and every weaker one. How it is decided: [policies.md](policies.md).

*Stopped* says whether a freeze stops it. A frozen key is the exception: it can do nothing, reading included.

";

/// The page.
pub(super) fn page() -> String {
    // Both are told weakest first: the rules of the house give each role one group more.
    let groups = ActionGroup::ALL.into_iter().zip(Role::ALL);
    let held = |(group, role): (ActionGroup, Role)| section(group, &format!("from role `{}`", role.as_str()));
    let sections: String = groups.map(held).collect();
    let inside = section(ActionGroup::Inside, "agents at the door of their box, and no role");
    format!("{NOTICE}{BEGINNING}{sections}{}", inside.trim_end().to_owned() + "\n")
}

fn section(group: ActionGroup, holders: &str) -> String {
    let rows: String = Operation::ALL.iter().filter(|operation| operation.group() == group).map(row).collect();
    format!(
        "## `{}`: {holders}\n\n| operation | on | stopped | HTTP | what it does |\n|---|---|---|---|---|\n{rows}\n",
        group.as_str(),
    )
}

fn row(operation: &Operation) -> String {
    let stopped = if operation.effect() == Effect::Change { "yes" } else { "no" };
    format!(
        "| `{}` | {} | {stopped} | `{} {}` | {} |\n",
        operation.as_str(),
        operation.resource().as_str(),
        operation.method().as_str(),
        operation.path(),
        operation.summary().trim_end_matches('.'),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_stands_in_the_section_of_its_group() {
        let page = page();
        let sections: Vec<&str> = page.split("\n## ").skip(1).collect();
        assert_eq!(sections.len(), ActionGroup::ALL.len());
        for operation in Operation::ALL {
            let holds = |section: &&&str| section.contains(&format!("| `{}` |", operation.as_str()));
            let found: Vec<&&str> = sections.iter().filter(holds).collect();
            assert_eq!(found.len(), 1, "{operation:?}");
            assert!(found[0].starts_with(&format!("`{}`", operation.group().as_str())), "{operation:?}");
        }
    }
}
