//! Guests that book over gRPC: several HTTP/2 connections, thousands of guests.

use std::{sync::Arc, thread};

use anyhow::Context as _;
use banyan_proto::reservation::v1::{self, batch_hold_result};
use http::{HeaderValue, Uri};
use prost::Message as _;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};
use tonic::Code;

use crate::{
    connection::Connection,
    tally::Answer,
    traffic::{Ask, Traffic},
};

/// HTTP/2 connections to the server.
const CONNECTIONS: usize = 4;
/// Guests who take turns.
const GUESTS: usize = 10_000;
const HOLD: &str = "/banyan.reservation.v1.BookingService/HoldBooking";
const BATCH_HOLD: &str = "/banyan.reservation.v1.BookingService/BatchHold";

/// Calls one server; clones share its connections, and the thread that they run on.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connections: Vec<Connection>,
    guests: Vec<HeaderValue>,
    hold: Uri,
    batch_hold: Uri,
    /// Everything that generates load runs on one thread: calls that wake each other up across threads would cost more
    /// than they do.
    runtime: Handle,
    /// The thread ends when this is dropped.
    _ending: oneshot::Sender<()>,
}

impl Client {
    /// A client of the server at `url`.
    ///
    /// # Errors
    /// If that is no URL, or nobody answers there.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let authority = url.strip_prefix("http://").context("not an http:// URL")?;
        let (runtime, ending) = thread_of_its_own()?;
        let authority = authority.to_owned();
        let connecting = runtime.spawn(async move {
            let mut connections = Vec::new();
            for _ in 0..CONNECTIONS {
                connections.push(Connection::open(&authority).await?);
            }
            anyhow::Ok(connections)
        });
        let connections = connecting.await??;
        let first = connections.first().context("no connection")?;
        let guests = (0..GUESTS)
            .map(|number| Ok(HeaderValue::try_from(format!("load-guest-{number:08}"))?))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            inner: Arc::new(Inner {
                hold: first.method(HOLD)?,
                batch_hold: first.method(BATCH_HOLD)?,
                connections,
                guests,
                runtime,
                _ending: ending,
            }),
        })
    }

    /// Where its calls are to be made.
    pub fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }

    /// Asks for one hold.
    pub async fn hold(&self, traffic: &Traffic, ask: &Ask) -> Answer {
        let message = traffic.message(ask);
        let method = self.inner.hold.clone();
        let (code, _) = self.call(method, ask.number, &message).await;
        answer(code)
    }

    /// Asks for several holds in one call.
    pub async fn batch_hold(&self, traffic: &Traffic, asks: &[Ask]) -> Answer {
        let number = asks.first().map_or(0, |ask| ask.number);
        let requests = asks.iter().map(|ask| traffic.message(ask)).collect();
        let message = v1::BatchHoldRequest { requests };
        let method = self.inner.batch_hold.clone();
        let (code, body) = self.call(method, number, &message).await;
        if code != Code::Ok {
            return answer(code);
        }
        let Ok(batch) = v1::BatchHoldResponse::decode(body) else {
            return answer(Code::Internal);
        };
        batch.results.iter().fold(Answer::default(), |sum, result| {
            let one = answer(match &result.result {
                Some(batch_hold_result::Result::Response(_)) => Code::Ok,
                Some(batch_hold_result::Result::Status(status)) => Code::from_i32(status.code),
                None => Code::Internal,
            });
            Answer {
                held: sum.held + one.held,
                refused: sum.refused + one.refused,
                failed: sum.failed.or(one.failed),
            }
        })
    }

    async fn call(
        &self,
        method: Uri,
        number: u64,
        message: &impl prost::Message,
    ) -> (Code, bytes::Bytes) {
        let guest = self.inner.guests[turn(number, GUESTS)].clone();
        let connection = &self.inner.connections[turn(number, CONNECTIONS)];
        connection.call(method, guest, message).await
    }
}

/// A thread with a runtime that runs until the sender is dropped.
fn thread_of_its_own() -> anyhow::Result<(Handle, oneshot::Sender<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (ending, ended) = oneshot::channel::<()>();
    thread::Builder::new()
        .name("load".to_owned())
        .spawn(move || runtime.block_on(async { ended.await.ok() }))?;
    Ok((handle, ending))
}

fn turn(number: u64, count: usize) -> usize {
    usize::try_from(number).unwrap_or(0) % count
}

/// Everything that is asked for exists and is on sale, so that FAILED_PRECONDITION says that it is taken.
fn answer(code: Code) -> Answer {
    match code {
        Code::Ok => Answer {
            held: 1,
            ..Answer::default()
        },
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
