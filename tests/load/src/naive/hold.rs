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

/// How its commits are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By a sequence, as most systems do it: a follower of the outbox may miss a late commit.
    Loose,
    /// In the order of commits, as the service does it: the one row that counts them is locked until COMMIT.
    Strict,
}

/// The naive engine on one database.
#[derive(Debug)]
pub struct Engine {
    database: DatabaseConnection,
    statements: Statements,
}

/// What differs between the databases.
#[derive(Debug)]
struct Statements {
    answer: String,
    lock_cell: &'static str,
    /// Waits for the place in the order of commits; nothing where there is no such order.
    enter: Option<&'static str>,
    insert_booking: String,
    insert_item: String,
    insert_event: String,
}

impl Engine {
    /// An engine with so many connections, as durable as the service.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn connect(url: &str, pool: u32, order: Order) -> Result<Self, DbErr> {
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
                let commit = match order {
                    Order::Loose => "nextval('naive_commits')",
                    Order::Strict => "(SELECT sequence FROM commit_head WHERE id = 1)",
                };
                let by_key = Statements::new(
                    "SELECT capacity - taken AS free FROM cells WHERE pool = $1 AND slot = $2 FOR UPDATE",
                    commit,
                    "nextval('naive_items')",
                );
                Statements {
                    answer: format!("{ANSWER}{HASHED}"),
                    enter: (order == Order::Strict).then_some(ENTER),
                    ..by_key
                }
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
        if let Some(row) = query(&transaction, &self.statements.answer, key()).await? {
            let answer: Vec<u8> = row.try_get("", "answer")?;
            if answer.is_empty() {
                return Ok(None);
            }
            let answer = v1::HoldBookingResponse::decode(answer.as_slice());
            return answer
                .map(Some)
                .map_err(|error| DbErr::Custom(error.to_string()));
        }
        let cell = || [booked.pool, booked.slot].map(Value::from).to_vec();
        self.look_up(&transaction, booked).await?;
        let free = query(&transaction, self.statements.lock_cell, cell()).await?;
        let free = free.ok_or_else(|| DbErr::RecordNotFound("cell".to_owned()))?;
        let keep = |answer: Vec<u8>| {
            let mut values = key();
            values.extend([
                fingerprint.to_vec().into(),
                booked.id.as_str().into(),
                answer.into(),
                booked.now.into(),
            ]);
            execute(&transaction, INSERT_ANSWER, values)
        };
        if let Some(enter) = self.statements.enter {
            execute(&transaction, enter, Vec::new()).await?;
        }
        if free.try_get::<i64>("", "free")? < 1 {
            self.tell(&transaction, booked.denied(), None, booked.now)
                .await?;
            keep(Vec::new()).await?;
            transaction.commit().await?;
            return Ok(None);
        }
        execute(&transaction, TAKE, cell()).await?;
        let sequence = self.insert_booking(&transaction, principal, booked).await?;
        let answer = booked.answer(sequence);
        keep(answer.encode_to_vec()).await?;
        let event = booked.event(sequence);
        self.tell(&transaction, event, Some(&booked.id), booked.now)
            .await?;
        transaction.commit().await?;
        Ok(Some(answer))
    }

    /// Reads what is wanted and what it costs.
    async fn look_up(
        &self,
        transaction: &DatabaseTransaction,
        booked: &Booked,
    ) -> Result<(), DbErr> {
        let found = match &booked.seat {
            Some(seat) => {
                let values = vec![booked.slot.into(), seat.as_str().into()];
                query(transaction, SEAT, values).await?
            }
            None => {
                let values = vec![booked.pool.into(), booked.slot.into()];
                query(transaction, NIGHT, values).await?
            }
        };
        let found = found.ok_or_else(|| DbErr::RecordNotFound("offer".to_owned()))?;
        match found.try_get::<i64>("", "price_minor")? {
            catalogue::PRICE_MINOR => Ok(()),
            other => Err(DbErr::Custom(format!("a price of {other}"))),
        }
    }

    /// Adds an event to the outbox.
    async fn tell(
        &self,
        transaction: &DatabaseTransaction,
        event: Vec<u8>,
        booking: Option<&str>,
        now: i64,
    ) -> Result<(), DbErr> {
        let values = vec![now.into(), event.into(), booking.into()];
        execute(transaction, &self.statements.insert_event, values).await
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
/// By PostgreSQL's index, which is one of hashes.
const HASHED: &str = " AND hashtextextended(principal || ' ' || method || ' ' || request_id, 0) \
    = hashtextextended($1 || ' ' || $2 || ' ' || $3, 0) \
    AND hashtextextended(principal || ' ' || method || ' ' || request_id, 1) \
    = hashtextextended($1 || ' ' || $2 || ' ' || $3, 1)";
const SEAT: &str = "SELECT p.price_minor, c.display_name, c.currency, m.title, s.starts_at FROM screenings s \
    JOIN cinemas c ON c.id = s.cinema JOIN movies m ON m.id = s.movie JOIN seats t ON t.hall = s.hall \
    JOIN screening_prices p ON p.screening = s.id AND p.category = t.category \
    WHERE s.id = $1 AND t.id = $2 AND NOT s.deleted";
const NIGHT: &str = "SELECT r.price_minor, h.display_name, h.currency, t.display_name AS title FROM room_types t \
    JOIN hotels h ON h.id = t.hotel JOIN rates r ON r.pool = t.pool \
    WHERE t.pool = $1 AND r.from_day <= $2 AND r.to_day > $2 ORDER BY r.id DESC LIMIT 1";
const ENTER: &str = "UPDATE commit_head SET sequence = sequence + 1 WHERE id = 1";
const TAKE: &str = "UPDATE cells SET taken = taken + 1 WHERE pool = $1 AND slot = $2";
const INSERT_ANSWER: &str = "INSERT INTO request_ids \
    (principal, method, request_id, fingerprint, booking, answer, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

impl Statements {
    fn new(lock_cell: &'static str, commit: &str, item: &str) -> Self {
        Self {
            answer: ANSWER.to_owned(),
            lock_cell,
            enter: None,
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
