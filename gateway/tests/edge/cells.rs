//! One set of routes for several upstreams.

use serde_json::json;

use super::world::{World, answer};

#[tokio::test]
async fn members_are_listed_and_mounted_and_one_is_the_default() {
    let world = World::start().await;
    let (status, body) = answer(world.get("/regions")).await;
    assert_eq!(
        (status, body),
        (
            200,
            json!({"data": [{"id": 1, "name": "North"}, {"id": 2, "name": "South"}]})
        )
    );
    let (status, _) = answer(world.get("/regions/")).await;
    assert_eq!(
        status, 200,
        "a slash at the end means nothing to this profile"
    );
    for (path, region) in [
        ("/v1/items/7", "north"),
        ("/regions/1/v1/items/7", "north"),
        ("/regions/2/v1/items/7", "south"),
    ] {
        let (status, body) = answer(world.get(path)).await;
        assert_eq!((status, &body["tags"][0]), (200, &json!(region)), "{path}");
    }
}

#[tokio::test]
async fn an_unknown_member_is_named() {
    let world = World::start().await;
    for path in ["/regions/3", "/regions/3/v1/items/7"] {
        let (status, body) = answer(world.get(path)).await;
        let want = json!({"errors": [{"title": "Not found", "detail": "region 3 not found"}]});
        assert_eq!((status, body), (404, want), "{path}");
    }
    let (status, body) = answer(world.get("/regions/2/nothing")).await;
    assert_eq!(
        (status, &body["errors"][0]["detail"]),
        (404, &json!("no such path"))
    );
    let response = world
        .client
        .put(world.url("/regions/2/v1/items/7"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 405);
}
