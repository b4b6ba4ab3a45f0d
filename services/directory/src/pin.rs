//! PINs: Argon2id, a few at a time, off the runtime's threads.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::{OnceCell, Semaphore};

use crate::store::ReadError;

/// Hashes being made at once in this process. Each takes 19 MiB and some tens of milliseconds.
const AT_ONCE: usize = 4;

/// Makes and checks hashes of PINs.
#[derive(Debug)]
pub struct Pins {
    turns: Semaphore,
    /// Of a PIN that nobody has, for codes that have none: the work is the same. Made when the first PIN is checked: until
    /// then a process at rest holds no memory for it.
    nobodys: OnceCell<String>,
}

fn hash(pin: &str) -> Result<String, ReadError> {
    let hash = Argon2::default()
        .hash_password(pin.as_bytes())
        .map_err(|error| ReadError::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ReadError::Hash("the work was cut off".to_owned()))
}

impl Default for Pins {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE), nobodys: OnceCell::new() }
    }
}

impl Pins {
    /// The hash of a PIN, to be stored.
    ///
    /// # Errors
    /// When there is no randomness to salt with.
    pub async fn hash(&self, pin: String) -> Result<String, ReadError> {
        let _turn = self.turns.acquire().await;
        aside(move || hash(&pin)).await?
    }

    /// Whether the PIN is the one of the hash; without a hash the same work is done and the answer is no.
    ///
    /// # Errors
    /// When the work is cut off by the end of the process, or there is no randomness to salt with.
    pub async fn is_right(&self, pin: String, stored: Option<String>) -> Result<bool, ReadError> {
        let _turn = self.turns.acquire().await;
        let real = stored.is_some();
        // For every code alike: how long the first check takes must not tell which codes have a PIN.
        let nobodys = self.nobodys.get_or_try_init(|| async { aside(|| hash("nobody's")).await? }).await?;
        let against = stored.unwrap_or_else(|| nobodys.clone());
        let right =
            aside(move || Argon2::default().verify_password(pin.as_bytes(), against.as_str()).is_ok())
                .await?;
        Ok(right && real)
    }
}

/// A PIN: 4 to 12 digits.
pub fn is_pin(text: &str) -> bool {
    (4..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
