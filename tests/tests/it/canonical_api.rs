//! The canonical API through the gateway: guests look, hold, confirm, move and cancel, and reports follow.

use banyan_mesh::testing::TestDatabase;
use futures::future::join_all;
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use crate::mesh::{Guest, Mesh, eventually};

/// A stay of two nights, some weeks ahead, so that it stays ahead whatever the time zone.
async fn two_nights(guest: &Guest) -> (String, String, String, String) {
    let (_, hotels) = guest.get_json("/v1/hotels").await;
    let hotel = hotels["hotels"][0]["name"]
        .as_str()
        .expect("a demo hotel")
        .to_owned();
    let (_, room_types) = guest.get_json(&format!("/v1/{hotel}/roomTypes")).await;
    let scarcest = room_types["roomTypes"]
        .as_array()
        .unwrap()
        .iter()
        .min_by_key(|room_type| room_type["capacity"].as_i64())
        .unwrap();
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let day = |days: i64| (today + days.days()).to_string();
    (
        hotel,
        scarcest["name"].as_str().unwrap().to_owned(),
        day(40),
        day(42),
    )
}

fn stay(room_type: &str, from: &str, to: &str) -> Value {
    json!({"stay": {"roomType": room_type, "checkInDate": from, "checkOutDate": to}})
}

async fn free_rooms(guest: &Guest, hotel: &str, room_type: &str, from: &str, to: &str) -> i64 {
    let path = format!("/v1/{hotel}:searchAvailability?checkInDate={from}&checkOutDate={to}");
    let (status, found) = guest.get_json(&path).await;
    assert_eq!(status, 200, "{found}");
    let room_types = found["roomTypes"].as_array().unwrap();
    let one = room_types
        .iter()
        .find(|one| one["roomType"] == room_type)
        .unwrap();
    assert_eq!(one["nights"].as_array().map(Vec::len), Some(2));
    assert!(
        one["nights"][0]["price"]["amountMinor"].is_string(),
        "64-bit integers are strings: {one}"
    );
    one["availableRooms"].as_i64().unwrap_or(0)
}

fn reason(answer: &Value) -> &str {
    let details = answer["error"]["details"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let info = details
        .iter()
        .find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo");
    info.and_then(|info| info["reason"].as_str())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_holds_confirms_moves_and_cancels_a_stay_and_reports_follow() {
    for database in [TestDatabase::sqlite, TestDatabase::postgres] {
        let mesh = Mesh::start_on(database, &[]).await;
        let guest = mesh.guest();
        let (hotel, room_type, from, to) = two_nights(&guest).await;
        let before = free_rooms(&guest, &hotel, &room_type, &from, &to).await;

        let mut request = stay(&room_type, &from, &to);
        request["contact"] = json!({"displayName": "Ada", "email": "ada@example.org"});
        request["requestId"] = json!("7f0f5a3e-hold");
        let (status, held) = guest.post_json("/v1/bookings:hold", request.clone()).await;
        assert_eq!(status, 200, "{held}");
        assert_eq!(held["booking"]["state"], "STATE_HELD");
        assert!(
            held["position"]["sequence"].is_string() && held["position"]["incarnation"].is_string()
        );
        assert_eq!(
            free_rooms(&guest, &hotel, &room_type, &from, &to).await,
            before - 1
        );
        // The same request again is the same booking; another body under the same id is a conflict.
        let (status, again) = guest.post_json("/v1/bookings:hold", request.clone()).await;
        assert_eq!(
            (status, &again["booking"]["name"]),
            (200, &held["booking"]["name"])
        );
        request["stay"]["rooms"] = json!(2);
        let (status, other) = guest.post_json("/v1/bookings:hold", request).await;
        assert_eq!(
            (status, reason(&other)),
            (409, "REQUEST_ID_REUSED"),
            "{other}"
        );

        let name = held["booking"]["name"].as_str().unwrap().to_owned();
        let (status, confirmed) = guest
            .post_json(&format!("/v1/{name}:confirm"), json!({}))
            .await;
        assert_eq!(
            (status, &confirmed["booking"]["state"]),
            (200, &json!("STATE_CONFIRMED")),
            "{confirmed}"
        );
        occupancy_becomes(&guest, &hotel, &from, &to, 2).await;

        let (status, moved) = guest
            .post_json(
                &format!("/v1/{name}:move"),
                stay(&room_type, &to, &plus_one(&to)),
            )
            .await;
        assert_eq!(status, 200, "{moved}");
        assert!(
            moved["previousTotalPrice"]["amountMinor"].is_string(),
            "{moved}"
        );
        assert_eq!(
            free_rooms(&guest, &hotel, &room_type, &from, &to).await,
            before
        );
        occupancy_becomes(&guest, &hotel, &from, &to, 0).await;

        others_cannot_see(&mesh, &name).await;
        let (_, own) = guest.get_json("/v1/bookings").await;
        assert_eq!(own["bookings"].as_array().map(Vec::len), Some(1));
        let (_, all) = mesh.operator().get_json("/v1/bookings:search").await;
        assert_eq!(
            all["bookings"][0]["contact"]["email"], "ada@example.org",
            "operators see all bookings: {all}"
        );

        let (status, cancelled) = guest
            .post_json(&format!("/v1/{name}:cancel"), json!({}))
            .await;
        assert_eq!(
            (status, &cancelled["booking"]["state"]),
            (200, &json!("STATE_CANCELLED")),
            "{cancelled}"
        );
        let (status, twice) = guest
            .post_json(&format!("/v1/{name}:cancel"), json!({}))
            .await;
        assert_eq!((status, reason(&twice)), (400, "BOOKING_STATE"), "{twice}");
        mesh.stop().await;
    }
}

fn plus_one(date: &str) -> String {
    (date.parse::<Date>().unwrap() + 1.day()).to_string()
}

async fn occupancy_becomes(guest: &Guest, hotel: &str, from: &str, to: &str, sold: i64) {
    let path = format!("/v1/{hotel}:occupancy?startDate={from}&endDate={to}");
    eventually("the report follows", async || {
        let (status, report) = guest.get_json(&path).await;
        let found = report["soldRoomNights"]
            .as_str()
            .unwrap_or("0")
            .parse::<i64>()
            .unwrap();
        status == 200
            && found == sold
            && report["capacityRoomNights"]
                .as_str()
                .is_some_and(|all| all == "40")
    })
    .await;
}

async fn others_cannot_see(mesh: &Mesh, name: &str) {
    let other = mesh.guest();
    assert_eq!(other.get_json(&format!("/v1/{name}")).await.0, 404);
    assert_eq!(
        other
            .post_json(&format!("/v1/{name}:cancel"), json!({}))
            .await
            .0,
        404
    );
    assert_eq!(
        other.get_json("/v1/bookings").await.1["bookings"],
        Value::Null
    );
    assert_eq!(
        other.get_json("/v1/bookings:search").await.0,
        404,
        "never on the public port"
    );
    // A header from outside is not an identity.
    let forged = other
        .request(reqwest::Method::GET, "/v1/bookings")
        .header("x-banyan-guest", "0123456789abcdef0123456789abcdef");
    assert_eq!(
        crate::mesh::read(forged.send().await.unwrap()).await.1["bookings"],
        Value::Null
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_seat_is_sold_once_however_many_fight_for_it() {
    for database in [TestDatabase::sqlite, TestDatabase::postgres] {
        let mesh = Mesh::start_on(database, &[]).await;
        let guest = mesh.guest();
        let (_, cinemas) = guest.get_json("/v1/cinemas").await;
        let cinema = cinemas["cinemas"][0]["name"].as_str().unwrap().to_owned();
        let (_, screenings) = guest.get_json(&format!("/v1/{cinema}/screenings")).await;
        let screening = screenings["screenings"].as_array().unwrap().last().unwrap()["name"]
            .as_str()
            .unwrap()
            .to_owned();
        let (_, map) = guest.get_json(&format!("/v1/{screening}/seatMap")).await;
        let seats: Vec<&str> = map["seats"]
            .as_array()
            .unwrap()
            .iter()
            .take(3)
            .map(|seat| seat["id"].as_str().unwrap())
            .collect();

        // Everybody wants the middle seat and one beside it.
        let fights = (0..30).map(|number| {
            let body = json!({"seats": {"screening": screening, "seats": [seats[1], seats[number % 2 * 2]]}});
            let guest = mesh.guest();
            async move { guest.post_json("/v1/bookings:hold", body).await }
        });
        let answers = join_all(fights).await;
        let won: Vec<_> = answers
            .iter()
            .filter(|(status, _)| *status == 200)
            .collect();
        assert_eq!(won.len(), 1, "{answers:#?}");
        for (status, answer) in answers.iter().filter(|(status, _)| *status != 200) {
            assert_eq!(
                (*status, reason(answer)),
                (400, "CELL_UNAVAILABLE"),
                "{answer}"
            );
        }
        let (_, map) = guest.get_json(&format!("/v1/{screening}/seatMap")).await;
        let taken = map["seats"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|seat| seat["state"] == "STATE_TAKEN")
            .count();
        assert_eq!(taken, 2, "a refused booking takes nothing");
        eventually("denied demand is counted", async || {
            let (_, report) = guest.get_json(&format!("/v1/{screening}:loadFactor")).await;
            report["held"] == "2"
                && report["denied"]
                    .as_str()
                    .is_some_and(|denied| denied.parse::<i64>().unwrap() >= 29)
        })
        .await;
        mesh.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_input_names_the_field() {
    let mesh = Mesh::start(&[]).await;
    let guest = mesh.guest();
    let (hotel, room_type, from, to) = two_nights(&guest).await;
    for (path, want) in [
        (
            format!("/v1/{hotel}:searchAvailability?checkInDate={to}&checkOutDate={from}"),
            "check_out_date",
        ),
        (
            format!("/v1/{hotel}:searchAvailability?checkInDate=tomorrow&checkOutDate={from}"),
            "check_in_date",
        ),
        ("/v1/hotels?pageSize=-1".to_owned(), "page_size"),
        ("/v1/hotels?colour=red".to_owned(), "colour"),
        ("/v1/hotels?pageSize=many".to_owned(), "pageSize"),
    ] {
        let (status, answer) = guest.get_json(&path).await;
        assert_eq!(status, 400, "{path}: {answer}");
        assert!(answer.to_string().contains(want), "{path}: {answer}");
        assert_eq!(answer["error"]["status"], "INVALID_ARGUMENT");
    }
    for (body, want) in [
        (stay(&room_type, &to, &from), "check_out_date"),
        (stay("hotels/none/roomTypes/none", &from, &to), "room"),
        (json!({}), "claim"),
        (
            json!({"stay": {"roomType": room_type, "checkInDate": from, "checkOutDate": to, "colour": 1}}),
            "colour",
        ),
    ] {
        let (status, answer) = guest.post_json("/v1/bookings:hold", body.clone()).await;
        assert!(status == 400 || status == 404, "{body}: {status} {answer}");
        assert!(answer.to_string().contains(want), "{body}: {answer}");
    }
    assert_eq!(guest.get_json("/v1/hotels/none").await.0, 404);
    assert_eq!(guest.get_json("/v1/nothing").await.0, 404);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_room_for_it_says_where_it_was_decided_in_its_header() {
    let mesh = Mesh::start_on(TestDatabase::sqlite, &[]).await;
    let operator = mesh.operator();
    let cinema = json!({
        "cinemaId": "north",
        "cinema": {"displayName": "North", "timeZone": "Europe/Lisbon", "currencyCode": "EUR"},
    });
    let created = operator.post("/v1/cinemas", &cinema).await;
    let position = created.headers().get("banyan-position").cloned();
    assert_eq!(created.status(), 200, "{:?}", created.text().await);
    let position = position.unwrap().to_str().unwrap().to_owned();
    let (incarnation, sequence) = position.split_once('/').unwrap();
    assert!(sequence.parse::<i64>().unwrap() > 0, "{position}");

    let (status, again) = operator.post_json("/v1/cinemas", cinema).await;
    assert_eq!(status, 409, "{again}");
    let facts = &again["error"]["details"][0]["metadata"];
    assert_eq!(facts["incarnation"], incarnation, "{again}");
    assert_eq!(facts["commit_sequence"], sequence, "{again}");
    mesh.stop().await;
}
