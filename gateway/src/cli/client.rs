//! The calls behind the commands. Lists are read to their end, page by page.

use std::{env, fs, time::Duration};

use banyan_mesh::client::{ClientSettings, channel};
use banyan_proto::rollout::v1::{
    AbortRolloutRequest, ClearRolloutDifferencesRequest, ClearRolloutDifferencesResponse,
    ConfigureRolloutRequest, ExplainRolloutRequest, ExplainRolloutResponse, GetRolloutRequest,
    ListRolloutChangesRequest, ListRolloutDifferencesRequest, ListRolloutDifferencesResponse,
    ListRolloutsRequest, PauseRolloutRequest, PromoteRolloutRequest, ReconcileRolloutRequest,
    ReconcileRolloutResponse, ResumeRolloutRequest, Rollout, RolloutChange,
    SetRolloutPercentRequest, SetRolloutRequest, UnsetRolloutPercentRequest, VerifyRolloutRequest,
    VerifyRolloutResponse, WatchRolloutsRequest, WatchRolloutsResponse,
    rollout_service_client::RolloutServiceClient,
};
use banyan_rollout::{Owner, Percent, Stage};
use tonic::{
    Request, Response, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use super::{ChangeArgs, CliError, ConnectionArgs, arguments::ForceArgs};
use crate::admin::{owner_name, stage_name};

/// A person waits at most this long for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// And for a page of a comparison.
const PAGE_PATIENCE: Duration = Duration::from_secs(60);
const PAGE_SIZE_MAX: i32 = 1_000;

/// What `set` sets; what is `None` stays.
pub(super) struct Wanted {
    pub(super) stage: Option<Stage>,
    pub(super) write_owner: Option<Owner>,
    pub(super) percent: Option<Percent>,
    pub(super) force: ForceArgs,
}

pub(super) struct Client {
    service: RolloutServiceClient<Channel>,
    authorization: Option<MetadataValue<Ascii>>,
    url: String,
}

impl Client {
    pub(super) fn new(args: &ConnectionArgs) -> Result<Self, CliError> {
        let settings = ClientSettings::new(args.ops_url.clone());
        let authorization = args.token.as_ref().map(|token| {
            let mut value = MetadataValue::try_from(format!("Bearer {}", token.expose()))
                .map_err(|_| CliError::Token)?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self {
            service: RolloutServiceClient::new(channel(&settings).map_err(CliError::Url)?),
            authorization: authorization.transpose()?,
            url: args.ops_url.clone(),
        })
    }

    pub(super) async fn list(&mut self) -> Result<Vec<Rollout>, CliError> {
        let (mut rollouts, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = self.request(ListRolloutsRequest {
                page_size: PAGE_SIZE_MAX,
                page_token,
            });
            let answer = self.service.list_rollouts(request).await;
            let page = self.answer(answer)?;
            rollouts.extend(page.rollouts);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(rollouts);
            }
        }
    }

    pub(super) async fn get(&mut self, rollout: &str) -> Result<Rollout, CliError> {
        let request = self.request(GetRolloutRequest {
            name: resource(rollout),
        });
        let answer = self.service.get_rollout(request).await;
        self.answer(answer)
    }

    /// The percentage alone is set by a call that gateways of earlier releases know too.
    pub(super) async fn set(
        &mut self,
        rollout: &str,
        wanted: Wanted,
        change: ChangeArgs,
    ) -> Result<Rollout, CliError> {
        let actor = change.actor.unwrap_or_else(user_of_this_machine);
        let answer = match wanted {
            Wanted {
                stage: None,
                write_owner: None,
                percent: Some(percent),
                force:
                    ForceArgs {
                        force: false,
                        confirm_one_way: false,
                    },
            } => {
                let request = self.request(SetRolloutPercentRequest {
                    name: resource(rollout),
                    percent: Some(percent.as_f64()),
                    actor,
                    reason: change.reason,
                    etag: change.etag,
                });
                self.service.set_rollout_percent(request).await
            }
            wanted => {
                let request = self.request(SetRolloutRequest {
                    name: resource(rollout),
                    stage: wanted.stage.map_or(0, |stage| stage_name(stage).into()),
                    write_owner: wanted
                        .write_owner
                        .map_or(0, |owner| owner_name(owner).into()),
                    percent: wanted.percent.map(Percent::as_f64),
                    force: wanted.force.force,
                    confirm_one_way: wanted.force.confirm_one_way,
                    actor,
                    reason: change.reason,
                    etag: change.etag,
                });
                self.service.set_rollout(request).await
            }
        };
        self.answer(answer)
    }

    pub(super) async fn unset(
        &mut self,
        rollout: &str,
        change: ChangeArgs,
        force: bool,
    ) -> Result<Rollout, CliError> {
        let request = self.request(UnsetRolloutPercentRequest {
            name: resource(rollout),
            actor: change.actor.unwrap_or_else(user_of_this_machine),
            reason: change.reason,
            etag: change.etag,
            force,
        });
        let answer = self.service.unset_rollout_percent(request).await;
        self.answer(answer)
    }

    pub(super) async fn configure(
        &mut self,
        rollout: &str,
        wanted: ConfigureRolloutRequest,
        change: ChangeArgs,
    ) -> Result<Rollout, CliError> {
        let request = self.request(ConfigureRolloutRequest {
            name: resource(rollout),
            actor: change.actor.unwrap_or_else(user_of_this_machine),
            reason: change.reason,
            etag: change.etag,
            ..wanted
        });
        let answer = self.service.configure_rollout(request).await;
        self.answer(answer)
    }

    pub(super) async fn promote(
        &mut self,
        rollout: &str,
        change: ChangeArgs,
        force: ForceArgs,
    ) -> Result<Rollout, CliError> {
        let request = self.request(PromoteRolloutRequest {
            name: resource(rollout),
            actor: change.actor.unwrap_or_else(user_of_this_machine),
            reason: change.reason,
            etag: change.etag,
            force: force.force,
            confirm_one_way: force.confirm_one_way,
        });
        let answer = self.service.promote_rollout(request).await;
        self.answer(answer)
    }

    pub(super) async fn pause(
        &mut self,
        rollout: &str,
        change: ChangeArgs,
    ) -> Result<Rollout, CliError> {
        let request = self.request(PauseRolloutRequest {
            name: resource(rollout),
            actor: change.actor.unwrap_or_else(user_of_this_machine),
            reason: change.reason,
            etag: change.etag,
        });
        let answer = self.service.pause_rollout(request).await;
        self.answer(answer)
    }

    pub(super) async fn resume(
        &mut self,
        rollout: &str,
        change: ChangeArgs,
    ) -> Result<Rollout, CliError> {
        let request = self.request(ResumeRolloutRequest {
            name: resource(rollout),
            actor: change.actor.unwrap_or_else(user_of_this_machine),
            reason: change.reason,
            etag: change.etag,
        });
        let answer = self.service.resume_rollout(request).await;
        self.answer(answer)
    }

    pub(super) async fn abort(
        &mut self,
        rollout: &str,
        change: ChangeArgs,
        to_last_good: bool,
    ) -> Result<Rollout, CliError> {
        let request = self.request(AbortRolloutRequest {
            name: resource(rollout),
            actor: change.actor.unwrap_or_else(user_of_this_machine),
            reason: change.reason,
            etag: change.etag,
            to_last_good,
        });
        let answer = self.service.abort_rollout(request).await;
        self.answer(answer)
    }

    pub(super) async fn verify(
        &mut self,
        rollout: &str,
        known_hash: String,
    ) -> Result<VerifyRolloutResponse, CliError> {
        let request = self.request(VerifyRolloutRequest {
            name: resource(rollout),
            known_hash,
        });
        let answer = self.service.verify_rollout(request).await;
        self.answer(answer)
    }

    pub(super) async fn differences(
        &mut self,
        rollout: &str,
        limit: u32,
    ) -> Result<ListRolloutDifferencesResponse, CliError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut all = ListRolloutDifferencesResponse::default();
        loop {
            let missing = i32::try_from(limit - all.differences.len()).unwrap_or(PAGE_SIZE_MAX);
            let request = self.request(ListRolloutDifferencesRequest {
                parent: resource(rollout),
                page_size: missing.min(PAGE_SIZE_MAX),
                page_token: all.next_page_token,
            });
            let answer = self.service.list_rollout_differences(request).await;
            let page = self.answer(answer)?;
            all.differences.extend(page.differences);
            all.next_page_token = page.next_page_token;
            if all.next_page_token.is_empty() || all.differences.len() >= limit {
                return Ok(all);
            }
        }
    }

    pub(super) async fn clear_differences(
        &mut self,
        rollout: &str,
    ) -> Result<ClearRolloutDifferencesResponse, CliError> {
        let request = self.request(ClearRolloutDifferencesRequest {
            parent: resource(rollout),
        });
        let answer = self.service.clear_rollout_differences(request).await;
        self.answer(answer)
    }

    /// A page of a comparison, which may take longer than other answers.
    pub(super) async fn reconcile(
        &mut self,
        rollout: &str,
        mend: bool,
        page_token: String,
    ) -> Result<ReconcileRolloutResponse, CliError> {
        let mut request = self.request(ReconcileRolloutRequest {
            name: resource(rollout),
            mend,
            page_size: PAGE_SIZE_MAX,
            page_token,
        });
        request.set_timeout(PAGE_PATIENCE);
        let answer = self.service.reconcile_rollout(request).await;
        self.answer(answer)
    }

    pub(super) async fn explain(
        &mut self,
        request: ExplainRolloutRequest,
    ) -> Result<ExplainRolloutResponse, CliError> {
        let request = self.request(ExplainRolloutRequest {
            name: resource(&request.name),
            ..request
        });
        let answer = self.service.explain_rollout(request).await;
        self.answer(answer)
    }

    /// Has no deadline: somebody looks for as long as they like.
    pub(super) async fn watch(
        &mut self,
        interval: Duration,
    ) -> Result<Streaming<WatchRolloutsResponse>, CliError> {
        let message = WatchRolloutsRequest {
            interval: interval.try_into().ok(),
        };
        let request = self.authorized(Request::new(message));
        let answer = self.service.watch_rollouts(request).await;
        self.answer(answer)
    }

    pub(super) async fn next(
        &self,
        answers: &mut Streaming<WatchRolloutsResponse>,
    ) -> Result<Option<WatchRolloutsResponse>, CliError> {
        let next = answers.message().await;
        next.map_err(|status| CliError::of(&self.url, status))
    }

    pub(super) async fn history(
        &mut self,
        rollout: &str,
        limit: u32,
    ) -> Result<Vec<RolloutChange>, CliError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut changes, mut page_token) = (Vec::new(), String::new());
        loop {
            let missing = i32::try_from(limit - changes.len()).unwrap_or(PAGE_SIZE_MAX);
            let request = self.request(ListRolloutChangesRequest {
                parent: resource(rollout),
                page_size: missing.min(PAGE_SIZE_MAX),
                page_token,
            });
            let answer = self.service.list_rollout_changes(request).await;
            let page = self.answer(answer)?;
            changes.extend(page.changes);
            page_token = page.next_page_token;
            if page_token.is_empty() || changes.len() >= limit {
                return Ok(changes);
            }
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(PATIENCE);
        self.authorized(request)
    }

    fn authorized<T>(&self, mut request: Request<T>) -> Request<T> {
        if let Some(authorization) = &self.authorization {
            request
                .metadata_mut()
                .insert("authorization", authorization.clone());
        }
        request
    }

    fn answer<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, CliError> {
        answer
            .map(Response::into_inner)
            .map_err(|status| CliError::of(&self.url, status))
    }
}

/// `movies` and `rollouts/movies` are the same to a person.
fn resource(rollout: &str) -> String {
    match rollout.strip_prefix("rollouts/") {
        Some(_) => rollout.to_owned(),
        None => format!("rollouts/{rollout}"),
    }
}

fn user_of_this_machine() -> String {
    let user = env::var("USER").unwrap_or_default();
    let user = if user.is_empty() { "unknown" } else { &user };
    let host = fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| fs::read_to_string("/etc/hostname"))
        .unwrap_or_default();
    match host.trim() {
        "" => user.to_owned(),
        host => format!("{user}@{host}"),
    }
}
