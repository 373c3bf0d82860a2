//! Runs of nights, and the one form in which the contract has days.

use jiff::civil::Date;

use crate::domain::{
    cell::Slot,
    violation::{Fault, Violation},
};

/// Longest stay.
pub const NIGHTS_MAX: i64 = 365;
/// A run of 1 to [`NIGHTS_MAX`] nights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nights {
    check_in: Date,
    check_out: Date,
}

impl Nights {
    /// The nights from check-in to check-out, both `YYYY-MM-DD`.
    pub fn parse(check_in: &str, check_out: &str) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        let first = parse_date("check_in_date", check_in, &mut violations);
        let last = parse_date("check_out_date", check_out, &mut violations);
        if let (Some(check_in), Some(check_out)) = (first, last) {
            return Self::new(check_in, check_out).map_err(|violation| vec![violation]);
        }
        Err(violations)
    }

    /// The nights from check-in to check-out.
    pub fn new(check_in: Date, check_out: Date) -> Result<Self, Violation> {
        let nights = Self {
            check_in,
            check_out,
        };
        match nights.count() {
            ..=0 => Err(Violation::new(
                "check_out_date",
                Fault::Range,
                format!("must be after check_in_date {check_in}"),
            )),
            1..=NIGHTS_MAX => Ok(nights),
            count => Err(Violation::new(
                "check_out_date",
                Fault::Range,
                format!("must be at most {NIGHTS_MAX} nights after check_in_date, this is {count}"),
            )),
        }
    }

    /// The first night.
    pub fn check_in(&self) -> Date {
        self.check_in
    }

    /// The day of leaving.
    pub fn check_out(&self) -> Date {
        self.check_out
    }

    /// How many.
    pub fn count(&self) -> i64 {
        self.slots().end.0 - self.slots().start.0
    }

    /// Their slots.
    pub fn slots(&self) -> std::ops::Range<Slot> {
        Slot::of_night(self.check_in)..Slot::of_night(self.check_out)
    }

    /// Each night, in order.
    pub fn iter(&self) -> impl Iterator<Item = Date> + use<> {
        let end = self.check_out;
        std::iter::successors(Some(self.check_in), |night| night.tomorrow().ok())
            .take_while(move |night| *night < end)
    }

    /// That the first night is not over: `today` is the day in the hotel's time zone.
    pub fn not_before(&self, today: Date) -> Result<(), Violation> {
        if self.check_in < today {
            let description = format!("must not be before today, {today} at the hotel");
            return Err(Violation::new("check_in_date", Fault::Range, description));
        }
        Ok(())
    }
}

/// A civil date of the form `YYYY-MM-DD`, and no other form of ISO 8601.
pub fn parse_date(field: &str, text: &str, violations: &mut Vec<Violation>) -> Option<Date> {
    if text.is_empty() {
        violations.push(Violation::new(
            field,
            Fault::Missing,
            "must be given as YYYY-MM-DD",
        ));
        return None;
    }
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date = if shaped { text.parse().ok() } else { None };
    if date.is_none() {
        violations.push(Violation::new(
            field,
            Fault::Format,
            "must be a day of the form YYYY-MM-DD, such as 2026-12-24",
        ));
    }
    date
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{super::tests::faults, *};

    #[test]
    fn nights_run_from_check_in_to_the_day_before_leaving() {
        let nights = Nights::parse("2028-02-28", "2028-03-01").unwrap();
        assert_eq!(nights.count(), 2);
        assert_eq!(
            nights.iter().collect::<Vec<_>>(),
            [date(2028, 2, 28), date(2028, 2, 29)]
        );
    }

    #[test]
    fn a_stay_has_1_to_365_nights() {
        assert_eq!(
            Nights::parse("2026-01-01", "2027-01-01").unwrap().count(),
            365
        );
        for (check_in, check_out) in [
            ("2026-01-01", "2027-01-02"),
            ("2026-01-02", "2026-01-01"),
            ("2026-01-01", "2026-01-01"),
        ] {
            assert_eq!(
                faults(Nights::parse(check_in, check_out)),
                [("check_out_date".into(), Fault::Range)]
            );
        }
    }

    #[test]
    fn dates_have_one_form() {
        for wrong in [
            "2026-1-01",
            "20260101",
            "2026-01-01T00:00",
            "2026-02-30",
            "01.01.2026",
            "2026-01-0١",
        ] {
            assert_eq!(
                faults(Nights::parse(wrong, "2026-03-03")),
                [("check_in_date".into(), Fault::Format)],
                "{wrong}"
            );
        }
        assert_eq!(
            faults(Nights::parse("", "2026-03-03")),
            [("check_in_date".into(), Fault::Missing)]
        );
    }
}
