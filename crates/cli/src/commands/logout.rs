//! `aegis logout`: a login is forgotten here, and ended at its issuer.

use aegis_sdk::{Issuer, IssuerError};
use serde::Serialize;

use crate::connection;
use crate::context::Context;
use crate::failure::Failure;
use crate::logins::{Held, Login, Logins, State};
use crate::output::clean;

/// Forget the login for this server, and end it at its issuer
///
/// The tokens are removed from this machine in any case. The issuer is asked to end the login
/// as well, if it has a way for that. A token that somebody copied stays good until it runs out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis logout
  aegis logout --url https://aegis.example.com")]
pub(crate) struct Arguments {}

/// What became of it.
#[derive(Serialize)]
struct Told {
    url: String,
    issuer: Option<String>,
    was_logged_in: bool,
    /// Whether the issuer has ended the login, too.
    ended_at_issuer: bool,
}

pub(crate) fn run(context: &mut Context, _: &Arguments) -> Result<(), Failure> {
    let url = connection::server(context)?;
    let Some(login) = forget(context, &url)? else {
        let told = Told { url, issuer: None, was_logged_in: false, ended_at_issuer: false };
        return context.show(&told, |_| clean(&format!("nobody is logged in to {}", told.url)));
    };
    let ended_at_issuer = match &login.tokens {
        State::Holds(held) => end(context, &login, held)?,
        State::Ended | State::LoggedOut => false,
    };
    let told = Told { url, issuer: Some(login.issuer), was_logged_in: true, ended_at_issuer };
    context.show(&told, |_| clean(&format!("logged out of {}", told.url)))
}

/// Removes the tokens from this machine, and gives what was there.
fn forget(context: &Context, url: &str) -> Result<Option<Login>, Failure> {
    let Some(logins) = Logins::of(&context.environment) else { return Ok(None) };
    let there = |login: Option<Login>| login.filter(|login| !matches!(login.tokens, State::LoggedOut));
    if there(logins.find(url)?).is_none() {
        return Ok(None);
    }
    // A command that renews the login just now is waited for: its tokens are the ones to end.
    let locked = logins.lock()?;
    let login = there(locked.find(url)?);
    if let Some(login) = &login {
        locked.put(Login { tokens: State::LoggedOut, ..login.clone() })?;
    }
    Ok(login)
}

/// Ends a login at its issuer; says whether that was done, and tells why not.
fn end(context: &mut Context, login: &Login, held: &Held) -> Result<bool, Failure> {
    let Some(refresh_token) = &held.refresh_token else { return Ok(false) };
    let ask = async {
        let issuer = Issuer::discover(&login.issuer).await?;
        issuer.revoke(&login.client_id, refresh_token).await
    };
    match context.wait(async { Ok::<Result<bool, IssuerError>, Failure>(ask.await) })? {
        Ok(true) => return Ok(true),
        Ok(false) => context.tell("the issuer has no way to end a login; it ends there when its time is over"),
        Err(error) => context
            .warn(&format!("the login is forgotten here, but not ended at the issuer: {}", clean(&error.to_string()))),
    }
    Ok(false)
}
