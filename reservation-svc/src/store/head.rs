//! The one-row `commit_head`: which database this is, its last commit sequence and the numbers allotted so far.

use jiff::Timestamp;
use sea_orm::{
    ConnectionTrait as _, DbBackend, EntityTrait, FromQueryResult as _, QuerySelect,
    QueryTrait as _, Select, Statement, Value, sea_query::Expr,
};

use super::{
    Session, StoreError, Write,
    batch::step::Step,
    entity::commit_head,
    error::During,
    rows::{micros, timestamp},
};

/// The head of the order of commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Identity of the database.
    pub incarnation: String,
    /// Of the last commit.
    pub sequence: i64,
    /// When the last decision was made.
    pub decided_at: Timestamp,
    /// The last pool's number.
    pub last_pool: i64,
    /// The last booking item's number.
    pub last_item: i64,
    /// Raised by every change of the catalogue: what was read of it under the same version still holds.
    pub catalogue_version: i64,
    /// How many entries of the waitlist are open.
    pub waiting: i64,
    /// How many bookings have rooms for certain.
    pub pinned: i64,
}

/// What time it is by PostgreSQL's server, in the resolution that is stored. Asked for along with a locked row it is of
/// when the lock was had, if another committed before; else of before the wait for it.
const SERVER_TIME: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

impl Session {
    /// The head of the state that this session reads.
    pub async fn head(&self) -> Result<Head, StoreError> {
        let row = commit_head::Entity::find_by_id(1)
            .one(&self.transaction)
            .await
            .during("read the commit head")?;
        row.ok_or_else(missing).and_then(head)
    }

    /// As [`Session::head`], and what time it is by the database's server, where it has one.
    pub(crate) async fn head_and_time(&self) -> Result<(Head, Option<Timestamp>), StoreError> {
        self.timed(commit_head::Entity::find_by_id(1), "read the commit head")
            .await
    }

    /// As [`Session::head_and_time`], with the head locked.
    pub(super) async fn lock_head(&self) -> Result<(Head, Option<Timestamp>), StoreError> {
        // Without effect on SQLite, where the transaction has the whole database already.
        let query = commit_head::Entity::find_by_id(1).lock_exclusive();
        self.timed(query, "lock the commit head").await
    }

    async fn timed(
        &self,
        query: Select<commit_head::Entity>,
        operation: &'static str,
    ) -> Result<(Head, Option<Timestamp>), StoreError> {
        let backend = self.backend();
        let has_server = backend != DbBackend::Sqlite;
        let query = match has_server {
            true => query.expr_as(Expr::cust(SERVER_TIME), "server_time"),
            false => query,
        };
        let row = self.transaction.query_one_raw(query.build(backend)).await;
        let row = row.during(operation)?.ok_or_else(missing)?;
        let time = match has_server {
            true => {
                let micros = row.try_get("", "server_time").during(operation)?;
                Some(timestamp(micros)?)
            }
            false => None,
        };
        let row = commit_head::Model::from_query_result(&row, "").during(operation)?;
        Ok((head(row)?, time))
    }
}

impl Write {
    /// Moves the head on, and nothing else.
    pub(super) async fn advance(&self, head: &Head) -> Result<(), StoreError> {
        let step = [self.head_moved(head)].into_iter();
        let step = Step::together(self.backend(), step, "advance the commit head");
        self.run(step).await
    }

    /// Moves the head on, and notes the batch, so that whether it was committed can be looked up.
    pub(super) fn head_moved(&self, head: &Head) -> Step {
        let decided_at = micros(head.decided_at);
        let note = "INSERT INTO commit_batches (id, sequence, committed_at) VALUES ($1, $2, $3)";
        let noted = [
            self.batch().0.to_string().into(),
            head.sequence.into(),
            decided_at.into(),
        ];
        let advance = "UPDATE commit_head SET sequence = $1, decided_at = $2, last_pool = $3, \
             last_item = $4, catalogue_version = $5, waiting = $6, pinned = $7 WHERE id = 1";
        let advanced = [
            head.sequence,
            decided_at,
            head.last_pool,
            head.last_item,
            head.catalogue_version,
            head.waiting,
            head.pinned,
        ];
        let statements = vec![
            Statement::from_sql_and_values(self.backend(), note, noted),
            Statement::from_sql_and_values(self.backend(), advance, advanced.map(Value::from)),
        ];
        Step::of(statements, "advance the commit head")
    }
}

fn missing() -> StoreError {
    StoreError::corrupt("commit head", "none")
}

fn head(row: commit_head::Model) -> Result<Head, StoreError> {
    Ok(Head {
        incarnation: row.incarnation,
        sequence: row.sequence,
        decided_at: timestamp(row.decided_at)?,
        last_pool: row.last_pool,
        last_item: row.last_item,
        catalogue_version: row.catalogue_version,
        waiting: row.waiting,
        pinned: row.pinned,
    })
}
