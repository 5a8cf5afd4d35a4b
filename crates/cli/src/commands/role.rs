//! Roles as they are typed.

use aegis_model::Role;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Reads a role.
pub(crate) fn parser() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str))
        .try_map(|text| Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or("not a role"))
}
