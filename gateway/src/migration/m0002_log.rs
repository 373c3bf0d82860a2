//! The whole state of each rollout, the hash-chained log of its changes, and what replicas share to decide by
//! themselves. What operators decided before is carried into the log, entry by entry, with the times and names it had.
//!
//! The tables of before stay for the time of an update, in which replicas of the release before still read them.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};
use serde_json::{Value, json};

use crate::store::chain::{Link, genesis};

pub(super) struct CreateLog;

impl MigrationName for CreateLog {
    fn name(&self) -> &str {
        "m0002_create_rollout_log"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateLog {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [states(), log(), leases(), windows(), secrets()] {
            manager.create_table(table).await?;
        }
        let connection = manager.get_connection();
        carry(connection).await?;
        for statement in guards(manager.get_database_backend()) {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    // A step is applied whole or not at all, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn states() -> TableCreateStatement {
    Table::create()
        .table("rollout_states")
        .col(text("rollout").primary_key())
        .col(big_integer("version"))
        .col(big_integer("change_time_us"))
        .col(text("state"))
        .col(text("head_hash"))
        .take()
}

fn log() -> TableCreateStatement {
    Table::create()
        .table("rollout_log")
        .col(text("rollout"))
        .col(big_integer("number"))
        .col(big_integer("time_us"))
        .col(text("actor"))
        .col(text("action"))
        .col(text("reason"))
        .col(text("before_state"))
        .col(text("after_state"))
        .col(text("evidence"))
        .col(text("previous_hash"))
        .col(text("hash"))
        .primary_key(Index::create().col("rollout").col("number"))
        .take()
}

fn leases() -> TableCreateStatement {
    Table::create()
        .table("gateway_leases")
        .col(text("name").primary_key())
        .col(text("holder"))
        .col(big_integer("term"))
        .col(big_integer("expires_us"))
        .take()
}

fn windows() -> TableCreateStatement {
    Table::create()
        .table("rollout_windows")
        .col(text("rollout"))
        .col(big_integer("start_us"))
        .col(text("replica"))
        .col(big_integer("version"))
        .col(text("counts"))
        .primary_key(
            Index::create()
                .col("rollout")
                .col("start_us")
                .col("replica"),
        )
        .take()
}

fn secrets() -> TableCreateStatement {
    Table::create()
        .table("gateway_secrets")
        .col(text("name").primary_key())
        .col(text("secret"))
        .take()
}

/// The log is only ever added to; the database says so too, to whoever else connects to it.
fn guards(backend: DbBackend) -> &'static [&'static str] {
    match backend {
        DbBackend::Sqlite => &[
            "CREATE TRIGGER rollout_log_no_update BEFORE UPDATE ON rollout_log \
             BEGIN SELECT RAISE(ABORT, 'rollout_log is append-only'); END",
            "CREATE TRIGGER rollout_log_no_delete BEFORE DELETE ON rollout_log \
             BEGIN SELECT RAISE(ABORT, 'rollout_log is append-only'); END",
        ],
        _ => &[
            "CREATE FUNCTION rollout_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'rollout_log is append-only'; END $$",
            "CREATE TRIGGER rollout_log_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON rollout_log \
             FOR EACH STATEMENT EXECUTE FUNCTION rollout_log_is_append_only()",
        ],
    }
}

#[derive(FromQueryResult)]
struct OldChange {
    rollout: String,
    version: i64,
    change_time_us: i64,
    actor: String,
    reason: String,
    previous_hundredths: i32,
    previous_source: String,
    percent_hundredths: i32,
    source: String,
}

async fn carry(connection: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    let changes = Statement::from_string(
        backend,
        "SELECT rollout, version, change_time_us, actor, reason, previous_hundredths, previous_source, \
         percent_hundredths, source FROM rollout_changes ORDER BY rollout, version",
    );
    let changes = OldChange::find_by_statement(changes)
        .all(connection)
        .await?;
    for of_rollout in changes.chunk_by(|one, next| one.rollout == next.rollout) {
        let mut head = genesis(&of_rollout[0].rollout);
        let mut last = String::new();
        for change in of_rollout {
            (head, last) = carry_one(connection, change, head).await?;
        }
        let change = &of_rollout[of_rollout.len() - 1];
        let row = Statement::from_sql_and_values(
            backend,
            "INSERT INTO rollout_states (rollout, version, change_time_us, state, head_hash) \
             VALUES ($1, $2, $3, $4, $5)",
            [
                change.rollout.clone().into(),
                change.version.into(),
                change.change_time_us.into(),
                last.into(),
                head.into(),
            ],
        );
        connection.execute_raw(row).await?;
    }
    Ok(())
}

/// The hash of the entry and the state after it.
async fn carry_one(
    connection: &SchemaManagerConnection<'_>,
    change: &OldChange,
    previous: String,
) -> Result<(String, String), DbErr> {
    let before = state(change, change.previous_hundredths, &change.previous_source);
    let after = state(change, change.percent_hundredths, &change.source);
    let action = match change.source.as_str() {
        "operator" => "set",
        _ => "unset",
    };
    let link = Link {
        rollout: &change.rollout,
        number: change.version,
        time_us: change.change_time_us,
        actor: &change.actor,
        action,
        reason: &change.reason,
        before: &before,
        after: &after,
        evidence: "{}",
    };
    let hash = link.hash(&previous);
    let row = Statement::from_sql_and_values(
        connection.get_database_backend(),
        "INSERT INTO rollout_log (rollout, number, time_us, actor, action, reason, before_state, after_state, \
         evidence, previous_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            change.rollout.clone().into(),
            change.version.into(),
            change.change_time_us.into(),
            change.actor.clone().into(),
            action.into(),
            change.reason.clone().into(),
            before.into(),
            after.clone().into(),
            "{}".into(),
            previous.into(),
            hash.clone().into(),
        ],
    );
    connection.execute_raw(row).await?;
    Ok((hash, after))
}

/// All that is known of a state of then: whose percentage was in force.
fn state(change: &OldChange, hundredths: i32, source: &str) -> String {
    let percent = match hundredths % 100 {
        0 => Value::from(hundredths / 100),
        _ => Value::from(f64::from(hundredths) / 100.0),
    };
    let (operator, configured) = match source {
        "operator" => (percent, json!([])),
        "default" => (Value::Null, json!([])),
        _ => {
            let said = json!({"source": source, "percent": percent, "origin": ""});
            (Value::Null, json!([said]))
        }
    };
    json!({
        "salt": change.rollout,
        "algorithm": "sha256-v1",
        "position": {
            "stage": "split",
            "writes": "by-subject",
            "percent": operator,
            "last_good": 0,
            "paused": false,
            "halted": false,
        },
        "step_since": "1970-01-01T00:00:00Z",
        "configured": {"enabled": true, "percents": configured},
    })
    .to_string()
}
