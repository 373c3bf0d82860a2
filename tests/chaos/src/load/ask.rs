//! One request: as it is sent, and as it is written down.

use std::time::Duration;

use banyan_history::{
    record::{Answer, Command},
    wire,
};
use banyan_proto::reservation::v1::{
    self, booking_service_client::BookingServiceClient, hold_booking_request, move_booking_request,
};
use tonic::{Request, Status, transport::Channel};

use super::stock::Wish;

/// A request that can be sent any number of times.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// What makes a repetition safe.
    pub(super) request_id: String,
    pub(super) what: What,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum What {
    Hold { wish: Wish, duration: Duration },
    Confirm { booking: String },
    Cancel { booking: String },
    Move { booking: String, wish: Wish },
    Extend { booking: String, by: Duration },
}

/// The answer as it is written down; and the booking, or why there is none.
pub(super) type Answered = (Answer, Result<v1::Booking, Status>);

impl Ask {
    /// As it is written down.
    pub(super) fn command(&self) -> Command {
        match &self.what {
            What::Hold { wish, duration } => Command::Hold {
                claims: wish.claims(),
                hold_micros: micros(*duration),
            },
            What::Extend { booking, by } => Command::Extend {
                booking: booking.clone(),
                by_micros: micros(*by),
            },
            What::Confirm { booking } => Command::Confirm {
                booking: booking.clone(),
            },
            What::Cancel { booking } => Command::Cancel {
                booking: booking.clone(),
            },
            What::Move { booking, wish } => Command::Move {
                booking: booking.clone(),
                claims: wish.claims(),
            },
        }
    }

    /// Sends it, and waits so long for the answer.
    pub(super) async fn send(
        &self,
        to: &mut BookingServiceClient<Channel>,
        guest: &str,
        limit: Duration,
    ) -> Answered {
        let answered = tokio::time::timeout(limit, self.call(to, guest, limit)).await;
        let answered = answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer")));
        match answered {
            Ok((booking, position)) => {
                let answer = wire::granted(&booking, position.as_ref());
                (answer.unwrap_or(Answer::Unknown), Ok(booking))
            }
            Err(status) => (wire::failed(&status), Err(status)),
        }
    }

    async fn call(
        &self,
        to: &mut BookingServiceClient<Channel>,
        guest: &str,
        limit: Duration,
    ) -> Result<(v1::Booking, Option<v1::CommitPosition>), Status> {
        let request_id = self.request_id.clone();
        let (booking, position) = match self.what.clone() {
            What::Hold { wish, duration } => {
                let message = hold(request_id, wish, duration);
                let answer = to
                    .hold_booking(by(guest, message, limit)?)
                    .await?
                    .into_inner();
                (answer.booking, answer.position)
            }
            What::Extend {
                booking: name,
                by: longer,
            } => {
                let extension = prost_types::Duration::try_from(longer).ok();
                let message = v1::ExtendHoldRequest {
                    name,
                    request_id,
                    extension,
                    ..Default::default()
                };
                let answer = to
                    .extend_hold(by(guest, message, limit)?)
                    .await?
                    .into_inner();
                (answer.booking, answer.position)
            }
            What::Confirm { booking: name } => {
                let message = v1::ConfirmBookingRequest {
                    name,
                    request_id,
                    ..Default::default()
                };
                let answer = to
                    .confirm_booking(by(guest, message, limit)?)
                    .await?
                    .into_inner();
                (answer.booking, answer.position)
            }
            What::Cancel { booking: name } => {
                let message = v1::CancelBookingRequest {
                    name,
                    request_id,
                    ..Default::default()
                };
                let answer = to
                    .cancel_booking(by(guest, message, limit)?)
                    .await?
                    .into_inner();
                (answer.booking, answer.position)
            }
            What::Move {
                booking: name,
                wish,
            } => {
                let claim = match wish {
                    Wish::Seats(it) => move_booking_request::Claim::Seats(it),
                    Wish::Stay(it) => move_booking_request::Claim::Stay(it),
                };
                let claim = Some(claim);
                let message = v1::MoveBookingRequest {
                    name,
                    claim,
                    request_id,
                    ..Default::default()
                };
                let answer = to
                    .move_booking(by(guest, message, limit)?)
                    .await?
                    .into_inner();
                (answer.booking, answer.position)
            }
        };
        let booking = booking.ok_or_else(|| Status::unknown("an answer without a booking"))?;
        Ok((booking, position))
    }
}

/// Sends several holds as one call; an answer for each, in the same order.
pub(super) async fn send_all(
    asks: &[Ask],
    to: &mut BookingServiceClient<Channel>,
    guest: &str,
    limit: Duration,
) -> Vec<Answer> {
    let requests = asks.iter().filter_map(|ask| match ask.what.clone() {
        What::Hold { wish, duration } => Some(hold(ask.request_id.clone(), wish, duration)),
        _ => None,
    });
    let message = v1::BatchHoldRequest {
        requests: requests.collect(),
    };
    let call = async { to.batch_hold(by(guest, message, limit)?).await };
    let answered = tokio::time::timeout(limit, call).await;
    match answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer"))) {
        Ok(answer) => {
            let mut answers: Vec<_> = answer
                .get_ref()
                .results
                .iter()
                .map(wire::batch_result)
                .collect();
            answers.resize(asks.len(), Answer::Unknown);
            answers
        }
        Err(status) => vec![wire::failed(&status); asks.len()],
    }
}

fn hold(request_id: String, wish: Wish, duration: Duration) -> v1::HoldBookingRequest {
    let claim = match wish {
        Wish::Seats(it) => hold_booking_request::Claim::Seats(it),
        Wish::Stay(it) => hold_booking_request::Claim::Stay(it),
    };
    v1::HoldBookingRequest {
        claim: Some(claim),
        hold_duration: prost_types::Duration::try_from(duration).ok(),
        request_id,
        ..Default::default()
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A request of a guest, with its deadline: the service need not decide what nobody waits for.
fn by<T>(guest: &str, message: T, limit: Duration) -> Result<Request<T>, Status> {
    let mut request = Request::new(message);
    let guest = guest
        .parse()
        .map_err(|_| Status::internal("a guest's name that is none"))?;
    request.metadata_mut().insert("x-banyan-guest", guest);
    request.set_timeout(limit);
    Ok(request)
}
