//! What each figure of a report means, defined once.
//!
//! Occupancy is rooms sold over rooms for sale (USALI), load factor is seats sold over seats for sale. Sold are the
//! cells of confirmed, checked-in, completed and no-show bookings; held are those of holds that the feed has not yet
//! confirmed, cancelled or expired. Capacity is the one in force now, also for nights gone by. Where capacity has been
//! lowered under what was sold the ratio stays at 1: the counts tell the truth, the ratio keeps its range.
//! Amounts of different currencies are never added.

use std::collections::BTreeMap;

use super::{
    change::{BookingState, Money},
    name::Night,
};

/// Claims of one state and one currency, summed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The state of the bookings.
    pub state: BookingState,
    /// How much of the capacity they claim.
    pub quantity: i64,
    /// For how much.
    pub price: Money,
}

/// How full something is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fill {
    /// For sale.
    pub capacity: i64,
    /// Sold.
    pub sold: i64,
    /// Taken by holds.
    pub held: i64,
    /// Refused for want of it.
    pub denied: i64,
}

impl Fill {
    /// Nothing claimed yet.
    #[must_use]
    pub fn of(capacity: i64, denied: i64) -> Self {
        Self {
            capacity,
            denied,
            ..Self::default()
        }
    }

    /// Adds claims by what their state means.
    pub fn add(&mut self, claims: &Claims) {
        if claims.state.is_sold() {
            self.sold += claims.quantity;
        } else if claims.state == BookingState::Held {
            self.held += claims.quantity;
        }
    }

    /// Sold over capacity, 0 to 1; 0 where nothing is for sale.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        ratio(self.sold, self.capacity)
    }
}

/// How full a hotel is, night by night.
#[derive(Debug, Clone, PartialEq)]
pub struct Occupancy {
    /// Every night of the range, in order.
    pub nights: Vec<(Night, Fill)>,
    /// Over the whole range.
    pub total: Fill,
    /// Of what was sold.
    pub revenue: Money,
}

impl Occupancy {
    /// Puts summed facts together: `capacity` rooms each night, claims and refusals by night. Nights without facts are
    /// empty, never missing. Revenue is in `currency_code`.
    #[must_use]
    pub fn of(
        nights: impl Iterator<Item = Night>,
        capacity: i64,
        currency_code: &str,
        claims: &BTreeMap<Night, Vec<Claims>>,
        denied: &BTreeMap<Night, i64>,
    ) -> Self {
        let mut total = Fill::default();
        let nights = nights
            .map(|night| {
                let refused = denied.get(&night).copied().unwrap_or_default();
                let mut fill = Fill::of(capacity, refused);
                for claims in claims.get(&night).into_iter().flatten() {
                    fill.add(claims);
                }
                total.capacity += fill.capacity;
                total.sold += fill.sold;
                total.held += fill.held;
                total.denied += fill.denied;
                (night, fill)
            })
            .collect();
        Self {
            nights,
            total,
            revenue: revenue(claims.values().flatten(), currency_code),
        }
    }
}

/// How full a screening is.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadFactor {
    /// Seats.
    pub fill: Fill,
    /// Of what was sold; `None` while nobody has claimed a seat, since the currency is known from claims only.
    pub revenue: Option<Money>,
}

impl LoadFactor {
    /// Puts summed facts together. Revenue is in the currency of the largest sold amount.
    #[must_use]
    pub fn of(capacity: i64, claims: &[Claims], denied: i64) -> Self {
        let mut fill = Fill::of(capacity, denied);
        for claims in claims {
            fill.add(claims);
        }
        let currency_code = claims
            .iter()
            .filter(|claims| !claims.price.currency_code.is_empty())
            .max_by_key(|claims| (claims.state.is_sold(), claims.price.amount_minor))
            .map(|claims| &claims.price.currency_code);
        Self {
            fill,
            revenue: currency_code.map(|code| revenue(claims.iter(), code)),
        }
    }
}

fn revenue<'a>(claims: impl Iterator<Item = &'a Claims>, currency_code: &str) -> Money {
    Money {
        currency_code: currency_code.to_owned(),
        amount_minor: claims
            .filter(|claims| claims.state.is_sold())
            .filter(|claims| claims.price.currency_code == currency_code)
            .map(|claims| claims.price.amount_minor)
            .sum(),
    }
}

// Counts stay far below 2^53, where a double is exact.
#[allow(clippy::cast_precision_loss)]
fn ratio(sold: i64, capacity: i64) -> f64 {
    if capacity <= 0 {
        return 0.0;
    }
    (sold as f64 / capacity as f64).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(state: BookingState, quantity: i64, currency: &str, amount_minor: i64) -> Claims {
        Claims {
            state,
            quantity,
            price: Money {
                currency_code: currency.to_owned(),
                amount_minor,
            },
        }
    }

    #[test]
    fn nothing_for_sale_is_not_occupied() {
        assert!(Fill::of(0, 3).ratio().abs() < f64::EPSILON);
    }

    #[test]
    fn the_ratio_stays_at_one_where_capacity_was_lowered_under_what_was_sold() {
        let mut fill = Fill::of(2, 0);
        fill.add(&claims(BookingState::Confirmed, 3, "EUR", 300));
        assert_eq!(fill.sold, 3);
        assert!((fill.ratio() - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_night_counts_each_state_where_it_belongs() {
        let night = Night::parse("2026-05-01").unwrap();
        let end = Night::parse("2026-05-03").unwrap();
        let facts = BTreeMap::from([(
            night,
            vec![
                claims(BookingState::Confirmed, 2, "EUR", 200),
                claims(BookingState::NoShow, 1, "EUR", 100),
                claims(BookingState::Held, 4, "EUR", 400),
                claims(BookingState::Cancelled, 9, "EUR", 900),
                claims(BookingState::Confirmed, 1, "USD", 77),
            ],
        )]);
        let denied = BTreeMap::from([(end, 5), (night, 2)]);
        let report = Occupancy::of(night.until(end), 10, "EUR", &facts, &denied);
        assert_eq!(report.nights.len(), 2);
        let first = report.nights[0].1;
        assert_eq!((first.sold, first.held, first.denied), (4, 4, 2));
        assert_eq!(report.nights[1].1, Fill::of(10, 0));
        assert_eq!((report.total.capacity, report.total.sold), (20, 4));
        assert_eq!(report.revenue.amount_minor, 300);
    }

    #[test]
    fn a_screening_without_claims_has_no_currency() {
        assert_eq!(LoadFactor::of(20, &[], 0).revenue, None);
        let held = [claims(BookingState::Held, 1, "EUR", 900)];
        let report = LoadFactor::of(20, &held, 0);
        assert_eq!(report.revenue.unwrap().amount_minor, 0);
        assert_eq!(report.fill.held, 1);
    }
}
