//! The demo's cinema: two halls, six movies that nobody has made, and a programme that reaches a week ahead.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Time, time},
};

use super::{DemoError, World};
use crate::{
    domain::{
        catalogue::{Cinema, Screening, Seat, SeatPrice},
        cell::{PoolId, Slot},
        event::Event,
        name::{CinemaId, MovieId, ScreeningId, SeatId},
    },
    inventory::Commit,
};

const CINEMA: &str = "grand-banyan";
/// Days of programme, today included: a whole week is ahead at any time of the day.
const DAYS: i64 = 8;
const RUNTIME: SignedDuration = SignedDuration::from_mins(130);

const MOVIES: &[(&str, &str)] = &[
    (
        "The Lighthouse at Low Tide",
        "A keeper counts the ships that never come, until one of them counts him.",
    ),
    (
        "Paper Comets",
        "Two sisters fold the night sky for a town that has forgotten how to look up.",
    ),
    (
        "Nine Tenths of a Map",
        "A cartographer, a thief and a mule search for the corner that was torn off.",
    ),
    (
        "The Orchard Signal",
        "Every autumn the radio in the barn plays the same eleven notes. This year somebody answers.",
    ),
    (
        "Salt and Semaphore",
        "A comedy of flags, fish and a wedding that both harbours claim.",
    ),
    (
        "A Clockmaker's Winter",
        "The town's clocks stop one by one, and only the apprentice knows why.",
    ),
];

/// A hall: its name, rows, seats in a row and after which numbers an aisle runs. The last row is sofas.
struct Plan {
    name: &'static str,
    rows: &'static str,
    seats: i64,
    sofas: i64,
    aisles: &'static [i64],
    starts: &'static [Time],
}

const HALLS: &[Plan] = &[
    Plan {
        name: "Hall 1",
        rows: "ABCDEFGH",
        seats: 12,
        sofas: 6,
        aisles: &[3, 9],
        starts: &[
            time(11, 0, 0, 0),
            time(14, 30, 0, 0),
            time(18, 0, 0, 0),
            time(21, 0, 0, 0),
        ],
    },
    Plan {
        name: "Hall 2",
        rows: "ABCDEF",
        seats: 8,
        sofas: 4,
        aisles: &[4],
        starts: &[
            time(12, 0, 0, 0),
            time(15, 30, 0, 0),
            time(19, 0, 0, 0),
            time(21, 45, 0, 0),
        ],
    },
];

/// Makes the cinema with its halls, and the movies.
pub(super) async fn create(commit: &mut Commit) -> Result<(), DemoError> {
    let world = World::lisbon()?;
    let cinema = Cinema {
        id: CinemaId(CINEMA.to_owned()),
        display_name: "Grand Banyan".to_owned(),
        zone: world.zone,
        zone_name: world.zone_name.to_owned(),
        currency: world.currency,
        city: "Lisbon".to_owned(),
        address: "Largo do Cinema 1, Lisbon".to_owned(),
    };
    commit.write.insert_cinema(&cinema).await?;
    for plan in HALLS {
        let seats = seats(plan, || commit.next_pool());
        commit
            .write
            .insert_hall(&cinema.id, plan.name, &seats)
            .await?;
    }
    for (title, description) in MOVIES {
        commit.write.insert_movie(title, description, "").await?;
    }
    Ok(())
}

/// Adds what is missing of the programme; how many screenings.
pub(super) async fn top_up(commit: &mut Commit) -> Result<usize, DemoError> {
    let id = CinemaId(CINEMA.to_owned());
    let Some(cinema) = commit.write.cinema(&id).await? else {
        return Ok(0);
    };
    let mut movies = commit.write.movies(None, MOVIES.len() as u64 * 10).await?;
    movies.retain(|movie| MOVIES.iter().any(|(title, _)| movie.title == *title));
    if movies.is_empty() {
        return Ok(0);
    }
    let halls = commit.write.halls(&id).await?;
    let numbers: Vec<_> = halls.iter().map(|hall| hall.number).collect();
    let seats = commit.write.seats(&numbers).await?;
    let planned = commit.write.starts_from(&id, commit.now).await?;
    let mut number = commit.write.next_screening_number().await?;
    let today = commit.now.to_zoned(cinema.zone.clone()).date();
    let mut screenings = Vec::new();
    for day in days(today) {
        for (hall, plan) in numbers.iter().zip(HALLS) {
            for (nth, start) in plan.starts.iter().enumerate() {
                let Ok(starts_at) = cinema.zone.to_timestamp(day.to_datetime(*start)) else {
                    continue;
                };
                if starts_at <= commit.now || planned.contains(&(*hall, starts_at)) {
                    continue;
                }
                // Over the days every movie comes to every hall and hour.
                let turn = usize::try_from(Slot::of_night(day).0 + hall * 2).unwrap_or(0) + nth;
                let movie = movies[turn % movies.len()].id;
                let screening = screening(&id, number, movie, *hall, starts_at);
                screenings.push((screening, prices(*start)));
                number += 1;
            }
        }
    }
    if !screenings.is_empty() {
        commit.write.insert_screenings(&screenings).await?;
    }
    let added = screenings.len();
    for (screening, _) in screenings {
        let capacity = seats.get(&screening.hall).map_or(0, Vec::len);
        commit.record(&Event::Screening {
            screening,
            capacity: i64::try_from(capacity).unwrap_or(0),
            removed: false,
        });
    }
    Ok(added)
}

fn days(today: Date) -> impl Iterator<Item = Date> {
    (0..DAYS).map(move |day| today.saturating_add(day.days()))
}

fn screening(
    cinema: &CinemaId,
    number: i64,
    movie: MovieId,
    hall: i64,
    starts_at: Timestamp,
) -> Screening {
    Screening {
        id: ScreeningId {
            cinema: cinema.clone(),
            number,
        },
        movie,
        hall,
        starts_at,
        ends_at: starts_at.saturating_add(RUNTIME).unwrap_or(Timestamp::MAX),
    }
}

/// Evenings cost more, sofas always.
fn prices(start: Time) -> Vec<SeatPrice> {
    let standard = if start.hour() < 17 { 800 } else { 1_100 };
    let price = |category: &str, price_minor| SeatPrice {
        category: category.to_owned(),
        price_minor,
    };
    vec![price("standard", standard), price("sofa", standard + 500)]
}

fn seats(plan: &Plan, mut pool: impl FnMut() -> PoolId) -> Vec<Seat> {
    let mut seats = Vec::new();
    let last = plan.rows.len() - 1;
    for (y, row) in plan.rows.chars().enumerate() {
        let sofas = y == last;
        for number in 1..=if sofas { plan.sofas } else { plan.seats } {
            // A sofa is as wide as two seats.
            let column = if sofas { number * 2 - 1 } else { number };
            let aisles = plan.aisles.iter().filter(|after| column > **after).count();
            seats.push(Seat {
                pool: pool(),
                id: SeatId(format!("{row}{number}")),
                index: i64::try_from(seats.len()).unwrap_or(0),
                row: row.to_string(),
                number,
                x: column - 1 + i64::try_from(aisles).unwrap_or(0),
                y: i64::try_from(y).unwrap_or(0),
                category: if sofas { "sofa" } else { "standard" }.to_owned(),
                // The first row has a level way in, from both sides.
                accessible: y == 0 && (number <= 2 || number > plan.seats - 2),
            });
        }
    }
    seats
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_seats_share_an_id_or_a_place() {
        for plan in HALLS {
            let seats = seats(plan, || PoolId(0));
            let ids: HashSet<_> = seats.iter().map(|seat| &seat.id).collect();
            let places: HashSet<_> = seats.iter().map(|seat| (seat.x, seat.y)).collect();
            assert_eq!((ids.len(), places.len()), (seats.len(), seats.len()));
            assert_eq!(seats.iter().filter(|seat| seat.accessible).count(), 4);
            assert!(
                seats
                    .iter()
                    .enumerate()
                    .all(|(at, seat)| seat.index == at as i64)
            );
        }
    }
}
