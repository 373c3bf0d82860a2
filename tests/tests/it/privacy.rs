//! What guests tell of themselves is in no log, however much is logged, also where their request was wrong.

use serde_json::{Value, json};

use crate::{mesh::Guest, processes::Up};

const SUITE: &str = "hotels/banyan-bay/roomTypes/banyan-suite";
const SECRETS: [&str; 4] = ["Secretive", "secret.guest", "555 1234", "5551234"];

fn contact() -> Value {
    json!({
        "displayName": "Secretive Guest",
        "email": "secret.guest@example.com",
        "phone": "+351 555 1234",
    })
}

fn stay(rooms: u32) -> Value {
    let tomorrow = jiff::Zoned::now().date().tomorrow().unwrap();
    json!({
        "roomType": SUITE,
        "checkInDate": tomorrow,
        "checkOutDate": tomorrow.tomorrow().unwrap(),
        "rooms": rooms,
    })
}

async fn ask(guest: &Guest, path: &str, body: Value, want: u16) -> Value {
    let (status, answer) = guest.post_json(path, body).await;
    assert_eq!(status, want, "{path}: {answer}");
    answer
}

/// Books, waits, changes and erases, and asks wrongly in between.
async fn tell(guest: &Guest) {
    let hold = |rooms| json!({"stay": stay(rooms), "contact": contact()});
    let held = ask(guest, "/v1/bookings:hold", hold(3), 200).await;
    ask(guest, "/v1/bookings:hold", hold(1), 400).await;
    let join = json!({"stay": stay(1), "contact": contact()});
    ask(guest, "/v1/waitlistEntries:join", join, 200).await;

    let booking = format!("/v1/{}", held["booking"]["name"].as_str().unwrap());
    let update = json!({"contact": contact()});
    ask(guest, &format!("{booking}:updateContact"), update, 200).await;
    let (_, shown) = guest.get_json(&booking).await;
    assert_eq!(shown["contact"], contact());
    ask(guest, &format!("{booking}:eraseContact"), json!({}), 200).await;

    let mut long = contact();
    long["displayName"] = json!("Secretive ".repeat(1_000));
    let wrong = [
        json!({"stay": stay(1), "contact": long}),
        json!({"stay": stay(1), "contact": "Secretive Guest"}),
        json!({"stay": stay(1), "contact": {"mail": "secret.guest@example.com"}}),
        json!({"stay": stay(1), "secret.guest@example.com": contact()}),
        json!({"stay": "+351 555 1234", "contact": contact()}),
    ];
    for body in wrong {
        ask(guest, "/v1/bookings:hold", body, 400).await;
    }
    let cut = guest
        .request(reqwest::Method::POST, "/v1/bookings:hold")
        .header("content-type", "application/json")
        .body(r#"{"contact": {"email": "secret.guest@example.com", "phone": +351 555 1234"#);
    assert_eq!(cut.send().await.unwrap().status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_guests_tell_of_themselves_is_in_no_log() {
    let up = Up::new();
    let mut process = up.start(&[("RUST_LOG", "debug")]);
    up.until_ready().await;
    tell(&up.guest()).await;
    assert_eq!(process.terminate().await, Some(0));
    let log = process.log();
    for said in ["/v1/bookings:hold", "\"level\":\"DEBUG\""] {
        assert!(log.contains(said), "{log}");
    }
    for line in log.lines() {
        let told = SECRETS.iter().any(|it| line.contains(it));
        assert!(!told, "{line}");
    }
}
