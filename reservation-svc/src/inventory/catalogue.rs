//! Changes of the catalogue. They take the commit head like any decision, and what analytics must know enters the feed.

use jiff::Timestamp;

use super::{Commit, Inventory, Position, clock, rejection::Rejection};
use crate::{
    domain::{
        catalogue::{SCREENING_HOURS, Screening, SeatPrice},
        event::Event,
        name::{CinemaId, MovieId, ScreeningId},
    },
    store::{ScreeningFilter, StoreError},
};

/// Far more screenings than a movie ever has, and what one statement can name.
const SCREENINGS_MAX: u64 = 30_000;

/// A movie to add.
#[derive(Clone, Debug)]
pub struct NewMovie {
    /// Its title.
    pub title: String,
    /// A few sentences.
    pub description: String,
    /// Address of a picture; may be empty.
    pub image_uri: String,
}

/// A screening to add, at one price for every seat of the hall.
#[derive(Clone, Debug)]
pub struct NewScreening {
    /// Where.
    pub cinema: CinemaId,
    /// In which hall.
    pub hall: i64,
    /// Of what.
    pub movie: MovieId,
    /// When it starts.
    pub starts_at: Timestamp,
    /// Price of a seat, in minor units of the cinema's currency.
    pub price_minor: i64,
}

impl Inventory {
    /// Adds a movie; which it is, and where.
    pub async fn create_movie(&self, movie: &NewMovie) -> Result<(MovieId, Position), Rejection> {
        let turn = self.turn().await?;
        let id = turn
            .commit
            .write
            .insert_movie(&movie.title, &movie.description, &movie.image_uri)
            .await?;
        Ok((id, turn.finish().await?))
    }

    /// Takes a movie and its screenings out of the listings; bookings stay. Where that was decided.
    pub async fn delete_movie(&self, id: MovieId) -> Result<Position, Rejection> {
        let mut turn = self.turn().await?;
        let deleted = delete_movie(&mut turn.commit, id).await;
        let ((), position) = turn.end(deleted).await?;
        Ok(position)
    }

    /// Adds a screening; it, and where.
    pub async fn create_screening(
        &self,
        new: &NewScreening,
    ) -> Result<(Screening, Position), Rejection> {
        let mut turn = self.turn().await?;
        let created = create_screening(&mut turn.commit, new).await;
        turn.end(created).await
    }

    /// Takes a screening out of the listings; bookings stay. Where that was decided.
    pub async fn delete_screening(&self, id: &ScreeningId) -> Result<Position, Rejection> {
        let mut turn = self.turn().await?;
        let deleted = delete_screening(&mut turn.commit, id).await;
        let ((), position) = turn.end(deleted).await?;
        Ok(position)
    }
}

async fn delete_movie(commit: &mut Commit, id: MovieId) -> Result<(), Rejection> {
    let movie = commit.write.movie(id).await?;
    movie.ok_or_else(|| Rejection::not_found("reservation.banyan/Movie", id))?;
    let filter = ScreeningFilter {
        movie: Some(id),
        ..ScreeningFilter::default()
    };
    let screenings = commit.write.screenings(&filter, SCREENINGS_MAX).await?;
    remove(commit, &screenings).await?;
    Ok(commit.write.remove_movie(id).await?)
}

async fn create_screening(commit: &mut Commit, new: &NewScreening) -> Result<Screening, Rejection> {
    let movie = commit.write.movie(new.movie).await?;
    movie.ok_or_else(|| Rejection::not_found("reservation.banyan/Movie", new.movie))?;
    let seats = commit.write.seats(&[new.hall]).await?.remove(&new.hall);
    let seats = seats.unwrap_or_default();
    let mut categories: Vec<_> = seats.iter().map(|seat| seat.category.clone()).collect();
    categories.sort_unstable();
    categories.dedup();
    let price = |category| SeatPrice {
        category,
        price_minor: new.price_minor,
    };
    let starts_at = clock::stored(new.starts_at);
    let screening = Screening {
        id: ScreeningId {
            cinema: new.cinema.clone(),
            number: commit.write.next_screening_number().await?,
        },
        movie: new.movie,
        hall: new.hall,
        starts_at,
        ends_at: end(starts_at),
    };
    let prices = categories.into_iter().map(price).collect();
    commit
        .write
        .insert_screenings(&[(screening.clone(), prices)])
        .await?;
    commit.record(&Event::Screening {
        screening: screening.clone(),
        capacity: i64::try_from(seats.len()).unwrap_or(i64::MAX),
        removed: false,
    });
    Ok(screening)
}

async fn delete_screening(commit: &mut Commit, id: &ScreeningId) -> Result<(), Rejection> {
    let screening = commit.write.screening(id).await?;
    let screening =
        screening.ok_or_else(|| Rejection::not_found("reservation.banyan/Screening", id))?;
    Ok(remove(commit, &[screening]).await?)
}

/// When a screening ends of which only the start is known.
fn end(starts_at: Timestamp) -> Timestamp {
    let hours = jiff::SignedDuration::from_hours(SCREENING_HOURS);
    starts_at.saturating_add(hours).unwrap_or(Timestamp::MAX)
}

async fn remove(commit: &mut Commit, screenings: &[Screening]) -> Result<(), StoreError> {
    let numbers: Vec<_> = screenings.iter().map(|it| it.id.number).collect();
    let halls: Vec<_> = screenings.iter().map(|it| it.hall).collect();
    let seats = commit.write.seats(&halls).await?;
    commit.write.remove_screenings(&numbers).await?;
    for screening in screenings {
        let capacity = seats.get(&screening.hall).map_or(0, Vec::len);
        commit.record(&Event::Screening {
            screening: screening.clone(),
            capacity: i64::try_from(capacity).unwrap_or(i64::MAX),
            removed: true,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;
    use jiff::ToSpan as _;

    use super::*;
    use crate::inventory::testing::Rig;

    async fn second_cinema(rig: &Rig) -> (CinemaId, i64) {
        let mut turn = rig.inventory.turn().await.unwrap();
        let write = &turn.commit.write;
        let mut cinema = write.cinemas(None, 1).await.unwrap().remove(0);
        let hall = write.halls(&cinema.id).await.unwrap()[0].number;
        let mut seats = write.seats(&[hall]).await.unwrap().remove(&hall).unwrap();
        cinema.id = CinemaId("zoo".into());
        seats.truncate(1);
        seats[0].pool = turn.commit.next_pool();
        let write = &turn.commit.write;
        write.insert_cinema(&cinema).await.unwrap();
        let hall = write.insert_hall(&cinema.id, "One", &seats).await.unwrap();
        turn.finish().await.unwrap();
        (cinema.id, hall)
    }

    #[tokio::test]
    async fn a_movie_is_shown_where_its_screenings_are_and_from_when_they_say() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let now = rig.inventory.now();
            let (cinema, hall) = second_cinema(&rig).await;
            let movie = NewMovie {
                title: "Roots".into(),
                description: "A forest".into(),
                image_uri: String::new(),
            };
            let (movie, _) = rig.inventory.create_movie(&movie).await.unwrap();
            let new = NewScreening {
                cinema: cinema.clone(),
                hall,
                movie,
                starts_at: now + 1.hour() + 123_456_789.nanoseconds(),
                price_minor: 100,
            };
            let (made, _) = rig.inventory.create_screening(&new).await.unwrap();
            let session = rig.inventory.store().read().await.unwrap();
            let read = session.screening(&made.id).await.unwrap().unwrap();
            assert_eq!(read, made);

            let first = session.cinemas(None, 1).await.unwrap().remove(0).id;
            for (cinema, shown) in [(first, false), (cinema, true)] {
                let movies = session.movies_shown_from(&cinema, now).await.unwrap();
                assert_eq!(movies.contains(&movie), shown, "{cinema}");
            }
        }
    }
}
