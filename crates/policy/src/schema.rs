//! The Cedar schema: generated from the table of operations and the actions that need a grant,
//! so that an operation cannot be forgotten. Must not know policies or requests.

use std::sync::LazyLock;

use aegis_model::counter::Counter;
use aegis_model::operation::ActionGroup;
use aegis_model::{Operation, Role};
use cedar_policy::{Schema, Validator};

use crate::action::{GrantAction, IntentAction};
use crate::document::{SAID, TAG_TYPE};
use crate::entity::{DOCUMENT, DOMAIN, ROLE, SYSTEM, TOOLSET, USER};
use crate::looks::{COUNTS, HOUR, NOW, WEEKDAY};
use crate::request::ResourceType;

static TEXT: LazyLock<String> = LazyLock::new(|| generate(&[]));
static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| Validator::new(parse(&TEXT)));

/// The schema that every policy is checked against; where counters are declared, every action's
/// context has `counts` beside it, a record with a whole number for each.
pub fn schema_text() -> &'static str {
    &TEXT
}

/// Checks policies against the schema.
pub(crate) fn validator() -> &'static Validator {
    &VALIDATOR
}

/// Checks policies against the schema with these counters, whose names were checked.
pub(crate) fn validator_with(counters: &[Counter]) -> Validator {
    Validator::new(parse(&generate(counters)))
}

#[expect(
    clippy::expect_used,
    reason = "the text is generated from constants and checked names alone; every test parses it"
)]
fn parse(text: &str) -> Schema {
    let (schema, _warnings) = Schema::from_cedarschema_str(text).expect("the generated schema is well-formed");
    schema
}

fn generate(counters: &[Counter]) -> String {
    let mut text = String::from(
        "// Generated from the table of operations. Every thing belongs to a tenant. `now`, `hour`\n\
         // (0 to 23) and `weekday` (mon, tue, wed, thu, fri, sat, sun) are those of the request, in UTC.\n",
    );
    for line in entity_lines().chain(action_lines(&circumstances(counters))) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn entity_lines() -> impl Iterator<Item = String> {
    let roles: Vec<String> = Role::ALL.iter().map(|role| format!("\"{}\"", role.as_str())).collect();
    let fixed = [format!("entity {ROLE} enum [{}];", roles.join(", ")), format!("entity {DOMAIN}, {TOOLSET};")];
    let document = format!("entity {DOCUMENT} tags {TAG_TYPE};");
    let system = entity_line(SYSTEM, &["Tenant", ROLE]);
    let resources = ResourceType::ALL.into_iter().map(|kind| entity_line(kind.as_str(), groups_of(kind)));
    let user = entity_line(USER, &["Tenant", ROLE]);
    fixed.into_iter().chain([document, system, user]).chain(resources)
}

fn entity_line(name: &str, groups: &[&str]) -> String {
    let inside = if groups.is_empty() { String::new() } else { format!(" in [{}]", groups.join(", ")) };
    format!("entity {name}{inside} {{ name: String, tenant: Tenant }};")
}

const fn groups_of(kind: ResourceType) -> &'static [&'static str] {
    match kind {
        ResourceType::Tenant => &[],
        ResourceType::Key => &["Tenant", ROLE],
        ResourceType::Host => &["Tenant", DOMAIN],
        ResourceType::Tool => &["Tenant", TOOLSET],
        ResourceType::Agent
        | ResourceType::Model
        | ResourceType::Secret
        | ResourceType::Volume
        | ResourceType::Intent => &["Tenant"],
    }
}

/// What is known of every action: the moment, and how far the counters have come.
fn circumstances(counters: &[Counter]) -> String {
    let time = format!("{NOW}: __cedar::datetime, {HOUR}: Long, {WEEKDAY}: String");
    if counters.is_empty() {
        return time;
    }
    let counts: Vec<String> = counters.iter().map(|counter| format!("\"{}\": Long", counter.name)).collect();
    format!("{time}, {COUNTS}: {{ {} }}", counts.join(", "))
}

fn action_lines(always: &str) -> impl Iterator<Item = String> {
    let groups = ActionGroup::ALL.iter().map(|group| group.as_str()).chain([GrantAction::GROUP, IntentAction::GROUP]);
    let group_lines = groups.map(|group| format!("action \"{group}\";"));
    let operations = Operation::ALL.iter().copied().map(move |operation| operation_line(operation, always));
    let grants = GrantAction::ALL.into_iter().map(move |action| grant_line(action, always));
    let intents = IntentAction::ALL.into_iter().map(move |action| intent_line(action, always));
    group_lines.chain(operations).chain(grants).chain(intents)
}

fn operation_line(operation: Operation, always: &str) -> String {
    let name = operation.as_str();
    let group = operation.group().as_str();
    let resource = operation.resource().as_str();
    let context = both(&operation_context(operation), always);
    format!(
        "action \"{name}\" in [\"{group}\"] appliesTo {{ principal: [Key, User, System, Agent], resource: [{resource}], \
         context: {{ {context} }} }};"
    )
}

/// The path's parameters that do not name the resource, always given: a rule that looks at one
/// which the caller forgot fails, and so denies.
fn operation_context(operation: Operation) -> String {
    let own = operation.resource().parameter();
    let parameters = operation.path().split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let attributes = parameters.filter(|parameter| Some(*parameter) != own).map(|parameter| {
        let kind = if matches!(parameter, "version" | "revision") { "Long" } else { "String" };
        format!("{parameter}: {kind}")
    });
    attributes.collect::<Vec<_>>().join(", ")
}

fn both(own: &str, always: &str) -> String {
    if own.is_empty() { always.to_owned() } else { format!("{own}, {always}") }
}

fn grant_line(action: GrantAction, always: &str) -> String {
    let (resource, context) = grant_form(action);
    let context = both(context, always);
    format!(
        "action \"{}\" in [\"{}\"] appliesTo {{ principal: [Agent], resource: [{}], context: {{ {context} }} }};",
        action.as_str(),
        GrantAction::GROUP,
        resource.as_str()
    )
}

/// `local_hour` and `local_weekday` are the request's moment in the time zone of the governance
/// record; `last_minute` and `last_hour` say how often the intent was allowed in that time before
/// this one; `document` holds what was said about the intent, one tag for each field.
fn intent_line(action: IntentAction, always: &str) -> String {
    let own =
        format!("local_hour: Long, local_weekday: String, last_minute: Long, last_hour: Long, {SAID}: {DOCUMENT}");
    format!(
        "action \"{}\" in [\"{}\"] appliesTo {{ principal: [Key, User, System, Agent], resource: [{}], \
         context: {{ {} }} }};",
        action.as_str(),
        IntentAction::GROUP,
        ResourceType::Intent.as_str(),
        both(&own, always)
    )
}

/// What the action is done to, and what is known when it is decided.
///
/// `hidden` says that nobody on the way reads what is said, because it is TLS or plain bytes;
/// `private_address` is set when a name turned out to lie at an address that is not public;
/// `method` and `path` are set once the request is known.
const fn grant_form(action: GrantAction) -> (ResourceType, &'static str) {
    match action {
        GrantAction::Connect => (
            ResourceType::Host,
            "port: Long, protocol: String, websocket: Bool, hidden: Bool, method?: String, path?: String, \
             private_address?: __cedar::ipaddr",
        ),
        GrantAction::CallTool => (ResourceType::Tool, ""),
        GrantAction::UseModel => (ResourceType::Model, ""),
        GrantAction::InvokeAgent => (ResourceType::Agent, ""),
        GrantAction::UseSecret => (ResourceType::Secret, "host: String, port: Long"),
        GrantAction::ReadPath | GrantAction::WritePath => (ResourceType::Volume, "path: String"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_parses_without_warnings_and_names_every_action() {
        let (schema, warnings) = Schema::from_cedarschema_str(schema_text()).unwrap();
        assert_eq!(warnings.map(|warning| warning.to_string()).collect::<Vec<_>>(), Vec::<String>::new());
        let known: Vec<String> = schema.actions().map(|uid| uid.id().unescaped().to_owned()).collect();
        for action in crate::ActionName::all() {
            assert!(known.iter().any(|name| name == action.as_str()), "{action}");
            assert!(known.iter().any(|name| name == action.group()), "{}", action.group());
        }
    }

    #[test]
    fn what_the_path_says_beside_the_resource_is_context() {
        assert!(schema_text().contains("\"endpoint_set\" in [\"administer\"] appliesTo"));
        assert_eq!(operation_context(Operation::EndpointSet), "endpoint: String");
        assert_eq!(operation_context(Operation::VersionView), "version: Long");
        assert_eq!(operation_context(Operation::AgentView), "");
    }
}
