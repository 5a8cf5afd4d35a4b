//! The scope of a rule: for which principals, actions and resources its condition is looked
//! at all. Must say "may match" whenever Cedar says so, or slicing would lose a rule.

use cedar_policy::{ActionConstraint, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};

use crate::entity::Names;
use crate::facts::Place;

/// What a rule demands of its principal or its resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Nothing.
    Any,
    /// To be of a type.
    Type(EntityTypeName),
    /// To be this very thing.
    Equal(EntityUid),
    /// To lie in this thing, or to be it.
    Within(EntityUid),
    /// To be of a type and to lie in this thing.
    TypeWithin(EntityTypeName, EntityUid),
}

/// The scope of a rule.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) principal: Demand,
    /// The actions themselves, groups already opened; `None` is every action.
    pub(crate) actions: Option<Vec<EntityUid>>,
    pub(crate) resource: Demand,
}

impl Demand {
    /// Whether the thing is what is demanded.
    pub(crate) fn met_by(&self, place: &Place) -> bool {
        let within = |uid: &EntityUid| place.uid == *uid || place.above.contains(uid);
        match self {
            Self::Any => true,
            Self::Type(kind) => place.uid.type_name() == kind,
            Self::Equal(uid) => place.uid == *uid,
            Self::Within(uid) => within(uid),
            Self::TypeWithin(kind, uid) => place.uid.type_name() == kind && within(uid),
        }
    }
}

impl From<PrincipalConstraint> for Demand {
    fn from(constraint: PrincipalConstraint) -> Self {
        match constraint {
            PrincipalConstraint::Any => Self::Any,
            PrincipalConstraint::Is(kind) => Self::Type(kind),
            PrincipalConstraint::Eq(uid) => Self::Equal(uid),
            PrincipalConstraint::In(uid) => Self::Within(uid),
            PrincipalConstraint::IsIn(kind, uid) => Self::TypeWithin(kind, uid),
        }
    }
}

impl From<ResourceConstraint> for Demand {
    fn from(constraint: ResourceConstraint) -> Self {
        match constraint {
            ResourceConstraint::Any => Self::Any,
            ResourceConstraint::Is(kind) => Self::Type(kind),
            ResourceConstraint::Eq(uid) => Self::Equal(uid),
            ResourceConstraint::In(uid) => Self::Within(uid),
            ResourceConstraint::IsIn(kind, uid) => Self::TypeWithin(kind, uid),
        }
    }
}

impl Scope {
    /// The scope of a rule.
    pub(crate) fn of(policy: &Policy) -> Self {
        Self {
            principal: policy.principal_constraint().into(),
            actions: opened(policy.action_constraint()),
            resource: policy.resource_constraint().into(),
        }
    }

    /// Whether the action is one of the rule's.
    pub(crate) fn names_action(&self, action: &Place) -> bool {
        self.actions.as_ref().is_none_or(|actions| actions.contains(&action.uid))
    }
}

/// Opens groups: the actions that a request could name and that meet the constraint.
fn opened(constraint: ActionConstraint) -> Option<Vec<EntityUid>> {
    let known = Names::get().actions().iter();
    match constraint {
        ActionConstraint::Any => None,
        ActionConstraint::Eq(uid) => Some(vec![uid]),
        ActionConstraint::In(uids) => {
            let meets = known.filter(|action| uids.contains(&action.uid) || uids.contains(&action.group));
            Some(meets.map(|action| action.uid.clone()).collect())
        }
    }
}
