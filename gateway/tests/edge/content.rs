//! Content that is no JSON, and answers that are no gRPC.

use serde_json::{Value, json};

use super::{
    limits::conversation,
    stock::{self, profile},
    world::answer,
};

#[tokio::test]
async fn content_goes_out_as_it_is() {
    let (world, _) = stock::world().await;
    let response = world.get("/stock/files/1:download").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "image/png");
    assert_eq!(response.bytes().await.unwrap(), &b"\x89PNG\0\xff"[..]);
    let response = world.get("/stock/files/1:pieces").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/csv");
    assert_eq!(response.text().await.unwrap(), "a,b\n1,2\n");
    let head = b"GET /stock/files/broken:pieces HTTP/1.1\r\nhost: x\r\n\r\n";
    let torn = conversation(&world, head).await;
    assert!(
        torn.contains("a,b") && !torn.ends_with("0\r\n\r\n"),
        "{torn}"
    );
}

#[tokio::test]
async fn content_comes_in_as_it_is() {
    let (world, _) = stock::world_with(|config| {
        profile(config).streams.item_bytes_max = 100_000_000;
    })
    .await;
    let post = |verb: &str, bytes: usize| {
        world
            .client
            .post(world.url(&format!("/stock/files/1:{verb}")))
            .header("content-type", "image/gif")
            .body(vec![0xff; bytes])
    };
    let (status, body) = answer(post("upload", 1_000)).await;
    let want = json!({"count": 1, "sum": "1000", "shelf": "files/1", "contentType": "image/gif"});
    assert_eq!((status, body), (200, want));
    assert_eq!(
        answer(post("upload", 200_000)).await.0,
        413,
        "within the limit of a body"
    );
    let (status, body) = answer(post("uploadPieces", 3_000_000)).await;
    let want = json!({"sum": "3000000", "shelf": "files/1", "contentType": "image/gif"});
    assert_eq!((status, body), (200, want), "a stream has no such limit");
}

#[tokio::test]
async fn answers_that_are_no_grpc_are_told_by_their_meaning() {
    let (world, _) = stock::world().await;
    #[track_caller]
    fn check(got: &(u16, Value), status: u16, code: &str) {
        assert_eq!(
            (got.0, &got.1["error"]["status"]),
            (status, &json!(code)),
            "{got:?}"
        );
    }
    let odd = async |name: &str| answer(world.get(&format!("/stock/odd/{name}"))).await;
    check(&odd("unavailable").await, 503, "UNAVAILABLE");
    check(&odd("page").await, 500, "UNKNOWN");
    for broken in ["two", "none", "packed", "cut"] {
        check(&odd(broken).await, 502, "INTERNAL");
    }
    check(&odd("reset").await, 500, "INTERNAL");
    check(&odd("endless").await, 503, "UNAVAILABLE");
    assert_eq!(odd("split").await, (200, json!({"name": "x"})));
}
