//! Finding out who holds a key: among a hundred keys, and among a hundred thousand, with the
//! same hundred in use, and with all of them in use. Compares the three in one run.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use aegis_identity::jwt::{Expected, KeySet, SpiffeId, Token, Workload, WorkloadKey};
use aegis_identity::sigv4::{
    self, AccessKeyId, BodyHeader, PathRule, Payload, RequestHead, SecretAccessKey, Signer, SigningKey, VerifyOptions,
    verify,
};
use aegis_ledger::Sealer;
use aegis_model::api::KeyCreate;
use aegis_store::{Cached, GroupCommit, SqliteStore};
use aegis_tenancy::Tenancy;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents as RsaPublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use crate::secrets::{act, now, tenancy};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const FEW: usize = 100;
const MANY: usize = 100_000;
const AT_ONCE: usize = 64;
const LOOKS: usize = 20_000;

/// Prints p50 and p99 of each.
///
/// # Errors
/// When a directory cannot be used.
pub fn run() -> Outcome {
    let dir = tempfile::Builder::new().prefix("keys").tempdir_in("target")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let sqlite = Arc::new(SqliteStore::open(dir.path(), Arc::new(Sealer::new(&[7; 32])))?);
        let tenancy = Arc::new(tenancy(Arc::new(Cached::new(Arc::new(GroupCommit::new(sqlite)))))?);
        let start = tenancy.first_start(now()).await?.ok_or("the directory is not new")?;
        tenancy.complete(start).await?;
        println!("who holds a key");
        let few = make(&tenancy, FEW).await?;
        let base = look(&tenancy, &few, "100 keys, all in use").await?;
        let mut many = make(&tenancy, MANY - FEW).await?;
        let same = look(&tenancy, &few, "100,000 keys, 100 in use").await?;
        many.extend(few);
        let all = look(&tenancy, &many, "100,000 keys, all in use").await?;
        signature()?;
        token()?;
        println!("  p99 {:.2} × and {:.2} × that among 100 keys (bar 1.5 ×)", same / base, all / base);
        Ok(())
    })
}

/// Reading, hashing and verifying a signed request with a body of 1 KB.
fn signature() -> Outcome {
    let (id, secret) = (AccessKeyId::parse("AEGIS0")?, SecretAccessKey::generate(&[7; 30]));
    let body = [b'x'; 1_024];
    let plain = [("host", b"127.0.0.1".as_slice()), ("content-type", b"application/json")];
    let head = RequestHead { method: "POST", path: "/api/v1/agents", query: "", headers: &plain };
    let signer = Signer {
        access_key_id: &id,
        secret: &secret,
        session_token: None,
        region: "us-east-1",
        service: "aegis",
        path: PathRule::Strict,
        body_header: BodyHeader::Absent,
    };
    let added = signer.sign(head, Payload::Digest(Sha256::digest(body).into()), now())?;
    let headers: Vec<_> =
        plain.into_iter().chain(added.iter().map(|(name, value)| (*name, value.as_bytes()))).collect();
    let options = VerifyOptions::new("us-east-1", "aegis");
    for (what, secret) in [("a signed request of 1 KB", Some(&secret)), ("the same, unknown key", None)] {
        let mut took_us = Vec::with_capacity(LOOKS);
        for _ in 0..LOOKS {
            let begun = Instant::now();
            let claims = sigv4::Claims::read(RequestHead { headers: &headers, ..head })?;
            let key = SigningKey::derive_or_unknown(secret, claims.scope());
            let verified = verify(&claims, &Sha256::digest(body).into(), &key, &options, now());
            took_us.push(begun.elapsed().as_secs_f64() * 1e6);
            if verified.is_ok() != secret.is_some() {
                return Err(format!("{what}: {verified:?}").into());
            }
        }
        shown(what, took_us);
    }
    Ok(())
}

/// Reading and verifying a token with keys at hand, of each algorithm.
fn token() -> Outcome {
    let (key, subject) = (WorkloadKey::from_seed(&[7; 32])?, SpiffeId::new("house.example", &["a"])?);
    let issued_at = now();
    let (issuer, audience) = (ISSUER, AUDIENCE);
    let text =
        key.sign(&Workload { issuer, subject: &subject, audience, token_id: "t", issued_at, lifetime_s: 600 })?;
    verified("a token, EdDSA", &text, &WorkloadKey::public_set(&[&key]))?;
    let (text, keys) = es256()?;
    verified("a token, ES256", &text, &keys)?;
    match rs256()? {
        Some((text, keys)) => verified("a token, RS256", &text, &keys),
        None => {
            println!("  a token, RS256: left out, there is no `openssl` to make a key");
            Ok(())
        }
    }
}

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "aegis";

fn verified(what: &str, text: &str, keys: &Value) -> Outcome {
    let keys = KeySet::parse(&serde_json::to_vec(keys)?)?;
    let expected = Expected::new(ISSUER, AUDIENCE);
    let mut took_us = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        let begun = Instant::now();
        black_box(Token::parse(text)?.verify(&keys, &expected, now())?);
        took_us.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    shown(what, took_us);
    Ok(())
}

/// Why the library refuses, which is no error of its own.
fn told(why: impl std::fmt::Display) -> String {
    format!("a key for comparison: {why}")
}

/// What is signed of a token of that algorithm.
fn unsigned(algorithm: &str) -> String {
    let at = now().as_millis() / 1_000;
    let header = json!({"alg": algorithm, "kid": "k", "typ": "JWT"});
    let claims = json!({"iss": ISSUER, "sub": "a", "aud": AUDIENCE, "iat": at, "nbf": at, "exp": at + 600});
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn es256() -> Outcome<(String, Value)> {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(told)?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).map_err(told)?;
    let unsigned = unsigned("ES256");
    let signature = key.sign(&random, unsigned.as_bytes()).map_err(told)?;
    let point = key.public_key().as_ref();
    let (x, y) = (point.get(1..33).unwrap_or_default(), point.get(33..).unwrap_or_default());
    let jwk = json!({"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "use": "sig",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)});
    Ok((format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature)), json!({"keys": [jwk]})))
}

/// With a key of 2,048 bits, which the library that signs cannot make itself.
fn rs256() -> Outcome<Option<(String, Value)>> {
    let asked = ["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-outform", "DER"];
    let Ok(made) = Command::new("openssl").args(asked).output() else { return Ok(None) };
    let key = RsaKeyPair::from_pkcs8(&made.stdout).or_else(|_| RsaKeyPair::from_der(&made.stdout)).map_err(told)?;
    let unsigned = unsigned("RS256");
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), unsigned.as_bytes(), &mut signature).map_err(told)?;
    let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
    let jwk = json!({"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig",
        "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e)});
    Ok(Some((format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature)), json!({"keys": [jwk]}))))
}

fn shown(what: &str, mut took_us: Vec<f64>) -> f64 {
    took_us.sort_by(f64::total_cmp);
    let at = |share: f64| took_us.get((took_us.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!("  {what:<26} p50 {:>7.1} us  p99 {:>7.1} us", at(0.5), at(0.99));
    at(0.99)
}

async fn make(tenancy: &Arc<Tenancy>, count: usize) -> Outcome<Vec<String>> {
    let mut workers = JoinSet::new();
    for worker in 0..AT_ONCE {
        let tenancy = Arc::clone(tenancy);
        let share = count / AT_ONCE + usize::from(worker < count % AT_ONCE);
        workers.spawn(async move {
            let mut made = Vec::with_capacity(share);
            for _ in 0..share {
                let wish =
                    KeyCreate { role: None, tenant: None, kind: None, label: String::new(), expires_in_ms: None };
                made.extend(tenancy.key_create(&act(), wish).await?.api_key);
            }
            Ok::<_, aegis_model::Fault>(made)
        });
    }
    let made: Result<Vec<Vec<String>>, _> = workers.join_all().await.into_iter().collect();
    Ok(made?.concat())
}

async fn look(tenancy: &Tenancy, keys: &[String], what: &str) -> Outcome<f64> {
    let mut took_us = Vec::with_capacity(LOOKS);
    let mut place = 1_usize;
    for _ in 0..LOOKS {
        place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let key = keys.get((place >> 33) % keys.len()).ok_or("no key")?;
        let begun = Instant::now();
        black_box(tenancy.authenticate(key, now()).await?);
        took_us.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(shown(what, took_us))
}
