//! `Idempotency-Key`: the header that makes a repeated request the same one.
//!
//! What it means is the service's matter, which knows the id as the field `request_id` of its message (AIP-155); here it
//! is only read. Taken are the string of RFC 8941 (`"8e03978e"`), as the IETF's draft wants it, and the bare value that
//! most clients send. The legacy side gets the header as it came, like any other.

use http::{HeaderMap, HeaderName};

use crate::refusal::Refusal;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longest key; as long as a request id may be.
const CHARS_MAX: usize = 128;

/// The key of a request, if it has one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::bad_idempotency_key("is given twice"));
    }
    let text = value.to_str().unwrap_or_default().trim();
    let key = match text.strip_prefix('"') {
        Some(rest) => unquoted(rest),
        None => Some(text.to_owned()),
    };
    key.filter(|key| is_key(key))
        .map(Some)
        .ok_or_else(|| Refusal::bad_idempotency_key("must be 1 to 128 visible ASCII characters"))
}

fn is_key(text: &str) -> bool {
    (1..=CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The content of a string whose opening quote has been read (RFC 8941, 4.2.5); nothing may follow it.
fn unquoted(text: &str) -> Option<String> {
    let mut content = String::with_capacity(text.len());
    let mut rest = text.chars();
    loop {
        match rest.next()? {
            '"' => return rest.next().is_none().then_some(content),
            '\\' => content.push(
                rest.next()
                    .filter(|escaped| matches!(escaped, '"' | '\\'))?,
            ),
            other => content.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                IDEMPOTENCY_KEY,
                http::HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        key(&headers).map_err(|refusal| refusal.message)
    }

    #[test]
    fn a_key_is_bare_or_a_string() {
        #[track_caller]
        fn check(value: &str, want: &str) {
            assert_eq!(read(&[value]), Ok(Some(want.to_owned())), "{value}");
        }
        assert_eq!(read(&[]), Ok(None));
        check(
            "8e03978e-40d5-43dd-bc93-6894a57f9324",
            "8e03978e-40d5-43dd-bc93-6894a57f9324",
        );
        check("\"8e03978e\"", "8e03978e");
        check(r#""a\"b\\c""#, r#"a"b\c"#);
        check(r#"a"b"#, r#"a"b"#);
        check(&"x".repeat(128), &"x".repeat(128));
        check(&format!("\"{}\"", "x".repeat(128)), &"x".repeat(128));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        #[track_caller]
        fn check(values: &[&str], want: &str) {
            assert!(
                read(values).is_err_and(|message| message.contains(want)),
                "{values:?}"
            );
        }
        let visible = "1 to 128 visible ASCII characters";
        check(&[""], visible);
        check(&["\"\""], visible);
        check(&["\""], visible);
        check(&["\"a"], visible);
        check(&["\"a\"b"], visible);
        check(&["\"a\";q=1"], visible);
        check(&[r#""a\b""#], visible);
        check(&["a b"], visible);
        check(&["\"a b\""], visible);
        check(&["ключ"], visible);
        check(&[&"x".repeat(129)], visible);
        check(&["a", "a"], "twice");
    }
}
