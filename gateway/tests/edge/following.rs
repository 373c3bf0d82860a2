//! A follower that has much to take over, and much that differs: how that is shown, and compared to its end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use banyan_gateway::cli::{self, CliError};
use banyan_proto::follow::v1::{
    Authority, Capability, CatchUpRequest, CatchUpResponse, Difference, ReconcileRequest,
    ReconcileResponse, SetAuthorityRequest, SetAuthorityResponse, StatusRequest, StatusResponse,
    difference::Kind,
    follow_service_server::{FollowService, FollowServiceServer},
};
use serde_json::{Value, json};
use tonic::{Request, Response, Status};

use super::{
    operating::{done, json_of, parse},
    world::{World, answer, serve, until},
};

/// Entries that only its legacy system has; every other one cannot be mended.
const DIFFERENCES: usize = 2_500;

/// A follower in the middle of its first poll.
#[derive(Clone)]
struct Follower {
    /// Pages that it answers before its legacy system dies.
    pages: Arc<AtomicUsize>,
    /// Whether every difference can be mended.
    mends: bool,
}

#[tonic::async_trait]
impl FollowService for Follower {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Ok(Response::new(StatusResponse {
            healthy: false,
            poll_done: 1_200,
            poll_total: 4_000,
            adopted: 1_200,
            legacy_count: -1,
            authority: Authority::Legacy.into(),
            capabilities: vec![Capability::KeepsIds.into()],
            ..StatusResponse::default()
        }))
    }

    async fn catch_up(
        &self,
        _: Request<CatchUpRequest>,
    ) -> Result<Response<CatchUpResponse>, Status> {
        Err(Status::unavailable("the first poll is under way"))
    }

    async fn reconcile(
        &self,
        request: Request<ReconcileRequest>,
    ) -> Result<Response<ReconcileResponse>, Status> {
        let request = request.into_inner();
        let left = self
            .pages
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        left.map_err(|_| Status::unavailable("the legacy system is away"))?;
        let begin: usize = request.page_token.parse().unwrap_or_default();
        let size = usize::try_from(request.page_size).unwrap();
        let end = DIFFERENCES.min(begin + size);
        let differences = (begin..end).map(|id| Difference {
            id: id.to_string(),
            kind: Kind::MissingHere.into(),
            mended: request.mend && (self.mends || id % 2 == 0),
            ..Difference::default()
        });
        let differences: Vec<_> = differences.collect();
        let count = |count: usize| i64::try_from(count).unwrap();
        Ok(Response::new(ReconcileResponse {
            legacy_count: count(differences.len()),
            differences_count: count(differences.len()),
            mended_count: count(differences.iter().filter(|it| it.mended).count()),
            differences,
            next_page_token: match end {
                DIFFERENCES => String::new(),
                end => end.to_string(),
            },
            ..ReconcileResponse::default()
        }))
    }

    async fn set_authority(
        &self,
        _: Request<SetAuthorityRequest>,
    ) -> Result<Response<SetAuthorityResponse>, Status> {
        Ok(Response::new(SetAuthorityResponse::default()))
    }
}

/// A gateway in front of one whose legacy system dies after so many pages.
async fn world(pages: usize, mends: bool) -> (World, Arc<AtomicUsize>) {
    let follower = Follower {
        pages: Arc::new(AtomicUsize::new(pages)),
        mends,
    };
    let left = Arc::clone(&follower.pages);
    let service = FollowServiceServer::new(follower);
    let address = serve(tonic::service::Routes::new(service).into_axum_router()).await;
    let world = World::with(move |config| {
        let url = format!("http://{address}");
        config.set_upstream("south", url).unwrap();
        let items = config.rollouts.get_mut("items").unwrap();
        items.follow.as_mut().unwrap().upstream = "south".to_owned();
    })
    .await;
    (world, left)
}

/// What it printed, what it said meanwhile, and how it ended.
async fn typed(world: &World, line: &str) -> (String, String, Result<(), CliError>) {
    let url = format!("http://{}", world.gateway.ops);
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words.extend(["--ops-url", &url]);
    let (mut out, mut aside) = (Vec::new(), Vec::new());
    let ended = cli::run(parse(&words).unwrap(), &mut out, &mut aside).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out), text(aside), ended)
}

#[tokio::test]
async fn a_backfill_is_shown_wherever_a_rollout_is() {
    let (world, _) = world(0, true).await;
    const TOLD: &str = "backfill 1,200 of 4,000 items (30 %), lag unknown";
    let shown = done(&world, "show items").await;
    assert!(shown.contains(&format!("follower  {TOLD}\n")), "{shown}");
    assert!(shown.contains("entries   1,200 items here\n"), "{shown}");
    let want = json!({"doneCount": 1_200, "totalCount": 4_000});
    let shown = &json_of(&world, "show items").await["follower"];
    assert_eq!(
        (&shown["backfill"], &shown["collection"]),
        (&want, &json!("items"))
    );
    let rest = answer(world.ops("/v1/rollouts/items")).await.1;
    assert_eq!(rest["follower"]["backfill"]["doneCount"], "1200");
    assert_eq!(rest["follower"]["capabilities"], json!(["keeps-ids"]));

    // Those who watch hear what it said last.
    until("it was asked", || async {
        let watched = done(&world, "watch --count 1").await;
        watched.contains(&format!("items: follower {TOLD}\n"))
    })
    .await;
    let metrics = world.metrics().await;
    for line in [
        "gateway_rollout_follower_ready{rollout=\"items\"} 0",
        "gateway_rollout_follower_backfill_done{rollout=\"items\"} 1200",
        "gateway_rollout_follower_backfill_total{rollout=\"items\"} 4000",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("gateway_rollout_follower_lag_seconds{"));
}

#[tokio::test]
async fn how_far_behind_a_follower_is_can_be_watched() {
    let world = World::start().await;
    let lag = async || {
        let metrics = world.metrics().await;
        let name = "gateway_rollout_follower_lag_seconds{rollout=\"items\"} ";
        let lag = metrics.lines().find_map(|line| line.strip_prefix(name));
        let ready = "gateway_rollout_follower_ready{rollout=\"items\"} 1";
        lag.filter(|_| metrics.contains(ready))
            .map(|lag| lag.parse::<f64>().unwrap())
    };
    until("it is ready", async || lag().await.is_some()).await;
    let lag = lag().await.unwrap();
    assert!((0.0..60.0).contains(&lag), "{lag}");
}

#[tokio::test]
async fn any_number_of_differences_is_printed_and_counted() {
    let (world, _) = world(usize::MAX, false).await;
    let (out, aside, ended) = typed(&world, "reconcile items").await;
    assert_eq!(out.matches("missing here").count(), DIFFERENCES);
    let end = "items: 2500 entries in legacy, 0 in gRPC, 2500 differ, 0 mended\n";
    assert!(out.ends_with(end), "{out}");
    let so_far = "items: 1000 entries in legacy, 0 in gRPC, 1000 differ, 0 mended so far\n\
                  items: 2000 entries in legacy, 0 in gRPC, 2000 differ, 0 mended so far\n";
    assert_eq!(aside, so_far);
    let error = ended.unwrap_err();
    assert_eq!(error.exit_code(), 4);
    assert!(error.to_string().contains("in 2500 entries"), "{error}");

    // What could be mended is; the others are left.
    let (out, _, ended) = typed(&world, "reconcile items --mend --json").await;
    assert_eq!(ended.unwrap_err().exit_code(), 4);
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let differences = |line: &Value| line["differences"].as_array().unwrap().len();
    let told: Vec<usize> = lines.iter().map(differences).collect();
    assert_eq!(told, [1_000, 1_000, 500]);
    assert_eq!(
        (&lines[2]["differencesCount"], &lines[2]["mendedCount"]),
        (&json!(2_500), &json!(1_250))
    );
    assert_eq!(lines[2]["nextPageToken"], "");

    let page = json!({"mend": false, "pageSize": 2, "pageToken": "2498"});
    let url = format!("http://{}/v1/rollouts/items:reconcile", world.gateway.ops);
    let (status, last) = answer(world.client.post(&url).json(&page)).await;
    assert_eq!((status, &last["differencesCount"]), (200, &json!("2")));
    assert_eq!(last.get("nextPageToken"), None);
    let wrong = json!({"pageSize": -1});
    let (status, error) = answer(world.client.post(&url).json(&wrong)).await;
    assert_eq!(status, 400);
    assert!(error.to_string().contains("page_size"), "{error}");
}

#[tokio::test]
async fn a_comparison_that_is_broken_off_says_what_it_did_and_where_it_goes_on() {
    let (world, left) = world(2, true).await;
    let (out, _, ended) = typed(&world, "reconcile items --mend").await;
    assert_eq!(out.matches("missing here").count(), 2_000);
    let error = ended.unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert_eq!(
        error.to_string(),
        "the legacy system is away (Unavailable); until then items: 2000 entries in legacy, 0 in gRPC, 2000 differ, \
         2000 mended; `--page-token 2000` goes on there"
    );
    left.store(usize::MAX, Ordering::SeqCst);
    let (out, _, ended) = typed(&world, "reconcile items --mend --page-token 2000").await;
    ended.unwrap();
    let end = "items: 500 entries in legacy, 0 in gRPC, 500 differ, 500 mended\n";
    assert!(out.ends_with(end), "{out}");
    // Before anything was done there is nothing to tell.
    left.store(0, Ordering::SeqCst);
    let error = typed(&world, "reconcile items").await.2.unwrap_err();
    assert_eq!(error.to_string(), "the legacy system is away (Unavailable)");
}
