//! A request as Cedar sees it: made once, looked at by every set.
//! Must not know policies.

use aegis_model::Timestamp;
use cedar_policy::{Context, Entities, Entity, EntityUid, RestrictedExpression};

use crate::action::ActionName;
use crate::document::{self, SAID};
use crate::entity::{Names, toolset_of};
use crate::host;
use crate::looks::{COUNTS, HOUR, Looks, NOW, WEEKDAY};
use crate::request::{ContextValue, Request, Resource, ResourceType, Subject, SubjectKind};

/// A principal or a resource with everything it lies in.
pub(crate) struct Place {
    /// The thing itself.
    pub(crate) uid: EntityUid,
    /// Everything it lies in, near and far, without itself.
    pub(crate) above: Vec<EntityUid>,
}

/// A request as Cedar sees it.
pub(crate) struct Facts {
    pub(crate) request: cedar_policy::Request,
    pub(crate) entities: Entities,
    pub(crate) principal: Place,
    pub(crate) action: Place,
    pub(crate) resource: Place,
}

/// A request that cannot be put to Cedar; it is denied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request cannot be judged: {0}")]
pub(crate) struct Unjudgeable(String);

fn unjudgeable(cause: impl std::fmt::Display) -> Unjudgeable {
    Unjudgeable(cause.to_string())
}

impl Facts {
    /// Puts the request into Cedar's terms; of time and counters only what is looked at.
    ///
    /// # Errors
    /// When Cedar refuses a value; the caller denies.
    pub(crate) fn of(asked: &Request, looks: Looks) -> Result<Self, Unjudgeable> {
        let names = Names::get();
        let action = names.action(asked.action).ok_or_else(|| unjudgeable("the action is not in the table"))?;
        let own_tenant = names.resource(ResourceType::Tenant, asked.subject.tenant.as_str());
        let principal = principal_place(names, &asked.subject, &own_tenant);
        let owner = names.resource(ResourceType::Tenant, owner_of(&asked.resource));
        let resource = resource_place(names, asked, &owner);

        // INVARIANT: no rule looks further than the attributes of principal and resource and the
        // tags of the document (the compiler checks it), so no other entity is needed, their
        // tenants' neither.
        let mut things = vec![entity(&principal, &asked.subject.id, &own_tenant)?, action.entity.clone()];
        if resource.uid != principal.uid {
            things.push(entity(&resource, &asked.resource.id, &owner)?);
        }
        let document = matches!(asked.action, ActionName::Intent(_)).then(|| names.document());
        if let Some(document) = &document {
            things.push(document::entity(document, &asked.document).map_err(unjudgeable)?);
        }
        let action = Place { uid: action.uid.clone(), above: vec![action.group.clone()] };
        let context = context(asked, looks, document)?;
        let uids = (principal.uid.clone(), action.uid.clone(), resource.uid.clone());
        let request = cedar_policy::Request::new(uids.0, uids.1, uids.2, context, None).map_err(unjudgeable)?;
        // Adding to an empty store is measurably cheaper than making a store.
        let entities = Entities::empty().add_entities(things, None).map_err(unjudgeable)?;
        Ok(Self { request, entities, principal, action, resource })
    }
}

/// A tenant belongs to itself, whatever the request claims.
fn owner_of(resource: &Resource) -> &str {
    match resource.kind {
        ResourceType::Tenant => &resource.id,
        _ => resource.tenant.as_str(),
    }
}

fn principal_place(names: &Names, subject: &Subject, tenant: &EntityUid) -> Place {
    let role = subject.role.filter(|_| subject.kind != SubjectKind::Agent);
    let above = std::iter::once(tenant.clone()).chain(role.map(|role| names.role(role))).collect();
    Place { uid: names.subject(subject.kind, &subject.id), above }
}

/// Names are unique within a tenant only. Another tenant's thing gets a name that none of
/// one's own can have, so that it is never taken for the principal or for one's own thing.
fn resource_place(names: &Names, asked: &Request, owner: &EntityUid) -> Place {
    let resource = &asked.resource;
    let foreign = resource.kind != ResourceType::Tenant && resource.tenant != asked.subject.tenant;
    let uid = match foreign {
        true => names.resource(resource.kind, &format!("{}/{}", resource.tenant, resource.id)),
        false => names.resource(resource.kind, &resource.id),
    };
    let mut above = match resource.kind {
        ResourceType::Tenant => Vec::new(),
        _ => vec![owner.clone()],
    };
    match resource.kind {
        ResourceType::Host => above.extend(host::domains(&resource.id).map(|domain| names.domain(domain))),
        ResourceType::Tool => above.extend(toolset_of(&resource.id).map(|toolset| names.toolset(toolset))),
        _ => {}
    }
    Place { uid, above }
}

fn entity(place: &Place, name: &str, tenant: &EntityUid) -> Result<Entity, Unjudgeable> {
    let attributes = [
        ("name".to_owned(), RestrictedExpression::new_string(name.to_owned())),
        ("tenant".to_owned(), RestrictedExpression::new_entity_uid(tenant.clone())),
    ];
    // This constructor takes what it is given as it is; `Entity::new` wants it hashed first.
    Entity::new_with_tags(place.uid.clone(), attributes, place.above.iter().cloned(), []).map_err(unjudgeable)
}

/// Cedar takes no name twice, so that nothing in the request's own context can stand for the
/// time, for a counter or for the document beside the true one.
fn context(asked: &Request, looks: Looks, document: Option<EntityUid>) -> Result<Context, Unjudgeable> {
    let at = asked.at.filter(|_| looks.time);
    if asked.context.is_empty() && at.is_none() && !looks.counters && document.is_none() {
        return Ok(Context::empty());
    }
    let own = asked.context.iter().map(|(name, value)| (name.clone(), expression(value)));
    let time = at.into_iter().flat_map(time);
    let counts = looks.counters.then(|| counts(asked)).transpose()?;
    let document = document.map(|uid| (SAID.to_owned(), RestrictedExpression::new_entity_uid(uid)));
    Context::from_pairs(own.chain(time).chain(counts).chain(document)).map_err(unjudgeable)
}

fn time(at: Timestamp) -> [(String, RestrictedExpression); 3] {
    // An hour is at most 23.
    let hour = i64::try_from(at.hour()).unwrap_or_default();
    [
        (NOW.to_owned(), RestrictedExpression::new_datetime(at.to_string())),
        (HOUR.to_owned(), RestrictedExpression::new_long(hour)),
        (WEEKDAY.to_owned(), RestrictedExpression::new_string(at.weekday().as_str().to_owned())),
    ]
}

fn counts(asked: &Request) -> Result<(String, RestrictedExpression), Unjudgeable> {
    let pairs = asked.counts.iter().map(|(name, count)| (name.clone(), RestrictedExpression::new_long(*count)));
    let record = RestrictedExpression::new_record(pairs).map_err(unjudgeable)?;
    Ok((COUNTS.to_owned(), record))
}

fn expression(value: &ContextValue) -> RestrictedExpression {
    match value {
        ContextValue::Bool(value) => RestrictedExpression::new_bool(*value),
        ContextValue::Long(value) => RestrictedExpression::new_long(*value),
        ContextValue::Address { address } => RestrictedExpression::new_ip(address.to_string()),
        ContextValue::Text(value) => RestrictedExpression::new_string(value.clone()),
        ContextValue::TextSet(values) => {
            RestrictedExpression::new_set(values.iter().cloned().map(RestrictedExpression::new_string))
        }
    }
}
