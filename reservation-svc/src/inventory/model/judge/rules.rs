//! What is free, what may be done, and what it costs.

use super::{
    AISLE, Entry, Known, Model, Part, Place, Reason, SEATS, Span, Spot, State, Terms, Want, Who,
};
use crate::inventory::model::{
    ask::Shown,
    world::{Fee, begins},
};

/// What a booking has of one spot.
#[derive(Clone, Copy, Debug)]
pub(in crate::inventory::model) struct Item {
    pub(in crate::inventory::model) spot: Spot,
    pub(in crate::inventory::model) quantity: i64,
    pub(in crate::inventory::model) price: i64,
}

pub(in crate::inventory::model) fn items(what: &Want) -> Vec<Item> {
    let item = |spot: Spot, quantity| Item {
        spot,
        quantity,
        price: spot.price() * quantity,
    };
    match what {
        Want::Rooms(Span {
            first,
            nights,
            rooms,
        }) => {
            let nights = *first..first + nights;
            nights.map(|at| item(Spot::Night(at), *rooms)).collect()
        }
        Want::Seats(seats) => seats.iter().map(|at| item(Spot::Seat(*at), 1)).collect(),
        Want::Best(count) => vec![item(Spot::Seat(0), 1); *count],
    }
}

pub(in crate::inventory::model) fn price(what: &Want) -> i64 {
    items(what).iter().map(|it| it.price).sum()
}

pub(super) fn is_stay(want: &Want) -> bool {
    matches!(want, Want::Rooms(_))
}

pub(super) fn shown(shown: Shown) -> Result<(), Reason> {
    match shown {
        Shown::Nothing | Shown::Right => Ok(()),
        Shown::Wrong => Err(Reason::PriceChanged),
    }
}

/// What is given back, and what is kept; nothing if the booking has no such part.
pub(super) fn split(what: &Want, part: &Part) -> Option<(Want, Want)> {
    match (what, part) {
        (Want::Rooms(span), Part::Rooms(rooms)) if (1..span.rooms).contains(rooms) => {
            let share = |rooms| Want::Rooms(Span { rooms, ..*span });
            Some((share(*rooms), share(span.rooms - rooms)))
        }
        (Want::Seats(own), Part::Seats(seats)) if seats.iter().all(|it| own.contains(it)) => {
            let (given, kept): (Vec<_>, Vec<_>) = own.iter().partition(|it| seats.contains(it));
            (!kept.is_empty()).then_some((Want::Seats(given), Want::Seats(kept)))
        }
        _ => None,
    }
}

/// Whether these seats, in any order, are side by side.
pub(super) fn side_by_side(seats: &[usize]) -> bool {
    let mut seats = seats.to_vec();
    seats.sort_unstable();
    let neighbours = |pair: &[usize]| pair[0] + 1 == pair[1] && pair[1] != AISLE;
    seats.windows(2).all(neighbours)
}

impl Terms {
    pub(super) fn is_free(self, minute: i64) -> bool {
        self.fee.is_none() || self.free_until.is_some_and(|until| minute < until)
    }
}

impl Known {
    /// Whether it is a hold that has run out and was not ended.
    pub(super) fn has_lapsed(&self, minute: i64) -> bool {
        self.state == State::Held && self.expires <= minute
    }
}

impl Model {
    /// What nobody has; holds that have run out count unless they are ended, or `discounted`.
    pub(in crate::inventory::model) fn free(
        &self,
        spot: Spot,
        but: Option<usize>,
        discounted: bool,
    ) -> i64 {
        let has = |it: &Known| match it.state {
            State::Held => !(discounted && it.has_lapsed(self.minute)),
            State::Confirmed => true,
            State::Cancelled | State::Expired => false,
        };
        let others = self.bookings.iter().enumerate();
        let others = others.filter(|(at, it)| Some(*at) != but && has(it));
        let items = others.flat_map(|(_, it)| it.items());
        let taken = items.filter(|it| it.spot == spot).map(|it| it.quantity);
        spot.capacity() - taken.sum::<i64>()
    }

    /// Whether it can be had, by a booking that gives back what it has.
    pub(super) fn fits(&self, want: &Want, but: Option<usize>) -> Result<(), Reason> {
        let free = |spot| self.free(spot, but, false);
        let fits = match want {
            Want::Best(count) => {
                let is_free = |at: &usize| free(Spot::Seat(*at)) > 0;
                if (0..SEATS).filter(is_free).count() < *count {
                    return Err(Reason::CellUnavailable);
                }
                let mut runs = (0..=SEATS - count).map(|first| (first..first + count).collect());
                let fits = |run: Vec<usize>| side_by_side(&run) && run.iter().all(is_free);
                return match runs.any(fits) {
                    true => Ok(()),
                    false => Err(Reason::SeatsNotTogether),
                };
            }
            want => items(want).iter().all(|it| free(it.spot) >= it.quantity),
        };
        if fits {
            Ok(())
        } else {
            Err(Reason::CellUnavailable)
        }
    }

    /// In how many places they wait for the like of that.
    pub(super) fn places(&self, want: &Want, who: Who) -> usize {
        let waits = |it: &&Entry| it.who == who && it.place == Place::Waiting;
        let waiting = self.line.iter().filter(waits);
        waiting
            .filter(|it| is_stay(&it.want) == is_stay(want))
            .count()
    }

    /// Whether a booking still has something that it can give back.
    pub(super) fn live(&self, which: usize) -> Result<(), Reason> {
        match &self.bookings[which] {
            it if it.has_lapsed(self.minute) => Err(Reason::HoldExpired),
            it => match it.state {
                State::Held | State::Confirmed => Ok(()),
                State::Expired => Err(Reason::HoldExpired),
                State::Cancelled => Err(Reason::BookingState),
            },
        }
    }

    pub(super) fn held(&self, which: usize) -> Result<(), Reason> {
        self.live(which)?;
        match self.bookings[which].state {
            State::Held => Ok(()),
            _ => Err(Reason::BookingState),
        }
    }

    /// Whether that payment may come for a booking.
    pub(super) fn payable(&self, which: usize, payment: u8) -> Result<(), Reason> {
        let it = &self.bookings[which];
        let is_other = it.paid.is_some_and(|paid| paid != payment);
        match it.state {
            State::Cancelled if it.paid.is_some() && !it.owed => Err(Reason::BookingState),
            _ if is_other => Err(Reason::PaymentReferenceMismatch),
            State::Cancelled | State::Expired => Err(Reason::PaidButExpired),
            State::Held if it.has_lapsed(self.minute) => Err(Reason::PaidButExpired),
            State::Held | State::Confirmed => Ok(()),
        }
    }

    /// The terms of what is sold now.
    pub(super) fn terms(&self, what: &Want) -> Terms {
        let (venue, first) = match what {
            Want::Rooms(span) => (0, Some(span.first)),
            _ => (1, None),
        };
        let policy = self.policies[venue];
        let hours = policy.and_then(|it| it.free_hours);
        Terms {
            free_until: hours.map(|hours| begins(first) - hours * 60),
            fee: policy.map(|it| it.fee),
        }
    }

    /// What it costs to give that back.
    pub(super) fn fee(&self, it: &Known, given: &Want) -> i64 {
        if it.state == State::Held || it.terms.is_free(self.minute) {
            return 0;
        }
        match it.terms.fee {
            None => 0,
            Some(Fee::Percent(percent)) => (price(given) * percent + 50) / 100,
            Some(Fee::Nights(count)) => items(given).iter().take(count).map(|it| it.price).sum(),
        }
    }

    pub(super) fn accepted(
        &self,
        it: &Known,
        given: &Want,
        accepted: Option<i64>,
    ) -> Result<(), Reason> {
        match self.fee(it, given) <= accepted.unwrap_or(0) {
            true => Ok(()),
            false => Err(Reason::OutsideCancellationWindow),
        }
    }
}
