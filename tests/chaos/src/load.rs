//! Clients that fight for a little stock, and write down everything that they ask and hear.
//!
//! They hold, confirm, cancel and move; they repeat what they have asked, at the same replica or at the other one, with
//! the same content or with another; two of the same request are under way at once. An answer that did not come is
//! mostly asked for again under the same request id, and sometimes never. One more client lets holds run out and sees to
//! it that what they held is sold to the next one.

mod ask;
mod client;
mod lapse;
mod memory;
mod pulse;
mod stock;

use std::sync::Arc;

use anyhow::Context as _;
use banyan_history::record::{Line, Recorder};
use banyan_proto::reservation::v1::booking_service_client::BookingServiceClient;
use tokio::{
    sync::{RwLock, watch},
    task::JoinSet,
};
use tonic::transport::Channel;

use crate::chance::Chance;
use client::{Client, Shared};
pub(crate) use lapse::{REFUSED_LATE, RESOLD};
pub(crate) use pulse::{Pulse, Tally};
pub(crate) use stock::Stock;

/// Channels to one replica: enough that calls do not queue in one.
const CHANNELS: usize = 4;

/// How the load is made.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Of everything random.
    pub(crate) seed: u64,
    /// How many clients.
    pub(crate) clients: u32,
}

/// A load that is running.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    clients: JoinSet<anyhow::Result<()>>,
}

impl Load {
    /// Lets clients loose on the replicas, each of which `open` makes another channel to.
    pub(crate) fn start(
        settings: &Settings,
        stock: Stock,
        recorder: Recorder,
        replicas: usize,
        open: impl Fn(usize) -> anyhow::Result<Channel>,
    ) -> anyhow::Result<Self> {
        for cell in stock.cells() {
            recorder.line(Line::Cell(cell));
        }
        let mut channels = Vec::new();
        for replica in 0..replicas {
            let some = (0..CHANNELS)
                .map(|_| open(replica))
                .collect::<Result<Vec<_>, _>>();
            channels.push(some?);
        }
        let shared = Arc::new(Shared {
            recorder,
            stock,
            pulse: Pulse::new(replicas),
            gate: RwLock::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let mut clients = JoinSet::new();
        // One more than asked for: the last one lets holds run out.
        for number in 0..=settings.clients {
            let of = |some: &Vec<Channel>| {
                BookingServiceClient::new(some[number as usize % CHANNELS].clone())
            };
            let client = Client::new(
                number,
                Chance::stream(settings.seed, u64::from(number) + 1),
                channels.iter().map(of).collect(),
                Arc::clone(&shared),
                stopped.clone(),
            );
            if number == settings.clients {
                clients.spawn(lapse::run(client));
            } else {
                clients.spawn(client.run());
            }
        }
        Ok(Self {
            shared,
            stop,
            clients,
        })
    }

    /// How it goes.
    pub(crate) fn pulse(&self) -> &Pulse {
        &self.shared.pulse
    }

    /// That no client has found anything wrong so far.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.clients.try_join_next() {
            ended.context("a client was aborted")??;
        }
        Ok(())
    }

    /// Holds all clients back meanwhile: whatever they have asked was answered, or given up.
    pub(crate) async fn hold_back<T>(&self, meanwhile: impl Future<Output = T>) -> T {
        self.shared.pulse.pauses();
        let still = self.shared.gate.write().await;
        let done = meanwhile.await;
        self.shared.pulse.goes_on();
        drop(still);
        done
    }

    /// Lets the clients finish what they are at.
    pub(crate) async fn end(mut self) -> anyhow::Result<Arc<Shared>> {
        self.stop.send_replace(true);
        while let Some(ended) = self.clients.join_next().await {
            ended.context("a client was aborted")??;
        }
        Ok(self.shared)
    }
}
