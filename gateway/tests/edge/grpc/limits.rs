//! What one call may use, and for how long.

use std::time::{Duration, Instant};

use futures::{SinkExt as _, StreamExt as _, channel::mpsc, stream};
use http_body_util::BodyExt as _;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use super::{
    talk::{Heard, Talk, Word, path, word},
    web::framed,
};
use crate::edge::world::{nowhere, until};

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_and_a_stream_of_any_length_is_not() {
    let talk = Talk::start().await;
    let status = talk.ask("Echo", &"x".repeat(150_000)).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::ResourceExhausted, "a message is too large")
    );
    let mut client = talk.client.clone();
    client.ready().await.unwrap();
    let text = "x".repeat(50_000);
    let words = stream::iter((0..10).map(move |_| word(&text, 1)));
    let codec = ProstCodec::<Word, Word>::default();
    let joined = client
        .client_streaming(Request::new(words), path("Join"), codec)
        .await
        .unwrap();
    assert_eq!(joined.into_inner().count, 10);

    // In mid-stream, when the answer has begun.
    client.ready().await.unwrap();
    let (mut say, said) = mpsc::channel(1);
    say.send(word("a", 1)).await.unwrap();
    let codec = ProstCodec::<Word, Word>::default();
    let heard = client
        .streaming(Request::new(said), path("Chat"), codec)
        .await
        .unwrap();
    let mut heard = heard.into_inner();
    heard.next().await.unwrap().unwrap();
    say.send(word(&"x".repeat(150_000), 1)).await.unwrap();
    let status = heard.next().await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    until("both are counted", || async {
        talk.world
            .metrics()
            .await
            .contains(r#"gateway_limits_hit_total{listener="public",limit="body_bytes"}"#)
    })
    .await;
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_a_message_is_told() {
    let talk = Talk::start().await;
    let (mut pieces, body) = mpsc::channel::<Result<bytes::Bytes, std::io::Error>>(1);
    pieces
        .send(Ok(bytes::Bytes::from_static(b"\0\0\0\0\x09\x0a\x07hel")))
        .await
        .unwrap();
    let request = talk
        .world
        .client
        .post(talk.world.url("/talk.v1.TalkService/Echo"))
        .header("content-type", "application/grpc-web+proto")
        .body(reqwest::Body::wrap_stream(body));
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(
        answer.contains("grpc-status: 4") && answer.contains("did%20not%20come%20in%20time"),
        "{answer}"
    );
}

#[tokio::test]
async fn calls_beyond_the_limit_are_told_to_come_back() {
    let talk = Talk::with(|config| config.listener.concurrency_max = 1).await;
    let mut client = talk.client.clone();
    client.ready().await.unwrap();
    let (say, said) = mpsc::channel::<Word>(1);
    let mut say = say;
    say.send(word("a", 1)).await.unwrap();
    let codec = ProstCodec::<Word, Word>::default();
    let held = client
        .streaming(Request::new(said), path("Chat"), codec)
        .await
        .unwrap();
    let status = talk.ask("Echo", "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    drop((say, held));
    until("there is room again", || async {
        talk.ask("Echo", "").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn the_shorter_deadline_counts_and_the_service_is_told() {
    let talk = Talk::with(|config| {
        config.upstreams.get_mut("talk").unwrap().deadline_ms = 400;
    })
    .await;
    let begun = Instant::now();
    let status = talk.ask("Wait", "").await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "the route's");
    assert!(begun.elapsed() < Duration::from_millis(1_500));

    let mut request = Request::new(word("", 0));
    request.set_timeout(Duration::from_millis(100));
    let status = talk.ask_with::<_, Word>("Wait", request).await.unwrap_err();
    assert!(
        matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled),
        "the client's: {status}"
    );
    until("the service has been left", || async {
        talk.dropped() == 2
    })
    .await;

    let mut request = Request::new(word("", 0));
    request.set_timeout(Duration::from_secs(60));
    let told = talk.ask_with::<_, Heard>("Told", request).await.unwrap();
    let told = told.into_inner().metadata;
    let (digits, unit) = told["grpc-timeout"].split_at(told["grpc-timeout"].len() - 1);
    let count: u64 = digits.parse().unwrap();
    let micros = match unit {
        "n" => count / 1_000,
        "u" => count,
        other => panic!("{other}"),
    };
    assert!((1..=400_000).contains(&micros), "{told:?}");
}

#[tokio::test]
async fn a_stream_may_outlast_what_an_answer_may_take() {
    let talk = Talk::with(|config| {
        config.upstreams.get_mut("talk").unwrap().deadline_ms = 200;
    })
    .await;
    let mut client = talk.client.clone();
    client.ready().await.unwrap();
    let said = stream::unfold(0, |count| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        (count < 5).then(|| (word("a", count), count + 1))
    });
    let codec = ProstCodec::<Word, Word>::default();
    let heard = client
        .streaming(Request::new(said), path("Chat"), codec)
        .await
        .unwrap();
    let heard: Vec<_> = heard.into_inner().collect().await;
    assert!(
        heard.len() == 5 && heard.iter().all(Result::is_ok),
        "{heard:?}"
    );

    // By hand: a client of gRPC would end the call by itself.
    let request = talk
        .world
        .client
        .post(talk.world.url("/talk.v1.TalkService/Repeat"))
        .header("content-type", "application/grpc-web+proto")
        .header("grpc-timeout", "300m")
        .body(framed(&word("endless", -1)));
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    let end = String::from_utf8_lossy(&answer[answer.len().saturating_sub(500)..]).into_owned();
    assert!(end.contains("grpc-status: 4"), "{end}");
}

#[tokio::test]
async fn a_slow_reader_slows_the_service_down() {
    let talk = Talk::start().await;
    let mut client = talk.client.clone();
    client.ready().await.unwrap();
    let request = Request::new(word(&"x".repeat(10_000), 10_000));
    let codec = ProstCodec::<Word, Word>::default();
    let words = client
        .server_streaming(request, path("Repeat"), codec)
        .await
        .unwrap();
    let mut words = words.into_inner();
    words.next().await.unwrap().unwrap();
    // A hundred megabytes are on their way, and nobody's memory holds them: the service is not done.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(talk.dropped(), 0);
    let rest: Vec<_> = words.collect().await;
    assert_eq!(rest.len(), 9_999);
}

#[tokio::test]
async fn a_service_that_is_away_is_named_without_its_address() {
    let away = nowhere().await;
    let talk = Talk::with(|config| config.set_upstream("talk", &away).unwrap()).await;
    let status = talk.ask("Echo", "").await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "talk cannot be reached")
    );
}

#[tokio::test]
async fn grpc_over_http_1_is_told_what_to_do() {
    let talk = Talk::start().await;
    let request = talk
        .world
        .client
        .post(talk.world.url("/talk.v1.TalkService/Echo"))
        .header("content-type", "application/grpc")
        .body("\0\0\0\0\0");
    let response = http::Response::from(request.send().await.unwrap());
    assert_eq!(response.headers()["grpc-status"], "12");
    let message = response.headers()["grpc-message"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(message.contains("HTTP/2"), "{message}");
    assert!(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
}
