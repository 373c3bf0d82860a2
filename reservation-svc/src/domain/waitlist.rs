//! Who is offered what becomes free.
//!
//! The line is one of commits: who joined at an earlier commit stands before who joined later. What a transaction frees
//! is offered in that same transaction to the first in line **that it fits**, all of it or nothing; then what is left to
//! the next. So a family of five at the head does not keep a free pair of seats from the couple behind, and keeps its
//! place. Nobody is passed over who fits at their turn, and newcomers come after the whole line.
//!
//! An offer is a hold of the one who waits, for [`OFFER`]. Confirmed, it has served the entry; given back or run out, the
//! entry has left the line and what it held goes to the next. An entry has one open offer at most, for while it has one
//! it is not waiting. What the same guest holds beside it does not matter.
//!
//! An entry is only looked at when a cell has become free that it could use: everything else it has been refused before.
//! Where some have their rooms for certain, those are the nights of the room type on which it does not stay, too: who can
//! sleep in another room from then on may make way.
//! Of many who want the same one is refused for all, until something is taken.

use std::{collections::HashSet, hash::Hash};

use jiff::SignedDuration;

use super::cell::{CellKey, PoolId, Slot};

/// How long an offer is held.
pub const OFFER: SignedDuration = SignedDuration::from_mins(15);
/// Most that wait for one room type or screening.
pub const LINE_MAX: usize = 1000;
/// Most places that one guest has among them.
pub const GUEST_MAX: usize = 10;

/// Where an entry is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// In line.
    Waiting,
    /// Something is held for it.
    Offered,
    /// The offer was confirmed.
    Served,
    /// The guest has left the line, or let an offer run out or gave it back.
    Left,
    /// What it waits for is past.
    Over,
}

impl EntryState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Offered,
        Self::Served,
        Self::Left,
        Self::Over,
    ];

    /// UPPER_SNAKE_CASE, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Offered => "OFFERED",
            Self::Served => "SERVED",
            Self::Left => "LEFT",
            Self::Over => "OVER",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// The states that may come after it; there is no other way.
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Waiting => &[Self::Offered, Self::Left, Self::Over],
            Self::Offered => &[Self::Served, Self::Left, Self::Over],
            Self::Served | Self::Left | Self::Over => &[],
        }
    }
}

/// Which cells an entry could use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of a room type on some nights; the end is not included.
    Nights(PoolId, std::ops::Range<Slot>),
    /// Those of a room type on any night.
    RoomType(PoolId),
    /// Any seat of a screening. A night whose slot has the same number only costs a look in vain.
    Screening(Slot),
}

impl Reach {
    /// Whether a cell is one of them.
    pub fn includes(&self, cell: CellKey) -> bool {
        match self {
            Self::Nights(pool, nights) => cell.pool == *pool && nights.contains(&cell.slot),
            Self::RoomType(pool) => cell.pool == *pool,
            Self::Screening(slot) => cell.slot == *slot,
        }
    }
}

/// One who waits.
#[derive(Clone, Debug)]
pub struct Waiting<W, T> {
    /// Orders the line: the commit at which it was joined.
    pub sequence: i64,
    /// Which cells it could use.
    pub reach: Reach,
    /// What it waits for.
    pub want: W,
    /// Who waits.
    pub entry: T,
}

/// Offers what has become free along the line. `take` holds what an entry waits for, all of it, if it can be had right
/// now; it is asked in the order of the line, and what it takes is gone for those behind. Returns what it took.
///
/// What was refused is not asked for again before something else was taken. That may make it possible: where no single
/// seat may be left, two of three fit once the third has gone.
pub fn offer<W: Eq + Hash, T, H>(
    line: &[Waiting<W, T>],
    freed: &[CellKey],
    mut take: impl FnMut(&T) -> Option<H>,
) -> Vec<H> {
    let reached = |one: &&Waiting<W, T>| freed.iter().any(|cell| one.reach.includes(*cell));
    let mut turn: Vec<&Waiting<W, T>> = line.iter().filter(reached).collect();
    turn.sort_by_key(|one| one.sequence);
    let (mut taken, mut refused) = (Vec::new(), HashSet::new());
    for one in turn {
        if refused.contains(&one.want) {
            continue;
        }
        match take(&one.entry) {
            Some(it) => {
                taken.push(it);
                refused.clear();
            }
            None => drop(refused.insert(&one.want)),
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Wants that many rooms of one pool on the nights of a range.
    #[derive(Clone, Debug)]
    struct Want {
        number: usize,
        nights: std::ops::Range<i64>,
        rooms: i64,
    }

    impl Want {
        fn fits(&self, free: &HashMap<i64, i64>) -> bool {
            let left = |night| free.get(&night).copied().unwrap_or(0);
            self.nights.clone().all(|night| left(night) >= self.rooms)
        }
    }

    fn take(free: &mut HashMap<i64, i64>, want: &Want) -> Option<usize> {
        if !want.fits(free) {
            return None;
        }
        for night in want.nights.clone() {
            *free.get_mut(&night)? -= want.rooms;
        }
        Some(want.number)
    }

    fn line(wants: &[Want]) -> Vec<Waiting<(std::ops::Range<i64>, i64), Want>> {
        let waiting = |want: &Want| Waiting {
            sequence: i64::try_from(want.number).unwrap(),
            reach: Reach::Nights(PoolId(1), Slot(want.nights.start)..Slot(want.nights.end)),
            want: (want.nights.clone(), want.rooms),
            entry: want.clone(),
        };
        // The order in which a line is handed over decides nothing.
        wants.iter().rev().map(waiting).collect()
    }

    fn cell(night: i64) -> CellKey {
        CellKey {
            pool: PoolId(1),
            slot: Slot(night),
        }
    }

    fn want(number: usize, nights: std::ops::Range<i64>, rooms: i64) -> Want {
        Want {
            number,
            nights,
            rooms,
        }
    }

    #[test]
    fn the_first_that_fits_is_first_and_who_does_not_is_passed_by() {
        let wants = [want(0, 0..2, 3), want(1, 1..2, 2), want(2, 1..2, 1)];
        let mut free = HashMap::from([(0, 3), (1, 2)]);
        let offers = offer(&line(&wants), &[cell(1)], |want| take(&mut free, want));
        assert_eq!(offers, [1]);
    }

    #[test]
    fn only_who_could_use_what_became_free_is_asked() {
        let wants = [want(0, 0..1, 1), want(1, 0..3, 1)];
        let mut asked = Vec::new();
        offer(&line(&wants), &[cell(2)], |want| {
            asked.push(want.number);
            None::<()>
        });
        assert_eq!(asked, [1]);
        assert!(Reach::Screening(Slot(2)).includes(cell(2)));
        assert!(!Reach::Screening(Slot(3)).includes(cell(2)));
        assert!(Reach::RoomType(PoolId(1)).includes(cell(2)));
        assert!(!Reach::RoomType(PoolId(2)).includes(cell(2)));
    }

    #[test]
    fn of_many_who_want_the_same_one_is_refused_for_all() {
        let mut wants: Vec<_> = (0..900).map(|number| want(number, 0..1, 2)).collect();
        wants.push(want(900, 0..2, 1));
        wants.extend((901..1000).map(|number| want(number, 0..1, 2)));
        let mut asked = Vec::new();
        let offers = offer(&line(&wants), &[cell(0)], |want| {
            asked.push(want.number);
            (want.number == 900).then_some(want.number)
        });
        assert_eq!(offers, [900]);
        // Something was taken, which may have changed what is possible.
        assert_eq!(asked, [0, 900, 901]);
    }

    #[test]
    fn entries_end_in_one_of_three_ways() {
        for state in EntryState::ALL {
            assert_eq!(EntryState::parse(state.as_str()), Some(state));
            let over = [EntryState::Served, EntryState::Left, EntryState::Over];
            assert_eq!(state.next().is_empty(), over.contains(&state));
        }
    }

    proptest! {
        #[test]
        fn nobody_who_fits_is_passed_over(
            shapes in vec((0..4i64, 1..3i64, 1..4i64), 0..12),
            rooms in vec(0..6i64, 6),
        ) {
            let shape = |(number, (first, nights, rooms)): (usize, &(i64, i64, i64))| {
                want(number, *first..first + nights, *rooms)
            };
            let wants: Vec<_> = shapes.iter().enumerate().map(shape).collect();
            let before: HashMap<i64, i64> = (0..).zip(rooms).collect();
            let freed: Vec<_> = (0..6).map(cell).collect();
            let mut free = before.clone();
            let offers = offer(&line(&wants), &freed, |want| take(&mut free, want));

            // Nothing is offered twice, nor to anybody twice.
            prop_assert!(free.values().all(|left| *left >= 0));
            prop_assert!(offers.windows(2).all(|pair| pair[0] < pair[1]));
            // Who got nothing did not fit once all before had theirs.
            let mut left = before;
            for want in &wants {
                let offered = offers.contains(&want.number);
                prop_assert_eq!(offered, want.fits(&left));
                if offered {
                    take(&mut left, want);
                }
            }
        }
    }
}
