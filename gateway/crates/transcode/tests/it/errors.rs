//! Statuses as HTTP errors, whoever made them.

use banyan_transcode::{Code, ErrorOptions, Incoming, Options, Renderer, StatusParts, Transcoder};
use http::StatusCode;
use serde_json::json;

use crate::support::{method, plans, pool, rule};

fn options(json: serde_json::Value) -> ErrorOptions {
    serde_json::from_value(json).unwrap()
}

/// A `google.rpc.Status` with these details.
fn status(details: serde_json::Value) -> Vec<u8> {
    let json = json!({ "code": 9, "message": "m", "details": details }).to_string();
    let wire = plans()
        .encode("google.rpc.Status", json.as_bytes(), &Options::default())
        .unwrap();
    wire.unwrap().to_vec()
}

#[track_caller]
fn check(
    options: &ErrorOptions,
    code: Code,
    details: &[u8],
    want_http: u16,
    want: serde_json::Value,
) {
    let rendered = Renderer::new(pool()).render(options, code, "it failed", details);
    let body: serde_json::Value = serde_json::from_slice(&rendered.body).unwrap();
    assert_eq!((rendered.http.as_u16(), body), (want_http, want));
}

#[test]
fn codes_map_to_http() {
    let want = [
        (0, 500),
        (1, 499),
        (2, 500),
        (3, 400),
        (4, 504),
        (5, 404),
        (6, 409),
        (7, 403),
        (8, 429),
        (9, 400),
        (10, 409),
        (11, 400),
        (12, 501),
        (13, 500),
        (14, 503),
        (15, 500),
        (16, 401),
        (17, 500),
        (-1, 500),
    ];
    for (number, http) in want {
        let simple = options(json!({ "shape": "simple" }));
        check(
            &simple,
            Code::from_number(number),
            &[],
            http,
            json!({ "error": "it failed" }),
        );
    }
    assert_eq!(Code::from_number(99), Code::Unknown);
    assert!((0..17).all(|number| i32::from(Code::from_number(number).number()) == number));
}

#[test]
fn the_status_of_a_code_may_be_overridden() {
    let simple = options(json!({ "shape": "simple", "status": { "FAILED_PRECONDITION": 409 } }));
    check(
        &simple,
        Code::FailedPrecondition,
        &[],
        409,
        json!({ "error": "it failed" }),
    );
    for bad in [
        json!({ "status": { "NOPE": 409 } }),
        json!({ "missing_status": 200 }),
        json!({ "shap": "simple" }),
    ] {
        assert!(serde_json::from_value::<ErrorOptions>(bad).is_err());
    }
}

#[test]
fn google_shows_the_details_it_knows() {
    let details = status(json!([
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SOLD_OUT", "domain": "d", "metadata": { "cell": "7" } },
        { "@type": "type.googleapis.com/google.rpc.DebugInfo", "detail": "secret" },
        { "@type": "x/google.rpc.Status", "details": [
            { "@type": "type.googleapis.com/google.rpc.DebugInfo", "detail": "secret" },
        ] },
        { "@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s" },
    ]));
    // One more detail, of a type that no pool knows.
    let mut wire = details.clone();
    wire.extend([0x1a, 5, 0x0a, 3, b'x', b'/', b'y']);
    for details in [details, wire] {
        check(
            &options(json!({})),
            Code::FailedPrecondition,
            &details,
            400,
            json!({ "error": {
            "code": 400,
            "status": "FAILED_PRECONDITION",
            "message": "it failed",
            "details": [
                { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SOLD_OUT", "domain": "d", "metadata": { "cell": "7" } },
                { "@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s" },
            ],
        } }),
        );
    }
    check(
        &options(json!({})),
        Code::NotFound,
        b"\xff\xff",
        404,
        json!({ "error": {
        "code": 404, "status": "NOT_FOUND", "message": "it failed",
    } }),
    );
}

#[test]
fn a_problem_has_the_members_of_its_rfc() {
    let problem = options(json!({ "shape": "problem" }));
    check(
        &problem,
        Code::Cancelled,
        b"\xff",
        499,
        json!({
            "type": "about:blank",
            "title": "Client Closed Request",
            "status": 499,
            "detail": "it failed",
            "code": "CANCELLED",
        }),
    );
    let details = status(json!([
        { "@type": "x/google.rpc.ErrorInfo", "reason": "SOLD_OUT", "domain": "d", "metadata": { "cell": "7" } },
        { "@type": "x/google.rpc.ErrorInfo", "reason": "SECOND" },
        { "@type": "x/google.rpc.DebugInfo", "detail": "secret" },
        { "@type": "x/google.rpc.BadRequest", "fieldViolations": [
            { "field": "stay.check_in_date", "description": "is past", "reason": "PAST" },
            { "field": "rooms", "description": "are too many" },
        ] },
    ]));
    check(
        &problem,
        Code::InvalidArgument,
        &details,
        400,
        json!({
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": "it failed",
            "code": "INVALID_ARGUMENT",
            "reason": "SOLD_OUT",
            "domain": "d",
            "metadata": { "cell": "7" },
            "violations": [
                { "field": "stay.checkInDate", "detail": "is past", "reason": "PAST" },
                { "field": "rooms", "detail": "are too many" },
            ],
        }),
    );
    let rendered = Renderer::new(pool()).render(&problem, Code::NotFound, "", &[]);
    assert_eq!(rendered.content_type, "application/problem+json");
    let google = Renderer::new(pool()).render(&options(json!({})), Code::NotFound, "", &[]);
    assert_eq!(google.content_type, "application/json");
}

#[test]
fn what_is_for_developers_leaves_in_no_shape() {
    let details = status(json!([
        { "@type": "x/google.rpc.DebugInfo", "detail": "secret", "stackEntries": ["secret"] },
        { "@type": "x/google.rpc.Status", "details": [
            { "@type": "//x/google.rpc.DebugInfo", "detail": "secret" },
        ] },
    ]));
    for shape in ["google", "simple", "provider", "problem"] {
        let options = options(json!({ "shape": shape }));
        let rendered = Renderer::new(pool()).render(&options, Code::Internal, "m", &details);
        let body = String::from_utf8_lossy(&rendered.body).into_owned();
        assert!(!body.contains("secret"), "{shape}: {body}");
    }
}

#[test]
fn a_decided_status_is_the_one_that_is_shown() {
    let status = StatusParts {
        code: Code::Unimplemented,
        message: "no".to_owned(),
        details: bytes::Bytes::new(),
    };
    for (shape, want) in [("problem", "\"status\":405"), ("google", "\"code\":405")] {
        let options = options(json!({ "shape": shape }));
        let http = StatusCode::METHOD_NOT_ALLOWED;
        let rendered = Renderer::new(pool()).render_as(&options, http, &status);
        let body = String::from_utf8_lossy(&rendered.body).into_owned();
        assert!(rendered.http == http && body.contains(want), "{body}");
    }
}

#[test]
fn the_provider_shape_takes_title_and_detail_from_the_metadata() {
    let provider =
        options(json!({ "shape": "provider", "status": { "FAILED_PRECONDITION": 409 } }));
    let info =
        |metadata| status(json!([{ "@type": "x/google.rpc.ErrorInfo", "metadata": metadata }]));
    let error =
        |title: &str, detail: &str| json!({ "errors": [{ "title": title, "detail": detail }] });
    check(
        &provider,
        Code::FailedPrecondition,
        &info(json!({ "title": "Seat already taken", "detail": "Taken seats: 1" })),
        409,
        error("Seat already taken", "Taken seats: 1"),
    );
    check(
        &provider,
        Code::NotFound,
        &info(json!({ "title": "Not found" })),
        404,
        error("Not found", "it failed"),
    );
    check(
        &provider,
        Code::NotFound,
        &[],
        404,
        error("Not Found", "it failed"),
    );
}

#[test]
fn violations_of_the_gateway_and_of_a_service_look_the_same() {
    let required = Options {
        required: true,
        strict: true,
        ..Options::default()
    };
    let transcoder =
        Transcoder::new(&method("Create"), &rule("POST /v1/{name} *"), &required).unwrap();
    let mut table = banyan_transcode::RouteTable::new();
    let template = rule("POST /v1/{name} *").template;
    table
        .insert(http::Method::POST, template, vec![], Default::default(), ())
        .unwrap();
    let banyan_transcode::Lookup::Found { captures, .. } =
        table.find(&http::Method::POST, "/v1/a", None)
    else {
        panic!("no route");
    };
    let made = |body: &str| {
        let incoming = Incoming {
            body: body.as_bytes(),
            ..Incoming::new(&captures)
        };
        transcoder.request(&incoming).unwrap_err().to_status()
    };

    let provider = options(json!({ "shape": "provider" }));
    let entry = |detail: &str| json!({ "title": "Validation failed", "detail": detail });
    let both = made(r#"{"price":1}"#);
    assert_eq!(
        (both.code, both.message.as_str()),
        (
            Code::InvalidArgument,
            "price must be an integer in quotes; guest is required"
        )
    );
    check(
        &provider,
        both.code,
        &both.details,
        400,
        json!({ "errors": [
        entry("price must be an integer in quotes"),
        entry("guest is required"),
    ] }),
    );
    let wrong = made(r#"{"price":1,"guest":{"email":""}}"#);
    check(
        &provider,
        wrong.code,
        &wrong.details,
        422,
        json!({ "errors": [entry("price must be an integer in quotes")] }),
    );
    let broken = made("{");
    check(
        &provider,
        broken.code,
        &broken.details,
        400,
        json!({ "errors": [
        entry("the request body is not valid JSON: the text ends too early at byte 1"),
    ] }),
    );
    check(
        &options(json!({ "shape": "simple", "missing_status": 418 })),
        wrong.code,
        &wrong.details,
        400,
        json!({ "error": "it failed" }),
    );
    check(
        &options(json!({ "shape": "simple", "missing_status": 418 })),
        both.code,
        &both.details,
        418,
        json!({ "error": "it failed" }),
    );

    let by_service = status(
        json!([{ "@type": "x/google.rpc.BadRequest", "fieldViolations": [
        { "field": "price", "description": "price is too high", "reason": "RANGE" },
    ] }]),
    );
    check(
        &provider,
        Code::InvalidArgument,
        &by_service,
        422,
        json!({ "errors": [entry("price is too high")] }),
    );
    check(
        &options(json!({})),
        Code::InvalidArgument,
        &wrong.details,
        400,
        json!({ "error": {
        "code": 400, "status": "INVALID_ARGUMENT", "message": "it failed",
        "details": [
            { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "INVALID_REQUEST", "domain": "gateway.banyan" },
            { "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [
                { "field": "price", "description": "price must be an integer in quotes", "reason": "TYPE" },
            ] },
        ],
    } }),
    );

    // Services name fields as their contracts do, callers as JSON does.
    let by_contract = status(
        json!([{ "@type": "x/google.rpc.BadRequest", "fieldViolations": [
        { "field": "stay.check_in_date", "description": "is past", "reason": "PAST" },
    ] }]),
    );
    check(
        &options(json!({})),
        Code::InvalidArgument,
        &by_contract,
        400,
        json!({ "error": {
        "code": 400, "status": "INVALID_ARGUMENT", "message": "it failed",
        "details": [{ "@type": "x/google.rpc.BadRequest", "fieldViolations": [
            { "field": "stay.checkInDate", "description": "is past", "reason": "PAST" },
        ] }],
    } }),
    );
}

#[test]
fn retry_info_is_rounded_up_to_seconds() {
    #[track_caller]
    fn check(delay: &str, want: Option<u64>) {
        let details = status(json!([{ "@type": "x/google.rpc.RetryInfo", "retryDelay": delay }]));
        let rendered =
            Renderer::new(pool()).render(&ErrorOptions::default(), Code::Unavailable, "", &details);
        assert_eq!(
            rendered.retry_after.map(|after| after.as_secs()),
            want,
            "{delay}"
        );
    }
    check("1s", Some(1));
    check("1.2s", Some(2));
    check("0s", Some(0));
    check("-1s", None);
}

#[test]
fn errors_without_a_status_have_the_same_shapes() {
    let rendered = Renderer::new(pool()).render_http(
        &options(json!({})),
        StatusCode::METHOD_NOT_ALLOWED,
        "no",
    );
    assert_eq!(rendered.http, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        rendered.body,
        r#"{"error":{"code":405,"status":"UNIMPLEMENTED","message":"no"}}"#
    );
}
