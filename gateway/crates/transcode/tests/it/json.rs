//! Canonical ProtoJSON, both ways.

use banyan_transcode::{EnumForm, Int64Form, NameForm, Options, Unknown};

use crate::support::{hex, plans, unhex};

fn encode(message: &str, json: &str, options: &Options) -> Result<Vec<u8>, String> {
    let message = format!("test.{message}");
    let result = plans().encode(&message, json.as_bytes(), options).unwrap();
    result
        .map(|wire| wire.to_vec())
        .map_err(|violations| violations.to_string())
}

fn decode(message: &str, wire: &[u8], options: &Options) -> Result<String, String> {
    let result = plans()
        .decode(&format!("test.{message}"), wire, options)
        .unwrap();
    result
        .map(|json| String::from_utf8(json.to_vec()).unwrap())
        .map_err(|error| error.to_string())
}

/// What comes back of a JSON text that went to the wire.
#[track_caller]
fn check(message: &str, json: &str, want: &str) {
    let wire = encode(message, json, &Options::default()).unwrap();
    assert_eq!(
        decode(message, &wire, &Options::default()).as_deref(),
        Ok(want),
        "{json}"
    );
}

#[track_caller]
fn refused(message: &str, json: &str, want: &str) {
    let got = encode(message, json, &Options::default()).map(|wire| hex(&wire));
    assert_eq!(got, Err(want.to_owned()), "{json}");
}

#[test]
fn scalars_read_in_every_accepted_form() {
    check(
        "Scalars",
        r#"{"aDouble":1.5,"aFloat":"2.5","anInt32":1e2,"anInt64":"-9223372036854775808","aUint32":"4294967295",
            "aUint64":18446744073709551615,"aSint32":-1,"aSint64":"-2","aFixed32":3.0,"aFixed64":"4",
            "aSfixed32":-5,"aSfixed64":-6,"aBool":true,"aString":"\u00e9\ud83d\ude00","aBytes":"_-8","aColor":-2}"#,
        "{\"aDouble\":1.5,\"aFloat\":2.5,\"anInt32\":100,\"anInt64\":\"-9223372036854775808\",\
         \"aUint32\":4294967295,\"aUint64\":\"18446744073709551615\",\"aSint32\":-1,\"aSint64\":\"-2\",\
         \"aFixed32\":3,\"aFixed64\":\"4\",\"aSfixed32\":-5,\"aSfixed64\":\"-6\",\"aBool\":true,\
         \"aString\":\"é😀\",\"aBytes\":\"/+8=\",\"aColor\":\"COLOR_BLUE\"}",
    );
    check(
        "Scalars",
        r#"{"an_int32":1,"a_color":"COLOR_RED"}"#,
        r#"{"anInt32":1,"aColor":"COLOR_RED"}"#,
    );
    check("Scalars", r#"{"aColor":77}"#, r#"{"aColor":77}"#);
    check(
        "Scalars",
        r#"{"aDouble":"NaN","aFloat":"-Infinity"}"#,
        r#"{"aDouble":"NaN","aFloat":"-Infinity"}"#,
    );
    check("Scalars", r#"{"aDouble":-0.0}"#, r#"{"aDouble":-0}"#);
    check(
        "Scalars",
        r#"{"anInt32":0,"aString":"","aBool":false,"maybe":0}"#,
        r#"{"maybe":0}"#,
    );
    check("Scalars", r#"{"anInt32":null,"maybe":null}"#, "{}");
    check(
        "Scalars",
        r#"{"aBytes":"AQ","aFloat":3.4028235e38}"#,
        r#"{"aFloat":3.4028235e38,"aBytes":"AQ=="}"#,
    );
}

#[test]
fn values_that_do_not_fit_are_refused() {
    refused(
        "Scalars",
        r#"{"anInt32":2147483648}"#,
        "anInt32 is out of range",
    );
    refused(
        "Scalars",
        r#"{"anInt32":1.5}"#,
        "anInt32 must be an integer",
    );
    refused(
        "Scalars",
        r#"{"anInt32":" 1"}"#,
        "anInt32 must be an integer",
    );
    refused("Scalars", r#"{"anInt32":""}"#, "anInt32 must be an integer");
    refused("Scalars", r#"{"aUint32":-1}"#, "aUint32 is out of range");
    refused(
        "Scalars",
        r#"{"aUint64":18446744073709551616}"#,
        "aUint64 is out of range",
    );
    refused("Scalars", r#"{"aFloat":3.5e38}"#, "aFloat is out of range");
    refused("Scalars", r#"{"aDouble":1e309}"#, "aDouble is out of range");
    refused(
        "Scalars",
        r#"{"aDouble":"0x1"}"#,
        "aDouble must be a number",
    );
    refused(
        "Scalars",
        r#"{"aBool":"true"}"#,
        "aBool must be true or false",
    );
    refused("Scalars", r#"{"aString":1}"#, "aString must be a string");
    refused("Scalars", r#"{"aBytes":"*"}"#, "aBytes must be base64");
    refused(
        "Scalars",
        r#"{"aColor":"GREEN"}"#,
        "aColor has no such enum value",
    );
    refused("Scalars", r#"{"aColor":1.5}"#, "aColor must be an integer");
    refused("Scalars", r#"{"nope":1}"#, "nope is not a known field");
    refused(
        "Scalars",
        r#"{"anInt32":1,"an_int32":2}"#,
        "anInt32 is given twice",
    );
    refused(
        "Scalars",
        r#"{"anInt32":null,"anInt32":2}"#,
        "anInt32 is given twice",
    );
    refused(
        "Scalars",
        r#"{"anInt32":{"x":[1]},"aString":[],"aBool":1}"#,
        "anInt32 must be an integer; aString must be a string; aBool must be true or false",
    );
    refused(
        "Scalars",
        "{\"aString\":\"\\ud800\"}",
        "the request body is not valid JSON: half of a surrogate pair in a string at byte 12",
    );
    let invalid = plans()
        .encode(
            "test.Scalars",
            b"{\"aString\":\"\xff\"}",
            &Options::default(),
        )
        .unwrap();
    let want = "the request body is not valid JSON: the text is not UTF-8 at byte 12";
    assert_eq!(invalid.map_err(|v| v.to_string()), Err(want.to_owned()));
}

#[test]
fn lists_maps_and_oneofs() {
    let all = "{\"scalars\":{},\"numbers\":[0,-1,300],\"names\":[\"\",\"x\"],\"items\":[{},{\"maybe\":1}],\
         \"colors\":[\"COLOR_UNSPECIFIED\",\"COLOR_RED\",9],\"loose\":[\"1\",\"2\"],\"counts\":{\"a\":0,\"\":2},\
         \"byId\":{\"-1\":{},\"2\":{\"aBool\":true}},\"byFlag\":{\"true\":\"\",\"false\":\"f\"},\
         \"palette\":{\"x\":\"COLOR_RED\"},\"nested\":{\"number\":0},\"otherName\":\"r\"}";
    check("Everything", all, all);
    check(
        "Everything",
        r#"{"numbers":[],"counts":{},"names":null}"#,
        "{}",
    );
    check("Everything", r#"{"nothing":null}"#, r#"{"nothing":null}"#);
    check(
        "Everything",
        r#"{"text":null,"number":0}"#,
        r#"{"number":0}"#,
    );
    check("Everything", r#"{"renamed":"a"}"#, r#"{"otherName":"a"}"#);
    refused(
        "Everything",
        r#"{"text":"a","number":1}"#,
        "number excludes another field that is set",
    );
    refused(
        "Everything",
        r#"{"numbers":[null]}"#,
        "numbers[0] must be an integer",
    );
    refused("Everything", r#"{"numbers":1}"#, "numbers must be an array");
    refused(
        "Everything",
        r#"{"items":[null]}"#,
        "items[0] must be an object",
    );
    refused(
        "Everything",
        r#"{"counts":{"a":null}}"#,
        r#"counts["a"] must be an integer"#,
    );
    refused(
        "Everything",
        r#"{"counts":{"a":1,"a":2}}"#,
        r#"counts["a"] is given twice"#,
    );
    refused(
        "Everything",
        r#"{"byId":{"x":{}}}"#,
        r#"byId["x"] must have an integer for a key"#,
    );
    refused(
        "Everything",
        r#"{"byId":{"1":{"maybe":"?"}}}"#,
        r#"byId["1"].maybe must be an integer"#,
    );
    refused(
        "Everything",
        r#"{"byFlag":{"1":""}}"#,
        r#"byFlag["1"] must be true or false"#,
    );
    refused(
        "Everything",
        r#"{"items":[{},{"maybe":true}]}"#,
        "items[1].maybe must be an integer",
    );
}

#[test]
fn well_known_types_have_their_own_forms() {
    let all = "{\"time\":\"2020-01-18T00:00:00.500Z\",\"duration\":\"-1.500s\",\"mask\":\"a.fooBar,c\",\
         \"object\":{\"a\":[1,\"x\",null,true,{\"b\":{}}]},\"value\":null,\"list\":[[],{},-0.5],\
         \"any\":{\"@type\":\"type.googleapis.com/test.Guest\",\"email\":\"e\"},\"wide\":\"0\",\"word\":\"\",\
         \"flag\":false,\"blob\":\"AQ==\",\"real\":0.25,\"empty\":{},\"values\":[null,1],\
         \"times\":[\"1970-01-01T00:00:00Z\"]}";
    check("WellKnown", all, all);
    check(
        "WellKnown",
        r#"{"mask":"","object":{},"list":[]}"#,
        r#"{"mask":"","object":{},"list":[]}"#,
    );
    check(
        "WellKnown",
        r#"{"time":null,"wide":null,"object":null,"nullValue":null}"#,
        "{}",
    );
    let any = |json: &str| format!("{{\"any\":{json}}}");
    let wkt = any(r#"{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}"#);
    check("WellKnown", &wkt, &wkt);
    let late = any(r#"{"email":"e","@type":"x/test.Guest"}"#);
    check(
        "WellKnown",
        &late,
        &any(r#"{"@type":"x/test.Guest","email":"e"}"#),
    );
    let nested = any(r#"{"@type":"x/google.protobuf.Any","value":{"@type":"x/test.Guest"}}"#);
    check("WellKnown", &nested, &nested);
    check("WellKnown", &any("{}"), &any("{}"));
    refused(
        "WellKnown",
        &any(r#"{"email":"e"}"#),
        "any.@type is required",
    );
    refused(
        "WellKnown",
        &any(r#"{"@type":"x/test.Nope"}"#),
        "any.@type is not a known type",
    );
    refused(
        "WellKnown",
        &any(r#"{"@type":"test.Guest"}"#),
        "any.@type is not a known type",
    );
    refused(
        "WellKnown",
        &any(r#"{"@type":"x/test.Guest","nope":1}"#),
        "any.nope is not a known field",
    );
    refused(
        "WellKnown",
        &any(r#"{"@type":"x/test.Guest","@type":"x/test.Guest"}"#),
        "any.@type is not a known field",
    );
    refused(
        "WellKnown",
        &any(r#"{"@type":"x/google.protobuf.Duration"}"#),
        "any.value is required",
    );
    refused(
        "WellKnown",
        r#"{"time":"2020-01-18"}"#,
        "time must be a time by RFC 3339",
    );
    refused("WellKnown", r#"{"time":1}"#, "time must be a string");
    refused(
        "WellKnown",
        r#"{"duration":"1"}"#,
        "duration must be a duration like 1.5s",
    );
    refused(
        "WellKnown",
        r#"{"mask":"a_b"}"#,
        "mask must be a list of field paths in camel case",
    );
    refused(
        "WellKnown",
        r#"{"object":{"a":1,"a":2}}"#,
        r#"object["a"] is given twice"#,
    );
    refused("WellKnown", r#"{"object":[]}"#, "object must be an object");
    refused("WellKnown", r#"{"value":1e999}"#, "value is out of range");
    refused("WellKnown", r#"{"wide":{}}"#, "wide must be an integer");
    refused(
        "WellKnown",
        r#"{"times":[null]}"#,
        "times[0] must be a string",
    );
}

#[test]
fn options_change_the_form() {
    #[track_caller]
    fn check(options: &Options, json: &str, want: &str) {
        let wire = encode("Scalars", json, options).unwrap();
        assert_eq!(decode("Scalars", &wire, options).as_deref(), Ok(want));
    }
    let base = Options::default;
    check(
        &Options {
            int64: Int64Form::Number,
            ..base()
        },
        r#"{"anInt64":"5"}"#,
        r#"{"anInt64":5}"#,
    );
    check(
        &Options {
            names: NameForm::Proto,
            ..base()
        },
        r#"{"anInt32":5}"#,
        r#"{"an_int32":5}"#,
    );
    check(
        &Options {
            enums: EnumForm::Number,
            ..base()
        },
        r#"{"aColor":"COLOR_BLUE"}"#,
        r#"{"aColor":-2}"#,
    );
    let ignoring = Options {
        unknown_fields: Unknown::Ignore,
        ..base()
    };
    check(
        &ignoring,
        r#"{"nope":[{"x":1}],"aColor":"GREEN","maybe":1}"#,
        r#"{"maybe":1}"#,
    );
    let wire = encode(
        "Everything",
        r#"{"colors":["X","COLOR_RED"],"palette":{"a":"X","b":"COLOR_RED"}}"#,
        &ignoring,
    );
    assert_eq!(
        decode("Everything", &wire.unwrap(), &base()).as_deref(),
        Ok(r#"{"colors":["COLOR_RED"],"palette":{"b":"COLOR_RED"}}"#)
    );
    check(
        &Options {
            defaults: true,
            ..base()
        },
        "{}",
        "{\"aDouble\":0,\"aFloat\":0,\"anInt32\":0,\"anInt64\":\"0\",\"aUint32\":0,\"aUint64\":\"0\",\
         \"aSint32\":0,\"aSint64\":\"0\",\"aFixed32\":0,\"aFixed64\":\"0\",\"aSfixed32\":0,\"aSfixed64\":\"0\",\
         \"aBool\":false,\"aString\":\"\",\"aBytes\":\"\",\"aColor\":\"COLOR_UNSPECIFIED\"}",
    );
}

#[test]
fn names_are_refused_twice_even_where_they_are_ignored() {
    let options = Options {
        unknown_fields: Unknown::Ignore,
        ..Options::default()
    };
    let read = |json| encode("Everything", json, &options);
    assert_eq!(
        read(r#"{"x":1,"y":2,"scalars":{"x":3}}"#),
        Ok(vec![0x0a, 0])
    );
    let twice = r#"{"x":1,"\u0078":2,"scalars":{"y":3,"y":4}}"#;
    let want = "x is given twice; scalars.y is given twice";
    assert_eq!(read(twice), Err(want.to_owned()));
}

#[test]
fn options_are_read_from_configuration() {
    let options: Options =
        serde_json::from_str(r#"{"int64":"number","unknown_query":"ignore"}"#).unwrap();
    let want = Options {
        int64: Int64Form::Number,
        unknown_query: Unknown::Ignore,
        ..Options::default()
    };
    assert_eq!(options, want);
    assert!(serde_json::from_str::<Options>(r#"{"int65":"number"}"#).is_err());
}

#[test]
fn the_wire_is_canonical() {
    #[track_caller]
    fn check(message: &str, json: &str, want: &str) {
        assert_eq!(
            encode(message, json, &Options::default()).map(|wire| hex(&wire)),
            Ok(want.replace(' ', ""))
        );
    }
    check("Scalars", r#"{"anInt32":-1}"#, "18ffffffffffffffffff01");
    check(
        "Scalars",
        r#"{"aSint32":-1,"aFixed32":1}"#,
        "3801 4d01000000",
    );
    check("Everything", r#"{"numbers":[1,300]}"#, "1203 01ac02");
    check("Everything", r#"{"loose":[1,2]}"#, "3001 3002");
    check("Everything", r#"{"counts":{"a":0}}"#, "3a05 0a0161 1000");
    check("WellKnown", r#"{"value":null}"#, "2a02 0800");
    check(
        "WellKnown",
        r#"{"time":"1970-01-01T00:00:01Z"}"#,
        "0a02 0801",
    );
}

#[test]
fn any_order_on_the_wire_is_understood() {
    #[track_caller]
    fn check(message: &str, wire: &str, want: &str) {
        assert_eq!(
            decode(message, &unhex(wire), &Options::default()).as_deref(),
            Ok(want)
        );
    }
    // The last value of a scalar counts.
    check("Scalars", "1801 1802", r#"{"anInt32":2}"#);
    check("Scalars", "1801 1800", "{}");
    // Elements of a repeated field around another field, packed and not.
    check(
        "Everything",
        "1001 1a0178 12020203 1004",
        r#"{"numbers":[1,2,3,4],"names":["x"]}"#,
    );
    check("Everything", "1200", "{}");
    // Parts of one message are joined.
    check(
        "Everything",
        "0a021801 0a022002",
        r#"{"scalars":{"anInt32":1,"anInt64":"2"}}"#,
    );
    // Of a oneof the last member counts, with what belongs to it since it was set.
    check("Everything", "5a0161 6001", r#"{"number":1}"#);
    check("Everything", "6001 5a0161", r#"{"text":"a"}"#);
    check(
        "Everything",
        "6a026001 5a0161 6a026002",
        r#"{"nested":{"number":2}}"#,
    );
    // Of entries with one key the last counts.
    check(
        "Everything",
        "3a050a01611001 3a050a01621002 3a050a01611003",
        r#"{"counts":{"a":3,"b":2}}"#,
    );
    check("Everything", "3a00", r#"{"counts":{"":0}}"#);
    // Unknown fields and fields of another wire type are left out.
    check("Scalars", "f87f01 1a0161 1805", r#"{"anInt32":5}"#);
    check("Scalars", "f37f 0801 f47f 1805", r#"{"anInt32":5}"#);
    // A value too long for its type is cut, as every decoder does.
    check("Scalars", "18ffffffffffffffffff01", r#"{"anInt32":-1}"#);
    check("Scalars", "188180808010", r#"{"anInt32":1}"#);
}

#[test]
fn what_has_no_json_form_is_named() {
    #[track_caller]
    fn check(message: &str, wire: &str, want: &str) {
        assert_eq!(
            decode(message, &unhex(wire), &Options::default()),
            Err(want.to_owned())
        );
    }
    check(
        "Scalars",
        "18",
        "a test.Scalars cannot be read from the wire",
    );
    check(
        "Scalars",
        "7201ff",
        "the text in test.Scalars.a_string is not UTF-8",
    );
    check(
        "WellKnown",
        "0a0610808080807f",
        "a google.protobuf.Timestamp holds a value out of range, which has no JSON form",
    );
    check(
        "WellKnown",
        "2a00",
        "a google.protobuf.Value holds no value, which has no JSON form",
    );
    check(
        "WellKnown",
        "2a0911000000000000f87f",
        "a google.protobuf.Value holds a number that is not finite, which has no JSON form",
    );
    check(
        "WellKnown",
        "1a050a03666f4f",
        "a google.protobuf.FieldMask holds a path not in snake case, which has no JSON form",
    );
    check(
        "WellKnown",
        "3a050a03782f79",
        "an Any holds the unknown type `x/y`",
    );
}

#[test]
fn groups_of_proto2_survive() {
    let json = r#"{"id":1,"name":"","inner":{"depth":2,"leaf":[{"text":"a"},{}]},"numbers":[1,2]}"#;
    let options = Options::default();
    let wire = plans()
        .encode("old.Old", json.as_bytes(), &options)
        .unwrap()
        .unwrap();
    assert_eq!(hex(&wire), "080112001b0802130a01611413141c20012002");
    assert_eq!(
        plans().decode("old.Old", &wire, &options).unwrap().unwrap(),
        json
    );
}

#[test]
fn nesting_is_limited_in_both_directions() {
    let json = |depth: usize| {
        format!("{}{}", "{\"nested\":".repeat(depth), "}".repeat(depth)).replace(":}", ":{}}")
    };
    assert!(encode("Everything", &json(99), &Options::default()).is_ok());
    assert_eq!(
        encode("Everything", &json(100), &Options::default())
            .map_err(|error| error.contains("nested too deeply")),
        Err(true)
    );
    let mut wire = Vec::new();
    for _ in 0..102 {
        let mut outer = vec![0x6a];
        prost::encoding::encode_varint(wire.len() as u64, &mut outer);
        outer.append(&mut wire);
        wire = outer;
    }
    assert_eq!(
        decode("Everything", &wire, &Options::default()),
        Err("a test.Everything cannot be read from the wire".to_owned())
    );
    let anys = |depth| {
        let open = r#"{"@type":"x/test.WellKnown","any":"#;
        format!(
            "{{\"any\":{}{{}}{}}}",
            open.repeat(depth),
            "}".repeat(depth)
        )
    };
    check("WellKnown", &anys(98), &anys(98));
    assert!(encode("WellKnown", &anys(99), &Options::default()).is_err());
    let lists = format!("{{\"value\":{}{}}}", "[".repeat(99), "]".repeat(99));
    check("WellKnown", &lists, &lists);
}
