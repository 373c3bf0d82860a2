//! Path, query and body into one message, and the answer out of one.

use banyan_transcode::{Int64Form, NameForm, Options, Transcoder, Unknown};

use crate::route::Route;
use crate::support::{method, rule, unhex};

fn lax() -> Options {
    Options::default()
}

#[test]
fn path_variables_fill_nested_fields() {
    Route::new(
        "List",
        "GET /v1/{name=desks/*}/{by.email}/{page_size}",
        &lax(),
    )
    .check(
        "/v1/desks/a%2Fb/x%40y/7",
        "",
        r#"{"name":"desks/a%2Fb","by":{"email":"x@y"},"page_size":7}"#,
    )
    .check(
        "/v1/desks/1/e/x",
        "",
        "pageSize: TYPE pageSize must be an integer",
    )
    .check(
        "/v1/desks/1/e/99999999999",
        "",
        "pageSize: RANGE pageSize is out of range",
    );
}

#[test]
fn queries_fill_what_the_path_does_not() {
    Route::new("List", "GET /v1/{name}", &lax())
        .check("/v1/a", "", r#"{"name":"a"}"#)
        .check(
            "/v1/a?pageSize=3&page_size=3",
            "",
            "pageSize: DUPLICATE pageSize is given twice",
        )
        .check("/v1/a?pageSize=3", "", r#"{"name":"a","page_size":3}"#)
        .check(
            "/v1/a?page_size=3&validate_only=true",
            "",
            r#"{"name":"a","validate_only":true,"page_size":3}"#,
        )
        .check(
            "/v1/a?tags=x&tags=y+z&tags=",
            "",
            r#"{"name":"a","tags":["x","y z",""]}"#,
        )
        .check(
            "/v1/a?colors=COLOR_RED&colors=-2",
            "",
            r#"{"name":"a","colors":["COLOR_RED","COLOR_BLUE"]}"#,
        )
        .check(
            "/v1/a?by.email=e&by.displayName=n",
            "",
            r#"{"name":"a","by":{"email":"e","display_name":"n"}}"#,
        )
        .check(
            "/v1/a?booking.guest.email=e",
            "",
            r#"{"name":"a","booking":{"guest":{"email":"e"}}}"#,
        )
        .check("/v1/a?limit=0", "", r#"{"name":"a","limit":0}"#)
        .check(
            "/v1/a?after=2020-01-18T00:00:00Z",
            "",
            r#"{"name":"a","after":"2020-01-18T00:00:00Z"}"#,
        )
        .check(
            "/v1/a?update_mask=display_name,by.email",
            "",
            r#"{"name":"a","update_mask":"displayName,by.email"}"#,
        )
        .check(
            "/v1/a?updateMask=displayName",
            "",
            r#"{"name":"a","update_mask":"displayName"}"#,
        )
        .check("/v1/a?page_token=", "", r#"{"name":"a","page_token":""}"#)
        .check("/v1/a?&&", "", r#"{"name":"a"}"#);
}

#[test]
fn queries_that_do_not_fit_are_refused_field_by_field() {
    Route::new("List", "GET /v1/{name}", &lax())
        .check(
            "/v1/a?nope=1",
            "",
            "nope: UNKNOWN nope is not a known query parameter",
        )
        .check(
            "/v1/a?name=b",
            "",
            "name: UNKNOWN name is not a known query parameter",
        )
        .check(
            "/v1/a?tags.x=b",
            "",
            "tags.x: UNKNOWN tags.x is not a known query parameter",
        )
        .check(
            "/v1/a?pageSize=x&validateOnly=1&after=now&colors=GREEN",
            "",
            "pageSize: TYPE pageSize must be an integer\n\
             validateOnly: TYPE validateOnly must be true or false\n\
             after: FORMAT after must be a time by RFC 3339\n\
             colors: UNKNOWN colors has no such enum value",
        )
        .check(
            "/v1/a?pageSize=1.0",
            "",
            "pageSize: TYPE pageSize must be an integer",
        )
        .check(
            "/v1/a?pageSize=",
            "",
            "pageSize: TYPE pageSize must be an integer",
        )
        .check(
            "/v1/a?labels=x",
            "",
            "labels: TYPE labels needs a key in brackets",
        )
        .check(
            "/v1/a?by=x",
            "",
            "by: TYPE by cannot be given as a query parameter",
        )
        .check(
            "/v1/a?tags=%zz",
            "",
            "tags: SYNTAX tags has an invalid percent escape",
        )
        .check("/v1/a?tags=%ff", "", "tags: SYNTAX tags is not UTF-8")
        .check(
            "/v1/a?pageNumber=1&pageToken=x",
            "",
            "pageToken: CONFLICT pageToken excludes another field that is set",
        );
    let ignoring = Options {
        unknown_query: Unknown::Ignore,
        ..lax()
    };
    Route::new("List", "GET /v1/{name}", &ignoring).check(
        "/v1/a?nope=1&name=b",
        "",
        r#"{"name":"a"}"#,
    );
}

#[test]
fn the_body_is_the_message_or_a_field_of_it() {
    Route::new("Create", "POST /v1/x *", &lax())
        .check("/v1/x", "", "{}")
        .check(
            "/v1/x",
            r#"{"name":"n","guest":{"email":"e"}}"#,
            r#"{"name":"n","guest":{"email":"e"}}"#,
        )
        .check(
            "/v1/x?name=n",
            "{}",
            "name: UNKNOWN name is not a known query parameter",
        )
        .check("/v1/x", "[]", ": TYPE the request body must be an object")
        .check(
            "/v1/x",
            r#"{"name":}"#,
            ": SYNTAX the request body is not valid JSON: expected a value at byte 8",
        );
    Route::new("Create", "POST /v1/{name} *", &lax()).check(
        "/v1/path",
        r#"{"name":"body","price":"1"}"#,
        r#"{"name":"path","price":"1"}"#,
    );
    Route::new(
        "Update",
        "PATCH /v1/{booking.name=bookings/*} booking",
        &lax(),
    )
    .check(
        "/v1/bookings/1?updateMask=color",
        r#"{"color":"COLOR_RED","price":"1"}"#,
        r#"{"booking":{"name":"bookings/1","color":"COLOR_RED","price":"1"},"update_mask":"color"}"#,
    )
    .check(
        "/v1/bookings/1?booking.price=1",
        "",
        "booking.price: UNKNOWN booking.price is not a known query parameter",
    )
    .check(
        "/v1/bookings/1",
        "null",
        r#"{"booking":{"name":"bookings/1"}}"#,
    )
    .check(
        "/v1/bookings/1",
        r#"{"seatsIds":[1,"x"]}"#,
        "seatsIds[1]: TYPE seatsIds[1] must be an integer",
    );
    Route::new("Tag", "TAG /v1/{name}:tag tags", &lax())
        .check(
            "/v1/a:tag",
            r#"["x","y"]"#,
            r#"{"name":"a","tags":["x","y"]}"#,
        )
        .check("/v1/a:tag", "", r#"{"name":"a"}"#);
    Route::new("Create", "POST /v1/x *", &lax()).check(
        "/v1/x",
        "{} x",
        ": SYNTAX the request body is not valid JSON: something follows the value at byte 3",
    );
}

#[test]
fn required_fields_come_from_anywhere() {
    let options = Options {
        required: true,
        ..lax()
    };
    Route::new("Create", "POST /v1/x *", &options)
        .check(
            "/v1/x",
            "",
            "name: MISSING name is required\nguest: MISSING guest is required",
        )
        .check(
            "/v1/x",
            r#"{"name":null,"guest":{}}"#,
            "guest.email: MISSING guest.email is required\nname: MISSING name is required",
        )
        .check(
            "/v1/x",
            r#"{"name":"","guest":{"email":""},"others":[{"email":"a"},{}]}"#,
            "others[1].email: MISSING others[1].email is required",
        );
    Route::new("Create", "POST /v1/{name} *", &options).check(
        "/v1/a",
        r#"{"guest":{"email":"e"}}"#,
        r#"{"name":"a","guest":{"email":"e"}}"#,
    );
    Route::new(
        "Update",
        "PATCH /v1/{booking.name=bookings/*} booking",
        &options,
    )
    .check(
        "/v1/bookings/1",
        r#"{"guest":{"email":"e"}}"#,
        r#"{"booking":{"name":"bookings/1","guest":{"email":"e"}},"update_mask":"guest.email"}"#,
    )
    .check("/v1/bookings/1", "", "guest: MISSING guest is required");
    Route::new("List", "GET /v1/{name}", &options)
        .check("/v1/a", "", "booking: MISSING booking is required")
        .check(
            "/v1/a?booking.guest.displayName=x",
            "",
            "booking.name: MISSING booking.name is required\n\
             booking.guest.email: MISSING booking.guest.email is required",
        );
}

#[test]
fn strict_bodies_do_not_repeat_the_path() {
    let options = Options {
        strict: true,
        ..lax()
    };
    Route::new("Create", "POST /v1/{name} *", &options).check(
        "/v1/a",
        r#"{"name":"a"}"#,
        "name: UNKNOWN name is not a known field",
    );
    let update = "PATCH /v1/{booking.name=bookings/*} booking";
    Route::new("Update", update, &options)
        .check(
            "/v1/bookings/1",
            r#"{"name":"bookings/1"}"#,
            "name: UNKNOWN name is not a known field",
        )
        .check(
            "/v1/bookings/1",
            r#"{"others":[{"email":"e"}]}"#,
            r#"{"booking":{"name":"bookings/1","others":[{"email":"e"}]},"update_mask":"others"}"#,
        );
}

#[test]
fn violations_speak_the_names_of_the_route() {
    let options = Options {
        names: NameForm::Proto,
        strict: true,
        ..lax()
    };
    Route::new("Create", "POST /v1/x *", &options).check(
        "/v1/x",
        r#"{"name":1,"seats_ids":["1",1.5,1.0],"guest":{"displayName":"x"},"color":1,"price":5,"others":null}"#,
        "name: TYPE name must be a string\n\
         seats_ids[0]: TYPE seats_ids[0] must be an integer\n\
         seats_ids[1]: TYPE seats_ids[1] must be an integer\n\
         guest.displayName: UNKNOWN guest.displayName is not a known field\n\
         color: TYPE color must be the name of an enum value\n\
         price: TYPE price must be an integer in quotes\n\
         others: TYPE others must not be null",
    );
    let options = Options {
        int64: Int64Form::Number,
        ..options
    };
    Route::new("Create", "POST /v1/x *", &options)
        .check("/v1/x", r#"{"price":5.0}"#, r#"{"price":"5"}"#)
        .check(
            "/v1/x",
            r#"{"price":"5"}"#,
            "price: TYPE price must be an integer",
        );
    Route::new("List", "GET /v1/{name}", &options).check(
        "/v1/a?pageSize=1",
        "",
        "pageSize: UNKNOWN pageSize is not a known query parameter",
    );
}

#[test]
fn an_answer_is_the_message_or_any_field_of_it() {
    let reply = r#"{"bookings":[{"name":"a","price":"5"}],"totals":{"x":"7"},"count":"3","booking":{"name":"b"}}"#;
    let list = |response: &str, options: &Options| {
        Route::new("List", &format!("GET /v1/x - {response}"), options)
    };
    list("-", &lax()).answer(reply, reply);
    list("bookings", &lax()).answer(reply, r#"[{"name":"a","price":"5"}]"#);
    list("totals", &lax()).answer(reply, r#"{"x":"7"}"#);
    list("count", &lax()).answer(reply, r#""3""#);
    list("booking", &lax()).answer(reply, r#"{"name":"b"}"#);
    for (field, want) in [
        ("bookings", "[]"),
        ("totals", "{}"),
        ("count", r#""0""#),
        ("booking", "null"),
        ("at", "null"),
    ] {
        list(field, &lax()).answer("{}", want);
    }
    let legacy = Options {
        int64: Int64Form::Number,
        names: NameForm::Proto,
        defaults: true,
        ..lax()
    };
    list("bookings", &legacy).answer(
        r#"{"bookings":[{"price":"5","guest":{"displayName":"n"}}]}"#,
        r#"[{"name":"","guest":{"email":"","display_name":"n"},"seats_ids":[],"color":"COLOR_UNSPECIFIED","price":5,"others":[]}]"#,
    );
    list("count", &legacy).answer("{}", "0");
    // Elements of `bookings` around another field.
    list("bookings", &lax()).answer_wire(
        &unhex("0a030a0161 1803 0a030a0162"),
        r#"[{"name":"a"},{"name":"b"}]"#,
    );
}

#[test]
fn the_id_of_a_request_fills_its_field() {
    #[track_caller]
    fn check(route: &Route, target: &str, body: &str, want: &str) {
        assert_eq!(
            route.send_with_id(target, body, Some("a-1")),
            want,
            "{target} {body}"
        );
    }
    let strict = Options {
        required: true,
        strict: true,
        ..lax()
    };
    let whole = Route::new("Claim", "POST /v1/claims *", &strict);
    let both = r#"{"name":"n","request_id":"a-1"}"#;
    check(&whole, "/v1/claims", r#"{"name":"n"}"#, both);
    check(
        &whole,
        "/v1/claims",
        r#"{"name":"n","requestId":"a-1"}"#,
        both,
    );
    check(&whole, "/v1/claims", r#"{"name":"n","requestId":""}"#, both);
    check(
        &whole,
        "/v1/claims",
        r#"{"name":"n","requestId":"b-2"}"#,
        "requestId: CONFLICT requestId differs from the id in the header Idempotency-Key",
    );
    check(&whole, "/v1/claims", "{}", "name: MISSING name is required");
    whole.check(
        "/v1/claims",
        r#"{"name":"n"}"#,
        "requestId: MISSING requestId is required",
    );

    let parameters = Route::new("Claim", "POST /v1/{name}", &lax());
    check(&parameters, "/v1/n", "", both);
    check(&parameters, "/v1/n?request_id=a-1", "", both);
    check(
        &parameters,
        "/v1/n?requestId=b-2",
        "",
        "requestId: CONFLICT requestId differs from the id in the header Idempotency-Key",
    );
}

#[test]
fn only_a_single_string_of_its_own_takes_the_id_of_a_request() {
    for (name, takes) in [("Claim", true), ("List", false), ("Recall", false)] {
        let transcoder = Transcoder::new(&method(name), &rule("POST /v1/x *"), &lax()).unwrap();
        assert_eq!(transcoder.takes_request_id(), takes, "{name}");
    }
    Route::new("List", "POST /v1/x *", &lax()).check("/v1/x", r#"{"name":"n"}"#, r#"{"name":"n"}"#);
    let other = Route::new("List", "POST /v1/x *", &lax());
    assert_eq!(
        other.send_with_id("/v1/x", r#"{"name":"n"}"#, Some("a-1")),
        r#"{"name":"n"}"#
    );
}
