//! The bodies of errors that need no descriptors.

use http::StatusCode;

use super::Code;
use super::details::Details;
use crate::json::put_string;

/// What an HTTP status is called.
fn phrase(http: StatusCode) -> &'static str {
    match http.as_u16() {
        499 => "Client Closed Request",
        _ => http.canonical_reason().unwrap_or("Error"),
    }
}

pub(super) fn simple(message: &str) -> Vec<u8> {
    let mut out = b"{\"error\":".to_vec();
    put_string(&mut out, message);
    out.push(b'}');
    out
}

pub(super) fn provider(http: StatusCode, message: &str, details: &Details<'_>) -> Vec<u8> {
    let reason = phrase(http);
    let mut errors: Vec<(&str, &str)> = details
        .violations
        .iter()
        .map(|violation| ("Validation failed", violation.description))
        .collect();
    if errors.is_empty() {
        errors.push((
            details.word("title").unwrap_or(reason),
            details.word("detail").unwrap_or(message),
        ));
    }
    let mut out = b"{\"errors\":[".to_vec();
    for (index, (title, detail)) in errors.into_iter().enumerate() {
        out.extend_from_slice(if index > 0 {
            b",{\"title\":"
        } else {
            b"{\"title\":"
        });
        put_string(&mut out, title);
        out.extend_from_slice(b",\"detail\":");
        put_string(&mut out, detail);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

/// RFC 9457. The type is `about:blank`, which says that the title is the status's own: codes and reasons have no pages.
pub(super) fn problem(
    http: StatusCode,
    code: Code,
    message: &str,
    details: &Details<'_>,
) -> Vec<u8> {
    let mut out = b"{\"type\":\"about:blank\",\"title\":".to_vec();
    put_string(&mut out, phrase(http));
    out.extend_from_slice(format!(",\"status\":{},\"detail\":", http.as_u16()).as_bytes());
    put_string(&mut out, message);
    put_member(&mut out, "code", code.name());
    for (name, value) in [("reason", details.reason), ("domain", details.domain)] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            put_member(&mut out, name, value);
        }
    }
    if !details.metadata.is_empty() {
        out.extend_from_slice(b",\"metadata\":{");
        for (index, (key, value)) in details.metadata.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            put_string(&mut out, key);
            out.push(b':');
            put_string(&mut out, value);
        }
        out.push(b'}');
    }
    if !details.violations.is_empty() {
        out.extend_from_slice(b",\"violations\":[");
        for (index, violation) in details.violations.iter().enumerate() {
            let head: &[u8] = if index > 0 {
                b",{\"field\":"
            } else {
                b"{\"field\":"
            };
            out.extend_from_slice(head);
            put_string(&mut out, &violation.json_field());
            put_member(&mut out, "detail", violation.description);
            if !violation.reason.is_empty() {
                put_member(&mut out, "reason", violation.reason);
            }
            out.push(b'}');
        }
        out.push(b']');
    }
    out.push(b'}');
    out
}

/// A further member of an object.
fn put_member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    put_string(out, name);
    out.push(b':');
    put_string(out, value);
}
