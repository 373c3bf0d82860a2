//! A field of a JSON body, found without building the document: everything else is skipped as it is read.
//!
//! Text, numbers and booleans can be subjects. A number is told as it is spelt, so an id stays itself however long it is; that
//! some spellings are of one integer is known to who reads the subject ([`super::Subjects::find`]). Null, lists and objects are nobody. Where a name stands twice the last one counts, as it
//! does for most parsers. A body that is no JSON, or longer than [`BODY_BYTES_MAX`], has no fields: whoever answers will
//! say what is wrong with it.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// A longer body is not searched; nor need the gateway keep more of it.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// The value of the field at `path` (names joined by dots) of a JSON body.
#[must_use]
pub fn field_of_body(body: &[u8], path: &str) -> Option<String> {
    if body.len() > BODY_BYTES_MAX {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let found = Field(path).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    found
}

/// The path from a value to a field inside of it.
struct Field<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Of all but objects nothing is inside.
impl<'de> Visitor<'de> for Field<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let (name, rest) = match self.0.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (self.0, None),
        };
        let mut found = None;
        while let Some(field) = fields.next_key::<Cow<'de, str>>()? {
            if name != field {
                fields.next_value::<IgnoredAny>()?;
            } else if let Some(rest) = rest {
                found = fields.next_value_seed(Field(rest))?;
            } else {
                found = subject(fields.next_value()?).map_err(A::Error::custom)?;
            }
        }
        Ok(found)
    }
}

/// Who a value is.
fn subject(value: &RawValue) -> serde_json::Result<Option<String>> {
    let text = value.get();
    Ok(match text.as_bytes().first() {
        Some(b'"') => Some(serde_json::from_str(text)?),
        Some(b'n' | b'[' | b'{') | None => None,
        // As it is spelt.
        Some(_) => Some(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(body: &str, path: &str, want: Option<&str>) {
        assert_eq!(
            field_of_body(body.as_bytes(), path).as_deref(),
            want,
            "{path} of {body}"
        );
    }

    #[test]
    fn a_field_is_found_by_its_path() {
        check(r#"{"id": 7}"#, "id", Some("7"));
        check(r#"{"a": {"b": "x"}, "b": "y"}"#, "a.b", Some("x"));
        check(r#"{"a": {"b": {"c": true}}}"#, "a.b.c", Some("true"));
        check(r#"{"i\u0064": "\u0041"}"#, "id", Some("A"));
        check(
            r#"{"id": 18446744073709551615}"#,
            "id",
            Some("18446744073709551615"),
        );
        check(r#"{"id": -1.5}"#, "id", Some("-1.5"));
        check(r#"{"id":"a\nb" , "x":1}"#, "id", Some("a\nb"));
        check(r#"{"id": 1, "id": 2}"#, "id", Some("2"));
    }

    #[test]
    fn a_number_is_told_as_it_is_spelt() {
        let large = "18446744073709551616";
        for number in [
            large,
            "18446744073709551617",
            "123456789012345678901234567890",
            "-9223372036854775809",
            "1.0",
            "1.50",
            "1e3",
            "-0",
            "0",
        ] {
            check(&format!(r#"{{"id": {number} }}"#), "id", Some(number));
        }
        check(r#"{"id": 01}"#, "id", None);
        check(r#"{"id": 1.}"#, "id", None);
        check(r#"{"id": +1}"#, "id", None);
    }

    #[test]
    fn what_is_no_single_value_is_nobody() {
        for body in [
            r#"{"id": null}"#,
            r#"{"id": [1]}"#,
            r#"{"id": {"x": 1}}"#,
            r#"{}"#,
            r#"[{"id": 1}]"#,
            r#""id""#,
            r#"{"id": 1"#,
            r#"{"id": 1} {"id": 2}"#,
            "",
        ] {
            check(body, "id", None);
        }
        check(r#"{"a": "b"}"#, "a.b", None);
    }

    #[test]
    fn a_long_body_is_not_searched() {
        let padded = |bytes: usize| {
            let body = r#"{"id": 1}"#;
            format!("{body}{}", " ".repeat(bytes - body.len()))
        };
        check(&padded(BODY_BYTES_MAX), "id", Some("1"));
        check(&padded(BODY_BYTES_MAX + 1), "id", None);
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in any::<Vec<u8>>(), path in "[a-z.]{0,8}") {
            let _ = field_of_body(&body, &path);
        }
    }
}
