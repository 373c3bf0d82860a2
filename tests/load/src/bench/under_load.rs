//! A server under load, and the ways to load it.

use std::sync::Arc;

use anyhow::Context as _;

use super::measure::Measure;
use crate::{
    client::Client,
    generator::{self, Span},
    processes::Server,
    report::{Engine, Kind, Row, Scenario, Subject},
    tally::Answer,
    traffic::{self, Ask, Traffic},
    usage::Processes,
};

/// Holds in one call of BatchHold: its limit.
const BATCH: usize = 500;
/// How a service says that too many come at once; any other failure spoils the run.
const TURNED_AWAY: [&str; 2] = ["ResourceExhausted", "DeadlineExceeded"];
/// Charged to every caller where more were turned away than the 99th percentile leaves out: they have to come again.
const TURNED_AWAY_MS: f64 = 10_000.0;

/// A server that is loaded.
pub(super) struct UnderLoad<'a> {
    pub(super) measure: &'a Measure<'a>,
    pub(super) client: Client,
    pub(super) traffic: Arc<Traffic>,
    pub(super) server: Arc<Server>,
    pub(super) url: String,
    pub(super) processes: Processes,
    pub(super) span: Span,
    /// It had bookings already, and keeps those that are made.
    pub(super) keeps_database: bool,
}

impl UnderLoad<'_> {
    /// The same server under another kind of traffic.
    pub(super) fn of(&self, kind: traffic::Kind) -> Self {
        let traffic = match kind {
            traffic::Kind::HotScreening => Arc::clone(&self.traffic),
            other => self.measure.traffic(other),
        };
        Self {
            client: self.client.clone(),
            traffic,
            server: Arc::clone(&self.server),
            url: self.url.clone(),
            ..*self
        }
    }

    pub(super) fn call(&self) -> impl Fn() -> Calling + Clone + Send + 'static {
        let (client, traffic) = (self.client.clone(), Arc::clone(&self.traffic));
        move || {
            let (client, traffic) = (client.clone(), Arc::clone(&traffic));
            Box::pin(async move {
                let ask = traffic.next()?;
                Some(client.hold(&traffic, &ask).await)
            })
        }
    }

    /// HoldBooking by so many clients.
    pub(super) async fn hold(&self, subject: Subject, clients: usize) -> anyhow::Result<Row> {
        let run = generator::closed(
            self.client.runtime(),
            clients,
            self.span,
            self.processes,
            self.call(),
        )
        .await?;
        self.measure.row(subject, &run)
    }

    /// HoldBooking by as many clients as come at that rate, a second, whatever happens to those before.
    pub(super) async fn open(&self, rate: f64) -> anyhow::Result<Row> {
        let run = generator::open(
            self.client.runtime(),
            rate,
            self.measure.plan.open,
            self.processes,
            self.call(),
        )
        .await?;
        let subject = Subject {
            scenario: Scenario::Open,
            database: Kind::Postgres,
            engine: Engine::Service,
        };
        let mut row = Row::new(subject, &run);
        let turned_away = |code: &String| TURNED_AWAY.contains(&code.as_str());
        anyhow::ensure!(
            run.tally.held > 0 && run.tally.failed.keys().all(turned_away),
            "{subject:?} failed: {:?}",
            run.tally.failed
        );
        if row.failed > (row.failed + run.tally.held + run.tally.refused) / 100 {
            row.latency.p99_ms = row.latency.p99_ms.max(TURNED_AWAY_MS);
        }
        self.measure.tell(&row);
        Ok(row)
    }

    /// BatchHold by so many clients.
    pub(super) async fn batch_hold(&self, subject: Subject, clients: usize) -> anyhow::Result<Row> {
        let (client, traffic) = (self.client.clone(), Arc::clone(&self.traffic));
        let call = move || {
            let (client, traffic) = (client.clone(), Arc::clone(&traffic));
            async move {
                let asks: Option<Vec<Ask>> = (0..BATCH).map(|_| traffic.next()).collect();
                Some(client.batch_hold(&traffic, &asks?).await)
            }
        };
        let run = generator::closed(
            self.client.runtime(),
            clients,
            self.span,
            self.processes,
            call,
        )
        .await?;
        self.measure.row(subject, &run)
    }

    /// Ends the server, and sees that what it sold adds up.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        let server = Arc::into_inner(self.server).context("the server is still loaded")?;
        server.stop().await?;
        if self.keeps_database {
            return Ok(());
        }
        self.measure.databases.settle(&self.url).await
    }
}

type Calling = std::pin::Pin<Box<dyn Future<Output = Option<Answer>> + Send>>;
