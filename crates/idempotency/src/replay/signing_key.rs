//! Secrets that clients and servers share, by their ids.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The fewest bytes of a secret.
const MIN_SECRET: usize = 16;

/// The longest id.
const MAX_ID: usize = 128;

/// A secret that a client and a server share, and the id by which a request names it.
#[derive(Clone)]
pub struct SigningKey {
    id: Arc<str>,
    mac: Hmac<Sha256>,
}

impl SigningKey {
    /// The key called `id` with this secret: random bytes, best 32 of them.
    ///
    /// # Errors
    ///
    /// When the secret has fewer than 16 bytes; or the id is not 1 to 128 of `A-Z a-z 0-9 - _ . :`.
    pub fn new(id: impl Into<Arc<str>>, secret: &[u8]) -> Result<Self, SigningKeyError> {
        let id = id.into();
        if !is_id(id.as_bytes()) {
            return Err(SigningKeyError(
                "the id of a key is 1 to 128 of A-Z a-z 0-9 - _ . :",
            ));
        }
        if secret.len() < MIN_SECRET {
            return Err(SigningKeyError("the secret of a key has 16 bytes at least"));
        }
        let mac = Hmac::new_from_slice(secret).map_err(|_| SigningKeyError("the secret cannot be used"))?;
        Ok(Self { id, mac })
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn sign(&self, text: &[u8]) -> [u8; 32] {
        self.mac.clone().chain_update(text).finalize().into_bytes().into()
    }

    /// Whether `signature` is that of `text`. Takes as long for one that is wrong as for one that is right.
    pub(super) fn verify(&self, text: &[u8], signature: &[u8; 32]) -> bool {
        self.mac
            .clone()
            .chain_update(text)
            .verify_slice(signature)
            .is_ok()
    }
}

/// Whether these bytes can be the id of a key.
pub(super) fn is_id(bytes: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (1..=MAX_ID).contains(&bytes.len()) && bytes.iter().all(fits)
}

/// Never the secret.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A [`SigningKey`] could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyError(&'static str);

impl fmt::Display for SigningKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for SigningKeyError {}

/// The keys that a server accepts. Clones are one set, which may change while it is in use.
///
/// To change a client's key: [`add`](Self::add) the new one, let the client change over, and [`retire`](Self::retire) the
/// old one. Two keys may have one id; then either is accepted.
#[derive(Debug, Clone, Default)]
pub struct SigningKeys(Arc<RwLock<Vec<SigningKey>>>);

impl SigningKeys {
    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts `key` from now on.
    pub fn add(&self, key: SigningKey) {
        // A list is consistent whenever a panic comes.
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(key);
    }

    /// Accepts no key called `id` any more. Says whether there was one.
    pub fn retire(&self, id: &str) -> bool {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = keys.len();
        keys.retain(|key| key.id() != id);
        keys.len() < before
    }

    /// The keys called `id`.
    pub(super) fn find(&self, id: &str) -> Vec<SigningKey> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().filter(|key| key.id() == id).cloned().collect()
    }
}

impl FromIterator<SigningKey> for SigningKeys {
    fn from_iter<T: IntoIterator<Item = SigningKey>>(keys: T) -> Self {
        Self(Arc::new(RwLock::new(keys.into_iter().collect())))
    }
}

impl From<SigningKey> for SigningKeys {
    fn from(key: SigningKey) -> Self {
        Self::from_iter([key])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_secrets_and_odd_ids_are_refused() {
        assert!(SigningKey::new("k", &[1; 15]).is_err());
        for id in ["", "a b", "k\n", "é", &"k".repeat(129)] {
            assert!(SigningKey::new(id, &[1; 32]).is_err(), "{id}");
        }
        assert!(SigningKey::new("acct_1:2024-01.a", &[1; 16]).is_ok());
    }

    #[test]
    fn no_secret_is_shown() {
        let key = SigningKey::new("k", b"secretsecretsecret").unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey { id: \"k\", .. }");
    }

    #[test]
    fn keys_come_and_go_while_in_use() {
        let keys = SigningKeys::from(SigningKey::new("a", &[1; 32]).unwrap());
        let other = keys.clone();
        other.add(SigningKey::new("a", &[2; 32]).unwrap());
        assert_eq!(keys.find("a").len(), 2);
        assert!(keys.retire("a") && !other.retire("a"));
        assert!(other.find("a").is_empty());
    }
}
