//! Reading went wrong.

use callboard_journal::Corrupt;
use callboard_kernel::{ErrorKind, Refusal};
use callboard_service::database;

/// Reading went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Postgres did not answer, or not sensibly.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// A row makes no sense: a bug or a hand in the database.
    #[error("stored data makes no sense: {0}")]
    Corrupt(#[from] Corrupt),
    /// A signing key cannot be read.
    #[error("signing key: {0}")]
    Key(#[from] callboard_auth::KeyError),
    /// A signing key cannot be encrypted or decrypted.
    #[error("signing key: {0}")]
    Sealed(String),
    /// A hash cannot be made or read.
    #[error("hashing: {0}")]
    Hash(String),
}

impl From<ReadError> for Refusal {
    /// Texts of the database stay in the log.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Sql(error) => database::refusal(error),
            ReadError::Corrupt(_) | ReadError::Key(_) | ReadError::Sealed(_) | ReadError::Hash(_) => {
                Self::new(ErrorKind::Internal, "INTERNAL", error.to_string())
            }
        }
    }
}
