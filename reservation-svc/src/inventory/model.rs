//! The inventory against a model of it: random commands must be granted and refused exactly as the model says, cells
//! must add up after each, and the feed alone must rebuild what the database holds.

use std::collections::HashMap;

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1::{self, feed_event::Event};
use jiff::{
    SignedDuration, ToSpan as _,
    civil::{Date, date},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use prost::Message as _;

use super::{Action, Command, Hold, Outcome, Rejection, testing::Rig};
use crate::domain::{
    cell::{Block, CellKey, Slot},
    claim::{Claim, Nights, Stay},
    name::{BookingId, RoomTypeId},
    refusal::Reason,
    request::Principal,
};

const ROOM_TYPE: &str = "hotels/banyan-bay/roomTypes/banyan-suite";
const CAPACITY: i64 = 3;
const DAYS: usize = 5;
const FIRST: Date = date(2026, 12, 1);

#[derive(Clone, Debug)]
enum Step {
    Hold {
        first: usize,
        nights: usize,
        rooms: i64,
        minutes: i64,
    },
    Confirm(usize),
    Cancel(usize),
    Move {
        which: usize,
        first: usize,
        nights: usize,
        rooms: i64,
    },
    Advance(i64),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let span = || (0..DAYS, 1..=3usize, 1..=3i64);
    prop_oneof![
        4 => (span(), 1..30i64).prop_map(|((first, nights, rooms), minutes)| Step::Hold { first, nights, rooms, minutes }),
        2 => (0..8usize).prop_map(Step::Confirm),
        2 => (0..8usize).prop_map(Step::Cancel),
        2 => (0..8usize, span()).prop_map(|(which, (first, nights, rooms))| Step::Move { which, first, nights, rooms }),
        2 => (1..20i64).prop_map(Step::Advance),
        1 => Just(Step::Sweep),
    ]
}

/// A booking as the model knows it: live until it expires (in minutes from the start) or is cancelled.
#[derive(Clone, Debug)]
struct Known {
    id: BookingId,
    first: usize,
    nights: usize,
    rooms: i64,
    expires: Option<i64>,
    cancelled: bool,
}

#[derive(Default)]
struct Model {
    minute: i64,
    bookings: Vec<Known>,
}

impl Model {
    fn lapsed(&self, known: &Known) -> bool {
        known.expires.is_some_and(|at| at <= self.minute)
    }

    fn free(&self, day: usize, but: Option<BookingId>) -> i64 {
        let live = |it: &&Known| !it.cancelled && !self.lapsed(it) && Some(it.id) != but;
        let taken = self
            .bookings
            .iter()
            .filter(live)
            .filter(|it| (it.first..it.first + it.nights).contains(&day));
        CAPACITY - taken.map(|it| it.rooms).sum::<i64>()
    }

    fn fits(
        &self,
        first: usize,
        nights: usize,
        rooms: i64,
        but: Option<BookingId>,
    ) -> Result<(), Reason> {
        let fits = (first..first + nights).all(|day| self.free(day, but) >= rooms);
        if fits {
            Ok(())
        } else {
            Err(Reason::CellUnavailable)
        }
    }

    fn live(&self, known: &Known) -> Result<(), Reason> {
        match known {
            it if it.cancelled => Err(Reason::BookingState),
            it if self.lapsed(it) => Err(Reason::HoldExpired),
            _ => Ok(()),
        }
    }
}

fn claim(first: usize, nights: usize, rooms: i64) -> Claim {
    let day = |n: usize| FIRST.saturating_add(i64::try_from(n).unwrap().days());
    Claim::Stay(Stay {
        room_type: RoomTypeId::parse(ROOM_TYPE).unwrap(),
        nights: Nights::new(day(first), day(first + nights)).unwrap(),
        rooms,
    })
}

async fn submit(rig: &Rig, action: Action) -> Result<Outcome, Reason> {
    let command = Command {
        principal: Principal::provider(),
        request: None,
        deadline: None,
        action,
    };
    match rig.inventory.submit(command).await {
        Ok(outcome) => Ok(outcome),
        Err(Rejection::Refused(refusal)) => Err(refusal.reason),
        Err(other) => panic!("{other:?}"),
    }
}

async fn play(rig: &Rig, model: &mut Model, step: &Step) {
    match step.clone() {
        Step::Hold {
            first,
            nights,
            rooms,
            minutes,
        } => {
            let duration = SignedDuration::from_mins(minutes);
            let hold = Hold {
                claim: claim(first, nights, rooms),
                contact: None,
                duration,
                confirm: false,
                sells_started: false,
            };
            let result = submit(rig, Action::Hold(hold)).await;
            assert_eq!(
                result.as_ref().map(drop).map_err(|it| *it),
                model.fits(first, nights, rooms, None)
            );
            if let Ok(outcome) = result {
                let id = BookingId::parse(&outcome.booking.name).unwrap();
                let expires = Some(model.minute + minutes);
                model.bookings.push(Known {
                    id,
                    first,
                    nights,
                    rooms,
                    expires,
                    cancelled: false,
                });
            }
        }
        Step::Confirm(which) => {
            let Some(known) = model.bookings.get(which).cloned() else {
                return;
            };
            let confirmed = if known.expires.is_none() {
                Err(Reason::BookingState)
            } else {
                Ok(())
            };
            let want = model.live(&known).and(confirmed);
            let result = submit(
                rig,
                Action::Confirm {
                    booking: known.id,
                    etag: None,
                },
            )
            .await;
            assert_eq!(result.map(drop), want);
            if want.is_ok() {
                model.bookings[which].expires = None;
            }
        }
        Step::Cancel(which) => {
            let Some(known) = model.bookings.get(which).cloned() else {
                return;
            };
            let want = model.live(&known);
            let result = submit(
                rig,
                Action::Cancel {
                    booking: known.id,
                    etag: None,
                },
            )
            .await;
            assert_eq!(result.map(drop), want);
            if want.is_ok() {
                model.bookings[which].cancelled = true;
                model.bookings[which].expires = None;
            }
        }
        Step::Move {
            which,
            first,
            nights,
            rooms,
        } => {
            let Some(known) = model.bookings.get(which).cloned() else {
                return;
            };
            let want = model
                .live(&known)
                .and(model.fits(first, nights, rooms, Some(known.id)));
            let action = Action::Move {
                booking: known.id,
                etag: None,
                claim: claim(first, nights, rooms),
            };
            assert_eq!(submit(rig, action).await.map(drop), want);
            if want.is_ok() {
                model.bookings[which] = Known {
                    first,
                    nights,
                    rooms,
                    ..known
                };
            }
        }
        Step::Advance(minutes) => {
            rig.advance(SignedDuration::from_mins(minutes));
            model.minute += minutes;
        }
        Step::Sweep => drop(rig.inventory.sweep().await.unwrap()),
    }
    compare(rig, model).await;
}

/// Free rooms by the database and by the model.
async fn compare(rig: &Rig, model: &Model) {
    let session = rig.inventory.store().read().await.unwrap();
    let pool = session
        .room_type(&RoomTypeId::parse(ROOM_TYPE).unwrap())
        .await
        .unwrap()
        .unwrap()
        .pool;
    let first = Slot::of_night(FIRST);
    let block = Block {
        pools: vec![pool],
        slots: first..Slot(first.0 + 10),
    };
    let cells = session.cells(&block).await.unwrap();
    let lapsed = session.lapsed(&block, rig.inventory.now()).await.unwrap();
    for day in 0..10usize {
        let key = CellKey {
            pool,
            slot: Slot(first.0 + i64::try_from(day).unwrap()),
        };
        let taken =
            cells.get(&key).map_or(0, |cell| cell.taken) - lapsed.get(&key).copied().unwrap_or(0);
        assert_eq!(CAPACITY - taken, model.free(day, None), "day {day}");
    }
}

/// What the feed says is taken by night, and what the database says.
async fn rebuild(rig: &Rig) {
    let session = rig.inventory.store().read().await.unwrap();
    let mut items: HashMap<String, Vec<v1::BookingItem>> = HashMap::new();
    for bytes in session.events_after(0, 100_000).await.unwrap() {
        if let Some(Event::BookingChanged(it)) = v1::FeedEvent::decode(&bytes[..]).unwrap().event {
            items.insert(it.booking, it.items);
        }
    }
    let mut told: HashMap<i64, i64> = HashMap::new();
    for item in items.into_values().flatten() {
        let Some(v1::cell_ref::Cell::Night(night)) = item.cell.and_then(|it| it.cell) else {
            panic!("a night")
        };
        *told
            .entry(Slot::of_night(night.date.parse().unwrap()).0)
            .or_default() += i64::from(item.quantity);
    }
    let pool = session
        .room_type(&RoomTypeId::parse(ROOM_TYPE).unwrap())
        .await
        .unwrap()
        .unwrap()
        .pool;
    let first = Slot::of_night(FIRST);
    let block = Block {
        pools: vec![pool],
        slots: first..Slot(first.0 + 10),
    };
    for (key, cell) in session.cells(&block).await.unwrap() {
        assert_eq!(told.get(&key.slot.0).copied().unwrap_or(0), cell.taken);
    }
}

#[test]
fn the_inventory_does_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let steps = vec(step(), 1..40);
    runner
        .run(&steps, |steps| {
            runtime.block_on(async {
                let rig = Rig::start(TestDatabase::sqlite()).await;
                let mut model = Model::default();
                for step in &steps {
                    play(&rig, &mut model, step).await;
                }
                rebuild(&rig).await;
            });
            Ok(())
        })
        .unwrap();
}
