//! Pairs of answers, and what is found between them.

use proptest::prelude::*;
use prost_reflect::DescriptorPool;

use super::*;

const PROTO: &str = r#"
syntax = "proto3";
package shop;
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
message Item {
  int64 id = 1;
  string title = 2;
  double rating = 3;
  map<string, int64> stock = 4;
  google.protobuf.Timestamp made = 5;
  repeated string tags = 6;
  map<string, Maker> made_by = 7;
  google.protobuf.Struct notes = 8;
  google.protobuf.Any held = 9;
  repeated double marks = 10;
}
message Maker { string name = 1; map<string, string> mails = 2; int64 age = 3; }
message Items { repeated Item items = 1; repeated string labels = 2; }
message Ask {}
service Shop { rpc List(Ask) returns (Items); rpc Get(Ask) returns (Item); }
"#;

fn pool() -> DescriptorPool {
    struct File;
    impl protox::file::FileResolver for File {
        fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
            match name {
                "shop.proto" => Ok(protox::file::File::from_source(name, PROTO)?),
                _ => protox::file::GoogleFileResolver::new().open_file(name),
            }
        }
    }
    let mut compiler = protox::Compiler::with_file_resolver(File);
    compiler
        .include_imports(true)
        .open_file("shop.proto")
        .unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

fn comparer(method: &str, response_body: &str, allowances: Allowances) -> Comparer {
    let service = pool().get_service_by_name("shop.Shop").unwrap();
    let method = service.methods().find(|it| it.name() == method).unwrap();
    Comparer::new(&method, response_body, &Options::default(), allowances)
}

fn ok(body: &str) -> Seen<'_> {
    Seen {
        status: 200,
        body: body.as_bytes(),
    }
}

fn found(comparer: &Comparer, owner: &str, other: &str) -> Vec<(String, FindingKind)> {
    let findings = comparer.compare(ok(owner), ok(other));
    findings.into_iter().map(|it| (it.path, it.kind)).collect()
}

#[track_caller]
fn check(owner: &str, other: &str, want: &[(&str, FindingKind)]) {
    let found = found(&comparer("Get", "", Allowances::default()), owner, other);
    let found: Vec<_> = found
        .iter()
        .map(|(path, kind)| (path.as_str(), *kind))
        .collect();
    assert_eq!(found, want, "{owner} {other}");
}

#[test]
fn spellings_make_no_difference() {
    check(r#"{"id":1}"#, r#"{"id":"1"}"#, &[]);
    check(r#"{"id":1,"title":""}"#, r#"{"rating":0,"id":1}"#, &[]);
    check(
        r#"{"stock":{"a":1,"b":"2"}}"#,
        r#"{"stock":{"b":2,"a":1}}"#,
        &[],
    );
    check(
        r#"{"made":"2026-11-21T10:00:00.000Z"}"#,
        r#"{"made":"2026-11-21T11:00:00+01:00"}"#,
        &[],
    );
}

#[test]
fn what_differs_is_told_by_path() {
    use FindingKind::{Added, Changed, Missing, Unknown, Unreadable};
    check(
        r#"{"title":"a"}"#,
        r#"{"title":"b"}"#,
        &[("title", Changed)],
    );
    check(
        r#"{"stock":{"a":1}}"#,
        r#"{"stock":{"b":1}}"#,
        &[("stock{}", Missing), ("stock{}", Added)],
    );
    check(
        r#"{"tags":["a","b"]}"#,
        r#"{"tags":["a"]}"#,
        &[("tags[]", Missing)],
    );
    check(
        r#"{"id":1,"extra":2}"#,
        r#"{"id":1}"#,
        &[("extra", Unknown)],
    );
    check(r#"{"id":true}"#, r#"{"id":1}"#, &[("id", Unreadable)]);
    check("<html>", "{}", &[("", Unreadable)]);
}

#[test]
fn the_elements_of_lists_share_a_path_and_may_have_a_key() {
    let owner = r#"[{"id":1,"title":"a"},{"id":2,"title":"b"}]"#;
    let other = r#"[{"id":2,"title":"b"},{"id":1,"title":"c"}]"#;
    let keys = BTreeMap::from([("items[]".to_owned(), "id".to_owned())]);
    let allowances = Allowances {
        keys,
        ..Allowances::default()
    };
    let by_key = comparer("List", "items", allowances);
    let want = [("items[].title".to_owned(), FindingKind::Changed)];
    assert_eq!(found(&by_key, owner, other), want);
    let want = [("items[]".to_owned(), FindingKind::Added)];
    assert_eq!(found(&by_key, "[]", other), want);
}

#[test]
fn paths_name_what_the_contract_names_and_no_entry() {
    use FindingKind::{Added, Changed, Missing, Unknown, Unreadable};
    let none = "{}";
    check(
        r#"{"madeBy":{"ada@example.com":{"mails":{"x@y.z":"a"}}}}"#,
        r#"{"madeBy":{"ada@example.com":{"mails":{"x@y.z":"b"}}}}"#,
        &[("made_by{}.mails{}", Changed)],
    );
    check(
        r#"{"notes":{"ada@example.com":[{"x@y.z":1}]}}"#,
        r#"{"notes":{"ada@example.com":[{"x@y.z":2}]}}"#,
        &[("notes{}[]{}", Changed)],
    );
    check(
        r#"{"held":{"@type":"a/shop.Maker","name":"a","mails":{"x@y.z":"a"}}}"#,
        r#"{"held":{"@type":"a/shop.Maker","name":"b"}}"#,
        &[("held.mails{}", Missing), ("held.name", Changed)],
    );
    check(
        r#"{"held":{"@type":"a/google.protobuf.Struct","value":{"x@y.z":1}}}"#,
        r#"{"held":{"@type":"a/google.protobuf.Struct","value":{}}}"#,
        &[("held.value{}", Missing)],
    );
    check(
        r#"{"madeBy":{"ada@example.com":{"colour\u0000":1}}}"#,
        r#"{"madeBy":{"ada@example.com":{}}}"#,
        &[("made_by{}.colour?", Unknown)],
    );
    check(
        r#"{"madeBy":{"ada@example.com":7}}"#,
        none,
        &[("made_by{}", Unreadable)],
    );
    check(none, r#"{"stock":{"a":1}}"#, &[("stock{}", Added)]);
}

#[test]
fn what_differs_alike_is_told_once_and_hides_nothing_else() {
    let comparer = comparer("List", "", Allowances::default());
    let answer = |rating: &str, label: &str| {
        let item = format!(r#"{{"rating":{rating}}}"#);
        let items = vec![item; 200].join(",");
        format!(r#"{{"items":[{items}],"labels":["{label}"]}}"#)
    };
    let want = ["items[].rating", "labels[]"].map(|it| (it.to_owned(), FindingKind::Changed));
    assert_eq!(found(&comparer, &answer("1", "a"), &answer("2", "b")), want);
}

#[test]
fn elements_of_one_key_or_none_belong_together_in_their_order() {
    let allowances = Allowances {
        keys: BTreeMap::from([
            ("items[]".to_owned(), "id".to_owned()),
            ("labels[]".to_owned(), "id".to_owned()),
        ]),
        ..Allowances::default()
    };
    let by_key = comparer("List", "", allowances);
    let twice = r#"{"items":[{"id":1,"title":"a"},{"id":2},{"id":1,"title":"b"}]}"#;
    let once = r#"{"items":[{"id":2},{"id":1,"title":"b"}]}"#;
    let want = [
        ("items[].title".to_owned(), FindingKind::Changed),
        ("items[]".to_owned(), FindingKind::Missing),
    ];
    assert_eq!(found(&by_key, twice, twice), []);
    assert_eq!(found(&by_key, twice, once), want);
    let want = [("labels[]".to_owned(), FindingKind::Changed)];
    let (owner, other) = (r#"{"labels":["a","b"]}"#, r#"{"labels":["a","c"]}"#);
    assert_eq!(found(&by_key, owner, other), want);
}

#[test]
fn lists_without_order_are_sorted_by_what_counts() {
    let allowances = Allowances {
        ignore: BTreeSet::from(["items[].id".to_owned()]),
        tolerance: BTreeMap::from([
            ("items[].rating".to_owned(), 0.1),
            ("items[].marks".to_owned(), 0.1),
        ]),
        unordered: ["items[]", "items[].tags[]", "items[].marks[]"]
            .map(str::to_owned)
            .into(),
        ..Allowances::default()
    };
    let comparer = comparer("List", "items", allowances);
    let owner = r#"[{"id":1,"title":"b","rating":1,"tags":["x","y"]},{"id":2,"title":"a","rating":2,"marks":[10.05,-1,2]}]"#;
    let other = r#"[{"id":1,"title":"a","rating":2.05,"marks":[2.05,9.99,-1.05]},{"id":2,"title":"b","rating":0.95,"tags":["y","x"]}]"#;
    assert_eq!(found(&comparer, owner, other), []);
    let other = other.replace("9.99", "8.99");
    let want = [("items[].marks[]".to_owned(), FindingKind::Changed)];
    assert_eq!(found(&comparer, owner, &other), want);
}

#[test]
fn a_tolerance_holds_below_its_path_and_the_nearest_counts() {
    let tolerance = |declared: &[(&str, f64)]| {
        let tolerance = declared.iter().map(|(path, by)| ((*path).to_owned(), *by));
        let allowances = Allowances {
            tolerance: tolerance.collect(),
            ..Allowances::default()
        };
        comparer("Get", "", allowances)
    };
    let owner = r#"{"title":"1984","stock":{"a":10},"madeBy":{"b":{"age":30,"name":"7"}}}"#;
    let other = r#"{"title":"1984","stock":{"a":11},"madeBy":{"b":{"age":32,"name":"7"}}}"#;
    let age = ("made_by{}.age".to_owned(), FindingKind::Changed);
    let stock = ("stock{}".to_owned(), FindingKind::Changed);
    assert_eq!(found(&tolerance(&[("stock", 1.0)]), owner, other), [age]);
    let both = [("made_by", 2.0), ("made_by{}.mails", 0.0), ("stock", 0.5)];
    assert_eq!(found(&tolerance(&both), owner, other), [stock]);
    let nearer = [("made_by", 1.0), ("made_by{}.age", 2.0), ("stock{}", 1.0)];
    assert_eq!(found(&tolerance(&nearer), owner, other), []);
    // Digits are no number where the contract has text, unless that very text is meant.
    let named = r#"{"madeBy":{"b":{"name":"8"}}}"#;
    let name = [("made_by{}.name".to_owned(), FindingKind::Changed)];
    let seven = r#"{"madeBy":{"b":{"name":"7"}}}"#;
    assert_eq!(found(&tolerance(&[("made_by", 2.0)]), seven, named), name);
    let exact = tolerance(&[("made_by{}.name", 2.0)]);
    assert_eq!(found(&exact, seven, named), []);
}

#[test]
fn what_is_declared_may_differ() {
    let allowances = Allowances {
        ignore: BTreeSet::from(["title".to_owned(), "stock".to_owned()]),
        tolerance: BTreeMap::from([("rating".to_owned(), 0.1)]),
        unordered: BTreeSet::from(["tags[]".to_owned()]),
        ..Allowances::default()
    };
    let comparer = comparer("Get", "", allowances);
    let owner = r#"{"title":"a","rating":8.4,"tags":["x","y"],"stock":{"a":1}}"#;
    let other = r#"{"title":"b","rating":8.45,"tags":["y","x"]}"#;
    assert_eq!(found(&comparer, owner, other), []);
    let far = r#"{"rating":8.6,"tags":["y","x"]}"#;
    let want = [("rating".to_owned(), FindingKind::Changed)];
    assert_eq!(found(&comparer, owner, far), want);
}

#[test]
fn other_statuses_are_one_finding_and_errors_have_no_fields() {
    let comparer = comparer("Get", "", Allowances::default());
    let error = |status| Seen {
        status,
        body: br#"{"error":"gone"}"#,
    };
    let findings = comparer.compare(ok("{}"), error(404));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].kind, FindingKind::Status);
    assert_eq!(
        (findings[0].owner.as_str(), findings[0].other.as_str()),
        ("200", "404")
    );
    assert_eq!(comparer.compare(error(404), error(404)), []);
}

#[test]
fn values_are_told_by_their_shape_only() {
    let comparer = comparer("Get", "", Allowances::default());
    let owner = r#"{"title":"Ada Lovelace, 1815"}"#;
    let findings = comparer.compare(ok(owner), ok(r#"{"title":"x"}"#));
    assert_eq!(findings[0].owner, r#""xxx xxxxxxxx, 0000""#);
}

proptest! {
    #[test]
    fn an_answer_never_differs_from_itself_and_nothing_panics(body in ".{0,200}", id in any::<i64>(), title in ".{0,20}") {
        let comparer = comparer("Get", "", Allowances::default());
        let item = serde_json::json!({"id": id, "title": title}).to_string();
        prop_assert_eq!(comparer.compare(ok(&item), ok(&item)), vec![]);
        let findings = comparer.compare(ok(&body), ok(&item));
        prop_assert!(findings.len() <= 100);
    }
}
