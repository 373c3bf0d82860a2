//! The bus on Kafka, for deployments that have one.
//!
//! An answer means that every replica in sync has the event. Kafka has five seconds to say so; then the answer is that
//! the outcome is not known, for the event may have arrived all the same. The producer is idempotent: its own retries
//! write an event once. The partition follows from the key as in Kafka's Java clients, so that other writers agree.
//!
//! One task ([`KafkaBus::start`]) looks every second whether a broker answers, and first of all whether the topics are
//! there; what it finds is what [`check`](Bus::check) says. Nothing is written while no broker answers, nor before the
//! topics are there: a broker that makes topics by itself would give them its own number of partitions.
//!
//! Connections are in plain text; TLS and SASL are not built in.

mod config;
mod reader;
mod topics;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use banyan_mesh::{backoff::Backoff, process::Process, readiness::Dependency};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{FutureProducer, FutureRecord, Producer as _},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use self::{config::Quiet, reader::Reader};
use super::{Bus, BusError, Cause, Delivery, Event, Place, Topic};
use crate::settings::BusSettings;

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(2);
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// Longer than librdkafka's own time limit, which tells more.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(7);
/// librdkafka itself waits without a limit for brokers that went away before they heard of the commit.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

type Producer = FutureProducer<Quiet>;

/// Topics on Kafka.
pub struct KafkaBus {
    brokers: String,
    settings: BusSettings,
    /// Replaced after an error that it cannot recover from.
    producer: Mutex<Producer>,
    readers: Mutex<BTreeMap<String, Arc<Reader>>>,
    state: watch::Sender<State>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Whether the topics are there is not known yet.
    Starting(String),
    Up,
    Down(String),
}

impl KafkaBus {
    /// A bus on `brokers`, `host:port,host:port`, followed by a task of `process`. Brokers that are away are no error.
    ///
    /// # Errors
    /// If librdkafka refuses its configuration.
    pub fn start(
        brokers: &str,
        settings: &BusSettings,
        process: &Process,
    ) -> Result<Arc<Self>, KafkaError> {
        let bus = Arc::new(Self {
            brokers: brokers.to_owned(),
            settings: settings.clone(),
            producer: Mutex::new(config::producer(brokers)?),
            readers: Mutex::default(),
            state: watch::Sender::new(State::Starting("no broker has answered yet".to_owned())),
        });
        let dependency = process.readiness().optional("kafka");
        let (watched, shutdown) = (bus.clone(), process.shutdown().clone());
        process.spawn("kafka", async move {
            watched.watch(&dependency, &shutdown).await;
            watched.leave().await;
            Ok(())
        });
        Ok(bus)
    }

    async fn watch(&self, dependency: &Dependency, shutdown: &CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(200), LOOK_INTERVAL_MAX);
        loop {
            let looked = tokio::select! {
                looked = self.look() => looked,
                () = shutdown.cancelled() => return,
            };
            let wait = match looked {
                Ok(()) => {
                    self.state.send_replace(State::Up);
                    dependency.up();
                    backoff.reset();
                    LOOK_INTERVAL
                }
                Err(cause) => {
                    let reason = crate::chain(cause.as_ref());
                    dependency.down(reason.as_str());
                    self.state.send_modify(|state| *state = state.lost(reason));
                    backoff.next_wait()
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn look(&self) -> Result<(), Cause> {
        self.replace_broken_producer()?;
        let producer = self.producer();
        if self.has_started() {
            // Any topic will do; asking for all would burden a large cluster.
            let look = move || {
                let topic = Some(Topic::Movies.as_str());
                producer.client().fetch_metadata(topic, LOOK_TIMEOUT)
            };
            tokio::task::spawn_blocking(look).await??;
            return Ok(());
        }
        let look = move || producer.client().fetch_metadata(None, LOOK_TIMEOUT);
        let cluster = tokio::task::spawn_blocking(look).await??;
        let missing = topics::missing(&cluster);
        if missing.is_empty() {
            return Ok(());
        }
        let replicas = topics::replicas(cluster.brokers().len());
        topics::create(&self.brokers, &missing, replicas, &self.settings).await?;
        Err("the topics have just been made".into())
    }

    fn replace_broken_producer(&self) -> Result<(), KafkaError> {
        let broken = self.producer().client().fatal_error();
        if let Some((code, reason)) = broken {
            error!(%code, reason, "Kafka's producer is beyond recovery; replacing it");
            *lock(&self.producer) = config::producer(&self.brokers)?;
        }
        Ok(())
    }

    fn producer(&self) -> Producer {
        lock(&self.producer).clone()
    }

    fn has_started(&self) -> bool {
        !matches!(*self.state.borrow(), State::Starting(_))
    }

    fn reader(&self, group: &str) -> Result<Arc<Reader>, BusError> {
        let mut readers = lock(&self.readers);
        if let Some(reader) = readers.get(group) {
            return Ok(reader.clone());
        }
        let reader = Reader::new(&self.brokers, group).map_err(|error| away(error.into()))?;
        let reader = Arc::new(reader);
        readers.insert(group.to_owned(), reader.clone());
        Ok(reader)
    }

    /// Makes a new reader take the place of one that failed: it begins after what is committed.
    async fn forget(&self, group: &str) {
        let reader = lock(&self.readers).remove(group);
        close(move || drop(reader)).await;
    }

    /// Leaves the consumer groups, so that other replicas go on at once, and waits for what is being written.
    async fn leave(&self) {
        let readers = std::mem::take(&mut *lock(&self.readers));
        let producer = self.producer();
        close(move || {
            for reader in readers.values() {
                reader.leave();
            }
            if let Err(error) = producer.flush(LEAVE_TIMEOUT) {
                warn!(
                    error = crate::chain(&error),
                    "Events were still being written at the end"
                );
            }
        })
        .await;
    }
}

#[tonic::async_trait]
impl Bus for KafkaBus {
    async fn check(&self) -> Result<(), BusError> {
        match &*self.state.borrow() {
            State::Up => Ok(()),
            State::Starting(reason) | State::Down(reason) => Err(away(reason.clone().into())),
        }
    }

    async fn publish(&self, event: Event) -> Result<Place, BusError> {
        // A refusal now is worth more than not to know in five seconds.
        self.check().await?;
        let topic = event.topic;
        let record = FutureRecord::to(topic.as_str())
            .key(&event.key)
            .payload(&event.payload)
            .timestamp(event.written_at.as_millisecond());
        let delivery = self
            .producer()
            .send_result(record)
            .map_err(|(error, _)| refused(topic, error.into()))?;
        match tokio::time::timeout(PUBLISH_TIMEOUT, delivery).await {
            Ok(Ok(Ok(delivery))) => Ok(Place {
                partition: delivery.partition,
                offset: delivery.offset,
            }),
            Ok(Ok(Err((error, _)))) if is_refusal(&error) => Err(refused(topic, error.into())),
            Ok(Ok(Err((error, _)))) => Err(unknown(topic, error.into())),
            Ok(Err(error)) => Err(unknown(topic, error.into())),
            Err(error) => Err(unknown(topic, error.into())),
        }
    }

    /// What is delivered and not committed comes again after a commit that failed, and after a restart.
    async fn deliver(&self, group: &str) -> Result<Vec<Delivery>, BusError> {
        let mut state = self.state.subscribe();
        // The sender is this bus: it cannot be gone.
        let _ = state.wait_for(|state| *state == State::Up).await;
        let delivered = self.reader(group)?.deliver().await;
        if let Err(KafkaError::MessageConsumptionFatal(_)) = &delivered {
            self.forget(group).await;
        }
        delivered.map_err(|error| away(error.into()))
    }

    async fn commit(&self, group: &str, delivery: &Delivery) -> Result<bool, BusError> {
        let Some((last, _)) = delivery.events.last() else {
            return Ok(true);
        };
        let (topic, partition, next) = (delivery.topic, delivery.partition, *last + 1);
        let reader = self.reader(group)?;
        let commit = tokio::task::spawn_blocking(move || reader.commit(topic, partition, next));
        let committed = match tokio::time::timeout(COMMIT_TIMEOUT, commit).await {
            Ok(Ok(committed)) => committed.map_err(Cause::from),
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(error.into()),
        };
        if committed.is_err() {
            self.forget(group).await;
        }
        committed.map_err(|source| BusError::Consume { topic, source })
    }
}

impl State {
    fn lost(&self, reason: String) -> Self {
        match self {
            Self::Starting(_) => Self::Starting(reason),
            Self::Up | Self::Down(_) => Self::Down(reason),
        }
    }
}

/// Runs what blocks while it talks to brokers, and no longer waits for it once it takes too long.
async fn close(close: impl FnOnce() + Send + 'static) {
    let closed = tokio::task::spawn_blocking(close);
    if tokio::time::timeout(LEAVE_TIMEOUT, closed).await.is_err() {
        warn!("Kafka did not answer to a farewell");
    }
}

/// Whether the event is certainly not written; after any other failure it may be.
fn is_refusal(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
        )
    )
}

fn refused(topic: Topic, source: Cause) -> BusError {
    BusError::Publish { topic, source }
}

fn unknown(topic: Topic, source: Cause) -> BusError {
    BusError::Unknown { topic, source }
}

fn away(cause: Cause) -> BusError {
    BusError::Away(cause)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
