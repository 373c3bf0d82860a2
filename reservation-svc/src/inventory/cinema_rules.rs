//! What operators set of cinemas. Each change takes the commit head like any decision.

use jiff::Timestamp;

use super::{
    Commit, Inventory, Position, clock,
    rejection::{Refusal, Rejection},
};
use crate::{
    domain::{
        catalogue::{Cinema, Hall, Screening, SeatPrice},
        event::Event,
        hall::HallPlan,
        name::{CinemaId, HallId, MovieId, ScreeningId},
        refusal::Reason,
        violation::{Fault, Violation},
        wait_entry::Line,
    },
    store::Write,
};

const CINEMA: &str = "reservation.banyan/Cinema";
const HALL: &str = "reservation.banyan/Hall";
const MOVIE: &str = "reservation.banyan/Movie";
const SCREENING: &str = "reservation.banyan/Screening";

/// Lines that one change of a hall is offered along, those of its next screenings: more than a hall ever has sold out.
const LINES_MAX: u64 = 100;

/// A screening to add.
#[derive(Clone, Debug)]
pub struct PricedScreening {
    /// In which hall.
    pub hall: HallId,
    /// Of what.
    pub movie: MovieId,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends, after the start.
    pub ends_at: Timestamp,
    /// What a seat of each category that is sold costs.
    pub prices: Vec<SeatPrice>,
}

impl Inventory {
    /// Adds a cinema; where.
    ///
    /// # Errors
    /// [`Rejection::Exists`] if there is one of that name.
    pub async fn create_cinema(&self, cinema: &Cinema) -> Result<Position, Rejection> {
        let turn = self.turn().await?;
        let created = create_cinema(&turn.commit.write, cinema).await;
        let ((), position) = turn.end(created).await?;
        Ok(position)
    }

    /// Adds a hall with its seats; it, and where.
    ///
    /// # Errors
    /// If the cinema is not there.
    pub async fn create_hall(
        &self,
        cinema: CinemaId,
        name: &str,
        no_single_seats: bool,
        plan: HallPlan,
    ) -> Result<(Hall, Position), Rejection> {
        let mut turn = self.turn().await?;
        let created = create_hall(&mut turn.commit, cinema, name, no_single_seats, plan).await;
        turn.end(created).await
    }

    /// Sets the rules of a hall; it, and where. Seats that may be sold from now on are offered first to those who wait for
    /// its screenings.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn set_hall_rules(
        &self,
        id: &HallId,
        no_single_seats: bool,
    ) -> Result<(Hall, Position), Rejection> {
        let mut turn = self.turn().await?;
        let set = set_hall_rules(&mut turn.commit, id, no_single_seats).await;
        turn.end(set).await
    }

    /// Adds a screening with a price for each category that is sold; it, and where.
    ///
    /// # Errors
    /// If the hall or the movie is not there, a category is none of the hall's, or the hall is busy.
    pub async fn schedule_screening(
        &self,
        new: &PricedScreening,
    ) -> Result<(Screening, Position), Rejection> {
        let mut turn = self.turn().await?;
        let scheduled = schedule_screening(&mut turn.commit, new).await;
        turn.end(scheduled).await
    }

    /// Sets all prices of a screening; it, and where. Who waits is offered first what is sold from now on.
    ///
    /// # Errors
    /// If it is not there, or a category is none of its hall's.
    pub async fn set_screening_prices(
        &self,
        id: &ScreeningId,
        prices: &[SeatPrice],
    ) -> Result<(Screening, Position), Rejection> {
        let mut turn = self.turn().await?;
        let set = set_screening_prices(&mut turn.commit, id, prices).await;
        turn.end(set).await
    }
}

async fn create_cinema(write: &Write, cinema: &Cinema) -> Result<(), Rejection> {
    if write.cinema(&cinema.id).await?.is_some() {
        return Err(Rejection::exists(CINEMA, vec![cinema.id.to_string()]));
    }
    Ok(write.insert_cinema(cinema).await?)
}

async fn create_hall(
    commit: &mut Commit,
    cinema: CinemaId,
    name: &str,
    no_single_seats: bool,
    plan: HallPlan,
) -> Result<Hall, Rejection> {
    existing_cinema(&commit.write, &cinema).await?;
    let seats = plan.seats(|| commit.next_pool());
    let number = commit.write.insert_hall(&cinema, name, &seats).await?;
    let hall = Hall {
        number,
        cinema,
        display_name: name.to_owned(),
        no_single_seats,
    };
    commit.write.update_hall(&hall).await?;
    Ok(hall)
}

async fn set_hall_rules(
    commit: &mut Commit,
    id: &HallId,
    no_single_seats: bool,
) -> Result<Hall, Rejection> {
    let (write, now) = (&commit.write, commit.now);
    let mut hall = existing_hall(write, id).await?;
    let is_looser = hall.no_single_seats && !no_single_seats;
    hall.no_single_seats = no_single_seats;
    write.update_hall(&hall).await?;
    if is_looser {
        for screening in write.waited_for(id, now, LINES_MAX).await? {
            commit.serve(Line::Screening(screening)).await?;
        }
    }
    Ok(hall)
}

async fn schedule_screening(
    commit: &mut Commit,
    new: &PricedScreening,
) -> Result<Screening, Rejection> {
    let write = &commit.write;
    let hall = existing_hall(write, &new.hall).await?;
    let movie = write.movie(new.movie).await?;
    movie.ok_or_else(|| Rejection::not_found(MOVIE, new.movie))?;
    let capacity = sold_by_category(write, hall.number, &new.prices).await?;
    let screening = Screening {
        id: ScreeningId {
            cinema: hall.cinema,
            number: write.next_screening_number().await?,
        },
        movie: new.movie,
        hall: hall.number,
        starts_at: clock::stored(new.starts_at),
        ends_at: clock::stored(new.ends_at),
    };
    if write.hall_is_busy(&screening).await? {
        return Err(Rejection::Refused(Refusal {
            reason: Reason::HallBusy,
            message: format!("{} shows something else then", new.hall),
            unmet: Vec::new(),
            details: Vec::new(),
            position: commit.position(),
        }));
    }
    let priced = [(screening.clone(), new.prices.clone())];
    write.insert_screenings(&priced).await?;
    commit.record(&Event::Screening {
        screening: screening.clone(),
        capacity,
        removed: false,
    });
    Ok(screening)
}

async fn set_screening_prices(
    commit: &mut Commit,
    id: &ScreeningId,
    prices: &[SeatPrice],
) -> Result<Screening, Rejection> {
    let write = &commit.write;
    let screening = write.screening(id).await?;
    let screening = screening.ok_or_else(|| Rejection::not_found(SCREENING, id))?;
    sold_by_category(write, screening.hall, prices).await?;
    write.replace_prices(id.number, prices).await?;
    let line = Line::Screening(id.clone());
    commit.serve(line).await?;
    Ok(screening)
}

async fn existing_cinema(write: &Write, id: &CinemaId) -> Result<Cinema, Rejection> {
    let found = write.cinema(id).await?;
    found.ok_or_else(|| Rejection::not_found(CINEMA, id))
}

async fn existing_hall(write: &Write, id: &HallId) -> Result<Hall, Rejection> {
    let found = write.hall(id).await?;
    found.ok_or_else(|| Rejection::not_found(HALL, id))
}

/// Seats of a hall, once all categories that have a price are known to be the hall's.
async fn sold_by_category(
    write: &Write,
    hall: i64,
    prices: &[SeatPrice],
) -> Result<i64, Rejection> {
    let seats = write.seats(&[hall]).await?.remove(&hall);
    let seats = seats.unwrap_or_default();
    let is_there = |it: &SeatPrice| seats.iter().any(|seat| seat.category == it.category);
    let unknown = prices.iter().enumerate().filter(|(_, it)| !is_there(it));
    let violations: Vec<_> = unknown
        .map(|(at, it)| {
            let field = format!("prices[{at}].category");
            let description = format!("the hall has no seats of category {}", it.category);
            Violation::new(field, Fault::Range, description)
        })
        .collect();
    if !violations.is_empty() {
        return Err(Rejection::Invalid {
            violations,
            position: None,
        });
    }
    Ok(i64::try_from(seats.len()).unwrap_or(i64::MAX))
}
