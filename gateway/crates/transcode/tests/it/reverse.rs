//! Messages as REST calls, and answers as messages.

use banyan_transcode::{
    EnumForm, Incoming, Int64Form, Lookup, NameForm, Options, RestCall, Reverse, RouteTable,
    TrailingSlash, Transcoder, Violations, reverse,
};
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{
    DynamicMessage, MessageDescriptor, MethodDescriptor, ReflectMessage as _, Value,
};

use crate::arbitrary::{self, Entropy};
use crate::properties::{lossless, sorted};
use crate::support::{pool, rule};

fn method(name: &str) -> MethodDescriptor {
    let services = ["test.Desk", "back.Back"].map(|name| pool().get_service_by_name(name).unwrap());
    let mut methods = services.iter().flat_map(|service| service.methods());
    methods.find(|method| method.name() == name).unwrap()
}

fn message(descriptor: &MessageDescriptor, json: &str) -> DynamicMessage {
    let plans = crate::support::plans();
    let wire = plans.encode(descriptor.full_name(), json.as_bytes(), &Options::default());
    DynamicMessage::decode(descriptor.clone(), wire.unwrap().unwrap()).unwrap()
}

fn reversed(name: &str, text: &str, query: &[&str], options: &Options) -> Reverse {
    let query: Vec<_> = query.iter().map(|key| (*key).to_owned()).collect();
    Reverse::new(&method(name), &rule(text), &query, options).unwrap()
}

fn request(name: &str, text: &str, json: &str, options: &Options) -> Result<RestCall, Violations> {
    let wire = message(&method(name).input(), json).encode_to_vec();
    reversed(name, text, &[], options).request(&wire)
}

/// Target and body.
#[track_caller]
fn check(name: &str, text: &str, json: &str, target: &str, body: &str) {
    let call = request(name, text, json, &Options::default()).unwrap();
    let got = String::from_utf8(call.body.to_vec()).unwrap();
    assert_eq!((call.target.as_str(), got.as_str()), (target, body));
    let is_json = call.content_type.as_deref() == Some("application/json");
    assert_eq!(is_json, !body.is_empty());
}

#[test]
fn a_message_becomes_path_query_and_body() {
    check(
        "List",
        "GET /v1/{name=desks/*}/bookings",
        r#"{"name":"desks/a b"}"#,
        "/v1/desks/a%20b/bookings",
        "",
    );
    check(
        "List",
        "GET /v1/{name}",
        r#"{"name":"a/b?"}"#,
        "/v1/a%2Fb%3F",
        "",
    );
    check(
        "List",
        "GET /v1/{name=**}",
        r#"{"name":"a/b c/%2F"}"#,
        "/v1/a/b%20c/%252F",
        "",
    );
    check(
        "List",
        "GET /v1/bookings",
        r#"{"tags":["a","b&c"],"pageSize":3,"colors":["COLOR_RED",77],"limit":0,"after":"2026-01-02T03:04:05Z","by":{"email":"a@b"},"pageToken":"","updateMask":"name,guest.displayName","validateOnly":true}"#,
        "/v1/bookings?updateMask=name%2Cguest.displayName&validateOnly=true&tags=a&tags=b%26c&limit=0&after=2026-01-02T03%3A04%3A05Z&by.email=a%40b&colors=COLOR_RED&colors=77&pageToken=&pageSize=3",
        "",
    );
    check(
        "Update",
        "PATCH /v1/{booking.name=bookings/*} booking",
        r#"{"booking":{"name":"bookings/1","price":"5"},"updateMask":"price"}"#,
        "/v1/bookings/1?updateMask=price",
        r#"{"price":"5"}"#,
    );
    check(
        "Create",
        "POST /v1/{guest.email} *",
        r#"{"name":"n","guest":{"email":"e","displayName":"d"}}"#,
        "/v1/e",
        r#"{"name":"n","guest":{"displayName":"d"}}"#,
    );
    check(
        "Tag",
        "TAG /v1/{name}:tag tags",
        r#"{"name":"a:b","tags":["x"]}"#,
        "/v1/a%3Ab:tag",
        r#"["x"]"#,
    );
    check(
        "Tag",
        "TAG /v1/{name}:tag tags",
        r#"{"name":"a"}"#,
        "/v1/a:tag",
        "[]",
    );
    check("Update", "PUT /v1/x booking", "{}", "/v1/x", "{}");
}

#[test]
fn the_options_of_the_route_decide_how_it_looks() {
    let options = Options {
        int64: Int64Form::Number,
        names: NameForm::Proto,
        enums: EnumForm::Number,
        defaults: true,
        strict: true,
        required: true,
        ..Options::default()
    };
    let json = r#"{"name":"n","color":"COLOR_BLUE","price":"5"}"#;
    let call = request("Create", "POST /v1/{name} *", json, &options).unwrap();
    assert_eq!(
        (call.target.as_str(), call.body.as_ref()),
        (
            "/v1/n",
            &br#"{"seats_ids":[],"color":-2,"price":5,"others":[]}"#[..]
        ),
        "what the path carries is not even there as a default"
    );
    let call = request("List", "GET /v1", r#"{"pageSize":1}"#, &options).unwrap();
    assert_eq!(call.target, "/v1?page_size=1");
    let call = request("Find", "GET /v1", "{}", &options).unwrap();
    assert_eq!(call.target, "/v1?id=0", "the reader would miss it");
}

#[test]
fn what_a_rule_cannot_carry_is_refused_by_name() {
    #[track_caller]
    fn check(name: &str, text: &str, json: &str, want: &str) {
        let violations = request(name, text, json, &Options::default()).unwrap_err();
        assert_eq!(violations.to_string(), want);
    }
    let fit = "name does not fit the path /v1/{name=desks/*}";
    check(
        "List",
        "GET /v1/{name=desks/*}",
        r#"{"name":"seats/1"}"#,
        fit,
    );
    check(
        "List",
        "GET /v1/{name=desks/*}",
        r#"{"name":"desks/1/2"}"#,
        fit,
    );
    check("List", "GET /v1/{name=desks/*}", "{}", fit);
    check(
        "List",
        "GET /v1/{name}",
        "{}",
        "name does not fit the path /v1/{name}",
    );
    let parameter = |field: &str| format!("{field} cannot be given as a query parameter");
    check(
        "Create",
        "GET /v1",
        r#"{"others":[{"email":"a"}]}"#,
        &parameter("others"),
    );
    check(
        "WellKnown",
        "GET /v1",
        r#"{"object":{"a":1}}"#,
        &parameter("object"),
    );
    check(
        "WellKnown",
        "GET /v1",
        r#"{"any":{"@type":"x/test.Guest"}}"#,
        &parameter("any"),
    );
    check(
        "Everything",
        "GET /v1",
        r#"{"nested":{}}"#,
        &parameter("nested"),
    );
    let broken = reversed("List", "GET /v1", &[], &Options::default()).request(&[0x0a, 9]);
    assert!(broken.unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn rules_that_cannot_be_read_backward_are_refused_at_load() {
    #[track_caller]
    fn check(name: &str, text: &str, want: &str) {
        let error = Reverse::new(&method(name), &rule(text), &[], &Options::default());
        assert_eq!(error.unwrap_err().to_string(), want);
    }
    check(
        "Watch",
        "GET /v1",
        "test.Desk.Watch streams; only unary methods can be called over REST",
    );
    check(
        "List",
        "GET /v1/*/x",
        "test.Desk.List: /v1/*/x has a wildcard that no field fills",
    );
    check(
        "List",
        "GET /v1/{nope}",
        "test.Desk.List: the rule names `nope`, which test.BookRequest does not have",
    );
}

#[test]
fn the_rule_is_chosen_by_what_the_message_holds() {
    let options = Options {
        names: NameForm::Proto,
        ..Options::default()
    };
    let rules = [
        reversed("List", "GET /v1/{name}", &[], &options),
        reversed("List", "GET /v1/sized", &["page_size"], &options),
        reversed("List", "GET /v1/all", &[], &options),
        reversed("List", "POST /v1/labels *", &[], &options),
    ];
    let target = |json: &str| {
        let wire = message(&method("List").input(), json).encode_to_vec();
        reverse::call(&rules, &wire).unwrap().1.target
    };
    assert_eq!(target(r#"{"name":"a","pageSize":2}"#), "/v1/a?page_size=2");
    assert_eq!(target(r#"{"pageSize":2}"#), "/v1/sized?page_size=2");
    assert_eq!(target("{}"), "/v1/all");
    assert_eq!(target(r#"{"booking":{"others":[{}]}}"#), "/v1/labels");
    let rules = [reversed("Find", "GET /v1", &["id"], &options)];
    assert_eq!(reverse::call(&rules, &[]).unwrap().1.target, "/v1?id=0");
}

#[test]
fn bytes_are_passed_as_they_are() {
    let json = r#"{"name":"a","file":{"contentType":"text/csv","data":"YSxi"},"overwrite":true}"#;
    let call = request("Upload", "PUT /v1/{name} file", json, &Options::default()).unwrap();
    assert_eq!(
        (
            call.target.as_str(),
            call.content_type.as_deref(),
            call.body.as_ref()
        ),
        ("/v1/a?overwrite=true", Some("text/csv"), &b"a,b"[..])
    );
    let json = r#"{"data":"YSxi"}"#;
    let call = request("Raw", "PUT /v1 *", json, &Options::default()).unwrap();
    let kind = call.content_type.as_deref();
    assert_eq!(
        (kind, call.body.as_ref()),
        (Some("application/octet-stream"), &b"a,b"[..])
    );
    let answer = reversed("Upload", "GET /v1/{name}", &[], &Options::default());
    let wire = answer.response("text/csv", b"a,b").unwrap();
    assert_eq!(wire.as_ref(), b"\x0a\x08text/csv\x12\x03a,b");
    let answer = reversed("Raw", "GET /v1 - file", &[], &Options::default());
    let wire = answer.response("a", b"b").unwrap();
    assert_eq!(wire.as_ref(), b"\x12\x06\x0a\x01a\x12\x01b");
}

#[test]
fn answers_are_read_leniently() {
    #[track_caller]
    fn check(text: &str, json: &str, want: &str) {
        let options = Options {
            strict: true,
            required: true,
            ..Options::default()
        };
        let wire =
            reversed("List", text, &[], &options).response("application/json", json.as_bytes());
        let reply = method("List").output();
        let got = DynamicMessage::decode(reply.clone(), wire.unwrap()).unwrap();
        assert_eq!(got, message(&reply, want));
    }
    check(
        "GET /v1",
        r#"{"count":3,"new":[{}],"at":null}"#,
        r#"{"count":"3"}"#,
    );
    check(
        "GET /v1 - bookings",
        r#"[{"seats_ids":[1]}]"#,
        r#"{"bookings":[{"seatsIds":[1]}]}"#,
    );
    check("GET /v1 - bookings", "null", "{}");
    check("GET /v1", "", "{}");
    let answer = reversed("List", "GET /v1", &[], &Options::default());
    for bad in ["<html>", "[]", r#"{"count":"x"}"#] {
        assert!(
            answer.response("text/html", bad.as_bytes()).is_err(),
            "{bad}"
        );
    }
}

const RULES: [(&str, &str); 12] = [
    ("List", "GET /v1/{name=desks/*}/bookings"),
    ("List", "GET /v1/{name}"),
    ("List", "GET /v1/{name=**}"),
    ("List", "GET /v1/{name=**}/tail"),
    ("List", "GET /v1"),
    ("Update", "PUT /v1/{booking.name=desks/**} booking"),
    ("Tag", "POST /v1/{name}:tag tags"),
    ("Create", "POST /v1/{name}/{guest.email} *"),
    ("Everything", "POST /v1 *"),
    ("Everything", "GET /v1"),
    ("WellKnown", "POST /v1 *"),
    ("WellKnown", "GET /v1"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_call_read_forward_is_the_message_that_it_was_made_from(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        which in 0..RULES.len(),
        name in "(desks|[a-z]{1,3})?/?[a-zé%/:.?&2F ]{0,5}",
        options in lossless(),
    ) {
        let (method, rule) = (method(RULES[which].0), rule(RULES[which].1));
        // An unknown enum number has no name, which strict reading demands.
        let options = Options { strict: options.strict && options.enums == EnumForm::Number, ..options };
        let mut message = arbitrary::message(&mut Entropy::new(&bytes), &method.input(), 2);
        if message.descriptor().get_field_by_name("name").is_some() {
            message.set_field_by_name("name", Value::String(name.clone()));
        }
        if rule.body == "booking" {
            let mut booking = DynamicMessage::new(pool().get_message_by_name("test.Booking").unwrap());
            booking.set_field_by_name("name", Value::String(name));
            message.set_field_by_name("booking", Value::Message(booking));
        }
        if rule.body != "*" {
            forget_empty(&mut message);
        }
        let reverse = Reverse::new(&method, &rule, &[], &options).unwrap();
        let Ok(call) = reverse.request(&message.encode_to_vec()) else { return Ok(()) };

        let transcoder = Transcoder::new(&method, &rule, &options).unwrap();
        let mut table = RouteTable::new();
        table.insert(rule.method, rule.template, vec![], TrailingSlash::Strict, transcoder).unwrap();
        let uri: http::Uri = call.target.parse().unwrap();
        let Lookup::Found { route, captures } = table.find(&call.method, uri.path(), uri.query()) else {
            panic!("{} has no route", call.target);
        };
        let incoming = Incoming {
            query: uri.query(),
            body: &call.body,
            ..Incoming::new(&captures)
        };
        let wire = route.request(&incoming);
        let wire = wire.unwrap_or_else(|violations| panic!("{call:?}: {violations}"));
        let back = DynamicMessage::decode(method.input(), wire).unwrap();
        prop_assert_eq!(format!("{:?}", sorted(&back)), format!("{:?}", sorted(&message)), "{:?}", call);
    }

    #[test]
    fn any_bytes_give_an_answer(
        wire in prop::collection::vec(any::<u8>(), 0..60),
        which in 0..RULES.len(),
    ) {
        let (method, rule) = (method(RULES[which].0), rule(RULES[which].1));
        let reverse = Reverse::new(&method, &rule, &["x".to_owned()], &Options::default()).unwrap();
        if let Ok(call) = reverse.request(&wire) {
            prop_assert!(call.target.parse::<http::Uri>().is_ok());
        }
        let _ = reverse.response("application/json", &wire);
        let _ = reverse::status_of(&http::Method::GET, http::StatusCode::CONFLICT, &wire);
    }
}

/// Takes out messages that are set and empty: a query has no form for them.
fn forget_empty(message: &mut DynamicMessage) {
    let fields: Vec<_> = message.descriptor().fields().collect();
    for field in fields {
        let is_plain = field.containing_oneof().is_none() && !field.is_list() && !field.is_map();
        let kind = field.kind();
        let Some(inner) = kind
            .as_message()
            .filter(|_| is_plain && message.has_field(&field))
        else {
            continue;
        };
        if inner.full_name().starts_with("google.protobuf.")
            && !inner.full_name().ends_with("Empty")
        {
            continue;
        }
        if let Value::Message(inner) = message.get_field_mut(&field) {
            forget_empty(inner);
            if inner.encoded_len() == 0 {
                message.clear_field(&field);
            }
        }
    }
}
