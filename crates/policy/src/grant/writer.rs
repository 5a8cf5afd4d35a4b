//! One permit per entry of a grant. Every text of the manifest goes through `quote`.
//! Must not know the manifest's own types.

use aegis_model::{AgentName, TenantId};

use super::path::{below_condition, url_condition};
use super::{GrantProblem, GrantRequest, NetworkGrant, PathAccess, PathGrant, SecretGrant, Transport};
use crate::action::GrantAction;
use crate::host;
use crate::quote::{literal, literal_set, pattern, prefix_pattern};
use crate::set::PolicySource;

/// What became of one entry: its field and its problem, if there is one.
pub(super) type Written<T = ()> = Result<T, (&'static str, String)>;

/// The entry cannot be granted, because of this field.
pub(super) fn refuse<T>(field: &'static str, message: &str) -> Written<T> {
    Err((field, message.to_owned()))
}

/// Writes one permit after the other.
pub(super) struct Writer<'a> {
    agent: &'a AgentName,
    tenant: &'a TenantId,
    sources: Vec<PolicySource>,
    problems: Vec<GrantProblem>,
}

impl<'a> Writer<'a> {
    /// Nothing written yet.
    pub(super) fn new(agent: &'a AgentName, tenant: &'a TenantId) -> Self {
        Self { agent, tenant, sources: Vec::new(), problems: Vec::new() }
    }

    /// Writes a permit for every entry.
    pub(super) fn write(mut self, request: &GrantRequest) -> Result<Vec<PolicySource>, Vec<GrantProblem>> {
        self.each("network", &request.network, Self::network);
        self.each("filesystem", &request.filesystem, Self::filesystem);
        self.each("tools", &request.tools, |writer, place, tool| writer.tool(place, tool));
        self.each("models", &request.models, |writer, place, model| writer.model(place, model));
        self.each("agents", &request.agents, |writer, place, agent| writer.agent(place, agent));
        self.each("secrets", &request.secrets, Self::secret);
        if self.problems.is_empty() { Ok(self.sources) } else { Err(self.problems) }
    }

    fn each<T>(&mut self, list: &str, entries: &[T], write: impl Fn(&mut Self, &str, &T) -> Written) {
        for (index, entry) in entries.iter().enumerate() {
            let place = format!("{list}/{index}");
            if let Err((field, message)) = write(self, &place, entry) {
                self.problems.push(GrantProblem { pointer: format!("/{place}{field}"), message });
            }
        }
    }

    /// Writes one permit. `resource` and `conditions` are Cedar, already quoted.
    fn permit(&mut self, id: &str, action: GrantAction, resource: &str, conditions: &[String]) {
        let mut text = format!(
            "permit (principal == Agent::{}, action == Action::{}, {resource})\nwhen {{\n  principal.tenant == Tenant::{}",
            literal(self.agent.as_str()),
            literal(action.as_str()),
            literal(self.tenant.as_str()),
        );
        for condition in conditions {
            text.push_str(" &&\n  ");
            text.push_str(condition);
        }
        text.push_str("\n};\n");
        self.sources.push(PolicySource { id: id.to_owned(), text });
    }

    /// One permit, or one per path: rules stay short, and the decision names the path.
    fn network(&mut self, place: &str, grant: &NetworkGrant) -> Written {
        let resource = host_scope(&grant.host)?;
        let judged = grant.transport == Transport::Http;
        if !judged && (grant.methods.is_some() || grant.paths.is_some() || grant.websocket) {
            return refuse("", "methods, paths and WebSockets can be judged only where TLS is opened and HTTP spoken");
        }
        let conditions = network_conditions(grant)?;
        if grant.ports.is_empty() || grant.methods.as_ref().is_some_and(Vec::is_empty) {
            return Ok(());
        }
        let Some(paths) = &grant.paths else {
            self.permit(place, GrantAction::Connect, &resource, &conditions);
            return Ok(());
        };
        for (index, path) in paths.iter().enumerate() {
            let mut conditions = conditions.clone();
            conditions.push(format!("context has path && {}", url_condition(path)?));
            self.permit(&format!("{place}/paths/{index}"), GrantAction::Connect, &resource, &conditions);
        }
        Ok(())
    }

    fn filesystem(&mut self, place: &str, grant: &PathGrant) -> Written {
        let plain = |segment: &str| !segment.is_empty() && !matches!(segment, "." | "..");
        if !grant.path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(plain)) {
            return refuse("/path", "it is not an absolute path of plain segments");
        }
        let resource = equal("Volume", &grant.volume);
        let conditions = [below_condition(&grant.path)];
        self.permit(&format!("{place}/read"), GrantAction::ReadPath, &resource, &conditions);
        if grant.access == PathAccess::Write {
            self.permit(&format!("{place}/write"), GrantAction::WritePath, &resource, &conditions);
        }
        Ok(())
    }

    fn tool(&mut self, place: &str, tool: &str) -> Written {
        let (resource, conditions) = match tool.strip_prefix("mcp:") {
            _ if tool.is_empty() => return refuse("", "it is empty"),
            None if tool.contains('*') => ("resource is Tool".to_owned(), plain_tools(tool)),
            None => (equal("Tool", tool), Vec::new()),
            Some(rest) => server_tools(tool, rest)?,
        };
        self.permit(place, GrantAction::CallTool, &resource, &conditions);
        Ok(())
    }

    fn model(&mut self, place: &str, model: &str) -> Written {
        if model.is_empty() {
            return refuse("", "it is empty");
        }
        if model.contains('*') {
            let condition = format!("resource.name like {}", pattern(model));
            self.permit(place, GrantAction::UseModel, "resource is Model", &[condition]);
        } else {
            self.permit(place, GrantAction::UseModel, &equal("Model", model), &[]);
        }
        Ok(())
    }

    fn agent(&mut self, place: &str, agent: &str) -> Written {
        if agent.parse::<AgentName>().is_err() {
            return refuse("", "it is not an agent's name");
        }
        self.permit(place, GrantAction::InvokeAgent, &equal("Agent", agent), &[]);
        Ok(())
    }

    fn secret(&mut self, place: &str, grant: &SecretGrant) -> Written {
        if grant.name.is_empty() {
            return refuse("/name", "it is empty");
        }
        if !host::is_normal(&grant.host) {
            return refuse("/inject/host", NOT_NORMAL);
        }
        let conditions =
            [format!("context.host == {}", literal(&grant.host)), format!("context.port == {}", grant.port)];
        self.permit(place, GrantAction::UseSecret, &equal("Secret", &grant.name), &conditions);
        Ok(())
    }
}

const NOT_NORMAL: &str = "it is not a host in normal form: lower-case labels, no port, no trailing dot";

fn equal(kind: &str, id: &str) -> String {
    format!("resource == {kind}::{}", literal(id))
}

/// A pattern of plain tools does not reach over to those of servers.
fn plain_tools(tool: &str) -> Vec<String> {
    let own = format!("resource.name like {}", pattern(tool));
    vec![own, format!("!(resource.name like {})", prefix_pattern("mcp:"))]
}

/// Scope and conditions of a tool of a server; `rest` is what stands behind `mcp:`.
fn server_tools(tool: &str, rest: &str) -> Written<(String, Vec<String>)> {
    match rest.split_once('/') {
        None | Some(("", _) | (_, "")) => refuse("", "it is not of the form `mcp:SERVER/TOOL`"),
        Some((server, _)) if server.contains('*') => refuse("", "a server is named in full"),
        Some((server, "*")) => Ok((format!("resource in Toolset::{}", literal(&format!("mcp:{server}"))), Vec::new())),
        Some((server, name)) if name.contains('*') => {
            let scope = format!("resource in Toolset::{}", literal(&format!("mcp:{server}")));
            Ok((scope, vec![format!("resource.name like {}", pattern(tool))]))
        }
        Some(_) => Ok((equal("Tool", tool), Vec::new())),
    }
}

fn host_scope(granted: &str) -> Written<String> {
    let Some(domain) = granted.strip_prefix("*.") else {
        return if host::is_normal(granted) { Ok(equal("Host", granted)) } else { refuse("/host", NOT_NORMAL) };
    };
    if !host::is_normal(domain) || host::ends_in_number(domain) {
        return refuse("/host", NOT_NORMAL);
    }
    if !domain.contains('.') {
        return refuse("/host", "a wildcard over a whole top-level domain is not granted");
    }
    Ok(format!("resource in Domain::{}", literal(domain)))
}

/// Only a named range reaches an address that is not public.
fn address_condition(cidr: Option<&str>) -> Written<String> {
    let Some(cidr) = cidr else {
        return Ok("!(context has private_address)".to_owned());
    };
    if cidr.parse::<aegis_model::manifest::Cidr>().is_err() {
        return refuse("/cidr", "it is not a private range of addresses");
    }
    Ok(format!(
        "(if context has private_address then context.private_address.isInRange(ip({})) else true)",
        literal(cidr)
    ))
}

fn network_conditions(grant: &NetworkGrant) -> Written<Vec<String>> {
    let ports: Vec<String> = grant.ports.iter().map(u16::to_string).collect();
    let mut conditions = vec![
        format!("[{}].contains(context.port)", ports.join(", ")),
        format!("context.protocol == {}", literal(grant.transport.as_str())),
        address_condition(grant.cidr.as_deref())?,
    ];
    if !grant.websocket {
        conditions.push("!context.websocket".to_owned());
    }
    if let Some(methods) = &grant.methods {
        let methods = literal_set(methods.iter().map(String::as_str));
        conditions.push(format!("context has method && {methods}.contains(context.method)"));
    }
    Ok(conditions)
}
