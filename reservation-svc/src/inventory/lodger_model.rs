//! Whatever guests and the front desk do, and in whatever batches: everybody who is to sleep in a room type fits into
//! its rooms, those included who have theirs for certain, the database knows the same rooms as the bookings, and nobody
//! waits for what could be had.

use std::collections::HashSet;

use banyan_mesh::testing::TestDatabase;
use jiff::{
    SignedDuration, ToSpan as _,
    civil::{Date, date},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use uuid::Uuid;

use super::{Action, Command, Hold, Lodge, OutOfOrder, Rejection, testing::Rig};
use crate::domain::{
    booking::State,
    cell::{Block, CellKey, PoolId, Slot},
    claim::{self, Claim, Nights, Stay},
    lodging::{self, Lodging},
    name::{BookingId, HotelId, RoomId, RoomTypeId},
    request::Principal,
    wait_entry::Line,
};
use crate::store::{Session, testing::room_nights};

const ROOM_TYPE: &str = "hotels/banyan-bay/roomTypes/banyan-suite";
const NUMBERS: [&str; 3] = ["301", "302", "303"];
/// When the clock begins.
const FIRST: Date = date(2026, 11, 20);

#[derive(Clone, Debug)]
enum Step {
    /// At once, in that order.
    Ask(Vec<Ask>),
    Tomorrow,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    first: i64,
    nights: i64,
    rooms: i64,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Hold(Span, bool),
    Join(Span),
    Cancel(usize),
    Move(usize, Span),
    CheckIn(usize),
    CheckOut(usize),
    NoShow(usize),
    /// To so many rooms from that one on; none for those of the plan.
    Pin(usize, usize, usize),
    Unpin(usize),
    OutOfOrder(usize, Span),
}

fn span() -> impl Strategy<Value = Span> {
    (0..12i64, 1..=4i64, 1..=2i64).prop_map(|(first, nights, rooms)| Span {
        first,
        nights,
        rooms,
    })
}

fn ask() -> impl Strategy<Value = Ask> {
    let which = || 0..12usize;
    prop_oneof![
        6 => (span(), any::<bool>()).prop_map(|(span, confirm)| Ask::Hold(span, confirm)),
        3 => span().prop_map(Ask::Join),
        2 => which().prop_map(Ask::Cancel),
        2 => (which(), span()).prop_map(|(which, span)| Ask::Move(which, span)),
        2 => which().prop_map(Ask::CheckIn),
        1 => which().prop_map(Ask::CheckOut),
        1 => which().prop_map(Ask::NoShow),
        5 => (which(), 0..3usize, 0..3usize).prop_map(|(which, from, count)| Ask::Pin(which, from, count)),
        1 => which().prop_map(Ask::Unpin),
        1 => (0..3usize, span()).prop_map(|(room, span)| Ask::OutOfOrder(room, span)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => vec(ask(), 1..2).prop_map(Step::Ask),
        4 => vec(ask(), 2..10).prop_map(Step::Ask),
        1 => Just(Step::Tomorrow),
    ]
}

fn stay(span: Span) -> Stay {
    let day = |n: i64| FIRST.saturating_add(n.days());
    Stay {
        room_type: RoomTypeId::parse(ROOM_TYPE).unwrap(),
        nights: Nights::new(day(span.first), day(span.first + span.nights)).unwrap(),
        rooms: span.rooms,
    }
}

fn room(number: usize) -> RoomId {
    RoomId {
        hotel: HotelId("banyan-bay".into()),
        number: NUMBERS[number % 3].into(),
    }
}

fn action(known: &[BookingId], ask: Ask) -> Option<Action> {
    let lodge = |which: usize, change| {
        Some(Action::Lodge {
            booking: *known.get(which)?,
            etag: None,
            change,
        })
    };
    match ask {
        Ask::Hold(span, confirm) => Some(Action::Hold(Hold {
            confirm,
            ..Hold::of(
                Claim::Stay(stay(span)).into(),
                SignedDuration::from_mins(30),
            )
        })),
        Ask::Join(span) => Some(Action::Join {
            ask: Claim::Stay(stay(span)).into(),
            contact: None,
        }),
        Ask::Cancel(which) => Some(Action::Cancel {
            booking: *known.get(which)?,
            etag: None,
            accepted_fee: None,
        }),
        Ask::Move(which, span) => Some(Action::Move {
            booking: *known.get(which)?,
            etag: None,
            claim: Claim::Stay(stay(span)).into(),
            expected_total: None,
        }),
        Ask::CheckIn(which) => lodge(which, Lodge::CheckIn(Vec::new())),
        Ask::CheckOut(which) => lodge(which, Lodge::CheckOut),
        Ask::NoShow(which) => lodge(which, Lodge::NoShow),
        Ask::Pin(which, from, count) => {
            lodge(which, Lodge::Pin((from..from + count).map(room).collect()))
        }
        Ask::Unpin(which) => lodge(which, Lodge::Unpin),
        Ask::OutOfOrder(number, span) => Some(Action::TakeOutOfOrder(OutOfOrder {
            number: room(number).number,
            claim: Claim::Stay(Stay {
                rooms: 1,
                ..stay(span)
            })
            .into(),
            reason: String::new(),
        })),
    }
}

async fn play(rig: &Rig, known: &mut Vec<BookingId>, step: &Step) {
    match step {
        Step::Ask(asks) => {
            let command = |action| Command {
                principal: Principal::operator(),
                request: None,
                deadline: None,
                action,
            };
            let actions = asks.iter().filter_map(|ask| action(known, *ask));
            let commands = actions.map(command).collect();
            for result in rig.inventory.submit_many(commands).await {
                match result {
                    Ok(outcome) if outcome.entry.is_some() => {}
                    Ok(outcome) => {
                        let id = BookingId::parse(&outcome.booking.name).unwrap();
                        if !known.contains(&id) {
                            known.push(id);
                        }
                    }
                    Err(Rejection::Refused(_) | Rejection::Invalid { .. }) => {}
                    Err(other) => panic!("{other:?} of {step:?}"),
                }
            }
        }
        Step::Tomorrow => rig.advance(SignedDuration::from_hours(24)),
    }
    compare(rig).await;
}

async fn compare(rig: &Rig) {
    let types = [RoomTypeId::parse(ROOM_TYPE).unwrap()];
    let now = rig.inventory.now();
    let session = rig.inventory.store().read().await.unwrap();
    let hotel = session.hotel(&types[0].hotel).await.unwrap().unwrap();
    let today = Slot::of_night(hotel.today(now));
    let lodgers = session.lodgers_of(&types, today).await.unwrap();
    let plan = session.plan_of(&types, today).await.unwrap();
    let units = lodgers
        .iter()
        .map(|it| (it.id, lodging::units(it, &[], it.state_at(now), today)));
    let units: Vec<_> = units.filter(|(_, units)| !units.is_empty()).collect();
    let rooms = NUMBERS.map(str::to_owned).to_vec();
    let mut lodging = Lodging::new(rooms, units, &plan);
    assert_eq!(lodging.is_planned(), Ok(()), "{:?}", lodging.units());
    // With every day that passes there is more room, and nobody is asked.
    if today == Slot::of_night(FIRST) {
        nobody_waits_in_vain(&session, &mut lodging, today).await;
    }

    let mut certain: Vec<(String, i64, String)> = Vec::new();
    // Of holds that have run out, some rooms may be free already.
    let lapsed = lodgers
        .iter()
        .filter(|it| it.state_at(now) == State::Expired);
    let lapsed: Vec<_> = lapsed.map(|it| it.id.0.to_string()).collect();
    for it in &lodgers {
        let Some((rooms, nights)) = lodging::certain(it) else {
            continue;
        };
        for number in rooms {
            let nights = nights.start.max(today).0..nights.end.0;
            certain.extend(nights.map(|night| (number.clone(), night, it.id.0.to_string())));
        }
    }
    certain.sort_unstable();
    let mut stored = room_nights(&rig.database.url, today.0).await;
    let lives = |it: &(String, i64, String)| !lapsed.contains(&it.2);
    stored.retain(lives);
    certain.retain(lives);
    stored.sort_unstable();
    assert_eq!(stored, certain);
}

async fn nobody_waits_in_vain(session: &Session, lodging: &mut Lodging, today: Slot) {
    let id = RoomTypeId::parse(ROOM_TYPE).unwrap();
    let room_type = session.room_type(&id).await.unwrap().unwrap();
    let line = HashSet::from([Line::RoomType(id)]);
    for entry in session.lines(&line).await.unwrap() {
        let claim::Ask::Claim(Claim::Stay(stay)) = &entry.ask else {
            panic!("{entry:?}")
        };
        let units = lodging::units_of(stay, &[], today);
        let fits = lodging.could_replace(BookingId(Uuid::nil()), &units);
        let is_free = free(session, room_type.pool, stay).await >= stay.rooms;
        let others = lodging.units();
        assert!(!is_free || fits.is_err(), "{stay:?} beside {others:?}");
    }
}

/// Rooms that are free on every night of a stay.
async fn free(session: &Session, pool: PoolId, stay: &Stay) -> i64 {
    let slots = stay.nights.slots();
    let block = Block {
        pools: vec![pool],
        slots: slots.clone(),
    };
    let cells = session.cells(&block).await.unwrap();
    let taken = |slot| {
        let slot = Slot(slot);
        cells.get(&CellKey { pool, slot }).map_or(0, |it| it.taken)
    };
    let most = (slots.start.0..slots.end.0).map(taken).max();
    i64::try_from(NUMBERS.len()).unwrap() - most.unwrap()
}

#[test]
fn everybody_always_fits_in() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for (kind, cases) in [(0, 24), (1, 6)] {
        let mut runner = TestRunner::new(Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        });
        let case = |steps: Vec<Step>| {
            // One of each kind; without PostgreSQL there is SQLite only.
            let Some(database) = TestDatabase::each().into_iter().nth(kind) else {
                return Ok(());
            };
            runtime.block_on(async {
                let rig = Rig::start(database).await;
                let mut known = Vec::new();
                for step in &steps {
                    play(&rig, &mut known, step).await;
                }
            });
            Ok(())
        };
        runner.run(&vec(step(), 1..25), case).unwrap();
    }
}
