//! Whoever writes beside the committer does so on connections of the committer's runtime: they outlive that of who asked.

use std::{num::NonZeroU32, pin::Pin, time::Duration};

use banyan_mesh::{
    database::{Database, DatabaseSettings},
    process::Process,
    testing::TestDatabase,
};
use jiff::{SignedDuration, Timestamp};
use tokio::{runtime::Builder, sync::oneshot};

use super::{
    Inventory,
    testing::{Rig, hold},
};
use crate::{
    domain::{booking::Contact, name::BookingId, request::Principal},
    feed::Trimmer,
    migration::Migrator,
    store::{Store, testing},
};

const LIMIT: Duration = Duration::from_secs(30);
const DAYS: NonZeroU32 = NonZeroU32::MIN;

type Asking = Pin<Box<dyn Future<Output = ()>>>;
type Writer = (&'static str, fn(Inventory, BookingId) -> Asking);

fn writers() -> [Writer; 5] {
    [
        ("the sweeper", |inventory, _| {
            Box::pin(async move {
                inventory.sweep().await.unwrap();
            })
        }),
        ("the trimmer", |inventory, _| {
            Box::pin(async move {
                let trimmer = Trimmer::new(inventory);
                let trimmed = trimmer.trim(Timestamp::MAX).await.unwrap();
                assert!(trimmed.events > 0);
            })
        }),
        ("a change of a contact", |inventory, id| {
            Box::pin(async move {
                let (guest, contact) = (Principal::guest("x".into()), Contact::default());
                let changed = inventory.update_contact(&guest, id, None, contact);
                changed.await.unwrap();
            })
        }),
        ("an erasure", |inventory, id| {
            Box::pin(async move {
                inventory.erase_contact(None, id).await.unwrap();
            })
        }),
        ("the eraser", |inventory, _| {
            Box::pin(async move {
                let erased = inventory.forget_contacts(DAYS, None, LIMIT).await;
                assert!(erased.unwrap().is_some());
            })
        }),
    ]
}

/// Another replica, which has not written yet.
async fn replica(rig: &Rig, process: &Process) -> Inventory {
    let settings = DatabaseSettings::new(&rig.database.url);
    let database = Database::start::<Migrator>(process, &settings, "reservation").await;
    let store = Store::new(database.unwrap());
    assert!(store.ready().await);
    Inventory::new(store, rig.clock(), SignedDuration::from_hours(48), process)
}

/// Writes until it gets that connection.
async fn until_it_is(connection: i64, inventory: &Inventory, what: &str) {
    let writing = async {
        loop {
            let write = inventory.write().await.unwrap();
            if testing::backend(&write).await == connection {
                break;
            }
        }
    };
    let found = tokio::time::timeout(LIMIT, writing).await;
    assert!(found.is_ok(), "the connection of {what} is lost");
}

#[tokio::test]
async fn connections_that_write_outlive_those_who_asked() {
    for (what, ask) in writers() {
        let databases = TestDatabase::each().into_iter();
        let Some(database) = databases
            .into_iter()
            .find(|it| it.url.starts_with("postgres"))
        else {
            return;
        };
        let rig = Rig::start(database).await;
        let mut command = hold("banyan-suite", 1);
        if let super::Action::Hold(hold) = &mut command.action {
            hold.contact = Some(Contact::parse("Ada", "", "").unwrap());
        }
        let booked = rig.inventory.submit(command).await.unwrap();
        let id = BookingId::parse(&booked.booking.name).unwrap();
        let process = Process::new();
        let url = rig.database.url.clone();
        // Long after all that is sold.
        rig.advance(SignedDuration::from_hours(24 * 365));
        let inventory = replica(&rig, &process).await;

        // It waits for the head, so that its connection can be told.
        let head = rig.inventory.write().await.unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let asks = inventory.clone();
        let asking = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                ask(asks, id).await;
                ended.await.ok();
            });
        });
        let waits = "SELECT COALESCE(MAX(pid), 0)::BIGINT AS n FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting = async {
            loop {
                match testing::count(&url, waits).await {
                    0 => tokio::task::yield_now().await,
                    connection => break connection,
                }
            }
        };
        let connection = tokio::time::timeout(LIMIT, waiting).await.expect(what);
        drop(head);
        until_it_is(connection, &inventory, what).await;
        end.send(()).unwrap();
        asking.join().unwrap();
        until_it_is(connection, &inventory, what).await;
    }
}
