//! Calls that pass to their service.

use futures::{SinkExt as _, StreamExt as _, channel::mpsc, stream};
use tonic::{Code, Request};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

use super::talk::{Heard, Talk, Word, path, unary, word};
use crate::edge::world::{World, answer, until};

#[tokio::test]
async fn every_kind_of_method_passes() {
    let talk = Talk::start().await;
    let answer = talk.ask("Echo", "hello").await.unwrap().into_inner();
    assert_eq!(answer, word("hello", 1));

    let mut client = talk.client.clone();
    client.ready().await.unwrap();
    let request = Request::new(word("a", 3));
    let codec = ProstCodec::<Word, Word>::default();
    let words = client
        .server_streaming(request, path("Repeat"), codec)
        .await
        .unwrap();
    let words: Vec<_> = words
        .into_inner()
        .map(|word| word.unwrap().count)
        .collect()
        .await;
    assert_eq!(words, [0, 1, 2]);

    client.ready().await.unwrap();
    let request = Request::new(stream::iter(["a", "b", "c"].map(|text| word(text, 1))));
    let codec = ProstCodec::<Word, Word>::default();
    let joined = client
        .client_streaming(request, path("Join"), codec)
        .await
        .unwrap();
    assert_eq!(joined.into_inner(), word("abc", 3));

    client.ready().await.unwrap();
    let (mut say, said) = mpsc::channel(1);
    let codec = ProstCodec::<Word, Word>::default();
    let heard = client.streaming(Request::new(said), path("Chat"), codec);
    // The answer to each word is there before the next is said.
    say.send(word("0", 0)).await.unwrap();
    let mut heard = heard.await.unwrap().into_inner();
    for count in 0..3 {
        assert_eq!(heard.next().await.unwrap().unwrap().count, count);
        say.send(word("next", count + 1)).await.unwrap();
    }
    drop(say);
    assert_eq!(heard.next().await.unwrap().unwrap().count, 3);
    assert!(heard.next().await.is_none());
}

#[tokio::test]
async fn large_messages_pass_in_both_directions() {
    let talk = Talk::with(|config| config.listener.body_bytes_max = 8 * 1024 * 1024).await;
    let text = "x".repeat(5 * 1024 * 1024);
    let answer = talk.ask("Echo", &text).await.unwrap().into_inner();
    assert_eq!(answer.text, text);
}

#[tokio::test]
async fn errors_keep_their_details_and_metadata_but_nothing_for_debugging() {
    let talk = Talk::start().await;
    let status = talk.ask("Fail", "").await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::FailedPrecondition, "nothing to sáy")
    );
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "NO_WORDS");
    assert!(details.debug_info().is_none(), "{details:?}");
    assert_eq!(status.metadata().get("x-why").unwrap(), "because");

    let mut client = talk.client.clone();
    client.ready().await.unwrap();
    let request = Request::new(word("cut", 2));
    let codec = ProstCodec::<Word, Word>::default();
    let words = client
        .server_streaming(request, path("Repeat"), codec)
        .await
        .unwrap();
    let words: Vec<_> = words.into_inner().collect().await;
    assert!(words[0].is_ok() && words[1].is_ok());
    let status = words[2].as_ref().unwrap_err();
    assert_eq!(
        status.code(),
        Code::FailedPrecondition,
        "an error in mid-stream"
    );
}

#[tokio::test]
async fn what_is_not_mounted_is_not_there() {
    let talk = Talk::start().await;
    for path in [
        "/talk.v1.TalkService/Hidden",
        "/talk.v1.TalkService/Nothing",
        "/banyan.follow.v1.FollowService/CatchUp",
        "/banyan.rollout.v1.RolloutService/ListRollouts",
        "/regions/9/shop.v1.ShopService/GetItem",
    ] {
        let status = unary::<_, Word>(&talk.client, path, Request::new(word("", 0)));
        let status = status.await.unwrap_err();
        assert!(
            matches!(status.code(), Code::Unimplemented | Code::NotFound),
            "{path}: {status}"
        );
    }
    assert_eq!(talk.world.catch_ups(), 0);
}

#[tokio::test]
async fn metadata_passes_and_what_only_the_gateway_says_is_its_own() {
    let talk = Talk::start().await;
    let mut request = Request::new(word("", 0));
    let metadata = request.metadata_mut();
    metadata.insert("x-tenant", "seven".parse().unwrap());
    metadata.insert("x-banyan-guest", "somebody".parse().unwrap());
    metadata.insert("x-request-id", "mine".parse().unwrap());
    metadata.insert_bin(
        "custom-bin",
        tonic::metadata::MetadataValue::from_bytes(&[0, 1, 2]),
    );
    let answer = talk.ask_with::<_, Heard>("Told", request).await.unwrap();
    assert_eq!(answer.metadata().get("x-answered").unwrap(), "yes");
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "mine");
    let told = answer.into_inner().metadata;
    assert_eq!(told["x-tenant"], "seven");
    assert_eq!(told["custom-bin"], "AAEC");
    assert_eq!(told["x-request-id"], "mine");
    assert!(
        told.contains_key("traceparent") && !told.contains_key("x-banyan-guest"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_cell_is_called_under_its_prefix() {
    let world = World::start().await;
    let client = super::talk::client(&world).await;
    for (prefix, want) in [
        ("", "north"),
        ("/regions/1", "north"),
        ("/regions/2", "south"),
    ] {
        let path = format!("{prefix}/shop.v1.ShopService/GetItem");
        let item =
            unary::<_, crate::edge::shop::Item>(&client, &path, Request::new(word("items/7", 0)));
        assert_eq!(item.await.unwrap().into_inner().tags, [want], "{path}");
    }
}

#[tokio::test]
async fn guests_are_known_by_their_cookie_and_by_nothing_else() {
    let world = World::start().await;
    let client = super::talk::client(&world).await;
    let introduce = |cookie: Option<String>| {
        let mut request = Request::new(word("", 0));
        let metadata = request.metadata_mut();
        metadata.insert("x-banyan-guest", "stolen".parse().unwrap());
        if let Some(cookie) = cookie {
            metadata.insert("cookie", cookie.parse().unwrap());
        }
        unary::<_, Heard>(&client, "/shop.v1.ShopService/Introduce", request)
    };
    let first = introduce(None).await.unwrap();
    let cookie = first
        .metadata()
        .get("set-cookie")
        .unwrap()
        .to_str()
        .unwrap();
    let pair = cookie.split(';').next().unwrap().to_owned();
    let token = pair.split_once('=').unwrap().1.to_owned();
    assert_eq!(first.into_inner().metadata["x-banyan-guest"], token);
    let second = introduce(Some(format!("{pair}; theme=dark")))
        .await
        .unwrap();
    assert!(second.metadata().get("set-cookie").is_none());
    let told = second.into_inner().metadata;
    assert_eq!(
        (told["x-banyan-guest"].as_str(), told["cookie"].as_str()),
        (token.as_str(), "theme=dark")
    );

    let mut request = Request::new(word("", 0));
    request
        .metadata_mut()
        .insert("origin", "https://elsewhere.example".parse().unwrap());
    let status = unary::<_, Heard>(&client, "/shop.v1.ShopService/Introduce", request);
    assert_eq!(status.await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call_at_its_service() {
    let talk = Talk::start().await;
    let asking = talk.ask("Wait", "");
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(300), asking)
            .await
            .is_err()
    );
    until("the service sees that nobody waits", || async {
        talk.dropped() == 1
    })
    .await;

    let mut client = talk.client.clone();
    client.ready().await.unwrap();
    let request = Request::new(word("endless", -1));
    let codec = ProstCodec::<Word, Word>::default();
    let words = client
        .server_streaming(request, path("Repeat"), codec)
        .await
        .unwrap();
    let mut words = words.into_inner();
    assert_eq!(words.next().await.unwrap().unwrap().count, 0);
    drop(words);
    until("the service stops", || async { talk.dropped() == 2 }).await;
}

#[tokio::test]
async fn a_call_is_counted_by_its_own_status() {
    let talk = Talk::start().await;
    talk.ask("Echo", "").await.unwrap();
    talk.ask("Fail", "").await.unwrap_err();
    let line = |method: &str, status: &str| {
        format!(
            r#"gateway_requests_total{{listener="public",route="gRPC talk.v1.TalkService/{method}",side="",status="{status}"}} 1"#
        )
    };
    until("both are counted", || async {
        let metrics = talk.world.metrics().await;
        metrics.contains(&line("Echo", "2xx")) && metrics.contains(&line("Fail", "4xx"))
    })
    .await;
}

#[tokio::test]
async fn rest_is_served_beside() {
    let talk = Talk::start().await;
    let (status, body) = answer(
        talk.world
            .post("/v1/echo", &serde_json::json!({"text": "a"})),
    )
    .await;
    assert_eq!((status, &body["text"]), (200, &serde_json::json!("a")));
}
