//! What partners name by number, or the refusal that they expect when it is not there.

use tonic::{Code, Status};

use super::super::{compat_status::titled, status::reasoned};
use crate::{
    domain::{
        catalogue::{Cinema, Movie, Screening, Seat},
        name::MovieId,
    },
    store::Session,
};

const NOT_FOUND: &str = "Not found";

/// Where partners' seances take place.
pub(super) struct Hall {
    pub number: i64,
    pub seats: Vec<Seat>,
}

/// A movie of the listings.
pub(super) async fn movie(session: &Session, id: i64) -> Result<Movie, Status> {
    session
        .movie(MovieId(id))
        .await?
        .ok_or_else(|| no_movie(id))
}

/// A screening of the listings in the cinema that partners see; of that movie, where one is given.
pub(super) async fn seance(
    session: &Session,
    number: i64,
    movie: Option<MovieId>,
) -> Result<Screening, Status> {
    let cinema = cinema(session).await?;
    let found = session.screening_numbered(number).await?;
    found
        .filter(|screening| screening.id.cinema == cinema.id)
        .filter(|screening| movie.is_none_or(|movie| screening.movie == movie))
        .ok_or_else(|| no_seance(number))
}

/// The cinema that partners see.
pub(super) async fn cinema(session: &Session) -> Result<Cinema, Status> {
    let missing = || {
        reasoned(
            Code::FailedPrecondition,
            "NO_CINEMA",
            "there is no cinema yet",
            [],
        )
    };
    session.cinemas(None, 1).await?.pop().ok_or_else(missing)
}

/// The hall in which partners' seances take place.
pub(super) async fn first_hall(session: &Session, cinema: &Cinema) -> Result<Hall, Status> {
    let missing = || {
        reasoned(
            Code::FailedPrecondition,
            "NO_HALL",
            "the cinema has no hall yet",
            [],
        )
    };
    let halls = session.halls(&cinema.id).await?;
    let number = halls.first().ok_or_else(missing)?.number;
    Ok(Hall {
        number,
        seats: seats(session, number).await?,
    })
}

/// A hall's seats, by their numbers in it.
pub(super) async fn seats(session: &Session, hall: i64) -> Result<Vec<Seat>, Status> {
    let mut seats = session.seats(&[hall]).await?;
    Ok(seats.remove(&hall).unwrap_or_default())
}

pub(super) fn no_movie(id: i64) -> Status {
    titled(
        Code::NotFound,
        NOT_FOUND,
        format!("movie_id {id} not found"),
        "MOVIE_NOT_FOUND",
    )
}

pub(super) fn no_seance(number: i64) -> Status {
    titled(
        Code::NotFound,
        NOT_FOUND,
        format!("seance_id {number} not found"),
        "SEANCE_NOT_FOUND",
    )
}

pub(super) fn no_seats(ids: &[i64]) -> Status {
    titled(
        Code::NotFound,
        NOT_FOUND,
        format!("seats {} not found", list(ids)),
        "SEATS_NOT_FOUND",
    )
}

pub(super) fn taken_seats(ids: &[i64]) -> Status {
    titled(
        Code::AlreadyExists,
        "Seat already taken",
        format!("Taken seats: {}", list(ids)),
        "SEATS_TAKEN",
    )
}

/// The rule of the hall against single seats, which partners learn of by its words only.
pub(super) fn leaves_single(message: String) -> Status {
    titled(
        Code::AlreadyExists,
        "Seat left single",
        message,
        "LEAVES_SINGLE_SEAT",
    )
}

fn list(ids: &[i64]) -> String {
    ids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
