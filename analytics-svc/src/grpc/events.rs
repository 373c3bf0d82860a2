//! `banyan.compat.cinema.v1.EventService`: each request becomes one durable event.
//!
//! A caller that did not get its answer may send again and so write a second event with another id: the old API has
//! no request ids.

use std::sync::Arc;

use banyan_proto::compat::cinema::v1::{
    CheckHealthRequest, CheckHealthResponse, CreateMovieEventRequest, CreateMovieEventResponse,
    CreatePaymentEventRequest, CreatePaymentEventResponse, CreateUserEventRequest,
    CreateUserEventResponse, MovieEvent, PaymentEvent, UserEvent,
    event_service_server::EventService,
};
use jiff::Timestamp;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{check::Check, status};
use crate::{
    bus::{
        Bus, Event, Place, Topic,
        envelope::{self, Stamp},
        stats::BusStats,
    },
    wire,
};

const SUCCESS: &str = "success";
const GENRES_MAX: usize = 50;

/// The service.
pub struct Events {
    bus: Arc<dyn Bus>,
    stats: BusStats,
}

impl Events {
    /// Writes to `bus` and counts in `stats`.
    #[must_use]
    pub fn new(bus: Arc<dyn Bus>, stats: BusStats) -> Self {
        Self { bus, stats }
    }

    async fn publish(
        &self,
        topic: Topic,
        key: i64,
        stamp: &Stamp,
        payload: Result<String, serde_json::Error>,
    ) -> Result<Place, Status> {
        let event = Event {
            topic,
            id: stamp.id.clone(),
            key: key.to_string(),
            written_at: stamp.written_at,
            payload: payload.map_err(|_| Status::internal("the event cannot be encoded"))?,
        };
        let place = self
            .bus
            .publish(event)
            .await
            .map_err(|error| status::away("BUS_UNAVAILABLE", &error))?;
        self.stats.published(topic);
        Ok(place)
    }
}

#[tonic::async_trait]
impl EventService for Events {
    async fn check_health(
        &self,
        _request: Request<CheckHealthRequest>,
    ) -> Result<Response<CheckHealthResponse>, Status> {
        self.bus
            .check()
            .await
            .map_err(|error| status::away("BUS_UNAVAILABLE", &error))?;
        Ok(Response::new(CheckHealthResponse { status: true }))
    }

    async fn create_movie_event(
        &self,
        request: Request<CreateMovieEventRequest>,
    ) -> Result<Response<CreateMovieEventResponse>, Status> {
        let sent = request.into_inner();
        check_movie(&sent)?;
        let stamp = stamp();
        let payload = envelope::movie(&stamp, &sent);
        let place = self
            .publish(Topic::Movies, sent.movie_id, &stamp, payload)
            .await?;
        Ok(Response::new(CreateMovieEventResponse {
            status: SUCCESS.to_owned(),
            partition: place.partition,
            offset: place.offset,
            event: Some(MovieEvent {
                id: stamp.id,
                r#type: Topic::Movies.event_type().to_owned(),
                timestamp: Some(wire::timestamp(stamp.written_at)),
                payload: Some(sent),
            }),
        }))
    }

    async fn create_user_event(
        &self,
        request: Request<CreateUserEventRequest>,
    ) -> Result<Response<CreateUserEventResponse>, Status> {
        let sent = request.into_inner();
        let timestamp = check_user(&sent)?;
        let stamp = stamp();
        let payload = envelope::user(&stamp, &sent, timestamp);
        let place = self
            .publish(Topic::Users, sent.user_id, &stamp, payload)
            .await?;
        Ok(Response::new(CreateUserEventResponse {
            status: SUCCESS.to_owned(),
            partition: place.partition,
            offset: place.offset,
            event: Some(UserEvent {
                id: stamp.id,
                r#type: Topic::Users.event_type().to_owned(),
                timestamp: Some(wire::timestamp(stamp.written_at)),
                payload: Some(sent),
            }),
        }))
    }

    async fn create_payment_event(
        &self,
        request: Request<CreatePaymentEventRequest>,
    ) -> Result<Response<CreatePaymentEventResponse>, Status> {
        let sent = request.into_inner();
        let timestamp = check_payment(&sent)?;
        let stamp = stamp();
        let payload = envelope::payment(&stamp, &sent, timestamp);
        let place = self
            .publish(Topic::Payments, sent.user_id, &stamp, payload)
            .await?;
        Ok(Response::new(CreatePaymentEventResponse {
            status: SUCCESS.to_owned(),
            partition: place.partition,
            offset: place.offset,
            event: Some(PaymentEvent {
                id: stamp.id,
                r#type: Topic::Payments.event_type().to_owned(),
                timestamp: Some(wire::timestamp(stamp.written_at)),
                payload: Some(sent),
            }),
        }))
    }
}

/// Microseconds are what the store keeps, so that an event reads back as it was answered.
fn stamp() -> Stamp {
    let now = Timestamp::now();
    Stamp {
        id: Uuid::now_v7().to_string(),
        written_at: Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now),
    }
}

fn check_movie(sent: &CreateMovieEventRequest) -> Result<(), Status> {
    let mut check = Check::default();
    check.id("movie_id", sent.movie_id);
    check.required_text("title", &sent.title, 500);
    check.required_text("action", &sent.action, 100);
    if let Some(rating) = sent.rating {
        check.number("rating", rating, 0.0, Some(10.0));
    }
    if sent.genres.len() > GENRES_MAX {
        check.wrong("genres", "RANGE", format!("must be at most {GENRES_MAX}"));
    }
    for (index, genre) in sent.genres.iter().enumerate().take(GENRES_MAX) {
        check.text(&format!("genres[{index}]"), genre, 100);
    }
    if let Some(description) = &sent.description {
        check.text("description", description, 10_000);
    }
    check.finish(Some(()))
}

fn check_user(sent: &CreateUserEventRequest) -> Result<Timestamp, Status> {
    let mut check = Check::default();
    check.id("user_id", sent.user_id);
    check.required_text("action", &sent.action, 100);
    let timestamp = check.instant("timestamp", sent.timestamp.as_ref());
    if let Some(username) = &sent.username {
        check.text("username", username, 200);
    }
    if let Some(email) = &sent.email {
        check.text("email", email, 254);
    }
    check.finish(timestamp)
}

fn check_payment(sent: &CreatePaymentEventRequest) -> Result<Timestamp, Status> {
    let mut check = Check::default();
    check.id("payment_id", sent.payment_id);
    check.id("user_id", sent.user_id);
    check.number("amount", sent.amount, 0.0, None);
    check.required_text("status", &sent.status, 100);
    let timestamp = check.instant("timestamp", sent.timestamp.as_ref());
    if let Some(method_type) = &sent.method_type {
        check.text("method_type", method_type, 100);
    }
    check.finish(timestamp)
}
