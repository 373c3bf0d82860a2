//! How much of the cells is taken, as the commands decided so far have left it.

use std::collections::HashMap;

use crate::{
    domain::cell::{Cell, CellKey},
    store::Changes,
};

/// The cells that a batch looks at or changes.
#[derive(Default)]
pub(in crate::inventory) struct Cells {
    accounts: HashMap<CellKey, Account>,
    /// Given back, or possible in another way, since somebody asked last.
    freed: Vec<CellKey>,
}

struct Account {
    known: Known,
    /// What the batch takes of it, less what it gives back.
    delta: i64,
}

/// What is known of a cell as it is stored.
#[derive(Clone, Copy)]
enum Known {
    /// Nothing: something is given back, and nobody wants it.
    Unasked,
    /// There is none yet; it will have that capacity.
    Absent {
        capacity: i64,
    },
    Stored(Cell),
}

impl Cells {
    /// Adds a cell that was asked for: as it is stored, or with the capacity that it will have.
    pub(in crate::inventory) fn add(&mut self, key: CellKey, stored: Option<Cell>, capacity: i64) {
        let known = match stored {
            Some(cell) => Known::Stored(cell),
            None => Known::Absent { capacity },
        };
        let account = self.account(key);
        account.known = known;
    }

    /// A cell as it is now; nothing if nobody asked for it, so that it must not be taken.
    pub(in crate::inventory) fn get(&self, key: CellKey) -> Option<Cell> {
        let account = self.accounts.get(&key)?;
        let cell = match account.known {
            Known::Unasked => return None,
            Known::Absent { capacity } => Cell { capacity, taken: 0 },
            Known::Stored(cell) => cell,
        };
        Some(Cell {
            taken: cell.taken + account.delta,
            ..cell
        })
    }

    /// Whether a cell was asked for.
    pub(in crate::inventory) fn has(&self, key: CellKey) -> bool {
        let account = self.accounts.get(&key);
        account.is_some_and(|it| !matches!(it.known, Known::Unasked))
    }

    pub(super) fn take(&mut self, key: CellKey, quantity: i64) {
        self.account(key).delta += quantity;
    }

    pub(super) fn release(&mut self, key: CellKey, quantity: i64) {
        self.account(key).delta -= quantity;
        self.freed.push(key);
    }

    /// Takes note that these may be had now though nothing of them was given back.
    pub(super) fn reopen(&mut self, keys: Vec<CellKey>) {
        self.freed.extend(keys);
    }

    /// The same of every cell that is here.
    pub(in crate::inventory) fn reopen_all(&mut self) {
        self.freed.extend(self.accounts.keys());
    }

    /// What may be had again since this was asked last.
    pub(in crate::inventory) fn take_freed(&mut self) -> Vec<CellKey> {
        std::mem::take(&mut self.freed)
    }

    /// Adds to the changes the cells that come to be, and how much more is taken of those that are stored; in the order
    /// of their keys.
    pub(super) fn write_to(self, changes: &mut Changes) {
        for (key, Account { known, delta }) in self.accounts {
            match known {
                _ if delta == 0 => {}
                Known::Absent { capacity } => {
                    let taken = delta;
                    changes.cells_new.push((key, Cell { capacity, taken }));
                }
                Known::Unasked | Known::Stored(_) => changes.cell_deltas.push((key, delta)),
            }
        }
        changes.cells_new.sort_unstable_by_key(|(key, _)| *key);
        changes.cell_deltas.sort_unstable_by_key(|(key, _)| *key);
    }

    fn account(&mut self, key: CellKey) -> &mut Account {
        let none = Account {
            known: Known::Unasked,
            delta: 0,
        };
        self.accounts.entry(key).or_insert(none)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::cell::{PoolId, Slot};

    fn key(pool: i64) -> CellKey {
        CellKey {
            pool: PoolId(pool),
            slot: Slot(1),
        }
    }

    #[test]
    fn only_what_differs_in_the_end_is_written() {
        let mut cells = Cells::default();
        let stored = Cell {
            capacity: 3,
            taken: 1,
        };
        cells.add(key(1), Some(stored), 9);
        cells.add(key(2), None, 2);
        cells.add(key(3), None, 2);
        for (pool, quantity) in [(1, 2), (2, 1), (3, 1)] {
            cells.take(key(pool), quantity);
        }
        cells.release(key(3), 1);
        cells.release(key(4), 1);
        assert_eq!(cells.get(key(1)).map(Cell::free), Some(0));
        assert_eq!(cells.get(key(2)).map(Cell::free), Some(1));
        assert_eq!(cells.get(key(3)).map(Cell::free), Some(2));
        assert_eq!(cells.get(key(4)), None, "nobody asked for it");
        let new = Cell {
            capacity: 2,
            taken: 1,
        };
        let mut changes = Changes::none(Timestamp::UNIX_EPOCH);
        cells.write_to(&mut changes);
        assert_eq!(changes.cells_new, [(key(2), new)]);
        assert_eq!(changes.cell_deltas, [(key(1), 2), (key(4), -1)]);
    }

    #[test]
    fn a_cell_asked_for_late_has_what_was_given_back_already() {
        let mut cells = Cells::default();
        cells.release(key(1), 2);
        let stored = Cell {
            capacity: 3,
            taken: 3,
        };
        cells.add(key(1), Some(stored), 9);
        assert_eq!(cells.get(key(1)).map(Cell::free), Some(2));
    }
}
