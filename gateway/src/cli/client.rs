//! The calls behind the commands. Lists are read to their end, page by page.

use std::{env, fs, time::Duration};

use banyan_mesh::client::{ClientSettings, channel};
use banyan_proto::rollout::v1::{
    GetRolloutRequest, ListRolloutChangesRequest, ListRolloutsRequest, Rollout, RolloutChange,
    SetRolloutPercentRequest, UnsetRolloutPercentRequest,
    rollout_service_client::RolloutServiceClient,
};
use banyan_rollout::Percent;
use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use super::{ChangeArgs, CliError, ConnectionArgs};

/// A person waits at most this long for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
const PAGE_SIZE_MAX: i32 = 1_000;

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

    pub(super) async fn set(
        &mut self,
        rollout: &str,
        percent: Percent,
        change: ChangeArgs,
    ) -> Result<Rollout, CliError> {
        let request = self.request(SetRolloutPercentRequest {
            name: resource(rollout),
            percent: Some(percent.as_f64()),
            actor: change.actor.unwrap_or_else(user_of_this_machine),
            reason: change.reason,
            etag: change.etag,
        });
        let answer = self.service.set_rollout_percent(request).await;
        self.answer(answer)
    }

    pub(super) async fn unset(
        &mut self,
        rollout: &str,
        change: ChangeArgs,
    ) -> Result<Rollout, CliError> {
        let request = self.request(UnsetRolloutPercentRequest {
            name: resource(rollout),
            actor: change.actor.unwrap_or_else(user_of_this_machine),
            reason: change.reason,
            etag: change.etag,
        });
        let answer = self.service.unset_rollout_percent(request).await;
        self.answer(answer)
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
