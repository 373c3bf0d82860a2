//! The contract, the same on both databases: a table of calls and answers, and what needs more than a table.

mod steps;

use serde_json::{Value, json};

use crate::postgres::Postgres;
use crate::{Legacy, sqlite_url};

#[tokio::test]
async fn the_contract_holds_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    holds(&Legacy::start(&sqlite_url(&folder)).await).await;
}

#[tokio::test]
async fn the_contract_holds_on_postgres() {
    let Some(mut postgres) = Postgres::create() else {
        return;
    };
    postgres.start();
    let legacy = Legacy::start(&postgres.url()).await;
    holds(&legacy).await;
    legacy.stop().await;
}

async fn holds(legacy: &Legacy) {
    for (call, body, status, answer) in steps::all() {
        let (method, path) = call.split_once(' ').expect("a method and a path");
        let body = match body {
            Value::Null => String::new(),
            // A text is sent as it stands, JSON or not.
            Value::String(raw) => raw,
            body => body.to_string(),
        };
        let answer = match answer {
            Value::String(error) => json!({ "error": error }),
            answer => answer,
        };
        let got = legacy.call(method, path, &body).await;
        assert_eq!(got, (status, answer), "{call} {body}");
    }
    a_payment_says_when(legacy).await;
    a_wrong_method_is_told_the_right_ones(legacy).await;
    a_body_may_have_64_kib(legacy).await;
    one_of_many_gets_a_name(legacy).await;
}

/// Amounts come back as they were sent, and the time is the server's, whatever the client says.
async fn a_payment_says_when(legacy: &Legacy) {
    let amounts = ["9.99", "10", "-3.5", "0.1", "9007199254740993"];
    let mut sent = Vec::new();
    for (amount, id) in amounts.into_iter().zip(1..) {
        let body = format!(r#"{{"user_id": 77, "amount": {amount}, "timestamp": "yesterday"}}"#);
        let began: jiff::Timestamp = jiff::Timestamp::now();
        let (status, payment) = legacy.call("POST", "/api/payments", &body).await;
        assert_eq!(status, 201, "{payment}");
        let fields: Vec<_> = payment.as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["id", "user_id", "amount", "timestamp"]);
        assert_eq!(payment["id"], id);
        assert_eq!(payment["amount"].to_string(), amount);
        let timestamp = payment["timestamp"].as_str().expect("a text");
        assert!(timestamp.ends_with('Z'), "{timestamp} is in UTC");
        let made: jiff::Timestamp = timestamp.parse().expect("RFC 3339");
        let late = made.duration_since(began).abs();
        assert!(late.as_secs() < 10, "{timestamp} is now");
        sent.push(payment);
    }
    let listed = legacy.call("GET", "/api/payments?user_id=77", "").await;
    assert_eq!(listed, (200, json!(sent)));
    let one = legacy.call("GET", "/api/payments?id=1", "").await;
    assert_eq!(one, (200, sent[0].clone()));
}

async fn a_wrong_method_is_told_the_right_ones(legacy: &Legacy) {
    let answer = legacy.send("DELETE", "/api/movies", "").await;
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "GET,HEAD,POST");
    assert_eq!(answer.headers()["content-type"], "application/json");
}

async fn a_body_may_have_64_kib(legacy: &Legacy) {
    let frame = r#"{"title":"T","genres":[],"rating":1,"description":""}"#.len();
    for (size, status) in [(64 * 1024, 201), (64 * 1024 + 1, 413)] {
        let text = "x".repeat(size - frame);
        let body = format!(r#"{{"title":"T","genres":[],"rating":1,"description":"{text}"}}"#);
        let got = legacy.call("POST", "/api/movies", &body).await;
        assert_eq!(got.0, status);
        if status == 413 {
            assert_eq!(
                got.1,
                json!({"error": "the body is larger than 65536 bytes"})
            );
        }
    }
}

async fn one_of_many_gets_a_name(legacy: &Legacy) {
    let body = r#"{"username": "wanted", "email": "wanted@example.com"}"#;
    let call = || async { legacy.call("POST", "/api/users", body).await.0 };
    let (a, b, c, d) = tokio::join!(call(), call(), call(), call());
    let mut statuses = [a, b, c, d];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
}
