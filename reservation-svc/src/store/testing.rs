//! What tests ask of a database past the store.

use sea_orm::{ConnectionTrait as _, Database, Statement};

use super::Session;

/// Runs a statement on a connection of its own.
pub(crate) async fn run(url: &str, sql: &str) {
    let connection = Database::connect(url).await.unwrap();
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}

/// The number `n` that a query is answered.
pub(crate) async fn count(url: &str, sql: &str) -> i64 {
    let connection = Database::connect(url).await.unwrap();
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.unwrap().unwrap();
    connection.close().await.unwrap();
    row.try_get("", "n").unwrap()
}

/// Which of PostgreSQL's processes serves it.
pub(crate) async fn backend(session: &Session) -> i64 {
    let sql = "SELECT pg_backend_pid()::BIGINT AS n";
    let rows = session.select(sql, Vec::new(), "ask who serves").await;
    rows.unwrap()[0].try_get("", "n").unwrap()
}

/// Which booking has which room for certain, on which night from that one on.
pub(crate) async fn room_nights(url: &str, from: i64) -> Vec<(String, i64, String)> {
    let connection = Database::connect(url).await.unwrap();
    let sql = format!("SELECT room, night, booking FROM room_nights WHERE night >= {from}");
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    connection.close().await.unwrap();
    let columns = ["room".into(), "night".into(), "booking".into()];
    let row = |row: &sea_orm::QueryResult| row.try_get_many("", &columns).unwrap();
    rows.iter().map(row).collect()
}
