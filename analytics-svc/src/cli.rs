//! `banyan report ...`: reports for people and scheduled jobs, a gRPC client of the analytics service.
//!
//! A table by default, `--json` for programs; both come from the same answer. The writer is the caller's.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use banyan_mesh::client::{ClientError, ClientSettings, channel};
use banyan_proto::analytics::v1::{
    GetHotelOccupancyRequest, HotelOccupancy, report_service_client::ReportServiceClient,
};
use clap::Subcommand;
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use serde_json::json;
use tonic::Status;

/// Which report.
#[derive(Subcommand, Debug)]
pub enum ReportCommand {
    /// How full a hotel is, night by night
    #[command(
        after_help = "Example:\n  banyan report occupancy --hotel hotels/banyan-bay --from 2027-05-01 --to 2027-05-08"
    )]
    Occupancy {
        /// The hotel, `hotels/{hotel}`
        #[arg(long)]
        hotel: String,
        /// First night, YYYY-MM-DD; today (UTC) by default
        #[arg(long)]
        from: Option<Date>,
        /// The day after the last night, YYYY-MM-DD; 14 days after the first by default
        #[arg(long)]
        to: Option<Date>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// The analytics service
        #[arg(long, env = "ANALYTICS_URL", default_value = "http://127.0.0.1:50052")]
        analytics: String,
    },
}

/// A report cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The address of the service is none.
    #[error("--analytics (ANALYTICS_URL) is wrong")]
    Address(#[source] ClientError),
    /// A date is beyond the calendar.
    #[error("--from is too late for two weeks to follow")]
    Range(#[source] jiff::Error),
    /// The service refused or did not answer.
    #[error("{url} did not give the report: {}", status.message())]
    Refused {
        /// The service.
        url: String,
        /// What it said.
        status: Box<Status>,
    },
    /// The report cannot be written.
    #[error("cannot write the report")]
    Output(#[source] io::Error),
}

/// Prints one report.
///
/// # Errors
/// If the service cannot be reached or refuses; one line that says what to do.
pub async fn run(command: ReportCommand, out: &mut dyn Write) -> Result<(), ReportError> {
    let ReportCommand::Occupancy {
        hotel,
        from,
        to,
        json,
        analytics,
    } = command;
    let from = from.unwrap_or_else(|| Timestamp::now().to_zoned(TimeZone::UTC).date());
    let to = match to {
        Some(to) => to,
        None => from.checked_add(14.days()).map_err(ReportError::Range)?,
    };
    let channel = channel(&ClientSettings::new(&analytics)).map_err(ReportError::Address)?;
    let request = GetHotelOccupancyRequest {
        hotel,
        start_date: from.to_string(),
        end_date: to.to_string(),
    };
    let report = ReportServiceClient::new(channel)
        .get_hotel_occupancy(request)
        .await
        .map_err(|status| ReportError::Refused {
            url: analytics,
            status: Box::new(status),
        })?
        .into_inner();
    let text = if json {
        as_json(&report)
    } else {
        as_table(&report)
    };
    out.write_all(text.as_bytes()).map_err(ReportError::Output)
}

fn as_table(report: &HotelOccupancy) -> String {
    let mut text = format!(
        "{}\n\nNIGHT       CAPACITY  SOLD  HELD  BLOCKED  OUT OF ORDER  DENIED  OCCUPANCY\n",
        report.hotel
    );
    for night in &report.nights {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<10}  {:>8}  {:>4}  {:>4}  {:>7}  {:>12}  {:>6}  {:>8.1} %",
            night.date,
            night.capacity,
            night.sold,
            night.held,
            night.blocked,
            night.out_of_order,
            night.denied,
            night.occupancy * 100.0
        );
    }
    let _ = writeln!(
        text,
        "\n{} of {} room nights sold: {:.1} %",
        report.sold_room_nights,
        report.capacity_room_nights,
        report.occupancy * 100.0
    );
    text
}

fn as_json(report: &HotelOccupancy) -> String {
    let nights: Vec<_> = report
        .nights
        .iter()
        .map(|night| {
            json!({
                "date": night.date,
                "capacity": night.capacity,
                "sold": night.sold,
                "held": night.held,
                "blocked": night.blocked,
                "out_of_order": night.out_of_order,
                "denied": night.denied,
                "occupancy": night.occupancy,
            })
        })
        .collect();
    let whole = json!({
        "hotel": report.hotel,
        "nights": nights,
        "sold_room_nights": report.sold_room_nights,
        "capacity_room_nights": report.capacity_room_nights,
        "occupancy": report.occupancy,
    });
    format!("{whole:#}\n")
}

#[cfg(test)]
mod tests {
    use banyan_proto::analytics::v1::OccupancyNight;

    use super::*;

    fn report() -> HotelOccupancy {
        HotelOccupancy {
            hotel: "hotels/a".to_owned(),
            nights: vec![OccupancyNight {
                date: "2027-05-01".to_owned(),
                capacity: 20,
                sold: 5,
                held: 1,
                denied: 2,
                occupancy: 0.25,
                out_of_order: 3,
                blocked: 4,
            }],
            sold_room_nights: 5,
            capacity_room_nights: 20,
            occupancy: 0.25,
            ..HotelOccupancy::default()
        }
    }

    #[test]
    fn table_and_json_tell_the_same() {
        let table = as_table(&report());
        assert!(
            table.contains(
                "2027-05-01        20     5     1        4             3       2      25.0 %"
            ),
            "{table}"
        );
        assert!(
            table.ends_with("5 of 20 room nights sold: 25.0 %\n"),
            "{table}"
        );
        let parsed: serde_json::Value = serde_json::from_str(&as_json(&report())).unwrap();
        assert_eq!(parsed["nights"][0]["sold"], 5);
        assert_eq!(parsed["nights"][0]["out_of_order"], 3);
        assert_eq!(parsed["occupancy"], 0.25);
    }
}
