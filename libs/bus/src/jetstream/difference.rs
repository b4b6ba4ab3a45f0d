//! The server's configuration compared with what was asked for.

use std::fmt::Debug;

/// What a stream or durable is configured as differs from what was asked for. Old servers ignore fields they do not
/// know, and a hand on the server changes others: either way nothing can be promised any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {field} is {found}, asked for {asked}")]
pub struct ConfigDifference {
    /// The stream or durable.
    pub what: String,
    /// The first field that differs.
    pub field: &'static str,
    /// What was asked for.
    pub asked: String,
    /// What the server says.
    pub found: String,
}

/// Compares field by field; remembers the first difference.
pub(super) struct Comparison {
    what: String,
    first: Option<ConfigDifference>,
}

impl Comparison {
    pub(super) fn of(what: impl Into<String>) -> Self {
        Self { what: what.into(), first: None }
    }

    pub(super) fn field<T: PartialEq + Debug>(mut self, field: &'static str, asked: &T, found: &T) -> Self {
        if self.first.is_none() && asked != found {
            self.first = Some(ConfigDifference {
                what: self.what.clone(),
                field,
                asked: format!("{asked:?}"),
                found: format!("{found:?}"),
            });
        }
        self
    }

    pub(super) fn result(self) -> Result<(), ConfigDifference> {
        self.first.map_or(Ok(()), Err)
    }
}
