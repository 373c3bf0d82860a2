//! Compressed answers and requests, by the tools that everybody has.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    stock,
    world::{World, answer},
};

/// Runs bytes through a program.
fn through(program: &str, arguments: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{program}");
    output.stdout
}

async fn get(world: &World, path: &str, coding: &str) -> (http::HeaderMap, Vec<u8>) {
    let response = world
        .get(path)
        .header("accept-encoding", coding)
        .send()
        .await
        .unwrap();
    (
        response.headers().clone(),
        response.bytes().await.unwrap().to_vec(),
    )
}

#[tokio::test]
async fn a_large_answer_is_compressed_for_who_asks() {
    let (world, _) = stock::world().await;
    let plain = world.get("/stock/items/large").send().await.unwrap();
    assert_eq!(plain.headers()["vary"], "accept-encoding");
    assert!(!plain.headers().contains_key("content-encoding"));
    let plain = plain.bytes().await.unwrap();
    let (headers, packed) = get(&world, "/stock/items/large", "gzip").await;
    assert_eq!(
        (&headers["content-encoding"], &headers["etag"]),
        (&"gzip".parse().unwrap(), &"W/\"v1\"".parse().unwrap())
    );
    assert!(packed.len() * 10 < plain.len(), "{}", packed.len());
    assert_eq!(through("gzip", &["-d"], &packed), plain);
    for (asked, want) in [
        ("br, gzip", "br"),
        ("gzip, zstd, br", "zstd"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
    ] {
        let (headers, _) = get(&world, "/stock/items/large", asked).await;
        assert_eq!(headers["content-encoding"], want, "{asked}");
    }
    let (headers, _) = get(&world, "/stock/items/1", "gzip").await;
    assert!(
        !headers.contains_key("content-encoding"),
        "a small one is not"
    );
    let tag = world
        .get("/stock/items/large")
        .header("accept-encoding", "gzip")
        .header("if-none-match", "W/\"v1\"");
    assert_eq!(tag.send().await.unwrap().status(), 304);
}

#[tokio::test]
async fn a_stream_is_compressed_item_by_item() {
    let (world, _) = stock::world().await;
    let (headers, packed) = get(&world, "/stock:watch?count=200&size=100", "gzip").await;
    assert_eq!(headers["content-encoding"], "gzip");
    let items: Vec<Value> = serde_json::from_slice(&through("gzip", &["-d"], &packed)).unwrap();
    assert_eq!(items.len(), 200);
    let request = world
        .get("/stock:watch?count=1&then=SILENCE")
        .header("accept", "text/event-stream")
        .header("accept-encoding", "gzip");
    let mut response = request.send().await.unwrap();
    let first = response.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"\x1f\x8b"), "an event is not kept back");
}

#[tokio::test]
async fn forwarded_answers_are_left_alone_unless_told() {
    let (world, _) = stock::world().await;
    let long = format!("/old/{}", "x".repeat(2_000));
    let (headers, _) = get(&world, &long, "gzip").await;
    assert!(!headers.contains_key("content-encoding"));
    let (world, _) = stock::world_with(|config| config.compression.forwarded = true).await;
    let (headers, packed) = get(&world, &long, "gzip").await;
    assert_eq!(headers["content-encoding"], "gzip");
    assert!(
        String::from_utf8(through("gzip", &["-d"], &packed))
            .unwrap()
            .contains("xxx")
    );
}

#[tokio::test]
async fn a_compressed_request_is_read_within_the_limit() {
    let (world, _) = stock::world().await;
    let post = |bytes: Vec<u8>, coding: &str| {
        let request = world.client.post(world.url("/stock:tell"));
        // What cannot be unpacked is not read to its end, and its connection takes nothing more.
        let request = request.header("connection", "close");
        request.header("content-encoding", coding).body(bytes)
    };
    let body = json!({"text": "hello"}).to_string();
    let (status, told) = answer(post(through("gzip", &[], body.as_bytes()), "gzip")).await;
    assert_eq!((status, &told["text"]), (200, &json!("hello")));
    let bomb = json!({"text": "x".repeat(50_000_000)}).to_string();
    let bomb = through("gzip", &[], bomb.as_bytes());
    assert!(bomb.len() < 100_000);
    assert_eq!(answer(post(bomb, "gzip")).await.0, 413);
    let (status, told) = answer(post(b"plain".to_vec(), "gzip")).await;
    assert_eq!(
        (status, &told["error"]["details"][0]["reason"]),
        (400, &json!("BODY_CORRUPT")),
        "{told}"
    );
    let response = post(b"{}".to_vec(), "compress").send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["accept-encoding"]
        ),
        (415, &"zstd, br, gzip, identity".parse().unwrap())
    );
    let lines = through("gzip", &[], b"{\"amount\":1}\n{\"amount\":2}\n");
    let request = world.client.post(world.url("/stock/shelves/7:collect"));
    let (status, summary) = answer(request.header("content-encoding", "gzip").body(lines)).await;
    assert_eq!((status, &summary["sum"]), (200, &json!("3")));
}

#[tokio::test]
async fn a_failure_in_mid_stream_is_seen_through_compression() {
    let (world, _) = stock::world().await;
    let request = world
        .get("/stock:watch?count=2&then=FAIL")
        .header("accept", "application/x-ndjson")
        .header("accept-encoding", "gzip");
    let mut response = request.send().await.unwrap();
    let mut packed = Vec::new();
    let broken = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => packed.extend_from_slice(&chunk),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken);
    let mut unpacked = Vec::new();
    let mut decoder = compression_codecs::GzipDecoder::new();
    let mut input = compression_codecs::core::util::PartialBuffer::new(&packed[..]);
    let mut scratch = [0; 4096];
    while !input.unwritten().is_empty() {
        let mut output = compression_codecs::core::util::WriteBuffer::new_initialized(&mut scratch);
        compression_codecs::DecodeV2::decode(&mut decoder, &mut input, &mut output).unwrap();
        unpacked.extend_from_slice(output.written());
    }
    let unpacked = String::from_utf8(unpacked).unwrap();
    assert!(
        unpacked.ends_with("\"message\":\"the shelf fell\"}}\n"),
        "{unpacked}"
    );
}
