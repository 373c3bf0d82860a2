//! Rooms by nights with the stays that have been placed, and how another is placed among them.
//!
//! A stay goes where the gap around it is tightest: what ends soonest, then what began last, so that long gaps are left
//! for long stays. Where there is no gap, those in the way are moved to other rooms, and those in their way in turn, up
//! to [`DEPTH_MAX`] rooms deep; of the rooms that could be cleared only the [`BRANCHES_MAX`] easiest are tried.

use std::{cmp::Reverse, ops::Range};

use super::{Fragmented, RoomIndex, RoomStay};
use crate::domain::cell::Slot;

/// How many rooms deep stays make way for each other.
const DEPTH_MAX: usize = 12;
/// How many rooms are tried to be cleared for one stay.
const BRANCHES_MAX: usize = 2;

/// Which stay is where. Clones are cheap enough to try things on.
#[derive(Clone, Debug)]
pub(super) struct Board {
    stays: Vec<RoomStay>,
    /// The stays of each room, in order of their nights.
    rooms: Vec<Vec<usize>>,
    /// The room of each stay.
    places: Vec<Option<usize>>,
    /// Whether a stay must remain where it is for now.
    fixed: Vec<bool>,
    /// Stays and where they were before, in order of the changes.
    journal: Vec<(usize, Option<usize>)>,
}

impl Board {
    /// A board without any of the stays on it.
    pub(super) fn empty(rooms: usize, stays: Vec<RoomStay>) -> Self {
        Self {
            rooms: vec![Vec::new(); rooms],
            places: vec![None; stays.len()],
            fixed: vec![false; stays.len()],
            journal: Vec::new(),
            stays,
        }
    }

    /// A board with nothing but the pins.
    pub(super) fn of_pins(rooms: usize, stays: Vec<RoomStay>) -> Result<Self, Fragmented> {
        let mut board = Self::empty(rooms, stays);
        board.place_pins(0..board.stays.len())?;
        Ok(board)
    }

    /// The stays, on the board or not.
    pub(super) fn stays(&self) -> &[RoomStay] {
        &self.stays
    }

    /// The room that a stay has.
    pub(super) fn place(&self, stay: usize) -> Option<usize> {
        self.places.get(stay).copied().flatten()
    }

    /// Adds stays, not yet on the board; their numbers.
    pub(super) fn extend(&mut self, stays: Vec<RoomStay>) -> Range<usize> {
        let before = self.stays.len();
        self.stays.extend(stays);
        self.places.resize(self.stays.len(), None);
        self.fixed.resize(self.stays.len(), false);
        before..self.stays.len()
    }

    /// Forgets all stays but the first ones; none of the others may be on the board.
    pub(super) fn truncate(&mut self, stays: usize) {
        self.stays.truncate(stays);
        self.places.truncate(stays);
        self.fixed.truncate(stays);
    }

    /// Places those that are pinned; returns those that have to make way for them, off the board.
    pub(super) fn place_pins(&mut self, stays: Range<usize>) -> Result<Vec<usize>, Fragmented> {
        let mut moved = Vec::new();
        for stay in stays {
            let Some(RoomIndex(room)) = self.stays[stay].pin else {
                continue;
            };
            let mut obstacles = self.obstacles(room, stay);
            if room >= self.rooms.len() || obstacles.iter().any(|it| self.stays[*it].pin.is_some())
            {
                obstacles.retain(|it| self.stays[*it].pin.is_some());
                obstacles.push(stay);
                return Err(Fragmented {
                    stays: obstacles,
                    proven: true,
                });
            }
            for &obstacle in &obstacles {
                self.set(obstacle, None);
            }
            moved.extend(obstacles);
            self.set(stay, Some(room));
        }
        Ok(moved)
    }

    /// Places stays wherever they fit.
    pub(super) fn insert_all(
        &mut self,
        stays: &[usize],
        ejections: &mut usize,
    ) -> Result<(), Fragmented> {
        for &stay in stays {
            if !self.insert(stay, DEPTH_MAX, ejections) {
                return Err(Fragmented {
                    stays: self.in_the_way_of(stay),
                    proven: false,
                });
            }
        }
        Ok(())
    }

    /// From here on changes can be undone.
    pub(super) fn begin(&mut self) {
        self.journal.clear();
    }

    /// Undoes all changes since the beginning.
    pub(super) fn undo(&mut self) {
        self.undo_to(0);
    }

    /// Every stay with the room that it has.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, Option<usize>)> {
        self.places.iter().copied().enumerate()
    }

    /// How many rooms there are.
    pub(super) fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// The nights of a stay.
    pub(super) fn nights(&self, stay: usize) -> &Range<Slot> {
        &self.stays[stay].nights
    }

    /// The stays of a room, in order of their nights.
    pub(super) fn stays_of(&self, room: usize) -> &[usize] {
        &self.rooms[room]
    }

    /// Places the stays that can have the room that they had before; those that cannot are returned.
    pub(super) fn keep_previous(&mut self, stays: &[usize]) -> Vec<usize> {
        let mut newcomers = stays.to_vec();
        newcomers.retain(|&stay| !self.put_back(stay));
        newcomers
    }

    /// Places stays in that order, in the rooms that they had before if that is asked for and can be. Ends with the
    /// first one that finds no room.
    pub(super) fn place_all(
        &mut self,
        stays: &[usize],
        as_before: bool,
        ejections: &mut usize,
    ) -> Result<(), usize> {
        for &stay in stays {
            self.journal.clear();
            let done = as_before && self.put_back(stay);
            if !done && !self.insert(stay, DEPTH_MAX, ejections) {
                return Err(stay);
            }
        }
        Ok(())
    }

    /// The stays on the nights of that one in rooms that are free on some of these nights.
    pub(super) fn in_the_way_of(&self, stay: usize) -> Vec<usize> {
        let nights = self.nights(stay);
        let asked = nights.end.0 - nights.start.0;
        let mut found = Vec::new();
        for room in 0..self.rooms.len() {
            let obstacles = self.obstacles(room, stay);
            let occupied: i64 = obstacles
                .iter()
                .map(|it| self.shared_nights(*it, stay))
                .sum();
            if occupied < asked {
                found.extend(obstacles);
            }
        }
        found
    }

    fn put_back(&mut self, stay: usize) -> bool {
        match self.stays[stay].previous {
            Some(RoomIndex(room)) if self.gap(room, stay).is_some() => {
                self.set(stay, Some(room));
                true
            }
            _ => false,
        }
    }

    /// Places a stay where it fits best, or else where others can make way. False leaves everything as it was.
    fn insert(&mut self, stay: usize, depth: usize, ejections: &mut usize) -> bool {
        if let Some(room) = self.best_fit(stay) {
            self.set(stay, Some(room));
            return true;
        }
        if depth == 0 {
            return false;
        }
        for (room, obstacles) in self.clearable(stay) {
            let Some(left) = ejections.checked_sub(1) else {
                return false;
            };
            *ejections = left;
            let before = self.journal.len();
            for &obstacle in &obstacles {
                self.set(obstacle, None);
            }
            self.set(stay, Some(room));
            // Whoever makes others move must not be moved by them.
            self.fixed[stay] = true;
            let mut obstacles = obstacles.into_iter();
            let cleared = obstacles.all(|it| self.insert(it, depth - 1, ejections));
            self.fixed[stay] = false;
            if cleared {
                return true;
            }
            self.undo_to(before);
        }
        false
    }

    /// The rooms in which only movable stays are in the way, the easiest first.
    fn clearable(&self, stay: usize) -> Vec<(usize, Vec<usize>)> {
        let mut found = Vec::new();
        for room in 0..self.rooms.len() {
            let obstacles = self.obstacles(room, stay);
            if obstacles.iter().all(|it| self.is_movable(*it)) {
                let nights: i64 = obstacles.iter().map(|it| self.length(*it)).sum();
                found.push((obstacles.len(), nights, room, obstacles));
            }
        }
        found.sort_unstable();
        found.truncate(BRANCHES_MAX);
        found
            .into_iter()
            .map(|(_, _, room, obstacles)| (room, obstacles))
            .collect()
    }

    fn is_movable(&self, stay: usize) -> bool {
        self.stays[stay].pin.is_none() && !self.fixed[stay]
    }

    fn best_fit(&self, stay: usize) -> Option<usize> {
        let gaps = (0..self.rooms.len()).filter_map(|room| Some((self.gap(room, stay)?, room)));
        let tightest = gaps.min_by_key(|(gap, room)| (gap.end, Reverse(gap.start), *room));
        tightest.map(|(_, room)| room)
    }

    /// The nights around those of the stay on which the room is free, if it is free on all of those; nothing if there
    /// is no such room.
    fn gap(&self, room: usize, stay: usize) -> Option<Range<Slot>> {
        let nights = self.nights(stay);
        let row = self.rooms.get(room)?;
        let next = row.partition_point(|it| self.nights(*it).start < nights.end);
        let start = match next.checked_sub(1) {
            Some(before) => self.nights(row[before]).end,
            None => Slot(i64::MIN),
        };
        let end = row
            .get(next)
            .map_or(Slot(i64::MAX), |it| self.nights(*it).start);
        (start <= nights.start).then_some(start..end)
    }

    fn obstacles(&self, room: usize, stay: usize) -> Vec<usize> {
        let nights = self.nights(stay);
        let row = self.rooms.get(room).map_or(&[][..], Vec::as_slice);
        let from = row.partition_point(|it| self.nights(*it).end <= nights.start);
        let to = row.partition_point(|it| self.nights(*it).start < nights.end);
        row[from..to.max(from)].to_vec()
    }

    /// Moves a stay to a room that is free on its nights, or off the board.
    pub(super) fn set(&mut self, stay: usize, room: Option<usize>) {
        let before = self.relocate(stay, room);
        self.journal.push((stay, before));
    }

    fn undo_to(&mut self, length: usize) {
        for (stay, room) in self.journal.split_off(length).into_iter().rev() {
            self.relocate(stay, room);
        }
    }

    fn relocate(&mut self, stay: usize, room: Option<usize>) -> Option<usize> {
        let before = std::mem::replace(&mut self.places[stay], room);
        if let Some(before) = before {
            self.rooms[before].retain(|it| *it != stay);
        }
        if let Some(room) = room {
            let start = self.stays[stay].nights.start;
            let stays = &self.stays;
            let row = &mut self.rooms[room];
            let at = row.partition_point(|it| stays[*it].nights.start < start);
            row.insert(at, stay);
        }
        before
    }

    fn length(&self, stay: usize) -> i64 {
        let nights = self.nights(stay);
        nights.end.0 - nights.start.0
    }

    fn shared_nights(&self, one: usize, other: usize) -> i64 {
        let (one, other) = (self.nights(one), self.nights(other));
        one.end.min(other.end).0 - one.start.max(other.start).0
    }
}
