//! The items of a stream.

use banyan_transcode::{Incoming, Lookup, Options, Pieces, Violations};

use crate::route::Route;

#[test]
fn the_first_item_has_what_is_not_in_the_body() {
    let required = Options {
        required: true,
        ..Options::default()
    };
    let route = Route::new("Chat", "POST /v1/{name}/{booking.name} booking", &required);
    assert!(route.transcoder.is_client_streaming() && route.transcoder.is_server_streaming());
    let Lookup::Found { captures, .. } = route.find("/v1/a/b") else {
        panic!("no route");
    };
    let first = Incoming {
        query: Some("tags=x"),
        body: br#"{"guest":{"email":"e"}}"#,
        ..Incoming::new(&captures)
    };
    assert_eq!(
        route.show(route.transcoder.first(&first)),
        r#"{"name":"a","booking":{"name":"b","guest":{"email":"e"}},"tags":["x"]}"#
    );
    // The path was in the first one.
    assert_eq!(
        route.show(
            route
                .transcoder
                .item(br#"{"guest":{"email":"f"},"price":"2"}"#)
        ),
        r#"{"booking":{"guest":{"email":"f"},"price":"2"}}"#
    );
    assert_eq!(
        route.show(route.transcoder.item(br#"{"price":"x"}"#)),
        "price: TYPE price must be an integer\nguest: MISSING guest is required"
    );
}

#[test]
fn both_ends_say_whether_they_stream() {
    for (name, client, server) in [
        ("List", false, false),
        ("Watch", false, true),
        ("Fill", true, false),
        ("Chat", true, true),
    ] {
        let route = Route::new(name, "POST /v1/x", &Options::default());
        let streams = (
            route.transcoder.is_client_streaming(),
            route.transcoder.is_server_streaming(),
        );
        assert_eq!(streams, (client, server), "{name}");
    }
}

#[test]
fn a_stream_that_is_none_is_told_like_a_wrong_body() {
    let mut pieces = Pieces::new(4);
    pieces.push(b"1 :");
    let told: Vec<_> = pieces
        .by_ref()
        .map(|piece| piece.map_err(|error| Violations::from(error).to_string()))
        .collect();
    assert_eq!(
        told[1].as_ref().unwrap_err(),
        "the request body is not a stream of JSON values: expected a value at byte 2"
    );
    pieces.push(b"2");
    assert!(pieces.next().is_none() && pieces.finish().is_err());
}
