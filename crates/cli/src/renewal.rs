//! A login's token, renewed when it has nearly run out. Of two commands that find it so, one
//! renews it, and the other waits and takes what the first one got.
//!
//! Must not know: where the token is sent.

use aegis_model::{Code, Fault, Timestamp};
use aegis_sdk::{Issuer, IssuerError, Token};

use crate::clock;
use crate::context::Context;
use crate::failure::Failure;
use crate::logins::{Held, Locked, Login, Logins, State};

/// A token that is good for less is renewed: a command that begins now shall get its answer.
const NEARLY_MS: u64 = 30_000;

/// The token of the login that holds for that server.
pub(crate) fn token(context: &mut Context, logins: &Logins, login: Login) -> Result<Token, Failure> {
    match &login.tokens {
        State::Holds(held) if is_fresh(held, clock::now()) => Ok(held.token.clone()),
        State::Holds(_) => renewed(context, &logins.lock()?, &login.url),
        State::Ended | State::LoggedOut => Err(ended(&login.url)),
    }
}

fn is_fresh(held: &Held, now: Timestamp) -> bool {
    held.expires_at > now.plus_ms(NEARLY_MS)
}

/// Renews the login, unless another command has done so or ended it meanwhile.
fn renewed(context: &mut Context, locked: &Locked<'_>, url: &str) -> Result<Token, Failure> {
    let login = locked.find(url)?.ok_or_else(|| ended(url))?;
    let State::Holds(held) = &login.tokens else { return Err(ended(url)) };
    if is_fresh(held, clock::now()) {
        return Ok(held.token.clone());
    }
    let is_good_yet = held.expires_at > clock::now();
    let newer = match renew(context, &login, held)? {
        Ok(newer) => newer,
        Err(IssuerError::Ended) if !is_good_yet => {
            locked.put(Login { tokens: State::Ended, ..login })?;
            return Err(ended(url));
        }
        Err(_) if is_good_yet => return Ok(held.token.clone()),
        Err(error) => return Err(error.into()),
    };
    let token = newer.token.clone();
    locked.put(Login { tokens: State::Holds(newer), ..login })?;
    Ok(token)
}

/// Asks the issuer for new tokens.
fn renew(context: &mut Context, login: &Login, held: &Held) -> Result<Result<Held, IssuerError>, Failure> {
    context.wait(async { Ok::<_, Failure>(asked(login, held).await) })
}

async fn asked(login: &Login, held: &Held) -> Result<Held, IssuerError> {
    let refresh_token = held.refresh_token.as_ref().ok_or(IssuerError::Ended)?;
    let issuer = Issuer::discover(&login.issuer).await?;
    let tokens = issuer.refresh(&login.client_id, refresh_token).await?;
    let newer = Held::of(held.kind, &tokens, clock::now()).ok_or(IssuerError::Ended)?;
    // An issuer that gives no other refresh token means that this one goes on.
    Ok(Held { refresh_token: newer.refresh_token.clone().or_else(|| held.refresh_token.clone()), ..newer })
}

/// What is said when there is nothing left to go on with.
fn ended(url: &str) -> Failure {
    Failure::Local {
        fault: Fault::new(Code::Unauthenticated, format!("the login for `{url}` has ended")),
        suggestion: Some("run `aegis login`; or `aegis logout` to go on without it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logins::tests::login;

    #[test]
    fn a_token_that_has_nearly_run_out_is_not_used() {
        let State::Holds(held) = login("https://one.example", "a").tokens else { unreachable!() };
        let at = |ms| Timestamp::from_millis(held.expires_at.as_millis() + 100_000 - ms);
        let held = Held { expires_at: at(0), ..held.clone() };
        assert!(is_fresh(&held, at(30_001)) && !is_fresh(&held, at(30_000)) && !is_fresh(&held, at(0)));
    }
}
