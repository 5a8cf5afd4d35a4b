//! What is put to Cedar fits the schema that rules are checked against: for every action, every
//! kind of principal and every kind of resource it can be done to.

use std::collections::BTreeMap;

use aegis_model::governance::Number;
use cedar_policy::{Entities, Schema};

use super::{agent, key, request, tenant, text, thing};
use crate::facts::Facts;
use crate::looks::Looks;
use crate::schema::schema_text;
use crate::{ActionName, ContextValue, FieldValue, Request, Resource, ResourceType, Subject, SubjectKind};
use aegis_model::{Role, Timestamp};

fn schema() -> Schema {
    Schema::from_cedarschema_str(schema_text()).unwrap().0
}

/// The request in Cedar's terms, checked against the schema.
fn conforms(asked: &Request) -> Result<(), String> {
    let schema = schema();
    let facts = Facts::of(asked, Looks { time: true, counters: false }).map_err(|error| error.to_string())?;
    Entities::from_entities(facts.entities.iter().cloned(), Some(&schema)).map_err(|error| error.to_string())?;
    let context = facts.request.context().unwrap().clone();
    let parts = (facts.principal.uid, facts.action.uid, facts.resource.uid);
    cedar_policy::Request::new(parts.0, parts.1, parts.2, context, Some(&schema))
        .map(drop)
        .map_err(|error| error.to_string())
}

fn subjects(action: ActionName) -> Vec<Subject> {
    let system = Subject { kind: SubjectKind::System, id: "system".to_owned(), ..key(Role::PlatformAdmin) };
    match action {
        ActionName::Operation(_) => vec![key(Role::Viewer), system, agent("triage")],
        ActionName::Grant(_) => vec![agent("triage")],
        ActionName::Intent(_) => vec![key(Role::Operator), system, agent("triage")],
    }
}

fn resource_for(action: ActionName) -> Resource {
    match action {
        ActionName::Operation(operation) => match ResourceType::from(operation.resource()) {
            ResourceType::Tenant => Resource::tenant(&tenant("acme")),
            kind => thing(kind, "one"),
        },
        ActionName::Intent(_) => thing(ResourceType::Intent, "billing/refund"),
        ActionName::Grant(grant) => {
            use crate::GrantAction::{CallTool, Connect, InvokeAgent, ReadPath, UseModel, UseSecret, WritePath};
            match grant {
                Connect => thing(ResourceType::Host, "api.github.com"),
                CallTool => thing(ResourceType::Tool, "mcp:github/search"),
                UseModel => thing(ResourceType::Model, "m"),
                InvokeAgent => thing(ResourceType::Agent, "summarizer"),
                UseSecret => thing(ResourceType::Secret, "s"),
                ReadPath | WritePath => thing(ResourceType::Volume, "v"),
            }
        }
    }
}

/// What the caller gives: for an operation, whatever its path says beside the resource.
fn context_for(action: ActionName) -> Vec<(&'static str, ContextValue)> {
    if let ActionName::Operation(operation) = action {
        let parameters = operation.path().split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let beside = parameters.filter(|name| Some(*name) != operation.resource().parameter());
        return beside
            .map(|name| (name, if matches!(name, "version" | "revision") { ContextValue::Long(1) } else { text("x") }))
            .collect();
    }
    let address = ContextValue::Address { address: "10.1.2.3".parse().unwrap() };
    match action.as_str() {
        "connect" => vec![
            ("port", ContextValue::Long(443)),
            ("protocol", text("http")),
            ("websocket", ContextValue::Bool(false)),
            ("hidden", ContextValue::Bool(false)),
            ("method", text("GET")),
            ("path", text("/")),
            ("private_address", address),
        ],
        "use_secret" => vec![("host", text("api.github.com")), ("port", ContextValue::Long(443))],
        "read_path" | "write_path" => vec![("path", text("/data"))],
        "fulfil" => vec![
            ("local_hour", ContextValue::Long(23)),
            ("local_weekday", text("mon")),
            ("last_minute", ContextValue::Long(0)),
            ("last_hour", ContextValue::Long(0)),
        ],
        _ => Vec::new(),
    }
}

/// A field of every kind.
fn document_for(action: ActionName) -> BTreeMap<String, FieldValue> {
    let number = Number { whole: -1, billionths: 5 };
    let fields = [
        ("flag", FieldValue::Flag(true)),
        ("number", FieldValue::Number(number)),
        ("text", FieldValue::Text("a".to_owned())),
        ("texts", FieldValue::Texts(["a".to_owned()].into())),
        ("numbers", FieldValue::Numbers([number].into())),
        ("empty", FieldValue::EmptyList),
        ("user.id", FieldValue::Other),
    ];
    let about_intents = matches!(action, ActionName::Intent(_));
    fields.into_iter().filter(|_| about_intents).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn every_request_fits_the_schema() {
    for action in ActionName::all() {
        for subject in subjects(action) {
            let mut asked = request(subject, action, resource_for(action));
            asked.context = context_for(action).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            asked.at = Some(Timestamp::from_millis(1_000));
            asked.document = document_for(action);
            assert_eq!(conforms(&asked), Ok(()), "{asked:?}");
        }
    }
}

#[test]
fn the_check_of_requests_can_fail() {
    let action = ActionName::by_name("endpoint_set").unwrap();
    assert!(conforms(&request(key(Role::Admin), action, resource_for(action))).is_err());
}
