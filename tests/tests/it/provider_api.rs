//! The cinema provider's API through the gateway, as partners' aggregators call it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::mesh::{Guest, Mesh, read};

#[tokio::test(flavor = "multi_thread")]
async fn partners_list_create_book_and_delete() {
    let mesh = Mesh::start(&[]).await;
    let partner = mesh.guest();
    let (status, cities) = partner.get_json("/cities").await;
    assert_eq!(status, 200);
    let city = cities["data"][0]["id"]
        .as_i64()
        .expect("a city has a numeric id");
    assert!(cities["data"][0]["name"].is_string());
    for base in [String::new(), format!("/cities/{city}")] {
        whole_life(&partner, &base).await;
    }
    let (status, answer) = partner.get_json("/cities/999/movies").await;
    assert_eq!(
        (status, &answer["errors"][0]["title"]),
        (404, &json!("Not found")),
        "{answer}"
    );
    mesh.stop().await;
}

async fn whole_life(partner: &Guest, base: &str) {
    let attributes = json!({"name": "Glass Harbour", "description": "A ferry that never arrives", "image_url": "https://example.org/g.png"});
    let (status, created) = partner
        .post_json(&format!("{base}/movies"), attributes.clone())
        .await;
    assert_eq!(status, 200, "{created}");
    let movie = created["data"]["id"].as_i64().expect("ids are numbers");
    assert_eq!(
        created["data"],
        json!({"id": movie, "type": "movies", "attributes": attributes})
    );

    let (status, list) = partner
        .get_json(&format!("{base}/movies/?max_results=1"))
        .await;
    assert_eq!(status, 200, "a trailing slash is allowed");
    assert_eq!(
        list["data"],
        json!([{"id": movie, "name": "Glass Harbour", "description": "A ferry that never arrives", "image_url": "https://example.org/g.png", "comingSoon": false}])
    );

    let seance = json!({"datetime": "2020-01-18T00:00:00.000Z", "price": 1000});
    let (status, created) = partner
        .post_json(&format!("{base}/movies/{movie}/seances"), seance)
        .await;
    assert_eq!(status, 200, "{created}");
    let id = created["data"]["id"].as_i64().unwrap();
    assert_eq!(created["data"]["type"], "seances");
    assert_eq!(
        created["data"]["attributes"],
        json!({"datetime": "2020-01-18T00:00:00.000Z", "price": 1000, "movie_id": movie})
    );
    let seats: Vec<i64> = created["data"]["seats"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seat| seat["id"].as_i64().unwrap())
        .collect();
    assert!(seats.len() >= 3 && seats[0] == 0);

    bookings(partner, base, movie, id, &seats).await;

    assert_eq!(
        partner
            .request(
                Method::DELETE,
                &format!("{base}/movies/{movie}/seances/{id}")
            )
            .send()
            .await
            .map(read)
            .unwrap()
            .await,
        (
            200,
            json!({"data": {"id": id.to_string(), "type": "seances"}})
        )
    );
    refused(
        partner,
        &format!("{base}/movies/{movie}/seances/{id}/bookings"),
        json!({"email": "a@b.org", "seatsIds": [0]}),
        404,
        "Not found",
        &format!("seance_id {id} not found"),
    )
    .await;
    assert_eq!(
        partner
            .request(Method::DELETE, &format!("{base}/movies/{movie}"))
            .send()
            .await
            .map(read)
            .unwrap()
            .await,
        (
            200,
            json!({"data": {"id": movie.to_string(), "type": "movies"}})
        )
    );
    let (status, answer) = partner
        .get_json(&format!("{base}/movies/{movie}/seances"))
        .await;
    assert_eq!(
        (status, &answer["errors"][0]["detail"]),
        (404, &json!(format!("movie_id {movie} not found"))),
        "{answer}"
    );
}

async fn bookings(partner: &Guest, base: &str, movie: i64, seance: i64, seats: &[i64]) {
    let path = format!("{base}/movies/{movie}/seances/{seance}/bookings");
    let (status, booked) = partner
        .post_json(
            &path,
            json!({"email": "guest@example.org", "seatsIds": [seats[1]]}),
        )
        .await;
    assert_eq!(status, 200, "{booked}");
    assert_eq!(booked["data"].as_array().map(Vec::len), Some(1));
    assert!(booked["data"][0].is_i64());
    // All or nothing: the free seat of a refused booking stays free.
    refused(
        partner,
        &path,
        json!({"email": "guest@example.org", "seatsIds": [seats[0], seats[1]]}),
        409,
        "Seat already taken",
        &format!("Taken seats: {}", seats[1]),
    )
    .await;
    let (_, list) = partner
        .get_json(&format!("{base}/movies/{movie}/seances"))
        .await;
    let vacant: Vec<bool> = list["data"][0]["seats"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seat| seat["vacant"].as_bool().unwrap())
        .collect();
    assert_eq!(vacant[..3], [true, false, true]);
    assert_eq!(list["data"][0]["datetime"], "2020-01-18T00:00:00.000Z");

    let by_body = json!({"seance_id": seance, "email": "guest@example.org", "seatsIds": [seats[2], seats[0]]});
    let (status, booked) = partner
        .post_json(&format!("{base}/bookings"), by_body)
        .await;
    assert_eq!(
        (status, booked["data"].as_array().map(Vec::len)),
        (200, Some(2)),
        "{booked}"
    );

    refused(
        partner,
        &path,
        json!({"email": "guest@example.org", "seatsIds": [100_001, 100_002]}),
        404,
        "Not found",
        "seats 100001, 100002 not found",
    )
    .await;
    let (status, answer) = partner
        .post_json(&path, json!({"email": "guest@example.org", "seatsIds": []}))
        .await;
    assert_eq!(
        (status, &answer["errors"][0]["detail"]),
        (400, &json!("seatsIds must be an non-empty array")),
        "{answer}"
    );
    for (body, want) in [
        (json!({"seatsIds": [1]}), 400),
        (json!({"email": "guest@example.org"}), 400),
        (json!({"email": "not an address", "seatsIds": [1]}), 422),
        (
            json!({"email": "guest@example.org", "seatsIds": ["1"]}),
            422,
        ),
        (
            json!({"email": "guest@example.org", "seatsIds": [1.5]}),
            422,
        ),
        (json!({"email": "guest@example.org", "seatsIds": [-1]}), 422),
        (
            json!({"email": "guest@example.org", "seatsIds": [1], "extra": 1}),
            422,
        ),
    ] {
        let (status, answer) = partner.post_json(&path, body.clone()).await;
        assert_eq!(
            (status, &answer["errors"][0]["title"]),
            (want, &json!("Validation failed")),
            "{body}: {answer}"
        );
    }
    for (body, want) in [
        (
            json!({"datetime": "2020-01-18T00:00:00.000Z", "price": 1001}),
            422,
        ),
        (json!({"datetime": "yesterday", "price": 1}), 422),
        (json!({"datetime": "2020-01-18T00:00:00.000Z"}), 400),
        (
            json!({"datetime": "2020-01-18T00:00:00.000Z", "price": "1"}),
            422,
        ),
    ] {
        let (status, answer) = partner
            .post_json(&format!("{base}/movies/{movie}/seances"), body.clone())
            .await;
        assert_eq!(
            (status, &answer["errors"][0]["title"]),
            (want, &json!("Validation failed")),
            "{body}: {answer}"
        );
    }
}

async fn refused(partner: &Guest, path: &str, body: Value, status: u16, title: &str, detail: &str) {
    let answer = partner.post_json(path, body).await;
    assert_eq!(
        answer,
        (
            status,
            json!({"errors": [{"title": title, "detail": detail}]})
        )
    );
}
