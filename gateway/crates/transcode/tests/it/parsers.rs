//! Every parser of the crate as a function of any bytes, with what must hold whatever they are.
//!
//! The fuzzer calls these (`fuzz/`), and the tests with the fuzzer's seeds.

use std::sync::OnceLock;

use banyan_transcode::{
    Allowances, Code, Comparer, EnumForm, ErrorOptions, ErrorShape, Incoming, Int64Form, Lookup,
    NameForm, Options, PathTemplate, Pieces, Renderer, Reverse, RouteTable, Seen, TrailingSlash,
    Transcoder, Unknown, entity_tag, reverse,
};
use bytes::Bytes;
use http::Method;
use prost_reflect::DynamicMessage;
use serde::de::IgnoredAny;

use crate::support::{method, plans, pool, rule};

/// The name of a parser's seeds, and the parser.
type Parser = (&'static str, fn(&[u8]));

pub(crate) const PARSERS: [Parser; 10] = [
    ("template", template),
    ("path", path),
    ("query", query),
    ("call", call),
    ("json", json),
    ("wire", wire),
    ("pieces", pieces),
    ("status", status),
    ("reverse", answer),
    ("compare", answers),
];

const MESSAGES: [&str; 6] = [
    "test.Scalars",
    "test.Everything",
    "test.WellKnown",
    "test.BookReply",
    "test.FindRequest",
    "old.Old",
];

fn split(data: &[u8]) -> (u8, &[u8]) {
    data.split_first()
        .map_or((0, &[]), |(first, rest)| (*first, rest))
}

fn options(bits: u8) -> Options {
    let bit = |at: u8| bits >> at & 1 == 1;
    Options {
        int64: if bit(0) {
            Int64Form::Number
        } else {
            Int64Form::String
        },
        names: if bit(1) {
            NameForm::Proto
        } else {
            NameForm::Json
        },
        defaults: bit(2),
        enums: if bit(3) {
            EnumForm::Number
        } else {
            EnumForm::Name
        },
        strict: bit(4),
        required: bit(5),
        unknown_query: if bit(6) {
            Unknown::Ignore
        } else {
            Unknown::Reject
        },
        unknown_fields: if bit(6) {
            Unknown::Ignore
        } else {
            Unknown::Reject
        },
        quoted_etags: bit(7),
    }
}

/// A template that parses is one that a table takes, and a path of its own kind finds it.
pub(crate) fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let template = match PathTemplate::parse(text) {
        Ok(template) => template,
        Err(error) => {
            assert!((1..=text.len() + 1).contains(&error.column), "{error}");
            return;
        }
    };
    assert_eq!(template.as_str(), text);
    let mut table = RouteTable::new();
    let slash = TrailingSlash::Strict;
    table
        .insert(Method::GET, template.clone(), vec![], slash, ())
        .unwrap();
    let again = table.insert(Method::GET, template, vec![], slash, ());
    assert!(again.is_err(), "{text} twice");
    for path in ["/", "/a", "/a/b:c", "/a/b/c/d/", "/a%2Fb", text] {
        if let Lookup::Found { captures, .. } = table.find(&Method::GET, path, None) {
            assert_eq!(
                captures.values().len(),
                captures.template().variables().len()
            );
        }
    }
}

fn table() -> &'static RouteTable<Transcoder> {
    static TABLE: OnceLock<RouteTable<Transcoder>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = RouteTable::new();
        for (name, text) in [
            ("List", "GET /v1/{name=desks/*}"),
            ("List", "GET /v1/{name=desks/*}/{by.email}:go"),
            ("List", "GET /v1/{name=**}/tail"),
            ("List", "GET /{name=**}"),
            ("Tag", "TAG /v1/{name}:tag tags"),
            ("FindRooms", "* /v1/rooms"),
            ("UpdateRoom", "PATCH /v1/{room.name=rooms/*} room"),
            ("UpdateRoom", "PATCH /v1/rooms *"),
            ("DeleteRoom", "DELETE /v1/{name=rooms/*}"),
            ("Tune", "PATCH /v1/{name=tunes/*} *"),
            ("Put", "PUT /v1/{name=files/*} file"),
            ("Echo", "POST /v1/echo *"),
        ] {
            let rule = rule(text);
            let transcoder = Transcoder::new(&method(name), &rule, &Options::default()).unwrap();
            table
                .insert(
                    rule.method,
                    rule.template,
                    vec![],
                    TrailingSlash::Optional,
                    transcoder,
                )
                .unwrap();
        }
        table
    })
}

fn verb(byte: u8) -> Method {
    let tag = Method::from_bytes(b"TAG").unwrap();
    let all = [
        Method::GET,
        Method::PATCH,
        Method::PUT,
        Method::POST,
        Method::DELETE,
        Method::HEAD,
        tag,
    ];
    all[usize::from(byte) % all.len()].clone()
}

/// A path that is found has a value for every variable.
pub(crate) fn path(data: &[u8]) {
    let (first, rest) = split(data);
    let Ok(path) = std::str::from_utf8(rest) else {
        return;
    };
    match table().find(&verb(first), path, None) {
        Lookup::Found { captures, .. } => {
            assert_eq!(
                captures.values().len(),
                captures.template().variables().len()
            );
        }
        Lookup::MethodNotAllowed { allow } => assert!(!allow.is_empty()),
        Lookup::NotFound | Lookup::BadPath(_) => {}
    }
}

/// What a query binds is a message.
pub(crate) fn query(data: &[u8]) {
    let (first, rest) = split(data);
    let Ok(query) = std::str::from_utf8(rest) else {
        return;
    };
    // One for each set of options: to compile all messages takes longer than to read a query.
    static ALL: [OnceLock<Transcoder>; 256] = [const { OnceLock::new() }; 256];
    let transcoder = ALL[usize::from(first)].get_or_init(|| {
        let rule = rule("GET /v1/rooms");
        Transcoder::new(&method("FindRooms"), &rule, &options(first)).unwrap()
    });
    let Lookup::Found { captures, .. } = table().find(&Method::GET, "/v1/rooms", None) else {
        panic!("no route");
    };
    let incoming = Incoming {
        query: Some(query),
        ..Incoming::new(&captures)
    };
    if let Ok(wire) = transcoder.request(&incoming) {
        let descriptor = pool().get_message_by_name("test.FindRequest").unwrap();
        DynamicMessage::decode(descriptor, wire.clone()).unwrap();
        printed("test.FindRequest", &wire);
    }
}

/// A whole request, its parts on lines: target, `If-Match`, body.
pub(crate) fn call(data: &[u8]) {
    let (first, rest) = split(data);
    let mut parts = rest.splitn(3, |byte| *byte == b'\n');
    let mut text = || std::str::from_utf8(parts.next().unwrap_or_default());
    let (Ok(target), Ok(if_match)) = (text(), text()) else {
        return;
    };
    let body = parts.next().unwrap_or_default();
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    let Lookup::Found { route, captures } = table().find(&verb(first), path, query) else {
        return;
    };
    let incoming = Incoming {
        query,
        body,
        content_type: Some("text/plain"),
        request_id: Some("id"),
        if_match: Some(if_match).filter(|header| !header.is_empty()),
        ..Incoming::new(&captures)
    };
    match route.request(&incoming) {
        Ok(wire) => {
            // Read as an answer too, whatever it may be: only a panic would be wrong.
            let _ = (route.response(&wire), route.etag_of(&wire));
            let _ = route.response_http_body(&wire);
        }
        Err(violations) => assert!(violations.iter().next().is_some()),
    }
    let _ = route.item(body);
    if let Some(tag) = entity_tag(if_match) {
        assert_eq!(entity_tag(&tag), Some(tag));
    }
}

/// JSON that is read is JSON for others, and comes back the same the second time.
pub(crate) fn json(data: &[u8]) {
    let (which, rest) = split(data);
    let (bits, json) = split(rest);
    let (name, options) = (MESSAGES[usize::from(which) % MESSAGES.len()], options(bits));
    let Ok(wire) = plans().encode(name, json, &options).unwrap() else {
        return;
    };
    // By its grammar: a number that is ignored may be larger than any type.
    serde_json::from_slice::<IgnoredAny>(json).unwrap();
    let descriptor = pool().get_message_by_name(name).unwrap();
    DynamicMessage::decode(descriptor, wire.clone()).unwrap();
    round(name, &wire);
}

/// What prints is JSON for others, and a message again, which prints the same.
pub(crate) fn wire(data: &[u8]) {
    let (which, wire) = split(data);
    round(MESSAGES[usize::from(which) % MESSAGES.len()], wire);
}

fn round(name: &str, wire: &[u8]) {
    let Some(json) = printed(name, wire) else {
        return;
    };
    let again = reprinted(name, &json);
    // A number that NullValue does not have prints as `null` all the same, and reads as the one that it has.
    if json.windows(5).any(|bytes| bytes == b":null") {
        assert_eq!(reprinted(name, &again), again);
    } else {
        assert_eq!(again, json);
    }
}

/// A message as JSON, unless it holds what has no JSON form.
fn printed(name: &str, wire: &[u8]) -> Option<Bytes> {
    let json = plans()
        .decode(name, wire, &Options::default())
        .unwrap()
        .ok()?;
    serde_json::from_slice::<serde_json::Value>(&json).unwrap();
    Some(json)
}

fn reprinted(name: &str, json: &[u8]) -> Bytes {
    let wire = plans().encode(name, json, &Options::default()).unwrap();
    let text = String::from_utf8_lossy(json);
    let wire = wire.unwrap_or_else(|violations| panic!("{text}: {violations}"));
    printed(name, &wire).unwrap_or_else(|| panic!("{text} reads as what cannot be printed"))
}

/// However a stream is cut, the same comes out of it, and every piece fits its limit.
pub(crate) fn pieces(data: &[u8]) {
    const BYTES_MAX: usize = 32;
    let (first, text) = split(data);
    let all = |chunk: usize| {
        let mut pieces = match first % 2 {
            0 => Pieces::new(BYTES_MAX),
            _ => Pieces::lines(BYTES_MAX),
        };
        let mut out = Vec::new();
        for chunk in text.chunks(chunk.max(1)) {
            pieces.push(chunk);
            out.extend(pieces.by_ref());
        }
        out.push(pieces.finish().map(|last| last.unwrap_or_default()));
        out
    };
    let whole = all(text.len());
    for piece in whole.iter().flatten() {
        assert!(piece.len() <= BYTES_MAX);
    }
    assert_eq!(all(1), whole);
    assert_eq!(all(usize::from(first)), whole);
}

/// Whatever the details, an error is JSON in every shape, and keeps what is for developers to itself.
pub(crate) fn status(data: &[u8]) {
    static RENDERER: OnceLock<Renderer> = OnceLock::new();
    let renderer = RENDERER.get_or_init(|| Renderer::new(pool()));
    let (first, rest) = split(data);
    for shape in [
        ErrorShape::Google,
        ErrorShape::Simple,
        ErrorShape::Provider,
        ErrorShape::Problem,
    ] {
        let options = ErrorOptions {
            shape,
            ..ErrorOptions::default()
        };
        let code = Code::from_number(i32::from(first));
        let message = String::from_utf8_lossy(rest);
        let rendered = renderer.render(&options, code, &message, rest);
        assert!(rendered.http.as_u16() >= 400);
        let body: serde_json::Value = serde_json::from_slice(&rendered.body).unwrap();
        if shape == ErrorShape::Google {
            let details = body["error"]["details"].to_string();
            assert!(!details.contains("/google.rpc.DebugInfo\""), "{details}");
        }
    }
}

/// An answer of a REST system, and a message as a call to one.
pub(crate) fn answer(data: &[u8]) {
    static REVERSE: OnceLock<Vec<Reverse>> = OnceLock::new();
    let all = REVERSE.get_or_init(|| {
        let rules = [
            ("List", "GET /v1/{name=desks/*}"),
            ("FindRooms", "GET /v1/rooms - room"),
            ("UpdateRoom", "PATCH /v1/{room.name=rooms/*} room"),
            ("Put", "PUT /v1/{name=files/*} file"),
        ];
        let made = rules.map(|(name, text)| {
            Reverse::new(&method(name), &rule(text), &[], &Options::default()).unwrap()
        });
        made.into()
    });
    let (first, rest) = split(data);
    let reverse = &all[usize::from(first) % all.len()];
    if let Ok(call) = reverse.request(rest) {
        call.target.parse::<http::Uri>().unwrap();
    }
    let _ = reverse.response("application/json", rest);
    let status = http::StatusCode::from_u16(400 + u16::from(first)).unwrap();
    let _ = reverse::status_of(&Method::GET, status, rest);
}

/// Two answers on lines, compared: what is told of them can be stored, and one does not differ from itself.
pub(crate) fn answers(data: &[u8]) {
    static COMPARER: OnceLock<Comparer> = OnceLock::new();
    let comparer = COMPARER.get_or_init(|| {
        let allowances = r#"{"ignore":["word"],"tolerance":{"value":1},"unordered":["values[]"],"keys":{"list[]":"id"}}"#;
        let allowances: Allowances = serde_json::from_str(allowances).unwrap();
        Comparer::new(&method("Know"), "", &Options::default(), allowances)
    });
    let (one, other) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let seen = |body| Seen { status: 200, body };
    for finding in comparer.compare(seen(one), seen(other)) {
        let path = finding.path;
        assert!(
            path.len() <= 300 && !path.contains(char::is_control),
            "{path:?}"
        );
    }
    let of_one = comparer.compare(seen(one), seen(one));
    assert!(of_one.iter().all(|it| it.kind.is_of_one()), "{of_one:?}");
}
