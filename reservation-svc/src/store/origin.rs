//! Where a database lives, by what its server knows, and the identity that goes with it.
//!
//! PostgreSQL tells clusters apart, and in each the histories that branch off when it is brought back to a point in time
//! or fails over, its databases and their tables. A dump that is restored makes another table at least. What is stored
//! here goes along with every copy: where it differs from what the server says, the database is a copy. SQLite's files
//! cannot be told apart.

use sea_orm::{ConnectionTrait as _, Statement};

use super::{Session, Store, StoreError, Write, error::During as _};

/// Any role may ask for all of it.
const ORIGIN: &str = "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' \
     || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) || '/' \
     || (SELECT oid FROM pg_database WHERE datname = current_database())::text || '/' \
     || 'commit_head'::regclass::oid::text AS origin";
const ASK: &str = "ask where the database lives";

impl Store {
    /// Where the database lives; nothing where that cannot be told.
    pub(crate) async fn origin(&self) -> Result<Option<String>, StoreError> {
        if !self.has_several_writers() {
            return Ok(None);
        }
        let connection = self.database.connection();
        let statement = Statement::from_string(self.database.backend(), ORIGIN);
        let row = connection.query_one_raw(statement).await.during(ASK)?;
        let origin = row.map(|row| row.try_get::<Option<String>>("", "origin"));
        Ok(origin.transpose().during(ASK)?.flatten())
    }
}

impl Session {
    /// Where the database lived when that was last kept.
    pub(crate) async fn known_origin(&self) -> Result<Option<String>, StoreError> {
        let operation = "read where the database lived";
        let sql = "SELECT origin FROM database_origin";
        let rows = self.select(sql, Vec::new(), operation).await?;
        let origin = rows.first().map(|row| row.try_get("", "origin"));
        origin.transpose().during(operation)
    }
}

impl Write {
    /// Keeps where the database lives.
    pub(crate) async fn keep_origin(&self, origin: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO database_origin (id, origin) VALUES (1, $1) \
             ON CONFLICT (id) DO UPDATE SET origin = excluded.origin";
        let values = vec![origin.into()];
        self.execute(sql, values, "keep where the database lives")
            .await?;
        Ok(())
    }

    /// Makes it another database, for all who have a position in its order of commits.
    pub(crate) async fn set_incarnation(&self, incarnation: &str) -> Result<(), StoreError> {
        let sql = "UPDATE commit_head SET incarnation = $1 WHERE id = 1";
        let values = vec![incarnation.into()];
        self.execute(sql, values, "change the incarnation").await?;
        Ok(())
    }
}
