//! The inventory against a model of it: random commands, alone and many at once, must be granted and refused exactly as
//! the model says when it is asked one after the other; cells must add up, every refusal must be at the last change
//! before it, and the feed alone must rebuild what the database holds.

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
    /// At once, in that order.
    Ask(Vec<Ask>),
    Advance(i64),
    Sweep,
}

/// A run of nights and how many rooms.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: usize,
    nights: usize,
    rooms: i64,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Hold(Span, i64),
    Confirm(usize),
    Cancel(usize),
    Move(usize, Span),
}

fn ask() -> impl Strategy<Value = Ask> {
    let span = || {
        let span = (0..DAYS, 1..=3usize, 1..=3i64);
        span.prop_map(|(first, nights, rooms)| Span {
            first,
            nights,
            rooms,
        })
    };
    prop_oneof![
        4 => (span(), 1..30i64).prop_map(|(span, minutes)| Ask::Hold(span, minutes)),
        2 => (0..8usize).prop_map(Ask::Confirm),
        2 => (0..8usize).prop_map(Ask::Cancel),
        2 => (0..8usize, span()).prop_map(|(which, span)| Ask::Move(which, span)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(ask(), 1..2).prop_map(Step::Ask),
        4 => vec(ask(), 2..12).prop_map(Step::Ask),
        2 => (1..20i64).prop_map(Step::Advance),
        1 => Just(Step::Sweep),
    ]
}

/// A booking as the model knows it: live until it expires (in minutes from the start) or is cancelled.
#[derive(Clone, Debug)]
struct Known {
    id: BookingId,
    span: Span,
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
            .map(|it| it.span)
            .filter(|it| (it.first..it.first + it.nights).contains(&day));
        CAPACITY - taken.map(|it| it.rooms).sum::<i64>()
    }

    fn fits(&self, span: Span, but: Option<BookingId>) -> Result<(), Reason> {
        let mut days = span.first..span.first + span.nights;
        if days.all(|day| self.free(day, but) >= span.rooms) {
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

    /// What is asked of the inventory; nothing if it is about a booking that is not there (yet).
    fn action(&self, ask: Ask) -> Option<Action> {
        let id = |which: usize| Some(self.bookings.get(which)?.id);
        let etag = None;
        Some(match ask {
            Ask::Hold(span, minutes) => Action::Hold(Hold {
                claim: claim(span).into(),
                expected_total: None,
                party: None,
                block: None,
                contact: None,
                duration: SignedDuration::from_mins(minutes),
                confirm: false,
                sells_started: false,
            }),
            Ask::Confirm(which) => Action::Confirm {
                booking: id(which)?,
                etag,
                payment: None,
            },
            Ask::Cancel(which) => Action::Cancel {
                booking: id(which)?,
                etag,
                accepted_fee: None,
            },
            Ask::Move(which, span) => Action::Move {
                booking: id(which)?,
                etag,
                claim: claim(span).into(),
                expected_total: None,
            },
        })
    }

    /// What must be answered.
    fn judge(&self, ask: Ask) -> Result<(), Reason> {
        match ask {
            Ask::Hold(span, _) => self.fits(span, None),
            Ask::Confirm(which) => {
                let known = &self.bookings[which];
                self.live(known)?;
                let held = known.expires.is_some();
                held.then_some(()).ok_or(Reason::BookingState)
            }
            Ask::Cancel(which) => self.live(&self.bookings[which]),
            Ask::Move(which, span) => {
                let known = &self.bookings[which];
                self.live(known)?;
                self.fits(span, Some(known.id))
            }
        }
    }

    /// Does what was granted.
    fn grant(&mut self, ask: Ask, outcome: &Outcome) {
        match ask {
            Ask::Hold(span, minutes) => self.bookings.push(Known {
                id: BookingId::parse(&outcome.booking.name).unwrap(),
                span,
                expires: Some(self.minute + minutes),
                cancelled: false,
            }),
            Ask::Confirm(which) => self.bookings[which].expires = None,
            Ask::Cancel(which) => {
                self.bookings[which].cancelled = true;
                self.bookings[which].expires = None;
            }
            Ask::Move(which, span) => self.bookings[which].span = span,
        }
    }
}

fn claim(span: Span) -> Claim {
    let day = |n: usize| FIRST.saturating_add(i64::try_from(n).unwrap().days());
    Claim::Stay(Stay {
        room_type: RoomTypeId::parse(ROOM_TYPE).unwrap(),
        nights: Nights::new(day(span.first), day(span.first + span.nights)).unwrap(),
        rooms: span.rooms,
    })
}

async fn play(rig: &Rig, model: &mut Model, step: &Step) {
    match step {
        Step::Ask(asks) => ask_all(rig, model, asks).await,
        Step::Advance(minutes) => {
            rig.advance(SignedDuration::from_mins(*minutes));
            model.minute += minutes;
        }
        Step::Sweep => drop(rig.inventory.sweep().await.unwrap()),
    }
    compare(rig, model).await;
}

/// Asks the inventory all at once, and the model one after the other.
async fn ask_all(rig: &Rig, model: &mut Model, asks: &[Ask]) {
    let command = |action| Command {
        principal: Principal::provider(),
        request: None,
        deadline: None,
        action,
    };
    let asked = asks.iter().filter_map(|it| Some((*it, model.action(*it)?)));
    let (asks, actions): (Vec<_>, Vec<_>) = asked.unzip();
    let commands = actions.into_iter().map(command).collect();
    let mut last = 0;
    for (ask, result) in asks
        .into_iter()
        .zip(rig.inventory.submit_many(commands).await)
    {
        let want = model.judge(ask);
        match result {
            Ok(outcome) => {
                assert_eq!(want, Ok(()), "{ask:?}");
                assert!(outcome.position.sequence > last, "{ask:?}");
                last = outcome.position.sequence;
                model.grant(ask, &outcome);
            }
            Err(Rejection::Refused(refusal)) => {
                assert_eq!(want, Err(refusal.reason), "{ask:?}");
                let at = refusal.position.sequence;
                assert!(at == last || last == 0, "{ask:?} at {at}, not at {last}");
                last = at;
            }
            Err(other) => panic!("{ask:?}: {other:?}"),
        }
    }
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
    for (kind, cases) in [(0, 24), (1, 8)] {
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
                let mut model = Model::default();
                for step in &steps {
                    play(&rig, &mut model, step).await;
                }
                rebuild(&rig).await;
            });
            Ok(())
        };
        runner.run(&vec(step(), 1..30), case).unwrap();
    }
}
