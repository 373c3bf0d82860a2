//! Single seats: free ones between seats that are not, which couples and families pass over, so that they stay empty.
//!
//! A *run* is as many free seats side by side as there are, before the booking. Of what it leaves, a seat is single if no
//! neighbour of it is left, be it that they are taken or that the row or an aisle ends there. The rule refuses it unless
//!
//! - the seat was single before: then it is a run of its own, and a booking that does not take it leaves it as it was;
//! - it cannot be avoided: the booking takes all seats of the run but one, and whichever it leaves is single. In every
//!   other case as many seats of the same run can be chosen from one end without leaving any single.
//!
//! So one who asks for two of three free seats side by side gets them; one who takes the second of five is refused.
//! What a booking that is moved gives back counts as free before.

use std::collections::HashSet;

use super::{Place, Plan};
use crate::domain::{catalogue::Seat, name::SeatId};

impl Plan {
    /// The seats that a choice would leave single, avoidably and anew. `free` tells whether a seat can be had; those
    /// chosen can.
    pub fn left_single(&self, chosen: &[SeatId], free: impl Fn(&Seat) -> bool) -> Vec<&Seat> {
        let chosen: HashSet<_> = chosen.iter().collect();
        let chosen = |place: &&Place| chosen.contains(&place.seat.id);
        let mut single = Vec::new();
        for row in &self.rows {
            if !row.places.iter().any(|place| chosen(&place)) {
                continue;
            }
            let mut run: Vec<&Place> = Vec::new();
            for place in &row.places {
                let is_free = chosen(&place) || free(&place.seat);
                if !is_free || !place.adjoins {
                    left_of(&run, chosen, &mut single);
                    run.clear();
                }
                if is_free {
                    run.push(place);
                }
            }
            left_of(&run, chosen, &mut single);
        }
        single
    }
}

/// What a choice leaves single of one run.
fn left_of<'a>(run: &[&'a Place], chosen: impl Fn(&&'a Place) -> bool, single: &mut Vec<&'a Seat>) {
    let taken: Vec<bool> = run.iter().map(&chosen).collect();
    let count = taken.iter().filter(|it| **it).count();
    if count == 0 || unavoidable(run.len() - count) {
        return;
    }
    for (at, place) in run.iter().enumerate() {
        let before = at == 0 || taken[at - 1];
        let after = at + 1 == run.len() || taken[at + 1];
        if !taken[at] && before && after {
            single.push(&place.seat);
        }
    }
}

/// Whether taking all but so many seats of a run leaves a single one, whichever are taken.
pub(super) fn unavoidable(left: usize) -> bool {
    left == 1
}
