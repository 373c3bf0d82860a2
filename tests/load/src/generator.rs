//! The two ways to load a server.
//!
//! Closed: so many clients, each asks again as soon as it has its answer; it finds the most that a server can do. Open:
//! requests arrive at a fixed rate whether or not earlier ones were answered, as guests do, and a request's time begins
//! when it was meant to be sent. So a server that stalls is charged for all who would have come meanwhile (no
//! coordinated omission).

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::Semaphore, task::JoinSet};

use crate::{
    tally::{Answer, Tally},
    usage::{Processes, Usage},
};

/// Calls of the open generator that wait for an answer; more are not sent but counted as failed.
const UNANSWERED_MAX: usize = 20_000;
/// How often the open generator sends what is due.
const SEND_INTERVAL: Duration = Duration::from_millis(1);

/// How long to load a server.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Not measured: caches fill, pools connect.
    pub warm_up: Duration,
    /// Measured.
    pub measured: Duration,
}

/// What was measured.
#[derive(Debug)]
pub struct Run {
    /// What came of the requests that were answered meanwhile.
    pub tally: Tally,
    /// How long.
    pub seconds: f64,
    /// Processor time meanwhile.
    pub usage: Usage,
}

impl Run {
    /// Holds granted a second.
    pub fn holds_per_s(&self) -> f64 {
        self.tally.held as f64 / self.seconds
    }

    /// Answers a second, refusals included.
    pub fn answers_per_s(&self) -> f64 {
        (self.tally.held + self.tally.refused) as f64 / self.seconds
    }
}

/// Counts while it is told to.
#[derive(Clone)]
struct Meter {
    counting: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
}

impl Meter {
    fn new() -> Self {
        Self {
            counting: Arc::default(),
            ended: Arc::default(),
            tally: Arc::new(Mutex::new(Tally::default())),
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn add(&self, answer: Answer, took: Duration) {
        if self.counting.load(Ordering::Relaxed) {
            let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.add(answer, took);
        }
    }

    /// Lets the load run for the span, then ends it.
    async fn measure(&self, span: Span, processes: Processes) -> Run {
        tokio::time::sleep(span.warm_up).await;
        let (usage, start) = (processes.usage(), Instant::now());
        self.counting.store(true, Ordering::Relaxed);
        tokio::time::sleep(span.measured).await;
        self.counting.store(false, Ordering::Relaxed);
        let seconds = start.elapsed().as_secs_f64();
        let usage = processes.usage() - usage;
        self.ended.store(true, Ordering::Relaxed);
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        Run {
            tally: std::mem::take(&mut tally),
            seconds,
            usage,
        }
    }
}

/// Loads a server with `clients` that each wait for their answer. `call` makes one call, on that runtime; nothing is left
/// to ask for once it returns nothing.
///
/// # Errors
/// If there was nothing left to ask for before the end: then nothing was measured.
pub async fn closed<C, A>(
    runtime: &Handle,
    clients: usize,
    span: Span,
    processes: Processes,
    call: C,
) -> anyhow::Result<Run>
where
    C: Fn() -> A + Clone + Send + 'static,
    A: Future<Output = Option<Answer>> + Send + 'static,
{
    let meter = Meter::new();
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (meter, call) = (meter.clone(), call.clone());
        let client = async move {
            while !meter.has_ended() {
                let start = Instant::now();
                let Some(answer) = call().await else {
                    return false;
                };
                meter.add(answer, start.elapsed());
            }
            true
        };
        tasks.spawn_on(client, runtime);
    }
    let run = meter.measure(span, processes).await;
    let all_busy = tasks.join_all().await.into_iter().all(|busy| busy);
    anyhow::ensure!(all_busy, "sold out before the end of the run");
    Ok(run)
}

/// Loads a server with `rate` requests a second.
///
/// # Errors
/// As [`closed`].
pub async fn open<C, A>(
    runtime: &Handle,
    rate: f64,
    span: Span,
    processes: Processes,
    call: C,
) -> anyhow::Result<Run>
where
    C: Fn() -> A + Clone + Send + 'static,
    A: Future<Output = Option<Answer>> + Send + 'static,
{
    let meter = Meter::new();
    let sender = runtime.spawn(send(rate, meter.clone(), call));
    let run = meter.measure(span, processes).await;
    anyhow::ensure!(sender.await?, "sold out before the end of the run");
    Ok(run)
}

/// Sends what is due until the end; false if there was nothing left to ask for.
async fn send<C, A>(rate: f64, meter: Meter, call: C) -> bool
where
    C: Fn() -> A + Clone + Send + 'static,
    A: Future<Output = Option<Answer>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(UNANSWERED_MAX));
    let sold_out = Arc::new(AtomicBool::new(false));
    let mut calls = JoinSet::new();
    let start = Instant::now();
    let mut intended = start;
    let mut sent: u32 = 0;
    while !meter.has_ended() && !sold_out.load(Ordering::Relaxed) {
        while intended <= Instant::now() {
            match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let (meter, call, sold_out) =
                        (meter.clone(), call.clone(), Arc::clone(&sold_out));
                    calls.spawn(async move {
                        match call().await {
                            Some(answer) => meter.add(answer, intended.elapsed()),
                            None => sold_out.store(true, Ordering::Relaxed),
                        }
                        drop(place);
                    });
                }
                Err(_) => meter.add(unsent(), Duration::ZERO),
            }
            sent += 1;
            intended = start + Duration::from_secs_f64(f64::from(sent) / rate);
        }
        while calls.try_join_next().is_some() {}
        tokio::time::sleep(SEND_INTERVAL).await;
    }
    while calls.join_next().await.is_some() {}
    !sold_out.load(Ordering::Relaxed)
}

fn unsent() -> Answer {
    Answer {
        failed: Some(tonic::Code::ResourceExhausted),
        ..Answer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span {
        warm_up: Duration::from_millis(20),
        measured: Duration::from_millis(300),
    };

    fn here() -> Processes {
        Processes {
            server: std::process::id(),
            database: None,
        }
    }

    fn granted() -> Option<Answer> {
        Some(Answer {
            held: 1,
            ..Answer::default()
        })
    }

    #[tokio::test]
    async fn a_stall_is_charged_to_all_who_came_meanwhile() {
        // A server that answers one at a time and takes 200 ms for its first answer, then none.
        let turn = Arc::new(tokio::sync::Mutex::new(true));
        let call = move || {
            let turn = Arc::clone(&turn);
            async move {
                let mut first = turn.lock().await;
                if std::mem::take(&mut *first) {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                granted()
            }
        };
        let run = open(&Handle::current(), 1_000.0, SPAN, here(), call)
            .await
            .unwrap();
        let p50 = run.tally.latency().unwrap().p50_ms;
        assert!(p50 > 20.0, "half waited for {p50} ms");
    }

    #[tokio::test]
    async fn closed_clients_wait_for_their_answers() {
        let call = || async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            granted()
        };
        let run = closed(&Handle::current(), 4, SPAN, here(), call)
            .await
            .unwrap();
        assert!(run.holds_per_s() <= 410.0, "{run:?}");
        assert!(run.tally.latency().unwrap().p50_ms >= 10.0, "{run:?}");
    }

    #[tokio::test]
    async fn a_sold_out_run_is_no_measurement() {
        let here_and_now = Handle::current();
        let nothing = || async { None };
        assert!(
            closed(&here_and_now, 1, SPAN, here(), nothing)
                .await
                .is_err()
        );
        assert!(
            open(&here_and_now, 10.0, SPAN, here(), nothing)
                .await
                .is_err()
        );
    }
}
