//! What a caller says beside what is claimed: for how long to hold, which price was shown, who comes.

use jiff::{SignedDuration, Timestamp};

use super::{
    money::Money,
    refusal::{Denial, Reason},
    violation::{Fault, Violation},
};

/// Longest time that a hold lasts in all, from when it was made.
pub const HOLD_MAX: SignedDuration = SignedDuration::from_mins(60);

/// When a hold runs out that was made then, would run out then, and is extended by that much. An hour in all is the
/// limit, and an extension beyond it is refused rather than cut: the caller has something in mind that needs the time.
pub fn extended(
    created_at: Timestamp,
    expires_at: Timestamp,
    by: SignedDuration,
) -> Result<Timestamp, Denial> {
    let longest = created_at.saturating_add(HOLD_MAX).unwrap_or(expires_at);
    match expires_at.checked_add(by) {
        Ok(extended) if extended <= longest => Ok(extended),
        _ => {
            let minutes = HOLD_MAX.as_mins();
            let message = format!("a hold lasts at most {minutes} minutes in all");
            Err(Denial::new(Reason::HoldLimit, message)
                .with("hold_seconds_max", HOLD_MAX.as_secs())
                .with("left_seconds", longest.duration_since(expires_at).as_secs()))
        }
    }
}

/// Refuses to sell at a price other than the one that the caller has been shown, where they say which.
pub fn as_expected(total: Money, expected_minor: Option<i64>) -> Result<(), Denial> {
    match expected_minor {
        Some(expected) if expected != total.minor => {
            let message = format!(
                "it costs {} minor units of {}, not {expected}",
                total.minor, total.currency
            );
            Err(Denial::new(Reason::PriceChanged, message)
                .with("total_minor", total.minor)
                .with("expected_minor", expected)
                .with("currency_code", total.currency))
        }
        _ => Ok(()),
    }
}

/// An amount that a caller names must be of the venue's currency: there is no conversion.
pub fn in_currency(field: &str, amount: Money, total: Money) -> Result<i64, Violation> {
    if amount.currency == total.currency {
        return Ok(amount.minor);
    }
    let description = format!("must be {}, the currency of the venue", total.currency);
    Err(Violation::new(
        format!("{field}.currency_code"),
        Fault::Range,
        description,
    ))
}

/// Who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// From 1.
    pub adults: i64,
    /// From 0.
    pub children: i64,
}

impl Party {
    /// Most people of one kind that the contract has: as many as the largest booking sleeps.
    const MAX: i32 = 1000;

    /// A party as the contract has it.
    pub fn parse(adults: i32, children: i32) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        for (field, count, least) in [("adults", adults, 1), ("children", children, 0)] {
            if !(least..=Self::MAX).contains(&count) {
                let description = format!("must be {least} to {}", Self::MAX);
                violations.push(Violation::new(field, Fault::Range, description));
            }
        }
        if violations.is_empty() {
            Ok(Self {
                adults: adults.into(),
                children: children.into(),
            })
        } else {
            Err(violations)
        }
    }

    /// Whether that many rooms take it, each that many guests. Children count like adults: each sleeps in a bed.
    pub fn fits(self, rooms: i64, guests_max: i64) -> Result<(), Denial> {
        let (guests, most) = (self.adults + self.children, rooms * guests_max);
        if guests <= most {
            return Ok(());
        }
        let message = format!("{guests} guests, but {most} at most");
        Err(Denial::new(Reason::PartyTooLarge, message)
            .with("guests", guests)
            .with("guests_max", most))
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::money::Currency;

    fn money(code: &str, minor: i64) -> Money {
        Money::new(Currency::parse(code).unwrap(), minor)
    }

    #[test]
    fn a_hold_lasts_an_hour_in_all() {
        let start = Timestamp::UNIX_EPOCH;
        let ends = start + 10.minutes();
        let by = SignedDuration::from_mins(50);
        assert_eq!(extended(start, ends, by), Ok(start + 60.minutes()));
        let second_more = by + SignedDuration::from_secs(1);
        let denial = extended(start, ends, second_more).unwrap_err();
        assert_eq!(denial.reason, Reason::HoldLimit);
        let details = [
            ("hold_seconds_max", "3600".into()),
            ("left_seconds", "3000".into()),
        ];
        assert_eq!(denial.details, details);
    }

    #[test]
    fn another_price_than_expected_is_told_with_both() {
        assert!(as_expected(money("EUR", 500), None).is_ok());
        assert!(as_expected(money("EUR", 500), Some(500)).is_ok());
        let denial = as_expected(money("EUR", 500), Some(400)).unwrap_err();
        assert_eq!(denial.reason, Reason::PriceChanged);
        assert_eq!(denial.details[0], ("total_minor", "500".into()));
        assert_eq!(denial.details[1], ("expected_minor", "400".into()));
    }

    #[test]
    fn amounts_are_of_the_venues_currency() {
        let total = money("EUR", 500);
        assert_eq!(in_currency("accepted_fee", money("EUR", 3), total), Ok(3));
        let wrong = in_currency("accepted_fee", money("USD", 3), total).unwrap_err();
        assert_eq!(wrong.field, "accepted_fee.currency_code");
    }

    #[test]
    fn a_party_fits_its_rooms() {
        let party = Party::parse(3, 2).unwrap();
        assert!(party.fits(2, 3).is_ok());
        let denial = party.fits(2, 2).unwrap_err();
        assert_eq!(denial.reason, Reason::PartyTooLarge);
        for (adults, children, field) in
            [(0, 0, "adults"), (1, -1, "children"), (1001, 0, "adults")]
        {
            assert_eq!(Party::parse(adults, children).unwrap_err()[0].field, field);
        }
    }

    proptest! {
        #[test]
        fn no_row_of_extensions_gets_beyond_the_hour(steps in proptest::collection::vec(1..3700i64, 1..30)) {
            let start = Timestamp::UNIX_EPOCH;
            let mut ends = start + 1.seconds();
            for seconds in steps {
                let by = SignedDuration::from_secs(seconds);
                if let Ok(later) = extended(start, ends, by) {
                    prop_assert_eq!(later.duration_since(ends), by);
                    ends = later;
                }
                prop_assert!(ends.duration_since(start) <= HOLD_MAX);
            }
        }
    }
}
