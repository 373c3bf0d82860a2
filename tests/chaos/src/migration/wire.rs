//! What is asked, as HTTP, and what was answered, read.

use reqwest::{Client, Method, RequestBuilder, Response, header::HeaderMap};
use serde_json::{Value, json};

use super::history::{Answer, Asked, Clock, Pin, Side, Told};

const ROOM_TYPE: &str = "hotels/banyan-bay/roomTypes/garden-double";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const REQUEST_ID: &str = "x-request-id";
const SIDE: &str = "x-banyan-side";
/// How a pin travels, to clients and back.
pub(super) const PIN: &str = "x-banyan-pin";
/// Of a failure's body, what is kept.
const ERROR_CHARS_MAX: usize = 300;

/// A request that has no address yet.
pub(super) struct Request {
    method: Method,
    path: String,
    body: Option<Value>,
    /// What makes a repetition safe.
    key: Option<String>,
    request_id: String,
}

/// What is asked, under an id that no other request has.
pub(super) fn request(asked: &Asked, night: &[String; 2], request_id: &str) -> Request {
    let (method, path, body) = match asked {
        Asked::Create { title } => {
            let movie = json!({
                "title": title, "description": "made in a storm", "genres": ["drama"], "rating": 7.5,
            });
            (Method::POST, "/api/movies".to_owned(), Some(movie))
        }
        Asked::Movie { id } => (Method::GET, format!("/api/movies?id={id}"), None),
        Asked::Movies => (Method::GET, "/api/movies".to_owned(), None),
        Asked::Hold => {
            let [check_in, check_out] = night;
            let hold = json!({
                "stay": {"roomType": ROOM_TYPE, "checkInDate": check_in, "checkOutDate": check_out},
                "contact": {"displayName": "Ada", "email": "ada@example.org"},
                "holdDuration": "900s",
            });
            (Method::POST, "/v1/bookings:hold".to_owned(), Some(hold))
        }
        Asked::Confirm { booking } => (
            Method::POST,
            format!("/v1/{booking}:confirm"),
            Some(json!({})),
        ),
        Asked::Cancel { booking } => (
            Method::POST,
            format!("/v1/{booking}:cancel"),
            Some(json!({})),
        ),
        Asked::Booking { booking } => (Method::GET, format!("/v1/{booking}"), None),
    };
    let is_repeatable = matches!(
        asked,
        Asked::Hold | Asked::Confirm { .. } | Asked::Cancel { .. }
    );
    Request {
        method,
        path,
        body,
        key: is_repeatable.then(|| uuid::Uuid::new_v4().to_string()),
        request_id: request_id.to_owned(),
    }
}

impl Request {
    /// To one gateway.
    pub(super) fn onto(self, http: &Client, gateway: &str) -> RequestBuilder {
        let mut request = http
            .request(self.method, format!("{gateway}{}", self.path))
            .header(REQUEST_ID, self.request_id);
        if let Some(key) = self.key {
            request = request.header(IDEMPOTENCY_KEY, format!("\"{key}\""));
        }
        match self.body {
            Some(body) => request.json(&body),
            None => request,
        }
    }
}

/// Sends it and reads what comes back, with the headers.
pub(super) async fn answer(
    request: RequestBuilder,
    asked: &Asked,
    clock: Clock,
) -> (Answer, HeaderMap) {
    match request.send().await {
        Ok(response) => read(response, asked, clock).await,
        Err(error) => {
            let error = chain(&error);
            let answer = Answer {
                error,
                ..Answer::default()
            };
            (answer, HeaderMap::new())
        }
    }
}

/// `4.SIDE.SINCE.UNTIL.KIND.SUBJECT.SIGNATURE`; times are Unix milliseconds.
pub(super) fn pin(text: &str, clock: Clock) -> Option<Pin> {
    let parts: Vec<&str> = text.split('.').collect();
    let ["4", side, since, until, _, _, _] = parts[..] else {
        return None;
    };
    let when = |text: &str| Some(clock.when(text.parse().ok()?));
    Some(Pin {
        text: text.to_owned(),
        side: match side {
            "g" => Side::Grpc,
            "l" => Side::Legacy,
            _ => return None,
        },
        since_us: Some(when(since)?),
        until_us: when(until)?,
    })
}

async fn read(response: Response, asked: &Asked, clock: Clock) -> (Answer, HeaderMap) {
    let (status, headers) = (response.status(), response.headers().clone());
    let side = match headers.get(SIDE).map(|side| side.as_bytes()) {
        Some(b"grpc") => Some(Side::Grpc),
        Some(b"legacy") => Some(Side::Legacy),
        _ => None,
    };
    let given = headers.get(PIN).and_then(|text| text.to_str().ok());
    let given = given.and_then(|text| pin(text, clock));
    let body = response.text().await;
    let mut answer = Answer {
        status: status.as_u16(),
        complete: body.is_ok(),
        side,
        pin: given,
        ..Answer::default()
    };
    match body {
        Err(error) => answer.error = chain(&error),
        Ok(body) if status.is_success() => {
            let value = serde_json::from_str(&body).unwrap_or_default();
            answer.told = told(asked, &value).unwrap_or_default();
        }
        Ok(body) => answer.error = body.chars().take(ERROR_CHARS_MAX).collect(),
    }
    (answer, headers)
}

fn told(asked: &Asked, value: &Value) -> Option<Told> {
    let movie = |it: &Value| Some((it["id"].as_i64()?, it["title"].as_str()?.to_owned()));
    Some(match asked {
        Asked::Create { .. } | Asked::Movie { .. } => {
            let (id, title) = movie(value)?;
            Told::Movie { id, title }
        }
        Asked::Movies => Told::Movies(value.as_array()?.iter().map(movie).collect::<Option<_>>()?),
        Asked::Hold | Asked::Confirm { .. } | Asked::Cancel { .. } | Asked::Booking { .. } => {
            let booking = value.get("booking").unwrap_or(value);
            Told::Booking {
                booking: booking["name"].as_str()?.to_owned(),
                state: booking["state"].as_str()?.to_owned(),
            }
        }
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
