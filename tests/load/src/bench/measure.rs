//! The measurements of a round, and those that are made once.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;

use super::{plan::Plan, under_load::UnderLoad};
use crate::{
    catalogue::Catalogue,
    client::Client,
    databases::{Databases, User},
    generator::{self, Run, Span},
    naive::Order,
    processes::Server,
    raw,
    report::{Choices, Engine, Kind, Memory, Row, Scenario, Subject},
    traffic::{self, Traffic},
    usage::{self, Processes},
};

/// The rate of the open loop, of the answers a second that the service could give a moment before.
const OPEN_SHARE: f64 = 0.7;
/// The open loop is tried again, up to so often a round, where the machine became slower or faster meanwhile.
const OPEN_TRIES: usize = 4;
/// By how much the maximum may have changed, of itself, without the rate being another share of it.
const STEADY: f64 = 0.1;
/// Calls that may fail of those that are answered; more, and something is wrong rather than slow.
const FAILED_SHARE_MAX: f64 = 0.001;
const KINDS: [traffic::Kind; 3] = [
    traffic::Kind::HotScreening,
    traffic::Kind::HotNight,
    traffic::Kind::Spread,
];

/// What every measurement needs.
pub(super) struct Measure<'a> {
    pub(super) binary: &'a Path,
    pub(super) databases: &'a Databases,
    pub(super) plan: Plan,
    pub(super) choices: Choices,
    pub(super) say: fn(&str),
}

impl Measure<'_> {
    /// Every peer once. Who comes first changes from round to round.
    pub(super) async fn round(&self, round: usize) -> anyhow::Result<Vec<Row>> {
        let mut rows = self.hot_rows().await?;
        for database in [Kind::Postgres, Kind::Sqlite] {
            for turn in 0..3 {
                rows.extend(match (round + turn) % 3 {
                    0 => self.service_rows(database).await?,
                    1 => self.naive_rows(database).await?,
                    _ => {
                        let size = self.choices.raw_batch;
                        self.raw(database, size, self.plan.span, &KINDS).await?
                    }
                });
            }
        }
        Ok(rows)
    }

    /// Few and many bookings before, once each. Who comes first changes from round to round.
    pub(super) async fn compare_bookings_before(
        &self,
        round: usize,
        before: &[Before; 2],
    ) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for turn in 0..2 {
            let which = (round + turn) % 2;
            let scenario = [Scenario::Few, Scenario::Many][which];
            rows.push(self.beside(&before[which], scenario).await?);
        }
        Ok(rows)
    }

    /// The hot screening on PostgreSQL, by whom it is compared: there and back again, so that a machine that becomes slower
    /// or faster meanwhile favours nobody. Then the open loop, right after what its rate is a share of.
    async fn hot_rows(&self) -> anyhow::Result<Vec<Row>> {
        let there = [Engine::Service, Engine::NaiveInOrder, Engine::Naive];
        let back = there.into_iter().rev();
        let mut rows: Vec<Row> = Vec::new();
        for engine in there.into_iter().chain(back) {
            let Choices {
                naive_pool: pool,
                naive_in_order_pool: pool_in_order,
                ..
            } = self.choices;
            let under_load = match engine {
                Engine::Naive => self.naive(Kind::Postgres, pool, Order::Loose).await?,
                Engine::NaiveInOrder => {
                    self.naive(Kind::Postgres, pool_in_order, Order::Strict)
                        .await?
                }
                _ => self.service(Kind::Postgres).await?,
            };
            let clients = match engine {
                Engine::Service => self.choices.clients,
                _ => self.choices.naive_clients,
            };
            let subject = Subject {
                scenario: Scenario::HotScreening,
                database: Kind::Postgres,
                engine,
            };
            rows.push(under_load.hold(subject, clients).await?);
            under_load.end().await?;
        }
        rows.push(self.open_row().await?);
        Ok(rows)
    }

    /// The hot screening at a share of its maximum, which is measured right before and right after. Where it is not the same,
    /// the rate was another share of it than it was meant to be: of a few runs the one counts that it changed least around.
    async fn open_row(&self) -> anyhow::Result<Row> {
        let mut before = self.most().await?;
        let mut steadiest: Option<(f64, Row)> = None;
        for _ in 0..OPEN_TRIES {
            let under_load = self.service(Kind::Postgres).await?;
            let row = under_load.open(before * OPEN_SHARE).await?;
            under_load.end().await?;
            let after = self.most().await?;
            let change = (after - before).abs() / before;
            (self.say)(&format!("the maximum changed by {:.0} %", change * 100.0));
            if steadiest.as_ref().is_none_or(|(least, _)| change < *least) {
                steadiest = Some((change, row));
            }
            if change <= STEADY {
                break;
            }
            before = after;
        }
        let (_, row) = steadiest.context("the open loop")?;
        Ok(row)
    }

    /// The most answers a second that the service gives about the hot screening.
    async fn most(&self) -> anyhow::Result<f64> {
        let under_load = self.service(Kind::Postgres).await?;
        let subject = Subject {
            scenario: Scenario::HotScreening,
            database: Kind::Postgres,
            engine: Engine::Service,
        };
        let row = under_load.hold(subject, self.choices.clients).await?;
        under_load.end().await?;
        Ok(row.answers_per_s)
    }

    async fn service_rows(&self, database: Kind) -> anyhow::Result<Vec<Row>> {
        let under_load = self.service(database).await?;
        let subject = |scenario, engine| Subject {
            scenario,
            database,
            engine,
        };
        let mut rows = Vec::new();
        for kind in kinds(database) {
            let subject = subject(scenario(*kind), Engine::Service);
            let loaded = under_load.of(*kind);
            rows.push(loaded.hold(subject, self.choices.clients).await?);
        }
        let batch = subject(Scenario::HotScreening, Engine::Batch);
        rows.push(
            under_load
                .batch_hold(batch, self.choices.batch_clients)
                .await?,
        );
        under_load.end().await?;
        Ok(rows)
    }

    async fn naive_rows(&self, database: Kind) -> anyhow::Result<Vec<Row>> {
        // SQLite has one writer at a time; more would only wait for it busily. It has an order of commits anyhow.
        let pool = match database {
            Kind::Postgres => self.choices.naive_pool,
            Kind::Sqlite => 1,
        };
        let under_load = self.naive(database, pool, Order::Loose).await?;
        let mut rows = Vec::new();
        for kind in kinds(database) {
            let subject = Subject {
                scenario: scenario(*kind),
                database,
                engine: Engine::Naive,
            };
            let loaded = under_load.of(*kind);
            rows.push(loaded.hold(subject, self.choices.naive_clients).await?);
        }
        under_load.end().await?;
        Ok(rows)
    }

    /// Statements alone, one kind of traffic after the other.
    pub(super) async fn raw(
        &self,
        database: Kind,
        size: usize,
        span: Span,
        kinds: &[traffic::Kind],
    ) -> anyhow::Result<Vec<Row>> {
        let url = self.copy(database, User::Service).await?;
        let mut rows = Vec::new();
        for kind in kinds {
            let traffic = self.traffic(*kind);
            let run = raw::run(&url, traffic, size, span, self.cluster(database)).await?;
            let subject = Subject {
                scenario: scenario(*kind),
                database,
                engine: Engine::Raw,
            };
            rows.push(self.row(subject, &run)?);
        }
        self.databases.settle(&url).await?;
        Ok(rows)
    }

    /// The hot screening in a database that has bookings already, and keeps those that are made.
    async fn beside(&self, before: &Before, scenario: Scenario) -> anyhow::Result<Row> {
        let server = Server::reservation(self.binary, &before.url).await?;
        let mut under_load = self
            .under_load(server, before.url.clone(), Kind::Postgres)
            .await?;
        under_load.traffic = Arc::clone(&before.traffic);
        under_load.keeps_database = true;
        let subject = Subject {
            scenario,
            database: Kind::Postgres,
            engine: Engine::Service,
        };
        let row = under_load.hold(subject, self.choices.clients).await?;
        under_load.end().await?;
        Ok(row)
    }

    /// Databases with few and with many bookings.
    pub(super) async fn bookings_before(&self) -> anyhow::Result<[Before; 2]> {
        let [few, many] = self.plan.bookings_before;
        (self.say)(&format!("making {few} and {many} bookings"));
        Ok([self.before(few).await?, self.before(many).await?])
    }

    async fn before(&self, count: i64) -> anyhow::Result<Before> {
        Ok(Before {
            url: self.databases.with_bookings(count).await?,
            traffic: self.traffic(traffic::Kind::HotScreening),
        })
    }

    /// The hot screening for long, with an eye on memory.
    pub(super) async fn sustained(&self) -> anyhow::Result<Memory> {
        (self.say)("watching memory");
        let under_load = self.service(Kind::Postgres).await?;
        let Span { warm_up, measured } = self.plan.sustained;
        let pid = under_load.processes.server;
        let watch = async {
            let mut seen = Vec::new();
            for wait in [warm_up, measured / 2, measured * 49 / 100] {
                tokio::time::sleep(wait).await;
                seen.push(usage::resident_mb(pid));
            }
            seen
        };
        let load = generator::closed(
            under_load.client.runtime(),
            self.choices.clients,
            self.plan.sustained,
            under_load.processes,
            under_load.call(),
        );
        let (run, seen) = tokio::join!(load, watch);
        let run = run?;
        let seen: Option<Vec<f64>> = seen.into_iter().collect();
        let seen = seen.context("the service ended")?;
        under_load.end().await?;
        Ok(Memory {
            seconds: run.seconds,
            holds: run.tally.held,
            start_mb: seen[0],
            middle_mb: seen[1],
            end_mb: seen[2],
        })
    }

    /// The service on a fresh database.
    pub(super) async fn service(&self, database: Kind) -> anyhow::Result<UnderLoad<'_>> {
        let url = self.copy(database, User::Service).await?;
        let server = Server::reservation(self.binary, &url).await?;
        self.under_load(server, url, database).await
    }

    /// The naive engine on a fresh database.
    pub(super) async fn naive(
        &self,
        database: Kind,
        pool: u32,
        order: Order,
    ) -> anyhow::Result<UnderLoad<'_>> {
        let url = self.copy(database, User::Naive).await?;
        let server = Server::naive(&url, pool, order).await?;
        self.under_load(server, url, database).await
    }

    async fn under_load(
        &self,
        server: Server,
        url: String,
        database: Kind,
    ) -> anyhow::Result<UnderLoad<'_>> {
        let processes = Processes {
            server: server.pid(),
            database: self.cluster(database),
        };
        Ok(UnderLoad {
            measure: self,
            client: Client::connect(&server.url).await?,
            traffic: self.traffic(traffic::Kind::HotScreening),
            server: Arc::new(server),
            url,
            processes,
            span: self.plan.span,
            keeps_database: false,
        })
    }

    async fn copy(&self, database: Kind, user: User) -> anyhow::Result<String> {
        match database {
            Kind::Postgres => self.databases.postgres(user).await,
            Kind::Sqlite => self.databases.sqlite(user),
        }
    }

    fn cluster(&self, database: Kind) -> Option<u32> {
        (database == Kind::Postgres).then(|| self.databases.pid())
    }

    pub(super) fn traffic(&self, kind: traffic::Kind) -> Arc<Traffic> {
        Arc::new(Traffic::new(kind, Catalogue::FULL, self.databases.now))
    }

    pub(super) fn row(&self, subject: Subject, run: &Run) -> anyhow::Result<Row> {
        let row = Row::new(subject, run);
        self.tell(&row);
        let failed_max = (run.tally.held as f64 * FAILED_SHARE_MAX).max(1.0);
        let sound = run.tally.held > 0 && row.failed as f64 <= failed_max;
        anyhow::ensure!(sound, "{subject:?} failed: {:?}", run.tally.failed);
        Ok(row)
    }

    pub(super) fn tell(&self, row: &Row) {
        let subject = row.subject;
        (self.say)(&format!(
            "{:?} {:?} {:?}: {:.0} holds/s, p99 {:.1} ms, {} failed, CPU {:.0} + {:.0} + {:.0} us a hold",
            subject.database,
            subject.scenario,
            subject.engine,
            row.holds_per_s,
            row.latency.p99_ms,
            row.failed,
            row.server_us,
            row.database_us,
            row.client_us
        ));
    }
}

/// A database that has bookings already, and keeps those that are made.
pub(super) struct Before {
    pub(super) url: String,
    /// Goes on where it was: what is sold stays sold.
    traffic: Arc<Traffic>,
}

/// What engines take turns with; the hot screening on PostgreSQL has a section of its own.
fn kinds(database: Kind) -> &'static [traffic::Kind] {
    match database {
        Kind::Postgres => &KINDS[1..],
        Kind::Sqlite => &KINDS,
    }
}

fn scenario(kind: traffic::Kind) -> Scenario {
    match kind {
        traffic::Kind::HotScreening => Scenario::HotScreening,
        traffic::Kind::HotNight => Scenario::HotNight,
        traffic::Kind::Spread => Scenario::Spread,
    }
}
