//! Lists, searches and limits: what comes in is checked, field by field.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, booking::State};
use jiff::SignedDuration;
use tonic::{Code, Status};

use super::support::*;

#[track_caller]
fn check<T: std::fmt::Debug>(result: Result<T, Status>, field: &str, fault: &str) {
    let refusal = result.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument, "{refusal}");
    assert!(
        fields(&refusal).contains(&(field.to_owned(), fault.to_owned())),
        "{:?}",
        fields(&refusal)
    );
}

#[tokio::test]
async fn holds_are_checked_field_by_field() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let screening = service.screening().await.name;
    let many: Vec<String> = (0..51).map(|n| format!("A{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let contact = |contact| v1::HoldBookingRequest {
        contact: Some(contact),
        ..suites("2026-12-01", "2026-12-02", 1)
    };
    let lasting = |seconds| v1::HoldBookingRequest {
        hold_duration: Some(prost_types::Duration { seconds, nanos: 0 }),
        ..suites("2026-12-01", "2026-12-02", 1)
    };
    let email = |email: &str| {
        contact(v1::Contact {
            email: email.to_owned(),
            ..Default::default()
        })
    };
    for (request, field, fault) in [
        (v1::HoldBookingRequest::default(), "claim", "MISSING"),
        (
            suites("2026-12-02", "2026-12-01", 1),
            "stay.check_out_date",
            "RANGE",
        ),
        (
            suites("2026-12-01", "2026-12-01", 1),
            "stay.check_out_date",
            "RANGE",
        ),
        (
            suites("2026-12-01", "2027-12-02", 1),
            "stay.check_out_date",
            "RANGE",
        ),
        (
            suites("2026-11-19", "2026-11-21", 1),
            "stay.check_in_date",
            "RANGE",
        ),
        (
            suites("2026-02-30", "2026-12-01", 1),
            "stay.check_in_date",
            "FORMAT",
        ),
        (suites("", "2026-12-01", 1), "stay.check_in_date", "MISSING"),
        (
            suites("2026-12-01", "2026-12-02", 51),
            "stay.rooms",
            "RANGE",
        ),
        (
            suites("2026-12-01", "2026-12-02", -1),
            "stay.rooms",
            "RANGE",
        ),
        (seats(&screening, &[]), "seats.seats", "MISSING"),
        (seats(&screening, &many), "seats.seats", "RANGE"),
        (
            seats(&screening, &["A1", "A1"]),
            "seats.seats[1]",
            "DUPLICATE",
        ),
        (seats(&screening, &["A 1"]), "seats.seats[0]", "FORMAT"),
        (seats("", &["A1"]), "seats.screening", "MISSING"),
        (
            seats("cinemas/grand-banyan", &["A1"]),
            "seats.screening",
            "FORMAT",
        ),
        (lasting(0), "hold_duration", "RANGE"),
        (lasting(3_601), "hold_duration", "RANGE"),
        (email("nobody"), "contact.email", "FORMAT"),
        (
            email(&format!("{}@b", "a".repeat(253))),
            "contact.email",
            "RANGE",
        ),
        (
            contact(v1::Contact {
                display_name: "x".repeat(201),
                ..Default::default()
            }),
            "contact.display_name",
            "RANGE",
        ),
        (
            contact(v1::Contact {
                phone: "1".repeat(41),
                ..Default::default()
            }),
            "contact.phone",
            "RANGE",
        ),
        (
            v1::HoldBookingRequest {
                request_id: "a b".into(),
                ..suites("2026-12-01", "2026-12-02", 1)
            },
            "request_id",
            "FORMAT",
        ),
    ] {
        check(service.hold(ALICE, request).await, field, fault);
    }
    let unpriced = service
        .hold(ALICE, suites("2029-12-01", "2029-12-02", 1))
        .await
        .unwrap_err();
    assert_eq!(reason(&unpriced), "NOT_SOLD");
    let unknown = service
        .hold(
            ALICE,
            seats("cinemas/grand-banyan/screenings/99999", &["A1"]),
        )
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    service.assert_sound().await;
}

#[tokio::test]
async fn lists_are_paged_and_tokens_belong_to_their_list() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let mut made = Vec::new();
        for night in ["2026-12-01", "2026-12-02", "2026-12-03"] {
            let end = night
                .parse::<jiff::civil::Date>()
                .unwrap()
                .tomorrow()
                .unwrap()
                .to_string();
            made.push(
                service
                    .hold(ALICE, suites(night, &end, 1))
                    .await
                    .unwrap()
                    .booking
                    .unwrap()
                    .name,
            );
        }
        let page = |token: &str| {
            by(
                ALICE,
                v1::ListBookingsRequest {
                    page_size: 2,
                    page_token: token.to_owned(),
                },
            )
        };
        let first = service
            .bookings()
            .list_bookings(page(""))
            .await
            .unwrap()
            .into_inner();
        let second = service
            .bookings()
            .list_bookings(page(&first.next_page_token))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(second.next_page_token, "");
        let listed: Vec<_> = first
            .bookings
            .iter()
            .chain(&second.bookings)
            .map(|it| it.name.clone())
            .collect();
        made.reverse();
        assert_eq!(listed, made);

        let others = by(
            BOB,
            v1::ListBookingsRequest {
                page_size: 2,
                page_token: first.next_page_token.clone(),
            },
        );
        check(
            service.bookings().list_bookings(others).await,
            "page_token",
            "FORMAT",
        );
        let negative = by(
            ALICE,
            v1::ListBookingsRequest {
                page_size: -1,
                ..Default::default()
            },
        );
        check(
            service.bookings().list_bookings(negative).await,
            "page_size",
            "RANGE",
        );
        let hotels = v1::ListHotelsRequest {
            page_token: first.next_page_token,
            ..Default::default()
        };
        check(
            service.hotels().list_hotels(hotels).await,
            "page_token",
            "FORMAT",
        );
    }
}

#[tokio::test]
async fn what_is_free_is_paged_by_room_type() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let search = |check_out: &str, page_size, token: &str| {
            let mut hotels = service.hotels();
            let request = v1::SearchAvailabilityRequest {
                hotel: HOTEL.into(),
                check_in_date: "2026-12-01".into(),
                check_out_date: check_out.into(),
                page_size,
                page_token: token.into(),
            };
            async move {
                let answer = hotels.search_availability(request).await;
                answer.map(tonic::Response::into_inner)
            }
        };
        let whole = search("2026-12-03", 0, "").await.unwrap();
        assert_eq!(whole.room_types.len(), 3);
        assert!(whole.room_types.is_sorted_by_key(|it| &it.room_type));
        assert_eq!(whole.next_page_token, "");

        let first = search("2026-12-03", 2, "").await.unwrap();
        let token = first.next_page_token;
        let second = search("2026-12-03", 2, &token).await.unwrap();
        assert_eq!(second.next_page_token, "");
        assert_eq!(second.room_types.len(), 1);
        let pages = [first.room_types, second.room_types].concat();
        assert_eq!(pages, whole.room_types);

        let other = search("2026-12-04", 2, &token).await;
        check(other, "page_token", "FORMAT");
        check(search("2026-12-03", -1, "").await, "page_size", "RANGE");
    }
}

#[tokio::test]
async fn screenings_are_listed_by_day_and_movie_and_page_through() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let list = |date: &str, movie: &str, page_size, token: &str| v1::ListScreeningsRequest {
            parent: "cinemas/grand-banyan".into(),
            movie: movie.to_owned(),
            date: date.to_owned(),
            page_size,
            page_token: token.to_owned(),
        };
        let day = service
            .cinemas()
            .list_screenings(list("2026-11-21", "", 0, ""))
            .await
            .unwrap()
            .into_inner()
            .screenings;
        assert_eq!(day.len(), 8);
        assert!(
            day.iter()
                .map(|it| it.start_time.unwrap().seconds)
                .is_sorted()
        );
        assert!(
            day.iter()
                .all(|it| it.from_price.is_some() && it.capacity == it.available_seats)
        );

        let movie = day[0].movie.clone();
        let one = service
            .cinemas()
            .list_screenings(list("2026-11-21", &movie, 0, ""))
            .await
            .unwrap()
            .into_inner()
            .screenings;
        assert!(!one.is_empty() && one.iter().all(|it| it.movie == movie));

        let (mut names, mut token) = (Vec::new(), String::new());
        loop {
            let page = service
                .cinemas()
                .list_screenings(list("2026-11-21", "", 3, &token))
                .await
                .unwrap()
                .into_inner();
            names.extend(page.screenings.into_iter().map(|it| it.name));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert!(names.iter().eq(day.iter().map(|it| &it.name)));
        for nobody_made in ["movies/99999", "movies/abc", "movies/0"] {
            let none = service
                .cinemas()
                .list_screenings(list("2026-11-21", nobody_made, 0, ""))
                .await
                .unwrap()
                .into_inner();
            assert_eq!(none, v1::ListScreeningsResponse::default(), "{nobody_made}");
        }
        check(
            service
                .cinemas()
                .list_screenings(list("tomorrow", "", 0, ""))
                .await,
            "date",
            "FORMAT",
        );
        check(
            service
                .cinemas()
                .list_screenings(list("", "films/1", 0, ""))
                .await,
            "movie",
            "FORMAT",
        );
    }
}

#[tokio::test]
async fn the_catalogue_answers_by_name() {
    let service = Service::start(TestDatabase::sqlite()).await;
    let hotels = service
        .hotels()
        .list_hotels(v1::ListHotelsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .hotels;
    assert_eq!(
        hotels.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(),
        [HOTEL]
    );
    let types = v1::ListRoomTypesRequest {
        parent: HOTEL.into(),
        ..Default::default()
    };
    let types = service
        .hotels()
        .list_room_types(types)
        .await
        .unwrap()
        .into_inner()
        .room_types;
    assert_eq!(types.iter().map(|it| it.capacity).sum::<i32>(), 20);
    let movies = service
        .cinemas()
        .list_movies(v1::ListMoviesRequest::default())
        .await
        .unwrap()
        .into_inner()
        .movies;
    assert_eq!(movies.len(), 6);
    for (name, code) in [
        ("hotels/none", Code::NotFound),
        ("hotel", Code::InvalidArgument),
        ("", Code::InvalidArgument),
    ] {
        let refusal = service
            .hotels()
            .get_hotel(v1::GetHotelRequest { name: name.into() })
            .await
            .unwrap_err();
        assert_eq!(refusal.code(), code, "{name}");
    }
    for (name, code) in [
        ("movies/99", Code::NotFound),
        ("movies/x", Code::NotFound),
        ("movies", Code::InvalidArgument),
    ] {
        let refusal = service
            .cinemas()
            .get_movie(v1::GetMovieRequest { name: name.into() })
            .await
            .unwrap_err();
        assert_eq!(refusal.code(), code, "{name}");
    }
}

#[tokio::test]
async fn operators_find_bookings_of_all_guests_by_venue_and_state() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        service
            .hold(ALICE, suites("2026-12-01", "2026-12-02", 1))
            .await
            .unwrap();
        let screening = service.screening().await.name;
        let seats = service
            .hold(BOB, seats(&screening, &["A1"]))
            .await
            .unwrap()
            .booking
            .unwrap();
        service.confirm(BOB, &seats.name).await.unwrap();
        let search = |venue: &str, state: State| {
            let mut operators = service.operators();
            let request = v1::SearchBookingsRequest {
                venue: venue.to_owned(),
                state: state.into(),
                ..Default::default()
            };
            async move {
                operators
                    .search_bookings(request)
                    .await
                    .unwrap()
                    .into_inner()
                    .bookings
                    .len()
            }
        };
        assert_eq!(search("", State::Unspecified).await, 2);
        assert_eq!(search(HOTEL, State::Unspecified).await, 1);
        assert_eq!(search("", State::Held).await, 1);
        service.clock.advance(SignedDuration::from_mins(10));
        assert_eq!(search("", State::Held).await, 0);
        assert_eq!(search(HOTEL, State::Expired).await, 1);
        assert_eq!(search("", State::Confirmed).await, 1);
        assert_eq!(search("", State::CheckedIn).await, 0);
    }
}

#[tokio::test]
async fn a_wrong_name_is_told_what_names_look_like() {
    let service = Service::start(TestDatabase::sqlite()).await;
    for (name, allowed) in [
        ("hotel/banyan-bay", "hotels/{hotel}"),
        ("hotels/a/b", "hotels/{hotel}"),
    ] {
        let request = v1::GetHotelRequest { name: name.into() };
        let refusal = service.hotels().get_hotel(request).await.unwrap_err();
        assert_eq!(refusal.message(), format!("name: must be {allowed}"));
        assert_eq!(fields(&refusal), [("name".into(), "FORMAT".into())]);
    }
    let hold = seats("screenings/1", &["A1"]);
    let refusal = service.hold(ALICE, hold).await.unwrap_err();
    let allowed = "must be cinemas/{cinema}/screenings/{screening}";
    assert_eq!(refusal.message(), format!("seats.screening: {allowed}"));
}
