//! What a manifest can say already, but Aegis cannot do yet: refused by name, never ignored.
//! A capability lands by the deletion of its row. Must not know: how anything is done.

use super::problem::ManifestProblem;
use super::schema_walk::dotted;
use super::tree::Node;

/// Whether a capability of the manifest can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A manifest that names the field is refused.
    AnyValueLater,
    /// A manifest that gives the field this value is refused.
    ValueLater(&'static str),
    /// A manifest that gives the field any other value is refused.
    OnlyYet(&'static str),
}

/// Everything that has not landed.
const LANDING: &[(&str, State)] = &[
    ("/spec/runtime/isolation", State::ValueLater("docker")),
    ("/spec/runtime/isolation", State::ValueLater("microvm")),
    ("/spec/runtime/image", State::AnyValueLater),
    ("/spec/runtime/root", State::OnlyYet("host")),
    ("/spec/runtime/protocol", State::ValueLater("mcp")),
    ("/spec/runtime/protocol", State::ValueLater("a2a")),
    ("/spec/reasoning", State::AnyValueLater),
    ("/spec/memory", State::AnyValueLater),
];

/// Lists what a tree in the present form uses of what has not landed.
pub(super) fn check(tree: &Node) -> Vec<ManifestProblem> {
    LANDING.iter().filter_map(|(pointer, state)| refuse(tree, pointer, *state)).collect()
}

/// What of the field that a pointer leads to is refused yet, in a sentence each. What belongs
/// to a refused field is refused with it.
pub fn refused_yet(pointer: &str) -> Vec<String> {
    let told = |(place, state): &(&str, State)| match state {
        State::AnyValueLater if *place == pointer => Some("a manifest that names it is refused".to_owned()),
        State::AnyValueLater if is_below(pointer, place) => Some(format!("refused with {}", dotted(place))),
        State::ValueLater(value) if *place == pointer => Some(format!("`{value}` is refused")),
        State::OnlyYet(value) if *place == pointer => Some(format!("anything but `{value}` is refused")),
        _ => None,
    };
    LANDING.iter().filter_map(told).collect()
}

fn is_below(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
}

fn refuse(tree: &Node, pointer: &str, state: State) -> Option<ManifestProblem> {
    let node = tree.at(pointer)?;
    let given = node.to_value();
    let is = |text: &str| given.as_str() == Some(text);
    let field = dotted(pointer);
    let message = match state {
        State::AnyValueLater if !given.is_null() => format!("{field} is not supported yet"),
        State::ValueLater(value) if is(value) => format!("{field} cannot be `{value}` yet"),
        State::OnlyYet(value) if !given.is_null() && !is(value) => format!("{field} can only be `{value}` yet"),
        _ => return None,
    };
    let advice = match state {
        State::AnyValueLater => "remove the field; this version of Aegis would not honour it".to_owned(),
        State::ValueLater(_) => "choose another value; this version of Aegis would not honour it".to_owned(),
        State::OnlyYet(value) => format!("write `{value}`; this version of Aegis would not honour anything else"),
    };
    Some(node.place.problem(pointer, message).advise(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_says_what_of_it_is_refused() {
        let told = |pointer| refused_yet(pointer).join(", ");
        assert_eq!(told("/spec/runtime/protocol"), "`mcp` is refused, `a2a` is refused");
        assert_eq!(told("/spec/runtime/root"), "anything but `host` is refused");
        assert_eq!(told("/spec/memory"), "a manifest that names it is refused");
        assert_eq!(told("/spec/memory/enabled"), "refused with `spec.memory`");
        assert_eq!(told("/spec/memorystick"), "");
        assert_eq!(told("/spec/runtime"), "");
    }
}
