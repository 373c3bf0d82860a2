//! The service under test, in a runtime of its own that can be killed: nothing is drained, no destructor is awaited.

use std::time::{Duration, Instant};

use banyan_analytics::{Settings, start};
use banyan_mesh::{
    client::{ClientSettings, channel},
    database::DatabaseSettings,
    process::Process,
};
use banyan_proto::{
    analytics::v1::{
        CancellationFees, GetCancellationFeesRequest, GetHotelOccupancyRequest,
        GetScreeningLoadFactorRequest, HotelOccupancy, ScreeningLoadFactor,
        report_service_client::ReportServiceClient,
    },
    compat::cinema::v1::event_service_client::EventServiceClient,
};
use tokio::runtime::Runtime;
use tonic::{Status, transport::Channel};

use crate::script::{HOTEL, SCREENING};

/// Far more than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is there, or fails once patience is at its end.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A running service.
pub(crate) struct Service {
    runtime: Runtime,
    process: Process,
    channel: Channel,
}

impl Service {
    /// Starts on a database and a feed, once a killed predecessor has let go of the database's file.
    pub(crate) fn start(database: &str, feed: &str) -> Self {
        Self::with(Settings {
            database: DatabaseSettings::new(database),
            reservation_url: feed.to_owned(),
            ..Settings::default()
        })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            ..settings
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (process, running) = eventually("the service starts", || {
            let process = Process::new();
            match runtime.block_on(start(settings.clone(), &process)) {
                Ok(running) => Some((process, running)),
                Err(error) if error.to_string().contains("in use") => None,
                Err(error) => panic!("{error:#}"),
            }
        });
        let channel = runtime.block_on(async {
            channel(&ClientSettings::new(format!("http://{}", running.grpc))).unwrap()
        });
        Self {
            runtime,
            process,
            channel,
        }
    }

    /// Ends at once, as `kill -9` would as far as one process can.
    pub(crate) fn kill(self) {
        drop(self.process);
        drop(self.channel);
        self.runtime.shutdown_background();
    }

    /// Ends in order, as the binary does after SIGTERM: what blocks a thread by then is not waited for.
    #[cfg(feature = "kafka")]
    pub(crate) fn stop(self) {
        self.runtime
            .block_on(self.process.stop(Duration::from_secs(20)))
            .unwrap();
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    pub(crate) fn events(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.channel.clone())
    }

    pub(crate) fn occupancy(&self, start: &str, end: &str) -> Result<HotelOccupancy, Status> {
        self.occupancy_of(HOTEL, start, end)
    }

    pub(crate) fn occupancy_of(
        &self,
        hotel: &str,
        start: &str,
        end: &str,
    ) -> Result<HotelOccupancy, Status> {
        let request = GetHotelOccupancyRequest {
            hotel: hotel.to_owned(),
            start_date: start.to_owned(),
            end_date: end.to_owned(),
        };
        let mut client = ReportServiceClient::new(self.channel.clone());
        let answer = self.block_on(client.get_hotel_occupancy(request))?;
        Ok(answer.into_inner())
    }

    pub(crate) fn cancellation_fees(&self, venue: &str) -> Result<CancellationFees, Status> {
        let request = GetCancellationFeesRequest {
            venue: venue.to_owned(),
        };
        let mut client = ReportServiceClient::new(self.channel.clone());
        let answer = self.block_on(client.get_cancellation_fees(request))?;
        Ok(answer.into_inner())
    }

    pub(crate) fn load_factor(&self) -> Result<ScreeningLoadFactor, Status> {
        let request = GetScreeningLoadFactorRequest {
            screening: SCREENING.to_owned(),
        };
        let mut client = ReportServiceClient::new(self.channel.clone());
        let answer = self.block_on(client.get_screening_load_factor(request))?;
        Ok(answer.into_inner())
    }

    /// The load factor once the feed has been applied up to `sequence` of `incarnation`.
    pub(crate) fn load_factor_at(&self, incarnation: &str, sequence: i64) -> ScreeningLoadFactor {
        eventually(&format!("{incarnation} {sequence} is applied"), || {
            let report = self.load_factor().ok()?;
            let position = report.freshness.as_ref()?.position.as_ref()?;
            let there = position.incarnation == incarnation && position.sequence == sequence;
            there.then_some(report)
        })
    }

    /// The value of an unlabelled or fully labelled metric.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        let text = self.process.metrics().encode().unwrap();
        text.lines()
            .filter_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
            .map(|value| value as i64)
            .next()
            .unwrap_or_default()
    }
}
