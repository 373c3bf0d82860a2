//! The fields of a request's body, read strictly: every one is required, `"5"` is not a number,
//! `1.5` is not an integer, `null` is nothing. A refusal names the field.
//!
//! NUL characters are refused in all texts, because PostgreSQL cannot store them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Number, Value};

use super::ApiError;

/// Also keeps a value within what PostgreSQL can index.
const NAME_CHARS_MAX: usize = 255;

pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(ApiError::bad("the body must be a JSON object")),
            Err(error) => Err(ApiError::BadRequest(format!(
                "the body is not valid JSON: {error}"
            ))),
        }
    }

    fn get(&self, name: &str) -> Result<&Value, ApiError> {
        let missing = || ApiError::BadRequest(format!("{name} is required"));
        self.0.get(name).ok_or_else(missing)
    }

    pub(super) fn text(&self, name: &str) -> Result<String, ApiError> {
        match self.get(name)? {
            Value::String(text) => without_nul(name, text),
            _ => Err(must(name, "be a string")),
        }
    }

    /// A text of at most 255 characters.
    pub(super) fn name(&self, name: &str) -> Result<String, ApiError> {
        let text = self.text(name)?;
        if text.chars().count() > NAME_CHARS_MAX {
            return Err(must(name, "have at most 255 characters"));
        }
        Ok(text)
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, ApiError> {
        let wrong = || must(name, "be an array of strings");
        let Value::Array(items) = self.get(name)? else {
            return Err(wrong());
        };
        let text = |item: &Value| match item {
            Value::String(text) => without_nul(name, text),
            _ => Err(wrong()),
        };
        items.iter().map(text).collect()
    }

    pub(super) fn integer(&self, name: &str) -> Result<i64, ApiError> {
        let value = self.get(name)?.as_i64();
        value.ok_or_else(|| must(name, "be an integer"))
    }

    pub(super) fn number(&self, name: &str) -> Result<Number, ApiError> {
        match self.get(name)? {
            Value::Number(number) => Ok(number.clone()),
            _ => Err(must(name, "be a number")),
        }
    }

    /// A number within bounds that are themselves allowed.
    pub(super) fn number_within(&self, name: &str, low: f64, high: f64) -> Result<f64, ApiError> {
        let value = self.number(name)?.as_f64();
        value
            .filter(|value| (low..=high).contains(value))
            .ok_or_else(|| must(name, &format!("be a number from {low} to {high}")))
    }

    /// A date or a time as it was sent, and the moment that it stands for.
    pub(super) fn date(&self, name: &str) -> Result<(String, Timestamp), ApiError> {
        let text = self.text(name)?;
        match moment(&text) {
            Some(moment) => Ok((text, moment)),
            None => Err(must(
                name,
                "be a date like 2026-01-31 or an RFC 3339 time like 2026-01-31T12:00:00Z",
            )),
        }
    }
}

fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    // A civil time without an offset parses as a date too, but does not say which moment it is.
    let date: Date = text
        .parse()
        .ok()
        .filter(|_| text.len() == "2026-01-31".len())?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn without_nul(name: &str, text: &str) -> Result<String, ApiError> {
    if text.contains('\0') {
        return Err(must(name, "not contain NUL characters"));
    }
    Ok(text.to_owned())
}

fn must(name: &str, rule: &str) -> ApiError {
    ApiError::BadRequest(format!("{name} must {rule}"))
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn a_date_stands_for_its_midnight_in_utc() {
        assert_eq!(moment("2026-01-31"), moment("2026-01-31T00:00:00Z"));
        assert_eq!(
            moment("2026-01-31"),
            moment("2026-01-31T03:00:00.000+03:00")
        );
    }

    #[test]
    fn what_names_no_moment_is_no_date() {
        for text in [
            "",
            "soon",
            "2026-02-30",
            "2026-01-31T12:00:00",
            "20260131T120000",
            "2026",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
