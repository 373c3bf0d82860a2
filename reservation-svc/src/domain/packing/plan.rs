//! A plan that is kept up to date while stays come and go.
//!
//! What comes is fitted into the plan as it is, and only where that fails is the run of stays that it overlaps dealt out
//! anew: so a plan of thousands of stays costs little to keep, and changes little. How much it may cost in all is bounded
//! too: a crowd that is refused again and again must not hold up those who wait behind it. Past that bound only what fits
//! at once is granted.

use std::ops::Range;

use super::{
    Budget, EJECTIONS_MAX, Fragmented, NODES_MAX, RoomIndex, RoomStay, board::Board, components,
    pack_components,
};
use crate::domain::cell::Slot;

/// How many exchanges may be as costly as one can be.
const COSTLY_EXCHANGES_MAX: usize = 8;

/// Who sleeps where. Stays are known by the number that they were given when they came.
#[derive(Clone, Debug)]
pub struct Plan {
    board: Board,
    left: Budget,
}

impl Plan {
    /// A plan for stays, numbered in their order.
    pub fn new(rooms: usize, stays: Vec<RoomStay>) -> Result<Self, Fragmented> {
        let mut board = Board::empty(rooms, stays);
        let mut places = Vec::with_capacity(board.stays().len());
        let all = components::all(board.stays());
        let mut budget = Budget::of_a_call();
        pack_components(rooms, board.stays(), all, &mut budget, |stay, room| {
            places.push((stay, room));
        })?;
        for (stay, RoomIndex(room)) in places {
            board.set(stay, Some(room));
        }
        let left = Budget {
            ejections: EJECTIONS_MAX * COSTLY_EXCHANGES_MAX,
            nodes: NODES_MAX * COSTLY_EXCHANGES_MAX,
        };
        Ok(Self { board, left })
    }

    /// The room of a stay; nothing for one that has gone.
    pub fn room(&self, stay: usize) -> Option<RoomIndex> {
        self.board.place(stay).map(RoomIndex)
    }

    /// Lets some stays go and others come, whose numbers it returns; all of it or, where there is no plan, nothing. The
    /// stays in the way are named by their numbers, those that would come by the numbers that they would have had.
    pub fn exchange(
        &mut self,
        go: &[usize],
        come: Vec<RoomStay>,
    ) -> Result<Range<usize>, Fragmented> {
        self.attempt(go, come, true)
    }

    /// Whether [`exchange`](Self::exchange) would find a plan. Changes nothing; what a vain attempt has cost counts.
    pub fn could_exchange(&mut self, go: &[usize], come: Vec<RoomStay>) -> Result<(), Fragmented> {
        self.attempt(go, come, false).map(drop)
    }

    fn attempt(
        &mut self,
        go: &[usize],
        come: Vec<RoomStay>,
        keep: bool,
    ) -> Result<Range<usize>, Fragmented> {
        let left = self.left.clone();
        let before = self.board.stays().len();
        self.board.begin();
        for &stay in go {
            self.board.set(stay, None);
        }
        let coming = self.board.extend(come);
        let mut budget = Budget {
            ejections: EJECTIONS_MAX.min(self.left.ejections),
            nodes: NODES_MAX.min(self.left.nodes),
        };
        let (ejections, nodes) = (budget.ejections, budget.nodes);
        let mut fitted = self.fit_in(coming.clone(), &mut budget);
        if fitted.is_err() {
            self.board.undo();
            for &stay in go {
                self.board.set(stay, None);
            }
            fitted = self.deal_anew(coming.clone(), &mut budget);
        }
        self.left.ejections -= ejections - budget.ejections;
        self.left.nodes -= nodes - budget.nodes;
        match fitted {
            Ok(()) if keep => Ok(coming),
            Ok(()) => {
                self.board.undo();
                self.board.truncate(before);
                // So that it succeeds in the same way when it is done.
                self.left = left;
                Ok(coming)
            }
            Err(fragmented) => {
                self.board.undo();
                self.board.truncate(before);
                Err(fragmented)
            }
        }
    }

    /// Places those who come among those who are there.
    fn fit_in(&mut self, coming: Range<usize>, budget: &mut Budget) -> Result<(), Fragmented> {
        let mut share = budget.attempt();
        let fitted = self.board.place_pins(coming.clone()).and_then(|moved| {
            let loose = coming.filter(|stay| self.board.stays()[*stay].pin.is_none());
            let all: Vec<usize> = moved.into_iter().chain(loose).collect();
            self.board.insert_all(&all, &mut share)
        });
        budget.ejections += share;
        fitted
    }

    /// Makes a new plan of all who overlap those who come, with as little change as can be.
    fn deal_anew(&mut self, coming: Range<usize>, budget: &mut Budget) -> Result<(), Fragmented> {
        let Some(nights) = self.nights(coming.clone()) else {
            return Ok(());
        };
        let present = |stay: &usize| coming.contains(stay) || self.board.place(*stay).is_some();
        let there: Vec<usize> = (0..self.board.stays().len()).filter(present).collect();
        let planned = |stay: &usize| RoomStay {
            previous: self.room(*stay),
            ..self.board.stays()[*stay].clone()
        };
        let stays: Vec<RoomStay> = there.iter().map(planned).collect();
        let touched = components::all(&stays).filter(|component| {
            let touches = |stay: &usize| {
                let it = &stays[*stay].nights;
                it.start < nights.end && nights.start < it.end
            };
            component.iter().any(touches)
        });
        let mut places = Vec::new();
        let rooms = self.board.rooms();
        let packed = pack_components(rooms, &stays, touched, budget, |stay, room| {
            places.push((there[stay], room));
        });
        packed.map_err(|mut it| {
            it.stays.iter_mut().for_each(|stay| *stay = there[*stay]);
            it
        })?;
        places.retain(|(stay, room)| self.board.place(*stay) != Some(room.0));
        // Off the board first, for some exchange their rooms.
        for (stay, _) in &places {
            self.board.set(*stay, None);
        }
        for (stay, RoomIndex(room)) in places {
            self.board.set(stay, Some(room));
        }
        Ok(())
    }

    fn nights(&self, stays: Range<usize>) -> Option<Range<Slot>> {
        let nights = || stays.clone().map(|stay| self.board.nights(stay));
        let start = nights().map(|it| it.start).min()?;
        let end = nights().map(|it| it.end).max()?;
        Some(start..end)
    }
}
