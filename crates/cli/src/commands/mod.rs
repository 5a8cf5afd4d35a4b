//! The verbs, one file each. A verb asks, and shows the answer; it decides nothing.

pub(crate) mod agent;
pub(crate) mod approval;
pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod dispatch;
pub(crate) mod doctor;
mod duration;
pub(crate) mod endpoint;
pub(crate) mod freeze;
pub(crate) mod governance;
pub(crate) mod init;
pub(crate) mod intent;
pub(crate) mod invoke;
pub(crate) mod key;
mod listing;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod policy;
mod role;
pub(crate) mod run;
pub(crate) mod secret;
pub(crate) mod session;
pub(crate) mod tenant;
pub(crate) mod thaw;
pub(crate) mod up;
pub(crate) mod whoami;

use crate::app::Verb;
use crate::context::Context;
use crate::failure::Failure;

/// Carries a verb out.
pub(crate) fn perform(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Up(arguments) => up::run(context, &arguments),
        Verb::Doctor(arguments) => doctor::run(context, &arguments),
        Verb::Login(arguments) => login::run(context, &arguments),
        Verb::Logout(arguments) => logout::run(context, &arguments),
        Verb::Init(arguments) => init::run(context, &arguments),
        Verb::Invoke(arguments) => invoke::run(context, &arguments),
        Verb::Dispatch(arguments) => dispatch::run(context, &arguments),
        Verb::Intent(verb) => intent::run(context, verb),
        Verb::Governance(verb) => governance::run(context, verb),
        Verb::Run(verb) => run::run(context, verb),
        Verb::Session(verb) => session::run(context, verb),
        Verb::Agent(verb) => agent::run(context, verb),
        Verb::Endpoint(verb) => endpoint::run(context, verb),
        Verb::Key(verb) => key::run(context, verb),
        Verb::Secret(verb) => secret::run(context, verb),
        Verb::Tenant(verb) => tenant::run(context, verb),
        Verb::Policy(verb) => policy::run(context, verb),
        Verb::Approval(verb) => approval::run(context, verb),
        Verb::Audit(verb) => audit::run(context, verb),
        Verb::Freeze(arguments) => freeze::run(context, &arguments),
        Verb::Thaw(arguments) => thaw::run(context, &arguments),
        Verb::Whoami(arguments) => whoami::run(context, &arguments),
        Verb::Completions(arguments) => completions::run(context, &arguments),
    }
}
