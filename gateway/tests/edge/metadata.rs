//! What passes between headers and metadata, and headers that mean something: versions, HEAD, OPTIONS.

use banyan_gateway::config::{Config, MetadataName};
use serde_json::{Value, json};

use super::{
    stock::{self, profile},
    world::{World, answer},
};

fn names(names: &[&str]) -> Vec<MetadataName> {
    let names = names
        .iter()
        .map(|name| (*name).to_owned().try_into().unwrap());
    names.collect()
}

fn allowing(config: &mut Config) {
    profile(config).request_headers = names(&["x-tenant", "authorization", "x-blob-bin"]);
    profile(config).response_headers = names(&["x-cost", "x-key-bin"]);
}

#[tokio::test]
async fn named_headers_become_metadata_and_the_other_way_round() {
    let (world, _) = stock::world_with(allowing).await;
    let request = world
        .get("/stock:tell")
        .header("x-tenant", "blue")
        .header("authorization", "Bearer 1")
        .header("x-blob-bin", "AAH/")
        .header("x-banyan-guest", "forged")
        .header("grpc-encoding", "gzip")
        .header("x-other", "1");
    let response = request.send().await.unwrap();
    let headers = response.headers().clone();
    let told: Value = response.json().await.unwrap();
    let told = &told["metadata"];
    assert_eq!(
        (&told["x-tenant"], &told["authorization"]),
        (&json!("blue"), &json!("Bearer 1"))
    );
    assert_eq!(told["x-blob-bin"], "AAH/");
    for absent in ["x-banyan-guest", "grpc-encoding", "x-other"] {
        assert_eq!(told[absent], Value::Null, "{told}");
    }
    assert_eq!(
        (&headers["x-cost"], &headers["x-key-bin"]),
        (&"7".parse().unwrap(), &"AAE".parse().unwrap())
    );
    assert!(!headers.contains_key("x-secret"));
    let (status, body) = answer(world.get("/stock:tell").header("x-blob-bin", "!")).await;
    assert_eq!(status, 400);
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("x-blob-bin"),
        "{body}"
    );
}

#[tokio::test]
async fn nothing_passes_unless_it_is_named() {
    let (world, _) = stock::world().await;
    let response = world
        .get("/stock:tell")
        .header("x-tenant", "blue")
        .send()
        .await
        .unwrap();
    assert!(!response.headers().contains_key("x-cost"));
    let told: Value = response.json().await.unwrap();
    assert_eq!(told["metadata"]["x-tenant"], Value::Null);
}

#[tokio::test]
async fn a_version_is_a_tag_and_guards_a_change() {
    let (world, _) = stock::world().await;
    let response = world.get("/stock/items/1").send().await.unwrap();
    assert_eq!(response.headers()["etag"], "\"v1\"");
    let known = |tags: &'static str| world.get("/stock/items/1").header("if-none-match", tags);
    for tags in ["\"v1\"", "W/\"v1\"", "\"v0\", \"v1\"", "*"] {
        let response = known(tags).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["etag"]),
            (304, &"\"v1\"".parse().unwrap()),
            "{tags}"
        );
        assert_eq!(response.text().await.unwrap(), "");
    }
    assert_eq!(answer(known("\"v0\"")).await.0, 200);

    let delete = |tag: &'static str| {
        world
            .client
            .delete(world.url("/stock/items/1"))
            .header("if-match", tag)
    };
    assert_eq!(answer(delete("\"v1\"")).await.0, 200);
    let (status, body) = answer(delete("\"v0\"")).await;
    assert_eq!(
        (status, &body["error"]["code"], &body["error"]["status"]),
        (412, &json!(412), &json!("ABORTED"))
    );
    assert_eq!(answer(delete("\"a\", \"b\"")).await.0, 400);
    assert_eq!(answer(delete("v0")).await.0, 400);
    let twice = delete("\"v1\"").header("if-match", "\"v1\"");
    assert_eq!(answer(twice).await.0, 400);
    let plain = world.client.delete(world.url("/stock/items/1?etag=v0"));
    assert_eq!(
        answer(plain).await.0,
        409,
        "without the header it is what the service said"
    );
}

#[tokio::test]
async fn head_is_get_without_content() {
    let (world, _) = stock::world().await;
    let get = world.get("/stock/items/1").send().await.unwrap();
    let head = world
        .client
        .head(world.url("/stock/items/1"))
        .send()
        .await
        .unwrap();
    assert_eq!(head.status(), 200);
    for name in ["content-type", "content-length", "etag"] {
        assert_eq!(head.headers()[name], get.headers()[name], "{name}");
    }
    let stream = world
        .client
        .head(world.url("/stock:watch"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            stream.status().as_u16(),
            stream.text().await.unwrap().as_str()
        ),
        (200, "")
    );
    let missing = world
        .client
        .head(world.url("/stock/nothing"))
        .send()
        .await
        .unwrap();
    assert_eq!(missing.status(), 404);

    let (parts, body) = over_http2(&world, "HEAD", "/stock/items/1").await;
    assert_eq!((parts.status.as_u16(), body.as_str()), (200, ""));
    assert_eq!(
        parts.headers["content-length"],
        get.headers()["content-length"]
    );
    let (_, body) = over_http2(&world, "HEAD", "/stock/nothing").await;
    assert_eq!(body, "");
}

#[tokio::test]
async fn options_tells_what_may_be_asked() {
    let (world, _) = stock::world().await;
    let ask = |path: &str| world.client.request(http::Method::OPTIONS, world.url(path));
    let response = ask("/stock/items/1").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (204, &"GET, HEAD, DELETE, OPTIONS".parse().unwrap())
    );
    assert_eq!(answer(ask("/stock/nothing")).await.0, 404);
    let (status, body) = answer(ask("/old/thing")).await;
    assert_eq!(
        (status, &body["method"]),
        (200, &json!("OPTIONS")),
        "a server behind answers itself"
    );
}

/// Asks over HTTP/2.
pub(crate) async fn over_http2(
    world: &World,
    method: &str,
    path: &str,
) -> (http::response::Parts, String) {
    use http_body_util::BodyExt as _;
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let stream = tokio::net::TcpStream::connect(world.gateway.public)
        .await
        .unwrap();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = http::Request::builder()
        .method(method)
        .uri(world.url(path))
        .body(axum::body::Body::empty())
        .unwrap();
    let (parts, mut body) = client.send_request(request).await.unwrap().into_parts();
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                text.push_str(std::str::from_utf8(&frame.into_data().unwrap_or_default()).unwrap())
            }
            Err(error) => {
                text.push_str(&format!("<{error:?}>"));
                break;
            }
        }
    }
    (parts, text)
}

#[tokio::test]
async fn a_failure_in_mid_stream_resets_a_stream_of_http2() {
    let (world, _) = stock::world().await;
    let (parts, body) = over_http2(&world, "GET", "/stock:watch?count=2&then=FAIL").await;
    assert_eq!(parts.status, 200);
    assert!(
        body.starts_with(r#"[{"name":"items/0"},{"name":"items/1"}<"#),
        "{body}"
    );
}
