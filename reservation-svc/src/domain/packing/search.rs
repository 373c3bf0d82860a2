//! Looks for a plan systematically: stays in order of arrival, each in every room that makes a difference.
//!
//! Going by arrival, all that the past means for the future is which rooms are still occupied, until when, and until
//! when they are free of pins after that. Rooms that are free of pins until the same night are alike, so only one of
//! them is tried; and a position that led nowhere is not looked at again, whichever way it is reached. Positions are
//! remembered by a hash of 64 bits; of the few thousand of one search two will hardly ever be taken for each other, and
//! if so a plan may be missed, never a wrong one be found.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::board::Board;
use crate::domain::cell::Slot;

/// How a search ended.
pub(super) enum Found {
    /// With every stay placed.
    Plan(Board),
    /// There is no plan.
    Nothing,
    /// Too many positions to look at.
    GaveUp,
}

/// Places the stays, which are in order of arrival, on a board that has the pins. `nodes` is how many positions may
/// still be looked at.
pub(super) fn search(pinned: Board, order: &[usize], nodes: &mut usize) -> Found {
    let mut search = Search {
        pins: (0..pinned.rooms())
            .map(|room| pinned.stays_of(room).to_vec())
            .collect(),
        occupied: vec![Slot(i64::MIN); pinned.rooms()],
        board: pinned,
        path: Vec::with_capacity(order.len()),
        hopeless: HashSet::new(),
    };
    while let Some(&stay) = order.get(search.path.len()) {
        let Some(left) = nodes.checked_sub(1) else {
            return Found::GaveUp;
        };
        *nodes = left;
        let step = search.arrive(stay);
        if !search.advance(step) {
            return Found::Nothing;
        }
    }
    for (step, stay) in search.path.iter().zip(order) {
        search.board.set(*stay, Some(step.room));
    }
    Found::Plan(search.board)
}

struct Search {
    board: Board,
    pins: Vec<Vec<usize>>,
    /// Until when each room is occupied by those placed so far.
    occupied: Vec<Slot>,
    path: Vec<Step>,
    hopeless: HashSet<u64>,
}

/// A stay for which a room is to be chosen, or has been.
struct Step {
    stay: usize,
    position: u64,
    /// Rooms not yet tried, the best last.
    choices: Vec<usize>,
    room: usize,
    /// Until when that room was occupied before.
    before: Slot,
}

impl Search {
    fn arrive(&self, stay: usize) -> Step {
        let nights = self.board.nights(stay);
        let mut present = Vec::new();
        let mut choices = Vec::new();
        for room in 0..self.occupied.len() {
            let occupied_to = self.occupied[room];
            let free_to = self.free_of_pins_to(room, nights.start);
            if occupied_to > nights.start {
                present.push((free_to, occupied_to));
            } else if free_to >= nights.end {
                choices.push((free_to, room));
            }
        }
        present.sort_unstable();
        let mut hasher = DefaultHasher::new();
        (stay, present).hash(&mut hasher);
        choices.sort_unstable();
        choices.dedup_by_key(|(free_to, _)| *free_to);
        Step {
            stay,
            position: hasher.finish(),
            choices: choices.into_iter().rev().map(|(_, room)| room).collect(),
            room: 0,
            before: Slot(i64::MIN),
        }
    }

    /// Takes the best choice that is left of this step or, where there is none, of one before. False if there is none.
    fn advance(&mut self, mut step: Step) -> bool {
        if self.hopeless.contains(&step.position) {
            step.choices.clear();
        }
        loop {
            if let Some(room) = step.choices.pop() {
                let end = self.board.nights(step.stay).end;
                step.room = room;
                step.before = std::mem::replace(&mut self.occupied[room], end);
                self.path.push(step);
                return true;
            }
            self.hopeless.insert(step.position);
            let Some(last) = self.path.pop() else {
                return false;
            };
            self.occupied[last.room] = last.before;
            step = last;
        }
    }

    /// The night of the next pin of a room that is free on this one; nothing earlier if it is pinned on it.
    fn free_of_pins_to(&self, room: usize, night: Slot) -> Slot {
        let row = &self.pins[room];
        let next = row.partition_point(|pin| self.board.nights(*pin).end <= night);
        row.get(next)
            .map_or(Slot(i64::MAX), |pin| self.board.nights(*pin).start)
    }
}
