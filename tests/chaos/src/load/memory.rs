//! What a client remembers: bookings that it knows of, and requests that it may repeat. Only a little of it, and now and
//! then something that is over: wrong requests have to be refused, too.

use banyan_history::record::{Granted, State};

use super::{
    ask::{Ask, What},
    stock::Wish,
};
use crate::chance::Chance;

const BOOKINGS_MAX: usize = 5;
const ASKS_MAX: usize = 8;

/// A client's memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    bookings: Vec<Known>,
    asks: Vec<Ask>,
}

/// A booking that the client knows of. It may have ended without the client having heard.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) name: String,
    /// Of nights rather than seats.
    pub(super) stays: bool,
    pub(super) confirmed: bool,
}

impl Memory {
    /// Whether there are as many bookings as it can hold.
    pub(super) fn is_full(&self) -> bool {
        self.bookings.len() >= BOOKINGS_MAX
    }

    /// One of the bookings.
    pub(super) fn booking(&self, chance: &mut Chance) -> Option<Known> {
        chance.pick(&self.bookings).cloned()
    }

    /// A request that was sent before.
    pub(super) fn ask(&self, chance: &mut Chance) -> Option<Ask> {
        chance.pick(&self.asks).cloned()
    }

    /// A request is about to be sent.
    pub(super) fn sent(&mut self, ask: &Ask, chance: &mut Chance) {
        if self.asks.len() >= ASKS_MAX {
            let old = chance.below(self.asks.len());
            self.asks.swap_remove(old);
        }
        self.asks.push(ask.clone());
    }

    /// A request was granted.
    pub(super) fn granted(&mut self, granted: &Granted, ask: &Ask, chance: &mut Chance) {
        let name = &granted.booking.booking;
        if let What::Hold { wish, .. } = &ask.what {
            self.bookings.push(Known {
                name: name.clone(),
                stays: matches!(wish, Wish::Stay(_)),
                confirmed: false,
            });
        }
        match granted.booking.state {
            State::Confirmed => {
                let known = self.bookings.iter_mut().filter(|known| known.name == *name);
                known.for_each(|known| known.confirmed = true);
            }
            State::Cancelled => self.forget(name, chance),
            State::Held | State::Expired => {}
        }
    }

    /// A request was refused.
    pub(super) fn refused(&mut self, reason: &str, ask: &Ask, chance: &mut Chance) {
        let (What::Confirm { booking }
        | What::Cancel { booking }
        | What::Move { booking, .. }
        | What::Extend { booking, .. }) = &ask.what
        else {
            return;
        };
        let cancels = matches!(ask.what, What::Cancel { .. });
        if reason == "HOLD_EXPIRED" || reason == "BOOKING_STATE" && cancels {
            self.forget(booking, chance);
        }
    }

    /// Forgets a booking that is over, mostly.
    fn forget(&mut self, name: &str, chance: &mut Chance) {
        if chance.percent(80) {
            self.bookings.retain(|known| known.name != *name);
        }
    }
}
