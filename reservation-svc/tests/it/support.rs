//! A reservation service with its demo's hotel and cinema, on a clock that tests move.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use banyan_mesh::{
    client::{ClientSettings, channel},
    database::DatabaseSettings,
    process::Process,
    testing::TestDatabase,
};
use banyan_proto::reservation::v1::{
    self, booking_service_client::BookingServiceClient,
    cinema_rules_service_client::CinemaRulesServiceClient,
    cinema_service_client::CinemaServiceClient, feed_admin_service_client::FeedAdminServiceClient,
    feed_service_client::FeedServiceClient, front_desk_service_client::FrontDeskServiceClient,
    hotel_rules_service_client::HotelRulesServiceClient, hotel_service_client::HotelServiceClient,
    operator_service_client::OperatorServiceClient, waitlist_service_client::WaitlistServiceClient,
};
use banyan_reservation::{Settings, inventory::Clock};
use jiff::Timestamp;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use tonic::{Request, Response, Status, transport::Channel};
use tonic_types::StatusExt as _;

pub(crate) use super::clock::TestClock;

/// The most that any wait in these tests may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
pub(crate) const HOTEL: &str = "hotels/banyan-bay";
/// Three rooms.
pub(crate) const SUITE: &str = "hotels/banyan-bay/roomTypes/banyan-suite";
pub(crate) const ALICE: &str = "alice-0123456789abcdef";
pub(crate) const BOB: &str = "bob-0123456789abcdef";
/// A Friday, at noon in Lisbon.
pub(crate) const START: &str = "2026-11-20T12:00:00Z";

/// One service in this process.
pub(crate) struct Service {
    pub(crate) process: Process,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) database: TestDatabase,
    channel: Channel,
}

impl Service {
    pub(crate) async fn start(database: TestDatabase) -> Self {
        Self::start_at(database, TestClock::at(START)).await
    }

    pub(crate) async fn start_at(database: TestDatabase, clock: Arc<TestClock>) -> Self {
        let process = Process::new();
        let channel = Self::serve(&database.url, &clock, &process).await;
        let mut ready = process.readiness().watch();
        let waiting = ready.wait_for(|ready| *ready);
        tokio::time::timeout(LIMIT, waiting).await.unwrap().unwrap();
        Self {
            process,
            clock,
            database,
            channel,
        }
    }

    /// Starts a service, which may not be ready yet.
    pub(crate) async fn serve(
        url: &str,
        clock: &Arc<impl Clock + 'static>,
        process: &Process,
    ) -> Channel {
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database: DatabaseSettings::new(url),
            demo: true,
            ..Settings::default()
        };
        let running = banyan_reservation::start_by(clock.clone(), settings, process)
            .await
            .unwrap();
        channel(&ClientSettings::new(format!("http://{}", running.grpc))).unwrap()
    }

    /// Ends the service; the database stays for the next one.
    pub(crate) async fn stop(self) -> TestDatabase {
        self.process.stop(LIMIT).await.unwrap();
        self.database
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn bookings(&self) -> BookingServiceClient<Channel> {
        BookingServiceClient::new(self.channel.clone())
    }

    pub(crate) fn hotels(&self) -> HotelServiceClient<Channel> {
        HotelServiceClient::new(self.channel.clone())
    }

    pub(crate) fn cinemas(&self) -> CinemaServiceClient<Channel> {
        CinemaServiceClient::new(self.channel.clone())
    }

    pub(crate) fn operators(&self) -> OperatorServiceClient<Channel> {
        OperatorServiceClient::new(self.channel.clone())
    }

    pub(crate) fn hotel_rules(&self) -> HotelRulesServiceClient<Channel> {
        HotelRulesServiceClient::new(self.channel.clone())
    }

    pub(crate) fn cinema_rules(&self) -> CinemaRulesServiceClient<Channel> {
        CinemaRulesServiceClient::new(self.channel.clone())
    }

    pub(crate) fn waitlist(&self) -> WaitlistServiceClient<Channel> {
        WaitlistServiceClient::new(self.channel.clone())
    }

    pub(crate) fn front_desk(&self) -> FrontDeskServiceClient<Channel> {
        FrontDeskServiceClient::new(self.channel.clone())
    }

    pub(crate) fn clock_seconds(&self) -> i64 {
        self.clock.now().as_second()
    }

    pub(crate) fn feed(&self) -> FeedServiceClient<Channel> {
        FeedServiceClient::new(self.channel.clone())
    }

    pub(crate) fn feed_admin(&self) -> FeedAdminServiceClient<Channel> {
        FeedAdminServiceClient::new(self.channel.clone())
    }

    pub(crate) async fn hold(
        &self,
        guest: &str,
        request: v1::HoldBookingRequest,
    ) -> Result<v1::HoldBookingResponse, Status> {
        let answer = self.bookings().hold_booking(by(guest, request)).await;
        answer.map(tonic::Response::into_inner)
    }

    pub(crate) async fn confirm(&self, guest: &str, name: &str) -> Result<v1::Booking, Status> {
        let request = v1::ConfirmBookingRequest {
            name: name.to_owned(),
            ..Default::default()
        };
        let answer = self.bookings().confirm_booking(by(guest, request)).await?;
        Ok(answer.into_inner().booking.unwrap())
    }

    pub(crate) async fn cancel(&self, guest: &str, name: &str) -> Result<v1::Booking, Status> {
        let request = v1::CancelBookingRequest {
            name: name.to_owned(),
            ..Default::default()
        };
        let answer = self.bookings().cancel_booking(by(guest, request)).await?;
        Ok(answer.into_inner().booking.unwrap())
    }

    pub(crate) async fn get(&self, guest: &str, name: &str) -> Result<v1::Booking, Status> {
        let request = v1::GetBookingRequest {
            name: name.to_owned(),
        };
        let answer = self.bookings().get_booking(by(guest, request)).await?;
        Ok(answer.into_inner())
    }

    /// Free suites on each of some nights.
    pub(crate) async fn free_suites(&self, check_in: &str, check_out: &str) -> Vec<i32> {
        let request = v1::SearchAvailabilityRequest {
            hotel: HOTEL.to_owned(),
            check_in_date: check_in.to_owned(),
            check_out_date: check_out.to_owned(),
            ..Default::default()
        };
        let answer = self
            .hotels()
            .search_availability(request)
            .await
            .unwrap()
            .into_inner();
        let suite = answer
            .room_types
            .into_iter()
            .find(|it| it.room_type == SUITE)
            .unwrap();
        suite
            .nights
            .into_iter()
            .map(|night| night.available_rooms)
            .collect()
    }

    /// The first screening that has not started.
    pub(crate) async fn screening(&self) -> v1::Screening {
        let request = v1::ListScreeningsRequest {
            parent: "cinemas/grand-banyan".into(),
            ..Default::default()
        };
        let answer = self
            .cinemas()
            .list_screenings(request)
            .await
            .unwrap()
            .into_inner();
        let now = self.clock.now().as_second();
        let ahead = |it: &v1::Screening| it.start_time.unwrap().seconds > now;
        answer.screenings.into_iter().find(ahead).unwrap()
    }

    /// All events after a sequence, up to the head at the time of the call.
    pub(crate) async fn events(&self, after: Option<v1::CommitPosition>) -> Vec<v1::FeedEvent> {
        let mut stream = self
            .feed()
            .read(v1::ReadRequest {
                after,
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner();
        let mut events = Vec::new();
        loop {
            let message = tokio::time::timeout(LIMIT, stream.message())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            events.extend(message.events);
            let last: i64 = events.last().map_or(0, |event: &v1::FeedEvent| {
                event.position.as_ref().unwrap().sequence
            });
            if last >= message.head.unwrap().sequence || events.is_empty() {
                return events;
            }
        }
    }

    /// A connection of its own to the service's database.
    pub(crate) async fn sql(&self) -> DatabaseConnection {
        sea_orm::Database::connect(&self.database.url)
            .await
            .unwrap()
    }

    /// That what is taken in every cell is what its unreleased items sum up to, and never more than there is.
    pub(crate) async fn assert_sound(&self) {
        let sql = self.sql().await;
        let statement = Statement::from_string(
            sql.get_database_backend(),
            "SELECT c.pool, c.slot FROM cells c LEFT JOIN booking_items i \
             ON i.pool = c.pool AND i.slot = c.slot AND i.released_sequence IS NULL \
             GROUP BY c.pool, c.slot, c.taken, c.capacity \
             HAVING COALESCE(SUM(i.quantity), 0) <> c.taken OR c.taken > c.capacity",
        );
        let wrong = sql.query_all_raw(statement).await.unwrap();
        assert!(wrong.is_empty(), "{} cells do not add up", wrong.len());
    }
}

/// A request of a guest.
pub(crate) fn by<T>(guest: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("x-banyan-guest", guest.parse().unwrap());
    request
}

/// A hold of suites.
pub(crate) fn suites(check_in: &str, check_out: &str, rooms: i32) -> v1::HoldBookingRequest {
    v1::HoldBookingRequest {
        claim: Some(v1::hold_booking_request::Claim::Stay(stay(
            check_in, check_out, rooms,
        ))),
        ..Default::default()
    }
}

pub(crate) fn stay(check_in: &str, check_out: &str, rooms: i32) -> v1::HotelStay {
    v1::HotelStay {
        room_type: SUITE.to_owned(),
        check_in_date: check_in.to_owned(),
        check_out_date: check_out.to_owned(),
        rooms,
    }
}

/// A hold of seats.
pub(crate) fn seats(screening: &str, seats: &[&str]) -> v1::HoldBookingRequest {
    let selection = v1::SeatSelection {
        screening: screening.to_owned(),
        seats: seats.iter().map(ToString::to_string).collect(),
        ..v1::SeatSelection::default()
    };
    v1::HoldBookingRequest {
        claim: Some(v1::hold_booking_request::Claim::Seats(selection)),
        ..Default::default()
    }
}

/// The reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details
        .error_info()
        .map(|info| info.reason.clone())
        .unwrap_or_default()
}

/// The position at which a refusal was decided, if it tells.
pub(crate) fn decided_at(status: &Status) -> Option<v1::CommitPosition> {
    let details = status.get_error_details();
    let metadata = &details.error_info()?.metadata;
    Some(v1::CommitPosition {
        incarnation: metadata.get("incarnation")?.clone(),
        sequence: metadata.get("commit_sequence")?.parse().unwrap(),
    })
}

/// The position that the metadata of a reply tells.
pub(crate) fn replied_at<T>(reply: &Response<T>) -> v1::CommitPosition {
    let told = reply.metadata().get("banyan-position").unwrap();
    let (incarnation, sequence) = told.to_str().unwrap().split_once('/').unwrap();
    v1::CommitPosition {
        incarnation: incarnation.to_owned(),
        sequence: sequence.parse().unwrap(),
    }
}

/// The cells that a refusal names.
pub(crate) fn cells(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let failure = details.precondition_failure().unwrap();
    failure
        .violations
        .iter()
        .map(|it| it.subject.clone())
        .collect()
}

/// The wrong fields of a refusal, each with its reason.
pub(crate) fn fields(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let found = details
        .bad_request()
        .map_or(&[][..], |it| &it.field_violations);
    found
        .iter()
        .map(|it| (it.field.clone(), it.reason.clone()))
        .collect()
}

/// A fact in the metadata of a refusal.
pub(crate) fn fact(status: &Status, key: &str) -> Option<String> {
    let details = status.get_error_details();
    details.error_info()?.metadata.get(key).cloned()
}

/// An amount of euros, in cents.
pub(crate) fn euro(minor: i64) -> Option<v1::Money> {
    Some(v1::Money {
        currency_code: "EUR".into(),
        amount_minor: minor,
    })
}
