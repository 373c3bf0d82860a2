//! What goes wrong with a database, and whether trying again may help.

use jiff::SignedDuration;
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
    /// A rule of the schema refuses what was to be written, and the whole transaction with it. Without the rows that
    /// broke the rule it would have been written.
    #[error("the database refuses to {operation}")]
    Refused {
        /// What was being done.
        operation: &'static str,
        /// Which rule.
        rule: Rule,
        /// How the database says it.
        #[source]
        source: DbErr,
    },
    /// Rows to be changed do not exist.
    #[error("failed to {operation}: {rows_count} rows are missing")]
    Missing {
        /// What was being done.
        operation: &'static str,
        /// How many.
        rows_count: u64,
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
    /// By this process's clock nothing is decided: it is ahead of what vouches for it.
    #[error("the clock is {} s ahead of {witness}", ahead.as_secs())]
    ClockAhead {
        /// How far.
        ahead: SignedDuration,
        /// Of what.
        witness: &'static str,
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

/// A rule of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A CHECK: a cell over its capacity above all.
    Check,
    /// Something that there may be only once: a request id, a number.
    Unique,
    /// What is referred to exists.
    Reference,
    /// A value that the column cannot hold.
    Value,
}

impl Rule {
    /// The rule of an error code: PostgreSQL's SQLSTATE, SQLite's extended code.
    fn of_code(code: &str) -> Option<Self> {
        match code {
            "23514" | "275" => Some(Self::Check),
            "23505" | "23P01" | "1555" | "2067" | "2579" => Some(Self::Unique),
            "23503" | "787" => Some(Self::Reference),
            "23502" | "1299" | "18" | "20" | "3091" => Some(Self::Value),
            // Data exceptions, such as a NUL in a text.
            _ if code.len() == 5 && code.starts_with("22") => Some(Self::Value),
            _ => None,
        }
    }

    fn broken_by(error: &DbErr) -> Option<Self> {
        let (DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))) = error
        else {
            return None;
        };
        Self::of_code(&error.as_database_error()?.code()?)
    }
}

impl StoreError {
    /// Whether it is about what was to be written rather than about the database: of several changes, some may be to
    /// blame and the others not.
    pub fn blames_changes(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Missing { .. })
    }

    /// A stored value that means nothing.
    pub fn corrupt(what: &'static str, value: impl ToString) -> Self {
        Self::Corrupt {
            what,
            value: value.to_string(),
        }
    }

    /// Whether the same thing may succeed at once, on another connection, and may be done again: a database that cannot be
    /// reached at all cannot be reached the next moment either, a clock is as wrong there, and what may be durable would
    /// be done twice.
    pub(crate) fn is_worth_another_connection(&self) -> bool {
        let as_bad_there = matches!(
            self,
            Self::NotReady
                | Self::Unconfirmed { .. }
                | Self::ClockAhead { .. }
                | Self::Failed {
                    source: DbErr::ConnectionAcquire(_) | DbErr::Conn(_),
                    ..
                }
        );
        self.is_transient() && !as_bad_there
    }

    /// Whether the same thing may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotReady
            | Self::Unconfirmed { .. }
            | Self::Undone { .. }
            | Self::ClockAhead { .. } => true,
            Self::Corrupt { .. } | Self::Refused { .. } | Self::Missing { .. } => false,
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

/// PostgreSQL's classes for lost connections, rolled back transactions, exhausted resources and shutdowns, locks that were
/// not to be had, and transactions that had fallen silent; SQLite's
/// primary codes for busy, locked, I/O, full and cannot open.
fn is_transient_code(code: &str) -> bool {
    let sqlite = || {
        code.parse::<u32>()
            .is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14))
    };
    match code.len() {
        5 => {
            ["08", "40", "53", "57", "58"].contains(&&code[..2])
                || ["55P03", "25P03"].contains(&code)
        }
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
        self.map_err(|source| match Rule::broken_by(&source) {
            Some(rule) => StoreError::Refused {
                operation,
                rule,
                source,
            },
            None => StoreError::Failed { operation, source },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::is_transient_code;

    #[test]
    fn lost_connections_are_transient_and_broken_rules_are_not() {
        for code in [
            "08006", "40001", "53300", "57P01", "55P03", "25P03", "5", "517", "6", "13",
        ] {
            assert!(is_transient_code(code), "{code}");
        }
        for code in ["23514", "23505", "42P01", "275", "1555", "1", ""] {
            assert!(!is_transient_code(code), "{code}");
        }
    }
}
