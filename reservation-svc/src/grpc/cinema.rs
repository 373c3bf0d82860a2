//! CinemaService: what cinemas show and which seats are free. Informs only.

use banyan_proto::reservation::v1::{self, cinema_service_server::CinemaService};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use tonic::{Request, Response, Status};

use super::{page::Page, screening, status};
use crate::{
    domain::{
        catalogue::{Cinema, Movie, SCREENING_HOURS_MAX},
        claim::parse_date,
        name::{CinemaId, MovieId, NameError, ScreeningId},
        violation::Fault,
    },
    inventory::Inventory,
    store::{ScreeningFilter, Session},
};

const CINEMA: &str = "reservation.banyan/Cinema";
const MOVIE: &str = "reservation.banyan/Movie";
const SCREENING: &str = "reservation.banyan/Screening";
/// Movies are numbered from 1.
const NO_MOVIE: MovieId = MovieId(0);

const LONGEST: SignedDuration = SignedDuration::from_hours(SCREENING_HOURS_MAX);

/// Answers CinemaService.
#[derive(Clone)]
pub(super) struct Cinemas {
    inventory: Inventory,
}

impl Cinemas {
    pub(super) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }
}

#[tonic::async_trait]
impl CinemaService for Cinemas {
    async fn list_cinemas(
        &self,
        request: Request<v1::ListCinemasRequest>,
    ) -> Result<Response<v1::ListCinemasResponse>, Status> {
        let request = request.get_ref();
        let page = Page::parse("ListCinemas", &[], request.page_size, &request.page_token)?;
        let session = self.inventory.store().read().await?;
        let cinemas = session.cinemas(page.after(), page.limit()).await?;
        let (cinemas, next_page_token) = page.cut(cinemas, |cinema| cinema.id.0.clone());
        Ok(Response::new(v1::ListCinemasResponse {
            cinemas: cinemas.into_iter().map(cinema_message).collect(),
            next_page_token,
        }))
    }

    async fn get_cinema(
        &self,
        request: Request<v1::GetCinemaRequest>,
    ) -> Result<Response<v1::Cinema>, Status> {
        let id = status::named("name", &request.get_ref().name, CINEMA, CinemaId::parse)?;
        let session = self.inventory.store().read().await?;
        Ok(Response::new(cinema_message(cinema(&session, &id).await?)))
    }

    async fn list_movies(
        &self,
        request: Request<v1::ListMoviesRequest>,
    ) -> Result<Response<v1::ListMoviesResponse>, Status> {
        let request = request.get_ref();
        let page = Page::parse("ListMovies", &[], request.page_size, &request.page_token)?;
        let session = self.inventory.store().read().await?;
        let movies = session.movies(page.after_number()?, page.limit()).await?;
        let (movies, next_page_token) = page.cut(movies, |movie| movie.id.0.to_string());
        Ok(Response::new(v1::ListMoviesResponse {
            movies: movies.into_iter().map(movie_message).collect(),
            next_page_token,
        }))
    }

    async fn get_movie(
        &self,
        request: Request<v1::GetMovieRequest>,
    ) -> Result<Response<v1::Movie>, Status> {
        let id = status::named("name", &request.get_ref().name, MOVIE, MovieId::parse)?;
        let session = self.inventory.store().read().await?;
        let found = session.movie(id).await?;
        let found = found.ok_or_else(|| status::not_found(MOVIE, vec![id.to_string()]))?;
        Ok(Response::new(movie_message(found)))
    }

    async fn list_screenings(
        &self,
        request: Request<v1::ListScreeningsRequest>,
    ) -> Result<Response<v1::ListScreeningsResponse>, Status> {
        let request = request.get_ref();
        let parent = status::named("parent", &request.parent, CINEMA, CinemaId::parse)?;
        let parameters = [request.parent.as_str(), &request.movie, &request.date];
        let page = Page::parse(
            "ListScreenings",
            &parameters,
            request.page_size,
            &request.page_token,
        )?;
        let movie = only_movie(&request.movie)?;
        let date = day(&request.date)?;
        let session = self.inventory.store().read().await?;
        let cinema = cinema(&session, &parent).await?;
        let now = self.inventory.now();
        let (starts_from, starts_before) =
            date.map_or((None, None), |date| bounds(date, &cinema.zone));
        let filter = ScreeningFilter {
            cinema: Some(parent),
            movie,
            ends_after: Some(now),
            // Without it, the index would be read from the first screening ever.
            starts_from: starts_from.max(Some(now - LONGEST)),
            starts_before,
            after: after(&page)?,
            newest_first: false,
        };
        let found = session.screenings(&filter, page.limit()).await?;
        let (found, next_page_token) = page.cut(found, |it| {
            format!("{} {}", it.starts_at.as_microsecond(), it.id.number)
        });
        Ok(Response::new(v1::ListScreeningsResponse {
            screenings: screening::messages(&session, &cinema, &found, now).await?,
            next_page_token,
        }))
    }

    async fn get_screening(
        &self,
        request: Request<v1::GetScreeningRequest>,
    ) -> Result<Response<v1::Screening>, Status> {
        let id = status::named(
            "name",
            &request.get_ref().name,
            SCREENING,
            ScreeningId::parse,
        )?;
        let session = self.inventory.store().read().await?;
        let cinema = cinema(&session, &id.cinema).await?;
        let found = screening_of(&session, &id).await?;
        let messages =
            screening::messages(&session, &cinema, &[found], self.inventory.now()).await?;
        let message = messages.into_iter().next();
        message
            .map(Response::new)
            .ok_or_else(|| status::not_found(SCREENING, vec![id.to_string()]))
    }

    async fn get_seat_map(
        &self,
        request: Request<v1::GetSeatMapRequest>,
    ) -> Result<Response<v1::SeatMap>, Status> {
        let name = &request.get_ref().name;
        let id = status::named(
            "name",
            name,
            "reservation.banyan/SeatMap",
            ScreeningId::parse_seat_map,
        )?;
        let session = self.inventory.store().read().await?;
        let cinema = cinema(&session, &id.cinema).await?;
        let found = screening_of(&session, &id).await?;
        let map = screening::seat_map(&session, &cinema, &found, self.inventory.now()).await?;
        Ok(Response::new(map))
    }
}

/// A cinema that must be there.
pub(super) async fn cinema(session: &Session, id: &CinemaId) -> Result<Cinema, Status> {
    match session.cinema(id).await? {
        Some(cinema) => Ok(cinema),
        None => Err(status::missing(session, CINEMA, id).await),
    }
}

async fn screening_of(
    session: &Session,
    id: &ScreeningId,
) -> Result<crate::domain::catalogue::Screening, Status> {
    let found = session.screening(id).await?;
    found.ok_or_else(|| status::not_found(SCREENING, vec![id.to_string()]))
}

/// The movie to filter by. One that cannot be there is like one that is not: nothing is shown of it.
fn only_movie(name: &str) -> Result<Option<MovieId>, Status> {
    match MovieId::parse(name) {
        _ if name.is_empty() => Ok(None),
        Ok(movie) => Ok(Some(movie)),
        Err(NameError::Unknown) => Ok(Some(NO_MOVIE)),
        Err(error) => Err(status::wrong("movie", Fault::Format, error.allowed())),
    }
}

fn day(text: &str) -> Result<Option<Date>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut violations = Vec::new();
    let date = parse_date("date", text, &mut violations);
    date.map(Some).ok_or_else(|| status::invalid(violations))
}

/// The first moment of a day in a zone and that of the next; nothing at the ends of the calendar.
fn bounds(date: Date, zone: &TimeZone) -> (Option<Timestamp>, Option<Timestamp>) {
    let first = |date: Date| zone.to_ambiguous_timestamp(date.into()).compatible().ok();
    (first(date), date.tomorrow().ok().and_then(first))
}

fn after(page: &Page) -> Result<Option<(Timestamp, i64)>, Status> {
    let Some((micros, number)) = page.after_pair()? else {
        return Ok(None);
    };
    let wrong = |_| {
        status::wrong(
            "page_token",
            Fault::Format,
            "must be a next_page_token of this very list",
        )
    };
    Ok(Some((
        Timestamp::from_microsecond(micros).map_err(wrong)?,
        number,
    )))
}

/// A cinema as guests see it.
pub(super) fn cinema_message(it: Cinema) -> v1::Cinema {
    v1::Cinema {
        name: it.id.to_string(),
        display_name: it.display_name,
        time_zone: it.zone_name,
        currency_code: it.currency.to_string(),
        city: it.city,
        address: it.address,
    }
}

fn movie_message(it: Movie) -> v1::Movie {
    v1::Movie {
        name: it.id.to_string(),
        title: it.title,
        description: it.description,
        image_uri: it.image_uri,
    }
}
