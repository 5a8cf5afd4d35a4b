//! The rules that come with the house. Roles are policies like any other, generated from the
//! table of operations' groups. Must not know what a tenant adds.

use aegis_model::operation::ActionGroup;
use aegis_model::{Operation, Role};

use crate::action::{GrantAction, IntentAction};
use crate::quote::literal;
use crate::set::PolicySource;

/// What a role may do: every group up to its own strength.
const fn groups_of(role: Role) -> &'static [ActionGroup] {
    use ActionGroup::{Administer, Operate, Platform, Read};
    match role {
        Role::Viewer => &[Read],
        Role::Operator => &[Read, Operate],
        Role::Admin => &[Read, Operate, Administer],
        Role::PlatformAdmin => &[Read, Operate, Administer, Platform],
    }
}

/// The installation's own rules: roles, what agents may ask for at all, and the wall between
/// tenants. Of the API, an agent may do what is there for agents, and ask who it is.
pub fn platform_rules() -> Vec<PolicySource> {
    let roles = Role::ALL.into_iter().map(role_rule);
    let agents = PolicySource {
        id: "agents".to_owned(),
        text: format!(
            "// Whatever leaves a box needs a grant as well.\n\
             permit (principal is Agent, action in Action::{}, resource);\n",
            literal(GrantAction::GROUP)
        ),
    };
    let inside = PolicySource {
        id: "inside".to_owned(),
        text: format!(
            "// At the door of its box, an agent may do what is there for agents, and ask who it is.\n\
             permit (principal is Agent, action in [Action::{}, Action::{}], resource);\n",
            literal(ActionGroup::Inside.as_str()),
            literal(Operation::IdentityView.as_str())
        ),
    };
    let wall = PolicySource {
        id: "tenants".to_owned(),
        text: "// Nobody acts outside their own tenant, whatever any other rule says.\n\
               forbid (principal, action, resource) unless { resource.tenant == principal.tenant };\n"
            .to_owned(),
    };
    roles.chain([agents, inside, wall]).collect()
}

fn role_rule(role: Role) -> PolicySource {
    let name = role.as_str();
    // Whoever may work may fulfil what the tenant's governance records allow.
    let intents = groups_of(role).contains(&ActionGroup::Operate).then_some(IntentAction::GROUP);
    let groups: Vec<String> = groups_of(role)
        .iter()
        .map(|group| group.as_str())
        .chain(intents)
        .map(|group| format!("Action::{}", literal(group)))
        .collect();
    let text = format!("permit (principal in Role::{}, action in [{}], resource);\n", literal(name), groups.join(", "));
    PolicySource { id: format!("role-{name}"), text }
}

/// What a tenant begins with: everybody of the tenant may do within it what the other sets
/// allow. The tenant narrows it by forbids, or replaces it.
pub fn default_tenant_policies() -> Vec<PolicySource> {
    let text = "// Everybody of this tenant, within this tenant. Roles and grants still have to allow it.\n\
                permit (principal, action, resource) when { resource.tenant == principal.tenant };\n";
    vec![PolicySource { id: "own-tenant".to_owned(), text: text.to_owned() }]
}

/// What holds where a tenant's own set cannot be used: admins may look at it, and put another
/// one in force.
pub fn rescue_policies() -> Vec<PolicySource> {
    let operations = [
        Operation::PolicyList,
        Operation::PolicyRevisionList,
        Operation::PolicyRevisionView,
        Operation::PolicyDiff,
        Operation::PolicyApply,
        Operation::PolicyRollback,
    ];
    let actions: Vec<String> = operations.iter().map(|name| format!("Action::{}", literal(name.as_str()))).collect();
    let text = format!(
        "// The tenant's own policies cannot be used; whoever administers it may mend them.\n\
         permit (principal, action in [{}], resource) when {{ resource.tenant == principal.tenant }};\n",
        actions.join(", ")
    );
    vec![PolicySource { id: "rescue".to_owned(), text }]
}
