//! The update mask of a PATCH.

use banyan_transcode::Options;

use crate::route::Route;

fn update(options: &Options) -> Route {
    Route::new("UpdateRoom", "PATCH /v1/{room.name=rooms/*} room", options)
}

#[test]
fn a_patch_says_what_it_changes() {
    #[track_caller]
    fn check(body: &str, want: &str) {
        let sent = update(&Options::default()).send("/v1/rooms/1", body);
        let mask = sent.split_once(r#""update_mask":"#).map(|(_, mask)| mask);
        let want = (!want.is_empty()).then(|| format!("\"{want}\"}}"));
        assert_eq!(mask.map(str::to_owned), want, "{body} -> {sent}");
    }
    check(r#"{"displayName":"x"}"#, "displayName");
    check(r#"{"display_name":"x","beds":[1]}"#, "displayName,beds");
    check(
        r#"{"guest":{"email":"e","displayName":"n"}}"#,
        "guest.email,guest.displayName",
    );
    check(
        r#"{"twin":{"twin":{"guest":{"email":"e"}},"beds":[]}}"#,
        "twin.twin.guest.email,twin.beds",
    );
    // What is set back to nothing is named too.
    check(
        r#"{"displayName":"","beds":[],"guest":null}"#,
        "displayName,beds,guest",
    );
    // Whole values: an empty object, a map, a list, a message that is no object of fields.
    check(r#"{"guest":{}}"#, "guest");
    check(
        r#"{"labels":{"a":"b"},"beds":[1,2],"cleaned":"2020-01-18T00:00:00Z","extras":{"a":{"b":1}}}"#,
        "labels,beds,cleaned,extras",
    );
    // Neither is a change: which room, and which version of it.
    check(r#"{"name":"rooms/1","etag":"a"}"#, "");
    check(
        r#"{"twin":{"name":"rooms/2","etag":"a"}}"#,
        "twin.name,twin.etag",
    );
    check("{}", "");
    check("", "");
    check("null", "");
}

#[test]
fn a_mask_that_is_given_stands() {
    update(&Options::default())
        .check(
            "/v1/rooms/1?updateMask=beds,guest.email",
            r#"{"displayName":"x"}"#,
            r#"{"room":{"name":"rooms/1","display_name":"x"},"update_mask":"beds,guest.email"}"#,
        )
        .check(
            "/v1/rooms/1?updateMask=*",
            r#"{"displayName":"x"}"#,
            r#"{"room":{"name":"rooms/1","display_name":"x"},"update_mask":"*"}"#,
        )
        .check(
            "/v1/rooms/1?updateMask=",
            r#"{"displayName":"x"}"#,
            r#"{"room":{"name":"rooms/1","display_name":"x"},"update_mask":"displayName"}"#,
        );
}

#[test]
fn a_mask_that_is_required_is_not_missed_where_it_is_made() {
    let required = Options {
        required: true,
        ..Options::default()
    };
    update(&required)
        .check(
            "/v1/rooms/1",
            r#"{"beds":[1]}"#,
            r#"{"room":{"name":"rooms/1","beds":[1]},"update_mask":"beds"}"#,
        )
        .check(
            "/v1/rooms/1",
            "{}",
            "updateMask: MISSING updateMask is required",
        );
}

#[test]
fn the_resource_of_a_whole_body_is_its_only_message() {
    let whole = Route::new("UpdateRoom", "PATCH /v1/rooms *", &Options::default());
    whole
        .check(
            "/v1/rooms",
            r#"{"room":{"name":"rooms/1","guest":{"email":"e"},"etag":"a"},"requestId":"r","validateOnly":true}"#,
            r#"{"room":{"name":"rooms/1","etag":"a","guest":{"email":"e"}},"update_mask":"name,guest.email","request_id":"r","validate_only":true}"#,
        )
        .check(
            "/v1/rooms",
            r#"{"room":{"beds":[1]},"updateMask":"guest"}"#,
            r#"{"room":{"beds":[1]},"update_mask":"guest"}"#,
        )
        .check("/v1/rooms", r#"{"room":{}}"#, r#"{"room":{}}"#);
    let flat = Route::new("Tune", "PATCH /v1/{name} *", &Options::default());
    flat.check(
        "/v1/a",
        r#"{"volume":0,"guest":{"email":"e"},"etag":"t","validateOnly":true}"#,
        r#"{"name":"a","guest":{"email":"e"},"etag":"t","validate_only":true,"update_mask":"volume,guest.email"}"#,
    );
}

#[test]
fn only_a_patch_is_masked() {
    for rule in [
        "PUT /v1/{room.name=rooms/*} room",
        "POST /v1/{room.name=rooms/*} room",
        "PATCH /v1/{room.name=rooms/*}",
    ] {
        let sent = Route::new("UpdateRoom", rule, &Options::default());
        let sent = sent.send("/v1/rooms/1", r#"{"beds":[1]}"#);
        assert!(!sent.contains("update_mask"), "{rule}: {sent}");
    }
}
