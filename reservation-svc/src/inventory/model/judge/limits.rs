//! Whether a stay is sold at all, whatever is free.

use super::{Model, Reason, Span, Want};
use crate::inventory::model::{
    limits::{self, Limits},
    world::begins,
};

const DAY: i64 = 24 * 60;
/// Minutes from the hour at which stays begin to midnight.
const EVENING: i64 = 9 * 60;

impl Model {
    /// Whether restrictions leave it to be sold now.
    pub(super) fn sold(&self, want: &Want) -> Result<(), Reason> {
        let Want::Rooms(Span { first, nights, .. }) = *want else {
            return Ok(());
        };
        let (arrival, departure) = (self.limits(first), self.limits(first + nights));
        let stopped = (first..first + nights).any(|at| self.limits(at).stop_sell);
        let day_ends = begins(Some(first)) + EVENING;
        let hours_end = |hours| day_ends - hours * 60;
        let late = arrival.cut_off_hours.map(hours_end);
        // Midnights between now and the day of arrival.
        let ahead = (day_ends - 1 - self.minute) / DAY;
        let (at_least, at_most) = (arrival.days_ahead_min, arrival.days_ahead_max);
        let broken = [
            (Reason::StopSell, stopped),
            (Reason::CutOff, late.is_some_and(|end| self.minute >= end)),
            (
                Reason::AdvanceWindow,
                ahead < at_least || at_most > 0 && ahead > at_most,
            ),
            (Reason::ClosedToArrival, arrival.closed_to_arrival),
            (Reason::ClosedToDeparture, departure.closed_to_departure),
            (Reason::MinStay, nights < arrival.nights_min),
            (
                Reason::MaxStay,
                arrival.nights_max > 0 && nights > arrival.nights_max,
            ),
        ];
        match broken.into_iter().find(|(_, is)| *is) {
            Some((reason, _)) => Err(reason),
            None => Ok(()),
        }
    }

    /// What was set last for that date.
    fn limits(&self, at: usize) -> Limits {
        let set = self.limited.iter().rfind(|it| it.covers(at));
        set.map_or(limits::NONE, |it| it.limits)
    }
}
