//! What may be typed: the verbs and the options that every verb has.

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    agent, approval, audit, completions, dispatch, doctor, endpoint, freeze, governance, init, intent, invoke, key,
    login, logout, policy, run, secret, session, tenant, thaw, up, whoami,
};
use crate::output::Format;

/// Zero-trust runtime for AI agents.
#[derive(Debug, Parser)]
#[command(name = "aegis", version, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_help = "\
Environment:
  AEGIS_URL      the server, where `--url` does not say (default: the profile's,
                 then http://127.0.0.1:7700)
  AEGIS_API_KEY  the API key or token; comes before the login and the profile's key
  AEGIS_CONFIG   the server's configuration file, for `up` and `doctor`
  AEGIS_PASSPHRASE_FILE
                 the file with the passphrase of the server's keys, for `up`,
                 `audit verify DATA_DIR` and `key passphrase`
  NO_COLOR       no colour

Exit codes:
  0 ok, 1 the run or agent failed, 2 usage or validation, 3 not found,
  4 denied or not authenticated, 5 conflict, 6 cannot connect, 7 timed out,
  8 over budget, rate or capacity, 9 frozen, 10 internal

Examples:
  aegis up
  aegis agent deploy .
  aegis invoke triage --input '{\"issue\": 7}'
  aegis audit list --denials")]
pub(crate) struct App {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every verb.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// How data is written on stdout
    #[arg(long, short, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    /// The server's address
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Up(up::Arguments),
    Doctor(doctor::Arguments),
    Login(login::Arguments),
    Logout(logout::Arguments),
    #[command(subcommand)]
    Agent(agent::Verb),
    Init(init::Arguments),
    Invoke(invoke::Arguments),
    Dispatch(dispatch::Arguments),
    #[command(subcommand)]
    Intent(intent::Verb),
    #[command(subcommand)]
    Governance(governance::Verb),
    #[command(subcommand)]
    Run(run::Verb),
    #[command(subcommand)]
    Session(session::Verb),
    #[command(subcommand)]
    Endpoint(endpoint::Verb),
    #[command(subcommand)]
    Key(key::Verb),
    #[command(subcommand)]
    Secret(secret::Verb),
    #[command(subcommand)]
    Tenant(tenant::Verb),
    #[command(subcommand)]
    Policy(policy::Verb),
    #[command(subcommand)]
    Approval(approval::Verb),
    #[command(subcommand)]
    Audit(audit::Verb),
    Freeze(freeze::Arguments),
    Thaw(thaw::Arguments),
    Whoami(whoami::Arguments),
    Completions(completions::Arguments),
}
