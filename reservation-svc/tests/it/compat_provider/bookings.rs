//! Bookings: all or nothing, and what stands in their way.

use banyan_proto::{
    compat::provider::v1::{CreateBookingRequest, CreateSeanceBookingRequest},
    reservation::v1::{
        ListHallsRequest, SearchBookingsRequest, SetHallRulesRequest, booking::State,
        cinema_rules_service_client::CinemaRulesServiceClient,
        operator_service_client::OperatorServiceClient,
    },
};
use tonic::Code;

use super::{EMAIL, OLD, Partner, invalid, not_found, refused};

async fn vacant(partner: &mut Partner, movie: i64) -> Vec<i64> {
    let seances = partner.seances(movie).await;
    seances[0]
        .seats
        .iter()
        .filter(|seat| seat.vacant)
        .map(|seat| seat.id)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_are_booked_in_the_order_asked_for() {
    for mut partner in Partner::each().await {
        let movie = partner.movie().await;
        // Partners' own tests book seances that are long over.
        let seance = partner.seance(movie, OLD).await;
        let seats = seance.seats.len() as i64;
        let first = partner.book(movie, seance.id, &[2, 0]).await.unwrap();
        assert_eq!(first.len(), 2);
        let request = CreateBookingRequest {
            seance_id: seance.id,
            email: EMAIL.to_owned(),
            seats_ids: vec![1],
            ..Default::default()
        };
        let second = partner
            .client
            .create_booking(request)
            .await
            .unwrap()
            .into_inner()
            .data;
        assert_eq!(second.len(), 1);
        let mut ids = [first, second].concat();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 3, "one id a seat");
        assert_eq!(
            vacant(&mut partner, movie).await,
            (3..seats).collect::<Vec<_>>()
        );
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_taken_seat_refuses_all() {
    for mut partner in Partner::each().await {
        let movie = partner.movie().await;
        let seance = partner.seance(movie, OLD).await.id;
        partner.book(movie, seance, &[1, 2]).await.unwrap();
        let before = vacant(&mut partner, movie).await;
        let taken =
            |answer, detail| refused(answer, Code::AlreadyExists, "Seat already taken", detail);
        taken(partner.book(movie, seance, &[1]).await, "Taken seats: 1");
        taken(
            partner.book(movie, seance, &[0, 2, 3, 1]).await,
            "Taken seats: 2, 1",
        );
        assert_eq!(vacant(&mut partner, movie).await, before);
        partner.book(movie, seance, &[0, 3]).await.unwrap();
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hall_without_single_seats_tells_partners_so() {
    for mut partner in Partner::each().await {
        let movie = partner.movie().await;
        let seance = partner.seance(movie, OLD).await.id;
        let mut rules = CinemaRulesServiceClient::new(partner.service.channel.clone());
        let request = ListHallsRequest {
            parent: "cinemas/grand-banyan".into(),
            ..Default::default()
        };
        let halls = rules.list_halls(request).await.unwrap().into_inner().halls;
        for hall in halls {
            let request = SetHallRulesRequest {
                name: hall.name,
                no_single_seats: true,
            };
            rules.set_hall_rules(request).await.unwrap();
        }
        // The second of three seats side by side.
        refused(
            partner.book(movie, seance, &[1]).await,
            Code::AlreadyExists,
            "Seat left single",
            "would leave single seats: A1, A3",
        );
        partner.book(movie, seance, &[1, 0]).await.unwrap();
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_seats_are_told_before_taken_ones() {
    for mut partner in Partner::each().await {
        let movie = partner.movie().await;
        let seance = partner.seance(movie, OLD).await;
        let beyond = seance.seats.len() as i64;
        partner.book(movie, seance.id, &[1]).await.unwrap();
        let answer = partner.book(movie, seance.id, &[1, i64::MAX, beyond]).await;
        not_found(answer, &format!("seats {}, {beyond} not found", i64::MAX));
        not_found(
            partner.book(movie, seance.id, &[beyond]).await,
            &format!("seats {beyond} not found"),
        );
        assert_eq!(vacant(&mut partner, movie).await.len() as i64, beyond - 1);
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_want_the_same_seat_one_gets_it() {
    for mut partner in Partner::each().await {
        let movie = partner.movie().await;
        let seance = partner.seance(movie, OLD).await.id;
        for seat in 0..4 {
            let attempts = (0..8).map(|_| {
                let mut client = partner.client.clone();
                let request = CreateBookingRequest {
                    seance_id: seance,
                    email: EMAIL.to_owned(),
                    seats_ids: vec![seat],
                    ..Default::default()
                };
                async move { client.create_booking(request).await }
            });
            let answers = futures::future::join_all(attempts).await;
            assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
            for answer in answers.into_iter().filter(Result::is_err) {
                refused(
                    answer,
                    Code::AlreadyExists,
                    "Seat already taken",
                    &format!("Taken seats: {seat}"),
                );
            }
        }
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_name_their_fields() {
    let mut partner = Partner::of(banyan_mesh::testing::TestDatabase::sqlite()).await;
    let (movie_id, other) = (partner.movie().await, partner.movie().await);
    let seance_id = partner.seance(movie_id, OLD).await.id;
    let good = CreateSeanceBookingRequest {
        movie_id,
        seance_id,
        email: EMAIL.to_owned(),
        seats_ids: vec![0],
        ..Default::default()
    };
    let empty = CreateSeanceBookingRequest {
        seats_ids: vec![],
        ..good.clone()
    };
    refused(
        partner.client.create_seance_booking(empty).await,
        Code::InvalidArgument,
        "Validation failed",
        "seatsIds must be an non-empty array",
    );
    for email in ["", "anna", "anna@", "anna@localhost"] {
        let request = CreateSeanceBookingRequest {
            email: email.to_owned(),
            ..good.clone()
        };
        invalid(
            partner.client.create_seance_booking(request).await,
            "email",
            "FORMAT",
        );
    }
    for (seats_ids, kind) in [
        (vec![-1], "RANGE"),
        (vec![0, 1, 0], "DUPLICATE"),
        ((0..51).collect(), "RANGE"),
    ] {
        let request = CreateBookingRequest {
            seance_id,
            email: EMAIL.to_owned(),
            seats_ids,
            ..Default::default()
        };
        invalid(
            partner.client.create_booking(request).await,
            "seatsIds",
            kind,
        );
    }
    for request_id in ["a b", &"x".repeat(129)] {
        let request = CreateSeanceBookingRequest {
            request_id: request_id.to_owned(),
            ..good.clone()
        };
        invalid(
            partner.client.create_seance_booking(request).await,
            "request_id",
            "FORMAT",
        );
    }
    not_found(
        partner.book(4711, seance_id, &[0]).await,
        "movie_id 4711 not found",
    );
    not_found(
        partner.book(other, seance_id, &[0]).await,
        &format!("seance_id {seance_id} not found"),
    );
    not_found(
        partner.book(movie_id, 4711, &[0]).await,
        "seance_id 4711 not found",
    );
    let request = CreateBookingRequest {
        seance_id: 4711,
        email: EMAIL.to_owned(),
        seats_ids: vec![0],
        ..Default::default()
    };
    not_found(
        partner.client.create_booking(request).await,
        "seance_id 4711 not found",
    );
    assert!(vacant(&mut partner, movie_id).await.contains(&0));
    partner.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_outlive_their_seance() {
    for mut partner in Partner::each().await {
        let movie = partner.movie().await;
        let seance = partner.seance(movie, OLD).await.id;
        partner.book(movie, seance, &[0, 1]).await.unwrap();
        partner.delete_movie(movie).await.unwrap();
        let mut operator = OperatorServiceClient::new(partner.service.channel.clone());
        let found = operator
            .search_bookings(SearchBookingsRequest::default())
            .await
            .unwrap()
            .into_inner()
            .bookings;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].state(), State::Confirmed);
        assert_eq!(found[0].total_price.as_ref().unwrap().amount_minor, 60_000);
        assert_eq!(found[0].contact.as_ref().unwrap().email, EMAIL);
        partner.service.stop().await;
    }
}
