//! What every adapter of the port `KeyWrap` must keep, and keys that fail on purpose. One
//! function per promise; `suite` runs them all, each on keys of its own. Must not know: any
//! adapter.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use aegis_model::port::{KeyWrap, WrapKeys, WrappedKey};
use aegis_model::{Code, Fault, Timestamp};
use async_trait::async_trait;
use zeroize::Zeroizing;

/// A place for keys that an adapter's test sets up; every one begins with one key.
pub trait KeyPlace: Send + Sync {
    /// Opens what is there, as a restarted server would.
    fn open(&self) -> Arc<dyn KeyWrap>;
}

/// Runs every promise against places that `fresh` makes.
pub async fn suite<P: KeyPlace>(fresh: impl Fn() -> P) {
    what_was_wrapped_opens_in_its_context_only(&fresh()).await;
    what_was_altered_does_not_open(&fresh()).await;
    a_rotation_wraps_under_another_key_and_both_open(&fresh()).await;
    what_is_retired_opens_nothing_any_more(&fresh()).await;
    only_the_current_key_stays(&fresh()).await;
    everything_outlives_a_restart(&fresh()).await;
    a_name_is_never_given_twice(&fresh()).await;
}

const KEY: &[u8] = b"a key of a tenant";

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

async fn wrap(keys: &dyn KeyWrap) -> WrappedKey {
    keys.wrap("tenant/a", KEY).await.expect("it is wrapped")
}

async fn rotate(keys: &dyn KeyWrap) -> String {
    keys.rotate(at(1)).await.expect("it rotates")
}

async fn check(keys: &dyn KeyWrap, context: &str, wrapped: &WrappedKey, opens: bool) {
    let opened = keys.unwrap(context, wrapped).await.map(|key| key.to_vec()).map_err(|fault| fault.code());
    let expected = if opens { Ok(KEY.to_vec()) } else { Err(Code::Tampered) };
    assert_eq!(opened, expected, "{context} under {}", wrapped.under);
}

async fn what_was_wrapped_opens_in_its_context_only(place: &impl KeyPlace) {
    let keys = place.open();
    let wrapped = wrap(&*keys).await;
    assert_ne!(wrap(&*keys).await.sealed, wrapped.sealed, "the same twice shows that it is the same");
    assert!(!wrapped.sealed.windows(KEY.len()).any(|part| part == KEY));
    for (context, opens) in [("tenant/a", true), ("tenant/b", false), ("tenant/", false), ("", false)] {
        check(&*keys, context, &wrapped, opens).await;
    }
}

async fn what_was_altered_does_not_open(place: &impl KeyPlace) {
    let keys = place.open();
    let wrapped = wrap(&*keys).await;
    for index in 0..wrapped.sealed.len() {
        let mut altered = wrapped.clone();
        altered.sealed.iter_mut().skip(index).take(1).for_each(|byte| *byte ^= 1);
        check(&*keys, "tenant/a", &altered, false).await;
    }
    for under in ["", "0", "no such key", "99999999999999999999999"] {
        check(&*keys, "tenant/a", &WrappedKey { under: under.to_owned(), ..wrapped.clone() }, false).await;
    }
}

async fn a_rotation_wraps_under_another_key_and_both_open(place: &impl KeyPlace) {
    let keys = place.open();
    let before = wrap(&*keys).await;
    let name = rotate(&*keys).await;
    let after = wrap(&*keys).await;
    assert_eq!((&after.under, after.under == before.under), (&name, false));
    let expected = WrapKeys { current: name, older: vec![before.under.clone()] };
    assert_eq!(keys.keys().await.expect("keys"), expected);
    check(&*keys, "tenant/a", &before, true).await;
    check(&*keys, "tenant/a", &after, true).await;
    let swapped = WrappedKey { under: after.under, sealed: before.sealed };
    check(&*keys, "tenant/a", &swapped, false).await;
}

async fn what_is_retired_opens_nothing_any_more(place: &impl KeyPlace) {
    let keys = place.open();
    let before = wrap(&*keys).await;
    let name = rotate(&*keys).await;
    let after = wrap(&*keys).await;
    keys.retire(&name).await.expect("it is retired");
    check(&*keys, "tenant/a", &before, false).await;
    check(&*keys, "tenant/a", &after, true).await;
    assert!(keys.keys().await.expect("keys").older.is_empty());
}

async fn only_the_current_key_stays(place: &impl KeyPlace) {
    let keys = place.open();
    let before = wrap(&*keys).await;
    rotate(&*keys).await;
    let refused = keys.retire(&before.under).await.expect_err("it is not the current one");
    assert_eq!(refused.code(), Code::Conflict);
    check(&*keys, "tenant/a", &before, true).await;
}

async fn everything_outlives_a_restart(place: &impl KeyPlace) {
    let keys = place.open();
    let before = wrap(&*keys).await;
    let name = rotate(&*keys).await;
    let after = wrap(&*keys).await;
    drop(keys);
    let reopened = place.open();
    assert_eq!(reopened.keys().await.expect("keys").current, name);
    check(&*reopened, "tenant/a", &before, true).await;
    check(&*reopened, "tenant/a", &after, true).await;
    reopened.retire(&name).await.expect("it is retired");
    check(&*place.open(), "tenant/a", &before, false).await;
}

async fn a_name_is_never_given_twice(place: &impl KeyPlace) {
    let mut names = vec![place.open().keys().await.expect("keys").current];
    for _ in 0..4 {
        let keys = place.open();
        names.push(rotate(&*keys).await);
        keys.retire(names.last().expect("a name")).await.expect("it is retired");
    }
    let unique: std::collections::BTreeSet<&String> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "{names:?}");
}

/// What happens to one call of `rotate` or `retire`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// Nothing out of the ordinary.
    Pass,
    /// It fails and nothing has happened.
    NotDone,
    /// It has happened, but the answer is lost.
    AnswerLost,
}

/// Wraps keys and fails as it is told, call by call; then no more.
pub struct FaultyKeys {
    inner: Arc<dyn KeyWrap>,
    script: Mutex<VecDeque<KeyFault>>,
}

impl FaultyKeys {
    /// Fails as the script says.
    pub fn scripted(inner: Arc<dyn KeyWrap>, script: impl IntoIterator<Item = KeyFault>) -> Self {
        Self { inner, script: Mutex::new(script.into_iter().collect()) }
    }

    async fn fail<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let lost = || Fault::new(Code::StorageFull, "the keys could not be written");
        let fault = self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match fault.unwrap_or(KeyFault::Pass) {
            KeyFault::Pass => work.await,
            KeyFault::NotDone => Err(lost()),
            KeyFault::AnswerLost => work.await.and_then(|_| Err(lost())),
        }
    }
}

#[async_trait]
impl KeyWrap for FaultyKeys {
    async fn wrap(&self, context: &str, key: &[u8]) -> Result<WrappedKey, Fault> {
        self.inner.wrap(context, key).await
    }

    async fn unwrap(&self, context: &str, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.inner.unwrap(context, wrapped).await
    }

    async fn keys(&self) -> Result<WrapKeys, Fault> {
        self.inner.keys().await
    }

    async fn rotate(&self, at: Timestamp) -> Result<String, Fault> {
        self.fail(self.inner.rotate(at)).await
    }

    async fn retire(&self, current: &str) -> Result<(), Fault> {
        self.fail(self.inner.retire(current)).await
    }
}
