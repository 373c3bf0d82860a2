//! What the database holds when nobody waits for an answer, straight from its tables: the feed, the bookings with what they
//! still have, the cells. One snapshot, and no code of the service in between.

use anyhow::Context as _;
use banyan_history::{
    record::{Booking, Claim, Event, FinalBooking, FinalCell, Line, Recorder, State},
    wire,
};
use banyan_proto::reservation::v1;
use jiff::{Span, civil::date};
use prost::Message as _;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, IsolationLevel,
    QueryResult, Statement, TransactionTrait as _,
};
use std::collections::HashMap;

/// Rows of the feed that are read at once.
const PAGE: i64 = 20_000;

const EVENTS: &str =
    "SELECT sequence, event FROM outbox WHERE sequence > $1 ORDER BY sequence LIMIT $2";
const BOOKINGS: &str = "SELECT id, state, expires_at, total_minor FROM bookings";
const ITEMS: &str = "SELECT b.id, b.resource, b.check_in, i.cell, i.quantity FROM booking_items i \
    JOIN bookings b ON b.id = i.booking WHERE i.released_sequence IS NULL";
const CELLS: &str = "SELECT c.slot, c.capacity, c.taken, r.hotel, r.id AS room_type, h.cinema, s.id AS seat \
    FROM cells c LEFT JOIN room_types r ON r.pool = c.pool LEFT JOIN seats s ON s.pool = c.pool \
    LEFT JOIN halls h ON h.id = s.hall";

/// Writes it down; the feed's events as they were told.
pub(crate) async fn record(
    sql: &DatabaseConnection,
    recorder: &Recorder,
) -> anyhow::Result<Vec<v1::FeedEvent>> {
    let isolation = match sql.get_database_backend() {
        DbBackend::Sqlite => None,
        _ => Some(IsolationLevel::RepeatableRead),
    };
    let snapshot = sql
        .begin_with_config(isolation, None)
        .await
        .context("cannot take a snapshot")?;
    let events = events(&snapshot).await?;
    for event in &events {
        recorder.line(Line::Event(recorded(event)?));
    }
    recorder.line(Line::FeedEnd);
    for booking in bookings(&snapshot).await? {
        recorder.line(Line::FinalBooking(FinalBooking { booking }));
    }
    for row in rows(&snapshot, CELLS, []).await? {
        recorder.line(Line::FinalCell(cell(&row)?));
    }
    recorder.line(Line::FinalEnd);
    Ok(events)
}

async fn events(snapshot: &DatabaseTransaction) -> anyhow::Result<Vec<v1::FeedEvent>> {
    let mut events = Vec::new();
    let mut after = 0;
    loop {
        let page = rows(snapshot, EVENTS, [after, PAGE]).await?;
        let Some(last) = page.last() else {
            return Ok(events);
        };
        after = last.try_get("", "sequence")?;
        for row in page {
            let bytes: Vec<u8> = row.try_get("", "event")?;
            events.push(v1::FeedEvent::decode(&bytes[..]).context("an event that means nothing")?);
        }
    }
}

fn recorded(event: &v1::FeedEvent) -> anyhow::Result<Event> {
    let sequence = event.position.as_ref().map_or(0, |it| it.sequence);
    wire::event(event).with_context(|| format!("event {sequence} is of no kind that is known"))
}

async fn bookings(snapshot: &DatabaseTransaction) -> anyhow::Result<Vec<Booking>> {
    let mut claims: HashMap<String, Vec<Claim>> = HashMap::new();
    for row in rows(snapshot, ITEMS, []).await? {
        let resource: String = row.try_get("", "resource")?;
        let label: String = row.try_get("", "cell")?;
        let cell = match row.try_get::<Option<i64>>("", "check_in")? {
            Some(_) => wire::night_cell(&resource, &label),
            None => wire::seat_cell(&resource, &label),
        };
        let quantity: i64 = row.try_get("", "quantity")?;
        let claim = Claim::new(cell, u32::try_from(quantity)?);
        claims
            .entry(row.try_get("", "id")?)
            .or_default()
            .push(claim);
    }
    let booking = |row: QueryResult| {
        let id: String = row.try_get("", "id")?;
        Ok(Booking {
            state: state(&row.try_get::<String>("", "state")?)?,
            claims: claims.remove(&id).unwrap_or_default(),
            expire_micros: row.try_get("", "expires_at")?,
            total_minor: row.try_get("", "total_minor")?,
            booking: format!("bookings/{id}"),
        })
    };
    rows(snapshot, BOOKINGS, [])
        .await?
        .into_iter()
        .map(booking)
        .collect()
}

fn state(text: &str) -> anyhow::Result<State> {
    match text {
        "HELD" => Ok(State::Held),
        "CONFIRMED" => Ok(State::Confirmed),
        "CANCELLED" => Ok(State::Cancelled),
        "EXPIRED" => Ok(State::Expired),
        other => anyhow::bail!("a booking is {other}"),
    }
}

fn cell(row: &QueryResult) -> anyhow::Result<FinalCell> {
    let slot: i64 = row.try_get("", "slot")?;
    let part = |name: &str| row.try_get::<Option<String>>("", name);
    let cell = match (
        part("hotel")?,
        part("room_type")?,
        part("cinema")?,
        part("seat")?,
    ) {
        (Some(hotel), Some(room_type), _, _) => {
            let night = date(1970, 1, 1).checked_add(Span::new().try_days(slot)?)?;
            wire::night_cell(
                &format!("hotels/{hotel}/roomTypes/{room_type}"),
                &night.to_string(),
            )
        }
        (_, _, Some(cinema), Some(seat)) => {
            wire::seat_cell(&format!("cinemas/{cinema}/screenings/{slot}"), &seat)
        }
        _ => anyhow::bail!("a cell is of no room type and no seat"),
    };
    Ok(FinalCell {
        cell,
        capacity: u32::try_from(row.try_get::<i64>("", "capacity")?)?,
        taken: u32::try_from(row.try_get::<i64>("", "taken")?)?,
    })
}

async fn rows<const N: usize>(
    snapshot: &DatabaseTransaction,
    sql: &str,
    values: [i64; N],
) -> anyhow::Result<Vec<QueryResult>> {
    let values = values.map(sea_orm::Value::from);
    let statement = Statement::from_sql_and_values(snapshot.get_database_backend(), sql, values);
    let rows = snapshot.query_all_raw(statement).await;
    rows.with_context(|| format!("cannot read the final state: {sql}"))
}
