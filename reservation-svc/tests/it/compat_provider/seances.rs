//! Seances: created, listed, deleted, and the same screenings in the canonical API.

use banyan_proto::{
    compat::provider::v1::{CreateSeanceRequest, ListSeancesRequest},
    reservation::v1::{
        ListCinemasRequest, ListScreeningsRequest, cinema_service_client::CinemaServiceClient,
    },
};

use sea_orm::ConnectionTrait as _;
use tonic::Code;

use super::{OLD, Partner, invalid, not_found, tomorrow};

#[tokio::test(flavor = "multi_thread")]
async fn a_created_seance_is_the_first_of_the_list() {
    for mut partner in Partner::each().await {
        let movie = partner.movie().await;
        let request = CreateSeanceRequest {
            movie_id: movie,
            datetime: OLD.to_owned(),
            price: 1000,
        };
        let created = partner
            .client
            .create_seance(request)
            .await
            .unwrap()
            .into_inner()
            .data
            .unwrap();
        assert_eq!(created.r#type, "seances");
        let attributes = created.attributes.unwrap();
        assert_eq!(
            (
                attributes.datetime.as_str(),
                attributes.price,
                attributes.movie_id
            ),
            (OLD, 1000, movie)
        );
        assert!(created.seats.iter().all(|seat| seat.vacant));
        let ids: Vec<_> = created.seats.iter().map(|seat| seat.id).collect();
        assert_eq!(ids, (0..ids.len() as i64).collect::<Vec<_>>());
        assert!(ids.len() > 3);

        let next = partner.seance(movie, "2031-02-03T04:05:06Z").await;
        let seances = partner.seances(movie).await;
        assert_eq!(
            seances.iter().map(|seance| seance.id).collect::<Vec<_>>(),
            [next.id, created.id]
        );
        assert_eq!(
            (seances[0].datetime.as_str(), seances[0].price),
            ("2031-02-03T04:05:06.000Z", 300)
        );
        assert_eq!(
            (seances[1].datetime.as_str(), seances[1].price),
            (OLD, 1000)
        );
        assert_eq!(seances[1].seats, created.seats);
        let request = ListSeancesRequest {
            movie_id: movie,
            max_results: Some(1),
        };
        let first = partner
            .client
            .list_seances(request)
            .await
            .unwrap()
            .into_inner()
            .data;
        assert_eq!(first, seances[..1]);
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_without_a_price_are_not_vacant() {
    for mut partner in Partner::each().await {
        let movie = partner.movie().await;
        let seance = partner.seance(movie, OLD).await;
        let unprice = format!(
            "DELETE FROM screening_prices WHERE screening = {} AND category = 'sofa'",
            seance.id
        );
        let sql = sea_orm::Database::connect(&partner.service.database.url)
            .await
            .unwrap();
        sql.execute_unprepared(&unprice).await.unwrap();
        let seats = partner.seances(movie).await.remove(0).seats;
        assert_eq!(seats.len(), seance.seats.len());
        let (vacant, unsold): (Vec<_>, Vec<_>) = seats.into_iter().partition(|seat| seat.vacant);
        let refused = partner.book(movie, seance.id, &[unsold[0].id]).await;
        assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
        partner
            .book(movie, seance.id, &[vacant[0].id])
            .await
            .unwrap();
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_seance_is_nowhere() {
    for mut partner in Partner::each().await {
        let (movie, other) = (partner.movie().await, partner.movie().await);
        let seance = partner.seance(movie, OLD).await.id;
        let detail = format!("seance_id {seance} not found");
        not_found(partner.delete_seance(other, seance).await, &detail);
        assert_eq!(
            partner.delete_seance(movie, seance).await.unwrap(),
            (seance.to_string(), "seances".to_owned())
        );
        assert!(partner.seances(movie).await.is_empty());
        not_found(partner.delete_seance(movie, seance).await, &detail);
        not_found(partner.book(movie, seance, &[0]).await, &detail);
        assert!(partner.seance(movie, OLD).await.id > seance);
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_name_their_fields() {
    let mut partner = Partner::of(banyan_mesh::testing::TestDatabase::sqlite()).await;
    let movie_id = partner.movie().await;
    let good = CreateSeanceRequest {
        movie_id,
        datetime: OLD.to_owned(),
        price: 1,
    };
    for price in [-1, 1001] {
        let request = CreateSeanceRequest {
            price,
            ..good.clone()
        };
        invalid(
            partner.client.create_seance(request).await,
            "price",
            "RANGE",
        );
    }
    for datetime in [
        "",
        "2020-01-18",
        "2020-01-18T00:00:00+03:00",
        "2020-13-18T00:00:00.000Z",
    ] {
        let request = CreateSeanceRequest {
            datetime: datetime.to_owned(),
            ..good.clone()
        };
        invalid(
            partner.client.create_seance(request).await,
            "datetime",
            "FORMAT",
        );
    }
    for max_results in [0, -1, 1001] {
        let request = ListSeancesRequest {
            movie_id,
            max_results: Some(max_results),
        };
        invalid(
            partner.client.list_seances(request).await,
            "max_results",
            "RANGE",
        );
    }
    let request = CreateSeanceRequest {
        movie_id: 4711,
        ..good
    };
    not_found(
        partner.client.create_seance(request).await,
        "movie_id 4711 not found",
    );
    partner.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canonical_api_has_the_same_screenings() {
    for mut partner in Partner::each().await {
        let movie = partner.movie().await;
        let seance = partner.seance(movie, &tomorrow()).await;
        let mut cinemas = CinemaServiceClient::new(partner.service.channel.clone());
        let cinema = cinemas
            .list_cinemas(ListCinemasRequest::default())
            .await
            .unwrap()
            .into_inner()
            .cinemas
            .remove(0);
        let request = ListScreeningsRequest {
            parent: cinema.name.clone(),
            movie: format!("movies/{movie}"),
            ..ListScreeningsRequest::default()
        };
        let screenings = cinemas
            .list_screenings(request.clone())
            .await
            .unwrap()
            .into_inner()
            .screenings;
        assert_eq!(screenings.len(), 1);
        assert_eq!(
            screenings[0].name,
            format!("{}/screenings/{}", cinema.name, seance.id)
        );
        assert_eq!(screenings[0].movie_title, "Roots");
        assert_eq!(
            screenings[0].from_price.as_ref().unwrap().amount_minor,
            30_000
        );
        partner.delete_movie(movie).await.unwrap();
        assert!(
            cinemas
                .list_screenings(request)
                .await
                .unwrap()
                .into_inner()
                .screenings
                .is_empty()
        );
        partner.service.stop().await;
    }
}
