//! All rollouts watched: as lines and events over REST, by gRPC, with an end when the gateway ends and room for so many.

use std::time::Duration;

use banyan_mesh::client::{ClientSettings, channel};
use banyan_proto::rollout::v1::{
    WatchRolloutsRequest, WatchRolloutsResponse, rollout_service_client::RolloutServiceClient,
};
use serde_json::Value;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use super::world::{World, answer, until};

const LINES: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";
/// Those who may watch at once.
const ROOM: usize = 64;
/// The most that any wait may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A watch as somebody sees it who reads it piece by piece.
struct Reader {
    response: reqwest::Response,
    text: String,
}

impl Reader {
    async fn open(world: &World, accept: &str) -> Reader {
        let request = world.ops("/v1/rollouts:watch?interval=0.1s");
        let response = request.header("accept", accept).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], accept);
        Reader {
            response,
            text: String::new(),
        }
    }

    /// Reads until so many items have come, each of which ends with `end`.
    async fn items(&mut self, count: usize, end: &str) -> Vec<String> {
        while self.text.matches(end).count() < count {
            let piece = tokio::time::timeout(LIMIT, self.response.chunk()).await;
            let piece = piece.expect("in time").unwrap().expect("more to come");
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
        let items = self.text.split(end).take(count);
        items.map(str::to_owned).collect()
    }

    /// Reads to the end, of which nobody says that it is a good one.
    async fn rest(mut self) -> String {
        while let Ok(Some(piece)) = tokio::time::timeout(LIMIT, self.response.chunk())
            .await
            .expect("in time")
        {
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
        self.text
    }
}

async fn watch(world: &World) -> Result<Streaming<WatchRolloutsResponse>, Status> {
    let settings = ClientSettings::new(format!("http://{}", world.gateway.ops));
    let mut client = RolloutServiceClient::new(channel(&settings).unwrap());
    let answer = client.watch_rollouts(WatchRolloutsRequest::default()).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn rollouts_are_watched_as_lines_and_as_events() {
    let world = World::start().await;
    let mut lines = Reader::open(&world, LINES).await;
    let mut events = Reader::open(&world, EVENTS).await;
    let lines = lines.items(3, "\n").await;
    let events = events.items(3, "\n\n").await;
    let events = events
        .iter()
        .map(|event| event.strip_prefix("data: ").unwrap().to_owned());
    for item in lines.into_iter().chain(events) {
        let item: Value = serde_json::from_str(&item).unwrap();
        assert_eq!(item["rollouts"][0]["name"], "rollouts/items");
        assert!(item["readTime"].is_string());
    }

    let (status, error) = answer(world.ops("/v1/rollouts:watch?interval=0.01s")).await;
    assert_eq!(status, 400);
    assert!(
        error.to_string().contains("interval: 0.1 s to 60 s"),
        "{error}"
    );
    let document = answer(world.ops("/openapi.json")).await.1;
    let described = &document["paths"]["/v1/rollouts:watch"]["get"]["responses"]["200"]["content"];
    for form in [LINES, EVENTS] {
        assert!(described[form].is_object(), "{form} in {described}");
    }
}

#[tokio::test]
async fn who_watches_is_told_when_the_gateway_ends() {
    let world = World::start().await;
    let mut lines = Reader::open(&world, LINES).await;
    let mut events = Reader::open(&world, EVENTS).await;
    lines.items(1, "\n").await;
    events.items(1, "\n\n").await;
    let mut stream = watch(&world).await.unwrap();
    stream.message().await.unwrap().unwrap();
    let process = world.process().clone();
    let ended = tokio::spawn(async move { process.stop(LIMIT).await });

    let lines = lines.rest().await;
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let error = &last["error"];
    assert_eq!(error["status"], "UNAVAILABLE", "{last}");
    assert!(error["details"].to_string().contains("STOPPING"), "{last}");
    let events = events.rest().await;
    let (_, error) = events.split_once("event: error\ndata: ").unwrap();
    assert!(error.contains("the gateway is ending"), "{error}");
    let refused = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended as if that were all"),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code(), Code::Unavailable);
    ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn there_is_room_for_so_many_who_watch() {
    let world = World::start().await;
    let mut streams = Vec::new();
    for _ in 0..ROOM {
        streams.push(watch(&world).await.unwrap());
    }
    let refused = watch(&world).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let details = refused.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "TOO_MANY_WATCHERS");
    let (status, error) = answer(world.ops("/v1/rollouts:watch").header("accept", LINES)).await;
    assert_eq!(status, 429, "{error}");
    let metrics = world.metrics().await;
    assert!(
        metrics.contains("gateway_rollout_watchers_refused_total 2"),
        "{metrics}"
    );
    // Who goes makes room.
    streams.pop();
    until("there is room again", || async {
        watch(&world).await.is_ok()
    })
    .await;
}
