//! The port `KeyWrap` over a key ring in a file beside the data. A name of a key is the number
//! of its generation. Must not know: what is wrapped.

mod file;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aegis_identity::{Cost, Generation, KeyRing, Lock, MasterKey, Passphrase, PassphraseKey};
use aegis_model::port::{Entropy, EntropyError, KeyWrap, WrapKeys, WrappedKey};
use aegis_model::{Code, Fault, Timestamp};
use async_trait::async_trait;
use zeroize::Zeroizing;

pub use file::{FoundFile, KeyRingError, KeyRingFile};

/// The keys of this installation. Whoever has them has the data directory to himself.
pub struct LocalKeys(Arc<Inner>);

struct Inner {
    file: KeyRingFile,
    entropy: Arc<dyn Entropy>,
    /// In force, and in the file.
    ring: RwLock<Arc<KeyRing>>,
    /// Under what the file lies. Held by whoever writes it.
    lock: Mutex<Lock>,
}

impl LocalKeys {
    /// Makes the keys of a new installation, and keeps them.
    ///
    /// # Errors
    /// When there is no randomness, or the file cannot be written.
    pub fn create(
        file: KeyRingFile,
        passphrase: Option<&Passphrase>,
        entropy: Arc<dyn Entropy>,
        at: Timestamp,
    ) -> Result<Self, KeyRingError> {
        let lock = lock_under(passphrase, &*entropy)?;
        let (root, key): (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) = (random(&*entropy)?, random(&*entropy)?);
        let ring = KeyRing::new(*root, *key, at);
        file.write(&ring, &lock, *random(&*entropy)?)?;
        Ok(Self::of(file, entropy, ring, lock))
    }

    /// Opens the keys that were found. Changes nothing.
    ///
    /// # Errors
    /// When the passphrase is missing or wrong, or the file is damaged.
    pub fn open(
        found: FoundFile,
        passphrase: Option<&Passphrase>,
        entropy: Arc<dyn Entropy>,
        at: Timestamp,
    ) -> Result<Self, KeyRingError> {
        let (ring, lock) = found.open(passphrase, at)?;
        Ok(Self::of(found.file, entropy, ring, lock))
    }

    fn of(file: KeyRingFile, entropy: Arc<dyn Entropy>, ring: KeyRing, lock: Lock) -> Self {
        Self(Arc::new(Inner { file, entropy, ring: RwLock::new(Arc::new(ring)), lock: Mutex::new(lock) }))
    }

    /// The secret from which the other keys of the installation follow.
    pub fn root(&self) -> MasterKey {
        self.0.ring().root()
    }

    /// Writes the file as it is written today: once for a file of an older form.
    ///
    /// # Errors
    /// When it cannot be written; it is as it was then.
    pub fn keep(&self) -> Result<(), KeyRingError> {
        self.0.change(|_| Ok(None))
    }

    /// Puts the file under another passphrase, or under none.
    ///
    /// # Errors
    /// When it cannot be written; it is as it was then.
    pub fn lock(&self, passphrase: Option<&Passphrase>) -> Result<(), KeyRingError> {
        let new = lock_under(passphrase, &*self.0.entropy)?;
        let mut lock = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.file.write(&self.0.ring(), &new, *random(&*self.0.entropy)?)?;
        *lock = new;
        Ok(())
    }

    /// Does work on the file off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(Fault::internal)?
    }
}

impl Inner {
    fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes the ring that `next` makes of the present one, and only then puts it in force.
    fn change(&self, next: impl FnOnce(&KeyRing) -> Result<Option<KeyRing>, KeyRingError>) -> Result<(), KeyRingError> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let present = self.ring();
        let new = next(&present)?.map(Arc::new).unwrap_or(present);
        self.file.write(&new, &lock, *random(&*self.entropy)?)?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    fn rotate(&self, at: Timestamp) -> Result<String, KeyRingError> {
        self.change(|ring| Ok(Some(ring.rotated(*random(&*self.entropy)?, at))))?;
        Ok(self.ring().newest().number.to_string())
    }
}

/// Under what a ring with this passphrase lies.
fn lock_under(passphrase: Option<&Passphrase>, entropy: &dyn Entropy) -> Result<Lock, KeyRingError> {
    let Some(passphrase) = passphrase else { return Ok(Lock::Open) };
    let key = PassphraseKey::derive(passphrase, Cost::DEFAULT, *random(entropy)?);
    key.map(Lock::Passphrase).ok_or(KeyRingError::Cost)
}

fn random<const N: usize>(entropy: &dyn Entropy) -> Result<Zeroizing<[u8; N]>, EntropyError> {
    let mut bytes = Zeroizing::new([0; N]);
    entropy.fill(&mut *bytes)?;
    Ok(bytes)
}

fn number(generation: &Generation) -> String {
    generation.number.to_string()
}

#[async_trait]
impl KeyWrap for LocalKeys {
    async fn wrap(&self, context: &str, key: &[u8]) -> Result<WrappedKey, Fault> {
        let (ring, nonce) = (self.0.ring(), random(&*self.0.entropy).map_err(Fault::internal)?);
        let newest = ring.newest();
        Ok(WrappedKey { under: number(newest), sealed: newest.seal(*nonce, context.as_bytes(), key) })
    }

    async fn unwrap(&self, context: &str, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let ring = self.0.ring();
        let named = wrapped.under.parse().ok().and_then(|number| ring.generation(number));
        let absent = || {
            let message = format!("it is sealed under the key-encryption key `{}`, which is not there", wrapped.under);
            Fault::new(Code::Tampered, message)
        };
        let opened = named.ok_or_else(absent)?.open(context.as_bytes(), &wrapped.sealed);
        opened.map_err(|error| Fault::new(Code::Tampered, "what is sealed cannot be opened").caused_by(error))
    }

    async fn keys(&self) -> Result<WrapKeys, Fault> {
        let ring = self.0.ring();
        Ok(WrapKeys { current: number(ring.newest()), older: ring.older().iter().map(number).collect() })
    }

    async fn rotate(&self, at: Timestamp) -> Result<String, Fault> {
        self.blocking(move |inner| inner.rotate(at).map_err(Fault::from)).await
    }

    async fn retire(&self, current: &str) -> Result<(), Fault> {
        let current = current.to_owned();
        self.blocking(move |inner| {
            if number(inner.ring().newest()) != current {
                return Err(Fault::new(Code::Conflict, format!("`{current}` is not the current key-encryption key")));
            }
            inner.change(|ring| Ok(Some(ring.retired()))).map_err(Fault::from)
        })
        .await
    }
}

impl fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKeys(…)")
    }
}
