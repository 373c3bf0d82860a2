//! What is best for each peer, by trying.

use super::measure::Measure;
use crate::{
    naive::Order,
    report::{Choices, Engine, Kind, Scenario, Subject},
    traffic,
};

const CLIENTS: [usize; 4] = [128, 256, 512, 1_000];
const NAIVE_CLIENTS: usize = 64;
const NAIVE_POOLS: [u32; 5] = [2, 4, 8, 16, 32];
const BATCH_CLIENTS: [usize; 3] = [2, 3, 4];
const RAW_BATCHES: [usize; 2] = [500, 1_000];

/// Tries everything on the hot screening on PostgreSQL.
pub(super) async fn best(measure: &Measure<'_>) -> anyhow::Result<Choices> {
    let (mut service, mut batch) = (Best::default(), Best::default());
    let mut under_load = measure.service(Kind::Postgres).await?;
    under_load.span = measure.plan.search;
    // More clients than the server wants at once are turned away: then it is not them.
    for clients in there_and_back(&CLIENTS) {
        if let Ok(row) = under_load.hold(subject(Engine::Service), clients).await {
            service.offer(clients, row.holds_per_s);
        }
    }
    for clients in there_and_back(&BATCH_CLIENTS) {
        let row = under_load
            .batch_hold(subject(Engine::Batch), clients)
            .await?;
        batch.offer(clients, row.holds_per_s);
    }
    under_load.end().await?;

    let naive = best_pool(measure, Order::Loose, Engine::Naive).await?;
    let naive_in_order = best_pool(measure, Order::Strict, Engine::NaiveInOrder).await?;

    let mut raw = Best::default();
    for size in there_and_back(&RAW_BATCHES) {
        let kinds = [traffic::Kind::HotScreening];
        let rows = measure
            .raw(Kind::Postgres, size, measure.plan.search, &kinds)
            .await?;
        raw.offer(size, rows[0].holds_per_s);
    }
    let clients = service.value();
    anyhow::ensure!(clients > 0, "the service grants nothing");
    Ok(Choices {
        clients,
        naive_clients: NAIVE_CLIENTS,
        naive_pool: naive,
        naive_in_order_pool: naive_in_order,
        batch_clients: batch.value(),
        raw_batch: raw.value(),
    })
}

/// The number of connections with which the naive engine is fastest.
async fn best_pool(measure: &Measure<'_>, order: Order, engine: Engine) -> anyhow::Result<u32> {
    let mut best = Best::default();
    for pool in there_and_back(&NAIVE_POOLS) {
        let mut under_load = measure.naive(Kind::Postgres, pool, order).await?;
        under_load.span = measure.plan.search;
        let row = under_load.hold(subject(engine), NAIVE_CLIENTS).await?;
        best.offer(pool, row.holds_per_s);
        under_load.end().await?;
    }
    Ok(best.value())
}

fn subject(engine: Engine) -> Subject {
    Subject {
        scenario: Scenario::HotScreening,
        database: Kind::Postgres,
        engine,
    }
}

/// Each twice, so that a machine that becomes slower or faster meanwhile favours none.
fn there_and_back<T: Copy>(values: &[T]) -> impl Iterator<Item = T> {
    values.iter().chain(values.iter().rev()).copied()
}

/// What was tried, with the sum of its rates.
#[derive(Default)]
struct Best<T>(Vec<(T, f64)>);

impl<T: Copy + Default + PartialEq> Best<T> {
    fn offer(&mut self, value: T, rate: f64) {
        match self.0.iter_mut().find(|(tried, _)| *tried == value) {
            Some((_, rates)) => *rates += rate,
            None => self.0.push((value, rate)),
        }
    }

    /// The one with the highest rate; the default if nothing has any.
    fn value(&self) -> T {
        let tried = self.0.iter().filter(|(_, rates)| *rates > 0.0);
        let best = tried.max_by(|(_, a), (_, b)| a.total_cmp(b));
        best.map(|(value, _)| *value).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_becomes_slower_favours_none() {
        let mut best = Best::default();
        for (nth, clients) in there_and_back(&[1_u32, 2, 3]).enumerate() {
            let speed = 10.0 - nth as f64;
            best.offer(clients, speed * if clients == 2 { 1.1 } else { 1.0 });
        }
        assert_eq!(best.value(), 2);
        assert_eq!(Best::<u32>::default().value(), 0);
    }
}
