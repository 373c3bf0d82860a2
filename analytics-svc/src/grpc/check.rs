//! Collects everything that is wrong with a request, so that a caller mends it in one go.
//!
//! Reasons: `MISSING` an absent required field (proto3 cannot tell absent from empty; an absent number is for the edge to
//! see), `RANGE` a value or length outside its limits, `FORMAT` a text that does not parse.

use banyan_proto::rpc::bad_request::FieldViolation;
use jiff::Timestamp;
use tonic::Status;

use super::status;
use crate::{domain::name::NameError, wire};

/// The violations found so far.
#[derive(Default)]
pub(super) struct Check {
    violations: Vec<FieldViolation>,
}

impl Check {
    /// Records that a field is wrong; `description` continues a sentence that begins with the field's name.
    pub(super) fn wrong(
        &mut self,
        field: &str,
        reason: &'static str,
        description: impl Into<String>,
    ) {
        self.violations.push(FieldViolation {
            field: field.to_owned(),
            description: description.into(),
            reason: reason.to_owned(),
        });
    }

    /// A required text of at most `max` characters.
    pub(super) fn required_text(&mut self, field: &str, text: &str, max: usize) {
        if text.is_empty() {
            self.wrong(field, "MISSING", "is required");
        }
        self.text(field, text, max);
    }

    /// A text of at most `max` characters.
    pub(super) fn text(&mut self, field: &str, text: &str, max: usize) {
        if text.chars().count() > max {
            self.wrong(
                field,
                "RANGE",
                format!("must be at most {max} characters long"),
            );
        }
    }

    /// A required id.
    pub(super) fn id(&mut self, field: &str, id: i64) {
        if id <= 0 {
            self.wrong(field, "RANGE", "must be positive");
        }
    }

    /// A finite number of at least `min`, and at most `max` where there is one.
    pub(super) fn number(&mut self, field: &str, value: f64, min: f64, max: Option<f64>) {
        let fits = value.is_finite() && value >= min && max.is_none_or(|max| value <= max);
        if !fits {
            let allowed = match max {
                Some(max) => format!("must be a number from {min} to {max}"),
                None => format!("must be a number not less than {min}"),
            };
            self.wrong(field, "RANGE", allowed);
        }
    }

    /// A required instant.
    pub(super) fn instant(
        &mut self,
        field: &str,
        value: Option<&prost_types::Timestamp>,
    ) -> Option<Timestamp> {
        let Some(value) = value else {
            self.wrong(field, "MISSING", "is required");
            return None;
        };
        let instant = wire::instant(value);
        if instant.is_none() {
            self.wrong(field, "RANGE", "must be in the years 1 to 9999");
        }
        instant
    }

    /// A required text that `parse` understands.
    pub(super) fn parsed<T>(
        &mut self,
        field: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, NameError>,
    ) -> Option<T> {
        if text.is_empty() {
            self.wrong(field, "MISSING", "is required");
            return None;
        }
        parse(text)
            .map_err(|error| self.wrong(field, "FORMAT", format!("is wrong: {error}")))
            .ok()
    }

    /// `value` if it is there and nothing was wrong.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Status> {
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(status::invalid(self.violations)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reasons(check: Check) -> Vec<(String, String)> {
        check
            .violations
            .into_iter()
            .map(|violation| (violation.field, violation.reason))
            .collect()
    }

    #[test]
    fn everything_wrong_is_reported_at_once() {
        let mut check = Check::default();
        check.required_text("title", "", 5);
        check.required_text("action", "sleeping", 5);
        check.id("movie_id", 0);
        check.id("user_id", -1);
        check.number("rating", f64::NAN, 0.0, Some(10.0));
        check.number("amount", -0.01, 0.0, None);
        check.instant("timestamp", None);
        let reasons = reasons(check);
        let reasons: Vec<_> = reasons
            .iter()
            .map(|(f, r)| (f.as_str(), r.as_str()))
            .collect();
        assert_eq!(
            reasons,
            [
                ("title", "MISSING"),
                ("action", "RANGE"),
                ("movie_id", "RANGE"),
                ("user_id", "RANGE"),
                ("rating", "RANGE"),
                ("amount", "RANGE"),
                ("timestamp", "MISSING"),
            ]
        );
    }

    #[test]
    fn limits_count_characters_not_bytes() {
        let mut check = Check::default();
        check.required_text("title", "Сталкер", 7);
        check.number("rating", 10.0, 0.0, Some(10.0));
        assert!(check.finish(Some(())).is_ok());
    }
}
