//! An HTTP error as a gRPC status: the code from its status, the words from its body.
//!
//! Bodies are understood in the shapes that the gateway itself speaks, and in `application/problem+json`; whatever else
//! a server writes about its errors stays with it.

use bytes::Bytes;
use http::{Method, StatusCode};

use crate::json::Lexer;
use crate::status::{Code, StatusParts};

/// Longer words are cut: they travel in a header.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// What an error body says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    code: Option<Code>,
    message: Option<String>,
}

/// The gRPC status of an HTTP error. A conflict with something created is ALREADY_EXISTS, any other is ABORTED.
pub fn status_of(method: &Method, status: StatusCode, body: &[u8]) -> StatusParts {
    let said = said(&mut Lexer::new(body)).unwrap_or_default();
    let code = match Code::of_http(status) {
        Code::Aborted if *method == Method::POST => Code::AlreadyExists,
        // A redirect, which no caller of a method can follow, or a success that was none.
        Code::Ok => Code::Internal,
        _ if status.is_redirection() || status.is_informational() => Code::Internal,
        code => code,
    };
    let words = || format!("the call was answered {status}");
    let mut message = said.message.unwrap_or_else(words);
    let mut end = MESSAGE_BYTES_MAX.min(message.len());
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.truncate(end);
    StatusParts {
        code: said.code.unwrap_or(code),
        message,
        details: Bytes::new(),
    }
}

/// `None` where the body is no JSON object.
fn said(lexer: &mut Lexer<'_>) -> Option<Said> {
    let mut said = Said::default();
    let mut title = None;
    lexer.open(b'{', 0).ok()?;
    let mut first = true;
    while lexer.more(b'}', &mut first).ok()? {
        let key = lexer.key().ok()?;
        let next = lexer.peek().ok()?;
        match (key.as_ref(), next) {
            ("error" | "message" | "detail", b'"') => {
                said.message = Some(lexer.string().ok()?.into_owned());
            }
            ("title", b'"') => title = Some(lexer.string().ok()?.into_owned()),
            ("error", b'{') => said = google(lexer)?,
            ("errors", b'[') => said.message = Some(list(lexer)?),
            _ => lexer.skip(1).ok()?,
        }
    }
    said.message = said.message.or(title);
    Some(said)
}

/// The inner object of `{"error":{"status":"..","message":".."}}`.
fn google(lexer: &mut Lexer<'_>) -> Option<Said> {
    let mut said = Said::default();
    lexer.open(b'{', 1).ok()?;
    let mut first = true;
    while lexer.more(b'}', &mut first).ok()? {
        let key = lexer.key().ok()?;
        match (key.as_ref(), lexer.peek().ok()?) {
            ("message", b'"') => said.message = Some(lexer.string().ok()?.into_owned()),
            ("status", b'"') => {
                let code = Code::from_name(&lexer.string().ok()?);
                said.code = code.filter(|code| *code != Code::Ok);
            }
            _ => lexer.skip(2).ok()?,
        }
    }
    Some(said)
}

/// The details, or titles, of `{"errors":[{"title":"..","detail":".."}]}`.
fn list(lexer: &mut Lexer<'_>) -> Option<String> {
    let mut all = Vec::new();
    lexer.open(b'[', 1).ok()?;
    let mut first = true;
    while lexer.more(b']', &mut first).ok()? {
        match lexer.peek().ok()? {
            b'"' => all.push(lexer.string().ok()?.into_owned()),
            b'{' => all.extend(entry(lexer)?),
            _ => lexer.skip(2).ok()?,
        }
    }
    Some(all.join("; "))
}

fn entry(lexer: &mut Lexer<'_>) -> Option<Option<String>> {
    let (mut title, mut detail) = (None, None);
    lexer.open(b'{', 2).ok()?;
    let mut first = true;
    while lexer.more(b'}', &mut first).ok()? {
        let key = lexer.key().ok()?;
        match (key.as_ref(), lexer.peek().ok()?) {
            ("detail" | "message", b'"') => detail = Some(lexer.string().ok()?.into_owned()),
            ("title", b'"') => title = Some(lexer.string().ok()?.into_owned()),
            _ => lexer.skip(3).ok()?,
        }
    }
    Some(detail.or(title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, status: u16, body: &str, code: Code, message: &str) {
        let status = StatusCode::from_u16(status).unwrap();
        let got = status_of(&method, status, body.as_bytes());
        assert_eq!((got.code, got.message.as_str()), (code, message));
    }

    #[test]
    fn codes_follow_the_status_and_words_the_body() {
        check(
            Method::GET,
            404,
            r#"{"error":"no such movie"}"#,
            Code::NotFound,
            "no such movie",
        );
        check(
            Method::POST,
            409,
            r#"{"error":"it is there"}"#,
            Code::AlreadyExists,
            "it is there",
        );
        check(
            Method::PUT,
            409,
            r#"{"error":"it changed"}"#,
            Code::Aborted,
            "it changed",
        );
        check(
            Method::GET,
            400,
            r#"{"errors":[{"title":"Bad","detail":"a"},{"title":"b"}]}"#,
            Code::InvalidArgument,
            "a; b",
        );
        check(
            Method::GET,
            400,
            r#"{"error":{"code":400,"status":"FAILED_PRECONDITION","message":"not now","details":[{}]}}"#,
            Code::FailedPrecondition,
            "not now",
        );
        check(
            Method::GET,
            422,
            r#"{"type":"x","title":"Wrong","detail":"much too wrong"}"#,
            Code::InvalidArgument,
            "much too wrong",
        );
        check(
            Method::GET,
            503,
            r#"{"title":"Busy"}"#,
            Code::Unavailable,
            "Busy",
        );
        check(
            Method::GET,
            504,
            "<html>",
            Code::DeadlineExceeded,
            "the call was answered 504 Gateway Timeout",
        );
        check(
            Method::GET,
            302,
            "",
            Code::Internal,
            "the call was answered 302 Found",
        );
    }

    #[test]
    fn words_that_are_too_long_are_cut_between_characters() {
        let body = format!(r#"{{"error":"{}"}}"#, "я".repeat(2_000));
        let status = status_of(&Method::GET, StatusCode::BAD_REQUEST, body.as_bytes());
        assert_eq!(status.message.len(), 1_024);
    }
}
