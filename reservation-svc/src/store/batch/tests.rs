//! What a batch writes is what is read back, whether at once or one by one; what breaks a rule comes back as such; no
//! statement reads a whole table.

use std::collections::HashMap;

use banyan_mesh::{
    database::{Database, DatabaseSettings},
    process::Process,
    testing::TestDatabase,
};
use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::date};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        agreement::Agreement,
        booking::{BookingKind, State},
        cell::{CellRef, PoolId, Slot},
        claim::{Claim, Nights, SeatSelection, Stay},
        money::{Currency, Money},
        name::{RoomTypeId, ScreeningId, SeatId},
        request::Principal,
    },
    migration::Migrator,
    store::{Rule, Store, StoreError, Write},
};

struct Rig {
    store: Store,
    _process: Process,
    _database: TestDatabase,
}

async fn each() -> Vec<Rig> {
    let mut rigs = Vec::new();
    for database in TestDatabase::each() {
        let process = Process::new();
        let settings = DatabaseSettings::new(&database.url);
        let opened = Database::start::<Migrator>(&process, &settings, "reservation").await;
        let store = Store::new(opened.unwrap());
        assert!(store.ready().await);
        rigs.push(Rig {
            store,
            _process: process,
            _database: database,
        });
    }
    rigs
}

fn now() -> Timestamp {
    Timestamp::from_second(1_795_000_000).unwrap()
}

fn key(n: i64) -> CellKey {
    CellKey {
        pool: PoolId(n % 1_000),
        slot: Slot(20_000 + n / 1_000),
    }
}

fn booking(n: i64) -> Booking {
    let check_in = date(2026, 12, 1);
    let claim = match n % 2 {
        0 => Claim::Stay(Stay {
            room_type: RoomTypeId::parse("hotels/a/roomTypes/b").unwrap(),
            nights: Nights::new(check_in, check_in + 5.days()).unwrap(),
            rooms: n + 1,
        }),
        _ => Claim::Seats(SeatSelection {
            screening: ScreeningId::parse("cinemas/c/screenings/7").unwrap(),
            seats: vec![SeatId("A1".into()), SeatId("A2".into())],
        }),
    };
    Booking {
        id: BookingId(Uuid::now_v7()),
        kind: BookingKind::ALL[n as usize % 3],
        principal: Principal::guest(format!("{n:064x}")),
        recorded_state: State::Held,
        venue: claim.venue(),
        rooms: match n % 2 {
            0 => vec!["101".into(), "1-b".into()],
            _ => Vec::new(),
        },
        claim,
        venue_display_name: "Ä \"quoted\", {and} 'so' \\".into(),
        title: String::new(),
        starts_at: (n % 2 == 1).then(now),
        total: Money::new(Currency::parse("EUR").unwrap(), n),
        agreement: Agreement {
            fee_minor: n / 2,
            ..Agreement::default()
        },
        expires_at: Some(now() + SignedDuration::from_secs(n)),
        created_at: now(),
        updated_at: now(),
        created_sequence: n + 1,
        updated_sequence: n + 1,
    }
}

fn item(booking: &Booking, number: i64) -> Item {
    let key = key(number);
    let cell = match &booking.claim {
        Claim::Stay(stay) => CellRef::Night {
            room_type: stay.room_type.clone(),
            date: crate::domain::cell::night_of(key.slot).unwrap(),
        },
        Claim::Seats(selection) => CellRef::Seat {
            screening: selection.screening.clone(),
            seat: SeatId(format!("S{number}")),
        },
    };
    Item {
        number,
        key,
        cell,
        quantity: 1 + number % 3,
        price_minor: number,
    }
}

fn contact(n: usize) -> Contact {
    Contact {
        display_name: format!("Guest {n}"),
        email: String::new(),
        phone: "+1".into(),
    }
}

fn answer(n: i64, booking: Option<BookingId>) -> NewAnswer {
    NewAnswer {
        key: AnswerKey {
            principal: format!("{n:064x}"),
            method: "HoldBooking".into(),
            id: format!("request {n}"),
        },
        fingerprint: [n as u8; 32],
        booking,
        answer: vec![0, 255, n as u8],
    }
}

fn event(sequence: i64, booking: Option<BookingId>) -> NewEvent {
    NewEvent {
        sequence,
        booking,
        event: sequence.to_be_bytes().to_vec(),
    }
}

/// So many bookings of five items each, with everything that belongs to them.
fn many(count: i64) -> Changes {
    let mut changes = Changes::none(now());
    for n in 0..count {
        let booking = booking(n);
        for number in n * 5 + 1..=n * 5 + 5 {
            let cell = Cell {
                capacity: 5,
                taken: 1 + number % 3,
            };
            changes.cells_new.push((key(number), cell));
            changes.items_new.push((booking.id, item(&booking, number)));
        }
        if n % 2 == 0 {
            changes.contacts_new.push((booking.id, contact(n as usize)));
        }
        let whose = (n % 3 > 0).then_some(booking.id);
        changes.answers_new.push(answer(n, whose));
        changes.events.push(event(n + 1, whose));
        changes.bookings_new.push(booking);
    }
    changes
}

async fn commit(write: Write) {
    let head = write.head().clone();
    write.commit(&head).await.unwrap();
}

/// Debug output that does not hide who somebody is.
fn shown(booking: &Booking) -> String {
    format!("{} {booking:?}", booking.principal.as_str())
}

async fn check_reads(write: &Write, changes: &Changes, bookings: &[Booking]) {
    let ids: Vec<_> = bookings.iter().map(|it| it.id).collect();
    let found = write.bookings_of(&ids).await.unwrap();
    assert_eq!(found.len(), bookings.len());
    let items = write.items_of(&ids).await.unwrap();
    let contacts = write.contacts_of(&ids).await.unwrap();
    for want in bookings {
        assert_eq!(shown(&found[&want.id]), shown(want));
        let mine = changes.items_new.iter().filter(|(id, _)| *id == want.id);
        let mine: Vec<_> = mine.map(|(_, item)| item.clone()).collect();
        assert_eq!(items[&want.id], mine);
    }
    let want: HashMap<_, _> = changes.contacts_new.iter().cloned().collect();
    assert!(contacts == want);
    // One by one the same is read.
    for want in bookings.iter().take(3) {
        let one = write.booking(want.id).await.unwrap().unwrap();
        assert_eq!(shown(&one), shown(want));
        let contact = write.contact(want.id).await.unwrap();
        assert!(contact.as_ref() == contacts.get(&want.id));
    }
}

async fn check_cells(write: &Write, cells: &[(CellKey, Cell)]) {
    let keys: Vec<_> = cells.iter().map(|(key, _)| *key).collect();
    let found = write.cells_of(&keys).await.unwrap();
    assert_eq!(found, cells.iter().copied().collect());
}

async fn check_answers(write: &Write, answers: &[NewAnswer]) {
    let mut keys: Vec<_> = answers.iter().map(|it| it.key.clone()).collect();
    let other = AnswerKey {
        method: "CancelBooking".into(),
        ..keys[0].clone()
    };
    keys.push(other);
    let found = write.answers_to(&keys).await.unwrap();
    assert_eq!(found.len(), answers.len());
    for want in answers {
        let it = &found[&want.key];
        assert_eq!(
            (it.fingerprint.as_slice(), it.booking, &it.answer),
            (want.fingerprint.as_slice(), want.booking, &want.answer)
        );
    }
}

#[tokio::test]
async fn what_a_batch_of_any_size_writes_is_read_back() {
    for rig in each().await {
        let mut last = 0;
        for count in [1, 1_000] {
            let mut changes = many(count);
            // After those of the smaller batch.
            for (n, booking) in changes.bookings_new.iter_mut().enumerate() {
                booking.created_sequence = last + 1 + n as i64;
            }
            for it in &mut changes.events {
                it.sequence += last;
            }
            for (_, item) in &mut changes.items_new {
                item.number += last * 10;
            }
            if last > 0 {
                changes
                    .cells_new
                    .retain(|(key, _)| key.pool.0 > 5 || key.slot.0 > 20_000);
                changes.answers_new.remove(0);
            }
            let write = rig.store.write().await.unwrap();
            write.apply(&changes).await.unwrap();
            commit(write).await;
            let write = rig.store.write().await.unwrap();
            check_reads(&write, &changes, &changes.bookings_new).await;
            check_cells(&write, &changes.cells_new).await;
            check_answers(&write, &changes.answers_new).await;
            let events = write.events_after(last, 5_000).await.unwrap();
            let want: Vec<_> = changes.events.iter().map(|it| it.event.clone()).collect();
            assert_eq!(events, want);
            last = count;
        }
    }
}

#[tokio::test]
async fn nothing_is_no_statement() {
    for rig in each().await {
        let write = rig.store.write().await.unwrap();
        write.apply(&Changes::none(now())).await.unwrap();
        assert!(write.bookings_of(&[]).await.unwrap().is_empty());
        assert!(write.items_of(&[]).await.unwrap().is_empty());
        assert!(write.contacts_of(&[]).await.unwrap().is_empty());
        assert!(write.cells_of(&[]).await.unwrap().is_empty());
        assert!(write.answers_to(&[]).await.unwrap().is_empty());
        assert!(write.lapsed_on(&[], now(), 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn changes_of_what_is_there_are_read_back() {
    for rig in each().await {
        let made = many(300);
        let write = rig.store.write().await.unwrap();
        write.apply(&made).await.unwrap();
        commit(write).await;

        let mut changes = Changes::none(now());
        for booking in &made.bookings_new {
            let mut booking = booking.clone();
            booking.recorded_state = State::Confirmed;
            booking.expires_at = None;
            booking.title = "moved".into();
            booking.claim = self::booking(1).claim;
            booking.venue = booking.claim.venue();
            booking.total = Money::new(booking.total.currency, 77);
            booking.updated_sequence += 1_000;
            booking.updated_at = now() + 1.second();
            changes.bookings_changed.push(booking);
        }
        for (key, cell) in &made.cells_new {
            changes.cell_deltas.push((*key, -cell.taken));
        }
        let (kept, released) = made.items_new.split_at(700);
        let released = released.iter().map(|(_, item)| (item.number, 5));
        changes.items_released = released.collect();
        changes
            .contacts_new
            .push((made.contacts_new[0].0, contact(99)));
        let write = rig.store.write().await.unwrap();
        write.apply(&changes).await.unwrap();
        commit(write).await;

        let write = rig.store.write().await.unwrap();
        let ids: Vec<_> = made.bookings_new.iter().map(|it| it.id).collect();
        let found = write.bookings_of(&ids).await.unwrap();
        for want in &changes.bookings_changed {
            assert_eq!(shown(&found[&want.id]), shown(want));
        }
        let items = write.items_of(&ids).await.unwrap();
        assert_eq!(items.values().map(Vec::len).sum::<usize>(), kept.len());
        let empty = made.cells_new.iter().map(|(key, cell)| {
            let empty = Cell { taken: 0, ..*cell };
            (*key, empty)
        });
        check_cells(&write, &empty.collect::<Vec<_>>()).await;
        let contacts = write.contacts_of(&ids).await.unwrap();
        assert!(contacts[&made.contacts_new[0].0] == contact(99));
    }
}

#[tokio::test]
async fn a_broken_rule_is_told_from_a_lost_connection_and_leaves_nothing() {
    for rig in each().await {
        let made = many(20);
        let write = rig.store.write().await.unwrap();
        write.apply(&made).await.unwrap();
        commit(write).await;

        let none = Changes::none(now());
        let (first, cell) = made.cells_new[0];
        let over = Changes {
            cell_deltas: vec![
                (made.cells_new[1].0, 1),
                (first, cell.capacity - cell.taken + 1),
            ],
            ..none.clone()
        };
        let under = Changes {
            cell_deltas: vec![(first, -cell.taken - 1)],
            ..none.clone()
        };
        let new_and_over = Changes {
            cells_new: vec![(
                key(900_000),
                Cell {
                    capacity: 1,
                    taken: 2,
                },
            )],
            ..none.clone()
        };
        let mut again = made.answers_new[3].clone();
        again.fingerprint = [9; 32];
        let repeated = Changes {
            answers_new: vec![answer(1_000, None), again],
            ..none.clone()
        };
        let nul = Changes {
            contacts_new: vec![(
                made.bookings_new[0].id,
                Contact {
                    email: "\0".into(),
                    ..contact(1)
                },
            )],
            ..none.clone()
        };
        for (changes, want) in [
            (over, Rule::Check),
            (under, Rule::Check),
            (new_and_over, Rule::Check),
            (repeated, Rule::Unique),
            (nul, Rule::Value),
        ] {
            let write = rig.store.write().await.unwrap();
            // SQLite keeps any text.
            if want == Rule::Value && write.backend() == DbBackend::Sqlite {
                continue;
            }
            let error = write.apply(&changes).await.unwrap_err();
            assert!(
                matches!(&error, StoreError::Refused { rule, .. } if *rule == want),
                "{error:?}"
            );
            assert!(error.blames_changes() && !error.is_transient());
        }
        let missing = Changes {
            cell_deltas: vec![(first, 0), (key(900_000), 1)],
            ..none.clone()
        };
        let write = rig.store.write().await.unwrap();
        let error = write.apply(&missing).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Missing { rows_count: 1, .. }),
            "{error:?}"
        );
        assert!(error.blames_changes() && !error.is_transient());
        drop(write);
        let write = rig.store.write().await.unwrap();
        check_cells(&write, &made.cells_new).await;
        check_answers(&write, &made.answers_new).await;
    }
}

#[tokio::test]
async fn a_batch_is_known_once_it_is_committed_and_until_it_is_forgotten() {
    for rig in each().await {
        let write = rig.store.write().await.unwrap();
        let rolled_back = write.batch();
        write.apply(&many(1)).await.unwrap();
        drop(write);
        let write = rig.store.write().await.unwrap();
        let committed = write.batch();
        let mut head = write.head().clone();
        head.decided_at = now();
        head.catalogue_version = 3;
        head.waiting = 2;
        write.apply(&many(1)).await.unwrap();
        write.commit(&head).await.unwrap();
        assert!(!rig.store.committed(rolled_back).await.unwrap());
        assert!(rig.store.committed(committed).await.unwrap());

        let write = rig.store.write().await.unwrap();
        assert_eq!(*write.head(), head);
        assert_eq!(write.forget_batches(now(), 10).await.unwrap(), 0);
        let later = now() + 1.second();
        assert_eq!(write.forget_batches(later, 10).await.unwrap(), 1);
        assert_eq!(write.forget_answers(now(), 10).await.unwrap(), 0);
        assert_eq!(write.forget_answers(later, 10).await.unwrap(), 1);
        commit(write).await;
        assert!(!rig.store.committed(committed).await.unwrap());
    }
}

#[tokio::test]
async fn lapsed_holds_are_found_on_their_cells_however_many_there_are() {
    for rig in each().await {
        let made = many(1_200);
        let write = rig.store.write().await.unwrap();
        write.apply(&made).await.unwrap();
        commit(write).await;
        let write = rig.store.write().await.unwrap();
        let wanted = [key(6), key(16), key(17), key(5_001), key(900_000)];
        let ids = |numbers: &[usize]| -> Vec<_> {
            numbers.iter().map(|n| made.bookings_new[*n].id).collect()
        };
        // Booking n expires n seconds from now and holds the cells of the items 5n + 1 to 5n + 5.
        for (after_s, lapsed) in [
            (0, ids(&[])),
            (2, ids(&[1])),
            (10, ids(&[1, 3])),
            (990, ids(&[1, 3])),
            (1_100, ids(&[1, 3, 1_000])),
        ] {
            let then = now() + SignedDuration::from_secs(after_s);
            let mut found = write.lapsed_on(&wanted, then, 100).await.unwrap();
            found.sort_by_key(|id| id.0);
            assert_eq!(found, lapsed, "{after_s}");
            let first = write.lapsed_on(&wanted, then, 1).await.unwrap();
            assert_eq!(first.len(), lapsed.len().min(1));
        }
    }
}

#[tokio::test]
async fn the_history_of_a_booking_is_its_events() {
    for rig in each().await {
        let made = many(2);
        let id = made.bookings_new[1].id;
        let changes = Changes {
            events: vec![
                event(3, Some(id)),
                event(4, None),
                event(5, Some(id)),
                event(6, Some(id)),
            ],
            ..Changes::none(now())
        };
        let write = rig.store.write().await.unwrap();
        write.apply(&made).await.unwrap();
        write.apply(&changes).await.unwrap();
        let numbers = async |after, limit| {
            let events = write.events_of_booking(id, after, limit).await.unwrap();
            let number = |event: Vec<u8>| i64::from_be_bytes(event.try_into().unwrap());
            events.into_iter().map(number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(0, 10).await, [2, 3, 5, 6]);
        assert_eq!(numbers(2, 2).await, [3, 5]);
    }
}

#[tokio::test]
async fn no_statement_of_a_batch_reads_a_whole_table() {
    for rig in each().await {
        let made = many(1_000);
        let write = rig.store.write().await.unwrap();
        write.apply(&made).await.unwrap();
        commit(write).await;
        let write = rig.store.write().await.unwrap();
        if write.backend() == DbBackend::Sqlite {
            check_sqlite_plans(&write).await;
            continue;
        }
        let ids: Vec<_> = made.bookings_new.iter().map(|it| it.id).take(2).collect();
        write.items_of(&ids).await.unwrap();
        write.contacts_of(&ids).await.unwrap();
        let keys: Vec<_> = made.answers_new.iter().map(|it| it.key.clone()).collect();
        write.answers_to(&keys).await.unwrap();
        let cells: Vec<_> = made.cells_new.iter().map(|(key, _)| *key).collect();
        write.cells_of(&cells).await.unwrap();
        for after_s in [1, 2_000] {
            let then = now() + SignedDuration::from_secs(after_s);
            write.lapsed_on(&cells, then, 10).await.unwrap();
        }
        let mut changes = Changes {
            cell_deltas: cells.iter().map(|key| (*key, 1)).collect(),
            bookings_changed: made.bookings_new,
            items_released: vec![(1, 1), (2, 1)],
            ..Changes::none(now())
        };
        write.apply(&changes).await.unwrap();
        changes.cell_deltas.truncate(1);
        write.apply(&changes).await.unwrap();
        write.events_of_booking(ids[0], 0, 10).await.unwrap();
        write.has_answers_before(now()).await.unwrap();
        write.forget_answers(now(), 10).await.unwrap();
        write.has_batches_before(now()).await.unwrap();
        write.forget_batches(now(), 10).await.unwrap();
        write.lapsed_holds_anywhere(now(), 10).await.unwrap();
        write.overdue(now(), 10).await.unwrap();
        let sql =
            "SELECT CAST(relname AS TEXT) AS name FROM pg_stat_xact_user_tables WHERE seq_scan > 0";
        let read = write.select(sql, Vec::new(), "see what was read").await;
        let read: Vec<String> = read
            .unwrap()
            .iter()
            .map(|row| row.try_get("", "name").unwrap())
            .collect();
        assert!(read.iter().all(|name| name == "commit_head"), "{read:?}");
    }
}

async fn check_sqlite_plans(write: &Write) {
    let updates = [
        (
            "cells",
            &["pool", "slot"][..],
            "taken = cells.taken + w.slot",
        ),
        ("bookings", &["id"], "state = w.id"),
        ("booking_items", &["id"], "released_sequence = w.id"),
    ];
    let updates = updates.map(|(table, keys, settings)| step::update(table, keys, settings));
    let names = "id, booking, pool, slot, now, principal, method, request_id";
    let row = "VALUES (1, 2, 3, 4, 5, 6, 7, 8), (1, 2, 3, 4, 5, 6, 7, 8)";
    for sql in load::ALL.iter().map(|sql| (*sql).to_owned()).chain(updates) {
        let sql = sql.replace("{names}", names).replace("{rows}", row);
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let statement = Statement::from_string(DbBackend::Sqlite, explain);
        let steps = write.transaction.query_all_raw(statement).await.unwrap();
        for step in steps {
            let step: String = step.try_get("", "detail").unwrap();
            let is_sound = !step.starts_with("SCAN")
                || ["SCAN w", "SCAN 2 CONSTANT ROWS"].contains(&step.as_str());
            assert!(is_sound, "{step}: {sql}");
        }
    }
}
