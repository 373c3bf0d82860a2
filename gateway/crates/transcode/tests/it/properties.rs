//! Laws that hold for every message and every string of bytes.

use banyan_transcode::{
    EnumForm, ErrorOptions, ErrorShape, Incoming, Int64Form, Lookup, NameForm, Options,
    PathTemplate, Renderer, RouteTable, TrailingSlash, Transcoder, Unknown,
};
use http::Method;
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::DynamicMessage;

use crate::arbitrary::{self, Entropy};
use crate::support::{method, plans, pool, rule};

const MESSAGES: [&str; 5] = [
    "test.Scalars",
    "test.Everything",
    "test.WellKnown",
    "test.BookReply",
    "old.Old",
];

/// Options that print everything a message holds.
pub(crate) fn lossless() -> impl Strategy<Value = Options> {
    (any::<[bool; 5]>()).prop_map(|[int64, names, defaults, enums, strict]| Options {
        int64: if int64 {
            Int64Form::Number
        } else {
            Int64Form::String
        },
        names: if names {
            NameForm::Proto
        } else {
            NameForm::Json
        },
        defaults,
        enums: if enums {
            EnumForm::Number
        } else {
            EnumForm::Name
        },
        strict,
        ..Options::default()
    })
}

/// Text that often is nearly JSON.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "null",
        "true",
        "-1",
        "0.5e3",
        "1e400",
        "\"aString\"",
        "\"items\"",
        "\"counts\"",
        "\"any\"",
        "\"@type\"",
        "\"x/test.Guest\"",
        "\"value\"",
        "\"time\"",
        "\"object\"",
        "\"1s\"",
        "\"nested\"",
        "\\ud800",
        " ",
        "я",
    ]);
    let tokens =
        prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat().into_bytes());
    prop_oneof![tokens, prop::collection::vec(any::<u8>(), 0..48)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_and_wire_are_two_forms_of_one_message(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        which in 0..4usize,
        options in lossless(),
    ) {
        let name = MESSAGES[which];
        let descriptor = pool().get_message_by_name(name).unwrap();
        let message = arbitrary::message(&mut Entropy::new(&bytes), &descriptor, 4);
        let json = plans().decode(name, &message.encode_to_vec(), &options).unwrap().unwrap();
        // It is JSON for others too.
        serde_json::from_slice::<serde_json::Value>(&json).unwrap();
        // An unknown enum number has no name, which strict reading demands.
        let strict_names = options.strict && options.enums == EnumForm::Name;
        let options = Options { strict: options.strict && !strict_names, ..options };
        let wire = plans().encode(name, &json, &options).unwrap().unwrap();
        let back = DynamicMessage::decode(descriptor, wire.clone()).unwrap();
        prop_assert_eq!(format!("{:?}", sorted(&back)), format!("{:?}", sorted(&message)));
        let again = plans().decode(name, &wire, &options).unwrap().unwrap();
        prop_assert_eq!(&again, &json);
        prop_assert_eq!(plans().encode(name, &again, &options).unwrap().unwrap(), wire);
    }

    #[test]
    fn any_body_gives_an_answer(
        body in nearly_json(),
        which in 0..MESSAGES.len(),
        strict in any::<bool>(),
        ignore in any::<bool>(),
    ) {
        let unknown_fields = if ignore { Unknown::Ignore } else { Unknown::Reject };
        let options = Options { strict, unknown_fields, required: true, ..Options::default() };
        if let Ok(wire) = plans().encode(MESSAGES[which], &body, &options).unwrap() {
            // Whatever is read is a message, and JSON for others too.
            let descriptor = pool().get_message_by_name(MESSAGES[which]).unwrap();
            prop_assert!(DynamicMessage::decode(descriptor, wire.clone()).is_ok());
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
            prop_assert!(plans().decode(MESSAGES[which], &wire, &options).unwrap().is_ok());
        }
    }

    #[test]
    fn any_wire_gives_an_answer(
        entropy in prop::collection::vec(any::<u8>(), 0..200),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        which in 0..4usize,
        defaults in any::<bool>(),
    ) {
        let name = MESSAGES[which];
        let descriptor = pool().get_message_by_name(name).unwrap();
        let mut wire = arbitrary::message(&mut Entropy::new(&entropy), &descriptor, 3).encode_to_vec();
        for (at, byte) in noise {
            if !wire.is_empty() {
                let at = at.index(wire.len());
                wire[at] = byte;
            }
        }
        let options = Options { defaults, ..Options::default() };
        for wire in [&wire, &entropy] {
            if let Ok(json) = plans().decode(name, wire, &options).unwrap() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
            }
        }
    }

    #[test]
    fn any_path_and_query_give_an_answer(
        path in "(/(desks|[a-c%2F:.~é]{0,5})){0,5}/?",
        query in prop::option::of("((pageSize|tags|by\\.email|after|colors|[a-z%+]{0,4})=[a-z0-9%+=.]{0,6}&?){0,4}"),
        body in nearly_json(),
    ) {
        let mut table = RouteTable::new();
        for (name, text) in [
            ("List", "GET /{name=desks/*}"),
            ("List", "GET /{name=**}/tail"),
            ("List", "GET /{name=**}"),
            ("Update", "PATCH /{booking.name}:c booking"),
        ] {
            let rule = rule(text);
            let transcoder = Transcoder::new(&method(name), &rule, &Options::default()).unwrap();
            table.insert(rule.method, rule.template, vec![], TrailingSlash::Optional, transcoder).unwrap();
        }
        for verb in [Method::GET, Method::PATCH, Method::HEAD] {
            if let Lookup::Found { route, captures } = table.find(&verb, &path, query.as_deref()) {
                let incoming = Incoming {
                    query: query.as_deref(),
                    body: &body,
                    request_id: Some("id"),
                    if_match: Some("\"e\""),
                    ..Incoming::new(&captures)
                };
                let _ = route.request(&incoming);
            }
        }
    }

    #[test]
    fn any_template_gives_an_answer(text in "/?([a-z*{}=./:%2]{0,3}/?){0,6}") {
        if let Ok(template) = PathTemplate::parse(&text) {
            prop_assert_eq!(template.as_str(), text);
        }
    }

    #[test]
    fn any_details_give_an_answer(details in prop::collection::vec(any::<u8>(), 0..60), message in ".{0,9}") {
        let renderer = Renderer::new(pool());
        for shape in [ErrorShape::Google, ErrorShape::Simple, ErrorShape::Provider, ErrorShape::Problem] {
            let options = ErrorOptions { shape, ..ErrorOptions::default() };
            let rendered = renderer.render(&options, banyan_transcode::Code::NotFound, &message, &details);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&rendered.body).is_ok());
        }
    }
}

/// A message as nested lists in field order, since the order of a map is left to chance. NaN equals itself in it.
pub(crate) fn sorted(message: &DynamicMessage) -> Vec<(u32, String)> {
    fn show(value: &prost_reflect::Value) -> String {
        use prost_reflect::Value;
        match value {
            Value::Message(message) => format!("{:?}", sorted(message)),
            Value::List(items) => format!("{:?}", items.iter().map(show).collect::<Vec<_>>()),
            Value::Map(map) => {
                let mut pairs: Vec<_> = map
                    .iter()
                    .map(|(key, value)| (format!("{key:?}"), show(value)))
                    .collect();
                pairs.sort();
                format!("{pairs:?}")
            }
            other => format!("{other:?}"),
        }
    }
    let mut fields: Vec<_> = message
        .fields()
        .map(|(field, value)| (field.number(), show(value)))
        .collect();
    fields.sort();
    fields
}
