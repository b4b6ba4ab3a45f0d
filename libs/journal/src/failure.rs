//! What it means when a statement fails.

/// What failed by bad luck (a deadlock, a serialisation failure, a lock that was held too long, a repeat that came in
/// between) is tried so often in all.
pub(crate) const MOST_TRIES: u32 = 3;

/// What a failed statement means. In each case but the last the server said that nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// What was to be written is at fault.
    Unit,
    /// Bad luck: a deadlock, or the same command committed elsewhere in between.
    Again,
    /// The connection or the server is at fault.
    Lost,
}

impl Failure {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let database = match error {
            sqlx::Error::Database(database) => database,
            sqlx::Error::Encode(_) => return Self::Unit,
            _ => return Self::Lost,
        };
        if database.constraint() == Some("command_receipt_pkey") {
            return Self::Again;
        }
        match database.code().as_deref() {
            // Serialisation failure, deadlock, lock timeout.
            Some("40001" | "40P01" | "55P03") => Self::Again,
            // Data, integrity, syntax or names, program limits, raised by a trigger.
            Some(code) if ["22", "23", "42", "54", "P0"].iter().any(|class| code.starts_with(class)) => {
                Self::Unit
            }
            _ => Self::Lost,
        }
    }
}
