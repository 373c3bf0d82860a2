//! Which stays a hotel sells at all, whatever is free: shortest and longest stay, days without arrival or departure,
//! nights not sold, and how long before the arrival one can book.
//!
//! Restrictions are set like rates, by room type, dates and weekdays: of those of one kind that cover a date the one set
//! last wins, and a rule can be lifted again for some of the dates ([`Rule`] has a value for that). Each kind looks at
//! its own dates:
//!
//! - the day of arrival: MIN_STAY, MAX_STAY, CLOSED_TO_ARRIVAL, CUT_OFF, ADVANCE_WINDOW;
//! - the day of leaving, which is not a night of the stay: CLOSED_TO_DEPARTURE;
//! - every night of the stay: STOP_SELL.
//!
//! There are no "through" rules, which ask for a shortest stay of whoever sleeps on some night, whenever they came: a
//! guest who changes the day of arrival could not be told which stay would do. Where a festival asks for three nights,
//! its nights are closed to arrival but for the first, which has a shortest stay of three.
//!
//! Restrictions bind sales and moves of guests at the moment of the decision; what has been sold stays sold. Times are
//! those of the hotel: where a clock change skips the cut-off time it is at the same distance from midnight.

use std::ops::Range;

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};

use super::{
    cell::{CellRef, PoolId, Slot},
    claim::Stay,
    rate::Weekdays,
    refusal::{Denial, Reason},
};

/// A rule over some dates of a room type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// Of which room type.
    pub pool: PoolId,
    /// Over which dates; the end is not included.
    pub dates: Range<Slot>,
    /// On which of them.
    pub weekdays: Weekdays,
    /// What holds there.
    pub rule: Rule,
}

/// What holds; nothing, 0 or false lifts what was set before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Who arrives must stay this many nights at least.
    MinStay(i64),
    /// Who arrives must stay this many nights at most; 0 for any number.
    MaxStay(i64),
    /// Nobody may arrive.
    ClosedToArrival(bool),
    /// Nobody may leave.
    ClosedToDeparture(bool),
    /// No night is sold.
    StopSell(bool),
    /// Until when one can book.
    CutOff(Option<CutOff>),
    /// At least this many days ahead must be booked, from today to the day of arrival.
    AdvanceMin(i64),
    /// At most this many days ahead can be booked; nothing for any number.
    AdvanceMax(Option<i64>),
}

/// The last moment at which a stay can be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutOff {
    /// This time of the day of arrival.
    OnArrival(Time),
    /// This many hours before the day of arrival begins.
    HoursBefore(i64),
}

/// The restrictions of a room type as they hold for one stay.
struct Rules<'a> {
    restrictions: &'a [Restriction],
    pool: PoolId,
}

/// Whether a stay can be sold at that time. `restrictions` is in the order in which they were set; those of other room
/// types are skipped. A denial names the first rule broken, and the nights that it is about.
pub fn check(
    stay: &Stay,
    pool: PoolId,
    restrictions: &[Restriction],
    now: Timestamp,
    zone: &TimeZone,
) -> Result<(), Denial> {
    let rules = Rules { restrictions, pool };
    rules.sold_on_every_night(stay)?;
    rules.booked_in_time(stay, now, zone)?;
    rules.open_on_both_days(stay)?;
    rules.of_right_length(stay)
}

impl Rules<'_> {
    fn sold_on_every_night(&self, stay: &Stay) -> Result<(), Denial> {
        let closed = |night: &Date| self.on(*night, stop_sell).unwrap_or(false);
        let nights: Vec<Date> = stay.nights.iter().filter(closed).collect();
        if nights.is_empty() {
            return Ok(());
        }
        let message = "not sold on some of these nights";
        Err(denial(Reason::StopSell, message, stay, nights))
    }

    fn booked_in_time(&self, stay: &Stay, now: Timestamp, zone: &TimeZone) -> Result<(), Denial> {
        let arrival = stay.nights.check_in();
        if let Some(end) = self.on(arrival, cut_off).flatten()
            && let Some(end) = end.moment(arrival, zone)
            && end <= now
        {
            let message = format!("for an arrival on {arrival} it had to be booked before {end}");
            let denial = denial(Reason::CutOff, message, stay, vec![arrival]);
            return Err(denial.with("cut_off", end));
        }
        let today = now.to_zoned(zone.clone()).date();
        let ahead = Slot::of_night(arrival).0 - Slot::of_night(today).0;
        let least = self.on(arrival, advance_min).unwrap_or(0);
        let most = self.on(arrival, advance_max).flatten();
        if ahead >= least && most.is_none_or(|most| ahead <= most) {
            return Ok(());
        }
        let bounds = match most {
            Some(most) => format!("{least} to {most}"),
            None => format!("at least {least}"),
        };
        let message = format!("must be booked {bounds} days before arrival, this is {ahead}");
        let denial = denial(Reason::AdvanceWindow, message, stay, vec![arrival])
            .with("days_ahead", ahead)
            .with("min_days", least);
        Err(match most {
            Some(most) => denial.with("max_days", most),
            None => denial,
        })
    }

    fn open_on_both_days(&self, stay: &Stay) -> Result<(), Denial> {
        let (arrival, departure) = (stay.nights.check_in(), stay.nights.check_out());
        if self.on(arrival, closed_to_arrival).unwrap_or(false) {
            let message = format!("no arrivals on {arrival}");
            let denial = denial(Reason::ClosedToArrival, message, stay, vec![arrival]);
            return Err(denial.with("date", arrival));
        }
        if self.on(departure, closed_to_departure).unwrap_or(false) {
            let message = format!("no departures on {departure}");
            let last = stay.nights.iter().last().unwrap_or(arrival);
            let denial = denial(Reason::ClosedToDeparture, message, stay, vec![last]);
            return Err(denial.with("date", departure));
        }
        Ok(())
    }

    fn of_right_length(&self, stay: &Stay) -> Result<(), Denial> {
        let arrival = stay.nights.check_in();
        let nights = stay.nights.count();
        let least = self.on(arrival, min_stay).unwrap_or(0);
        if nights < least {
            let message = format!("at least {least} nights from {arrival}, this is {nights}");
            let denial = denial(Reason::MinStay, message, stay, vec![arrival]);
            return Err(denial.with("min_nights", least).with("nights", nights));
        }
        let most = self.on(arrival, max_stay).filter(|most| *most > 0);
        match most {
            Some(most) if nights > most => {
                let message = format!("at most {most} nights from {arrival}, this is {nights}");
                let denial = denial(Reason::MaxStay, message, stay, vec![arrival]);
                Err(denial.with("max_nights", most).with("nights", nights))
            }
            _ => Ok(()),
        }
    }

    /// What the one set last of a kind says for a date; nothing if none covers it.
    fn on<T>(&self, date: Date, of_kind: impl Fn(Rule) -> Option<T>) -> Option<T> {
        let slot = Slot::of_night(date);
        let mut latest_first = self.restrictions.iter().rev();
        latest_first.find_map(|it| {
            let covers = it.pool == self.pool
                && it.dates.contains(&slot)
                && it.weekdays.contains(date.weekday());
            if covers { of_kind(it.rule) } else { None }
        })
    }
}

impl CutOff {
    /// The first moment that is too late for an arrival on that date; nothing beyond the calendar.
    pub fn moment(self, arrival: Date, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::OnArrival(time) => {
                let local = arrival.to_datetime(time);
                zone.to_ambiguous_timestamp(local).compatible().ok()
            }
            Self::HoursBefore(hours) => {
                let midnight = arrival.to_datetime(Time::midnight());
                let begins = zone.to_ambiguous_timestamp(midnight).compatible().ok()?;
                let before = jiff::SignedDuration::from_hours(hours);
                begins.checked_sub(before).ok()
            }
        }
    }
}

fn denial(reason: Reason, message: impl Into<String>, stay: &Stay, nights: Vec<Date>) -> Denial {
    let cells = nights.into_iter().map(|date| {
        let room_type = stay.room_type.clone();
        (CellRef::Night { room_type, date }, reason.as_str().to_owned())
    });
    Denial {
        cells: cells.collect(),
        ..Denial::new(reason, message)
    }
}

macro_rules! kinds {
    ($($name:ident: $kind:ident -> $type:ty;)*) => {$(
        fn $name(rule: Rule) -> Option<$type> {
            match rule {
                Rule::$kind(value) => Some(value),
                _ => None,
            }
        }
    )*};
}

kinds! {
    min_stay: MinStay -> i64;
    max_stay: MaxStay -> i64;
    closed_to_arrival: ClosedToArrival -> bool;
    closed_to_departure: ClosedToDeparture -> bool;
    stop_sell: StopSell -> bool;
    cut_off: CutOff -> Option<CutOff>;
    advance_min: AdvanceMin -> i64;
    advance_max: AdvanceMax -> Option<i64>;
}

#[cfg(test)]
mod tests;
