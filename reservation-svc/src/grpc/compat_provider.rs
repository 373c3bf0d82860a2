//! The provider API of partners' aggregators, over the same catalogue and the same cells as everything else.
//!
//! A deployment of several cinemas shows the first one here. A seance is a screening in its first hall; a booking is
//! one confirmed booking of all its seats, so that it is all or nothing. Unlike guests, partners may book what has
//! started: their systems always could.
//!
//! Refusals carry the words that partners match on, as `title` and `detail`. What is wrong with a request is told
//! before what it names and does not exist; a movie that is not there before its seance, unknown seats before taken
//! ones.

mod booking;
mod find;
mod listing;
mod parse;
mod price;

use banyan_proto::compat::provider::v1::{
    CreateBookingRequest, CreateBookingResponse, CreateMovieRequest, CreateMovieResponse,
    CreateSeanceBookingRequest, CreateSeanceBookingResponse, CreateSeanceRequest,
    CreateSeanceResponse, DeleteMovieRequest, DeleteMovieResponse, DeleteSeanceRequest,
    DeleteSeanceResponse, DeletedResource, ListMoviesRequest, ListMoviesResponse,
    ListSeancesRequest, ListSeancesResponse, MovieAttributes, MovieResource, SeanceAttributes,
    SeanceResource, provider_service_server::ProviderService,
};
use tonic::{Request, Response, Status};

use crate::{
    domain::name::MovieId,
    inventory::{Inventory, NewMovie, NewScreening, Rejection},
    store::Session,
};

const MOVIES: &str = "movies";
const SEANCES: &str = "seances";

/// What partners see and change.
pub(crate) struct Provider {
    inventory: Inventory,
}

impl Provider {
    /// Looks into the inventory's store, and hands every change to the inventory.
    pub(crate) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }

    async fn read(&self) -> Result<Session, Status> {
        Ok(self.inventory.store().read().await?)
    }
}

#[tonic::async_trait]
impl ProviderService for Provider {
    async fn list_movies(
        &self,
        request: Request<ListMoviesRequest>,
    ) -> Result<Response<ListMoviesResponse>, Status> {
        let ListMoviesRequest {
            max_results,
            with_seances,
        } = request.into_inner();
        let limit = parse::limit(max_results)?;
        let session = self.read().await?;
        let movies = listing::movies(
            &session,
            with_seances.is_some(),
            limit,
            self.inventory.now(),
        );
        let data = movies.await?;
        Ok(Response::new(ListMoviesResponse { data }))
    }

    async fn create_movie(
        &self,
        request: Request<CreateMovieRequest>,
    ) -> Result<Response<CreateMovieResponse>, Status> {
        let request = request.into_inner();
        parse::movie(&request)?;
        let CreateMovieRequest {
            name,
            description,
            image_url,
        } = request;
        let movie = NewMovie {
            title: name.clone(),
            description: description.clone(),
            image_uri: image_url.clone(),
        };
        let (id, _) = self.inventory.create_movie(&movie).await?;
        let attributes = Some(MovieAttributes {
            name,
            description,
            image_url,
        });
        let data = Some(MovieResource {
            id: id.0,
            r#type: MOVIES.to_owned(),
            attributes,
        });
        Ok(Response::new(CreateMovieResponse { data }))
    }

    async fn delete_movie(
        &self,
        request: Request<DeleteMovieRequest>,
    ) -> Result<Response<DeleteMovieResponse>, Status> {
        let id = request.into_inner().movie_id;
        self.inventory
            .delete_movie(MovieId(id))
            .await
            .map_err(|rejection| match rejection {
                Rejection::NotFound { .. } => find::no_movie(id),
                other => other.into(),
            })?;
        Ok(Response::new(DeleteMovieResponse {
            data: deleted(id, MOVIES),
        }))
    }

    async fn list_seances(
        &self,
        request: Request<ListSeancesRequest>,
    ) -> Result<Response<ListSeancesResponse>, Status> {
        let ListSeancesRequest {
            movie_id,
            max_results,
        } = request.into_inner();
        let limit = parse::limit(max_results)?;
        let session = self.read().await?;
        let movie = find::movie(&session, movie_id).await?;
        let cinema = find::cinema(&session).await?;
        let seances = listing::seances(&session, &cinema, movie.id, limit, self.inventory.now());
        let data = seances.await?;
        Ok(Response::new(ListSeancesResponse { data }))
    }

    async fn create_seance(
        &self,
        request: Request<CreateSeanceRequest>,
    ) -> Result<Response<CreateSeanceResponse>, Status> {
        let request = request.into_inner();
        let starts_at = parse::seance(&request)?;
        let CreateSeanceRequest {
            movie_id, price, ..
        } = request;
        let session = self.read().await?;
        let movie = find::movie(&session, movie_id).await?.id;
        let cinema = find::cinema(&session).await?;
        let hall = find::first_hall(&session, &cinema).await?;
        // Only one may read or write at a time on SQLite.
        drop(session);
        let price_minor = price::minor(cinema.currency, price);
        let new = NewScreening {
            cinema: cinema.id,
            hall: hall.number,
            movie,
            starts_at,
            price_minor,
        };
        let (screening, _) = self
            .inventory
            .create_screening(&new)
            .await
            .map_err(|rejection| match rejection {
                Rejection::NotFound { .. } => find::no_movie(movie_id),
                other => other.into(),
            })?;
        let data = SeanceResource {
            id: screening.id.number,
            r#type: SEANCES.to_owned(),
            attributes: Some(SeanceAttributes {
                datetime: listing::datetime(screening.starts_at),
                price,
                movie_id,
            }),
            seats: listing::all_vacant(&hall.seats),
        };
        Ok(Response::new(CreateSeanceResponse { data: Some(data) }))
    }

    async fn delete_seance(
        &self,
        request: Request<DeleteSeanceRequest>,
    ) -> Result<Response<DeleteSeanceResponse>, Status> {
        let DeleteSeanceRequest {
            movie_id,
            seance_id,
        } = request.into_inner();
        let session = self.read().await?;
        let movie = find::movie(&session, movie_id).await?;
        let screening = find::seance(&session, seance_id, Some(movie.id)).await?.id;
        drop(session);
        self.inventory
            .delete_screening(&screening)
            .await
            .map_err(|rejection| match rejection {
                Rejection::NotFound { .. } => find::no_seance(seance_id),
                other => other.into(),
            })?;
        Ok(Response::new(DeleteSeanceResponse {
            data: deleted(seance_id, SEANCES),
        }))
    }

    async fn create_seance_booking(
        &self,
        request: Request<CreateSeanceBookingRequest>,
    ) -> Result<Response<CreateSeanceBookingResponse>, Status> {
        let request = request.into_inner();
        parse::booking(&request.email, &request.seats_ids)?;
        let key = parse::request_key("CreateSeanceBooking", &request.request_id, &request)?;
        let CreateSeanceBookingRequest {
            movie_id,
            seance_id,
            email,
            seats_ids,
            ..
        } = request;
        let session = self.read().await?;
        let movie = find::movie(&session, movie_id).await?;
        let screening = find::seance(&session, seance_id, Some(movie.id)).await?;
        let data = booking::book(&self.inventory, session, &screening, email, &seats_ids, key);
        let data = data.await?;
        Ok(Response::new(CreateSeanceBookingResponse { data }))
    }

    async fn create_booking(
        &self,
        request: Request<CreateBookingRequest>,
    ) -> Result<Response<CreateBookingResponse>, Status> {
        let request = request.into_inner();
        parse::booking(&request.email, &request.seats_ids)?;
        let key = parse::request_key("CreateBooking", &request.request_id, &request)?;
        let CreateBookingRequest {
            seance_id,
            email,
            seats_ids,
            ..
        } = request;
        let session = self.read().await?;
        let screening = find::seance(&session, seance_id, None).await?;
        let data = booking::book(&self.inventory, session, &screening, email, &seats_ids, key);
        let data = data.await?;
        Ok(Response::new(CreateBookingResponse { data }))
    }
}

fn deleted(id: i64, r#type: &str) -> Option<DeletedResource> {
    Some(DeletedResource {
        id: id.to_string(),
        r#type: r#type.to_owned(),
    })
}
