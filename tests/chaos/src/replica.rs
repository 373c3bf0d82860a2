//! One `banyan reservation` process on a database of its choice.

use std::{path::Path, time::Duration};

use banyan_mesh::{client::ClientSettings, testing::free_port};
use banyan_proto::reservation::v1::{self, hotel_service_client::HotelServiceClient};
use tonic::transport::Channel;

use crate::{processes::Signal, service::Service, wait};

/// A reservation service.
#[derive(Debug)]
pub(crate) struct Replica {
    service: Service,
    port: u16,
}

impl Replica {
    /// A replica of that binary on that database, not yet started; it logs into the folder.
    pub(crate) fn new(
        name: &'static str,
        binary: &Path,
        database_url: String,
        folder: &Path,
    ) -> Self {
        let (port, ops) = (free_port(), free_port());
        let service = Service::new(name, binary, folder)
            .argument("reservation")
            .variable("RESERVATION_LISTEN", format!("127.0.0.1:{port}"))
            .variable("OPS_LISTEN", format!("127.0.0.1:{ops}"))
            .variable("RESERVATION_DATABASE_URL", database_url)
            .variable("BANYAN_DEMO", "true");
        Self { service, port }
    }

    /// One that follows the monolith at that address.
    pub(crate) fn following(mut self, monolith: &str) -> Self {
        self.service = self.service.variable("MONOLITH_URL", monolith);
        self
    }

    /// Where it takes calls.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts the process.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        self.service.start()
    }

    /// A channel to it, which connects by itself whenever it must.
    pub(crate) fn channel(&self) -> anyhow::Result<Channel> {
        let settings = ClientSettings::new(self.url());
        Ok(banyan_mesh::client::channel(&settings)?)
    }

    /// Waits until it answers with what is sold.
    pub(crate) async fn until_it_answers(&mut self, limit: Duration) -> anyhow::Result<()> {
        let client = HotelServiceClient::new(self.channel()?);
        let what = format!("{} answers", self.service.name);
        wait::until(&what, limit, async || {
            self.check()?;
            let request = v1::ListHotelsRequest::default();
            let answer = client.clone().list_hotels(request).await;
            Ok(answer.is_ok_and(|it| !it.get_ref().hotels.is_empty()))
        })
        .await
    }

    /// That it has not ended by itself, whatever was done to its database.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.service.check()
    }

    /// Kills it as a crash would; it is gone when this returns.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.service.kill()
    }

    /// Lets it stand still, or go on.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.service.signal(signal)
    }

    /// Asks it to end, and waits until it has, well.
    pub(crate) async fn end(&mut self) -> anyhow::Result<()> {
        self.service.end().await
    }

    /// Lines of its log that tell of a panic: there must be none.
    pub(crate) fn panics(&self) -> Vec<String> {
        self.service.panics()
    }
}
