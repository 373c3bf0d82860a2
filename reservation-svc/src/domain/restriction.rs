//! Which stays a hotel sells at all, whatever is free: shortest and longest stay, days without arrival or departure,
//! nights not sold, and how long before the arrival one can book.
//!
//! Restrictions are set like rates, by room type, dates and weekdays, but all of them at once: of the sets that cover a
//! date the one set last holds there, as a whole. Which date's set is asked depends on the rule:
//!
//! - the day of arrival: MIN_STAY, MAX_STAY, CLOSED_TO_ARRIVAL, CUT_OFF, ADVANCE_WINDOW;
//! - the day of leaving, which is not a night of the stay: CLOSED_TO_DEPARTURE;
//! - every night of the stay: STOP_SELL.
//!
//! There are no "through" rules, which ask a shortest stay of whoever sleeps on some night, whenever they came: a guest
//! who then changes the day of arrival could not be told which stay would do. Where a festival asks for three nights, its
//! nights are closed to arrival but for the first, and that one has a shortest stay of three.
//!
//! Restrictions bind what is sold or moved from now on; what has been sold stays sold. Times are the hotel's: the cut-off
//! is counted back in hours that pass from the midnight at the end of the day of arrival, so where the clocks change on
//! that day it is an hour off on the wall.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{
    cell::{CellRef, PoolId, Slot},
    claim::Stay,
    rate::Weekdays,
    refusal::{Denial, Reason},
};

/// Restrictions of a room type over some dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// Of which room type.
    pub pool: PoolId,
    /// Over which dates; the end is not included.
    pub dates: Range<Slot>,
    /// On which of them.
    pub weekdays: Weekdays,
    /// What holds there.
    pub rules: Rules,
}

/// Under which restrictions a date is sold; by default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Who arrives stays this many nights at least; 0 for any number.
    pub nights_min: i64,
    /// Who arrives stays this many nights at most; 0 for any number.
    pub nights_max: i64,
    /// Nobody arrives.
    pub closed_to_arrival: bool,
    /// Nobody leaves.
    pub closed_to_departure: bool,
    /// The night is not sold.
    pub stop_sell: bool,
    /// An arrival is booked until this many hours before the day of arrival ends.
    pub cut_off_hours: Option<i64>,
    /// An arrival is booked this many days ahead at least.
    pub advance_days_min: i64,
    /// An arrival is booked this many days ahead at most; 0 for any number.
    pub advance_days_max: i64,
}

impl Rules {
    /// No restrictions.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// When it is too late to book an arrival on that date; nothing where the day's end is early enough, or beyond the
    /// calendar.
    fn cut_off(&self, arrival: Date, zone: &TimeZone) -> Option<Timestamp> {
        let hours = SignedDuration::from_hours(self.cut_off_hours?);
        let midnight = arrival.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
        midnight.timestamp().checked_sub(hours).ok()
    }
}

/// What holds for a room type on a date. `restrictions` is in the order in which they were set.
pub fn rules_on(restrictions: &[Restriction], pool: PoolId, date: Date) -> Rules {
    let slot = Slot::of_night(date);
    let covers = |it: &&Restriction| {
        it.pool == pool && it.dates.contains(&slot) && it.weekdays.contains(date.weekday())
    };
    let latest = restrictions.iter().rev().find(covers);
    latest.map(|it| it.rules).unwrap_or_default()
}

/// Whether a stay can be sold at that time. `restrictions` is in the order in which they were set; those of other room
/// types are skipped. A denial is about the first rule broken and names the nights that are not to be had for it.
pub fn check(
    stay: &Stay,
    pool: PoolId,
    restrictions: &[Restriction],
    now: Timestamp,
    zone: &TimeZone,
) -> Result<(), Denial> {
    let on = |date| rules_on(restrictions, pool, date);
    let stopped = stay.nights.iter().filter(|night| on(*night).stop_sell);
    let stopped: Vec<Date> = stopped.collect();
    if !stopped.is_empty() {
        let message = "not sold on some of these nights";
        return Err(denial(Reason::StopSell, message, stay, stopped));
    }
    let arrival = on(stay.nights.check_in());
    in_time(stay, &arrival, now, zone)?;
    within_window(stay, &arrival, now, zone)?;
    if arrival.closed_to_arrival {
        let message = format!("nobody arrives on {}", stay.nights.check_in());
        return Err(of_arrival(Reason::ClosedToArrival, message, stay));
    }
    if on(stay.nights.check_out()).closed_to_departure {
        let date = stay.nights.check_out();
        let message = format!("nobody leaves on {date}");
        let last = stay.nights.iter().last().into_iter().collect();
        let denial = denial(Reason::ClosedToDeparture, message, stay, last);
        return Err(denial.with("check_out_date", date));
    }
    of_right_length(stay, &arrival)
}

fn in_time(stay: &Stay, rules: &Rules, now: Timestamp, zone: &TimeZone) -> Result<(), Denial> {
    let arrival = stay.nights.check_in();
    match rules.cut_off(arrival, zone) {
        Some(end) if end <= now => {
            let message = format!("an arrival on {arrival} had to be booked before {end}");
            Err(of_arrival(Reason::CutOff, message, stay).with("cut_off_time", end))
        }
        _ => Ok(()),
    }
}

fn within_window(
    stay: &Stay,
    rules: &Rules,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<(), Denial> {
    let today = now.to_zoned(zone.clone()).date();
    let ahead = Slot::of_night(stay.nights.check_in()).0 - Slot::of_night(today).0;
    let (bound, limit) = if ahead < rules.advance_days_min {
        ("min_advance_days", rules.advance_days_min)
    } else if rules.advance_days_max > 0 && ahead > rules.advance_days_max {
        ("max_advance_days", rules.advance_days_max)
    } else {
        return Ok(());
    };
    let side = if ahead < limit { "least" } else { "most" };
    let message = format!("must be booked at {side} {limit} days ahead, this is {ahead}");
    let denial = of_arrival(Reason::AdvanceWindow, message, stay);
    Err(denial.with(bound, limit).with("advance_days", ahead))
}

fn of_right_length(stay: &Stay, rules: &Rules) -> Result<(), Denial> {
    let nights = stay.nights.count();
    let (reason, bound, limit) = if nights < rules.nights_min {
        (Reason::MinStay, "min_nights", rules.nights_min)
    } else if rules.nights_max > 0 && nights > rules.nights_max {
        (Reason::MaxStay, "max_nights", rules.nights_max)
    } else {
        return Ok(());
    };
    let side = if nights < limit { "least" } else { "most" };
    let arrival = stay.nights.check_in();
    let message = format!("a stay from {arrival} has at {side} {limit} nights, this has {nights}");
    let denial = of_arrival(reason, message, stay);
    Err(denial.with(bound, limit).with("nights", nights))
}

/// A denial for what holds on the day of arrival.
fn of_arrival(reason: Reason, message: impl Into<String>, stay: &Stay) -> Denial {
    let arrival = stay.nights.check_in();
    denial(reason, message, stay, vec![arrival]).with("check_in_date", arrival)
}

fn denial(reason: Reason, message: impl Into<String>, stay: &Stay, nights: Vec<Date>) -> Denial {
    let message = message.into();
    let cells = nights.into_iter().map(|date| {
        let room_type = stay.room_type.clone();
        (CellRef::Night { room_type, date }, message.clone())
    });
    Denial {
        cells: cells.collect(),
        ..Denial::new(reason, message.clone())
    }
}

#[cfg(test)]
mod tests;
