//! `Idempotency-Key` on its way to a service, and to the old system.

use serde_json::{Value, json};

use super::{
    calls::on_side,
    world::{World, answer},
};

const KEY: &str = "idempotency-key";

#[tokio::test]
async fn the_key_becomes_the_request_id_of_the_message() {
    let world = World::start().await;
    let tea = json!({"title": "Tea", "price": "3"});
    for key in ["abc-1", "\"abc-1\""] {
        let (status, made) = answer(world.post("/v1/items", &tea).header(KEY, key)).await;
        assert_eq!((status, &made["tags"][1]), (200, &json!("abc-1")), "{key}");
    }
    let named = json!({"title": "Tea", "requestId": "abc-1"});
    let (status, made) = answer(world.post("/v1/items", &named).header(KEY, "abc-1")).await;
    assert_eq!((status, &made["tags"][1]), (200, &json!("abc-1")), "both");
    let (status, made) = answer(world.post("/v1/items", &named)).await;
    assert_eq!((status, &made["tags"][1]), (200, &json!("abc-1")), "body");

    let tea = json!({"title": "Tea", "price": 3});
    let (status, made) = answer(world.post("/api/sales", &tea).header(KEY, "abc-1")).await;
    assert_eq!((status, &made["tags"][1]), (201, &json!("abc-1")), "strict");
}

#[tokio::test]
async fn two_ids_that_differ_are_refused_by_the_fields_name() {
    let world = World::start().await;
    let named = json!({"title": "Tea", "requestId": "abc-1"});
    let (status, refused) = answer(world.post("/v1/items", &named).header(KEY, "abc-2")).await;
    assert_eq!(status, 400, "{refused}");
    let violation = &refused["error"]["details"][1]["fieldViolations"][0];
    assert_eq!(
        (&violation["field"], &violation["reason"]),
        (&json!("requestId"), &json!("CONFLICT")),
        "{refused}"
    );
}

#[tokio::test]
async fn what_is_no_key_is_refused_in_the_shape_of_the_route() {
    let world = World::start().await;
    let tea = json!({"title": "Tea", "price": 3});
    for key in ["", "\"\"", "\"a", "a b", &"x".repeat(129)] {
        let (status, refused) = answer(world.post("/v1/items", &tea).header(KEY, key)).await;
        assert_eq!(
            (status, &refused["error"]["details"][0]["reason"]),
            (400, &json!("BAD_IDEMPOTENCY_KEY")),
            "{key:?}: {refused}"
        );
    }
    let twice = world.post("/api/sales", &tea);
    let (status, refused) = answer(twice.header(KEY, "a").header(KEY, "a")).await;
    let want = json!({"error": "the header Idempotency-Key is given twice"});
    assert_eq!((status, refused), (400, want));
}

#[tokio::test]
async fn where_no_field_takes_it_the_key_is_a_header_like_any_other() {
    let world = World::start().await;
    let (status, _) = answer(world.get("/v1/items/7").header(KEY, "a b")).await;
    assert_eq!(status, 200);
    let told = answer(world.get("/v1/me").header(KEY, "abc-1")).await.1;
    assert_eq!(told["metadata"][KEY], Value::Null, "{told}");
}

#[tokio::test]
async fn the_old_system_gets_the_key_as_it_came() {
    let world = World::start().await;
    for key in ["\"abc-1\"", "a b"] {
        let tea = json!({"title": "Tea", "price": 3});
        let split = world
            .post("/api/items", &tea)
            .header("x-user-id", on_side("legacy"));
        for request in [split, world.post("/old/items", &tea)] {
            let (status, told) = answer(request.header(KEY, key)).await;
            assert_eq!((status, &told["headers"][KEY]), (200, &json!(key)));
        }
    }
}
