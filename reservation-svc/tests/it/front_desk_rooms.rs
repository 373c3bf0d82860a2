//! Rooms that are certain, and those who have to fit around them.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, booking::State, feed_event::Event};
use jiff::SignedDuration;
use tonic::{Code, Status};

use super::{
    front_desk::{booked, check_in, check_out, days, suite},
    support::{ALICE, BOB, SUITE, Service, by, cells, fact, fields, reason, stay, suites},
};

pub(crate) async fn pin(
    service: &Service,
    name: &str,
    rooms: &[&str],
) -> Result<v1::Booking, Status> {
    let request = v1::PinRoomsRequest {
        name: name.into(),
        rooms: rooms.iter().map(|number| suite(number)).collect(),
        ..Default::default()
    };
    let answer = service.front_desk().pin_rooms(request).await?;
    Ok(answer.into_inner().booking.unwrap())
}

pub(crate) async fn unpin(service: &Service, name: &str) -> Result<v1::Booking, Status> {
    let request = v1::UnpinRoomsRequest {
        name: name.into(),
        ..Default::default()
    };
    let answer = service.front_desk().unpin_rooms(request).await?;
    Ok(answer.into_inner().booking.unwrap())
}

async fn out_of_order(
    service: &Service,
    number: &str,
    from: &str,
    to: &str,
) -> Result<v1::Booking, Status> {
    let request = v1::TakeOutOfOrderRequest {
        room: suite(number),
        from_date: from.into(),
        to_date: to.into(),
        reason: "Paint".into(),
        ..Default::default()
    };
    let answer = service.front_desk().take_out_of_order(request).await?;
    Ok(answer.into_inner().booking.unwrap())
}

/// The plan, in which nobody sleeps where somebody else does.
async fn plan(service: &Service) -> Vec<v1::RoomPlanRow> {
    let request = v1::GetRoomPlanRequest {
        name: format!("{SUITE}/roomPlan"),
        from_date: "2026-11-20".into(),
        to_date: "2027-02-20".into(),
    };
    let plan = service.front_desk().get_room_plan(request).await;
    let plan = plan.unwrap().into_inner();
    assert!(plan.position.is_some());
    for row in &plan.rows {
        for two in row.stays.windows(2) {
            assert!(two[0].check_out_date <= two[1].check_in_date, "{row:?}");
        }
    }
    plan.rows
}

/// The room of a booking as planned, and whether it is certain.
async fn room_of(service: &Service, name: &str) -> Vec<(String, bool)> {
    let mut rooms = Vec::new();
    for row in plan(service).await {
        let stays = row.stays.iter().filter(|it| it.booking == name);
        rooms.extend(stays.map(|it| (row.room.clone(), it.pinned)));
    }
    rooms
}

/// 301 is certain early and 302 late, so that nobody can sleep through in 303 and another one beside.
pub(crate) async fn fixed(service: &Service) -> [v1::Booking; 3] {
    let early = booked(service, ALICE, "2026-12-01", "2026-12-03", 1).await;
    let late = booked(service, ALICE, "2026-12-03", "2026-12-05", 1).await;
    let long = booked(service, ALICE, "2026-12-01", "2026-12-05", 1).await;
    [
        pin(service, &early.name, &["301"]).await.unwrap(),
        pin(service, &late.name, &["302"]).await.unwrap(),
        long,
    ]
}

#[tokio::test]
async fn a_stay_that_fits_in_no_room_is_refused_though_every_night_has_one() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let [early, late, long] = fixed(&service).await;
        assert_eq!(early.rooms, [suite("301")]);
        assert_eq!(room_of(&service, &early.name).await, [(suite("301"), true)]);
        assert_eq!(room_of(&service, &long.name).await, [(suite("303"), false)]);
        let free = service.free_suites("2026-12-01", "2026-12-05").await;
        assert_eq!(free, [1, 1, 1, 1]);
        let refused = service
            .hold(BOB, suites("2026-12-01", "2026-12-05", 1))
            .await;
        let refused = refused.unwrap_err();
        assert_eq!(reason(&refused), "ROOM_FRAGMENTED");
        assert_eq!(cells(&refused).len(), 4);
        assert_eq!(fact(&refused, "bookings"), None, "guests learn of nobody");
        // Either half fits, and one of them moved into the other refuses the whole.
        let half = booked(&service, BOB, "2026-12-01", "2026-12-03", 1).await;
        assert_eq!(room_of(&service, &half.name).await, [(suite("302"), false)]);
        let request = v1::MoveBookingRequest {
            name: half.name.clone(),
            claim: Some(v1::move_booking_request::Claim::Stay(stay(
                "2026-12-02",
                "2026-12-04",
                1,
            ))),
            ..Default::default()
        };
        let refused = service
            .bookings()
            .move_booking(by(BOB, request.clone()))
            .await;
        assert_eq!(reason(&refused.unwrap_err()), "ROOM_FRAGMENTED");
        assert_eq!(service.get(BOB, &half.name).await.unwrap(), half);

        let loose = unpin(&service, &late.name).await.unwrap();
        assert!(loose.rooms.is_empty());
        let moved = service.bookings().move_booking(by(BOB, request)).await;
        assert!(moved.is_ok(), "{moved:?}");
        plan(&service).await;
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_room_is_certain_for_one() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let one = booked(&service, ALICE, "2026-12-01", "2026-12-03", 1).await;
        let other = booked(&service, BOB, "2026-12-02", "2026-12-04", 1).await;
        let pinned = pin(&service, &one.name, &["302"]).await.unwrap();
        assert_eq!(pin(&service, &one.name, &["302"]).await.unwrap(), pinned);
        let taken = pin(&service, &other.name, &["302"]).await.unwrap_err();
        assert_eq!(taken.code(), Code::FailedPrecondition);
        assert_eq!(reason(&taken), "ROOM_TAKEN");
        assert_eq!(fact(&taken, "bookings"), Some(one.name.clone()));
        let taken = out_of_order(&service, "302", "2026-12-01", "2026-12-02").await;
        assert_eq!(reason(&taken.unwrap_err()), "ROOM_TAKEN");
        // Another room instead, and then the first one is free.
        pin(&service, &one.name, &["301"]).await.unwrap();
        pin(&service, &other.name, &["302"]).await.unwrap();
        service.cancel(ALICE, &one.name).await.unwrap();
        let third = booked(&service, ALICE, "2026-12-01", "2026-12-02", 1).await;
        pin(&service, &third.name, &["301"]).await.unwrap();
        // What the database says by itself.
        use sea_orm::ConnectionTrait as _;
        let sql = service.sql().await;
        let twice = sql
            .execute_unprepared(
                "INSERT INTO room_nights (hotel, room, night, booking) \
                 SELECT hotel, room, night, booking FROM room_nights",
            )
            .await;
        assert!(twice.is_err(), "a room and a night are unique");
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_pinned_hold_that_runs_out_gives_its_room_back() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let held = service
            .hold(ALICE, suites("2026-12-01", "2026-12-03", 1))
            .await;
        let held = held.unwrap().booking.unwrap().name;
        pin(&service, &held, &["301"]).await.unwrap();
        service.clock.advance(SignedDuration::from_mins(11));
        let next = booked(&service, BOB, "2026-12-01", "2026-12-03", 3).await;
        let next = pin(&service, &next.name, &["303", "302", "301"]).await;
        assert_eq!(next.unwrap().rooms.len(), 3);
        let over = pin(&service, &held, &["301"]).await.unwrap_err();
        assert_eq!(reason(&over), "HOLD_EXPIRED");
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_pin_that_leaves_no_plan_is_refused() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let [early, _, long] = fixed(&service).await;
        let half = booked(&service, BOB, "2026-12-01", "2026-12-03", 1).await;
        booked(&service, BOB, "2026-12-03", "2026-12-05", 1).await;
        let refused = pin(&service, &half.name, &["303"]).await.unwrap_err();
        assert_eq!(reason(&refused), "ROOM_FRAGMENTED");
        assert!(fact(&refused, "bookings").is_some());
        assert_eq!(service.get(BOB, &half.name).await.unwrap(), half);
        let refused = pin(&service, &long.name, &["301"]).await.unwrap_err();
        assert_eq!(reason(&refused), "ROOM_TAKEN");
        assert_eq!(fact(&refused, "bookings"), Some(early.name));
        pin(&service, &long.name, &[]).await.unwrap();
        assert_eq!(room_of(&service, &long.name).await, [(suite("303"), true)]);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_room_out_of_order_is_not_sold() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let broken = out_of_order(&service, "302", "2026-12-01", "2026-12-03").await;
        let broken = broken.unwrap();
        assert_eq!(broken.kind(), v1::booking::Kind::OutOfOrder);
        assert_eq!(broken.state(), State::Confirmed);
        assert_eq!(broken.rooms, [suite("302")]);
        assert_eq!(broken.total_price.as_ref().unwrap().amount_minor, 0);
        assert_eq!(broken.title, "Paint");
        assert_eq!(
            service.free_suites("2026-12-01", "2026-12-03").await,
            [2, 2]
        );
        let events = service.events(None).await;
        let Some(Event::BookingChanged(last)) = events.last().unwrap().event.clone() else {
            panic!("a booking")
        };
        assert_eq!(last.kind(), v1::booking::Kind::OutOfOrder);
        assert_eq!((last.state(), last.items.len()), (State::Confirmed, 2));

        let twice = out_of_order(&service, "302", "2026-12-02", "2026-12-04").await;
        assert_eq!(reason(&twice.unwrap_err()), "ROOM_TAKEN");
        booked(&service, ALICE, "2026-12-02", "2026-12-03", 2).await;
        let full = out_of_order(&service, "301", "2026-12-01", "2026-12-03").await;
        assert_eq!(reason(&full.unwrap_err()), "CELL_UNAVAILABLE");
        for lodged in [
            check_in(&service, &broken.name, &[]).await,
            pin(&service, &broken.name, &["301"]).await,
            unpin(&service, &broken.name).await,
            check_out(&service, &broken.name).await,
        ] {
            assert_eq!(reason(&lodged.unwrap_err()), "BOOKING_STATE");
        }
        let guest = service.get(ALICE, &broken.name).await.unwrap_err();
        assert_eq!(guest.code(), Code::NotFound);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_block_has_rooms_in_the_plan_and_guests_pick_them_up() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let early = booked(&service, ALICE, "2026-12-01", "2026-12-03", 1).await;
        pin(&service, &early.name, &["301"]).await.unwrap();
        let late = booked(&service, ALICE, "2026-12-03", "2026-12-05", 1).await;
        pin(&service, &late.name, &["302"]).await.unwrap();
        let block = |rooms| v1::CreateBlockRequest {
            room_type: SUITE.into(),
            from_date: "2026-12-01".into(),
            to_date: "2026-12-05".into(),
            rooms,
            release_time: Some(prost_types::Timestamp {
                seconds: service.clock_seconds() + 86_400,
                nanos: 0,
            }),
            ..Default::default()
        };
        let refused = service.front_desk().create_block(block(2)).await;
        assert_eq!(reason(&refused.unwrap_err()), "ROOM_FRAGMENTED");
        let made = service.front_desk().create_block(block(1)).await.unwrap();
        let made = made.into_inner().booking.unwrap();
        assert_eq!(made.kind(), v1::booking::Kind::Block);
        assert_eq!(room_of(&service, &made.name).await, [(suite("303"), false)]);
        let mut picked = suites("2026-12-02", "2026-12-04", 1);
        picked.block = made.name.clone();
        let picked = service.hold(BOB, picked).await.unwrap().booking.unwrap();
        assert_eq!(picked.block, made.name);
        assert_eq!(
            room_of(&service, &picked.name).await,
            [(suite("303"), false)]
        );
        assert_eq!(room_of(&service, &made.name).await.len(), 2, "what is left");
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn what_is_wrong_at_the_front_desk_is_said() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let unknown = out_of_order(&service, "999", "2026-12-01", "2026-12-02").await;
        assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
        for (from, to, field) in [
            ("2026-11-19", "2026-11-21", "from_date"),
            ("2026-12-02", "2026-12-02", "to_date"),
            ("2026-12-01", "2027-12-02", "to_date"),
        ] {
            let wrong = out_of_order(&service, "301", from, to).await;
            let want = [(field.to_owned(), "RANGE".to_owned())];
            assert_eq!(fields(&wrong.unwrap_err()), want, "{from} to {to}");
        }
        let request = v1::TakeOutOfOrderRequest {
            room: suite("301"),
            from_date: "tomorrow".into(),
            reason: "x".repeat(201),
            request_id: "ä".into(),
            ..Default::default()
        };
        let wrong = service.front_desk().take_out_of_order(request).await;
        assert_eq!(fields(&wrong.unwrap_err()).len(), 4);
        for (name, code) in [
            (SUITE, Code::InvalidArgument),
            ("hotels/banyan-bay/roomTypes/x/roomPlan", Code::NotFound),
        ] {
            let request = v1::GetRoomPlanRequest {
                name: name.into(),
                from_date: "2026-12-01".into(),
                to_date: "2026-12-02".into(),
            };
            let wrong = service.front_desk().get_room_plan(request).await;
            assert_eq!(wrong.unwrap_err().code(), code, "{name}");
        }
        let request = v1::GetRoomPlanRequest {
            name: format!("{SUITE}/roomPlan"),
            from_date: "2026-12-01".into(),
            to_date: "2028-12-02".into(),
        };
        let wrong = service.front_desk().get_room_plan(request).await;
        let want = [("to_date".to_owned(), "RANGE".to_owned())];
        assert_eq!(fields(&wrong.unwrap_err()), want);
        let missing = unpin(&service, "bookings/x").await.unwrap_err();
        assert_eq!(missing.code(), Code::NotFound);
    }
}

#[tokio::test]
async fn a_guest_who_is_there_may_change_rooms_but_not_lose_them() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let stay = booked(&service, ALICE, "2026-11-20", "2026-11-23", 1).await;
        check_in(&service, &stay.name, &["301"]).await.unwrap();
        let lost = unpin(&service, &stay.name).await.unwrap_err();
        assert_eq!(reason(&lost), "BOOKING_STATE");
        days(&service, 1);
        let moved = pin(&service, &stay.name, &["303"]).await.unwrap();
        assert_eq!(moved.state(), State::CheckedIn);
        assert_eq!(moved.rooms, [suite("303")]);
        // The room that was left is free for certain.
        let next = booked(&service, BOB, "2026-11-21", "2026-11-23", 1).await;
        check_in(&service, &next.name, &["301"]).await.unwrap();
        service.assert_sound().await;
    }
}
