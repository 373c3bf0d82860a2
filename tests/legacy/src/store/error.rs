//! What can go wrong with the database, sorted by what a caller is told: a name that is taken is its
//! own doing (409), a database that is away comes back (503), anything else is a fault of ours (500).

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use super::Table;

/// Primary result codes of SQLite that mean "not now": busy, locked, I/O error, full, cannot open.
const SQLITE_NOT_NOW: [u32; 5] = [5, 6, 10, 13, 14];
/// SQLSTATE classes that mean "not now": connection, insufficient resources, operator intervention.
const POSTGRES_NOT_NOW: [&str; 3] = ["08", "53", "57"];
/// The columns in which a value may occur only once.
const UNIQUE_COLUMNS: [&str; 2] = ["username", "email"];

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("must begin with sqlite: or postgres:")]
    UnknownScheme,
    #[error("not a usable database URL")]
    Url(#[source] sqlx::Error),
    #[error("failed to create the folder of the database file")]
    Folder(#[source] std::io::Error),
    #[error("failed to connect to the database")]
    Connect(#[source] DbErr),
    #[error("failed to bring the tables up to date")]
    Prepare(#[source] DbErr),
    #[error("the database is not connected yet")]
    NotConnected,
    #[error("the database does not answer")]
    Ping(#[source] DbErr),
    #[error("failed to read {table}")]
    Read {
        table: &'static str,
        #[source]
        source: DbErr,
    },
    #[error("failed to add to {table}")]
    Insert {
        table: &'static str,
        #[source]
        source: DbErr,
    },
    #[error("failed to change the movies")]
    Change(#[source] DbErr),
    #[error("failed to close the database")]
    Close(#[source] DbErr),
}

impl StoreError {
    pub(super) fn read<T: Table>(source: DbErr) -> Self {
        Self::Read {
            table: T::NAME,
            source,
        }
    }

    pub(super) fn insert<T: Table>(source: DbErr) -> Self {
        Self::Insert {
            table: T::NAME,
            source,
        }
    }

    /// The column whose value another row already has, when that is why an insert failed.
    pub(crate) fn taken(&self) -> Option<&'static str> {
        let Self::Insert { source, .. } = self else {
            return None;
        };
        let Some(SqlErr::UniqueConstraintViolation(message)) = source.sql_err() else {
            return None;
        };
        // Both databases name the column: SQLite as `users.email`, PostgreSQL in the constraint's name.
        UNIQUE_COLUMNS
            .into_iter()
            .find(|column| message.contains(column))
    }

    /// Whether the same call may succeed later, once the database is back.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::NotConnected => true,
            Self::Ping(source)
            | Self::Change(source)
            | Self::Read { source, .. }
            | Self::Insert { source, .. } => is_away(source),
            _ => false,
        }
    }
}

fn is_away(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match error.as_ref() {
                sqlx::Error::Database(error) => error.code().is_some_and(|code| is_not_now(&code)),
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
                sqlx::Error::WorkerCrashed => true,
                _ => false,
            }
        }
        _ => false,
    }
}

/// SQLSTATE has five characters; SQLite's extended codes are numbers with the primary code in the low byte.
fn is_not_now(code: &str) -> bool {
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => SQLITE_NOT_NOW.contains(&(number & 0xff)),
        _ => POSTGRES_NOT_NOW.iter().any(|class| code.starts_with(class)),
    }
}

#[cfg(test)]
mod tests {
    use super::is_not_now;

    #[test]
    fn codes_tell_an_absent_database_from_a_fault() {
        for code in [
            "5", "517", "13", "57P01", "57P03", "53300", "08006", "08P01",
        ] {
            assert!(is_not_now(code), "{code} passes");
        }
        for code in ["1", "275", "2067", "42P01", "22021", "54000"] {
            assert!(!is_not_now(code), "{code} is a fault");
        }
    }
}
