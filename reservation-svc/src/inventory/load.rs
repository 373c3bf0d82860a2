//! Fills the ledger of a batch: whatever its commands need, in a constant number of statements.
//!
//! The order matters: first bookings, which tell their venues and how many cells they hold; then the catalogue, which tells
//! the cells of claims; then cells, and the holds that have run out on them. What request ids were answered is read beside
//! all that, as if nobody asked again. Where somebody does, which is rare, all is loaded anew without their needs: what was
//! answered already needs nothing.
//!
//! A batch touches at most [`CELLS_MAX`] cells: as many of its commands are loaded as fit, at least one, and the others
//! wait for the next batch. So do all of them where the holds that have run out on their cells are too much beside them:
//! ending as many of those as fit, at least one, is then a batch of its own.

pub(super) mod rooms;
pub(super) mod waitlist;

use std::{collections::HashSet, sync::Arc};

use jiff::Timestamp;

use super::{
    catalogue_cache::{Catalogue, Wanted},
    command::Command,
    decide,
    ledger::Ledger,
    needs::Needs,
};
use crate::{
    domain::{cell::CellKey, name::BookingId},
    store::{AnswerKey, StoreError, Write},
};

/// Cells of one batch.
const CELLS_MAX: usize = 5_000;
/// Holds that have run out, ended by one batch.
const LAPSED_MAX: usize = 1_000;

/// What is ready to be decided.
pub(super) struct Loaded {
    /// With everything that they need.
    pub(super) ledger: Ledger,
    /// How many of the commands, the first ones, are to be decided; may be none.
    pub(super) commands: usize,
}

/// Loads what those commands need; the keys are those of the ones with a request id, in their order. Ends the holds that
/// have run out on the cells that they want.
pub(super) async fn load(
    write: &Write,
    catalogue: &mut Arc<Catalogue>,
    clock: Timestamp,
    commands: &[&Command],
    keys: &[AnswerKey],
) -> Result<Loaded, StoreError> {
    Catalogue::follow(catalogue, write.head());
    let needs = commands.iter().map(|it| Needs::of(&it.action));
    let (answers, loaded) = tokio::try_join!(
        write.answers_beside(keys),
        state(write, catalogue, clock, needs.collect())
    )?;
    if answers.is_empty() {
        return Ok(loaded);
    }
    // It shares the catalogue, which would be copied to be added to.
    drop(loaded);
    let repeated = keys.iter().map(|key| answers.contains_key(key));
    let needs = needs_of(commands, repeated);
    let mut loaded = state(write, catalogue, clock, needs).await?;
    let ids: Vec<_> = answers.values().filter_map(|it| it.booking).collect();
    let contacts = write.contacts_of(&ids).await?;
    loaded.ledger.add_contacts(contacts);
    for (key, answer) in answers {
        loaded.ledger.answers.add_stored(key, answer)?;
    }
    Ok(loaded)
}

/// What commands need; whether each of those with a request id is repeated.
fn needs_of<'a>(
    commands: &[&'a Command],
    mut repeated: impl Iterator<Item = bool>,
) -> Vec<Needs<'a>> {
    let needs = commands.iter().map(|command| {
        let known = command.request.is_some() && repeated.next().unwrap_or(false);
        match known {
            true => Needs::default(),
            false => Needs::of(&command.action),
        }
    });
    needs.collect()
}

/// Loads the state on which commands with those needs are decided.
async fn state(
    write: &Write,
    catalogue: &mut Arc<Catalogue>,
    clock: Timestamp,
    needs: Vec<Needs<'_>>,
) -> Result<Loaded, StoreError> {
    let mut ledger = Ledger::new(write.head().clone(), clock, Arc::clone(catalogue));
    let offers = waitlist::entries(write, &mut ledger, &needs).await?;
    let ids = needs.iter().flat_map(|it| it.bookings.iter().copied());
    bookings(write, &mut ledger, ids.chain(offers).collect(), true).await?;
    // Let go first: one that is shared would be copied to be added to.
    ledger.catalogue = Arc::default();
    let mut wanted = Wanted::default();
    let known = needs.iter().flat_map(|it| &it.bookings);
    for entry in known.filter_map(|id| ledger.booking(*id)) {
        wanted.venue(&entry.booking.venue);
    }
    let planned = rooms::planned(&ledger, &needs);
    planned.iter().for_each(|it| wanted.room_type(it));
    let asks = needs.iter().flat_map(|it| &it.claims);
    asks.for_each(|ask| wanted.ask(ask));
    Arc::make_mut(catalogue).load(write, wanted).await?;
    ledger.catalogue = Arc::clone(catalogue);

    let Fitting {
        commands,
        count,
        cells: wanted,
    } = fitting(&ledger, &needs);
    let mut lapsed = cells(write, &mut ledger, wanted).await?;
    let mut all = lapsed.len() < LAPSED_MAX;
    bookings(write, &mut ledger, lapsed.clone(), false).await?;
    let more: usize = items(&ledger, &lapsed).sum();
    all &= more == 0 || count + more <= CELLS_MAX;
    if !all {
        lapsed.truncate(as_many_as_fit(&ledger, &lapsed));
    }
    for id in lapsed {
        decide::expire(&mut ledger, id);
    }
    let commands = if all { commands } else { 0 };
    let stays = rooms::stays(&needs);
    let lines = needs.into_iter().flat_map(|it| it.lines).collect();
    waitlist::lines(write, &mut ledger, catalogue, lines).await?;
    rooms::plans(write, &mut ledger, planned, stays).await?;
    decide::serve(&mut ledger);
    Ok(Loaded { ledger, commands })
}

/// Loads bookings with their items, and the contacts of those that somebody asked for.
pub(super) async fn bookings(
    write: &Write,
    ledger: &mut Ledger,
    mut ids: Vec<BookingId>,
    contacts: bool,
) -> Result<(), StoreError> {
    ids.sort_unstable_by_key(|id| id.0);
    ids.dedup();
    ids.retain(|id| ledger.booking(*id).is_none());
    let mut items = write.items_of(&ids).await?;
    for (id, booking) in write.bookings_of(&ids).await? {
        let items = items.remove(&id).unwrap_or_default();
        ledger.add_stored(booking, items);
    }
    if contacts {
        ledger.add_contacts(write.contacts_of(&ids).await?);
    }
    Ok(())
}

/// How many cells bookings that are here hold.
fn items(ledger: &Ledger, ids: &[BookingId]) -> impl Iterator<Item = usize> {
    let entries = ids.iter().filter_map(|id| ledger.booking(*id));
    entries.map(|it| it.items.len())
}

/// How many bookings that are here, the first of these, hold no more cells than one batch may touch; at least one.
pub(super) fn as_many_as_fit(ledger: &Ledger, ids: &[BookingId]) -> usize {
    let sums = items(ledger, ids).scan(0, |sum, count| {
        *sum += count;
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= CELLS_MAX).count().max(1)
}

/// The commands that fit into one batch.
struct Fitting {
    /// How many, the first ones.
    commands: usize,
    /// How many cells they want and may give back.
    count: usize,
    /// Those that they want, with the capacity of new ones.
    cells: Vec<(CellKey, i64)>,
}

fn fitting(ledger: &Ledger, needs: &[Needs<'_>]) -> Fitting {
    let (mut count, mut wanted) = (0, Vec::new());
    // Many may ask for the same hall as a whole; it counts once.
    let mut halls = HashSet::new();
    for (fits, needs) in needs.iter().enumerate() {
        let before = wanted.len();
        for ask in &needs.claims {
            let hall = ledger.catalogue.whole_hall(ask);
            if hall.is_none_or(|it| halls.insert(it.screening.id.number)) {
                ledger.catalogue.cells(ask, &mut wanted);
            }
        }
        let more = wanted.len() - before + items(ledger, &needs.bookings).sum::<usize>();
        if count + more > CELLS_MAX && fits > 0 {
            wanted.truncate(before);
            return Fitting {
                commands: fits,
                count,
                cells: wanted,
            };
        }
        count += more;
    }
    Fitting {
        commands: needs.len(),
        count,
        cells: wanted,
    }
}

/// Loads the cells that are wanted; the holds that have run out on them.
async fn cells(
    write: &Write,
    ledger: &mut Ledger,
    mut wanted: Vec<(CellKey, i64)>,
) -> Result<Vec<BookingId>, StoreError> {
    wanted.sort_unstable();
    wanted.dedup_by_key(|(key, _)| *key);
    let keys: Vec<CellKey> = wanted.iter().map(|(key, _)| *key).collect();
    let stored = write.cells_of(&keys).await?;
    // A cell that nobody has ever touched is held by nobody.
    let touched: Vec<CellKey> = stored.keys().copied().collect();
    for (key, capacity) in wanted {
        ledger.cells.add(key, stored.get(&key).copied(), capacity);
    }
    let limit = u64::try_from(LAPSED_MAX).unwrap_or(u64::MAX);
    write.lapsed_on(&touched, ledger.now, limit).await
}

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        domain::claim::{Ask, Claim},
        inventory::{
            Action,
            testing::{Rig, long_hold},
        },
    };

    #[tokio::test]
    async fn holds_that_have_run_out_count_among_the_cells_of_a_batch() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            for (room_type, floor, holds) in [("garden-double", 8, 13), ("sea-view", 9, 20)] {
                rig.add_rooms(room_type, floor).await;
                for _ in 0..holds {
                    let held = rig.inventory.submit(long_hold(room_type, 365)).await;
                    held.unwrap();
                }
            }
            rig.advance(SignedDuration::from_mins(10));
            for (room_type, nights, decided, ended) in [
                ("garden-double", 2, 1, 13),
                // They fit alone, but not beside what is asked for.
                ("garden-double", 365, 0, 13),
                ("sea-view", 2, 0, 13),
            ] {
                let write = rig.inventory.store().write().await.unwrap();
                let command = long_hold(room_type, nights);
                let now = rig.inventory.now();
                let loaded = load(&write, &mut Arc::default(), now, &[&command], &[]).await;
                let Loaded { ledger, commands } = loaded.unwrap();
                let (changes, _) = ledger.into_changes();
                let asked = (room_type, nights);
                assert_eq!(commands, decided, "{asked:?}");
                assert_eq!(changes.bookings_changed.len(), ended, "{asked:?}");
                assert!(changes.items_released.len() <= CELLS_MAX);
            }
            // What has run out is sold all the same, to the first who asks.
            for room_type in ["garden-double", "sea-view"] {
                let mut all = long_hold(room_type, 365);
                if let Action::Hold(hold) = &mut all.action
                    && let Ask::Claim(Claim::Stay(stay)) = &mut hold.claim
                {
                    stay.rooms = 20;
                }
                rig.inventory.submit(all).await.unwrap();
            }
        }
    }
}
