//! Facts are a function of the feed alone: however it is cut into deliveries, repeated or replayed from zero, the tables
//! come out as a model that knows no batches says.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use banyan_mesh::{
    database::{Database, DatabaseSettings},
    process::Process,
    testing::TestDatabase,
};
use jiff::Timestamp;
use proptest::{prelude::*, test_runner::TestRunner};
use sea_orm::EntityTrait;

use super::{
    ApplyError, Store,
    tables::{
        hotels, night_claims, night_denials, room_types, screenings, seat_claims, seat_denials,
    },
};
use crate::{
    domain::{
        change::{
            Booking, BookingState, Cell, Change, Claim, Denied, Event, Hotel, Money, Position,
            RoomType, Screening,
        },
        name::{BookingName, HotelName, Night, RoomTypeName, ScreeningName},
    },
    migration::Migrator,
};

/// All facts, sorted.
#[derive(Debug, Default, PartialEq)]
struct Facts {
    hotels: Vec<hotels::Model>,
    room_types: Vec<room_types::Model>,
    screenings: Vec<screenings::Model>,
    night_claims: Vec<night_claims::Model>,
    seat_claims: Vec<seat_claims::Model>,
    night_denials: Vec<night_denials::Model>,
    seat_denials: Vec<seat_denials::Model>,
}

async fn rows<E: EntityTrait>(store: &Store) -> Vec<E::Model>
where
    E::Model: Ord,
{
    let mut rows = E::find().all(store.connection().unwrap()).await.unwrap();
    rows.sort();
    rows
}

async fn facts(store: &Store) -> Facts {
    Facts {
        hotels: rows::<hotels::Entity>(store).await,
        room_types: rows::<room_types::Entity>(store).await,
        screenings: rows::<screenings::Entity>(store).await,
        night_claims: rows::<night_claims::Entity>(store).await,
        seat_claims: rows::<seat_claims::Entity>(store).await,
        night_denials: rows::<night_denials::Entity>(store).await,
        seat_denials: rows::<seat_denials::Entity>(store).await,
    }
}

/// What the facts should be: one event at a time, nothing clever.
#[derive(Default)]
struct Model {
    hotels: BTreeMap<String, hotels::Model>,
    room_types: BTreeMap<String, room_types::Model>,
    screenings: BTreeMap<String, screenings::Model>,
    bookings: BTreeMap<String, Booking>,
    refusals: Vec<(Cell, String, i64)>,
}

impl Model {
    fn of(changes: &[Change]) -> Facts {
        let mut model = Self::default();
        for change in changes.iter().cloned() {
            model.take(change);
        }
        model.facts()
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Hotel(hotel) => {
                let row = hotels::Model {
                    name: hotel.name.to_string(),
                    display_name: hotel.display_name,
                    time_zone: hotel.time_zone,
                    currency_code: hotel.currency_code,
                };
                self.hotels.insert(row.name.clone(), row);
            }
            Change::RoomType(room_type) => {
                let row = room_types::Model {
                    name: room_type.name.to_string(),
                    hotel: room_type.name.hotel().to_string(),
                    capacity: room_type.capacity,
                };
                self.room_types.insert(row.name.clone(), row);
            }
            Change::Screening(screening) => {
                let row = screenings::Model {
                    name: screening.name.to_string(),
                    movie: screening.movie,
                    start_time_us: screening.start_time.map(Timestamp::as_microsecond),
                    capacity: screening.capacity,
                    removed: screening.removed,
                };
                self.screenings.insert(row.name.clone(), row);
            }
            Change::Booking(booking) => {
                self.bookings.insert(booking.name.to_string(), booking);
            }
            Change::Denied(denied) => {
                self.refusals
                    .push((denied.cell, denied.reason, denied.count));
            }
        }
    }

    fn facts(self) -> Facts {
        let mut facts = Facts {
            hotels: self.hotels.into_values().collect(),
            room_types: self.room_types.into_values().collect(),
            screenings: self.screenings.into_values().collect(),
            ..Facts::default()
        };
        for booking in self.bookings.into_values() {
            for (cell, claim) in &booking.items {
                facts.claim(&booking, cell, claim);
            }
        }
        for (cell, reason, requests) in self.refusals {
            facts.refuse(cell, reason, requests);
        }
        facts.night_claims.sort();
        facts.seat_claims.sort();
        facts.night_denials.sort();
        facts.seat_denials.sort();
        facts
    }
}

impl Facts {
    fn claim(&mut self, booking: &Booking, cell: &Cell, claim: &Claim) {
        let state = booking.state.as_str().to_owned();
        let Money {
            currency_code,
            amount_minor,
        } = claim.price.clone();
        match cell {
            Cell::Night(room_type, night) => self.night_claims.push(night_claims::Model {
                booking: booking.name.to_string(),
                room_type: room_type.to_string(),
                night: night.to_string(),
                hotel: room_type.hotel().to_string(),
                state,
                quantity: claim.quantity,
                currency_code,
                amount_minor,
            }),
            Cell::Seat(screening, seat) => self.seat_claims.push(seat_claims::Model {
                booking: booking.name.to_string(),
                screening: screening.to_string(),
                seat: seat.clone(),
                state,
                quantity: claim.quantity,
                currency_code,
                amount_minor,
            }),
        }
    }

    fn refuse(&mut self, cell: Cell, reason: String, requests: i64) {
        match cell {
            Cell::Night(room_type, night) => {
                let (room_type, night) = (room_type.to_string(), night.to_string());
                let known = self.night_denials.iter_mut().find(|row| {
                    (&row.room_type, &row.night, &row.reason) == (&room_type, &night, &reason)
                });
                match known {
                    Some(row) => row.requests += requests,
                    None => self.night_denials.push(night_denials::Model {
                        hotel: RoomTypeName::parse(&room_type).unwrap().hotel().to_string(),
                        room_type,
                        night,
                        reason,
                        requests,
                    }),
                }
            }
            Cell::Seat(screening, seat) => {
                let screening = screening.to_string();
                let known = self.seat_denials.iter_mut().find(|row| {
                    (&row.screening, &row.seat, &row.reason) == (&screening, &seat, &reason)
                });
                match known {
                    Some(row) => row.requests += requests,
                    None => self.seat_denials.push(seat_denials::Model {
                        screening,
                        seat,
                        reason,
                        requests,
                    }),
                }
            }
        }
    }
}

fn cell() -> impl Strategy<Value = Cell> {
    let night = (0..2, 0..2, 1..4).prop_map(|(hotel, room_type, day)| {
        let room_type = format!("hotels/h{hotel}/roomTypes/r{room_type}");
        let night = Night::parse(&format!("2026-05-0{day}")).unwrap();
        Cell::Night(RoomTypeName::parse(&room_type).unwrap(), night)
    });
    let seat = (0..2, 0..4).prop_map(|(screening, seat)| {
        let screening = format!("cinemas/c/screenings/{screening}");
        Cell::Seat(
            ScreeningName::parse(&screening).unwrap(),
            format!("A{seat}"),
        )
    });
    prop_oneof![night, seat]
}

fn claim() -> impl Strategy<Value = Claim> {
    (
        0..4_i64,
        prop::sample::select(vec!["EUR", "USD", ""]),
        0..9_i64,
    )
        .prop_map(|(quantity, currency, amount_minor)| Claim {
            quantity,
            price: Money {
                currency_code: currency.to_owned(),
                amount_minor,
            },
        })
}

fn booking() -> impl Strategy<Value = Change> {
    let states = prop::sample::select(vec![
        BookingState::Held,
        BookingState::Confirmed,
        BookingState::Cancelled,
        BookingState::Expired,
        BookingState::NoShow,
    ]);
    let items = prop::collection::btree_map(cell(), claim(), 0..4);
    (0..5, states, items).prop_map(|(number, state, items)| {
        Change::Booking(Booking {
            name: BookingName::parse(&format!("bookings/b{number}")).unwrap(),
            state,
            items,
        })
    })
}

fn change() -> impl Strategy<Value = Change> {
    let hotel = (0..2, "[a-z]{0,3}").prop_map(|(number, display_name)| {
        Change::Hotel(Hotel {
            name: HotelName::parse(&format!("hotels/h{number}")).unwrap(),
            display_name,
            time_zone: "UTC".to_owned(),
            currency_code: "EUR".to_owned(),
        })
    });
    let room_type = (0..2, 0..2, 0..9_i64).prop_map(|(hotel, room_type, capacity)| {
        let name = format!("hotels/h{hotel}/roomTypes/r{room_type}");
        Change::RoomType(RoomType {
            name: RoomTypeName::parse(&name).unwrap(),
            capacity,
        })
    });
    let screening = (0..2, 0..9_i64, any::<bool>()).prop_map(|(number, capacity, removed)| {
        Change::Screening(Screening {
            name: ScreeningName::parse(&format!("cinemas/c/screenings/{number}")).unwrap(),
            movie: "movies/m".to_owned(),
            start_time: (!removed).then_some(Timestamp::UNIX_EPOCH),
            capacity,
            removed,
        })
    });
    let reasons = prop::sample::select(vec!["CELL_UNAVAILABLE", "NOT_SOLD"]);
    let denied = (cell(), reasons, 1..4_i64).prop_map(|(cell, reason, count)| {
        Change::Denied(Denied {
            cell,
            reason: reason.to_owned(),
            count,
        })
    });
    prop_oneof![1 => hotel, 1 => room_type, 1 => screening, 5 => booking(), 3 => denied]
}

/// How far a delivery reaches back before the cursor, and how far beyond it.
type Cut = (usize, usize);

fn cuts() -> impl Strategy<Value = Vec<Cut>> {
    prop::collection::vec((0..8_usize, 1..15_usize), 1..6)
}

fn log(changes: &[Change]) -> Vec<Event> {
    let event = |(index, change): (usize, &Change)| Event {
        position: Position {
            incarnation: "a".to_owned(),
            sequence: i64::try_from(index).unwrap() + 1,
        },
        decide_time: Timestamp::from_second(i64::try_from(index).unwrap()).unwrap(),
        change: change.clone(),
    };
    changes.iter().enumerate().map(event).collect()
}

/// Delivers the whole log, cut as `cuts` say again and again.
async fn deliver(store: &Store, log: &[Event], cuts: &[Cut]) {
    let mut done = 0_usize;
    for (back, on) in cuts.iter().cycle() {
        let range: Range<usize> = done.saturating_sub(*back)..log.len().min(done + on);
        let skipped = done - range.start;
        let applied = store.apply(&log[range.clone()], 0).await.unwrap();
        assert_eq!(usize::try_from(applied.skipped).unwrap(), skipped);
        assert_eq!(usize::try_from(applied.applied).unwrap(), range.end - done);
        done = range.end;
        if done == log.len() {
            return;
        }
    }
}

async fn open(url: &str) -> Store {
    let settings = DatabaseSettings::new(url);
    let process = Process::new();
    let database = Database::start::<Migrator>(&process, &settings, "test");
    let store = Store::new(database.await.unwrap());
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, store.ready()).await.unwrap();
    store
}

#[test]
fn facts_are_what_the_model_says_and_a_rebuild_equals_them() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for database in TestDatabase::each() {
        let store = runtime.block_on(open(&database.url));
        let changes = prop::collection::vec(change(), 1..60);
        let mut runner = TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(24)
        });
        let law = |(changes, live, again): (Vec<Change>, Vec<Cut>, Vec<Cut>)| {
            runtime.block_on(async {
                let log = log(&changes);
                deliver(&store, &log, &live).await;
                let facts_live = facts(&store).await;
                let cursor_live = store.cursor().await.unwrap();
                assert_eq!(facts_live, Model::of(&changes));

                assert!(store.forget(Some("a")).await.unwrap());
                assert_eq!(facts(&store).await, Facts::default());
                deliver(&store, &log, &again).await;
                assert_eq!(facts(&store).await, facts_live);
                assert_eq!(store.cursor().await.unwrap(), cursor_live);
                assert!(store.forget(Some("a")).await.unwrap());
            });
            Ok(())
        };
        runner.run(&(changes, cuts(), cuts()), law).unwrap();
    }
}

#[test]
fn a_refused_delivery_changes_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for database in TestDatabase::each() {
        runtime.block_on(async {
            let store = open(&database.url).await;
            let room_type = |capacity| {
                Change::RoomType(RoomType {
                    name: RoomTypeName::parse("hotels/h/roomTypes/r").unwrap(),
                    capacity,
                })
            };
            let mut log = log(&[room_type(1), room_type(2), room_type(3)]);
            store.apply(&log[..1], 3).await.unwrap();
            assert_eq!(store.cursor().await.unwrap().lag(), 2);
            store.apply(&log[..2], 3).await.unwrap();
            store.apply(&[], 9).await.unwrap();
            assert_eq!(store.cursor().await.unwrap().lag(), 7);

            log[2].position.sequence = 4;
            let refused = store.apply(&log, 4).await.unwrap_err();
            assert!(matches!(refused, ApplyError::Order(_)), "{refused}");
            assert_eq!(store.cursor().await.unwrap().sequence, 2);
            assert!(
                !store.forget(Some("b")).await.unwrap(),
                "only what is known to be another incarnation's is forgotten"
            );
            assert_eq!(facts(&store).await.room_types[0].capacity, 2);
        });
    }
}
