//! What has happened to a booking, by the events that the feed had of it. Where the feed has been trimmed, the history
//! begins with what is left of it: the last change before.

use banyan_proto::reservation::v1::{self, cell_ref::Cell, feed_event::Event};
use tonic::Status;

use crate::{
    domain::name::BookingId,
    grpc::{feed, page::Page},
    store::{Head, Session, StoreError},
};

/// A page of a booking's changes, oldest first, and the token of the next one.
pub(super) async fn page(
    session: &Session,
    id: BookingId,
    page: &Page,
) -> Result<(Vec<v1::BookingChange>, String), Status> {
    let after = page.after_number()?.unwrap_or(0);
    let mut events = match after {
        0 => session.snapshot_of(&[&id.to_string()]).await?,
        _ => Vec::new(),
    };
    events.extend(session.events_of_booking(id, after, page.limit()).await?);
    let head = session.head().await?;
    let changes: Result<Vec<_>, StoreError> = events
        .iter()
        .filter_map(|event| change(event, &head).transpose())
        .collect();
    Ok(page.cut(changes?, |it| {
        let sequence = it.position.as_ref().map_or(0, |at| at.sequence);
        sequence.to_string()
    }))
}

fn change(event: &[u8], head: &Head) -> Result<Option<v1::BookingChange>, StoreError> {
    let event = feed::decode(event, head)?;
    let Some(Event::BookingChanged(changed)) = event.event else {
        return Ok(None);
    };
    let cells = changed.items.into_iter().filter_map(|item| item.cell);
    Ok(Some(v1::BookingChange {
        position: event.position,
        decide_time: event.decide_time,
        previous_state: changed.previous_state,
        state: changed.state,
        cells: cells.filter_map(|it| it.cell).map(name).collect(),
        total_price: changed.total_price,
        expire_time: changed.expire_time,
    }))
}

fn name(cell: Cell) -> String {
    match cell {
        Cell::Night(it) => format!("{}/nights/{}", it.room_type, it.date),
        Cell::Seat(it) => format!("{}/seats/{}", it.screening, it.seat),
    }
}
