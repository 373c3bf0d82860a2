//! Carries a command out within a transaction: loads what the rules need, asks them, writes what they say.

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date};
use uuid::Uuid;

use super::{
    clock,
    command::{Action, Command, Hold, Outcome},
    commit::Commit,
    lookup,
    rejection::{Refusal, Rejection, Unmet},
};
use crate::{
    domain::{
        booking::{Booking, BookingKind, Contact, Item, State},
        cell::{Cell, CellKey},
        claim::Claim,
        event::Event,
        name::{BookingId, Venue},
        offer::{Offer, Taken},
        refusal::{Denial, Reason},
        request::Principal,
        violation::{Fault, Violation},
    },
    store::StoreError,
    wire,
};

/// Why a command ended early.
pub(super) enum Stop {
    /// Refused by the rules: a decision like any other.
    Denied(Denial),
    /// Not decided.
    Rejected(Rejection),
}

impl From<Denial> for Stop {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Rejected(error.into())
    }
}

/// Decides a command and writes everything but its answer. Nothing is written for a command that is denied, except
/// that holds which have run out on the cells that it wanted are released.
pub(super) async fn decide(commit: &mut Commit, command: &Command) -> Result<Outcome, Stop> {
    match &command.action {
        Action::Hold(hold) => self::hold(commit, &command.principal, hold).await,
        Action::Confirm { booking, etag } => {
            let booking = own(commit, &command.principal, *booking).await?;
            booking.confirmable(commit.now, etag.as_deref())?;
            ahead(commit, &booking, "confirmed").await?;
            confirm(commit, booking).await
        }
        Action::Cancel { booking, etag } => {
            let booking = own(commit, &command.principal, *booking).await?;
            booking.changeable(commit.now, etag.as_deref(), "cancelled")?;
            ahead(commit, &booking, "cancelled").await?;
            cancel(commit, booking).await
        }
        Action::Move {
            booking,
            etag,
            claim,
        } => {
            let booking = own(commit, &command.principal, *booking).await?;
            booking.changeable(commit.now, etag.as_deref(), "moved")?;
            ahead(commit, &booking, "moved").await?;
            exchange(commit, booking, claim).await
        }
    }
}

/// Gives a denial its place in the order and tells the feed which cells were wanted in vain.
pub(super) fn deny(commit: &mut Commit, denial: Denial) -> Refusal {
    for (cell, _) in &denial.cells {
        commit.record(&Event::Denied {
            cell: cell.clone(),
            reason: denial.reason,
            count: 1,
        });
    }
    let unmet = denial.cells.into_iter().map(|(cell, description)| Unmet {
        subject: cell.to_string(),
        label: cell.label(),
        description,
    });
    let details = denial.details.into_iter();
    let details = details.map(|(key, value)| (key.to_owned(), value));
    Refusal {
        reason: denial.reason,
        message: denial.message,
        unmet: unmet.collect(),
        details: details.collect(),
        position: commit.position(),
    }
}

async fn own(commit: &Commit, principal: &Principal, id: BookingId) -> Result<Booking, Stop> {
    let found = commit.write.booking(id).await?;
    // Another's booking is as unknown as one that never was: nobody learns that it exists.
    let found = found.filter(|booking| booking.principal == *principal);
    found.ok_or_else(|| Rejection::not_found("reservation.banyan/Booking", id).into())
}

/// Refuses to change what has begun for good: a screening that has started, a stay that is over.
async fn ahead(commit: &Commit, booking: &Booking, done: &str) -> Result<(), Stop> {
    let today = match &booking.venue {
        Venue::Hotel(id) => commit.write.hotel(id).await?.map(|it| it.today(commit.now)),
        Venue::Cinema(_) => None,
    };
    // Venues do not go away; where one had, its stays could be given back for ever.
    booking.ahead(commit.now, today.unwrap_or(Date::MIN), done)?;
    Ok(())
}

async fn hold(commit: &mut Commit, principal: &Principal, hold: &Hold) -> Result<Outcome, Stop> {
    let offer = lookup::offer(commit, &hold.claim, hold.sells_started).await?;
    let cells = clear(commit, &offer).await?;
    let taken = offer.take(&cells, &HashMap::new(), commit.head.last_item)?;
    let booking = new_booking(commit, principal, hold, &offer, &taken);
    take(commit, &offer, &cells).await?;
    commit
        .write
        .insert_booking(&booking, hold.contact.as_ref())
        .await?;
    insert_items(commit, booking.id, &taken.items).await?;
    Ok(changed(
        commit,
        booking,
        None,
        taken.items,
        hold.contact.as_ref(),
    ))
}

fn new_booking(
    commit: &Commit,
    principal: &Principal,
    hold: &Hold,
    offer: &Offer,
    taken: &Taken,
) -> Booking {
    let (state, expires_at) = match hold.confirm {
        true => (State::Confirmed, None),
        false => (State::Held, Some(expiry(commit.now, hold))),
    };
    Booking {
        id: BookingId(Uuid::now_v7()),
        kind: BookingKind::Guest,
        principal: principal.clone(),
        recorded_state: state,
        claim: hold.claim.clone(),
        venue: offer.venue.clone(),
        venue_display_name: offer.venue_display_name.clone(),
        title: offer.title.clone(),
        starts_at: offer.starts_at,
        total: taken.total,
        expires_at,
        created_at: commit.now,
        updated_at: commit.now,
        created_sequence: commit.next_sequence(),
        updated_sequence: commit.next_sequence(),
    }
}

fn expiry(now: Timestamp, hold: &Hold) -> Timestamp {
    let end = now.saturating_add(hold.duration);
    clock::stored(end.unwrap_or(Timestamp::MAX))
}

async fn confirm(commit: &mut Commit, mut booking: Booking) -> Result<Outcome, Stop> {
    let items = commit.write.items(&booking).await?;
    let previous = enter(commit, &mut booking, State::Confirmed);
    commit.write.update_booking(&booking).await?;
    let contact = commit.write.contact(booking.id).await?;
    Ok(changed(
        commit,
        booking,
        Some(previous),
        items,
        contact.as_ref(),
    ))
}

async fn cancel(commit: &mut Commit, mut booking: Booking) -> Result<Outcome, Stop> {
    commit
        .write
        .release(booking.id, commit.next_sequence())
        .await?;
    let previous = enter(commit, &mut booking, State::Cancelled);
    commit.write.update_booking(&booking).await?;
    let contact = commit.write.contact(booking.id).await?;
    Ok(changed(
        commit,
        booking,
        Some(previous),
        Vec::new(),
        contact.as_ref(),
    ))
}

async fn exchange(
    commit: &mut Commit,
    mut booking: Booking,
    claim: &Claim,
) -> Result<Outcome, Stop> {
    same_venue(&booking, claim)?;
    let offer = lookup::offer(commit, claim, false).await?;
    let cells = clear(commit, &offer).await?;
    let own = commit.write.items(&booking).await?;
    let own = own.iter().map(|item| (item.key, item.quantity)).collect();
    let taken = offer.take(&cells, &own, commit.head.last_item)?;
    commit
        .write
        .release(booking.id, commit.next_sequence())
        .await?;
    take(commit, &offer, &cells).await?;
    insert_items(commit, booking.id, &taken.items).await?;

    let previous_total = booking.total;
    let state = booking.recorded_state;
    booking.claim = claim.clone();
    booking.title = offer.title;
    booking.starts_at = offer.starts_at;
    booking.total = taken.total;
    touch(commit, &mut booking);
    commit.write.update_booking(&booking).await?;
    let contact = commit.write.contact(booking.id).await?;
    let mut outcome = changed(commit, booking, Some(state), taken.items, contact.as_ref());
    outcome.previous_total = Some(wire::money(previous_total));
    Ok(outcome)
}

fn same_venue(booking: &Booking, claim: &Claim) -> Result<(), Rejection> {
    if claim.venue() == booking.venue {
        return Ok(());
    }
    let field = match claim {
        Claim::Stay(_) => "stay.room_type",
        Claim::Seats(_) => "seats.screening",
    };
    let description = format!("must be at {}, where the booking is", booking.venue);
    let violation = Violation::new(field, Fault::Range, description);
    Err(Rejection::invalid(violation))
}

/// Releases the holds that have run out on the cells of an offer, and returns the cells as they are then.
async fn clear(commit: &mut Commit, offer: &Offer) -> Result<HashMap<CellKey, Cell>, StoreError> {
    let block = offer.block();
    let lapsed = commit.write.lapsed_holds(&block, commit.now).await?;
    expire(commit, lapsed).await?;
    commit.write.cells(&block).await
}

/// Ends holds that have run out; each is a change of its own.
pub(super) async fn expire(commit: &mut Commit, lapsed: Vec<BookingId>) -> Result<(), StoreError> {
    for id in lapsed {
        let Some(mut booking) = commit.write.booking(id).await? else {
            continue;
        };
        commit.write.release(id, commit.next_sequence()).await?;
        let previous = enter(commit, &mut booking, State::Expired);
        commit.write.update_booking(&booking).await?;
        commit.record(&Event::Booking {
            booking: Box::new(booking),
            previous: Some(previous),
            items: Vec::new(),
        });
    }
    Ok(())
}

async fn take(
    commit: &Commit,
    offer: &Offer,
    cells: &HashMap<CellKey, Cell>,
) -> Result<(), StoreError> {
    let missing = offer
        .cells
        .iter()
        .filter(|cell| !cells.contains_key(&cell.key));
    let missing: Vec<_> = missing
        .map(|cell| {
            (
                cell.key,
                Cell {
                    capacity: cell.capacity,
                    taken: offer.quantity,
                },
            )
        })
        .collect();
    commit
        .write
        .take(&offer.block(), offer.quantity, &missing)
        .await
}

async fn insert_items(
    commit: &mut Commit,
    booking: BookingId,
    items: &[Item],
) -> Result<(), StoreError> {
    commit.write.insert_items(booking, items).await?;
    commit.head.last_item = items
        .last()
        .map_or(commit.head.last_item, |item| item.number);
    Ok(())
}

/// Moves a booking to another state; the state it was in.
fn enter(commit: &Commit, booking: &mut Booking, state: State) -> State {
    let previous = booking.recorded_state;
    booking.recorded_state = state;
    booking.expires_at = None;
    touch(commit, booking);
    previous
}

fn touch(commit: &Commit, booking: &mut Booking) {
    booking.updated_at = commit.now;
    booking.updated_sequence = commit.next_sequence();
}

/// Records the change and makes the answer.
fn changed(
    commit: &mut Commit,
    booking: Booking,
    previous: Option<State>,
    items: Vec<Item>,
    contact: Option<&Contact>,
) -> Outcome {
    let mut message = wire::booking(&booking, commit.now);
    message.contact = contact.map(wire::contact);
    let item_ids = items.iter().map(|item| item.number).collect();
    commit.record(&Event::Booking {
        booking: Box::new(booking),
        previous,
        items,
    });
    Outcome {
        booking: message,
        previous_total: None,
        position: commit.position(),
        item_ids,
    }
}

/// The refusal of a request id that has another answer already.
pub(super) fn reused(commit: &Commit) -> Refusal {
    Refusal {
        reason: Reason::RequestIdReused,
        message: "the request id was used for another request".to_owned(),
        unmet: Vec::new(),
        details: Vec::new(),
        position: commit.position(),
    }
}
