//! `If-Match` into a request, the tag of an answer out of it.

use banyan_transcode::{Options, Transcoder};

use crate::route::Route;
use crate::support::{method, plans, rule};

#[track_caller]
fn check(route: &Route, target: &str, body: &str, if_match: &str, want: &str) {
    let got = route.send_with(target, body, None, Some(if_match));
    assert_eq!(got, want, "{target} {body} If-Match: {if_match}");
}

#[test]
fn a_condition_becomes_the_etag_of_the_request() {
    let required = Options {
        required: true,
        ..Options::default()
    };
    let delete = Route::new("DeleteRoom", "DELETE /v1/{name=rooms/*}", &required);
    let both = r#"{"name":"rooms/1","etag":"a1"}"#;
    let differs = "etag: CONFLICT etag differs from the tag in the header If-Match";
    check(&delete, "/v1/rooms/1", "", "\"a1\"", both);
    check(&delete, "/v1/rooms/1", "", "W/\"a1\"", both);
    check(&delete, "/v1/rooms/1?etag=a1", "", "\"a1\"", both);
    check(&delete, "/v1/rooms/1?etag=b2", "", "\"a1\"", differs);
    check(&delete, "/v1/rooms/1?etag=a1", "", "*", both);
    check(
        &delete,
        "/v1/rooms/1",
        "",
        "*",
        "etag: MISSING etag is required",
    );
    check(
        &delete,
        "/v1/rooms/1?etag=a1",
        "",
        "a1",
        "If-Match: FORMAT If-Match must be an entity tag in quotes, or *",
    );
    check(
        &delete,
        "/v1/rooms/1?etag=a1",
        "",
        "\"a1\", \"b2\"",
        "If-Match: FORMAT If-Match must be a single entity tag: one version is compared",
    );
}

#[test]
fn a_condition_becomes_the_etag_of_the_resource() {
    let options = Options::default();
    let update = Route::new("UpdateRoom", "PATCH /v1/{room.name=rooms/*} room", &options);
    let want = r#"{"room":{"name":"rooms/1","etag":"a1","beds":[1]},"update_mask":"beds"}"#;
    check(&update, "/v1/rooms/1", r#"{"beds":[1]}"#, "\"a1\"", want);
    check(
        &update,
        "/v1/rooms/1",
        r#"{"beds":[1],"etag":"a1"}"#,
        "\"a1\"",
        want,
    );
    check(
        &update,
        "/v1/rooms/1",
        r#"{"etag":"b2"}"#,
        "\"a1\"",
        "etag: CONFLICT etag differs from the tag in the header If-Match",
    );
    let whole = Route::new("UpdateRoom", "POST /v1/rooms *", &options);
    check(
        &whole,
        "/v1/rooms",
        r#"{"room":{"etag":"b2"}}"#,
        "\"a1\"",
        "room.etag: CONFLICT room.etag differs from the tag in the header If-Match",
    );
    check(
        &whole,
        "/v1/rooms",
        "{}",
        "\"a1\"",
        r#"{"room":{"etag":"a1"}}"#,
    );
}

#[test]
fn whole_tags_are_kept_where_the_service_keeps_them() {
    let quoted = Options {
        quoted_etags: true,
        ..Options::default()
    };
    let delete = Route::new("DeleteRoom", "DELETE /v1/{name=rooms/*}", &quoted);
    check(
        &delete,
        "/v1/rooms/1",
        "",
        "W/\"a1\"",
        r#"{"name":"rooms/1","etag":"W/\"a1\""}"#,
    );
}

#[test]
fn a_method_without_the_field_pays_no_heed() {
    let list = Route::new("List", "GET /v1/{name}", &Options::default());
    assert!(!list.transcoder.takes_etag());
    check(&list, "/v1/a", "", "nonsense", r#"{"name":"a"}"#);
}

#[test]
fn an_answer_has_the_tag_of_what_it_shows() {
    #[track_caller]
    fn check(name: &str, text: &str, json: &str, want: Option<&str>) {
        let (method, rule) = (method(name), rule(text));
        let transcoder = Transcoder::new(&method, &rule, &Options::default()).unwrap();
        let output = method.output().full_name().to_owned();
        let wire = plans().encode(&output, json.as_bytes(), &Options::default());
        let got = transcoder.etag_of(&wire.unwrap().unwrap());
        assert_eq!(got.as_deref(), want, "{name} {json}");
    }
    check("UpdateRoom", "GET /v1/x", r#"{"etag":"a"}"#, Some("a"));
    check("UpdateRoom", "GET /v1/x", r#"{"etag":""}"#, None);
    check(
        "UpdateRoom",
        "GET /v1/x - twin",
        r#"{"etag":"a","twin":{"etag":"b"}}"#,
        Some("b"),
    );
    check(
        "UpdateRoom",
        "GET /v1/x - beds",
        r#"{"etag":"a"}"#,
        Some("a"),
    );
    check(
        "DeleteRoom",
        "GET /v1/x",
        r#"{"room":{"etag":"a"},"others":[{"etag":"b"}]}"#,
        Some("a"),
    );
    check(
        "DeleteRoom",
        "GET /v1/x",
        r#"{"others":[{"etag":"b"}]}"#,
        None,
    );
    check("List", "GET /v1/x", r#"{"count":"1"}"#, None);
}
