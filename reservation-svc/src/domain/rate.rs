//! What a night costs: of the rates that cover it, the one set last wins; a night that none covers is not sold.

use std::ops::Range;

use jiff::civil::{Date, Weekday};

use super::cell::{PoolId, Slot};

/// Some days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    /// These days.
    pub fn of(days: &[Weekday]) -> Self {
        Self(days.iter().fold(0, |mask, day| mask | bit(*day)))
    }

    /// From a mask whose lowest bit is Monday; other bits are dropped.
    pub fn from_mask(mask: i64) -> Self {
        Self((mask & 0b111_1111) as u8)
    }

    /// A mask whose lowest bit is Monday.
    pub fn mask(self) -> i64 {
        i64::from(self.0)
    }

    /// Whether that day is one of them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

/// A price of a room type over some nights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Of which room type.
    pub pool: PoolId,
    /// Over which nights; the end is not included.
    pub nights: Range<Slot>,
    /// On which of them.
    pub weekdays: Weekdays,
    /// Price of one room for one night, in minor units.
    pub price_minor: i64,
}

/// The price of a night of a room type. `rates` is in the order in which the rates were set.
pub fn price_of(rates: &[Rate], pool: PoolId, night: Date) -> Option<i64> {
    let slot = Slot::of_night(night);
    let covers = |rate: &&Rate| {
        rate.pool == pool && rate.nights.contains(&slot) && rate.weekdays.contains(night.weekday())
    };
    rates.iter().rev().find(covers).map(|rate| rate.price_minor)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn rate(from: Date, to: Date, weekdays: Weekdays, price_minor: i64) -> Rate {
        let nights = Slot::of_night(from)..Slot::of_night(to);
        Rate {
            pool: PoolId(1),
            nights,
            weekdays,
            price_minor,
        }
    }

    #[test]
    fn the_rate_set_last_wins_on_its_weekdays() {
        let weekend = Weekdays::of(&[Weekday::Friday, Weekday::Saturday]);
        let (from, to) = (date(2026, 1, 1), date(2027, 1, 1));
        let rates = [
            rate(from, to, Weekdays::ALL, 100),
            rate(from, to, weekend, 150),
        ];
        let price = |day| price_of(&rates, PoolId(1), day);
        assert_eq!(price(date(2026, 11, 19)), Some(100)); // Thursday
        assert_eq!(price(date(2026, 11, 20)), Some(150));
        assert_eq!(price(date(2026, 11, 21)), Some(150));
        assert_eq!(price(date(2026, 11, 22)), Some(100));
    }

    #[test]
    fn a_night_without_a_rate_is_not_sold() {
        let rates = [rate(date(2026, 1, 1), date(2026, 1, 3), Weekdays::ALL, 100)];
        assert_eq!(price_of(&rates, PoolId(1), date(2026, 1, 2)), Some(100));
        assert_eq!(price_of(&rates, PoolId(1), date(2026, 1, 3)), None);
        assert_eq!(price_of(&rates, PoolId(2), date(2026, 1, 2)), None);
    }
}
