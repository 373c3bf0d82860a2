//! The data behind a rollout: who gives its ids in which stage, and what is declared about the old system.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use banyan_gateway::config::Config;
use banyan_mesh::client::{ClientSettings, channel};
use banyan_proto::{
    follow::v1::{
        Authority, Capability, CatchUpRequest, CatchUpResponse, ReconcileRequest,
        ReconcileResponse, SetAuthorityRequest, SetAuthorityResponse, StatusRequest,
        StatusResponse,
        follow_service_server::{FollowService, FollowServiceServer},
    },
    rollout::v1::{
        AbortRolloutRequest, GetRolloutRequest, Rollout, SetRolloutRequest,
        follower_state::Readiness, rollout::Stage, rollout_service_client::RolloutServiceClient,
    },
};
use jiff::Timestamp;
use tonic::{Code, Request, Response, Status, transport::Channel};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::world::{World, serve};

/// A follower that says what a test lets it say.
#[derive(Clone, Default)]
pub(super) struct Follower {
    /// It has not caught up.
    pub(super) is_behind: Arc<AtomicBool>,
    authority: Arc<Mutex<Authority>>,
    keeps_ids: bool,
    handed: Arc<AtomicUsize>,
    /// Its legacy system is away.
    is_away: Arc<Mutex<bool>>,
}

#[tonic::async_trait]
impl FollowService for Follower {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let keeps_ids = self.keeps_ids.then_some(Capability::KeepsIds);
        let capabilities = [Some(Capability::ChangeFeed), keeps_ids];
        let now = Timestamp::now();
        Ok(Response::new(StatusResponse {
            healthy: !self.is_behind.load(Ordering::SeqCst),
            last_poll_time: Some(prost_types::Timestamp {
                seconds: now.as_second(),
                nanos: 0,
            }),
            authority: (*self.authority.lock().unwrap()).into(),
            capabilities: capabilities.into_iter().flatten().map(Into::into).collect(),
            ..StatusResponse::default()
        }))
    }

    async fn catch_up(
        &self,
        _: Request<CatchUpRequest>,
    ) -> Result<Response<CatchUpResponse>, Status> {
        Ok(Response::new(CatchUpResponse::default()))
    }

    async fn reconcile(
        &self,
        _: Request<ReconcileRequest>,
    ) -> Result<Response<ReconcileResponse>, Status> {
        Ok(Response::new(ReconcileResponse::default()))
    }

    async fn set_authority(
        &self,
        request: Request<SetAuthorityRequest>,
    ) -> Result<Response<SetAuthorityResponse>, Status> {
        if *self.is_away.lock().unwrap() {
            let details = ErrorDetails::with_error_info("MONOLITH_UNAVAILABLE", "shop", []);
            let message = "failed to copy what was created here";
            return Err(Status::with_error_details(
                Code::Unavailable,
                message,
                details,
            ));
        }
        *self.authority.lock().unwrap() = request.into_inner().authority();
        self.handed.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(SetAuthorityResponse::default()))
    }
}

impl Follower {
    pub(super) fn new(keeps_ids: bool) -> Self {
        Self {
            authority: Arc::new(Mutex::new(Authority::Legacy)),
            keeps_ids,
            ..Self::default()
        }
    }

    fn authority(&self) -> Authority {
        *self.authority.lock().unwrap()
    }

    /// A gateway in front of it, whose gateway.toml says that of the old system.
    async fn world(&self, declared: Option<bool>) -> World {
        self.world_with(|config| {
            config.rollouts.get_mut("items").unwrap().legacy.keeps_ids = declared;
        })
        .await
    }

    /// A gateway in front of it, with another configuration.
    pub(super) async fn world_with(&self, change: impl FnOnce(&mut Config)) -> World {
        let service = FollowServiceServer::new(self.clone());
        let router = tonic::service::Routes::new(service).into_axum_router();
        let address = serve(router).await;
        World::with(move |config| {
            config
                .set_upstream("south", format!("http://{address}"))
                .unwrap();
            let items = config.rollouts.get_mut("items").unwrap();
            items.follow.as_mut().unwrap().upstream = "south".to_owned();
            change(config);
        })
        .await
    }
}

/// Waits for it: not before the stage is settled everywhere.
async fn handed_over(follower: &Follower, authority: Authority) {
    let patience = async {
        while follower.authority() != authority {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), patience).await;
    assert!(waited.is_ok(), "never {authority:?}");
}

fn client(world: &World) -> RolloutServiceClient<Channel> {
    let settings = ClientSettings::new(format!("http://{}", world.gateway.ops));
    RolloutServiceClient::new(channel(&settings).unwrap())
}

async fn show(world: &World) -> Rollout {
    let request = GetRolloutRequest {
        name: "rollouts/items".to_owned(),
    };
    let answer = client(world).get_rollout(request).await.unwrap();
    answer.into_inner()
}

async fn go(world: &World, stage: Stage, confirmed: bool) -> Result<Rollout, Status> {
    let request = SetRolloutRequest {
        name: "rollouts/items".to_owned(),
        stage: stage.into(),
        percent: (stage == Stage::Split).then_some(100.0),
        actor: "ada".to_owned(),
        reason: "try".to_owned(),
        force: true,
        confirm_one_way: confirmed,
        ..SetRolloutRequest::default()
    };
    let answer = client(world).set_rollout(request).await?;
    Ok(answer.into_inner())
}

fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details.error_info().unwrap().reason.clone()
}

#[tokio::test]
async fn the_grpc_side_gives_the_ids_in_the_last_stage_only() {
    let follower = Follower::new(true);
    let world = follower.world(None).await;
    go(&world, Stage::Split, false).await.unwrap();
    // Declared where the old system is followed: there is a way back, and nothing to confirm.
    go(&world, Stage::Grpc, false).await.unwrap();
    assert_eq!(
        follower.authority(),
        Authority::Legacy,
        "not before it is so everywhere"
    );
    let told = show(&world).await.follower.unwrap();
    assert!(told.warnings[0].contains("handed over shortly"), "{told:?}");
    handed_over(&follower, Authority::Own).await;
    let told = show(&world).await.follower.unwrap();
    assert_eq!(
        (told.authority.as_str(), told.readiness()),
        ("own", Readiness::Ready)
    );
    assert_eq!(told.warnings, [""; 0]);

    // The way back is taken once the old system has everything.
    *follower.is_away.lock().unwrap() = true;
    let refused = go(&world, Stage::Split, false).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::Unavailable, "MONOLITH_UNAVAILABLE")
    );
    assert!(refused.message().contains("failed to copy"), "{refused}");
    assert_eq!(show(&world).await.stage(), Stage::Grpc);
    *follower.is_away.lock().unwrap() = false;
    let abort = AbortRolloutRequest {
        name: "rollouts/items".to_owned(),
        actor: "ada".to_owned(),
        reason: "back".to_owned(),
        ..AbortRolloutRequest::default()
    };
    let back = client(&world).abort_rollout(abort).await.unwrap();
    assert_eq!(back.get_ref().stage(), Stage::Split);
    assert_eq!(follower.authority(), Authority::Legacy);
    assert_eq!(follower.handed.load(Ordering::SeqCst), 2);

    // Somebody ended in the middle: it is told, and mended by the next that starts.
    *follower.authority.lock().unwrap() = Authority::Returning;
    let told = show(&world).await.follower.unwrap();
    assert!(
        told.warnings[0].contains("legacy gets what is missing"),
        "{told:?}"
    );
    drop(world);
    let _world = follower.world(None).await;
    handed_over(&follower, Authority::Legacy).await;
}

#[tokio::test]
async fn without_kept_ids_the_last_stage_is_one_way_and_says_so() {
    // Neither of both, only the one, only the other.
    for (here, there) in [(None, false), (Some(true), false), (Some(false), true)] {
        let follower = Follower::new(there);
        let world = follower.world(here).await;
        go(&world, Stage::Split, false).await.unwrap();
        let told = show(&world).await.follower.unwrap();
        let is_told = told.warnings.iter().any(|it| it.contains("one-way"));
        assert_eq!(is_told, here.is_some(), "{told:?}");
        let mut want = vec!["change-feed"];
        want.extend(there.then_some("keeps-ids"));
        assert_eq!(told.capabilities, want);
        let refused = go(&world, Stage::Grpc, false).await.unwrap_err();
        assert_eq!(reason(&refused), "ONE_WAY", "{here:?} {there}");
        go(&world, Stage::Grpc, true).await.unwrap();
        let refused = go(&world, Stage::Split, true).await.unwrap_err();
        assert_eq!(reason(&refused), "NO_WAY_BACK", "{here:?} {there}");
    }
}

#[tokio::test]
async fn a_follower_that_cannot_be_asked_declares_nothing() {
    let world = World::with(|config| {
        let items = config.rollouts.get_mut("items").unwrap();
        items.follow.as_mut().unwrap().upstream = "south".to_owned();
        items.legacy.keeps_ids = Some(true);
        config.set_upstream("south", "http://127.0.0.1:1").unwrap();
    })
    .await;
    let told = show(&world).await.follower.unwrap();
    assert_eq!(
        (told.readiness(), told.warnings.len()),
        (Readiness::Unknown, 1)
    );
    go(&world, Stage::Split, false).await.unwrap();
    let refused = go(&world, Stage::Grpc, false).await.unwrap_err();
    assert_eq!(reason(&refused), "ONE_WAY");
}
