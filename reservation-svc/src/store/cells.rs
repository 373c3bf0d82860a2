//! Cells and what holds that have run out still count in them.

use std::collections::HashMap;

use jiff::Timestamp;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryResult, Statement,
    Value,
};

use super::{Session, StoreError, entity::cell, error::During, rows::micros};
use crate::domain::{
    cell::{Block, Cell, CellKey, PoolId, Slot},
    name::BookingId,
};

impl Session {
    /// The cells of a block that have ever been touched.
    pub async fn cells(&self, block: &Block) -> Result<HashMap<CellKey, Cell>, StoreError> {
        let rows = cell::Entity::find()
            .filter(cell::Column::Pool.is_in(block.pools.iter().map(|pool| pool.0)))
            .filter(cell::Column::Slot.gte(block.slots.start.0))
            .filter(cell::Column::Slot.lt(block.slots.end.0))
            .all(&self.transaction)
            .await
            .during("read cells")?;
        Ok(rows
            .into_iter()
            .map(|row| {
                (
                    key(row.pool, row.slot),
                    Cell {
                        capacity: row.capacity,
                        taken: row.taken,
                    },
                )
            })
            .collect())
    }

    /// How much of the cells of a block is taken by holds that have run out: it can be had all the same.
    pub async fn lapsed(
        &self,
        block: &Block,
        now: Timestamp,
    ) -> Result<HashMap<CellKey, i64>, StoreError> {
        let (sql, values) = lapsed_quantities(block, now);
        let rows = self.select(&sql, values, "read lapsed holds").await?;
        let row = |row: QueryResult| {
            let (pool, slot) = (row.try_get("", "pool")?, row.try_get("", "slot")?);
            Ok((key(pool, slot), row.try_get("", "quantity")?))
        };
        rows.into_iter()
            .map(row)
            .collect::<Result<_, _>>()
            .during("read lapsed holds")
    }

    /// Some of the holds that have run out, whatever they hold, the longest over first.
    pub async fn lapsed_holds_anywhere(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<BookingId>, StoreError> {
        let sql = "SELECT id FROM bookings WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2";
        let values = vec![micros(now).into(), limit.into()];
        let rows = self.select(sql, values, "find lapsed holds").await?;
        booking_ids(&rows)
    }

    /// Runs a query that both databases understand.
    pub(super) async fn select(
        &self,
        sql: &str,
        values: Vec<Value>,
        operation: &'static str,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let backend = self.backend();
        let statement = Statement::from_sql_and_values(backend, sql, values);
        self.transaction
            .query_all_raw(statement)
            .await
            .during(operation)
    }

    /// Which kind of database this is.
    pub(super) fn backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    pub(super) async fn execute(
        &self,
        sql: &str,
        values: Vec<Value>,
        operation: &'static str,
    ) -> Result<u64, StoreError> {
        let backend = self.backend();
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let done = self.transaction.execute_raw(statement).await;
        Ok(done.during(operation)?.rows_affected())
    }
}

fn lapsed_quantities(block: &Block, now: Timestamp) -> (String, Vec<Value>) {
    let (items, values) = items_of(block, now);
    let sql = format!(
        "SELECT i.pool, i.slot, CAST(SUM(i.quantity) AS BIGINT) AS quantity \
         FROM bookings b CROSS JOIN booking_items i WHERE b.expires_at <= $1 AND {items} GROUP BY i.pool, i.slot"
    );
    (sql, values)
}

/// The condition for items `i` of a booking `b` in a block; `$1` is the time. Its `+` keeps SQLite from going through
/// all that is booked in the block instead of the items of the few holds that wait for the sweeper.
fn items_of(block: &Block, now: Timestamp) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = vec![
        micros(now).into(),
        block.slots.start.0.into(),
        block.slots.end.0.into(),
    ];
    let pools = numbered(&mut values, block.pools.iter().map(|pool| pool.0));
    let condition = format!(
        "i.booking = b.id AND i.released_sequence IS NULL AND i.slot >= $2 AND i.slot < $3 AND +i.pool IN ({pools})"
    );
    (condition, values)
}

/// Appends values and returns their placeholders: `$4, $5, $6`; `NULL` for none.
pub(super) fn numbered(values: &mut Vec<Value>, more: impl IntoIterator<Item = i64>) -> String {
    let mut placeholders = Vec::new();
    for value in more {
        values.push(value.into());
        placeholders.push(format!("${}", values.len()));
    }
    if placeholders.is_empty() {
        return "NULL".to_owned();
    }
    placeholders.join(", ")
}

fn key(pool: i64, slot: i64) -> CellKey {
    CellKey {
        pool: PoolId(pool),
        slot: Slot(slot),
    }
}

fn booking_ids(rows: &[QueryResult]) -> Result<Vec<BookingId>, StoreError> {
    rows.iter()
        .map(|row| {
            let id: String = row.try_get("", "id").during("read a booking's id")?;
            super::bookings::booking_id(&id)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use sea_orm::Database;
    use sea_orm_migration::MigratorTrait as _;

    use super::*;
    use crate::migration::Migrator;

    #[tokio::test]
    async fn lapsed_holds_are_found_without_reading_all_that_is_booked() {
        let database = Database::connect("sqlite::memory:").await.unwrap();
        Migrator::up(&database, None).await.unwrap();
        let block = Block {
            pools: vec![PoolId(1), PoolId(2)],
            slots: Slot(1)..Slot(9),
        };
        let now = Timestamp::UNIX_EPOCH;
        for (sql, values) in [lapsed_quantities(&block, now)] {
            let explain = format!("EXPLAIN QUERY PLAN {sql}");
            let statement = Statement::from_sql_and_values(DbBackend::Sqlite, explain, values);
            let rows = database.query_all_raw(statement).await.unwrap();
            let steps = rows.iter().map(|row| row.try_get("", "detail").unwrap());
            let plan = steps.collect::<Vec<String>>().join("; ");
            for index in ["bookings_that_expire", "booking_items_of_booking"] {
                assert!(plan.contains(index), "{plan}");
            }
        }
    }
}
