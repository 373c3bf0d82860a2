//! Restrictions of the room type: which nights are sold to whom, apart from how many rooms are left.

use jiff::civil::Weekday;

use super::world::{DAYS, ROOM_TYPE, World, day};
use crate::{
    domain::{
        cell::Slot,
        name::RoomTypeId,
        rate::Weekdays,
        restriction::{Restriction, Rules},
    },
    inventory::testing::Rig,
};

/// What holds from one date until before another, on some weekdays.
#[derive(Clone, Debug)]
pub(super) struct Limited {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Every day where empty.
    pub(super) weekdays: &'static [Weekday],
    pub(super) limits: Limits,
}

/// What holds on a date. 0, false and nothing: nothing does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limits {
    pub(super) nights_min: usize,
    pub(super) nights_max: usize,
    pub(super) closed_to_arrival: bool,
    pub(super) closed_to_departure: bool,
    pub(super) stop_sell: bool,
    /// Before the day of arrival ends.
    pub(super) cut_off_hours: Option<i64>,
    pub(super) days_ahead_min: i64,
    pub(super) days_ahead_max: i64,
}

/// Some days of the week, of which the first nights are Tuesday to Saturday.
pub(super) const WEEKDAYS: &[&[Weekday]] = &[
    &[],
    &[],
    &[Weekday::Tuesday, Weekday::Thursday],
    &[Weekday::Friday, Weekday::Saturday],
];

pub(super) const NONE: Limits = Limits {
    nights_min: 0,
    nights_max: 0,
    closed_to_arrival: false,
    closed_to_departure: false,
    stop_sell: false,
    cut_off_hours: None,
    days_ahead_min: 0,
    days_ahead_max: 0,
};

/// Alone and together. The cut-off is an hour after the start for the first day, and for the last. At the start it is 11
/// to 15 days until the arrivals that are asked for, and never as little as 3: nothing is ever sold because time has
/// passed, for who waits for that would not be asked.
pub(super) const LIMITS: &[Limits] = &[
    NONE,
    Limits {
        nights_min: 3,
        ..NONE
    },
    Limits {
        nights_max: 1,
        ..NONE
    },
    Limits {
        closed_to_arrival: true,
        ..NONE
    },
    Limits {
        closed_to_departure: true,
        ..NONE
    },
    Limits {
        stop_sell: true,
        ..NONE
    },
    Limits {
        cut_off_hours: Some(275),
        ..NONE
    },
    Limits {
        cut_off_hours: Some(371),
        nights_max: 2,
        ..NONE
    },
    Limits {
        days_ahead_min: 13,
        ..NONE
    },
    Limits {
        days_ahead_max: 3,
        ..NONE
    },
    Limits {
        nights_min: 2,
        closed_to_departure: true,
        days_ahead_min: 11,
        days_ahead_max: 15,
        ..NONE
    },
    Limits {
        nights_min: 3,
        nights_max: 3,
        closed_to_arrival: true,
        stop_sell: true,
        cut_off_hours: Some(0),
        ..NONE
    },
];

impl Limited {
    /// Whatever was set holds no more.
    pub(super) const LIFTED: Self = Self {
        from: 0,
        to: DAYS + 3,
        weekdays: &[],
        limits: NONE,
    };

    /// Whether it holds on that date.
    pub(super) fn covers(&self, at: usize) -> bool {
        let on = self.weekdays.is_empty() || self.weekdays.contains(&day(at).weekday());
        (self.from..self.to).contains(&at) && on
    }

    pub(super) async fn set(&self, rig: &Rig, world: &World) {
        let limits = self.limits;
        let restriction = Restriction {
            pool: world.rooms,
            dates: Slot::of_night(day(self.from))..Slot::of_night(day(self.to)),
            weekdays: match self.weekdays {
                [] => Weekdays::ALL,
                days => Weekdays::of(days),
            },
            rules: Rules {
                nights_min: i64::try_from(limits.nights_min).unwrap(),
                nights_max: i64::try_from(limits.nights_max).unwrap(),
                closed_to_arrival: limits.closed_to_arrival,
                closed_to_departure: limits.closed_to_departure,
                stop_sell: limits.stop_sell,
                cut_off_hours: limits.cut_off_hours,
                advance_days_min: limits.days_ahead_min,
                advance_days_max: limits.days_ahead_max,
            },
        };
        let room_type = RoomTypeId::parse(ROOM_TYPE).unwrap();
        let set = rig.inventory.set_restriction(room_type, &restriction);
        assert!(set.await.is_ok());
    }
}
