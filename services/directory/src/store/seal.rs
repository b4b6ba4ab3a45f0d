//! Private signing keys at rest: AES-256-GCM under keys from the configuration.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

use super::ReadError;

/// Keys that signing keys are encrypted with: the first encrypts, all decrypt, so that it can be exchanged while several
/// replicas run.
#[derive(Debug)]
pub struct KeyEncryption(Vec<LessSafeKey>);

/// Bound to the row: a sealed key put under another id does not open.
fn bound(id: &str) -> Aad<Vec<u8>> {
    Aad::from(format!("callboard signing_key {id}").into_bytes())
}

impl KeyEncryption {
    /// Reads keys of 32 bytes in Base64, separated by commas or white space; `None`: nothing is encrypted.
    ///
    /// # Errors
    /// When one is no such key.
    pub fn parse(text: &SecretString) -> Result<Option<Self>, &'static str> {
        const RULE: &str = "directory.issuer.key_encryption_key: 32 random bytes in Base64, or several such, separated by commas";
        let mut keys = Vec::new();
        let split = |character: char| character == ',' || character.is_whitespace();
        for word in text.expose_secret().split(split).filter(|word| !word.is_empty()) {
            let bytes = STANDARD.decode(word).map_err(|_| RULE)?;
            keys.push(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| RULE)?));
        }
        Ok(if keys.is_empty() { None } else { Some(Self(keys)) })
    }

    /// Encrypts the key of this id.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn seal(&self, id: &str, pem: &SecretString) -> Result<Vec<u8>, ReadError> {
        let failed = |_| ReadError::Sealed("cannot be encrypted".to_owned());
        // Random nonces do for the few keys there ever are.
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(failed)?;
        let mut text = pem.expose_secret().as_bytes().to_vec();
        let first = self.0.first().ok_or(ring::error::Unspecified).map_err(failed)?;
        first
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound(id), &mut text)
            .map_err(failed)?;
        Ok([&nonce[..], &text].concat())
    }

    /// Decrypts the key of this id; true when it was the first key that did.
    ///
    /// # Errors
    /// When none of the keys does: it was encrypted with another, or altered.
    pub fn open(&self, id: &str, sealed: &[u8]) -> Result<(SecretString, bool), ReadError> {
        let failed = || {
            ReadError::Sealed(format!("{id} was not encrypted with any directory.issuer.key_encryption_key"))
        };
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or_else(failed)?;
        for (index, key) in self.0.iter().enumerate() {
            let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
            let mut text = text.to_vec();
            if let Ok(pem) = key.open_in_place(nonce, bound(id), &mut text) {
                let pem = std::str::from_utf8(pem).map_err(|_| failed())?;
                return Ok((SecretString::from(pem), index == 0));
            }
        }
        Err(failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> KeyEncryption {
        let text: Vec<String> = bytes.iter().map(|byte| STANDARD.encode([*byte; 32])).collect();
        KeyEncryption::parse(&SecretString::from(text.join(","))).unwrap().unwrap()
    }

    #[test]
    fn a_sealed_key_opens_with_its_key_and_under_its_id_only() {
        let pem = SecretString::from("a private key");
        let sealed = keys(&[1]).seal("id", &pem).unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"private"));
        assert_ne!(sealed, keys(&[1]).seal("id", &pem).unwrap(), "another nonce");
        let opened = |keys: KeyEncryption, id: &str, sealed: &[u8]| {
            keys.open(id, sealed).map(|(pem, first)| (pem.expose_secret().to_owned(), first)).ok()
        };
        assert_eq!(opened(keys(&[1]), "id", &sealed), Some(("a private key".to_owned(), true)));
        assert_eq!(opened(keys(&[2, 1]), "id", &sealed), Some(("a private key".to_owned(), false)));
        assert_eq!(opened(keys(&[2]), "id", &sealed), None);
        assert_eq!(opened(keys(&[1]), "another", &sealed), None);
        let mut altered = sealed.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(opened(keys(&[1]), "id", &altered), None);
        assert_eq!(opened(keys(&[1]), "id", &sealed[..5]), None);
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_said() {
        assert!(KeyEncryption::parse(&SecretString::from("")).unwrap().is_none());
        for wrong in ["geheim", "c2hvcnQ=", &STANDARD.encode([1; 31])] {
            let said = KeyEncryption::parse(&SecretString::from(wrong)).unwrap_err();
            assert!(said.contains("key_encryption_key") && !said.contains(wrong));
        }
    }
}
