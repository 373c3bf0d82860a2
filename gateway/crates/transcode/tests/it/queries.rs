//! Every kind of field as a query parameter.

use banyan_transcode::{NameForm, Options};

use crate::route::Route;

fn find(options: &Options) -> Route {
    Route::new("FindRooms", "GET /v1/rooms:find", options)
}

#[test]
fn maps_take_their_keys_in_brackets_or_behind_a_dot() {
    find(&Options::default())
        .check(
            "/v1/rooms:find?labels[a]=x&labels%5Bb.c%5D=y+z&labels.d.e=1&labels[]=",
            "",
            r#"{"labels":{"a":"x","b.c":"y z","d.e":"1","":""}}"#,
        )
        .check(
            "/v1/rooms:find?sizes[-7]=3&sizes.8=0&times[true]=2020-01-18T00:00:00Z",
            "",
            r#"{"sizes":{"-7":3,"8":0},"times":{"true":"2020-01-18T00:00:00Z"}}"#,
        )
        .check(
            "/v1/rooms:find?next.labels[a]=x&next.next.labels.b=y",
            "",
            r#"{"next":{"labels":{"a":"x"},"next":{"labels":{"b":"y"}}}}"#,
        )
        .check(
            "/v1/rooms:find?labels[a]=x&labels.a=y&sizes[1]=1&sizes[1.0]=2",
            "",
            "labels[\"a\"]: DUPLICATE labels[\"a\"] is given twice\n\
             sizes[\"1.0\"]: DUPLICATE sizes[\"1.0\"] is given twice",
        )
        .check(
            "/v1/rooms:find?labels=x&sizes[a]=1&sizes[2]=b&guests[a]=x&times[1]=x",
            "",
            "labels: TYPE labels needs a key in brackets\n\
             sizes[\"a\"]: TYPE sizes[\"a\"] must have an integer for a key\n\
             sizes[\"2\"]: TYPE sizes[\"2\"] must be an integer\n\
             guests[\"a\"]: TYPE guests[\"a\"] cannot be given as a query parameter\n\
             times[\"1\"]: TYPE times[\"1\"] must be true or false",
        )
        .check(
            "/v1/rooms:find?labels[a=x&days[0]=2020-01-18T00:00:00Z&guests[a].email=x",
            "",
            "labels[a: UNKNOWN labels[a is not a known query parameter\n\
             days[0]: UNKNOWN days[0] is not a known query parameter\n\
             guests[a].email: UNKNOWN guests[a].email is not a known query parameter",
        );
}

#[test]
fn well_known_types_come_as_their_text() {
    find(&Options::default())
        .check(
            "/v1/rooms:find?days=2020-01-18T00:00:00Z&days=2020-01-19T00:00:00%2B03:00&limits=0&limits=7",
            "",
            r#"{"days":["2020-01-18T00:00:00Z","2020-01-18T21:00:00Z"],"limits":[0,7]}"#,
        )
        .check(
            "/v1/rooms:find?open=false&within=1.5s&price=1e3&token=_-8",
            "",
            r#"{"open":false,"within":"1.500s","price":1000,"token":"/+8="}"#,
        )
        .check(
            "/v1/rooms:find?extras={%22a%22:[1]}&value=null&list=[1,%22x%22]",
            "",
            r#"{"extras":{"a":[1]},"value":null,"list":[1,"x"]}"#,
        )
        .check(
            "/v1/rooms:find?extras=[]&value=x&open=1&within=1&token=*&any={}&limits=x",
            "",
            "extras: FORMAT extras must be JSON of its type\n\
             value: FORMAT value must be JSON of its type\n\
             open: TYPE open must be true or false\n\
             within: FORMAT within must be a duration like 1.5s\n\
             token: FORMAT token must be base64\n\
             any: TYPE any cannot be given as a query parameter\n\
             limits: TYPE limits must be an integer",
        );
}

#[test]
fn a_name_may_look_like_a_key() {
    let proto = Options {
        names: NameForm::Proto,
        strict: true,
        ..Options::default()
    };
    find(&Options::default())
        .check("/v1/rooms:find?odd[name]=x", "", r#"{"odd":"x"}"#)
        .check("/v1/rooms:find?odd=x", "", r#"{"odd":"x"}"#);
    find(&proto).check(
        "/v1/rooms:find?odd[name]=x",
        "",
        "odd[name]: UNKNOWN odd[name] is not a known query parameter",
    );
}
