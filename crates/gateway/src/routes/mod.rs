//! One file per resource; every handler asks the domain and maps its answer.

mod agent;
mod approval;
mod decision;
pub mod dispatch;
mod endpoint;
mod freeze;
mod governance;
mod identity;
mod inside;
mod intent;
mod invocation;
mod key;
mod ledger;
mod policy;
mod rotation;
mod run;
mod secret;
mod session;
mod tenant;
mod version;

use crate::route::Route;

/// All routes of the API.
pub fn all() -> Vec<Route> {
    let resources = [
        agent::routes(),
        version::routes(),
        endpoint::routes(),
        invocation::routes(),
        run::routes(),
        session::routes(),
        inside::routes(),
        key::routes(),
        identity::routes(),
        secret::routes(),
        rotation::routes(),
        tenant::routes(),
        policy::routes(),
        dispatch::routes(),
        intent::routes(),
        governance::routes(),
        approval::routes(),
        decision::routes(),
        ledger::routes(),
        freeze::routes(),
    ];
    resources.into_iter().flatten().collect()
}
