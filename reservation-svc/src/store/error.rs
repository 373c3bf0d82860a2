//! What goes wrong with a database, and whether trying again may help.

use sea_orm::{DbErr, RuntimeErr, sqlx};

/// A database error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database has not been reached and migrated yet.
    #[error("the database is not ready")]
    NotReady,
    /// A statement failed.
    #[error("failed to {operation}")]
    Failed {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: DbErr,
    },
    /// The answer to COMMIT is missing: all of it may be durable, or none.
    #[error("whether the database committed is not known")]
    Unconfirmed {
        /// Why it is missing.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer to COMMIT was missing, and then found out to be no: nothing is durable.
    #[error("the commit was lost with its connection")]
    Undone {
        /// Why the answer was missing.
        #[source]
        source: Box<StoreError>,
    },
    /// A stored value means nothing.
    #[error("stored {what} {value:?} means nothing")]
    Corrupt {
        /// What it should be.
        what: &'static str,
        /// What it is.
        value: String,
    },
}

impl StoreError {
    /// A stored value that means nothing.
    pub fn corrupt(what: &'static str, value: impl ToString) -> Self {
        Self::Corrupt {
            what,
            value: value.to_string(),
        }
    }

    /// Whether the same thing may succeed at once, on another connection: a database that cannot be reached at all
    /// cannot be reached the next moment either.
    pub(crate) fn is_worth_another_connection(&self) -> bool {
        let unreachable = matches!(
            self,
            Self::NotReady
                | Self::Failed {
                    source: DbErr::ConnectionAcquire(_) | DbErr::Conn(_),
                    ..
                }
        );
        self.is_transient() && !unreachable
    }

    /// Whether the same thing may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotReady | Self::Unconfirmed { .. } | Self::Undone { .. } => true,
            Self::Corrupt { .. } => false,
            Self::Failed { source, .. } => match source {
                DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
                DbErr::Exec(RuntimeErr::SqlxError(error))
                | DbErr::Query(RuntimeErr::SqlxError(error)) => is_transient(error),
                _ => false,
            },
        }
    }
}

fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_transient_code(&code)),
        _ => false,
    }
}

/// PostgreSQL's classes for lost connections, rolled back transactions, exhausted resources and shutdowns; SQLite's
/// primary codes for busy, locked, I/O, full and cannot open.
fn is_transient_code(code: &str) -> bool {
    let sqlite = || {
        code.parse::<u32>()
            .is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14))
    };
    match code.len() {
        5 => ["08", "40", "53", "57", "58"].contains(&&code[..2]) || code == "55P03",
        _ => sqlite(),
    }
}

/// Says what was being done when a statement failed.
pub(super) trait During<T> {
    /// The result, with `operation` in its error: "failed to {operation}".
    fn during(self, operation: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, DbErr> {
    fn during(self, operation: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Failed { operation, source })
    }
}

#[cfg(test)]
mod tests {
    use super::is_transient_code;

    #[test]
    fn lost_connections_are_transient_and_broken_rules_are_not() {
        for code in [
            "08006", "40001", "53300", "57P01", "55P03", "5", "517", "6", "13",
        ] {
            assert!(is_transient_code(code), "{code}");
        }
        for code in ["23514", "23505", "42P01", "275", "1555", "1", ""] {
            assert!(!is_transient_code(code), "{code}");
        }
    }
}
