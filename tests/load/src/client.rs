//! Guests that book over gRPC: several HTTP/2 connections, thousands of guests.

use std::sync::Arc;

use banyan_mesh::client::{ClientSettings, channel};
use banyan_proto::reservation::v1::{
    self, batch_hold_result, booking_service_client::BookingServiceClient,
};
use tonic::{Code, Request, metadata::AsciiMetadataValue, transport::Channel};

use crate::{
    tally::Answer,
    traffic::{Ask, Traffic},
};

/// HTTP/2 connections to the server.
const CONNECTIONS: usize = 4;
/// Guests who take turns.
const GUESTS: usize = 10_000;
const GUEST: &str = "x-banyan-guest";

/// Calls one server; clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    connections: Arc<[BookingServiceClient<Channel>]>,
    guests: Arc<[AsciiMetadataValue]>,
}

impl Client {
    /// A client of the server at `url`.
    ///
    /// # Errors
    /// If that is no URL.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let settings = ClientSettings::new(url);
        let connections = (0..CONNECTIONS)
            .map(|_| Ok(BookingServiceClient::new(channel(&settings)?)))
            .collect::<anyhow::Result<_>>()?;
        let guests = (0..GUESTS)
            .map(|number| {
                Ok(AsciiMetadataValue::try_from(format!(
                    "load-guest-{number:08}"
                ))?)
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            connections,
            guests,
        })
    }

    /// Asks for one hold.
    pub async fn hold(&self, traffic: &Traffic, ask: &Ask) -> Answer {
        let request = self.request(traffic.message(ask), ask.number);
        match self.connection(ask.number).hold_booking(request).await {
            Ok(_) => granted(),
            Err(status) => refused(status.code()),
        }
    }

    /// Asks for several holds in one call.
    pub async fn batch_hold(&self, traffic: &Traffic, asks: &[Ask]) -> Answer {
        let number = asks.first().map_or(0, |ask| ask.number);
        let requests = asks.iter().map(|ask| traffic.message(ask)).collect();
        let request = self.request(v1::BatchHoldRequest { requests }, number);
        let answer = self.connection(number).batch_hold(request).await;
        let results = match answer {
            Ok(answer) => answer.into_inner().results,
            Err(status) => return refused(status.code()),
        };
        results.iter().fold(Answer::default(), |sum, result| {
            let one = match &result.result {
                Some(batch_hold_result::Result::Response(_)) => granted(),
                Some(batch_hold_result::Result::Status(status)) => {
                    refused(Code::from_i32(status.code))
                }
                None => refused(Code::Internal),
            };
            Answer {
                held: sum.held + one.held,
                refused: sum.refused + one.refused,
                failed: sum.failed.or(one.failed),
            }
        })
    }

    fn connection(&self, number: u64) -> BookingServiceClient<Channel> {
        self.connections[turn(number, CONNECTIONS)].clone()
    }

    fn request<T>(&self, message: T, number: u64) -> Request<T> {
        let mut request = Request::new(message);
        let guest = self.guests[turn(number, GUESTS)].clone();
        request.metadata_mut().insert(GUEST, guest);
        request
    }
}

fn turn(number: u64, count: usize) -> usize {
    usize::try_from(number).unwrap_or(0) % count
}

fn granted() -> Answer {
    Answer {
        held: 1,
        ..Answer::default()
    }
}

/// Everything that is asked for exists and is on sale, so that FAILED_PRECONDITION says that it is taken.
fn refused(code: Code) -> Answer {
    match code {
        Code::FailedPrecondition => Answer {
            refused: 1,
            ..Answer::default()
        },
        code => Answer {
            failed: Some(code),
            ..Answer::default()
        },
    }
}
