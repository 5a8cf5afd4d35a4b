//! What the policy promises, tested from outside its modules. Shared: how a test asks.

mod approvals;
mod compile;
mod counters;
mod differential;
mod explain;
mod governance;
mod grants;
mod narrowing;
mod reasons;
mod roles;
mod schema;
mod time;

use std::collections::BTreeMap;

use aegis_model::decision::{PolicyLayer, ReasonClass};
use aegis_model::{Role, TenantId};

use crate::{
    ActionName, ContextValue, PolicySet, PolicySource, Request, Resource, ResourceType, Sets, Subject, SubjectKind,
    Verdict, decide, default_tenant_policies, platform_rules,
};

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn key(role: Role) -> Subject {
    Subject { kind: SubjectKind::Key, id: "key-1".to_owned(), tenant: tenant("acme"), role: Some(role) }
}

fn agent(name: &str) -> Subject {
    Subject { kind: SubjectKind::Agent, id: name.to_owned(), tenant: tenant("acme"), role: None }
}

fn thing(kind: ResourceType, id: &str) -> Resource {
    Resource { kind, id: id.to_owned(), tenant: tenant("acme") }
}

fn request(subject: Subject, action: impl Into<ActionName>, resource: Resource) -> Request {
    Request {
        subject,
        action: action.into(),
        resource,
        context: BTreeMap::new(),
        at: None,
        counts: BTreeMap::new(),
        document: BTreeMap::new(),
    }
}

fn text(value: &str) -> ContextValue {
    ContextValue::Text(value.to_owned())
}

fn source(id: &str, text: &str) -> PolicySource {
    PolicySource { id: id.to_owned(), text: text.to_owned() }
}

fn compiled(layer: PolicyLayer, sources: &[PolicySource]) -> PolicySet {
    match PolicySet::compile(layer, sources) {
        Ok(set) => set,
        Err(problems) => panic!("{problems:#?}"),
    }
}

/// The house's own rules, a tenant's rules, and an agent's grants.
struct House {
    platform: PolicySet,
    tenant: PolicySet,
    grants: Option<PolicySet>,
}

impl House {
    fn new() -> Self {
        let platform = compiled(PolicyLayer::Platform, &platform_rules());
        Self { platform, tenant: compiled(PolicyLayer::Tenant, &default_tenant_policies()), grants: None }
    }

    fn with_tenant(self, text: &str) -> Self {
        let mut sources = default_tenant_policies();
        sources.push(source("own", text));
        Self { tenant: compiled(PolicyLayer::Tenant, &sources), ..self }
    }

    fn with_grants(self, sources: &[PolicySource]) -> Self {
        Self { grants: Some(compiled(PolicyLayer::Grants, sources)), ..self }
    }

    fn sets(&self) -> Sets<'_> {
        Sets { platform: &self.platform, tenant: &self.tenant, grants: self.grants.as_ref() }
    }

    fn decide(&self, request: &Request) -> Verdict {
        decide(&self.sets(), request)
    }

    fn class(&self, request: &Request) -> ReasonClass {
        let verdict = self.decide(request);
        assert_eq!(verdict.allowed, verdict.class == ReasonClass::Permitted, "{verdict:?}");
        verdict.class
    }
}
