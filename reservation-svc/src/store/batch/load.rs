//! What a batch reads.
//!
//! Every query starts at what is wanted and goes from there by an index: its cost grows with the batch, never with
//! what is stored.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult as _};
use tracing::debug;

use super::{
    AnswerKey,
    rows::{Rows, select_by},
};
use crate::{
    domain::{
        booking::{Booking, Contact, Item},
        cell::{Cell, CellKey, PoolId, Slot},
        name::BookingId,
    },
    store::{
        Session, StoreError, StoredAnswer, Write,
        bookings::{self, booking_id},
        entity::{booking, booking_contact, booking_item},
        error::During as _,
        rows::micros,
    },
};

/// As long as no more holds than this have run out, their cells are looked through; else the holds of the cells.
const LAPSED_FEW: i64 = 1_000;

const ANSWERS: &str = "WITH w ({names}) AS ({rows}) \
     SELECT r.principal, r.method, r.request_id, r.fingerprint, r.booking, r.answer \
     FROM w CROSS JOIN request_ids r \
     WHERE r.principal = w.principal AND r.method = w.method AND r.request_id = w.request_id";
/// As PostgreSQL's index has it, by two hashes of the whole key: a request id is up to 128 bytes long and comes at random.
/// The key asked for comes in one piece, so that it is not put together again for each hash.
const ANSWERS_HASHED: &str = "WITH w ({names}) AS ({rows}) \
     SELECT r.principal, r.method, r.request_id, r.fingerprint, r.booking, r.answer \
     FROM w CROSS JOIN request_ids r \
     WHERE hashtextextended(r.principal || ' ' || r.method || ' ' || r.request_id, 0) \
     = hashtextextended(w.key, 0) \
     AND hashtextextended(r.principal || ' ' || r.method || ' ' || r.request_id, 1) \
     = hashtextextended(w.key, 1) \
     AND r.principal || ' ' || r.method || ' ' || r.request_id = w.key";
const BOOKINGS: &str =
    "WITH w ({names}) AS ({rows}) SELECT b.* FROM w CROSS JOIN bookings b WHERE b.id = w.id";
const ITEMS: &str = "WITH w ({names}) AS ({rows}) \
     SELECT i.*, b.resource, b.seats FROM w CROSS JOIN bookings b CROSS JOIN booking_items i \
     WHERE b.id = w.id AND i.booking = b.id AND i.released_sequence IS NULL ORDER BY i.id";
const CONTACTS: &str = "WITH w ({names}) AS ({rows}) \
     SELECT c.* FROM w CROSS JOIN booking_contacts c WHERE c.booking = w.booking";
const CELLS: &str = "WITH w ({names}) AS ({rows}) SELECT c.pool, c.slot, c.capacity, c.taken \
     FROM w CROSS JOIN cells c WHERE c.pool = w.pool AND c.slot = w.slot";
const CELLS_OF_BOOKINGS: &str = "WITH w ({names}) AS ({rows}) SELECT i.booking, i.pool, i.slot \
     FROM w CROSS JOIN booking_items i WHERE i.booking = w.booking AND i.released_sequence IS NULL";
const LAPSED_IN_CELLS: &str = "WITH w ({names}) AS ({rows}) SELECT DISTINCT b.id \
     FROM w CROSS JOIN booking_items i CROSS JOIN bookings b \
     WHERE i.pool = w.pool AND i.slot = w.slot AND i.released_sequence IS NULL \
     AND b.id = i.booking AND b.expires_at <= w.now";

impl Session {
    /// The answers given to those requests before.
    pub(crate) async fn answers_to(
        &self,
        keys: &[AnswerKey],
    ) -> Result<HashMap<AnswerKey, StoredAnswer>, StoreError> {
        answers_to(&self.transaction, keys).await
    }

    /// Some bookings, those that exist.
    pub(crate) async fn bookings_of(
        &self,
        ids: &[BookingId],
    ) -> Result<HashMap<BookingId, Booking>, StoreError> {
        const DURING: &str = "read bookings";
        let rows = Rows::of(ids).text("id", |it| it.0.to_string());
        let mut found = HashMap::new();
        for row in self.select_by(BOOKINGS, rows, DURING).await? {
            let row = booking::Model::from_query_result(&row, "").during(DURING)?;
            let booking = bookings::from_row(row)?;
            found.insert(booking.id, booking);
        }
        Ok(found)
    }

    /// What some bookings still count in cells, in the order asked for.
    pub(crate) async fn items_of(
        &self,
        ids: &[BookingId],
    ) -> Result<HashMap<BookingId, Vec<Item>>, StoreError> {
        const DURING: &str = "read the items of bookings";
        // An id twice would be every item twice.
        let ids: HashSet<_> = ids.iter().copied().collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let rows = Rows::of(&ids).text("id", |it| it.0.to_string());
        let mut found: HashMap<BookingId, Vec<Item>> = HashMap::new();
        for row in self.select_by(ITEMS, rows, DURING).await? {
            let item = booking_item::Model::from_query_result(&row, "").during(DURING)?;
            let resource: String = row.try_get("", "resource").during(DURING)?;
            let seats: Option<String> = row.try_get("", "seats").during(DURING)?;
            found
                .entry(booking_id(&item.booking)?)
                .or_default()
                .push(bookings::item(&resource, seats.is_some(), item)?);
        }
        Ok(found)
    }

    /// Who to reach about some bookings, where anybody.
    pub(crate) async fn contacts_of(
        &self,
        ids: &[BookingId],
    ) -> Result<HashMap<BookingId, Contact>, StoreError> {
        const DURING: &str = "read contacts";
        let rows = Rows::of(ids).text("booking", |it| it.0.to_string());
        let mut found = HashMap::new();
        for row in self.select_by(CONTACTS, rows, DURING).await? {
            let row = booking_contact::Model::from_query_result(&row, "").during(DURING)?;
            let contact = Contact {
                display_name: row.display_name,
                email: row.email,
                phone: row.phone,
            };
            found.insert(booking_id(&row.booking)?, contact);
        }
        Ok(found)
    }

    /// Some cells, those that were ever touched.
    pub(crate) async fn cells_of(
        &self,
        keys: &[CellKey],
    ) -> Result<HashMap<CellKey, Cell>, StoreError> {
        const DURING: &str = "read cells";
        let rows = Rows::of(keys)
            .number("pool", |it| it.pool.0)
            .number("slot", |it| it.slot.0);
        let mut found = HashMap::with_capacity(keys.len());
        for row in self.select_by(CELLS, rows, DURING).await? {
            let number = |column| row.try_get::<i64>("", column).during(DURING);
            let key = cell_key(number("pool")?, number("slot")?);
            let cell = Cell {
                capacity: number("capacity")?,
                taken: number("taken")?,
            };
            found.insert(key, cell);
        }
        Ok(found)
    }
}

impl Write {
    /// As [`Session::answers_to`], without keeping what is read of this at the same time waiting, where that is possible.
    pub(crate) async fn answers_beside(
        &self,
        keys: &[AnswerKey],
    ) -> Result<HashMap<AnswerKey, StoredAnswer>, StoreError> {
        if let Some(connection) = &self.beside {
            match answers_to(connection, keys).await {
                Err(error) if error.is_transient() => {
                    debug!(%error, "Looking request ids up without a second connection");
                }
                answers => return answers,
            }
        }
        self.answers_to(keys).await
    }

    /// Some of the holds that have run out and still count in any of those cells.
    pub(crate) async fn lapsed_on(
        &self,
        keys: &[CellKey],
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<BookingId>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let lapsed = self.lapsed_holds_anywhere(now, LAPSED_FEW + 1).await?;
        let mut found = match i64::try_from(lapsed.len()) {
            Ok(count) if count <= LAPSED_FEW => self.holding_any(lapsed, keys).await?,
            _ => self.lapsed_among_many(keys, now).await?,
        };
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    /// Those of a few bookings that count in any of those cells.
    async fn holding_any(
        &self,
        bookings: Vec<BookingId>,
        keys: &[CellKey],
    ) -> Result<Vec<BookingId>, StoreError> {
        const DURING: &str = "find lapsed holds";
        let rows = Rows::of(&bookings).text("booking", |it| it.0.to_string());
        let wanted: HashSet<_> = keys.iter().copied().collect();
        let mut holding = HashSet::new();
        for row in self.select_by(CELLS_OF_BOOKINGS, rows, DURING).await? {
            let pool = row.try_get("", "pool").during(DURING)?;
            let slot = row.try_get("", "slot").during(DURING)?;
            if wanted.contains(&cell_key(pool, slot)) {
                let id: String = row.try_get("", "booking").during(DURING)?;
                holding.insert(booking_id(&id)?);
            }
        }
        let mut found = bookings;
        found.retain(|id| holding.contains(id));
        Ok(found)
    }

    /// As [`lapsed_on`](Self::lapsed_on), where far more holds have run out than are wanted.
    async fn lapsed_among_many(
        &self,
        keys: &[CellKey],
        now: Timestamp,
    ) -> Result<Vec<BookingId>, StoreError> {
        const DURING: &str = "find lapsed holds";
        let rows = Rows::of(keys)
            .number("pool", |it| it.pool.0)
            .number("slot", |it| it.slot.0)
            .number("now", |_| micros(now));
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        for row in self.select_by(LAPSED_IN_CELLS, rows, DURING).await? {
            let id: String = row.try_get("", "id").during(DURING)?;
            let id = booking_id(&id)?;
            // SQLite looks in several statements, and a hold may count in cells of more than one.
            if seen.insert(id) {
                found.push(id);
            }
        }
        Ok(found)
    }
}

async fn answers_to(
    connection: &impl ConnectionTrait,
    keys: &[AnswerKey],
) -> Result<HashMap<AnswerKey, StoredAnswer>, StoreError> {
    const DURING: &str = "look request ids up";
    let rows = Rows::of(keys);
    let (sql, rows) = match connection.get_database_backend() {
        DbBackend::Sqlite => {
            let rows = rows
                .text("principal", |it| it.principal.clone())
                .text("method", |it| it.method.clone())
                .text("request_id", |it| it.id.clone());
            (ANSWERS, rows)
        }
        _ => {
            let whole = |it: &AnswerKey| [&*it.principal, &it.method, &it.id].join(" ");
            (ANSWERS_HASHED, rows.text("key", whole))
        }
    };
    let mut found = HashMap::new();
    for row in select_by(connection, sql, rows, DURING).await? {
        let text = |column| row.try_get("", column).during(DURING);
        let key = AnswerKey {
            principal: text("principal")?,
            method: text("method")?,
            id: text("request_id")?,
        };
        let booking: Option<String> = row.try_get("", "booking").during(DURING)?;
        let answer = StoredAnswer {
            fingerprint: row.try_get("", "fingerprint").during(DURING)?,
            booking: booking.as_deref().map(booking_id).transpose()?,
            answer: row.try_get("", "answer").during(DURING)?,
        };
        found.insert(key, answer);
    }
    Ok(found)
}

fn cell_key(pool: i64, slot: i64) -> CellKey {
    CellKey {
        pool: PoolId(pool),
        slot: Slot(slot),
    }
}

#[cfg(test)]
pub(super) const ALL: &[&str] = &[
    ANSWERS,
    BOOKINGS,
    ITEMS,
    CONTACTS,
    CELLS,
    CELLS_OF_BOOKINGS,
    LAPSED_IN_CELLS,
];
