//! What each figure of a report means, defined once.
//!
//! Occupancy is rooms sold over rooms for sale (USALI), load factor is seats sold over seats for sale. Sold are the
//! cells of confirmed, checked-in, completed and no-show bookings; held are those of holds that the feed has not yet
//! confirmed, cancelled or expired. Only what guests book is sold or held, and only that is revenue: blocks are shown
//! apart, and a room out of order is no room for sale (USALI), so it lowers the capacity. A stay that ends early has
//! given its last nights back; a no-show keeps what it was charged. Fees for cancelling are revenue of their own, in no
//! night: what is cancelled is not sold.
//!
//! Capacity is the one in force now, also for nights gone by. Where it has been lowered under what was sold the ratio
//! stays at 1: the counts tell the truth, the ratio keeps its range.
//! Amounts of different currencies are never added.

use std::collections::BTreeMap;

use super::{
    change::{BookingKind, BookingState, Money},
    name::Night,
};

/// Claims of one kind, state and currency, summed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The kind of the bookings.
    pub kind: BookingKind,
    /// The state of the bookings.
    pub state: BookingState,
    /// How much of the capacity they claim.
    pub quantity: i64,
    /// For how much.
    pub price: Money,
}

impl Claims {
    /// Whether somebody pays for them.
    fn are_sold(&self) -> bool {
        self.kind == BookingKind::Guest && self.state.is_sold()
    }
}

/// How full something is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fill {
    /// For sale: there, and not out of order.
    pub capacity: i64,
    /// Sold.
    pub sold: i64,
    /// Taken by holds.
    pub held: i64,
    /// Put aside for groups.
    pub blocked: i64,
    /// There, but out of order.
    pub out_of_order: i64,
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

    /// Adds claims by what their kind and state mean.
    pub fn add(&mut self, claims: &Claims) {
        let place = match claims.kind {
            _ if claims.state.is_over() => return,
            BookingKind::Guest if claims.state.is_sold() => &mut self.sold,
            BookingKind::Guest => &mut self.held,
            BookingKind::Block => &mut self.blocked,
            BookingKind::OutOfOrder => {
                self.capacity -= claims.quantity;
                &mut self.out_of_order
            }
        };
        *place += claims.quantity;
    }

    fn add_all(&mut self, other: &Self) {
        self.capacity += other.capacity;
        self.sold += other.sold;
        self.held += other.held;
        self.blocked += other.blocked;
        self.out_of_order += other.out_of_order;
        self.denied += other.denied;
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
                // More may be out of order than there is by now.
                fill.capacity = fill.capacity.max(0);
                total.add_all(&fill);
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
        fill.capacity = fill.capacity.max(0);
        let currency_code = claims
            .iter()
            .filter(|claims| claims.kind == BookingKind::Guest)
            .filter(|claims| !claims.price.currency_code.is_empty())
            .max_by_key(|claims| (claims.are_sold(), claims.price.amount_minor))
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
            .filter(|claims| claims.are_sold())
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
            kind: BookingKind::Guest,
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
    fn blocks_are_not_sold_and_rooms_out_of_order_are_not_for_sale() {
        let night = Night::parse("2026-05-01").unwrap();
        let end = Night::parse("2026-05-02").unwrap();
        let of = |kind, state, quantity| Claims {
            kind,
            ..claims(state, quantity, "EUR", 100)
        };
        let facts = BTreeMap::from([(
            night,
            vec![
                of(BookingKind::Guest, BookingState::CheckedIn, 2),
                of(BookingKind::Guest, BookingState::Completed, 1),
                of(BookingKind::Block, BookingState::Held, 3),
                of(BookingKind::Block, BookingState::Expired, 9),
                of(BookingKind::OutOfOrder, BookingState::Confirmed, 4),
                of(BookingKind::OutOfOrder, BookingState::Cancelled, 9),
            ],
        )]);
        let report = Occupancy::of(night.until(end), 10, "EUR", &facts, &BTreeMap::new());
        let fill = Fill {
            capacity: 6,
            sold: 3,
            held: 0,
            blocked: 3,
            out_of_order: 4,
            denied: 0,
        };
        assert_eq!((report.nights[0].1, report.total), (fill, fill));
        assert!((report.total.ratio() - 0.5).abs() < f64::EPSILON);
        assert_eq!(report.revenue.amount_minor, 200);
        let fewer = Occupancy::of(night.until(end), 3, "EUR", &facts, &BTreeMap::new());
        assert_eq!(fewer.total.capacity, 0);
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
