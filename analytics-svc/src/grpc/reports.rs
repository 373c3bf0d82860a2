//! `banyan.analytics.v1.ReportService`.

use banyan_proto::analytics::v1::{
    CancellationFees, Freshness, GetCancellationFeesRequest, GetHotelOccupancyRequest,
    GetScreeningLoadFactorRequest, HotelOccupancy, OccupancyNight, ScreeningLoadFactor,
    report_service_server::ReportService,
};
use tonic::{Request, Response, Status};

use super::{check::Check, status};
use crate::{
    domain::{
        batch::Cursor,
        metrics::{Fill, LoadFactor, Occupancy},
        name::{CinemaName, HotelName, NameError, Night, ScreeningName},
    },
    reports::{Fresh, Reports},
    store::StoreError,
    wire,
};

const HOTEL: &str = "reservation.banyan/Hotel";
const SCREENING: &str = "reservation.banyan/Screening";
/// A report's nights at most.
const NIGHTS_MAX: i64 = 366;

/// The service.
pub struct ReportApi {
    reports: Reports,
}

impl ReportApi {
    /// Answers from `reports`.
    #[must_use]
    pub fn new(reports: Reports) -> Self {
        Self { reports }
    }
}

#[tonic::async_trait]
impl ReportService for ReportApi {
    async fn get_hotel_occupancy(
        &self,
        request: Request<GetHotelOccupancyRequest>,
    ) -> Result<Response<HotelOccupancy>, Status> {
        let (hotel, start, end) = nights_of(request.get_ref())?;
        let report = self
            .reports
            .occupancy(&hotel, start, end)
            .await
            .map_err(|error| failed(&error))?
            .ok_or_else(|| status::not_found(HOTEL, hotel.as_str()))?;
        Ok(Response::new(occupancy(&hotel, report)))
    }

    async fn get_screening_load_factor(
        &self,
        request: Request<GetScreeningLoadFactorRequest>,
    ) -> Result<Response<ScreeningLoadFactor>, Status> {
        let mut check = Check::default();
        let text = &request.get_ref().screening;
        let screening = check.parsed("screening", text, ScreeningName::parse);
        let screening = check.finish(screening)?;
        let report = self
            .reports
            .load_factor(&screening)
            .await
            .map_err(|error| failed(&error))?
            .ok_or_else(|| status::not_found(SCREENING, screening.as_str()))?;
        Ok(Response::new(load_factor(&screening, report)))
    }

    async fn get_cancellation_fees(
        &self,
        request: Request<GetCancellationFeesRequest>,
    ) -> Result<Response<CancellationFees>, Status> {
        let mut check = Check::default();
        let venue = check.parsed("venue", &request.get_ref().venue, venue);
        let venue = check.finish(venue)?;
        let report = self.reports.cancellation_fees(&venue).await;
        let Fresh { report, cursor } = report.map_err(|error| failed(&error))?;
        Ok(Response::new(CancellationFees {
            venue,
            fees: report.fees.into_iter().map(wire::money).collect(),
            bookings: report.bookings,
            freshness: Some(freshness(cursor)),
        }))
    }
}

/// The name of a hotel or a cinema.
fn venue(text: &str) -> Result<String, NameError> {
    if text.starts_with("cinemas/") {
        CinemaName::parse(text).map(|name| name.to_string())
    } else {
        HotelName::parse(text).map(|name| name.to_string())
    }
}

fn failed(error: &StoreError) -> Status {
    match error {
        StoreError::Corrupt { .. } => status::broken(error),
        _ => status::away("DATABASE_UNAVAILABLE", error),
    }
}

fn nights_of(request: &GetHotelOccupancyRequest) -> Result<(HotelName, Night, Night), Status> {
    let mut check = Check::default();
    let hotel = check.parsed("hotel", &request.hotel, HotelName::parse);
    let start = check.parsed("start_date", &request.start_date, Night::parse);
    let end = check.parsed("end_date", &request.end_date, Night::parse);
    if let (Some(start), Some(end)) = (start, end)
        && !(1..=NIGHTS_MAX).contains(&start.nights_until(end))
    {
        check.wrong(
            "end_date",
            "RANGE",
            format!("must be 1 to {NIGHTS_MAX} days after start_date"),
        );
    }
    let parsed = hotel
        .zip(start)
        .zip(end)
        .map(|((hotel, start), end)| (hotel, start, end));
    check.finish(parsed)
}

fn occupancy(hotel: &HotelName, Fresh { report, cursor }: Fresh<Occupancy>) -> HotelOccupancy {
    HotelOccupancy {
        hotel: hotel.to_string(),
        nights: report
            .nights
            .iter()
            .map(|(night, fill)| occupancy_night(*night, fill))
            .collect(),
        sold_room_nights: report.total.sold,
        capacity_room_nights: report.total.capacity,
        occupancy: report.total.ratio(),
        room_revenue: Some(wire::money(report.revenue)),
        freshness: Some(freshness(cursor)),
    }
}

fn occupancy_night(night: Night, fill: &Fill) -> OccupancyNight {
    OccupancyNight {
        date: night.to_string(),
        capacity: fill.capacity,
        sold: fill.sold,
        held: fill.held,
        denied: fill.denied,
        occupancy: fill.ratio(),
        out_of_order: fill.out_of_order,
        blocked: fill.blocked,
    }
}

fn load_factor(
    screening: &ScreeningName,
    Fresh { report, cursor }: Fresh<LoadFactor>,
) -> ScreeningLoadFactor {
    ScreeningLoadFactor {
        screening: screening.to_string(),
        capacity: report.fill.capacity,
        sold: report.fill.sold,
        held: report.fill.held,
        denied: report.fill.denied,
        load_factor: report.fill.ratio(),
        ticket_revenue: report.revenue.map(wire::money),
        freshness: Some(freshness(cursor)),
    }
}

fn freshness(cursor: Cursor) -> Freshness {
    Freshness {
        lag: cursor.lag(),
        decide_time: cursor.decide_time.map(wire::timestamp),
        position: cursor
            .incarnation
            .map(|incarnation| wire::position(incarnation, cursor.sequence)),
    }
}
