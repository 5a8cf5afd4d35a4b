//! `aegis login`: somebody logs in at an issuer in a browser, and commands go on under the name
//! that the issuer knows. Must not know: how an issuer is asked.

use std::future::Future;

use aegis_model::api::PageQuery;
use aegis_model::{Code, Fault};
use aegis_sdk::{Client, ClientError, DeviceLogin, DeviceWish, Issuer, Token, TokenClaims, Tokens};
use serde::Serialize;

use crate::clock;
use crate::connection::{self, same_server};
use crate::context::Context;
use crate::failure::Failure;
use crate::logins::{Held, Kind, Login, Logins, State};
use crate::output::{clean, plural, short_time};
use crate::profile::{self, Profile};

/// With what a program ends that somebody interrupted, as shells know it.
const INTERRUPTED: u8 = 130;

/// Log in at an issuer of tokens (OpenID Connect), in any browser
///
/// Shows an address and a code. Open the address on any device, enter the code, and log in
/// there; the command waits for that. The server has to believe the issuer (`auth.issuers` in
/// its configuration); whoever runs it knows the issuer and the client id.
///
/// From then on commands for this server act as you, and renew the login by themselves. Issuer,
/// client id, scope and audiences are remembered: next time `aegis login` is enough.
///
/// Tokens are kept in `logins.toml` beside the profile, for this server only and readable by you
/// only. `AEGIS_API_KEY` comes before a login, a login before the profile's key.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis login --issuer https://login.example.com/realms/main --client-id aegis-cli
  aegis login                                      # again, as the last time
  aegis login --url https://aegis.example.com --issuer https://login.example.com --client-id aegis-cli
  aegis login --issuer https://tenant.example.com/ --client-id X7f2 --audience https://aegis.example.com")]
pub(crate) struct Arguments {
    /// Where to log in: the issuer's name, exactly as the server's configuration has it
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// As which program: a public client at the issuer that may use the device grant
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// What to ask for; `openid`, and `offline_access` where the issuer has it, when absent
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// For whom the access token shall be, at issuers that want to be told; may be repeated
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
}

/// What is told of a login: never a token.
#[derive(Serialize)]
struct Told {
    url: String,
    issuer: String,
    subject: Option<String>,
    /// How the ledger names whoever logged in.
    principal: Option<String>,
    token: Kind,
    token_expires_at: aegis_model::Timestamp,
    renews_itself: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let url = connection::server(context)?;
    connection::check_private(&url)?;
    let logins = Logins::of(&context.environment);
    let homeless = || Failure::usage("`HOME` is not set: a login cannot be kept", "set HOME, or AEGIS_API_KEY");
    let logins = logins.ok_or_else(homeless)?;
    let before = logins.find(&url)?;
    let wanted = wanted(arguments, &url, before.clone())?;
    // Nobody shall go through a browser for a server that is not there.
    interruptible(context, is_there(&url))?;
    let issuer = interruptible(context, Issuer::discover(&wanted.issuer))?;
    let wish = DeviceWish {
        client_id: wanted.client_id.clone(),
        scope: wanted.scope.clone(),
        audiences: wanted.audiences.clone(),
    };
    let device = interruptible(context, issuer.device_begin(&wish))?;
    show_code(context, &device);
    let tokens = interruptible(context, issuer.device_finish(&device))?;
    let told = match keep(context, &logins, (&wanted, &tokens)) {
        Ok(told) => told,
        Err(failure) => {
            // Nobody holds them any more after this; whether the issuer knows is of no weight.
            forget(context, &issuer, &wanted.client_id, tokens.refresh.as_ref());
            return Err(failure);
        }
    };
    if let Some(Login { client_id, issuer: at, tokens: State::Holds(held), .. }) = &before
        && *at == wanted.issuer
    {
        forget(context, &issuer, client_id, held.refresh_token.as_ref());
    }
    context.show(&told, |_| text(&told))?;
    say_what_counts(context, &url);
    Ok(())
}

/// Keeps the tokens, if the server takes one of them.
fn keep(context: &mut Context, logins: &Logins, (wanted, tokens): (&Login, &Tokens)) -> Result<Told, Failure> {
    let kind = match interruptible(context, taken(&wanted.url, tokens))? {
        Ok(kind) => kind,
        Err(refusals) => return Err(refused((wanted, tokens), &refusals)),
    };
    let held = Held::of(kind, tokens, clock::now()).ok_or_else(|| Failure::internal("the token is gone"))?;
    let told = told(wanted, &held);
    logins.lock()?.put(Login { tokens: State::Holds(held), ..wanted.clone() })?;
    Ok(told)
}

/// Has tokens forgotten at the issuer, which may fail.
fn forget(context: &mut Context, issuer: &Issuer, client_id: &str, refresh: Option<&Token>) {
    if let Some(refresh) = refresh {
        let _ = context.wait(issuer.revoke(client_id, refresh));
    }
}

/// What is wanted: what was typed, and otherwise what was wanted the last time at that issuer.
fn wanted(arguments: &Arguments, url: &str, known: Option<Login>) -> Result<Login, Failure> {
    let typed =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let issuer = typed(&arguments.issuer).or_else(|| known.as_ref().map(|known| known.issuer.clone()));
    let hint = "run `aegis login --issuer URL --client-id ID`; whoever runs the server knows both";
    let issuer = issuer.ok_or_else(|| Failure::usage(format!("no issuer is known yet for `{url}`"), hint))?;
    let known = known.filter(|known| known.issuer == issuer);
    let client_id = typed(&arguments.client_id).or_else(|| known.as_ref().map(|known| known.client_id.clone()));
    let client_id =
        client_id.ok_or_else(|| Failure::usage(format!("no client id is known yet at `{issuer}`"), hint))?;
    let scope = typed(&arguments.scope).or_else(|| known.as_ref().and_then(|known| known.scope.clone()));
    let audiences = match arguments.audiences.is_empty() {
        true => known.map(|known| known.audiences).unwrap_or_default(),
        false => arguments.audiences.clone(),
    };
    Ok(Login { url: url.to_owned(), issuer, client_id, scope, audiences, tokens: State::LoggedOut })
}

/// Waits for work that Ctrl-C may end at any time.
fn interruptible<T, E>(context: &mut Context, work: impl Future<Output = Result<T, E>>) -> Result<T, Failure>
where
    Failure: From<E>,
{
    let work = async {
        tokio::select! {
            done = work => done.map(Some),
            Ok(()) = tokio::signal::ctrl_c() => Ok(None),
        }
    };
    let done = context.wait(work)?;
    done.ok_or_else(|| {
        context.tell("\nlogin given up: nothing was changed");
        Failure::Said(INTERRUPTED)
    })
}

/// One thing that everybody may do who is let in.
async fn look(client: &Client) -> Result<(), ClientError> {
    client.agent_list(&PageQuery { limit: Some(1), cursor: None }).await.map(drop)
}

/// Whether a server is there, which of course lets nobody in who says nothing.
async fn is_there(url: &str) -> Result<(), ClientError> {
    match look(&Client::new(url, "")?).await {
        Err(ClientError::Api { status: 401, .. }) => Ok(()),
        other => other,
    }
}

/// Which of the tokens the server takes, the access token first; otherwise why it takes none.
/// A token that is no JWT can be nothing for it, and is not sent.
async fn taken(url: &str, tokens: &Tokens) -> Result<Result<Kind, Vec<(Kind, ClientError)>>, ClientError> {
    let mut refusals = Vec::new();
    for kind in [Kind::Access, Kind::Id] {
        let Some(token) = kind.of(tokens).filter(|token| token.claims().is_some()) else { continue };
        match look(&Client::new(url, token.expose())?).await {
            Ok(()) => return Ok(Ok(kind)),
            Err(refusal @ ClientError::Api { status: 401 | 403, .. }) => refusals.push((kind, refusal)),
            Err(error) => return Err(error),
        }
    }
    Ok(Err(refusals))
}

fn show_code(context: &mut Context, device: &DeviceLogin) {
    let style = context.terminal.message_style();
    let strong = |text: &str| style.strong(&clean(text));
    let (address, code) = (strong(&device.verification_uri), strong(&device.user_code));
    let mut text = format!(
        "To log in, open this address in a browser on any device:\n\n  {address}\n\nand enter the code:\n\n  {code}\n"
    );
    if let Some(complete) = &device.verification_uri_complete {
        let complete = strong(complete);
        text.push_str(&format!("\nOr open this one, and check that it shows the same code:\n\n  {complete}\n"));
    }
    let patience = plural(device.expires_in_s.div_ceil(60), "minute");
    text.push_str(&format!("\nWaiting for you, at most {patience}; Ctrl-C gives up.\n"));
    context.tell(&text);
}

/// Says why the server takes none of the tokens and what would have to be configured.
fn refused((wanted, tokens): (&Login, &Tokens), refusals: &[(Kind, ClientError)]) -> Failure {
    let Some((_, last)) = refusals.last() else {
        let fault = Fault::new(Code::CredentialInvalid, "the issuer gave no token that a server can read");
        let suggestion = "ask for the scope `openid`, or say with `--audience` for whom the access token shall be";
        return Failure::Local { fault, suggestion: Some(suggestion.to_owned()) };
    };
    let why: Vec<String> = refusals.iter().map(|(kind, error)| format!("{}: {error}", kind.as_str())).collect();
    let message = format!("you logged in, but `{}` does not let you in ({})", wanted.url, why.join("; "));
    let claims = |kind: Kind| kind.of(tokens).and_then(aegis_sdk::Token::claims);
    let claims: Vec<TokenClaims> = refusals.iter().filter_map(|(kind, _)| claims(*kind)).collect();
    let suggestion = to_configure(&wanted.issuer, &claims);
    Failure::Local { fault: Fault::new(last.code(), message), suggestion: Some(suggestion) }
}

/// What the server's configuration would have to say.
fn to_configure(issuer: &str, claims: &[TokenClaims]) -> String {
    let mut audiences: Vec<String> =
        claims.iter().flat_map(|claims| &claims.audiences).map(|audience| format!("{audience:?}")).collect();
    audiences.sort();
    audiences.dedup();
    let subject = claims.iter().find_map(|claims| claims.subject.as_deref()).unwrap_or_default();
    let audiences = audiences.join(" or ");
    format!(
        "nothing was kept; the server's `[[auth.issuers]]` needs issuer {issuer:?}, {audiences} among its `audiences`, \
         and a rule that fits you (`sub` is {subject:?})"
    )
}

fn told(login: &Login, held: &Held) -> Told {
    let subject = held.token.claims().and_then(|claims| claims.subject);
    Told {
        url: login.url.clone(),
        issuer: login.issuer.clone(),
        principal: subject.as_ref().map(|subject| format!("user/{subject}@{}", login.issuer)),
        subject,
        token: held.kind,
        token_expires_at: held.expires_at,
        renews_itself: held.refresh_token.is_some(),
    }
}

fn text(told: &Told) -> String {
    let whom = told.principal.as_ref().map(|name| format!(" as {name}")).unwrap_or_default();
    let until = match told.renews_itself {
        true => "the login renews itself".to_owned(),
        false => format!(
            "the login is good until {}; the issuer gave nothing to renew it",
            short_time(told.token_expires_at)
        ),
    };
    clean(&format!("logged in to {}{whom}; {until}", told.url))
}

/// Says what the next command goes by, where that is not this login or not this server.
fn say_what_counts(context: &mut Context, url: &str) {
    if context.environment.api_key.is_some() {
        context.warn("AEGIS_API_KEY is set and comes before the login");
    }
    let Some(path) = context.environment.profile.clone() else { return };
    match profile::read(&path) {
        Ok(None) if !same_server(url, connection::URL_DEFAULT) => match profile::write(&path, &Profile::of(url)) {
            Ok(()) => context.tell(&format!("the profile {} names this server now", path.display())),
            Err(error) => context.warn(&format!("cannot write the profile {}: {error}", path.display())),
        },
        Ok(Some(profile)) if !same_server(&profile.url, url) => {
            let known = clean(&profile.url);
            context
                .tell(&format!("the profile is for `{known}`: add `--url {url}`, or set AEGIS_URL, to use this login"));
        }
        Ok(Some(profile)) if profile.has_key() => {
            context.tell("the login comes before the profile's key; `aegis logout` goes back to that");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(issuer: Option<&str>, client_id: Option<&str>) -> Arguments {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Arguments { issuer: owned(issuer), client_id: owned(client_id), scope: None, audiences: Vec::new() }
    }

    fn check(typed: (Option<&str>, Option<&str>), known: Option<Login>, expected: Option<(&str, &str, usize)>) {
        let wanted = wanted(&arguments(typed.0, typed.1), "https://one.example", known).ok();
        let found =
            wanted.as_ref().map(|login| (login.issuer.as_str(), login.client_id.as_str(), login.audiences.len()));
        assert_eq!(found, expected, "{typed:?}");
    }

    #[test]
    fn what_was_wanted_the_last_time_is_wanted_again_at_the_same_issuer_only() {
        let known = || Some(crate::logins::tests::login("https://one.example", "a"));
        check((None, None), None, None);
        check((Some("https://i.example"), None), None, None);
        check((Some("https://i.example"), Some("x")), None, Some(("https://i.example", "x", 0)));
        check((None, None), known(), Some(("https://login.example", "cli", 1)));
        check((None, Some("x")), known(), Some(("https://login.example", "x", 1)));
        check((Some("https://i.example"), None), known(), None);
        check((Some("https://i.example"), Some("x")), known(), Some(("https://i.example", "x", 0)));
    }

    #[test]
    fn what_has_to_be_configured_is_said() {
        let claims = |audience: &str| TokenClaims {
            subject: Some("ada".to_owned()),
            audiences: vec![audience.to_owned()],
            issued_at_s: None,
            expires_at_s: None,
        };
        let told = to_configure("https://login.example", &[claims("api"), claims("cli"), claims("api")]);
        assert!(
            told.contains("\"api\" or \"cli\"") && told.contains("\"ada\"") && told.contains("auth.issuers"),
            "{told}"
        );
    }
}
