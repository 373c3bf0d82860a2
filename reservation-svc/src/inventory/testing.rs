//! An inventory over a fresh database with the demo's data, on a clock that tests move.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use banyan_mesh::{
    database::{Database, DatabaseSettings},
    process::Process,
    testing::TestDatabase,
};
use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::date};

use super::{Action, Clock, Command, Hold, Inventory};
use crate::{
    demo,
    domain::{
        claim::{Ask, Claim, Nights, Stay},
        name::RoomTypeId,
        request::Principal,
    },
    migration::Migrator,
    store::Store,
};

/// As long as the settings have it.
const KEPT: SignedDuration = SignedDuration::from_hours(48);

/// Stands until it is moved, in seconds.
struct TestClock {
    /// The true time.
    time: AtomicI64,
    /// How far this clock is off.
    off: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let off = self.off.load(Ordering::SeqCst);
        Timestamp::from_second(self.time.load(Ordering::SeqCst) + off).unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.time.load(Ordering::SeqCst).unsigned_abs())
    }

    fn of_server(&self, _: Timestamp) -> Timestamp {
        Timestamp::from_second(self.time.load(Ordering::SeqCst)).unwrap()
    }
}

pub(crate) struct Rig {
    pub(crate) inventory: Inventory,
    clock: Arc<TestClock>,
    /// Of the inventory.
    pub(crate) opened: Database,
    pub(super) database: TestDatabase,
    pub(crate) process: Process,
}

/// A hold of rooms of the demo's hotel for two nights.
pub(super) fn hold(room_type: &str, rooms: i64) -> Command {
    let name = format!("hotels/banyan-bay/roomTypes/{room_type}");
    let claim = Claim::Stay(Stay {
        room_type: RoomTypeId::parse(&name).unwrap(),
        nights: Nights::new(date(2026, 12, 1), date(2026, 12, 3)).unwrap(),
        rooms,
    });
    let hold = Hold {
        claim: claim.into(),
        expected_total: None,
        party: None,
        block: None,
        contact: None,
        duration: SignedDuration::from_mins(10),
        confirm: false,
        sells_started: false,
    };
    Command {
        principal: Principal::guest("x".into()),
        request: None,
        deadline: None,
        action: Action::Hold(hold),
    }
}

/// A hold of one room of the demo's hotel for so many nights.
pub(super) fn long_hold(room_type: &str, nights: i64) -> Command {
    let mut command = hold(room_type, 1);
    if let Action::Hold(hold) = &mut command.action
        && let Ask::Claim(Claim::Stay(stay)) = &mut hold.claim
    {
        let first = stay.nights.check_in();
        stay.nights = Nights::new(first, first.saturating_add(nights.days())).unwrap();
    }
    command
}

impl Rig {
    pub(crate) async fn start(database: TestDatabase) -> Self {
        let process = Process::new();
        let settings = DatabaseSettings::new(&database.url);
        let opened = Database::start::<Migrator>(&process, &settings, "reservation").await;
        let opened = opened.unwrap();
        let store = Store::new(opened.clone());
        assert!(store.ready().await);
        let start: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let clock = Arc::new(TestClock {
            time: AtomicI64::new(start.as_second()),
            off: AtomicI64::new(0),
        });
        let inventory = Inventory::new(store, clock.clone(), KEPT, &process);
        demo::fill(&inventory).await.unwrap();
        Self {
            inventory,
            clock,
            opened,
            database,
            process,
        }
    }

    /// Adds 13 rooms to a room type of the demo's hotel, on that floor.
    pub(super) async fn add_rooms(&self, room_type: &str, floor: i64) {
        let id = RoomTypeId::parse(&format!("hotels/banyan-bay/roomTypes/{room_type}")).unwrap();
        let numbers = (0..13).map(|room| format!("{}", floor * 100 + room));
        let added = self.inventory.add_rooms(&id, numbers.collect());
        added.await.unwrap();
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        self.clock.time.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Sets the clock, by that much off what it says.
    pub(crate) fn jump(&self, by: SignedDuration) {
        self.clock.off.fetch_add(by.as_secs(), Ordering::SeqCst);
    }
}
