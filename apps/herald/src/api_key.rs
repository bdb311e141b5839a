//! API keys: made from 256 random bits, known afterwards only by their hash.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Tells a person or a scanner of leaked secrets what it is.
const PREFIX: &str = "herald_";

/// A new key, from the operating system's randomness.
pub(crate) fn generate() -> SecretString {
    let bytes: [u8; 32] = rand::random();
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)).into()
}

/// What is stored of a key. A key has enough bits of its own to need neither salt nor a slow hash.
pub(crate) fn hash(key: &SecretString) -> [u8; 32] {
    hash_bytes(key.expose_secret().as_bytes())
}

/// The hash of a key as it came over the wire.
pub(crate) fn hash_bytes(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}
