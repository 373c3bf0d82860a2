//! Partners' bookings: seats by their numbers in the hall, taken and confirmed in one decision.

use std::collections::HashMap;

use jiff::SignedDuration;
use tonic::Status;

use super::find;
use crate::{
    domain::{
        booking::Contact,
        catalogue::{Screening, Seat},
        claim::{Claim, SeatSelection},
        name::SeatId,
        refusal::Reason,
        request::{Principal, RequestKey},
    },
    inventory::{Action, Command, Hold, Inventory, Refusal, Rejection},
    store::Session,
};

/// Books seats of a screening, all or none, and answers one number a seat, in the order asked for. Under the key of a
/// request that was decided before it answers the same again.
pub(super) async fn book(
    inventory: &Inventory,
    session: Session,
    screening: &Screening,
    email: String,
    seats_ids: &[i64],
    request: Option<RequestKey>,
) -> Result<Vec<i64>, Status> {
    let seats = pick(find::seats(&session, screening.hall).await?, seats_ids)?;
    // Only one may read or write at a time on SQLite.
    drop(session);
    let hold = Hold {
        claim: Claim::Seats(SeatSelection {
            screening: screening.id.clone(),
            seats: seats.clone(),
        })
        .into(),
        contact: Some(Contact {
            email,
            ..Contact::default()
        }),
        duration: SignedDuration::ZERO,
        confirm: true,
        sells_started: true,
        expected_total: None,
        party: None,
        block: None,
    };
    let command = Command {
        principal: Principal::provider(),
        request,
        deadline: None,
        action: Action::Hold(hold),
    };
    let outcome = inventory
        .submit(command)
        .await
        .map_err(|rejection| match rejection {
            Rejection::Refused(refusal) if refusal.reason == Reason::CellUnavailable => {
                find::taken_seats(&taken(&refusal, &seats, seats_ids))
            }
            Rejection::Refused(refusal) if refusal.reason == Reason::LeavesSingleSeat => {
                find::leaves_single(refusal.message)
            }
            // It was there a moment ago; seats do not go away.
            Rejection::NotFound { .. } => find::no_seance(screening.id.number),
            other => other.into(),
        })?;
    Ok(outcome.item_ids)
}

/// The seats of those numbers, in that order; all numbers that the hall does not have are told at once.
fn pick(hall: Vec<Seat>, seats_ids: &[i64]) -> Result<Vec<SeatId>, Status> {
    let mut hall: HashMap<_, _> = hall.into_iter().map(|seat| (seat.index, seat.id)).collect();
    let mut unknown = Vec::new();
    let mut seats = Vec::with_capacity(seats_ids.len());
    for id in seats_ids {
        match hall.remove(id) {
            Some(seat) => seats.push(seat),
            None => unknown.push(*id),
        }
    }
    if unknown.is_empty() {
        Ok(seats)
    } else {
        Err(find::no_seats(&unknown))
    }
}

/// The numbers of those that were not to be had, in the order asked for.
fn taken(refusal: &Refusal, seats: &[SeatId], seats_ids: &[i64]) -> Vec<i64> {
    let is_unmet = |seat: &SeatId| refusal.unmet.iter().any(|unmet| unmet.label == seat.0);
    seats
        .iter()
        .zip(seats_ids)
        .filter(|(seat, _)| is_unmet(seat))
        .map(|(_, id)| *id)
        .collect()
}
