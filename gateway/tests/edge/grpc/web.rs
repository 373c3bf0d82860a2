//! gRPC-Web over HTTP/1.1, by hand.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use prost::Message as _;

use super::talk::{Talk, Word, word};

const BINARY: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text";

pub(super) fn framed(word: &Word) -> Vec<u8> {
    let message = word.encode_to_vec();
    let mut out = vec![0];
    out.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&message);
    out
}

/// The words of a body, and its trailers.
fn read(mut body: &[u8]) -> (Vec<Word>, String) {
    let mut words = Vec::new();
    loop {
        let (flag, length) = (body[0], u32::from_be_bytes(body[1..5].try_into().unwrap()));
        let (message, rest) = body[5..].split_at(length as usize);
        if flag == 0x80 {
            assert!(rest.is_empty(), "the trailers are last");
            return (words, String::from_utf8(message.to_vec()).unwrap());
        }
        words.push(Word::decode(message).unwrap());
        body = rest;
    }
}

/// Parts that were each padded for themselves.
fn decoded(text: &[u8]) -> Vec<u8> {
    let groups = text.chunks(4);
    groups
        .flat_map(|group| STANDARD.decode(group).unwrap())
        .collect()
}

async fn call(talk: &Talk, method: &str, kind: &str, request: &Word) -> (Vec<Word>, String) {
    let mut body = framed(request);
    if kind == TEXT {
        body = STANDARD.encode(body).into_bytes();
    }
    let request = talk
        .world
        .client
        .post(talk.world.url(&format!("/talk.v1.TalkService/{method}")))
        .header("content-type", kind)
        .header("x-grpc-web", "1")
        .body(body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    let want = if kind == TEXT {
        "application/grpc-web-text+proto"
    } else {
        BINARY
    };
    assert_eq!(headers["content-type"], want);
    assert!(headers.contains_key("x-request-id") && !headers.contains_key("grpc-status"));
    let body: Bytes = response.bytes().await.unwrap();
    match kind {
        TEXT => read(&decoded(&body)),
        _ => read(&body),
    }
}

#[tokio::test]
async fn both_forms_bring_messages_and_trailers() {
    let talk = Talk::start().await;
    for kind in [BINARY, TEXT] {
        let (words, trailers) = call(&talk, "Echo", kind, &word("hello", 7)).await;
        assert_eq!(words, [word("hello", 7)], "{kind}");
        assert!(trailers.contains("grpc-status: 0\r\n"), "{trailers}");

        let (words, _) = call(&talk, "Repeat", kind, &word("a", 3)).await;
        assert_eq!(words.len(), 3, "{kind}");

        let (words, trailers) = call(&talk, "Repeat", kind, &word("cut", 2)).await;
        assert_eq!(words.len(), 2, "{kind}");
        assert!(
            trailers.contains("grpc-status: 9\r\n") && trailers.contains("x-why: because"),
            "{trailers}"
        );

        let (words, trailers) = call(&talk, "Fail", kind, &word("", 0)).await;
        assert!(
            words.is_empty() && trailers.contains("grpc-status: 9\r\n"),
            "{trailers}"
        );
        assert!(trailers.contains("grpc-status-details-bin: "), "{trailers}");

        let (words, trailers) = call(&talk, "Nothing", kind, &word("", 0)).await;
        assert!(
            words.is_empty() && trailers.contains("grpc-status: 12\r\n"),
            "{trailers}"
        );
    }
}

#[tokio::test]
async fn text_that_is_no_base64_is_refused() {
    let talk = Talk::start().await;
    let request = talk
        .world
        .client
        .post(talk.world.url("/talk.v1.TalkService/Echo"))
        .header("content-type", TEXT)
        .body("****");
    let body = request.send().await.unwrap().bytes().await.unwrap();
    let (words, trailers) = read(&decoded(&body));
    assert!(
        words.is_empty() && !trailers.contains("grpc-status: 0\r\n"),
        "{trailers}"
    );
}

#[tokio::test]
async fn other_codecs_are_refused() {
    let talk = Talk::start().await;
    let request = talk
        .world
        .client
        .post(talk.world.url("/talk.v1.TalkService/Echo"))
        .header("content-type", "application/grpc-web+json")
        .body("{}");
    let body = request.send().await.unwrap().bytes().await.unwrap();
    let (_, trailers) = read(&body);
    assert!(trailers.contains("grpc-status: 12\r\n"), "{trailers}");
}
