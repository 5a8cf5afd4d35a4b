//! Questions to the policy that come from outside, read into the policy's own words.

use std::collections::BTreeMap;

use aegis_model::api::{PolicyAsk, PolicyResource, PolicySubject};
use aegis_model::{AgentName, Caller, Code, Fault};
use aegis_policy::{ActionName, ContextValue, GrantAction, Request, Resource, ResourceType, Subject, SubjectKind};
use serde_json::Value;

/// Most circumstances of one question.
const CONTEXT_MAX: usize = 64;

/// A question with the agent whose grants count, if an agent would act.
pub struct Question {
    /// The question.
    pub request: Request,
    /// The agent, and the version whose grants count.
    pub agent: Option<(AgentName, Option<u64>)>,
}

/// Reads a question of `caller`, at `pointer` of the request's body. Subject and resource are
/// always of the caller's own tenant.
pub fn question(caller: &Caller, ask: &PolicyAsk, pointer: &str) -> Result<Question, Fault> {
    let action = ActionName::by_name(&ask.action).ok_or_else(|| no_such_action(&ask.action, pointer))?;
    let (subject, agent) = subject(caller, ask.subject.as_ref());
    let resource = resource(caller, ask.resource.as_ref(), pointer)?;
    let context = with_defaults(action, context(&ask.context, pointer)?);
    Ok(Question {
        request: Request {
            subject,
            action,
            resource,
            context,
            at: ask.at,
            counts: ask.counts.clone(),
            document: BTreeMap::new(),
        },
        agent,
    })
}

fn no_such_action(action: &str, pointer: &str) -> Fault {
    let shown: String = action.chars().take(80).flat_map(char::escape_debug).collect();
    let known: Vec<&str> = ActionName::all().map(ActionName::as_str).collect();
    Fault::new(Code::Validation, format!("there is no action `{shown}`"))
        .at(&format!("{pointer}/action"))
        .with("known", known)
}

/// Who would act, and whose grants would count.
fn subject(caller: &Caller, asked: Option<&PolicySubject>) -> (Subject, Option<(AgentName, Option<u64>)>) {
    let tenant = caller.tenant.clone();
    match asked {
        None => (Subject::from(caller), None),
        Some(PolicySubject::Key { role, id }) => {
            let id = id.as_ref().map_or("any", |id| id.as_str()).to_owned();
            (Subject { kind: SubjectKind::Key, id, tenant, role: Some(*role) }, None)
        }
        Some(PolicySubject::Agent { name, version }) => {
            let subject = Subject { kind: SubjectKind::Agent, id: name.to_string(), tenant, role: None };
            (subject, Some((name.clone(), *version)))
        }
    }
}

fn resource(caller: &Caller, asked: Option<&PolicyResource>, pointer: &str) -> Result<Resource, Fault> {
    let Some(asked) = asked else {
        return Ok(Resource::tenant(&caller.tenant));
    };
    let kind = ResourceType::ALL.into_iter().find(|kind| kind.as_str() == asked.kind).ok_or_else(|| {
        let known = ResourceType::ALL.map(ResourceType::as_str).join("`, `");
        Fault::new(Code::Validation, format!("`type` must be one of `{known}`")).at(&format!("{pointer}/resource/type"))
    })?;
    Ok(Resource { kind, id: asked.id.clone(), tenant: caller.tenant.clone() })
}

fn context(asked: &BTreeMap<String, Value>, pointer: &str) -> Result<BTreeMap<String, ContextValue>, Fault> {
    if asked.len() > CONTEXT_MAX {
        return Err(
            Fault::new(Code::Validation, "a question has at most 64 circumstances").at(&format!("{pointer}/context"))
        );
    }
    let read = |(name, value): (&String, &Value)| match serde_json::from_value(value.clone()) {
        Ok(read) => Ok((name.clone(), read)),
        Err(_) => {
            let rule = "a circumstance is a boolean, a whole number, a text or a list of texts";
            let name = name.replace('~', "~0").replace('/', "~1");
            Err(Fault::new(Code::Validation, rule).at(&format!("{pointer}/context/{name}")))
        }
    };
    asked.iter().map(read).collect()
}

/// What a question leaves out is taken as the ordinary case: HTTPS, no WebSocket.
fn with_defaults(action: ActionName, mut context: BTreeMap<String, ContextValue>) -> BTreeMap<String, ContextValue> {
    if action == ActionName::Grant(GrantAction::Connect) {
        context.entry("port".to_owned()).or_insert(ContextValue::Long(443));
        context.entry("protocol".to_owned()).or_insert_with(|| ContextValue::Text("http".to_owned()));
        context.entry("websocket".to_owned()).or_insert(ContextValue::Bool(false));
        let read = context.contains_key("method") || context.contains_key("path");
        context.entry("hidden".to_owned()).or_insert(ContextValue::Bool(!read));
    }
    context
}
