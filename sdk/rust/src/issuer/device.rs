//! Logging in on another device (RFC 8628): a code is asked for, somebody enters it in a
//! browser, and the issuer is asked again and again whether that was done.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::error::IssuerError;
use super::pace::{Not, Pace};
use super::token::{Token, Tokens, seconds};
use super::{Heard, Issuer};
use crate::address::shown;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// No code is waited for longer, whatever the issuer says.
const WAIT_MAX_S: u64 = 60 * 60;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct DeviceWish {
    /// As which program.
    pub client_id: String,
    /// What for; `openid`, and a refresh token where the issuer has them, when absent.
    pub scope: Option<String>,
    /// For whom the access token shall be.
    pub audiences: Vec<String>,
}

/// A login that somebody has to finish in a browser.
#[derive(Clone, Debug)]
pub struct DeviceLogin {
    /// What to enter.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// Where nothing has to be entered.
    pub verification_uri_complete: Option<String>,
    /// For how long.
    pub expires_in_s: u64,
    client_id: String,
    device_code: Token,
    interval_s: Option<u64>,
}

#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    // The second is what drafts of the RFC called it.
    #[serde(alias = "verification_url")]
    verification_uri: String,
    #[serde(default, alias = "verification_url_complete")]
    verification_uri_complete: Option<String>,
    expires_in: Value,
    #[serde(default)]
    interval: Value,
}

impl Issuer {
    /// Begins a login.
    ///
    /// # Errors
    /// See [`IssuerError`].
    pub async fn device_begin(&self, wish: &DeviceWish) -> Result<DeviceLogin, IssuerError> {
        let absent = || IssuerError::NoDeviceLogin { issuer: self.name.clone() };
        let endpoint = self.device_endpoint.as_ref().ok_or_else(absent)?;
        let mut fields =
            vec![("client_id", wish.client_id.as_str()), ("scope", wish.scope.as_deref().unwrap_or(&self.scope))];
        for audience in &wish.audiences {
            fields.push(("audience", audience));
            // The one way is custom, the other is RFC 8707, which takes addresses only.
            fields.extend(audience.contains("://").then_some(("resource", audience.as_str())));
        }
        let heard = self.exchange.post(endpoint, &fields).await?;
        match heard.refusal(&[]) {
            Some(refusal) => Err(refusal.into_error()),
            None => begun(&heard, &wish.client_id),
        }
    }

    /// Waits until somebody has finished the login.
    ///
    /// # Errors
    /// [`IssuerError::Denied`] and [`IssuerError::Expired`] when nobody did; otherwise see
    /// [`IssuerError`].
    pub async fn device_finish(&self, login: &DeviceLogin) -> Result<Tokens, IssuerError> {
        let patience = Duration::from_secs(login.expires_in_s);
        tokio::time::timeout(patience, self.ask_until_done(login)).await.unwrap_or(Err(IssuerError::Expired))
    }

    #[expect(clippy::disallowed_methods, reason = "the pause between two questions is what the issuer asks for")]
    async fn ask_until_done(&self, login: &DeviceLogin) -> Result<Tokens, IssuerError> {
        let mut pace = Pace::of(login.interval_s);
        let mut pause = pace.first();
        loop {
            tokio::time::sleep(pause).await;
            match self.ask_whether_done(login).await? {
                Ok(tokens) => return Ok(tokens),
                Err(not) => pause = pace.after(not),
            }
        }
    }

    async fn ask_whether_done(&self, login: &DeviceLogin) -> Result<Result<Tokens, Not>, IssuerError> {
        let code = &login.device_code;
        let fields = [("grant_type", GRANT), ("device_code", code.expose()), ("client_id", login.client_id.as_str())];
        let heard = match self.exchange.post(&self.token_endpoint, &fields).await {
            Ok(heard) => heard,
            Err(error) if error.is_trouble() => return Ok(Err(Not::Heard)),
            Err(error) => return Err(error),
        };
        let Some(refusal) = heard.refusal(&[code]) else {
            return match heard.tokens() {
                Err(error) if error.is_trouble() => Ok(Err(Not::Heard)),
                tokens => tokens.map(Ok),
            };
        };
        match refusal.error.as_str() {
            "authorization_pending" => Ok(Err(Not::Yet)),
            "slow_down" => Ok(Err(Not::SoOften)),
            "access_denied" => Err(IssuerError::Denied),
            "expired_token" => Err(IssuerError::Expired),
            _ => match refusal.into_error() {
                error if error.is_trouble() => Ok(Err(Not::Heard)),
                error => Err(error),
            },
        }
    }
}

fn begun(heard: &Heard, client_id: &str) -> Result<DeviceLogin, IssuerError> {
    let begun: Begun = heard.json()?;
    let web = |address: &str| ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme));
    if !web(&begun.verification_uri) || begun.user_code.is_empty() {
        return Err(heard.wrong(format!("it sends people to `{}`", shown(&begun.verification_uri))));
    }
    let device_code = Token::new(begun.device_code).ok_or_else(|| heard.wrong("its code cannot be sent".to_owned()))?;
    let expires_in_s = seconds(&begun.expires_in);
    Ok(DeviceLogin {
        user_code: begun.user_code,
        verification_uri: begun.verification_uri,
        verification_uri_complete: begun.verification_uri_complete.filter(|address| web(address)),
        expires_in_s: expires_in_s.ok_or_else(|| heard.wrong("its code has no end".to_owned()))?.min(WAIT_MAX_S),
        client_id: client_id.to_owned(),
        device_code,
        interval_s: seconds(&begun.interval),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(change: &Value, expected: Option<(&str, u64)>) {
        let mut answer = json!({
            "device_code": "hunter2", "user_code": "A-B", "verification_uri": "https://a.example/device",
            "verification_uri_complete": "https://a.example/device?c=A-B", "expires_in": 600,
        });
        for (name, value) in change.as_object().into_iter().flatten() {
            answer[name] = value.clone();
        }
        answer.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        let begun = begun(&Heard::saying(&answer.to_string()), "cli");
        assert!(!format!("{begun:?}").contains("hunter2"), "{begun:?}");
        let found = begun.as_ref().ok().map(|login| (login.verification_uri.as_str(), login.expires_in_s));
        assert_eq!(found, expected, "{change}");
    }

    #[test]
    fn people_are_sent_to_web_pages_only_and_for_a_while() {
        check(&json!({}), Some(("https://a.example/device", 600)));
        check(
            &json!({"verification_uri": null, "verification_url": "https://b.example"}),
            Some(("https://b.example", 600)),
        );
        check(&json!({"expires_in": "900"}), Some(("https://a.example/device", 900)));
        check(&json!({"expires_in": 1_000_000}), Some(("https://a.example/device", WAIT_MAX_S)));
        for bad in [
            json!({"verification_uri": "javascript:alert(1)"}),
            json!({"verification_uri": "file:///etc/passwd"}),
            json!({"user_code": ""}),
            json!({"device_code": "a b"}),
            json!({"expires_in": null}),
            json!({"expires_in": true}),
        ] {
            check(&bad, None);
        }
        let strange = json!({"verification_uri_complete": "javascript:alert(1)"});
        check(&strange, Some(("https://a.example/device", 600)));
    }
}
