//! Fills the ledger of a batch: whatever its commands need, in a constant number of statements.
//!
//! The order matters: first bookings, which tell their venues and how many cells they hold; then the catalogue, which tells
//! the cells of claims; then cells, and the holds that have run out on them. What request ids were answered is read beside
//! all that, as if nobody asked again. Where somebody does, which is rare, all is loaded anew without their needs: what was
//! answered already needs nothing.
//!
//! A batch touches at most [`CELLS_MAX`] cells: as many of its commands are loaded as fit, at least one, and the others
//! wait for the next batch. So does a batch with so many lapsed holds on its cells that ending them is work for a
//! batch of its own.

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

    let (fits, wanted) = fitting(&ledger, &needs);
    let lapsed = cells(write, &mut ledger, wanted).await?;
    let commands = match lapsed.len() {
        LAPSED_MAX.. => 0,
        _ => fits,
    };
    bookings(write, &mut ledger, lapsed.clone(), false).await?;
    for id in lapsed {
        decide::expire(&mut ledger, id);
    }
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

/// How many of the commands fit into one batch, and the cells that they want with the capacity of new ones.
fn fitting(ledger: &Ledger, needs: &[Needs<'_>]) -> (usize, Vec<(CellKey, i64)>) {
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
        let entries = needs.bookings.iter().filter_map(|id| ledger.booking(*id));
        count += wanted.len() - before + entries.map(|it| it.items.len()).sum::<usize>();
        if count > CELLS_MAX && fits > 0 {
            wanted.truncate(before);
            return (fits, wanted);
        }
    }
    (needs.len(), wanted)
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
