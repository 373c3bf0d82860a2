//! Rooms put aside for a group: a booking that holds them until its release and costs nothing. Who names it takes from what
//! is left of it, whatever the restrictions.

use std::collections::BTreeMap;

use super::{Item, Known, Model, No, Reason, Seen, Span, Spot, State, Want, Who, price, rules};

/// Rooms by their nights.
pub(super) type Rooms = BTreeMap<usize, i64>;

fn nights(span: Span) -> std::ops::Range<usize> {
    span.first..span.first + span.nights
}

impl Known {
    /// What it has, or had.
    pub(super) fn items(&self) -> Vec<Item> {
        let Some(left) = &self.left else {
            return rules::items(&self.what);
        };
        let item = |(night, rooms): (&usize, &i64)| Item {
            spot: Spot::Night(*night),
            quantity: *rooms,
            price: 0,
        };
        left.iter().map(item).collect()
    }

    pub(super) fn price(&self) -> i64 {
        match self.left {
            Some(_) => 0,
            None => price(&self.what),
        }
    }
}

impl Model {
    /// The block that is that many before the last one.
    pub(super) fn block(&self, which: usize) -> Option<usize> {
        let blocks = self.bookings.iter().enumerate();
        let mut blocks = blocks.filter(|(_, it)| it.left.is_some()).rev();
        Some(blocks.nth(which)?.0)
    }

    /// Whether a block has that left.
    pub(super) fn has_left(&self, block: usize, span: Span) -> Result<(), No> {
        let it = &self.bookings[block];
        let Some(left) = it.left.as_ref() else {
            return Err(No::Unknown);
        };
        if it.state != State::Held || it.has_lapsed(self.minute) {
            return Err(No::Unknown);
        }
        let of = |night| left.get(&night).copied().unwrap_or(0);
        if nights(span).all(|night| of(night) >= span.rooms) {
            Ok(())
        } else {
            Err(Reason::CellUnavailable.into())
        }
    }

    /// Puts rooms aside.
    pub(super) fn put_aside(&mut self, span: Span, minutes: i64) -> usize {
        let left = nights(span).map(|night| (night, span.rooms)).collect();
        self.add(Want::Rooms(span), minutes, Who::Operator, Some(left))
    }

    /// Takes from a block.
    pub(super) fn pick_up(&mut self, block: usize, span: Span, minutes: i64, who: Who) -> usize {
        let left = self.bookings[block].left.as_mut().unwrap();
        for night in nights(span) {
            *left.get_mut(&night).unwrap() -= span.rooms;
        }
        left.retain(|_, rooms| *rooms > 0);
        self.tell(block, Some(State::Held));
        let what = Want::Rooms(span);
        let sold = self.sold(&what).is_ok();
        self.seen.insert(Seen::PickedUp { sold });
        self.add(what, minutes, who, None)
    }
}
