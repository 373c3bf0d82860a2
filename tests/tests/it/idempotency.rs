//! `Idempotency-Key` over REST: a repetition has the same answer and no second effect, on every surface that books.

use banyan_mesh::testing::TestDatabase;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::mesh::{Guest, Mesh, read};

async fn send(guest: &Guest, path: &str, key: &str, body: &Value) -> (u16, Value) {
    let request = guest.request(Method::POST, path).json(body);
    let request = request.header("idempotency-key", key);
    read(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_has_one_effect() {
    for database in [TestDatabase::sqlite, TestDatabase::postgres] {
        let mesh = Mesh::start_on(database, &[]).await;
        guests(&mesh).await;
        partners(&mesh).await;
        mesh.stop().await;
    }
}

async fn guests(mesh: &Mesh) {
    let guest = mesh.guest();
    let (_, cinemas) = guest.get_json("/v1/cinemas").await;
    let cinema = cinemas["cinemas"][0]["name"].as_str().unwrap().to_owned();
    let (_, screenings) = guest.get_json(&format!("/v1/{cinema}/screenings")).await;
    let screening = &screenings["screenings"].as_array().unwrap().last().unwrap()["name"];
    let (_, map) = guest
        .get_json(&format!("/v1/{}/seatMap", screening.as_str().unwrap()))
        .await;
    let seats =
        |at: usize| json!({"seats": {"screening": screening, "seats": [map["seats"][at]["id"]]}});

    // The cookie is who the guest is: whoever repeats a request has to be the same guest.
    let (status, _) = guest.get_json("/v1/bookings").await;
    assert_eq!(status, 200);
    let hold = seats(0);
    let path = "/v1/bookings:hold";
    let at_once = (0..4).map(|_| send(&guest, path, "\"e2e-1\"", &hold));
    let answers = join_all(at_once).await;
    for (status, answer) in &answers {
        assert_eq!((*status, answer), (200, &answers[0].1));
    }
    let (status, again) = send(&guest, path, "e2e-1", &hold).await;
    assert_eq!((status, &again), (200, &answers[0].1), "quoted or not");
    let (_, own) = guest.get_json("/v1/bookings").await;
    assert_eq!(own["bookings"].as_array().map(Vec::len), Some(1));

    let (status, reused) = send(&guest, path, "e2e-1", &seats(1)).await;
    assert_eq!(status, 409, "{reused}");
    assert!(reused.to_string().contains("REQUEST_ID_REUSED"), "{reused}");
    let (status, other) = send(&mesh.guest(), path, "e2e-1", &seats(1)).await;
    assert_eq!(status, 200, "keys are a guest's own: {other}");

    let mut named = seats(2);
    named["requestId"] = json!("e2e-2");
    let (status, refused) = send(&guest, path, "e2e-3", &named).await;
    assert_eq!(status, 400, "{refused}");
    assert!(refused.to_string().contains("requestId"), "{refused}");
    let (status, refused) = send(&guest, path, "", &hold).await;
    assert_eq!(status, 400, "{refused}");
}

async fn partners(mesh: &Mesh) {
    let partner = mesh.guest();
    let movie =
        json!({"name": "Tide", "description": "d", "image_url": "https://example.org/t.png"});
    let (_, movie) = partner.post_json("/movies", movie).await;
    let seances = format!("/movies/{}/seances", movie["data"]["id"]);
    let seance = json!({"datetime": "2030-01-18T00:00:00.000Z", "price": 10});
    let (_, seance) = partner.post_json(&seances, seance).await;
    let seance = &seance["data"]["id"];

    let nested = format!("{seances}/{seance}/bookings");
    let order = |seat: i64| json!({"email": "a@b.org", "seatsIds": [seat]});
    let (status, booked) = send(&partner, &nested, "\"p-1\"", &order(0)).await;
    assert_eq!(status, 200, "{booked}");
    let again = send(&partner, &nested, "p-1", &order(0)).await;
    assert_eq!(again, (200, booked), "not `Seat already taken`");
    let (status, reused) = send(&partner, &nested, "p-1", &order(1)).await;
    assert_eq!(
        (status, reused["errors"][0]["title"].as_str()),
        (409, Some("Conflict")),
        "{reused}"
    );

    let mut order = order(2);
    order["seance_id"] = seance.clone();
    let (status, booked) = send(&partner, "/bookings", "p-1", &order).await;
    assert_eq!(status, 200, "another method: {booked}");
    let again = send(&partner, "/bookings", "p-1", &order).await;
    assert_eq!(again, (200, booked));
}
