//! Values as text in a path or a query.
//!
//! The JSON form is what the reader of a query takes too, without its quotes: so there is one printer, and what it prints
//! is understood.

use super::fields::Fields;
use crate::json::{DecodeError, Kind, Lexer, MessageId, Plans, Scalar, Writer};
use crate::options::{Int64Form, Options};

/// The escaped form of the few characters that `google.api.http` leaves as they are, and `keep`.
pub(super) fn escape(out: &mut String, text: &str, keep: &[u8]) {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Every value of a field; one for a single field, its default where it is absent. `None` where a value has no text.
pub(super) fn values(
    plans: &Plans,
    options: &Options,
    message: MessageId,
    index: usize,
    fields: &Fields,
) -> Result<Option<Vec<String>>, DecodeError> {
    let json = json(plans, options, message, index, fields.of(index))?;
    let is_null = match plans.message(message).fields[index].kind {
        Kind::Scalar(Scalar::Enum(id)) => plans.enumeration(id).is_null,
        _ => false,
    };
    Ok(texts(&json, is_null))
}

/// One field from its records as JSON, numbers without quotes.
fn json(
    plans: &Plans,
    options: &Options,
    message: MessageId,
    index: usize,
    records: &[u8],
) -> Result<Vec<u8>, DecodeError> {
    let plain = Options {
        int64: Int64Form::Number,
        ..options.clone()
    };
    let mut writer = Writer::new(plans, &plain);
    writer.field_of(message, index, records)?;
    Ok(writer.finish())
}

/// Whether a field without presence holds something.
pub(super) fn is_other_than_default(
    plans: &Plans,
    message: MessageId,
    index: usize,
    fields: &Fields,
) -> bool {
    let options = Options::default();
    let shown = json(plans, &options, message, index, fields.of(index));
    shown.is_ok_and(|shown| json(plans, &options, message, index, &[]) != Ok(shown))
}

fn texts(json: &[u8], is_null: bool) -> Option<Vec<String>> {
    let mut lexer = Lexer::new(json);
    if lexer.peek().ok()? != b'[' {
        return Some(vec![one(&mut lexer, is_null)?]);
    }
    lexer.open(b'[', 0).ok()?;
    let (mut all, mut first) = (Vec::new(), true);
    while lexer.more(b']', &mut first).ok()? {
        all.push(one(&mut lexer, is_null)?);
    }
    Some(all)
}

/// Text, number or boolean; nothing else has a text, but a null where that is a value.
pub(crate) fn one(lexer: &mut Lexer<'_>, is_null: bool) -> Option<String> {
    let literal = |lexer: &mut Lexer<'_>, text: &'static str| {
        lexer.literal(text).ok()?;
        Some(text.to_owned())
    };
    match lexer.peek().ok()? {
        b'"' => lexer.string().ok().map(|text| text.into_owned()),
        b'-' | b'0'..=b'9' => lexer.number().ok().map(str::to_owned),
        b't' => literal(lexer, "true"),
        b'f' => literal(lexer, "false"),
        b'n' if is_null => literal(lexer, "null").map(|_| "NULL_VALUE".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_taken_for_something_else_is_escaped() {
        let mut out = String::new();
        escape(&mut out, "a/b?c#d%2F é+&=:", b"");
        assert_eq!(out, "a%2Fb%3Fc%23d%252F%20%C3%A9%2B%26%3D%3A");
        out.clear();
        escape(&mut out, "movies/a b", b"/");
        assert_eq!(out, "movies/a%20b");
    }

    #[test]
    fn json_becomes_text() {
        assert_eq!(texts(b"\"a\\n\"", false).unwrap(), ["a\n"]);
        assert_eq!(
            texts(b"[1,-2.5e3,true]", false).unwrap(),
            ["1", "-2.5e3", "true"]
        );
        assert_eq!(texts(b"null", true).unwrap(), ["NULL_VALUE"]);
        assert_eq!(texts(b"null", false), None);
        assert_eq!(texts(b"{}", false), None);
    }
}
