//! Tokens of sessions: by which key they are signed, and for how long it is published.

use aegis_identity::jwt::{Expected, KeySet, Token};
use aegis_model::port::Stay;
use aegis_model::{CorrelationId, Operation, SessionId};

use super::*;
use crate::secrets::tests::World;
use crate::world::{act, at};

const HOUR_MS: u64 = 3_600_000;

fn occupant() -> Occupant {
    let occupant = Occupant::new("acme".parse().unwrap(), ("writer".parse().unwrap(), 3), "process");
    let session = SessionId::generate(at(1), [1; 10]);
    let correlation_id = CorrelationId::generate(at(1), [1; 10]);
    occupant.settle(Stay { session, correlation_id, task: None, observed: false });
    occupant
}

fn wish(audience: &str, lifetime_s: Option<u32>) -> IdentityTokenWish {
    IdentityTokenWish { audience: audience.to_owned(), lifetime_s }
}

impl World {
    async fn token(&self, lifetime_s: u32, ms: u64) -> String {
        let act = act("acme", Operation::IdentityToken, ms);
        self.tenancy.identity_token(&act, &occupant(), &wish("vault", Some(lifetime_s))).await.unwrap().token
    }

    async fn rotate_keys(&self, ms: u64) {
        self.tenancy.identity_key_rotate(&act("default", Operation::IdentityKeyRotate, ms)).await.unwrap();
    }

    /// What somebody who knows only the published keys makes of it.
    async fn verified(&self, token: &str, ms: u64) -> Result<Option<String>, String> {
        let keys = self.tenancy.identity_keys(at(ms)).await.unwrap().to_string();
        let keys = KeySet::parse(keys.as_bytes()).unwrap();
        let expected = Expected::new(self.tenancy.identity_issuer(), "vault");
        let claims = Token::parse(token).unwrap().verify(&keys, &expected, at(ms));
        claims.map(|claims| claims.subject).map_err(|error| error.to_string())
    }
}

#[tokio::test]
async fn a_session_proves_who_it_is() {
    let world = World::new().await;
    let token = world.token(60, 5_500).await;
    let subject = world.verified(&token, 6_000).await.unwrap().unwrap();
    assert_eq!(subject, world.tenancy.workload(&occupant()).unwrap().subject);
    assert!(subject.starts_with("spiffe://aegis.example/tenant/acme/agent/writer/session/"), "{subject}");
}

#[tokio::test]
async fn a_box_that_is_no_sessions_yet_proves_nothing() {
    let world = World::new().await;
    let waiting = Occupant::new("acme".parse().unwrap(), ("writer".parse().unwrap(), 3), "process");
    let asked = act("acme", Operation::IdentityToken, 5);
    let asked = world.tenancy.identity_token(&asked, &waiting, &wish("a", None)).await;
    assert_eq!(asked.unwrap_err().code(), Code::StateInvalid);
    assert_eq!(world.tenancy.workload(&waiting).unwrap_err().code(), Code::StateInvalid);
}

#[tokio::test]
async fn an_old_key_counts_as_long_as_its_tokens_and_no_longer() {
    let world = World::new().await;
    let old = world.token(3_600, 1_000).await;
    world.rotate_keys(2_000).await;
    let new = world.token(3_600, 3_000).await;
    for token in [&old, &new] {
        assert!(world.verified(token, HOUR_MS).await.is_ok());
    }
    // Changed twice within the hour, the first is still there.
    world.rotate_keys(4_000).await;
    assert!(world.verified(&old, HOUR_MS).await.is_ok());
    let count = async |ms| world.tenancy.identity_keys(at(ms)).await.unwrap()["keys"].as_array().unwrap().len();
    assert_eq!(count(HOUR_MS).await, 3);
    assert_eq!(count(3 * HOUR_MS).await, 1);
    // What is not published any more is not kept either.
    world.rotate_keys(3 * HOUR_MS).await;
    assert_eq!(count(4_000).await, 2);
}

#[tokio::test]
async fn keys_survive_a_restart() {
    let world = World::new().await;
    let token = world.token(60, 1_000).await;
    let again = world.restarted();
    assert!(again.verified(&token, 2_000).await.is_ok());
}

#[tokio::test]
async fn tokens_are_for_somebody_and_not_for_long() {
    let world = World::new().await;
    let long = "a".repeat(257);
    for (audience, lifetime_s, pointer) in [
        ("", None, "/audience"),
        ("two words", None, "/audience"),
        ("é", None, "/audience"),
        (long.as_str(), None, "/audience"),
        ("a", Some(0), "/lifetime_s"),
        ("a", Some(3_601), "/lifetime_s"),
    ] {
        let wish = wish(audience, lifetime_s);
        let asked = world.tenancy.identity_token(&act("acme", Operation::IdentityToken, 5), &occupant(), &wish).await;
        let fault = asked.unwrap_err();
        assert_eq!(fault.details().get("pointer").and_then(|at| at.as_str()), Some(pointer), "{audience}");
    }
}
