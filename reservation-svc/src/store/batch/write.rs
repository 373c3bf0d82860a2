//! What a batch writes.

use std::{future::poll_fn, iter, pin::pin, task::Poll};

use jiff::Timestamp;
use sea_orm::DbBackend;

use super::{BatchId, Changes, rows::Rows, step::Step};
use crate::{
    domain::booking::Booking,
    store::{
        Head, Session, Store, StoreError, Write, bookings::to_row, entity::booking, rows::micros,
    },
};

/// What is written, in this order. Each makes its step from the changes alone.
const STEPS: [Make; 5] = [
    new_bookings,
    changed_bookings,
    contacts,
    cell_deltas,
    released_items,
];
/// What is only added; written last, at once, and with the head where that is known. Most batches have all of these, and each way to the
/// database and back is one that every guest waits for.
const ADDITIONS: [Make; 4] = [new_cells, new_items, answers, events];

type Make = fn(DbBackend, &Changes) -> Step;

impl Write {
    /// Writes all of it. [`StoreError::Refused`] if any of it breaks a rule of the schema, and then the whole
    /// transaction is over.
    pub(crate) async fn apply(&self, changes: &Changes) -> Result<(), StoreError> {
        self.write_all(changes, None).await
    }

    /// As [`apply`](Self::apply), and the head along with it as it is to be committed: nothing else changes.
    pub(crate) async fn apply_all(
        &mut self,
        changes: &Changes,
        head: &Head,
    ) -> Result<(), StoreError> {
        self.write_all(changes, Some(head)).await?;
        self.has_advanced = true;
        Ok(())
    }

    /// While the database takes one step, the next is made: otherwise each would wait for the other half of the time.
    async fn write_all(&self, changes: &Changes, head: Option<&Head>) -> Result<(), StoreError> {
        let backend = self.backend();
        let additions = || {
            let added = ADDITIONS.iter().map(|make| make(backend, changes));
            let all = added.chain(head.map(|head| self.head_moved(head)));
            Step::together(backend, all, "add cells, items, request ids and events")
        };
        let steps = STEPS.iter().map(|make| make(backend, changes));
        let steps = steps.chain(iter::once_with(additions));
        let mut steps = steps.filter(|step| !step.is_empty());
        let mut next = steps.next();
        while let Some(step) = next {
            let (taken, made) = meanwhile(self.run(step), || steps.next()).await;
            taken?;
            next = made;
        }
        self.insert_entries(&changes.entries_new).await?;
        self.update_entries(&changes.entries_changed).await?;
        self.apply_rooms(&changes.rooms).await
    }

    /// Forgets some of the batches committed before that time; how many. Nobody asks for one long after its commit.
    pub(crate) async fn forget_batches(
        &self,
        before: Timestamp,
        limit: i64,
    ) -> Result<u64, StoreError> {
        let sql = "DELETE FROM commit_batches WHERE id IN (\
             SELECT id FROM commit_batches WHERE committed_at < $1 ORDER BY committed_at LIMIT $2)";
        let values = vec![micros(before).into(), limit.into()];
        self.execute(sql, values, "forget batches").await
    }
}

impl Session {
    /// Whether several batches were committed before that time. One is not worth forgetting: that would leave one, too.
    pub(crate) async fn has_batches_before(&self, time: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT 1 AS found FROM commit_batches WHERE committed_at < $1 \
             ORDER BY committed_at LIMIT 2";
        let values = vec![micros(time).into()];
        let rows = self.select(sql, values, "look for old batches").await?;
        Ok(rows.len() > 1)
    }
}

impl Store {
    /// Whether a batch of that id was committed; for when the answer to its COMMIT is missing.
    pub(crate) async fn committed(&self, batch: BatchId) -> Result<bool, StoreError> {
        // Waits for the head: as long as the batch may still commit, the database keeps it locked.
        let write = self.write().await?;
        let sql = "SELECT 1 AS found FROM commit_batches WHERE id = $1";
        let values = vec![batch.0.to_string().into()];
        let rows = write.select(sql, values, "look a batch up").await?;
        Ok(!rows.is_empty())
    }
}

fn new_cells(backend: DbBackend, changes: &Changes) -> Step {
    let new = Rows::of(&changes.cells_new)
        .number("pool", |(key, _)| key.pool.0)
        .number("slot", |(key, _)| key.slot.0)
        .number("capacity", |(_, cell)| cell.capacity)
        .number("taken", |(_, cell)| cell.taken);
    Step::insert(backend, "cells", new, "", "create cells")
}

fn cell_deltas(backend: DbBackend, changes: &Changes) -> Step {
    let deltas = Rows::of(&changes.cell_deltas)
        .number("pool", |(key, _)| key.pool.0)
        .number("slot", |(key, _)| key.slot.0)
        .number("delta", |(_, delta)| *delta);
    let (keys, taken) = (["pool", "slot"], "taken = cells.taken + w.delta");
    Step::update_by(backend, "cells", &keys, taken, deltas, "take cells")
}

fn new_bookings(backend: DbBackend, changes: &Changes) -> Step {
    let new = rows_of(&changes.bookings_new);
    let new = columns(&new)
        .text("principal", |it| it.principal.clone())
        .text("kind", |it| it.kind.clone())
        .number("created_at", |it| it.created_at)
        .number("created_sequence", |it| it.created_sequence);
    Step::insert(backend, "bookings", new, "", "add bookings")
}

fn changed_bookings(backend: DbBackend, changes: &Changes) -> Step {
    let changed = rows_of(&changes.bookings_changed);
    let columns = columns(&changed);
    Step::update(backend, "bookings", &["id"], columns, "change bookings")
}

fn contacts(backend: DbBackend, changes: &Changes) -> Step {
    let contacts = Rows::of(&changes.contacts_new)
        .text("booking", |(id, _)| id.0.to_string())
        .text("display_name", |(_, contact)| contact.display_name.clone())
        .text("email", |(_, contact)| contact.email.clone())
        .text("phone", |(_, contact)| contact.phone.clone());
    let replace = "ON CONFLICT (booking) DO UPDATE SET \
         display_name = excluded.display_name, email = excluded.email, phone = excluded.phone";
    Step::insert(
        backend,
        "booking_contacts",
        contacts,
        replace,
        "keep contacts",
    )
}

fn new_items(backend: DbBackend, changes: &Changes) -> Step {
    let new = Rows::of(&changes.items_new)
        .number("id", |(_, item)| item.number)
        .text("booking", |(booking, _)| booking.0.to_string())
        .number("pool", |(_, item)| item.key.pool.0)
        .number("slot", |(_, item)| item.key.slot.0)
        .text("cell", |(_, item)| item.cell.label())
        .number("quantity", |(_, item)| item.quantity)
        .number("price_minor", |(_, item)| item.price_minor);
    Step::insert(backend, "booking_items", new, "", "add items")
}

fn released_items(backend: DbBackend, changes: &Changes) -> Step {
    let released = Rows::of(&changes.items_released)
        .number("id", |(number, _)| *number)
        .number("released_sequence", |(_, sequence)| *sequence);
    Step::update(backend, "booking_items", &["id"], released, "release items")
}

fn answers(backend: DbBackend, changes: &Changes) -> Step {
    let answers = Rows::of(&changes.answers_new)
        .text("principal", |it| it.key.principal.clone())
        .text("method", |it| it.key.method.clone())
        .text("request_id", |it| it.key.id.clone())
        .bytes("fingerprint", |it| it.fingerprint.to_vec())
        .maybe_text("booking", |it| it.booking.map(|id| id.0.to_string()))
        .bytes("answer", |it| it.answer.clone())
        .number("created_at", |_| micros(changes.decided_at));
    Step::insert(backend, "request_ids", answers, "", "keep request ids")
}

fn events(backend: DbBackend, changes: &Changes) -> Step {
    let events = Rows::of(&changes.events)
        .number("sequence", |it| it.sequence)
        .number("decided_at", |_| micros(changes.decided_at))
        .bytes("event", |it| it.event.clone())
        .maybe_text("booking", |it| it.booking.map(|id| id.0.to_string()));
    Step::insert(backend, "outbox", events, "", "write the outbox")
}

/// Starts a future, does the work while it goes on by itself, and awaits it.
async fn meanwhile<F: Future, T>(future: F, work: impl FnOnce() -> T) -> (F::Output, T) {
    let mut future = pin!(future);
    let begun = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
    let done = work();
    match begun {
        Poll::Ready(output) => (output, done),
        Poll::Pending => (future.await, done),
    }
}

fn rows_of(bookings: &[Booking]) -> Vec<booking::Model> {
    bookings.iter().map(to_row).collect()
}

/// What a booking is known by and what of it may change.
fn columns(bookings: &[booking::Model]) -> Rows<'_, booking::Model> {
    Rows::of(bookings)
        .text("id", |it| it.id.clone())
        .text("state", |it| it.state.clone())
        .text("venue", |it| it.venue.clone())
        .text("venue_display_name", |it| it.venue_display_name.clone())
        .text("title", |it| it.title.clone())
        .text("resource", |it| it.resource.clone())
        .maybe_number("check_in", |it| it.check_in)
        .maybe_number("check_out", |it| it.check_out)
        .maybe_number("rooms", |it| it.rooms)
        .maybe_text("seats", |it| it.seats.clone())
        .maybe_number("starts_at", |it| it.starts_at)
        .text("currency", |it| it.currency.clone())
        .number("total_minor", |it| it.total_minor)
        .maybe_number("expires_at", |it| it.expires_at)
        .number("updated_at", |it| it.updated_at)
        .number("updated_sequence", |it| it.updated_sequence)
        .maybe_text("agreement", |it| it.agreement.clone())
        .text("pinned_rooms", |it| it.pinned_rooms.clone())
}
