//! What cancelling costs.
//!
//! A venue has a [`Policy`]; a booking has the [`Terms`] that follow from the policy at the moment of the sale, and keeps
//! them whatever the venue decides later. A move is a sale: it is made under the policy of its own time, unless a fee is
//! due already, which then stays; see [`Terms::moved`].
//!
//! All times are counted back from when the booking begins: the screening's start, or 15:00 on the day of check-in where
//! the hotel stands ([`ARRIVAL_HOUR`]; where the clocks skip that hour, the hour after it). Until that moment cancelling
//! is free, from that very moment on it costs the fee. A hold is not a sale yet and costs nothing to let go.
//!
//! The fee is for what is given back: of a part, as much as the part would cost alone. It is computed in whole minor
//! units, half a unit rounded up, and is never more than the price of what is given back. Parts given back one after the
//! other can so come to a few units more or less than all at once: one rounding each.
//!
//! Who cancels says which fee is accepted. Where it is less than the fee nothing is cancelled, and the refusal
//! OUTSIDE_CANCELLATION_WINDOW says the fee: so nobody pays what they have not seen, however late the click arrives.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{
    booking::Item,
    money::Money,
    refusal::{Denial, Reason},
    violation::{Fault, Violation},
};

/// The hour of the day of check-in at which a stay begins.
pub const ARRIVAL_HOUR: i8 = 15;
/// Longest time before the beginning: a year.
pub const HOURS_MAX: i32 = 8760;
/// Most nights that a fee counts.
const NIGHTS_MAX: i32 = 365;

/// What a venue offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Free until so many hours before the beginning; never free where there is none.
    pub free_until_hours: Option<i64>,
    /// What it costs after that.
    pub fee: Fee,
}

/// What was agreed. By default it costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Free until then; never free where there is none.
    pub free_until: Option<Timestamp>,
    /// What it costs after that.
    pub fee: Fee,
}

/// How a fee is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fee {
    /// Nothing.
    #[default]
    None,
    /// So many hundredths of the price of what is given back, 1 to 100.
    Percent(i64),
    /// The price of so many nights of what is given back, from the first on.
    Nights(i64),
}

impl Fee {
    /// A fee in per cent, 1 to 100.
    pub fn percent(percent: i32) -> Result<Self, Violation> {
        match percent {
            1..=100 => Ok(Self::Percent(percent.into())),
            _ => Err(Violation::new("percent", Fault::Range, "must be 1 to 100")),
        }
    }

    /// A fee in nights, 1 to 365.
    pub fn nights(nights: i32) -> Result<Self, Violation> {
        match nights {
            1..=NIGHTS_MAX => Ok(Self::Nights(nights.into())),
            _ => {
                let description = format!("must be 1 to {NIGHTS_MAX}");
                Err(Violation::new("nights", Fault::Range, description))
            }
        }
    }
}

impl Policy {
    /// A policy as the contract has it.
    pub fn parse(free_until_hours: Option<i32>, fee: Fee) -> Result<Self, Violation> {
        if free_until_hours.is_some_and(|hours| !(0..=HOURS_MAX).contains(&hours)) {
            let description = format!("must be 0 to {HOURS_MAX}");
            return Err(Violation::new(
                "free_until_hours",
                Fault::Range,
                description,
            ));
        }
        Ok(Self {
            free_until_hours: free_until_hours.map(i64::from),
            fee,
        })
    }

    /// The terms of a booking that begins then.
    pub fn terms(&self, begins_at: Timestamp) -> Terms {
        let free_until = self.free_until_hours.map(|hours| {
            let until = begins_at.checked_sub(SignedDuration::from_hours(hours));
            until.unwrap_or(Timestamp::MIN)
        });
        Terms {
            free_until,
            fee: self.fee,
        }
    }
}

impl Terms {
    /// The terms of a booking that had these and is moved under others. Who would have to pay already does not get out of
    /// it by moving to another day first: the fee of before stays, and is due at any time.
    pub fn moved(self, now: Timestamp, others: Self) -> Self {
        let is_free = self.fee == Fee::None || self.free_until.is_some_and(|until| now < until);
        match is_free {
            true => others,
            false => Self {
                free_until: None,
                ..self
            },
        }
    }

    /// What it costs at that time to give this back, in minor units. `items` are those given back with their prices, in
    /// any order.
    pub fn fee(&self, now: Timestamp, items: &[Item]) -> i64 {
        if self.free_until.is_some_and(|until| now < until) {
            return 0;
        }
        let total: i64 = items.iter().map(|item| item.price_minor).sum();
        match self.fee {
            Fee::None => 0,
            Fee::Percent(percent) => percent_of(total, percent).min(total),
            Fee::Nights(nights) => {
                let nights = usize::try_from(nights).unwrap_or(0);
                // A booking that was moved has its items in the order in which it came to them.
                let mut items: Vec<&Item> = items.iter().collect();
                items.sort_by_key(|it| it.key.slot);
                items.iter().take(nights).map(|it| it.price_minor).sum()
            }
        }
    }
}

/// Refuses to charge a fee that has not been accepted.
pub fn accept(fee: Money, accepted_minor: Option<i64>) -> Result<(), Denial> {
    if fee.minor <= accepted_minor.unwrap_or(0) {
        return Ok(());
    }
    let message = format!(
        "cancelling costs {} minor units of {} now, which have not been accepted",
        fee.minor, fee.currency
    );
    Err(Denial::new(Reason::OutsideCancellationWindow, message)
        .with("fee_minor", fee.minor)
        .with("currency_code", fee.currency))
}

/// When a stay begins that arrives on that day at a hotel in that zone.
pub fn stay_begins(check_in: Date, zone: &TimeZone) -> Timestamp {
    let arrival = check_in.at(ARRIVAL_HOUR, 0, 0, 0);
    // Days on the edge of the calendar have no time in every zone; no stay is that far away.
    arrival
        .to_zoned(zone.clone())
        .map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// So many hundredths of an amount that is not negative, half a unit rounded up.
fn percent_of(amount: i64, percent: i64) -> i64 {
    let hundredths = i128::from(amount) * i128::from(percent);
    i64::try_from((hundredths + 50) / 100).unwrap_or(amount)
}

#[cfg(test)]
mod tests {
    use jiff::{ToSpan as _, civil::date};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        cell::{CellKey, CellRef, PoolId, Slot},
        money::Currency,
        name::{HotelId, RoomTypeId},
    };

    fn nights(prices: &[i64]) -> Vec<Item> {
        let first = date(2026, 12, 1);
        let item = |(number, price_minor): (i64, &i64)| Item {
            number,
            key: CellKey {
                pool: PoolId(1),
                slot: Slot(number),
            },
            cell: CellRef::Night {
                room_type: RoomTypeId {
                    hotel: HotelId("a".into()),
                    id: "b".into(),
                },
                date: first.saturating_add(number.days()),
            },
            quantity: 1,
            price_minor: *price_minor,
        };
        (0..).zip(prices).map(item).collect()
    }

    fn terms(fee: Fee) -> Terms {
        Terms {
            free_until: Some(Timestamp::UNIX_EPOCH),
            fee,
        }
    }

    #[test]
    fn it_is_free_until_the_very_moment() {
        let terms = terms(Fee::Percent(50));
        let end = Timestamp::UNIX_EPOCH;
        assert_eq!(terms.fee(end - 1.microseconds(), &nights(&[100])), 0);
        assert_eq!(terms.fee(end, &nights(&[100])), 50);
    }

    #[test]
    fn a_fee_that_is_due_survives_a_move() {
        let (now, fee) = (Timestamp::UNIX_EPOCH, Fee::Percent(50));
        let others = Terms {
            free_until: Some(now + 9.hours()),
            fee: Fee::Percent(10),
        };
        assert_eq!(terms(fee).moved(now - 1.microseconds(), others), others);
        assert_eq!(terms(Fee::None).moved(now, others), others);
        let kept = Terms {
            free_until: None,
            fee,
        };
        assert_eq!(terms(fee).moved(now, others), kept);
    }

    #[test]
    fn without_a_free_time_it_always_costs() {
        let terms = Terms {
            free_until: None,
            fee: Fee::Percent(100),
        };
        assert_eq!(terms.fee(Timestamp::MIN, &nights(&[7, 8])), 15);
    }

    #[test]
    fn by_default_nothing_ever_costs() {
        assert_eq!(Terms::default().fee(Timestamp::MAX, &nights(&[100])), 0);
    }

    #[test]
    fn half_a_unit_is_rounded_up() {
        let now = Timestamp::UNIX_EPOCH;
        for (total, percent, fee) in [
            (1, 50, 1),
            (1, 49, 0),
            (3, 50, 2),
            (199, 25, 50),
            (5, 100, 5),
        ] {
            let terms = terms(Fee::Percent(percent));
            assert_eq!(
                terms.fee(now, &nights(&[total])),
                fee,
                "{percent} % of {total}"
            );
        }
    }

    #[test]
    fn nights_are_paid_from_the_first_on_and_never_more_than_all() {
        let now = Timestamp::UNIX_EPOCH;
        let prices = nights(&[100, 150, 90]);
        for (count, fee) in [(1, 100), (2, 250), (3, 340), (365, 340)] {
            assert_eq!(terms(Fee::Nights(count)).fee(now, &prices), fee);
        }
        let mut moved = prices;
        moved.rotate_left(2);
        assert_eq!(terms(Fee::Nights(2)).fee(now, &moved), 250);
    }

    #[test]
    fn terms_count_back_from_three_in_the_afternoon_at_the_hotel() {
        let zone = TimeZone::get("Europe/Paris").unwrap();
        let begins = stay_begins(date(2026, 7, 1), &zone);
        assert_eq!(begins.to_string(), "2026-07-01T13:00:00Z");
        let policy = Policy::parse(Some(48), Fee::None).unwrap();
        let until = policy.terms(begins).free_until.unwrap();
        assert_eq!(until.to_string(), "2026-06-29T13:00:00Z");
    }

    #[test]
    fn what_is_not_accepted_is_not_charged() {
        let fee = Money::new(Currency::parse("EUR").unwrap(), 500);
        assert!(accept(fee, Some(500)).is_ok());
        assert!(accept(fee, Some(501)).is_ok());
        assert!(accept(Money { minor: 0, ..fee }, None).is_ok());
        for accepted in [None, Some(0), Some(499)] {
            let denial = accept(fee, accepted).unwrap_err();
            assert_eq!(denial.reason, Reason::OutsideCancellationWindow);
            let details = [("fee_minor", "500".into()), ("currency_code", "EUR".into())];
            assert_eq!(denial.details, details);
        }
    }

    #[test]
    fn policies_have_limits() {
        assert!(Policy::parse(Some(0), Fee::None).is_ok());
        assert!(Policy::parse(Some(8760), Fee::None).is_ok());
        for hours in [-1, 8761] {
            let wrong = Policy::parse(Some(hours), Fee::None).unwrap_err();
            assert_eq!(wrong.field, "free_until_hours");
        }
        for wrong in [0, 101, -5] {
            assert_eq!(Fee::percent(wrong).unwrap_err().field, "percent");
        }
        for wrong in [0, 366, -5] {
            assert_eq!(Fee::nights(wrong).unwrap_err().field, "nights");
        }
    }

    proptest! {
        #[test]
        fn a_fee_is_never_more_than_what_is_given_back(
            prices in proptest::collection::vec(0..1_000_000_000_000i64, 1..50),
            fee in prop_oneof![(1..=100i32).prop_map(Fee::percent), (1..=365i32).prop_map(Fee::nights)],
        ) {
            let total: i64 = prices.iter().sum();
            let fee = terms(fee.unwrap()).fee(Timestamp::MAX, &nights(&prices));
            prop_assert!((0..=total).contains(&fee));
        }

        #[test]
        fn parts_cost_what_the_whole_costs_but_for_one_rounding_each(
            prices in proptest::collection::vec(0..1_000_000i64, 1..50),
            percent in 1..=100i64,
        ) {
            let terms = terms(Fee::Percent(percent));
            let now = Timestamp::UNIX_EPOCH;
            let whole = terms.fee(now, &nights(&prices));
            let parts: i64 = prices.iter().map(|it| terms.fee(now, &nights(&[*it]))).sum();
            let roundings = i64::try_from(prices.len()).unwrap() + 1;
            prop_assert!((whole - parts).abs() * 2 <= roundings);
        }
    }
}
