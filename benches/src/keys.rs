//! Finding out who holds a key: among a hundred keys, and among a hundred thousand, with the
//! same hundred in use, and with all of them in use. Compares the three in one run.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::hint::black_box;
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

/// Reading and verifying a token with keys at hand.
fn token() -> Outcome {
    let (key, subject) = (WorkloadKey::from_seed(&[7; 32])?, SpiffeId::new("house.example", &["a"])?);
    let issued_at = now();
    let (issuer, audience) = ("https://issuer.example", "aegis");
    let text =
        key.sign(&Workload { issuer, subject: &subject, audience, token_id: "t", issued_at, lifetime_s: 600 })?;
    let keys = KeySet::parse(&serde_json::to_vec(&WorkloadKey::public_set(&[&key]))?)?;
    let expected = Expected::new(issuer, audience);
    let mut took_us = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        let begun = Instant::now();
        black_box(Token::parse(&text)?.verify(&keys, &expected, issued_at)?);
        took_us.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    shown("a token, EdDSA", took_us);
    Ok(())
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
