//! What a claim comes to in the catalogue, within the deciding transaction.

use std::collections::HashMap;

use super::{commit::Commit, decide::Stop, rejection::Rejection};
use crate::domain::{
    catalogue::Seat,
    claim::{Claim, SeatSelection, Stay},
    offer::Offer,
    refusal::{Denial, Reason},
};

/// Looks a claim up. `sells_started`: seats of a screening that has started can be had, too.
pub(super) async fn offer(
    commit: &Commit,
    claim: &Claim,
    sells_started: bool,
) -> Result<Offer, Stop> {
    match claim {
        Claim::Stay(claim) => stay(commit, claim).await,
        Claim::Seats(claim) => seats(commit, claim, sells_started).await,
    }
}

async fn stay(commit: &Commit, stay: &Stay) -> Result<Offer, Stop> {
    let unknown = || Rejection::not_found("reservation.banyan/RoomType", &stay.room_type);
    let hotel = commit
        .write
        .hotel(&stay.room_type.hotel)
        .await?
        .ok_or_else(unknown)?;
    let room_type = commit
        .write
        .room_type(&stay.room_type)
        .await?
        .ok_or_else(unknown)?;
    stay.nights
        .not_before(hotel.today(commit.now))
        .map_err(|violation| Rejection::invalid(violation.within("stay")))?;
    let rates = commit
        .write
        .rates(&[room_type.pool], &stay.nights.slots())
        .await?;
    Ok(Offer::stay(&hotel, &room_type, &rates, stay))
}

async fn seats(commit: &Commit, claim: &SeatSelection, sells_started: bool) -> Result<Offer, Stop> {
    let unknown = || Rejection::not_found("reservation.banyan/Screening", &claim.screening);
    let screening = commit
        .write
        .screening(&claim.screening)
        .await?
        .ok_or_else(unknown)?;
    let cinema = commit
        .write
        .cinema(&claim.screening.cinema)
        .await?
        .ok_or_else(unknown)?;
    let movies = commit.write.movies_of(&[screening.movie]).await?;
    let movie = movies.get(&screening.movie).ok_or_else(unknown)?;
    let hall = commit
        .write
        .seats(&[screening.hall])
        .await?
        .remove(&screening.hall);
    let seats = pick(claim, hall.unwrap_or_default())?;
    if screening.started(commit.now) && !sells_started {
        let message = format!("{} has started", claim.screening);
        return Err(Denial::new(Reason::ScreeningStarted, message).into());
    }
    let prices = commit
        .write
        .seat_prices(&[screening.id.number])
        .await?
        .remove(&screening.id.number);
    Ok(Offer::seats(
        &cinema,
        movie,
        &screening,
        &seats,
        &prices.unwrap_or_default(),
    ))
}

/// The seats asked for, in that order; all that the hall does not have are named at once.
fn pick(claim: &SeatSelection, hall: Vec<Seat>) -> Result<Vec<Seat>, Rejection> {
    let mut hall: HashMap<_, _> = hall
        .into_iter()
        .map(|seat| (seat.id.clone(), seat))
        .collect();
    let mut unknown = Vec::new();
    let mut seats = Vec::with_capacity(claim.seats.len());
    for id in &claim.seats {
        match hall.remove(id) {
            Some(seat) => seats.push(seat),
            None => unknown.push(format!("{}/seats/{id}", claim.screening)),
        }
    }
    if unknown.is_empty() {
        Ok(seats)
    } else {
        let kind = "reservation.banyan/Seat";
        Err(Rejection::NotFound {
            kind,
            names: unknown,
            position: None,
        })
    }
}
