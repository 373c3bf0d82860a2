//! How a stream of messages looks in HTTP, and how its error is seen: by `Accept`.
//!
//! | form | `Accept` | an error in mid-stream |
//! |---|---|---|
//! | array | `application/json`, `*/*`, or nothing that is known | the array has no end, and the connection is broken off |
//! | lines | `application/x-ndjson`, `application/ndjson`, `application/jsonl` | a last line with the error, then the same |
//! | events | `text/event-stream` | an event `error`, then the end |
//!
//! Events are the ones that browsers read themselves (HTML, 9.2). A browser connects anew when a stream ends, however it
//! does; so an event `end` says that it is over, for the page to close it.

use bytes::{BufMut as _, BytesMut};
use http::{HeaderMap, HeaderValue, header::ACCEPT};

use crate::compression::weighed;

/// Media ranges that are looked at.
const RANGES_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Array,
    /// With the name that the client has for it.
    Lines(&'static str),
    Events,
}

const KNOWN: [(&str, Form); 8] = [
    ("application/json", Form::Array),
    ("application/*", Form::Array),
    ("*/*", Form::Array),
    ("application/x-ndjson", Form::Lines("application/x-ndjson")),
    ("application/ndjson", Form::Lines("application/ndjson")),
    ("application/jsonl", Form::Lines("application/jsonl")),
    (
        "application/x-jsonlines",
        Form::Lines("application/x-jsonlines"),
    ),
    ("text/event-stream", Form::Events),
];

impl Form {
    /// The form with the greatest weight, the first of several.
    pub(super) fn asked(headers: &HeaderMap) -> Form {
        let values = headers.get_all(ACCEPT).into_iter();
        let ranges = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .take(RANGES_MAX);
        let mut best = (0, Form::Array);
        for range in ranges {
            let (name, weight) = weighed(range);
            let known = KNOWN
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            if let Some((_, form)) = known
                && weight > best.0
            {
                best = (weight, *form);
            }
        }
        best.1
    }

    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Form::Array => "application/json",
            Form::Lines(name) => name,
            Form::Events => "text/event-stream",
        })
    }

    /// Adds an item; `is_first`: nothing has been written yet.
    pub(super) fn item(self, out: &mut BytesMut, json: &[u8], is_first: bool) {
        match self {
            Form::Array => out.put_u8(if is_first { b'[' } else { b',' }),
            Form::Lines(_) => {}
            Form::Events => out.put_slice(b"data: "),
        }
        out.put_slice(json);
        match self {
            Form::Array => {}
            Form::Lines(_) => out.put_u8(b'\n'),
            Form::Events => out.put_slice(b"\n\n"),
        }
    }

    /// Adds what tells that all has come; `is_empty`: there was no item.
    pub(super) fn end(self, out: &mut BytesMut, is_empty: bool) {
        match self {
            Form::Array if is_empty => out.put_slice(b"[]"),
            Form::Array => out.put_u8(b']'),
            Form::Lines(_) => {}
            Form::Events => out.put_slice(b"event: end\ndata: {}\n\n"),
        }
    }

    /// Adds an error, where the form has a place for one.
    pub(super) fn error(self, out: &mut BytesMut, json: &[u8]) {
        match self {
            Form::Array => {}
            Form::Lines(_) => {
                out.put_slice(json);
                out.put_u8(b'\n');
            }
            Form::Events => {
                out.put_slice(b"event: error\ndata: ");
                out.put_slice(json);
                out.put_slice(b"\n\n");
            }
        }
    }

    /// Whether an error is told only by the end of the connection, or by that too.
    pub(super) fn breaks_off(self) -> bool {
        self != Form::Events
    }

    /// A sign of life.
    pub(super) fn heartbeat(self) -> Option<&'static [u8]> {
        (self == Form::Events).then_some(b": \n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_says_which_form() {
        #[track_caller]
        fn check(accept: &'static str, want: Form) {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Form::asked(&headers), want, "{accept}");
        }
        assert_eq!(Form::asked(&HeaderMap::new()), Form::Array);
        check("*/*", Form::Array);
        check("application/json", Form::Array);
        check("image/png", Form::Array);
        check("application/x-ndjson", Form::Lines("application/x-ndjson"));
        check(
            "application/jsonl, */*;q=0.1",
            Form::Lines("application/jsonl"),
        );
        check("text/event-stream", Form::Events);
        check("application/json;q=0.5, text/event-stream", Form::Events);
        check("application/json, text/event-stream", Form::Array);
        check("text/event-stream;q=0", Form::Array);
    }

    #[test]
    fn items_errors_and_ends() {
        #[track_caller]
        fn check(form: Form, whole: &str, empty: &str, error: &str) {
            let mut out = BytesMut::new();
            form.item(&mut out, b"1", true);
            form.item(&mut out, b"2", false);
            form.end(&mut out, false);
            assert_eq!(out, whole.as_bytes());
            let mut out = BytesMut::new();
            form.end(&mut out, true);
            assert_eq!(out, empty.as_bytes());
            let mut out = BytesMut::new();
            form.error(&mut out, b"{}");
            assert_eq!(out, error.as_bytes());
        }
        check(Form::Array, "[1,2]", "[]", "");
        check(Form::Lines("x"), "1\n2\n", "", "{}\n");
        let end = "event: end\ndata: {}\n\n";
        let whole = format!("data: 1\n\ndata: 2\n\n{end}");
        check(Form::Events, &whole, end, "event: error\ndata: {}\n\n");
    }

    proptest::proptest! {
        #[test]
        fn any_header_gives_a_form(text in "[ -~]{0,60}") {
            let value = HeaderValue::try_from(text).unwrap();
            Form::asked(&HeaderMap::from_iter([(ACCEPT, value)]));
        }
    }
}
