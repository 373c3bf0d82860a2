//! Movies and screenings in the shapes of the provider API.

use std::collections::HashSet;

use banyan_proto::compat::provider::v1::{MovieEntry, SeanceEntry, SeatEntry};
use jiff::Timestamp;

use super::price;
use crate::{
    domain::{
        catalogue::{Cinema, Movie, Screening, Seat, SeatPrice},
        name::MovieId,
        offer::price_of,
    },
    store::{ScreeningFilter, Session, StoreError},
};

/// Movies, newest first; only those that partners' cinema shows today or later, if so wanted.
pub(super) async fn movies(
    session: &Session,
    only_shown: bool,
    limit: u64,
    now: Timestamp,
) -> Result<Vec<MovieEntry>, StoreError> {
    let cinema = session.cinemas(None, 1).await?.pop();
    let shown = match &cinema {
        Some(cinema) => {
            session
                .movies_shown_from(&cinema.id, today(cinema, now))
                .await?
        }
        None => HashSet::new(),
    };
    let movies = if only_shown {
        let ids: Vec<_> = shown.iter().copied().collect();
        let mut movies: Vec<_> = session.movies_of(&ids).await?.into_values().collect();
        movies.sort_unstable_by_key(|movie| std::cmp::Reverse(movie.id));
        movies.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        movies
    } else {
        session.movies(None, limit).await?
    };
    let entry = |movie: Movie| MovieEntry {
        id: movie.id.0,
        name: movie.title,
        description: movie.description,
        image_url: movie.image_uri,
        coming_soon: shown.contains(&movie.id),
    };
    Ok(movies.into_iter().map(entry).collect())
}

/// When the day began at the cinema.
fn today(cinema: &Cinema, now: Timestamp) -> Timestamp {
    now.to_zoned(cinema.zone.clone())
        .start_of_day()
        .map_or(now, |day| day.timestamp())
}

/// The screenings of a movie at that cinema, newest first, with their seats as they are at that time.
pub(super) async fn seances(
    session: &Session,
    cinema: &Cinema,
    movie: MovieId,
    limit: u64,
    now: Timestamp,
) -> Result<Vec<SeanceEntry>, StoreError> {
    let filter = ScreeningFilter {
        cinema: Some(cinema.id.clone()),
        movie: Some(movie),
        newest_first: true,
        ..ScreeningFilter::default()
    };
    let screenings = session.screenings(&filter, limit).await?;
    let numbers: Vec<_> = screenings
        .iter()
        .map(|screening| screening.id.number)
        .collect();
    let halls: HashSet<_> = screenings.iter().map(|screening| screening.hall).collect();
    let seats = session.seats(&Vec::from_iter(halls)).await?;
    let prices = session.seat_prices(&numbers).await?;
    let taken = session.taken_seats(&numbers, now).await?;
    let (no_seats, no_prices, nothing) = (Vec::new(), Vec::new(), HashSet::new());
    let entry = |screening: &Screening| {
        let number = screening.id.number;
        let hall = seats.get(&screening.hall).unwrap_or(&no_seats);
        let taken = taken.get(&number).unwrap_or(&nothing);
        let prices = prices.get(&number).unwrap_or(&no_prices);
        let vacant =
            |seat: &Seat| !taken.contains(&seat.pool) && price_of(prices, &seat.category).is_some();
        SeanceEntry {
            id: number,
            price: cheapest(cinema, prices),
            datetime: datetime(screening.starts_at),
            seats: entries(hall, vacant),
        }
    };
    Ok(screenings.iter().map(entry).collect())
}

/// The seats of a hall that nobody has booked yet.
pub(super) fn all_vacant(hall: &[Seat]) -> Vec<SeatEntry> {
    entries(hall, |_| true)
}

fn entries(hall: &[Seat], vacant: impl Fn(&Seat) -> bool) -> Vec<SeatEntry> {
    hall.iter()
        .map(|seat| SeatEntry {
            id: seat.index,
            vacant: vacant(seat),
        })
        .collect()
}

/// The API knows one price a seance; other screenings have one a category of seats.
fn cheapest(cinema: &Cinema, prices: &[SeatPrice]) -> i32 {
    let cheapest = prices.iter().map(|price| price.price_minor).min();
    price::whole(cinema.currency, cheapest.unwrap_or(0))
}

/// UTC, always with milliseconds and `Z`.
pub(super) fn datetime(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::datetime;

    #[test]
    fn times_have_milliseconds_and_a_z() {
        for (text, want) in [
            ("2020-01-18T00:00:00Z", "2020-01-18T00:00:00.000Z"),
            ("2020-01-18T03:00:00.1239+03:00", "2020-01-18T00:00:00.123Z"),
        ] {
            assert_eq!(datetime(text.parse().unwrap()), want);
        }
    }
}
