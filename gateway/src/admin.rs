//! `banyan.rollout.v1.RolloutService`: how migrations are watched and steered.
//!
//! The edge between the contract and [`Rollouts`]: it checks what callers send, says everything that is wrong at once,
//! and words what was refused in codes and `google.rpc` details that programs can act on. It decides nothing.
//!
//! It belongs on the ops port alone. Who may call it is that port's business; the `actor` is what the caller says of
//! itself, for the record.

mod check;
mod convert;
mod page;
mod refusal;

use banyan_proto::rollout::v1::{
    GetRolloutRequest, ListRolloutChangesRequest, ListRolloutChangesResponse, ListRolloutsRequest,
    ListRolloutsResponse, Rollout, SetRolloutPercentRequest, UnsetRolloutPercentRequest,
    rollout_service_server::{RolloutService, RolloutServiceServer},
};
use tonic::{Request, Response, Status};

use self::{check::Check, page::Page};
use crate::rollouts::{Operator, Rollouts};

/// The service, ready to be added to a server.
#[must_use]
pub fn service(rollouts: Rollouts) -> RolloutServiceServer<Admin> {
    RolloutServiceServer::new(Admin { rollouts })
}

/// The implementation behind [`service`].
#[derive(Clone, Debug)]
pub struct Admin {
    rollouts: Rollouts,
}

#[tonic::async_trait]
impl RolloutService for Admin {
    async fn list_rollouts(
        &self,
        request: Request<ListRolloutsRequest>,
    ) -> Result<Response<ListRolloutsResponse>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let page: Page<String> = check.page(request.page_size, &request.page_token);
        check.done()?;

        let mut rollouts = self.rollouts.snapshot();
        if let Some(after) = &page.after {
            rollouts.retain(|rollout| rollout.name > *after);
        }
        let next_page_token = page.cut(&mut rollouts, |rollout| rollout.name.clone());
        Ok(Response::new(ListRolloutsResponse {
            rollouts: rollouts.into_iter().map(convert::rollout).collect(),
            next_page_token,
        }))
    }

    async fn get_rollout(
        &self,
        request: Request<GetRolloutRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        check.done()?;

        let rollout = self
            .rollouts
            .get(&name)
            .ok_or_else(|| refusal::no_such_rollout(&name))?;
        Ok(Response::new(convert::rollout(rollout)))
    }

    async fn set_rollout_percent(
        &self,
        request: Request<SetRolloutPercentRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        let percent = check.percent(request.percent);
        let operator = operator(&mut check, request.actor, request.reason, &request.etag);
        check.done()?;

        let rollout = self
            .rollouts
            .set_percent(&name, percent, operator)
            .await
            .map_err(refusal::of)?;
        Ok(Response::new(convert::rollout(rollout)))
    }

    async fn unset_rollout_percent(
        &self,
        request: Request<UnsetRolloutPercentRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        let operator = operator(&mut check, request.actor, request.reason, &request.etag);
        check.done()?;

        let rollout = self
            .rollouts
            .unset_percent(&name, operator)
            .await
            .map_err(refusal::of)?;
        Ok(Response::new(convert::rollout(rollout)))
    }

    async fn list_rollout_changes(
        &self,
        request: Request<ListRolloutChangesRequest>,
    ) -> Result<Response<ListRolloutChangesResponse>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("parent", &request.parent);
        let page: Page<u64> = check.page(request.page_size, &request.page_token);
        check.done()?;

        let mut changes = self
            .rollouts
            .changes(&name, page.after, page.rows_to_read())
            .await
            .map_err(refusal::of)?;
        let next_page_token = page.cut(&mut changes, |change| change.version);
        Ok(Response::new(ListRolloutChangesResponse {
            changes: changes
                .into_iter()
                .map(|change| convert::change(&name, change))
                .collect(),
            next_page_token,
        }))
    }
}

fn operator(check: &mut Check, actor: String, reason: String, etag: &str) -> Operator {
    Operator {
        actor: check.actor(actor),
        reason: check.reason(reason),
        expected_version: convert::version(etag),
    }
}
