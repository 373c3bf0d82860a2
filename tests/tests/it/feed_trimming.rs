//! A trimmed feed: analytics that start from its snapshot report what those report that have followed every event.

use banyan_analytics::cli::{self, ReportCommand};
use banyan_mesh::testing::TestDatabase;
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use crate::mesh::{Guest, Mesh, eventually};

const HOTEL: &str = "hotels/banyan-bay";
const SUITE: &str = "hotels/banyan-bay/roomTypes/banyan-suite";

/// The hotel's occupancy as an analytics service tells it.
async fn occupancy(analytics: &str, from: Date) -> Value {
    let command = ReportCommand::Occupancy {
        hotel: HOTEL.to_owned(),
        from: Some(from),
        to: Some(from + 30.days()),
        json: true,
        analytics: analytics.to_owned(),
    };
    let mut report = Vec::new();
    match cli::run(command, &mut report).await {
        Ok(()) => serde_json::from_slice(&report).unwrap(),
        // It has not read anything yet.
        Err(_) => Value::Null,
    }
}

/// A stay of two nights that is kept, one that is given back, one that stays a hold, and refusals.
async fn trade(guest: &Guest, from: Date) {
    let hold = async |offset: i64, rooms: i32| {
        let stay = json!({
            "roomType": SUITE,
            "checkInDate": (from + offset.days()).to_string(),
            "checkOutDate": (from + (offset + 2).days()).to_string(),
            "rooms": rooms,
        });
        guest
            .post_json("/v1/bookings:hold", json!({"stay": stay}))
            .await
    };
    for (offset, steps) in [(0, &["confirm"][..]), (1, &["confirm", "cancel"]), (3, &[])] {
        let (status, held) = hold(offset, 1).await;
        assert_eq!(status, 200, "{held}");
        let name = held["booking"]["name"].as_str().unwrap();
        for step in steps {
            let path = format!("/v1/{name}:{step}");
            let (status, changed) = guest.post_json(&path, json!({})).await;
            assert_eq!(status, 200, "{changed}");
        }
    }
    for _ in 0..2 {
        let (status, refused) = hold(0, 3).await;
        assert_eq!(status, 400, "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_from_a_snapshot_are_those_from_every_event() {
    for database in [TestDatabase::sqlite, TestDatabase::postgres] {
        let mut mesh = Mesh::start_on(database, &[]).await;
        let guest = mesh.guest();
        let first = Timestamp::now().to_zoned(TimeZone::UTC).date() + 40.days();
        trade(&guest, first).await;
        let operator = mesh.operator();
        let trimmed = async || {
            let request = json!({"beforeTime": Timestamp::now().to_string()});
            let (status, trimmed) = operator.post_json("/v1/feed:trim", request).await;
            assert_eq!(
                (status, &trimmed["complete"]),
                (200, &json!(true)),
                "{trimmed}"
            );
            trimmed["trimmedEvents"]
                .as_str()
                .is_some_and(|events| events != "0")
        };
        assert!(trimmed().await);
        assert!(!trimmed().await, "once");
        trade(&guest, first + 10.days()).await;

        let live = mesh.analytics.clone();
        eventually("everything is reported", async || {
            let report = occupancy(&live, first).await;
            let nights = report["nights"].as_array().map_or(&[][..], Vec::as_slice);
            let sum = |what: &str| {
                nights
                    .iter()
                    .filter_map(|night| night[what].as_i64())
                    .sum::<i64>()
            };
            (sum("sold"), sum("held"), sum("denied")) == (4, 4, 8)
        })
        .await;
        let report = occupancy(&live, first).await;
        let anew = mesh.another_analytics(database()).await;
        eventually("the same is reported from the snapshot", async || {
            occupancy(&anew, first).await == report
        })
        .await;

        let (status, _) = guest.post_json("/v1/feed:trim", json!({})).await;
        assert_eq!(status, 404, "never on the public port");
        mesh.stop().await;
    }
}
