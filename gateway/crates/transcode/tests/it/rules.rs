//! Annotations and rules against descriptors.

use banyan_transcode::{Options, Transcoder, rules_of};

use crate::support::{method, rule};

#[test]
fn annotations_are_read_with_additional_bindings() {
    #[track_caller]
    fn check(name: &str, want: &[&str]) {
        let rules = rules_of(&method(name)).unwrap();
        let shown: Vec<_> = rules
            .iter()
            .map(|rule| {
                let line = format!(
                    "{} {} {} {}",
                    rule.method.as_ref().map_or("*", |m| m.as_str()),
                    rule.template,
                    rule.body,
                    rule.response_body
                );
                line.trim_end().to_owned()
            })
            .collect();
        assert_eq!(shown, want);
    }
    check(
        "List",
        &["GET /v1/{name=desks/*}/bookings", "GET /v1/bookings"],
    );
    check("Create", &["POST /v1/bookings * booking"]);
    check("Update", &["PATCH /v1/{booking.name=bookings/*} booking"]);
    check("Tag", &["TAG /v1/{name}:tag tags bookings"]);
    check("FindRooms", &["* /v1/rooms:find"]);
    check("Plain", &[]);
}

#[test]
fn rules_that_do_not_fit_are_refused_at_load() {
    #[track_caller]
    fn check(name: &str, text: &str, want: &str) {
        let error = Transcoder::new(&method(name), &rule(text), &Options::default()).unwrap_err();
        assert_eq!(error.to_string(), want);
    }
    check(
        "List",
        "GET /v1/{nope}",
        "test.Desk.List: /v1/{nope} binds `nope`, which test.BookRequest does not have",
    );
    check(
        "List",
        "GET /v1/{by.nope}",
        "test.Desk.List: /v1/{by.nope} binds `by.nope`, which test.BookRequest does not have",
    );
    check(
        "List",
        "GET /v1/{tags}",
        "test.Desk.List: /v1/{tags} binds `tags`, which is repeated; a path can hold one scalar",
    );
    check(
        "List",
        "GET /v1/{labels}",
        "test.Desk.List: /v1/{labels} binds `labels`, which is a map; a path can hold one scalar",
    );
    check(
        "List",
        "GET /v1/{by}",
        "test.Desk.List: /v1/{by} binds `by`, which is a message; a path can hold one scalar",
    );
    check(
        "List",
        "POST /v1/x nope",
        "test.Desk.List: the body is `nope`, which test.BookRequest does not have",
    );
    check(
        "List",
        "GET /v1/x - nope",
        "test.Desk.List: the response body is `nope`, which test.BookReply does not have",
    );
    check(
        "List",
        "POST /v1/{name} name",
        "test.Desk.List: /v1/{name} binds `name`, which is the body too",
    );
}

#[test]
fn the_grpc_path_is_known() {
    let transcoder =
        Transcoder::new(&method("List"), &rule("GET /v1/x"), &Options::default()).unwrap();
    assert_eq!(transcoder.grpc_path(), "/test.Desk/List");
}
