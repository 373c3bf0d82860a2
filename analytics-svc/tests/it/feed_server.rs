//! A gRPC `FeedService` that serves a scripted log and can cut streams, deliver twice, leave events out, be trimmed and
//! become another incarnation.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use banyan_proto::{
    reservation::v1::{
        CommitPosition, FeedEvent, ReadRequest, ReadResponse,
        feed_event::Event,
        feed_service_server::{FeedService, FeedServiceServer},
    },
    rpc,
};
use prost::Message as _;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Code, Request, Response, Status, transport::Server};

/// What goes wrong with one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It breaks after so many events.
    CutAfter(usize),
    /// It starts so many events too early, then breaks after twice as many.
    Redeliver(usize),
    /// It leaves out the first event after the position.
    Gap,
}

#[derive(Default)]
struct State {
    incarnation: String,
    log: Vec<Event>,
    /// So many events are in the snapshot only.
    trimmed: usize,
    faults: VecDeque<Fault>,
    streams: usize,
}

/// The feed; clones share the log.
#[derive(Clone)]
pub(crate) struct Feed {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
    batch: usize,
}

impl Feed {
    /// An empty feed that answers with at most `batch` events at a time.
    pub(crate) fn new(incarnation: &str, batch: usize) -> Self {
        let state = State {
            incarnation: incarnation.to_owned(),
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            changed: watch::Sender::new(()),
            batch,
        }
    }

    /// Serves on a free port, in its own runtime so that it outlives a killed service; its URL.
    pub(crate) fn serve(&self) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        self.serve_on(listener)
    }

    pub(crate) fn serve_on(&self, listener: std::net::TcpListener) -> String {
        listener.set_nonblocking(true).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let service = FeedServiceServer::new(self.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                Server::builder()
                    .add_service(service)
                    .serve_with_incoming(TcpListenerStream::new(listener))
                    .await
                    .unwrap();
            });
        });
        format!("http://{address}")
    }

    pub(crate) fn commit(&self, events: impl IntoIterator<Item = Event>) {
        self.lock().log.extend(events);
        self.changed.send_replace(());
    }

    /// Puts the first events into the snapshot.
    pub(crate) fn trim(&self, events: usize) {
        self.lock().trimmed = events;
    }

    pub(crate) fn fault(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults);
    }

    /// Becomes another database with another log; open streams end.
    pub(crate) fn become_another(&self, incarnation: &str, log: Vec<Event>) {
        {
            let mut state = self.lock();
            state.incarnation = incarnation.to_owned();
            state.log = log;
        }
        self.changed.send_replace(());
    }

    pub(crate) fn len(&self) -> i64 {
        i64::try_from(self.lock().log.len()).unwrap()
    }

    /// How many streams have been opened.
    pub(crate) fn streams(&self) -> usize {
        self.lock().streams
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next answer after `next` events, or `None` if there is nothing new.
    fn answer(&self, incarnation: &str, next: usize) -> Result<Option<ReadResponse>, Status> {
        let state = self.lock();
        if state.incarnation != incarnation {
            return Err(refusal(Code::OutOfRange, "INCARNATION_CHANGED"));
        }
        let end = state.log.len().min(next + self.batch);
        if next >= end {
            return Ok(None);
        }
        let told: Vec<(usize, Event)> = if next < state.trimmed {
            let mut rows = snapshot(&state.log[..state.trimmed]);
            rows.retain(|(index, _)| *index >= next);
            rows.truncate(self.batch);
            rows
        } else {
            (next..end)
                .map(|index| (index, state.log[index].clone()))
                .collect()
        };
        let position = |sequence: usize| CommitPosition {
            incarnation: incarnation.to_owned(),
            sequence: i64::try_from(sequence).unwrap(),
        };
        let events = told
            .into_iter()
            .map(|(index, event)| FeedEvent {
                position: Some(position(index + 1)),
                decide_time: Some(prost_types::Timestamp {
                    seconds: 1_780_000_000 + i64::try_from(index).unwrap(),
                    nanos: 0,
                }),
                event: Some(event),
                snapshot: index < state.trimmed,
            })
            .collect();
        Ok(Some(ReadResponse {
            events,
            head: Some(position(state.log.len())),
        }))
    }

    async fn stream(
        self,
        incarnation: String,
        after: usize,
        fault: Option<Fault>,
        answers: mpsc::Sender<Result<ReadResponse, Status>>,
    ) {
        let mut changed = self.changed.subscribe();
        let mut next = match fault {
            Some(Fault::Redeliver(events)) => after.saturating_sub(events),
            Some(Fault::Gap) => after + 1,
            _ => after,
        };
        let mut left = match fault {
            Some(Fault::CutAfter(events)) => events,
            Some(Fault::Redeliver(events)) => events * 2,
            _ => usize::MAX,
        };
        loop {
            changed.borrow_and_update();
            let mut answer = match self.answer(&incarnation, next) {
                Ok(Some(answer)) => answer,
                Ok(None) => {
                    tokio::select! {
                        changed = changed.changed() => changed.unwrap(),
                        () = answers.closed() => return,
                    }
                    continue;
                }
                Err(refusal) => {
                    answers.send(Err(refusal)).await.ok();
                    return;
                }
            };
            answer.events.truncate(left);
            left -= answer.events.len();
            if let Some(last) = answer.events.last() {
                next = usize::try_from(last.position.as_ref().unwrap().sequence).unwrap();
            }
            let sent = answers.send(Ok(answer)).await;
            if left == 0 {
                answers.send(Err(Status::unavailable("cut"))).await.ok();
            }
            if left == 0 || sent.is_err() {
                return;
            }
        }
    }
}

#[tonic::async_trait]
impl FeedService for Feed {
    type ReadStream = ReceiverStream<Result<ReadResponse, Status>>;

    async fn read(
        &self,
        request: Request<ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let ReadRequest {
            after,
            takes_snapshot,
        } = request.into_inner();
        let (incarnation, fault) = {
            let mut state = self.lock();
            state.streams += 1;
            let length = i64::try_from(state.log.len()).unwrap();
            if let Some(after) = &after {
                if after.incarnation != state.incarnation {
                    return Err(refusal(Code::OutOfRange, "INCARNATION_CHANGED"));
                }
                if after.sequence > length {
                    return Err(refusal(Code::OutOfRange, "POSITION_AHEAD"));
                }
                let trimmed = i64::try_from(state.trimmed).unwrap();
                if after.sequence < trimmed && !takes_snapshot {
                    return Err(refusal(Code::OutOfRange, "POSITION_EXPIRED"));
                }
            }
            (state.incarnation.clone(), state.faults.pop_front())
        };
        let after = after.map_or(0, |after| usize::try_from(after.sequence).unwrap());
        let (answers, stream) = mpsc::channel(1);
        tokio::spawn(self.clone().stream(incarnation, after, fault, answers));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn refusal(code: Code, reason: &str) -> Status {
    let info = rpc::ErrorInfo {
        reason: reason.to_owned(),
        domain: "reservation.banyan".to_owned(),
        ..rpc::ErrorInfo::default()
    };
    let status = rpc::Status {
        code: code as i32,
        message: reason.to_owned(),
        details: vec![prost_types::Any {
            type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
            value: info.encode_to_vec(),
        }],
    };
    Status::with_details(code, reason, status.encode_to_vec().into())
}

/// The index and last event of each thing, refusals added up, in order.
fn snapshot(log: &[Event]) -> Vec<(usize, Event)> {
    let mut rows: Vec<(String, usize, Event)> = Vec::new();
    for (index, event) in log.iter().enumerate() {
        let mut event = event.clone();
        let thing = match &event {
            Event::HotelChanged(it) => it.hotel.clone(),
            Event::RoomTypeChanged(it) => it.room_type.clone(),
            Event::ScreeningChanged(it) => it.screening.clone(),
            Event::BookingChanged(it) => it.booking.clone(),
            Event::DemandDenied(it) => format!("{:?} {}", it.cell, it.reason),
        };
        let known = rows.iter().position(|(known, ..)| *known == thing);
        if let Some((_, _, Event::DemandDenied(known))) = known.map(|at| rows.remove(at))
            && let Event::DemandDenied(denied) = &mut event
        {
            denied.count += known.count;
        }
        rows.push((thing, index, event));
    }
    let rows = rows.into_iter();
    rows.map(|(_, index, event)| (index, event)).collect()
}
