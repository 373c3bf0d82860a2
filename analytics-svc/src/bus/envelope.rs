//! What an event is on the bus: one JSON object with the fields and names that consumers of these topics have always
//! read: `id`, `type`, `timestamp` and the `payload` as it was sent, absent fields left out.

use banyan_proto::compat::cinema::v1 as cinema;
use jiff::Timestamp;
use serde::Serialize;

#[derive(Serialize)]
struct Envelope<'a, P> {
    id: &'a str,
    r#type: &'static str,
    timestamp: Timestamp,
    payload: P,
}

#[derive(Serialize)]
struct Movie<'a> {
    movie_id: i64,
    title: &'a str,
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    genres: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

#[derive(Serialize)]
struct User<'a> {
    user_id: i64,
    action: &'a str,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

#[derive(Serialize)]
struct Payment<'a> {
    payment_id: i64,
    user_id: i64,
    amount: f64,
    status: &'a str,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    method_type: Option<&'a str>,
}

/// Id and time of an event that is about to be written.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// Unique; ids sort by time.
    pub id: String,
    /// When.
    pub written_at: Timestamp,
}

fn encode(
    stamp: &Stamp,
    r#type: &'static str,
    payload: impl Serialize,
) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Envelope {
        id: &stamp.id,
        r#type,
        timestamp: stamp.written_at,
        payload,
    })
}

/// An event of `movie-events`.
pub fn movie(
    stamp: &Stamp,
    sent: &cinema::CreateMovieEventRequest,
) -> Result<String, serde_json::Error> {
    let payload = Movie {
        movie_id: sent.movie_id,
        title: &sent.title,
        action: &sent.action,
        user_id: sent.user_id,
        rating: sent.rating,
        genres: &sent.genres,
        description: sent.description.as_deref(),
    };
    encode(stamp, super::Topic::Movies.event_type(), payload)
}

/// An event of `user-events`; `timestamp` is the sender's.
pub fn user(
    stamp: &Stamp,
    sent: &cinema::CreateUserEventRequest,
    timestamp: Timestamp,
) -> Result<String, serde_json::Error> {
    let payload = User {
        user_id: sent.user_id,
        action: &sent.action,
        timestamp,
        username: sent.username.as_deref(),
        email: sent.email.as_deref(),
    };
    encode(stamp, super::Topic::Users.event_type(), payload)
}

/// An event of `payment-events`; `timestamp` is the sender's.
pub fn payment(
    stamp: &Stamp,
    sent: &cinema::CreatePaymentEventRequest,
    timestamp: Timestamp,
) -> Result<String, serde_json::Error> {
    let payload = Payment {
        payment_id: sent.payment_id,
        user_id: sent.user_id,
        amount: sent.amount,
        status: &sent.status,
        timestamp,
        method_type: sent.method_type.as_deref(),
    };
    encode(stamp, super::Topic::Payments.event_type(), payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_what_was_sent_in_the_old_names_without_absent_fields() {
        let stamp = Stamp {
            id: "e1".to_owned(),
            written_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        let sent = cinema::CreateMovieEventRequest {
            movie_id: 7,
            title: "Solaris".to_owned(),
            action: "viewed".to_owned(),
            user_id: Some(3),
            ..Default::default()
        };
        assert_eq!(
            movie(&stamp, &sent).unwrap(),
            r#"{"id":"e1","type":"movie","timestamp":"2026-01-02T03:04:05Z","payload":{"movie_id":7,"title":"Solaris","action":"viewed","user_id":3}}"#
        );
    }
}
