//! Opaque secrets: refresh tokens, PIN-free links and the like.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// What is stored of a secret: its SHA-256. Enough for secrets of 256 random bits, never for passwords or PINs.
pub type SecretHash = [u8; 32];

/// A new secret of 256 random bits, URL-safe, 43 characters.
pub fn random_secret() -> SecretString {
    let bytes: [u8; 32] = rand::random();
    SecretString::from(URL_SAFE_NO_PAD.encode(bytes))
}

/// What to store of a secret of [`random_secret`].
pub fn hash_secret(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether the secret is the one whose hash was stored. Takes the same time whatever differs.
pub fn secret_matches(secret: &str, stored: &SecretHash) -> bool {
    let given = hash_secret(secret);
    let difference = given.iter().zip(stored).fold(0_u8, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_matches_its_own_hash_and_no_other() {
        let (one, two) = (random_secret(), random_secret());
        let stored = hash_secret(one.expose_secret());
        assert!(secret_matches(one.expose_secret(), &stored));
        assert!(!secret_matches(two.expose_secret(), &stored));
        assert_eq!(one.expose_secret().len(), 43);
    }
}
