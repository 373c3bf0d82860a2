//! The table: calls in an order, on an empty database, each with the answer that it must get.

use serde_json::{Value, json};

/// A call, what is sent with it, and the answer.
///
/// Sent is nothing for `null`, a text as it stands, anything else as JSON. An answer that is a text
/// stands for `{"error": text}`.
pub(super) type Step = (&'static str, Value, u16, Value);

pub(super) fn all() -> impl Iterator<Item = Step> {
    let tables = [
        users(),
        movies(),
        payments(),
        subscriptions(),
        strangers(),
        bodies(),
    ];
    tables.into_iter().flatten()
}

fn users() -> Vec<Step> {
    let anna = json!({"id": 1, "username": "anna", "email": "anna@example.com"});
    let long = "x".repeat(256);
    vec![
        ("GET /health", Value::Null, 200, json!({"status": true})),
        ("GET /api/users", Value::Null, 200, json!([])),
        (
            "GET /api/users?id=1",
            Value::Null,
            404,
            json!("user 1 not found"),
        ),
        (
            "POST /api/users",
            json!({"username": "anna", "email": "anna@example.com"}),
            201,
            anna.clone(),
        ),
        ("GET /api/users?id=1", Value::Null, 200, anna.clone()),
        ("GET /api/users", Value::Null, 200, json!([anna])),
        (
            "POST /api/users",
            json!({"username": "anna", "email": "other@example.com"}),
            409,
            json!("username is already taken"),
        ),
        (
            "POST /api/users",
            json!({"username": "other", "email": "anna@example.com"}),
            409,
            json!("email is already taken"),
        ),
        (
            "POST /api/users",
            json!({"username": "bea"}),
            400,
            json!("email is required"),
        ),
        (
            "POST /api/users",
            json!({"email": "bea@example.com"}),
            400,
            json!("username is required"),
        ),
        (
            "POST /api/users",
            json!({"username": 5, "email": "bea@example.com"}),
            400,
            json!("username must be a string"),
        ),
        (
            "POST /api/users",
            json!({"username": "bea", "email": null}),
            400,
            json!("email must be a string"),
        ),
        (
            "POST /api/users",
            json!({"username": long, "email": "e"}),
            400,
            json!("username must have at most 255 characters"),
        ),
    ]
}

fn movies() -> Vec<Step> {
    let request = |rating: Value| json!({"title": "Roots «Корни»", "description": "", "genres": ["drama", "it's"], "rating": rating});
    let movie = |id: u32, rating: Value| json!({"id": id, "title": "Roots «Корни»", "description": "", "genres": ["drama", "it's"], "rating": rating});
    let rating = "rating must be a number from 0 to 10";
    let genres = "genres must be an array of strings";
    let mut steps = vec![
        ("GET /api/movies", Value::Null, 200, json!([])),
        (
            "POST /api/movies",
            request(json!(8.7)),
            201,
            movie(1, json!(8.7)),
        ),
        (
            "POST /api/movies",
            request(json!(10)),
            201,
            movie(2, json!(10)),
        ),
        (
            "POST /api/movies",
            request(json!(0)),
            201,
            movie(3, json!(0)),
        ),
        (
            "GET /api/movies?id=2",
            Value::Null,
            200,
            movie(2, json!(10)),
        ),
        (
            "GET /api/movies",
            Value::Null,
            200,
            json!([
                movie(1, json!(8.7)),
                movie(2, json!(10)),
                movie(3, json!(0))
            ]),
        ),
        (
            "GET /api/movies?id=4",
            Value::Null,
            404,
            json!("movie 4 not found"),
        ),
        (
            "GET /api/movies?id=0",
            Value::Null,
            404,
            json!("movie 0 not found"),
        ),
        (
            "GET /api/movies?id=-1",
            Value::Null,
            404,
            json!("movie -1 not found"),
        ),
        (
            "GET /api/movies?id=abc",
            Value::Null,
            400,
            json!("id must be an integer"),
        ),
        (
            "GET /api/movies?id=1.0",
            Value::Null,
            400,
            json!("id must be an integer"),
        ),
        (
            "GET /api/movies?id=",
            Value::Null,
            400,
            json!("id must be an integer"),
        ),
        (
            "GET /api/movies?id=1%20or%201=1",
            Value::Null,
            400,
            json!("id must be an integer"),
        ),
        (
            "GET /api/movies?id=1&colour=red",
            Value::Null,
            200,
            movie(1, json!(8.7)),
        ),
    ];
    for wrong in [
        json!("8.7"),
        json!(10.1),
        json!(-0.5),
        json!(true),
        Value::Null,
    ] {
        let told = if wrong.is_number() {
            rating
        } else {
            "rating must be a number"
        };
        steps.push(("POST /api/movies", request(wrong), 400, json!(told)));
    }
    for wrong in [
        json!("drama"),
        json!(["drama", 5]),
        json!([null]),
        json!({}),
    ] {
        let mut body = request(json!(5));
        body["genres"] = wrong;
        steps.push(("POST /api/movies", body, 400, json!(genres)));
    }
    for field in ["title", "description", "genres", "rating"] {
        let mut body = request(json!(5));
        body.as_object_mut().expect("an object").remove(field);
        steps.push((
            "POST /api/movies",
            body,
            400,
            json!(format!("{field} is required")),
        ));
    }
    let own = json!({"id": 99, "title": "T", "description": "D", "genres": [], "rating": 5.25, "year": 1999});
    let given = json!({"id": 4, "title": "T", "description": "D", "genres": [], "rating": 5.25});
    steps.push(("POST /api/movies", own, 201, given));
    let nul = json!({"title": "a\u{0}b", "description": "D", "genres": [], "rating": 5});
    steps.push((
        "POST /api/movies",
        nul,
        400,
        json!("title must not contain NUL characters"),
    ));
    steps
}

fn payments() -> Vec<Step> {
    let amount = "amount must be a number";
    let user = "user_id must be an integer";
    vec![
        ("GET /api/payments", Value::Null, 200, json!([])),
        ("GET /api/payments?user_id=1", Value::Null, 200, json!([])),
        (
            "GET /api/payments?user_id=me",
            Value::Null,
            400,
            json!(user),
        ),
        (
            "GET /api/payments?id=1",
            Value::Null,
            404,
            json!("payment 1 not found"),
        ),
        (
            "POST /api/payments",
            json!({"user_id": 1, "amount": "9.99"}),
            400,
            json!(amount),
        ),
        (
            "POST /api/payments",
            json!({"user_id": 1}),
            400,
            json!("amount is required"),
        ),
        (
            "POST /api/payments",
            json!({"user_id": "1", "amount": 9.99}),
            400,
            json!(user),
        ),
        (
            "POST /api/payments",
            json!({"user_id": 1.5, "amount": 9.99}),
            400,
            json!(user),
        ),
        (
            "POST /api/payments",
            json!({"amount": 9.99}),
            400,
            json!("user_id is required"),
        ),
    ]
}

fn subscriptions() -> Vec<Step> {
    let request = |user_id: u32, start: &str, end: &str| json!({"user_id": user_id, "plan_type": "basic", "start_date": start, "end_date": end});
    let answer = |id: u32, mut request: Value| {
        request["id"] = json!(id);
        request
    };
    let month = request(1, "2026-01-01", "2026-02-01");
    let equal = request(2, "2026-01-01T10:00:00.000Z", "2026-01-01T10:00:00.000Z");
    let zones = request(1, "2026-01-01T12:00:00+03:00", "2026-01-01T09:00:00Z");
    let before = json!("end_date must not be before start_date");
    let form = "must be a date like 2026-01-31 or an RFC 3339 time like 2026-01-31T12:00:00Z";
    let mut ill = request(1, "2026-01-01", "2026-02-01");
    ill["plan_type"] = json!(7);
    vec![
        ("GET /api/subscriptions", Value::Null, 200, json!([])),
        (
            "POST /api/subscriptions",
            month.clone(),
            201,
            answer(1, month.clone()),
        ),
        (
            "POST /api/subscriptions",
            equal.clone(),
            201,
            answer(2, equal.clone()),
        ),
        (
            "POST /api/subscriptions",
            zones.clone(),
            201,
            answer(3, zones.clone()),
        ),
        (
            "GET /api/subscriptions?id=2",
            Value::Null,
            200,
            answer(2, equal.clone()),
        ),
        (
            "GET /api/subscriptions?user_id=1",
            Value::Null,
            200,
            json!([answer(1, month.clone()), answer(3, zones.clone())]),
        ),
        (
            "GET /api/subscriptions?user_id=3",
            Value::Null,
            200,
            json!([]),
        ),
        (
            "GET /api/subscriptions?user_id=1&id=2",
            Value::Null,
            200,
            answer(2, equal.clone()),
        ),
        (
            "GET /api/subscriptions",
            Value::Null,
            200,
            json!([answer(1, month), answer(2, equal), answer(3, zones)]),
        ),
        (
            "POST /api/subscriptions",
            request(1, "2026-02-01", "2026-01-01"),
            400,
            before.clone(),
        ),
        (
            "POST /api/subscriptions",
            request(1, "2026-01-01T12:00:00Z", "2026-01-01T12:00:00+01:00"),
            400,
            before,
        ),
        (
            "POST /api/subscriptions",
            request(1, "soon", "2026-01-01"),
            400,
            json!(format!("start_date {form}")),
        ),
        (
            "POST /api/subscriptions",
            request(1, "2026-01-01", "2026-02-30"),
            400,
            json!(format!("end_date {form}")),
        ),
        (
            "POST /api/subscriptions",
            ill,
            400,
            json!("plan_type must be a string"),
        ),
    ]
}

fn strangers() -> Vec<Step> {
    vec![
        ("GET /", Value::Null, 404, json!("there is no /")),
        (
            "GET /api/movies/health",
            Value::Null,
            404,
            json!("there is no /api/movies/health"),
        ),
        (
            "GET /api/movies/",
            Value::Null,
            404,
            json!("there is no /api/movies/"),
        ),
        (
            "POST /api/events/movie",
            json!({}),
            404,
            json!("there is no /api/events/movie"),
        ),
        (
            "DELETE /api/movies?id=1",
            Value::Null,
            405,
            json!("DELETE is not allowed here"),
        ),
        (
            "PUT /api/users?id=1",
            json!({}),
            405,
            json!("PUT is not allowed here"),
        ),
        (
            "POST /health",
            Value::Null,
            405,
            json!("POST is not allowed here"),
        ),
    ]
}

fn bodies() -> Vec<Step> {
    let broken = "the body is not valid JSON: EOF while parsing a value at line 1 column 10";
    let empty = "the body is not valid JSON: EOF while parsing a value at line 1 column 0";
    let object = json!("the body must be a JSON object");
    vec![
        (
            "POST /api/users",
            json!(r#"{"email": "#),
            400,
            json!(broken),
        ),
        ("POST /api/movies", Value::Null, 400, json!(empty)),
        ("POST /api/payments", json!("[]"), 400, object.clone()),
        ("POST /api/subscriptions", json!("null"), 400, object),
    ]
}
