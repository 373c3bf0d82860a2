//! One hold in one transaction.

use banyan_proto::reservation::v1;
use jiff::Timestamp;
use prost::Message as _;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    Value,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use sha2::{Digest as _, Sha256};
use tonic::Status;

use crate::{booked::Booked, catalogue};

const METHOD: &str = "HoldBooking";
/// PostgreSQL's own counters; SQLite has one writer, who can look.
const SEQUENCES: &str =
    "CREATE SEQUENCE IF NOT EXISTS naive_commits; CREATE SEQUENCE IF NOT EXISTS naive_items";

/// The naive engine on one database.
#[derive(Debug)]
pub struct Engine {
    database: DatabaseConnection,
    statements: Statements,
}

/// What differs between the databases.
#[derive(Debug)]
struct Statements {
    lock_cell: &'static str,
    insert_booking: String,
    insert_item: String,
    insert_event: String,
}

impl Engine {
    /// An engine with so many connections, as durable as the service.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn connect(url: &str, pool: u32) -> Result<Self, DbErr> {
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(pool)
            .min_connections(pool)
            .acquire_timeout(std::time::Duration::from_secs(30))
            .test_before_acquire(false)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(|sqlite| {
                sqlite
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
            });
        let database = Database::connect(options).await?;
        let statements = match database.get_database_backend() {
            DbBackend::Sqlite => Statements::new(
                "SELECT capacity - taken AS free FROM cells WHERE pool = $1 AND slot = $2",
                "(SELECT COALESCE(MAX(created_sequence), 0) + 1 FROM bookings)",
                "(SELECT COALESCE(MAX(id), 0) + 1 FROM booking_items)",
            ),
            _ => {
                database.execute_unprepared(SEQUENCES).await?;
                Statements::new(
                    "SELECT capacity - taken AS free FROM cells WHERE pool = $1 AND slot = $2 FOR UPDATE",
                    "nextval('naive_commits')",
                    "nextval('naive_items')",
                )
            }
        };
        Ok(Self {
            database,
            statements,
        })
    }

    /// Grants a hold or refuses it.
    pub(super) async fn hold(
        &self,
        guest: &[u8],
        request: &v1::HoldBookingRequest,
    ) -> Result<v1::HoldBookingResponse, Status> {
        let booked = Booked::of(request, Timestamp::now());
        let booked = booked.ok_or_else(|| Status::invalid_argument("not on sale"))?;
        let principal = hex(&Sha256::digest(guest));
        let fingerprint = Sha256::digest(request.encode_to_vec()).to_vec();
        let held = self
            .transact(&principal, &fingerprint, &request.request_id, &booked)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        held.ok_or_else(|| Status::failed_precondition("not available"))
    }

    async fn transact(
        &self,
        principal: &str,
        fingerprint: &[u8],
        request_id: &str,
        booked: &Booked,
    ) -> Result<Option<v1::HoldBookingResponse>, DbErr> {
        let transaction = self.begin().await?;
        let key = || [principal, METHOD, request_id].map(Value::from).to_vec();
        if let Some(row) = query(&transaction, ANSWER, key()).await? {
            let answer: Vec<u8> = row.try_get("", "answer")?;
            let answer = v1::HoldBookingResponse::decode(answer.as_slice());
            return answer
                .map(Some)
                .map_err(|error| DbErr::Custom(error.to_string()));
        }
        let cell = || [booked.pool, booked.slot].map(Value::from).to_vec();
        let free = query(&transaction, self.statements.lock_cell, cell()).await?;
        let free = free.ok_or_else(|| DbErr::RecordNotFound("cell".to_owned()))?;
        if free.try_get::<i64>("", "free")? < 1 {
            transaction.rollback().await?;
            return Ok(None);
        }
        execute(&transaction, TAKE, cell()).await?;
        let sequence = self.insert_booking(&transaction, principal, booked).await?;
        let answer = booked.answer(sequence);
        let mut values = key();
        values.extend([
            fingerprint.to_vec().into(),
            booked.id.as_str().into(),
            answer.encode_to_vec().into(),
            booked.now.into(),
        ]);
        execute(&transaction, INSERT_ANSWER, values).await?;
        let values = vec![
            booked.now.into(),
            booked.event(sequence).into(),
            booked.id.as_str().into(),
        ];
        execute(&transaction, &self.statements.insert_event, values).await?;
        transaction.commit().await?;
        Ok(Some(answer))
    }

    /// Adds a booking with its item; its number.
    async fn insert_booking(
        &self,
        transaction: &DatabaseTransaction,
        principal: &str,
        booked: &Booked,
    ) -> Result<i64, DbErr> {
        let values = vec![
            booked.id.as_str().into(),
            principal.into(),
            booked.venue.into(),
            booked.venue_display_name.into(),
            booked.title.into(),
            booked.resource.as_str().into(),
            booked.nights.map(|nights| nights.0).into(),
            booked.nights.map(|nights| nights.1).into(),
            booked.nights.map(|_| 1_i64).into(),
            booked.seat.clone().into(),
            booked.seat.as_ref().map(|_| booked.now).into(),
            catalogue::CURRENCY.into(),
            catalogue::PRICE_MINOR.into(),
            booked.expires_at.into(),
            booked.now.into(),
        ];
        let row = query(transaction, &self.statements.insert_booking, values).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotInserted)?;
        let values = vec![
            booked.id.as_str().into(),
            booked.pool.into(),
            booked.slot.into(),
            booked.cell.as_str().into(),
            catalogue::PRICE_MINOR.into(),
        ];
        execute(transaction, &self.statements.insert_item, values).await?;
        row.try_get("", "created_sequence")
    }

    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let mode = match self.database.get_database_backend() {
            DbBackend::Sqlite => Some(SqliteTransactionMode::Immediate),
            _ => None,
        };
        let options = TransactionOptions {
            sqlite_transaction_mode: mode,
            ..TransactionOptions::default()
        };
        self.database.begin_with_options(options).await
    }
}

const ANSWER: &str =
    "SELECT answer FROM request_ids WHERE principal = $1 AND method = $2 AND request_id = $3";
const TAKE: &str = "UPDATE cells SET taken = taken + 1 WHERE pool = $1 AND slot = $2";
const INSERT_ANSWER: &str = "INSERT INTO request_ids \
    (principal, method, request_id, fingerprint, booking, answer, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

impl Statements {
    fn new(lock_cell: &'static str, commit: &str, item: &str) -> Self {
        Self {
            lock_cell,
            insert_booking: format!(
                "INSERT INTO bookings (id, principal, state, venue, venue_display_name, title, resource, check_in, \
                 check_out, rooms, seats, starts_at, currency, total_minor, expires_at, created_at, updated_at, \
                 created_sequence, updated_sequence) VALUES ($1, $2, 'HELD', $3, $4, $5, $6, $7, $8, $9, $10, $11, \
                 $12, $13, $14, $15, $15, {commit}, 1) RETURNING created_sequence"
            ),
            insert_item: format!(
                "INSERT INTO booking_items (id, booking, pool, slot, cell, quantity, price_minor) \
                 VALUES ({item}, $1, $2, $3, $4, 1, $5)"
            ),
            insert_event: format!(
                "INSERT INTO outbox (sequence, decided_at, event, booking) VALUES ({}, $1, $2, $3)",
                commit
                    .replace("created_sequence", "sequence")
                    .replace("bookings", "outbox")
            ),
        }
    }
}

async fn query(
    transaction: &DatabaseTransaction,
    sql: &str,
    values: Vec<Value>,
) -> Result<Option<QueryResult>, DbErr> {
    let backend = transaction.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    transaction.query_one_raw(statement).await
}

async fn execute(
    transaction: &DatabaseTransaction,
    sql: &str,
    values: Vec<Value>,
) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    transaction.execute_raw(statement).await.map(drop)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
