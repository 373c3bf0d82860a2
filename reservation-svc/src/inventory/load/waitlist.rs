//! Loads who waits for what a batch may free, with everything that it takes to offer it to them.
//!
//! Nothing at all as long as nobody waits: the commit head knows how many do. The lines are those of every booking of the
//! batch, for any of them may give something back. Of the cells that those in line could use, holds that have run out
//! are not looked for: what such a hold gives back is offered when it is ended.

use std::{collections::HashSet, sync::Arc};

use super::super::{
    catalogue_cache::{Catalogue, Wanted},
    ledger::Ledger,
    needs::Needs,
};
use crate::{
    domain::{cell::CellKey, name::BookingId, wait_entry::Line},
    store::{StoreError, Write},
};

/// Loads the places in line that commands are about; what is offered to them.
pub(in crate::inventory) async fn entries(
    write: &Write,
    ledger: &mut Ledger,
    needs: &[Needs<'_>],
) -> Result<Vec<BookingId>, StoreError> {
    let ids = needs.iter().flat_map(|it| it.entries.iter().copied());
    let found = write.wait_entries_of(&ids.collect::<Vec<_>>()).await?;
    let offers = found.iter().filter_map(|it| it.offer).collect();
    for entry in found {
        ledger.lines.add_stored(entry);
    }
    Ok(offers)
}

/// Loads those lines and the lines of every booking of the ledger, and what is offered of these bookings.
pub(in crate::inventory) async fn lines(
    write: &Write,
    ledger: &mut Ledger,
    catalogue: &mut Arc<Catalogue>,
    mut lines: HashSet<Line>,
) -> Result<(), StoreError> {
    if ledger.head.waiting == 0 {
        return Ok(());
    }
    lines.extend(ledger.bookings().map(|it| Line::of_claim(&it.claim)));
    let ids: Vec<BookingId> = ledger.bookings().map(|it| it.id).collect();
    for entry in write.offered(&ids).await? {
        ledger.lines.add_stored(entry);
    }
    let waiting = write.lines(&lines).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let mut wanted = Wanted::default();
    waiting.iter().for_each(|it| wanted.ask(&it.ask));
    // Let go first: one that is shared would be copied to be added to.
    ledger.catalogue = Arc::default();
    Arc::make_mut(catalogue).load(write, wanted).await?;
    ledger.catalogue = Arc::clone(catalogue);
    let mut cells: Vec<(CellKey, i64)> = Vec::new();
    for entry in waiting {
        ledger.catalogue.cells(&entry.ask, &mut cells);
        ledger.lines.add_stored(entry);
    }
    cells.sort_unstable();
    cells.dedup_by_key(|(key, _)| *key);
    cells.retain(|(key, _)| !ledger.cells.has(*key));
    let keys: Vec<CellKey> = cells.iter().map(|(key, _)| *key).collect();
    let stored = write.cells_of(&keys).await?;
    for (key, capacity) in cells {
        ledger.cells.add(key, stored.get(&key).copied(), capacity);
    }
    Ok(())
}
