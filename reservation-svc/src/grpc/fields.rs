//! Fields of requests that set something up: every mistake of a request is found before it is refused.

use banyan_proto::reservation::v1;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use tonic::Status;

use super::status;
use crate::domain::{
    cell::Slot,
    claim::{NIGHTS_MAX, Nights, parse_date},
    money::Currency,
    violation::{Fault, Violation},
};

/// What the database's CHECK allows.
const PRICE_MAX: i64 = 1_000_000_000_000;
/// Longest last part of a name.
const ID_MAX: usize = 63;

/// Collects what is wrong while a request is read field by field.
#[derive(Default)]
pub(super) struct Fields {
    violations: Vec<Violation>,
}

impl Fields {
    /// Notes a wrong field.
    pub(super) fn wrong(&mut self, field: &str, fault: Fault, description: impl Into<String>) {
        self.violations
            .push(Violation::new(field, fault, description));
    }

    /// Notes mistakes that others have found.
    pub(super) fn wrongs(&mut self, violations: Vec<Violation>) {
        self.violations.extend(violations);
    }

    /// INVALID_ARGUMENT if anything was wrong.
    pub(super) fn end(self) -> Result<(), Status> {
        match self.violations.is_empty() {
            true => Ok(()),
            false => Err(status::invalid(self.violations)),
        }
    }

    /// INVALID_ARGUMENT if anything was wrong, or what was read; nothing is read without noting why not.
    pub(super) fn end_with<T>(self, read: Option<T>) -> Result<T, Status> {
        self.end()?;
        read.ok_or_else(|| status::invalid(Vec::new()))
    }

    /// A number from least to most.
    pub(super) fn within(&mut self, field: &str, value: i32, least: i32, most: i32) -> i64 {
        if !(least..=most).contains(&value) {
            self.wrong(field, Fault::Range, format!("must be {least} to {most}"));
        }
        value.into()
    }

    /// The fields `from_date` and `to_date`: a run of days, without the last one.
    pub(super) fn dates(&mut self, from: &str, to: &str) -> Option<(Date, Date)> {
        self.dates_within(from, to, i64::MAX)
    }

    /// As [`Fields::dates`], of at most so many days.
    pub(super) fn dates_within(
        &mut self,
        from: &str,
        to: &str,
        days_max: i64,
    ) -> Option<(Date, Date)> {
        let from = parse_date("from_date", from, &mut self.violations);
        let to = parse_date("to_date", to, &mut self.violations);
        let (from, to) = from.zip(to)?;
        let days = Slot::of_night(to).0 - Slot::of_night(from).0;
        if days < 1 {
            self.wrong(
                "to_date",
                Fault::Range,
                format!("must be after from_date {from}"),
            );
        } else if days > days_max {
            let description = format!("must be at most {days_max} days after from_date");
            self.wrong("to_date", Fault::Range, description);
        } else {
            return Some((from, to));
        }
        None
    }

    /// As [`Fields::dates`]: the nights of a stay.
    pub(super) fn nights(&mut self, from: &str, to: &str) -> Option<Nights> {
        let (from, to) = self.dates_within(from, to, NIGHTS_MAX)?;
        Nights::new(from, to).ok()
    }

    /// A text without control characters, of at most so many characters.
    pub(super) fn text(&mut self, field: &str, text: &str, chars_max: usize) -> String {
        if text.chars().count() > chars_max {
            self.wrong(
                field,
                Fault::Range,
                format!("must be at most {chars_max} characters"),
            );
        } else if text.chars().any(|it| it.is_control() && it != '\n') {
            self.wrong(field, Fault::Format, "must not contain control characters");
        }
        text.to_owned()
    }

    /// As [`Fields::text`], and not empty.
    pub(super) fn title(&mut self, field: &str, text: &str, chars_max: usize) -> String {
        if text.trim().is_empty() {
            self.wrong(field, Fault::Missing, "must be given");
        }
        self.text(field, text, chars_max)
    }

    /// The last part of a name that the caller chooses (AIP-133).
    pub(super) fn id(&mut self, field: &str, id: &str) -> String {
        let bytes = id.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        let begins = bytes.first().is_some_and(u8::is_ascii_lowercase);
        if id.is_empty() {
            self.wrong(field, Fault::Missing, "must be given");
        } else if !begins || bytes.len() > ID_MAX || !bytes.iter().all(plain) {
            let description = "must be 1 to 63 of a-z, 0-9 and -, beginning with a letter";
            self.wrong(field, Fault::Format, description);
        }
        id.to_owned()
    }

    /// An IANA time zone.
    pub(super) fn zone(&mut self, field: &str, name: &str) -> TimeZone {
        match TimeZone::get(name) {
            Ok(zone) => zone,
            Err(_) => {
                let fault = missing_or(name, Fault::Format);
                self.wrong(
                    field,
                    fault,
                    "must be an IANA time zone, such as Europe/Lisbon",
                );
                TimeZone::UTC
            }
        }
    }

    /// An ISO 4217 currency.
    pub(super) fn currency(&mut self, field: &str, code: &str) -> Option<Currency> {
        let currency = Currency::parse(code);
        if currency.is_none() {
            let fault = missing_or(code, Fault::Format);
            self.wrong(field, fault, "must be an ISO 4217 code, such as EUR");
        }
        currency
    }

    /// A price in the venue's currency, in minor units.
    pub(super) fn price(
        &mut self,
        field: &str,
        money: Option<&v1::Money>,
        currency: Currency,
    ) -> i64 {
        let Some(money) = money else {
            self.wrong(field, Fault::Missing, "must be given");
            return 0;
        };
        if money.currency_code != currency.to_string() {
            let field = format!("{field}.currency_code");
            let description = format!("must be {currency}, the venue's currency");
            self.wrong(
                &field,
                missing_or(&money.currency_code, Fault::Range),
                description,
            );
        }
        if !(0..=PRICE_MAX).contains(&money.amount_minor) {
            let field = format!("{field}.amount_minor");
            self.wrong(&field, Fault::Range, format!("must be 0 to {PRICE_MAX}"));
        }
        money.amount_minor
    }

    /// A time that must be given.
    pub(super) fn time(
        &mut self,
        field: &str,
        time: Option<&prost_types::Timestamp>,
    ) -> Option<Timestamp> {
        let Some(time) = time else {
            self.wrong(field, Fault::Missing, "must be given");
            return None;
        };
        let parsed = Timestamp::new(time.seconds, time.nanos).ok();
        if parsed.is_none() {
            self.wrong(
                field,
                Fault::Format,
                "must be a time between the years 1 and 9999",
            );
        }
        parsed
    }
}

fn missing_or(text: &str, fault: Fault) -> Fault {
    if text.is_empty() {
        Fault::Missing
    } else {
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(read: impl FnOnce(&mut Fields), want: &[(&str, Fault)]) {
        let mut fields = Fields::default();
        read(&mut fields);
        let found: Vec<_> = fields
            .violations
            .iter()
            .map(|it| (it.field.as_str(), it.reason))
            .collect();
        assert_eq!(found, want);
    }

    #[test]
    fn ids_are_plain_and_begin_with_a_letter() {
        for sound in ["a", "banyan-bay", "b2"] {
            check(|it| drop(it.id("hotel_id", sound)), &[]);
        }
        for wrong in ["2b", "-a", "Bay", "a b", "a/b", &"a".repeat(64)] {
            check(
                |it| drop(it.id("hotel_id", wrong)),
                &[("hotel_id", Fault::Format)],
            );
        }
        check(|it| drop(it.id("x", "")), &[("x", Fault::Missing)]);
    }

    #[test]
    fn prices_are_in_the_currency_of_the_venue() {
        let euro = Currency::parse("EUR").unwrap();
        let price = |code: &str, minor| v1::Money {
            currency_code: code.into(),
            amount_minor: minor,
        };
        let of = |money: Option<v1::Money>| {
            move |it: &mut Fields| drop(it.price("price", money.as_ref(), euro).to_string())
        };
        check(of(Some(price("EUR", 0))), &[]);
        check(of(None), &[("price", Fault::Missing)]);
        check(
            of(Some(price("USD", -1))),
            &[
                ("price.currency_code", Fault::Range),
                ("price.amount_minor", Fault::Range),
            ],
        );
    }

    #[test]
    fn texts_and_zones_are_checked() {
        check(|it| drop(it.title("t", " ", 3)), &[("t", Fault::Missing)]);
        check(|it| drop(it.text("t", "abcd", 3)), &[("t", Fault::Range)]);
        check(|it| drop(it.text("t", "a\0", 3)), &[("t", Fault::Format)]);
        check(|it| drop(it.zone("z", "Europe/Lisbon")), &[]);
        check(|it| drop(it.zone("z", "Atlantis")), &[("z", Fault::Format)]);
    }
}
