//! The provider's API as partners call it: every call and every error of its contract.

mod bookings;
mod movies;
mod seances;

use banyan_mesh::testing::TestDatabase;
use banyan_proto::compat::provider::v1::{
    CreateMovieRequest, CreateSeanceBookingRequest, CreateSeanceRequest, DeleteMovieRequest,
    DeleteSeanceRequest, ListMoviesRequest, ListSeancesRequest, MovieEntry, SeanceEntry,
    SeanceResource, provider_service_client::ProviderServiceClient,
};
use jiff::{Timestamp, ToSpan as _};
use tonic::{Code, Response, Status, transport::Channel};
use tonic_types::StatusExt as _;

use super::compat_support::Service;

const EMAIL: &str = "anna@example.com";
const OLD: &str = "2020-01-18T00:00:00.000Z";

/// A partner of the demo cinema.
struct Partner {
    service: Service,
    client: ProviderServiceClient<Channel>,
}

impl Partner {
    async fn each() -> Vec<Self> {
        let mut partners = Vec::new();
        for database in TestDatabase::each() {
            partners.push(Self::of(database).await);
        }
        partners
    }

    async fn of(database: TestDatabase) -> Self {
        let service = Service::start(database, None, true).await;
        let client = ProviderServiceClient::new(service.channel.clone());
        Self { service, client }
    }

    async fn movie(&mut self) -> i64 {
        let created = self
            .client
            .create_movie(roots())
            .await
            .unwrap()
            .into_inner();
        created.data.unwrap().id
    }

    async fn seance(&mut self, movie_id: i64, datetime: &str) -> SeanceResource {
        let request = CreateSeanceRequest {
            movie_id,
            datetime: datetime.to_owned(),
            price: 300,
        };
        self.client
            .create_seance(request)
            .await
            .unwrap()
            .into_inner()
            .data
            .unwrap()
    }

    async fn movies(
        &mut self,
        max_results: Option<i32>,
        with_seances: Option<&str>,
    ) -> Vec<MovieEntry> {
        let request = ListMoviesRequest {
            max_results,
            with_seances: with_seances.map(str::to_owned),
        };
        self.client
            .list_movies(request)
            .await
            .unwrap()
            .into_inner()
            .data
    }

    async fn seances(&mut self, movie_id: i64) -> Vec<SeanceEntry> {
        let request = ListSeancesRequest {
            movie_id,
            max_results: None,
        };
        self.client
            .list_seances(request)
            .await
            .unwrap()
            .into_inner()
            .data
    }

    async fn book(
        &mut self,
        movie_id: i64,
        seance_id: i64,
        seats_ids: &[i64],
    ) -> Result<Vec<i64>, Status> {
        let request = CreateSeanceBookingRequest {
            movie_id,
            seance_id,
            email: EMAIL.to_owned(),
            seats_ids: seats_ids.to_vec(),
            ..Default::default()
        };
        self.client
            .create_seance_booking(request)
            .await
            .map(|answer| answer.into_inner().data)
    }

    async fn delete_movie(&mut self, movie_id: i64) -> Result<(String, String), Status> {
        let deleted = self
            .client
            .delete_movie(DeleteMovieRequest { movie_id })
            .await?
            .into_inner()
            .data
            .unwrap();
        Ok((deleted.id, deleted.r#type))
    }

    async fn delete_seance(
        &mut self,
        movie_id: i64,
        seance_id: i64,
    ) -> Result<(String, String), Status> {
        let request = DeleteSeanceRequest {
            movie_id,
            seance_id,
        };
        let deleted = self
            .client
            .delete_seance(request)
            .await?
            .into_inner()
            .data
            .unwrap();
        Ok((deleted.id, deleted.r#type))
    }
}

fn roots() -> CreateMovieRequest {
    CreateMovieRequest {
        name: "Roots".to_owned(),
        description: "A forest that keeps moving".to_owned(),
        image_url: "https://example.com/roots.png".to_owned(),
    }
}

fn tomorrow() -> String {
    (Timestamp::now() + 24.hours())
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}

/// A refusal has this code, this title and this detail.
#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, title: &str, detail: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{status}");
    let details = status.get_error_details();
    let words = &details.error_info().unwrap().metadata;
    assert_eq!(
        (words["title"].as_str(), words["detail"].as_str()),
        (title, detail)
    );
    assert!(details.bad_request().is_none());
}

#[track_caller]
fn not_found<T: std::fmt::Debug>(answer: Result<T, Status>, detail: &str) {
    refused(answer, Code::NotFound, "Not found", detail);
}

/// A refusal names this one field with this kind.
#[track_caller]
fn invalid<T: std::fmt::Debug>(answer: Result<Response<T>, Status>, field: &str, kind: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert_eq!(
        super::compat_support::violations(&status),
        [(field.to_owned(), kind.to_owned())]
    );
}
