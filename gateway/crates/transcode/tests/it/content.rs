//! `google.api.HttpBody` in the place of JSON.

use banyan_transcode::{HttpBody, Incoming, Lookup, Options, RouteTable, TrailingSlash};
use bytes::Bytes;

use crate::route::{Route, show};
use crate::support::{method, plans, rule};

/// What becomes of a body that is no JSON.
fn send(name: &str, text: &str, target: &str, body: &[u8], content_type: Option<&str>) -> String {
    let (route, rule) = (Route::new(name, text, &Options::default()), rule(text));
    let mut table = RouteTable::new();
    table
        .insert(
            rule.method,
            rule.template,
            vec![],
            TrailingSlash::Strict,
            (),
        )
        .unwrap();
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    let Lookup::Found { captures, .. } = table.find(&http::Method::PUT, path, query) else {
        panic!("no route for {target}");
    };
    let incoming = Incoming {
        query,
        body,
        content_type,
        ..Incoming::new(&captures)
    };
    assert!(route.transcoder.takes_http_body());
    route.show(route.transcoder.request(&incoming))
}

#[test]
fn a_body_is_taken_as_it_is() {
    #[track_caller]
    fn field(target: &str, body: &[u8], content_type: Option<&str>, want: &str) {
        let got = send(
            "Put",
            "PUT /v1/{name=files/*} file",
            target,
            body,
            content_type,
        );
        assert_eq!(got, want, "{target}");
    }
    field(
        "/v1/files/1?etag=a",
        b"\x00\xff{",
        Some("image/png"),
        r#"{"name":"files/1","file":{"content_type":"image/png","data":"AP97"},"etag":"a"}"#,
    );
    field(
        "/v1/files/1",
        b"",
        Some("text/plain"),
        r#"{"name":"files/1","file":{"content_type":"text/plain"}}"#,
    );
    field("/v1/files/1", b"", None, r#"{"name":"files/1"}"#);
    field(
        "/v1/files/1?file.data=x",
        b"",
        None,
        "file.data: UNKNOWN file.data is not a known query parameter",
    );
    let whole = send(
        "Echo",
        "PUT /v1/echo *",
        "/v1/echo",
        b"hi",
        Some("text/plain"),
    );
    assert_eq!(whole, r#"{"content_type":"text/plain","data":"aGk="}"#);
}

#[test]
fn elsewhere_it_is_a_message_like_any_other() {
    let route = Route::new("Put", "PUT /v1/x *", &Options::default());
    assert!(!route.transcoder.takes_http_body());
    route.check(
        "/v1/x",
        r#"{"file":{"contentType":"text/plain","data":"aGk="}}"#,
        r#"{"file":{"content_type":"text/plain","data":"aGk="}}"#,
    );
}

#[test]
fn an_answer_says_what_it_is() {
    #[track_caller]
    fn check(name: &str, text: &str, json: &str, want: Option<(&str, &[u8])>) {
        let route = Route::new(name, text, &Options::default());
        let output = method(name).output().full_name().to_owned();
        let wire = plans().encode(&output, json.as_bytes(), &Options::default());
        let got = route.transcoder.response_http_body(&wire.unwrap().unwrap());
        let want = want.map(|(content_type, data)| HttpBody {
            content_type: content_type.to_owned(),
            data: Bytes::copy_from_slice(data),
        });
        assert_eq!(route.transcoder.answers_http_body(), want.is_some());
        assert_eq!(got.unwrap(), want, "{name} {json}");
    }
    let file = r#"{"contentType":"text/plain","data":"aGk=","extensions":[]}"#;
    check("Put", "GET /v1/x", file, Some(("text/plain", b"hi")));
    check("Put", "GET /v1/x", "{}", Some(("", b"")));
    let upload = format!(r#"{{"name":"n","file":{file}}}"#);
    check(
        "Echo",
        "GET /v1/x - file",
        &upload,
        Some(("text/plain", b"hi")),
    );
    check("Echo", "GET /v1/x - file", "{}", Some(("", b"")));
    check("Echo", "GET /v1/x", &upload, None);
    let broken = Route::new("Put", "GET /v1/x", &Options::default());
    for wire in [&b"\x0a"[..], b"\x0a\x01\xff"] {
        let answer = broken
            .transcoder
            .response_http_body(&Bytes::from_static(wire));
        assert!(answer.is_err(), "{wire:?}");
    }
}

#[test]
fn a_stream_of_content_is_named_once() {
    let route = Route::new("Fill", "POST /v1/{name} file", &Options::default());
    let later = route.transcoder.item(b"more").unwrap();
    assert_eq!(
        show("test.Upload", &later),
        r#"{"file":{"data":"bW9yZQ=="}}"#
    );
}
