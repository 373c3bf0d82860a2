//! Contacts are changed and forgotten in turn with the sales, and keep nobody from them.

use banyan_mesh::testing::TestDatabase;
use jiff::SignedDuration;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use crate::{
    inventory::{
        Action,
        testing::{Rig, hold},
    },
    store::testing,
};

const DAYS: NonZeroU32 = NonZeroU32::new(30).unwrap();
/// Of everything that a test waits for.
const LIMIT: Duration = Duration::from_secs(60);

fn contact() -> Contact {
    Contact::parse("Ada", "", "").unwrap()
}

async fn booked(rig: &Rig) -> BookingId {
    let mut command = hold("banyan-suite", 1);
    if let Action::Hold(hold) = &mut command.action {
        hold.contact = Some(contact());
    }
    let outcome = rig.inventory.submit(command).await.unwrap();
    BookingId::parse(&outcome.booking.name).unwrap()
}

async fn has_contact(rig: &Rig, id: BookingId) -> bool {
    let session = rig.inventory.store().read().await.unwrap();
    session.contact(id).await.unwrap().is_some()
}

fn guest() -> Principal {
    hold("banyan-suite", 1).principal
}

fn change(rig: &Rig, id: BookingId) -> JoinHandle<Result<(StoredBooking, Position), Rejection>> {
    let inventory = rig.inventory.clone();
    let guest = guest();
    tokio::spawn(async move { inventory.update_contact(&guest, id, None, contact()).await })
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "{what}");
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(LIMIT, future).await;
    done.unwrap_or_else(|_| panic!("waited too long: {what}"))
}

fn waiting(rig: &Rig) -> usize {
    WAITING_MAX - rig.inventory.shared.contacts.places.available_permits()
}

#[tokio::test]
async fn contacts_are_erased_so_many_days_after_the_stay() {
    for database in TestDatabase::each() {
        let rig = Rig::start(database).await;
        let ids = [booked(&rig).await, booked(&rig).await];
        // The stay ends on 3 December; it is noon of 20 November.
        for (days, kept) in [(13 + 30, true), (2, false)] {
            rig.advance(SignedDuration::from_hours(24 * days));
            let mut after = None;
            while let Some(next) = rig
                .inventory
                .forget_contacts(DAYS, after, LIMIT)
                .await
                .unwrap()
            {
                after = Some(next);
            }
            for id in ids {
                assert_eq!(has_contact(&rig, id).await, kept, "{days}");
            }
        }
        let session = rig.inventory.store().read().await.unwrap();
        assert!(session.contact_erased(ids[0]).await.unwrap());
    }
}

#[tokio::test]
async fn what_can_be_refused_takes_no_turn() {
    for database in TestDatabase::each() {
        let rig = Rig::start(database).await;
        let [id, erased] = [booked(&rig).await, booked(&rig).await];
        rig.inventory.erase_contact(None, erased).await.unwrap();
        let _turn = rig.inventory.shared.turn().await;
        let (inventory, guest) = (&rig.inventory, guest());
        let stranger = Principal::guest("y".into());
        let unknown = BookingId(Uuid::now_v7());
        for (principal, id, etag) in [
            (&guest, unknown, None),
            (&stranger, id, None),
            (&guest, id, Some("0")),
            (&guest, erased, None),
        ] {
            let refused = inventory.update_contact(principal, id, etag, contact());
            let refused = soon("a change", refused).await.unwrap_err();
            let is_expected = match &refused {
                Rejection::NotFound { position, .. } => {
                    position.is_some() && etag.is_none() && id != erased
                }
                Rejection::Refused(refusal) => refusal.position.sequence > 0,
                _ => false,
            };
            assert!(is_expected, "{refused:?}");
        }
        for (principal, id) in [(None, unknown), (Some(&stranger), id)] {
            let refused = soon("an erasure", inventory.erase_contact(principal, id)).await;
            assert!(
                matches!(refused, Err(Rejection::NotFound { .. })),
                "{refused:?}"
            );
        }
        // Erasing twice is no error, and nothing to do.
        let twice = inventory.erase_contact(Some(&guest), erased);
        soon("an erasure", twice).await.unwrap();
    }
}

#[tokio::test]
async fn only_so_many_wait_and_those_who_buy_get_their_turn_between_them() {
    for database in TestDatabase::each() {
        let rig = Rig::start(database).await;
        let id = booked(&rig).await;
        let turn = rig.inventory.shared.turn().await;
        let head = rig.inventory.store().read().await.unwrap().head().await;
        let before = head.unwrap().sequence;
        let changes: Vec<_> = (0..WAITING_MAX).map(|_| change(&rig, id)).collect();
        until("all wait", || waiting(&rig) == WAITING_MAX).await;
        for _ in 0..2 {
            let crowded = soon("a change", change(&rig, id)).await.unwrap();
            assert!(matches!(crowded, Err(Rejection::Crowded)), "{crowded:?}");
        }
        let metrics = rig.process.metrics().encode().unwrap();
        let counted = r#"reservation_commands_refused_total{reason="RESOURCE_EXHAUSTED"} 2"#;
        assert!(metrics.contains(counted), "{metrics}");

        let inventory = rig.inventory.clone();
        let holds = vec![hold("garden-double", 1), hold("garden-double", 1)];
        let bought = tokio::spawn(async move { inventory.submit_many(holds).await });
        let queue = &rig.inventory.queue;
        let queued = || queue.max_capacity() - queue.capacity();
        until("the committer waits with the first", || queued() == 1).await;
        drop(turn);
        for bought in soon("holds", bought).await.unwrap() {
            bought.unwrap();
        }
        for change in changes {
            soon("a change", change).await.unwrap().unwrap();
        }
        assert_eq!(waiting(&rig), 0);
        // Every transaction is noted with the sequence that the head had by then.
        let url = &rig.database.url;
        let count = format!("SELECT COUNT(*) AS n FROM commit_batches WHERE sequence = {before}");
        let ahead = testing::count(url, &count).await;
        assert!(ahead < 10, "{ahead} went before those who buy");
    }
}

#[tokio::test]
async fn a_pass_gives_the_turn_back_when_the_database_does_not_let_it_go_on() {
    for database in TestDatabase::each() {
        let rig = Rig::start(database).await;
        booked(&rig).await;
        rig.advance(SignedDuration::from_hours(24 * 365));
        // As another replica has it.
        let other = rig.inventory.write().await.unwrap();
        let limit = Duration::from_millis(500);
        let pass = rig.inventory.forget_contacts(DAYS, None, limit);
        let given_up = soon("a pass", pass).await;
        assert!(matches!(given_up, Err(Rejection::TimedOut)), "{given_up:?}");
        drop(soon("the turn", rig.inventory.shared.turn()).await);
        drop(other);
    }
}

#[tokio::test]
async fn any_number_of_contacts_is_erased_by_two_statements() {
    for database in TestDatabase::each() {
        let rig = Rig::start(database).await;
        let url = &rig.database.url;
        let is_postgres = url.starts_with("postgres");
        let [one, two, kept] = [booked(&rig).await, booked(&rig).await, booked(&rig).await];
        if is_postgres {
            testing::run(url, COUNT_STATEMENTS).await;
        }
        let others = (0..600).map(|_| BookingId(Uuid::now_v7()));
        let ids: Vec<_> = others.chain([one, two]).collect();
        let write = rig.inventory.write().await.unwrap();
        assert_eq!(write.erase_contacts(&ids).await.unwrap(), 2);
        rig.inventory.commit_contacts(write).await.unwrap();
        for (id, is_kept) in [(one, false), (two, false), (kept, true)] {
            assert_eq!(has_contact(&rig, id).await, is_kept);
            let session = rig.inventory.store().read().await.unwrap();
            assert_eq!(session.contact_erased(id).await.unwrap(), !is_kept);
        }
        if is_postgres {
            let count = "SELECT COUNT(*) AS n FROM statements";
            assert_eq!(testing::count(url, count).await, 2);
        }
    }
}

const COUNT_STATEMENTS: &str = "CREATE TABLE statements (n INT); \
    CREATE FUNCTION count_statement() RETURNS trigger AS \
    'BEGIN INSERT INTO statements VALUES (1); RETURN NULL; END' LANGUAGE plpgsql; \
    CREATE TRIGGER counted AFTER DELETE ON booking_contacts \
    FOR EACH STATEMENT EXECUTE FUNCTION count_statement(); \
    CREATE TRIGGER counted AFTER UPDATE ON bookings \
    FOR EACH STATEMENT EXECUTE FUNCTION count_statement()";
