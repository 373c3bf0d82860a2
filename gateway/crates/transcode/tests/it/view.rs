//! Messages, looked at as the REST requests that they could have been.

use banyan_transcode::{Options, RequestView};
use proptest::prelude::*;

use crate::support::{method, plans, rule};

struct Seen {
    view: RequestView,
    wire: Vec<u8>,
}

fn seen(name: &str, text: &str, query: &[&str], json: &str) -> Seen {
    let method = method(name);
    let query: Vec<_> = query.iter().map(|key| (*key).to_owned()).collect();
    let input = method.input();
    let wire = plans().encode(input.full_name(), json.as_bytes(), &Options::default());
    Seen {
        view: RequestView::new(&method, &rule(text), &query, &Options::default()),
        wire: wire.unwrap().unwrap().to_vec(),
    }
}

impl Seen {
    /// Asks by `path:NAME`, `query:NAME` or `body:NAME`.
    #[track_caller]
    fn check(&self, what: &str, want: Option<&str>) {
        let (kind, name) = what.split_once(':').unwrap();
        let got = match kind {
            "path" => self.view.path(&self.wire, name),
            "query" => self.view.query(&self.wire, name),
            _ => self.view.body(&self.wire, name),
        };
        assert_eq!(got.as_deref(), want, "{what}");
    }
}

#[test]
fn a_field_is_found_where_the_rule_puts_it() {
    let json = r#"{"name":"desks/1","tags":["a","b"],"colors":["COLOR_RED"],"limit":0,"by":{"email":"e"},"pageToken":"","pageSize":7,"labels":{"k":"v"},"after":"2026-01-02T03:04:05Z"}"#;
    let list = seen("List", "GET /v1/{name=desks/*}/bookings", &[], json);
    list.check("path:name", Some("desks/1"));
    list.check("path:tags", None);
    list.check("query:name", None);
    list.check("query:tags", Some("a"));
    list.check("query:colors", Some("COLOR_RED"));
    list.check("query:limit", Some("0"));
    list.check("query:by.email", Some("e"));
    list.check("query:by.displayName", None);
    list.check("query:page_size", Some("7"));
    list.check("query:pageSize", Some("7"));
    list.check("query:pageToken", Some(""));
    list.check("query:pageNumber", None);
    list.check("query:after", Some("2026-01-02T03:04:05Z"));
    for none in [
        "by",
        "labels",
        "labels.k",
        "nobody",
        "tags.x",
        "validateOnly",
    ] {
        list.check(&format!("query:{none}"), None);
        list.check(&format!("body:{none}"), None);
    }

    let whole = seen("List", "POST /v1/{name=desks/*} *", &[], json);
    whole.check("path:name", Some("desks/1"));
    whole.check("body:name", None);
    whole.check("body:by.email", Some("e"));
    whole.check("body:pageSize", Some("7"));
    whole.check("body:tags", None);
    whole.check("query:pageSize", None);

    let json = r#"{"name":"n","booking":{"name":"b","guest":{"email":"e"},"price":"9007199254740993","seatsIds":[1]}}"#;
    let field = seen("Update", "PATCH /v1/{booking.name} booking", &[], json);
    field.check("path:booking.name", Some("b"));
    field.check("body:name", None);
    field.check("body:guest.email", Some("e"));
    field.check("body:price", Some("9007199254740993"));
    field.check("body:booking.price", None);
    field.check("body:seats_ids", None);
    field.check("query:name", Some("n"));
    field.check("query:booking.price", None);
}

#[test]
fn a_rule_is_met_by_what_its_path_and_query_need() {
    let met = |query: &[&str], json: &str| {
        let seen = seen("List", "GET /v1/{name}", query, json);
        seen.view.is_met(&seen.wire)
    };
    assert!(met(&[], r#"{"name":"n"}"#));
    assert!(!met(&[], "{}"));
    assert!(met(&["page_size"], r#"{"name":"n","pageSize":1}"#));
    assert!(!met(&["page_size"], r#"{"name":"n"}"#));
    // A path has a text for its variables whatever they hold.
    seen("List", "GET /v1/{page_size}", &[], "{}").check("path:page_size", Some("0"));
}

#[test]
fn parts_of_one_message_are_joined_and_the_last_value_counts() {
    let mut seen = seen("List", "GET /v1/x", &[], "{}");
    // by {email: "old"}, by {email: "new"}, by {display_name: "d"}; page_number: 3, then page_token: "t".
    seen.wire =
        b"\x42\x05\x0a\x03old\x42\x05\x0a\x03new\x42\x03\x12\x01d\x50\x03\x5a\x01t".to_vec();
    seen.check("query:by.email", Some("new"));
    seen.check("query:by.displayName", Some("d"));
    seen.check("query:pageNumber", None);
    seen.check("query:pageToken", Some("t"));
    seen.wire.push(0x0a);
    seen.check("query:pageToken", None);
}

#[test]
fn ids_are_read_and_a_copy_is_only_validated() {
    let claim = seen("Claim", "POST /v1/claims *", &[], r#"{"requestId":"r"}"#);
    assert_eq!(claim.view.request_id(&claim.wire).as_deref(), Some("r"));
    assert_eq!(claim.view.request_id(b""), None);
    assert_eq!(claim.view.validate_only(&claim.wire, "i"), None);
    let list = seen(
        "List",
        "POST /v1/x *",
        &[],
        r#"{"validateOnly":false,"pageSize":2}"#,
    );
    let copy = list.view.validate_only(&list.wire, "i").unwrap();
    assert_eq!(
        list.view.body(&copy, "validateOnly").as_deref(),
        Some("true")
    );
    assert_eq!(list.view.body(&copy, "pageSize").as_deref(), Some("2"));
    // Cut off in a length: what is added would be taken for its content.
    assert_eq!(list.view.validate_only(b"\x0a\x05a", "i"), None);
}

proptest! {
    #[test]
    fn no_message_makes_it_panic(wire in any::<Vec<u8>>(), name in "[a-z_.]{0,12}") {
        let seen = seen("List", "POST /v1/{name}/{by.email} *", &["page_size"], "{}");
        let _ = seen.view.is_met(&wire);
        for name in [name.as_str(), "name", "by.email", "pageToken", "labels", "tags"] {
            let _ = seen.view.path(&wire, name);
            let _ = seen.view.query(&wire, name);
            let _ = seen.view.body(&wire, name);
        }
        if let Some(copy) = seen.view.validate_only(&wire, "i") {
            prop_assert_eq!(seen.view.body(&copy, "validateOnly"), Some("true".to_owned()));
        }
    }
}
