//! Screenings and seat maps as messages. Lists are put together from a fixed number of statements, however long.

use std::collections::{HashMap, HashSet};

use banyan_proto::reservation::v1::{self, seat::State};
use jiff::Timestamp;

use crate::{
    domain::{
        catalogue::{Cinema, Screening, Seat},
        offer::price_of,
    },
    store::{Session, StoreError},
    wire,
};

/// Some screenings of a cinema as they are at that time.
pub(super) async fn messages(
    session: &Session,
    cinema: &Cinema,
    screenings: &[Screening],
    now: Timestamp,
) -> Result<Vec<v1::Screening>, StoreError> {
    let numbers: Vec<_> = screenings.iter().map(|it| it.id.number).collect();
    let movies: Vec<_> = screenings.iter().map(|it| it.movie).collect();
    let halls = session.halls(&cinema.id).await?;
    let names: HashMap<_, _> = halls
        .into_iter()
        .map(|hall| (hall.number, hall.display_name))
        .collect();
    let seats = session
        .seats(&names.keys().copied().collect::<Vec<_>>())
        .await?;
    let movies = session.movies_of(&movies).await?;
    let prices = session.seat_prices(&numbers).await?;
    let taken = session.taken_seats(&numbers, now).await?;
    let nothing = HashSet::new();
    let message = |it: &Screening| {
        let seats = seats.get(&it.hall).map_or(&[][..], Vec::as_slice);
        let prices = prices.get(&it.id.number).map_or(&[][..], Vec::as_slice);
        let taken = taken.get(&it.id.number).unwrap_or(&nothing);
        let cheapest = seats
            .iter()
            .filter_map(|seat| price_of(prices, &seat.category))
            .min();
        let started = it.started(now);
        let can_be_held = |seat: &&Seat| {
            let price = price_of(prices, &seat.category);
            state(started, taken.contains(&seat.pool), price) == State::Available
        };
        v1::Screening {
            name: it.id.to_string(),
            movie: it.movie.to_string(),
            movie_title: movies
                .get(&it.movie)
                .map(|movie| movie.title.clone())
                .unwrap_or_default(),
            hall: names.get(&it.hall).cloned().unwrap_or_default(),
            start_time: Some(wire::timestamp(it.starts_at)),
            from_price: cheapest.map(|minor| wire::amount(cinema.currency, minor)),
            capacity: count(seats.len()),
            available_seats: count(seats.iter().filter(can_be_held).count()),
        }
    };
    Ok(screenings.iter().map(message).collect())
}

/// The seats of a screening as they are at that time.
pub(super) async fn seat_map(
    session: &Session,
    cinema: &Cinema,
    screening: &Screening,
    now: Timestamp,
) -> Result<v1::SeatMap, StoreError> {
    let number = screening.id.number;
    let head = session.head().await?;
    let halls = session.halls(&cinema.id).await?;
    let hall = halls.into_iter().find(|hall| hall.number == screening.hall);
    let seats = session
        .seats(&[screening.hall])
        .await?
        .remove(&screening.hall);
    let prices = session
        .seat_prices(&[number])
        .await?
        .remove(&number)
        .unwrap_or_default();
    let taken = session
        .taken_seats(&[number], now)
        .await?
        .remove(&number)
        .unwrap_or_default();
    let seats = seats.unwrap_or_default();
    let started = screening.started(now);
    let seat = |it: Seat| {
        let price = price_of(&prices, &it.category);
        let state = state(started, taken.contains(&it.pool), price);
        seat(
            it,
            state,
            price.map(|minor| wire::amount(cinema.currency, minor)),
        )
    };
    Ok(v1::SeatMap {
        name: format!("{}/seatMap", screening.id),
        screening: screening.id.to_string(),
        hall: hall.map(|hall| hall.display_name).unwrap_or_default(),
        seats: seats.into_iter().map(seat).collect(),
        position: Some(wire::position(&head.incarnation, head.sequence)),
    })
}

/// What a guest who wants that seat now can expect, as the inventory would decide.
fn state(started: bool, taken: bool, price_minor: Option<i64>) -> State {
    match (taken, price_minor) {
        (true, _) => State::Taken,
        (false, Some(_)) if !started => State::Available,
        (false, _) => State::NotSold,
    }
}

fn seat(it: Seat, state: State, price: Option<v1::Money>) -> v1::Seat {
    v1::Seat {
        price,
        state: state.into(),
        id: it.id.0,
        row: it.row,
        number: wire::small(it.number),
        x: wire::small(it.x),
        y: wire::small(it.y),
        category: it.category,
        accessible: it.accessible,
    }
}

fn count(seats: usize) -> i32 {
    i32::try_from(seats).unwrap_or(i32::MAX)
}
