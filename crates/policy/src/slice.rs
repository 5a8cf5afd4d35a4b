//! Rules laid out so that a request looks only at those whose scope can match.
//!
//! Every rule lies in the bucket of what it demands of principal, action and resource. A
//! request opens the buckets of everything that its principal, action and resource are or lie
//! in. Each bucket is a small Cedar set that was built beforehand; nothing is built per request.
//!
//! INVARIANT: a rule whose scope Cedar would find to match lies in a bucket that is opened.
//! A rule too many costs time only: Cedar still checks its whole scope.

use std::collections::HashMap;

use cedar_policy::{EntityTypeName, EntityUid, Policy, PolicySet, PolicySetError};

use crate::facts::{Facts, Place};
use crate::scope::{Demand, Scope};

/// The number of a demand in its dimension.
type Number = u32;
/// The number of "demands nothing", and of "every action".
const ANY: Number = 0;

/// One dimension: what rules demand of the principal, say, each demand with a number.
#[derive(Debug, Default)]
struct Dimension {
    types: HashMap<EntityTypeName, Number>,
    things: HashMap<EntityUid, Number>,
}

impl Dimension {
    fn next(&self) -> Number {
        // Demands come from rules; four thousand million of them do not fit into memory.
        Number::try_from(self.types.len() + self.things.len() + 1).unwrap_or(ANY)
    }

    fn number_of_type(&mut self, kind: &EntityTypeName) -> Number {
        let next = self.next();
        *self.types.entry(kind.clone()).or_insert(next)
    }

    fn number_of_thing(&mut self, uid: &EntityUid) -> Number {
        let next = self.next();
        *self.things.entry(uid.clone()).or_insert(next)
    }

    /// "Is this" and "lies in this" share a number, and so do "lies in this" with and without
    /// a type: it only opens a bucket too many.
    fn number(&mut self, demand: &Demand) -> Number {
        match demand {
            Demand::Any => ANY,
            Demand::Type(kind) => self.number_of_type(kind),
            Demand::Equal(uid) | Demand::Within(uid) | Demand::TypeWithin(_, uid) => self.number_of_thing(uid),
        }
    }

    /// The numbers of all demands that the thing may meet.
    fn met_by(&self, place: &Place) -> Vec<Number> {
        let things = std::iter::once(&place.uid).chain(&place.above);
        let by_thing = things.filter_map(|uid| self.things.get(uid));
        let by_type = self.types.get(place.uid.type_name());
        std::iter::once(&ANY).chain(by_type).chain(by_thing).copied().collect()
    }
}

/// All rules of a set, laid out by scope.
#[derive(Debug, Default)]
pub(crate) struct Slices {
    principals: Dimension,
    actions: Dimension,
    resources: Dimension,
    buckets: HashMap<(Number, Number, Number), PolicySet>,
}

impl Slices {
    /// Lays a rule out.
    ///
    /// # Errors
    /// When Cedar does not take it, for instance because its id is already there.
    pub(crate) fn insert(&mut self, policy: &Policy, scope: &Scope) -> Result<(), Box<PolicySetError>> {
        let principal = self.principals.number(&scope.principal);
        let resource = self.resources.number(&scope.resource);
        let actions = match &scope.actions {
            None => vec![ANY],
            Some(actions) => actions.iter().map(|action| self.actions.number_of_thing(action)).collect(),
        };
        for action in actions {
            self.buckets.entry((principal, action, resource)).or_default().add(policy.clone())?;
        }
        Ok(())
    }

    /// Calls `look` with every bucket that holds rules whose scope can match.
    pub(crate) fn open(&self, facts: &Facts, mut look: impl FnMut(&PolicySet)) {
        let principals = self.principals.met_by(&facts.principal);
        let resources = self.resources.met_by(&facts.resource);
        for action in self.actions.met_by(&facts.action) {
            for principal in &principals {
                for resource in &resources {
                    if let Some(bucket) = self.buckets.get(&(*principal, action, *resource)) {
                        look(bucket);
                    }
                }
            }
        }
    }

    /// How many buckets there are.
    #[cfg(test)]
    pub(crate) fn buckets(&self) -> usize {
        self.buckets.len()
    }
}
