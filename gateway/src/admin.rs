//! `banyan.rollout.v1.RolloutService`: how migrations are watched and steered.
//!
//! The edge between the contract and [`Rollouts`]: it checks what callers send, says everything that is wrong at once,
//! and words what was refused in codes and `google.rpc` details that programs can act on. It decides nothing.
//!
//! It belongs on the ops port alone. Who may call it is that port's business; the `actor` is what the caller says of
//! itself, for the record.

mod check;
mod compared;
mod convert;
mod page;
mod refusal;
mod settings;
mod watch;

use banyan_proto::rollout::v1::{
    AbortRolloutRequest, ClearRolloutDifferencesRequest, ClearRolloutDifferencesResponse,
    ConfigureRolloutRequest, ExplainRolloutRequest, ExplainRolloutResponse, GetRolloutRequest,
    ListRolloutChangesRequest, ListRolloutChangesResponse, ListRolloutDifferencesRequest,
    ListRolloutDifferencesResponse, ListRolloutsRequest, ListRolloutsResponse, PauseRolloutRequest,
    PromoteRolloutRequest, ReconcileRolloutRequest, ReconcileRolloutResponse, ResumeRolloutRequest,
    Rollout, SetRolloutPercentRequest, SetRolloutRequest, UnsetRolloutPercentRequest,
    VerifyRolloutRequest, VerifyRolloutResponse, WatchRolloutsRequest,
    rollout_service_server::{RolloutService, RolloutServiceServer},
};
use banyan_rollout::{BackTo, Command, Owner, Percent, Stage};
use jiff::Timestamp;
use tonic::{Request, Response, Status};

pub(crate) use self::convert::{owner_name, stage_name};
use self::{
    check::Check,
    page::Page,
    watch::{Gallery, Watch},
};
use crate::{
    rollouts::{Carried, Operator, Question, Rollouts},
    store::{Action, Reached},
};

/// The service, ready to be added to a server.
#[must_use]
pub fn service(rollouts: Rollouts) -> RolloutServiceServer<Admin> {
    RolloutServiceServer::new(Admin {
        rollouts,
        gallery: Gallery::new(),
    })
}

/// The implementation behind [`service`].
#[derive(Clone, Debug)]
pub struct Admin {
    rollouts: Rollouts,
    gallery: Gallery,
}

impl Admin {
    async fn command(
        &self,
        check: Check,
        name: &str,
        action: Action,
        commands: &[Command],
        operator: Operator,
    ) -> Result<Response<Rollout>, Status> {
        check.done()?;
        let rollout = self
            .rollouts
            .command(name, action, commands, operator)
            .await
            .map_err(refusal::of)?;
        Ok(Response::new(convert::rollout(rollout)))
    }
}

#[tonic::async_trait]
impl RolloutService for Admin {
    type WatchRolloutsStream = Watch;

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
        Ok(Response::new(match self.rollouts.data(&name).await {
            Some(data) => settings::with_data(rollout, data),
            None => convert::rollout(rollout),
        }))
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
        let set = [Command::SetPercent(percent)];
        self.command(check, &name, Action::Set, &set, operator)
            .await
    }

    async fn unset_rollout_percent(
        &self,
        request: Request<UnsetRolloutPercentRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        let operator = Operator {
            is_forced: check.forced(request.force, &request.reason),
            ..operator(&mut check, request.actor, request.reason, &request.etag)
        };
        let unset = [Command::UnsetPercent];
        self.command(check, &name, Action::Unset, &unset, operator)
            .await
    }

    async fn set_rollout(
        &self,
        request: Request<SetRolloutRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        let set = commands(
            check.stage(request.stage),
            check.writes(request.write_owner),
            check.optional_percent(request.percent),
        );
        let operator = Operator {
            is_forced: check.forced(request.force, &request.reason),
            is_confirmed: request.confirm_one_way,
            ..operator(&mut check, request.actor, request.reason, &request.etag)
        };
        self.command(check, &name, Action::Set, &set, operator)
            .await
    }

    async fn configure_rollout(
        &self,
        request: Request<ConfigureRolloutRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let mut request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        let wanted = settings::adjustment(&mut check, &mut request);
        let operator = operator(&mut check, request.actor, request.reason, &request.etag);
        check.done()?;
        let rollout = self.rollouts.adjust(&name, wanted, operator).await;
        Ok(Response::new(convert::rollout(
            rollout.map_err(refusal::of)?,
        )))
    }

    async fn promote_rollout(
        &self,
        request: Request<PromoteRolloutRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        let operator = Operator {
            is_forced: check.forced(request.force, &request.reason),
            is_confirmed: request.confirm_one_way,
            ..operator(&mut check, request.actor, request.reason, &request.etag)
        };
        let commands = [Command::Promote];
        self.command(check, &name, Action::Promote, &commands, operator)
            .await
    }

    async fn pause_rollout(
        &self,
        request: Request<PauseRolloutRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        let operator = operator(&mut check, request.actor, request.reason, &request.etag);
        let commands = [Command::Pause];
        self.command(check, &name, Action::Pause, &commands, operator)
            .await
    }

    async fn resume_rollout(
        &self,
        request: Request<ResumeRolloutRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        let operator = operator(&mut check, request.actor, request.reason, &request.etag);
        let commands = [Command::Resume];
        self.command(check, &name, Action::Resume, &commands, operator)
            .await
    }

    async fn abort_rollout(
        &self,
        request: Request<AbortRolloutRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        let back_to = match request.to_last_good {
            true => BackTo::LastGood,
            false => BackTo::Zero,
        };
        let operator = operator(&mut check, request.actor, request.reason, &request.etag);
        let abort = [Command::Abort(back_to)];
        self.command(check, &name, Action::Abort, &abort, operator)
            .await
    }

    async fn explain_rollout(
        &self,
        request: Request<ExplainRolloutRequest>,
    ) -> Result<Response<ExplainRolloutResponse>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        let question = Question {
            subject: check.subject(request.subject),
            time: check.time(request.time, Timestamp::now()),
            is_write: request.write,
            facts: check.facts(request.facts),
            carried: Carried {
                pin: check.signed("pin", request.pin),
                wrote: check.signed("wrote_on", request.wrote_on),
                forced: check.side("force_side", &request.force_side),
            },
        };
        check.done()?;
        let (explanation, rollout) = self
            .rollouts
            .explain(&name, question)
            .await
            .map_err(refusal::of)?;
        let answer = convert::explanation(&name, explanation, rollout);
        Ok(Response::new(answer))
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

        let mut entries = self
            .rollouts
            .changes(&name, page.after, page.rows_to_read())
            .await
            .map_err(refusal::of)?;
        let next_page_token = page.cut(&mut entries, |entry| entry.number);
        Ok(Response::new(ListRolloutChangesResponse {
            changes: entries
                .into_iter()
                .map(|entry| convert::change(&name, entry))
                .collect(),
            next_page_token,
        }))
    }

    async fn verify_rollout(
        &self,
        request: Request<VerifyRolloutRequest>,
    ) -> Result<Response<VerifyRolloutResponse>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        check.done()?;
        let known = Some(request.known_hash.as_str()).filter(|known| !known.is_empty());
        let verdict = self
            .rollouts
            .verify(&name, known)
            .await
            .map_err(refusal::of)?;
        Ok(Response::new(convert::verdict(&name, verdict)))
    }

    async fn list_rollout_differences(
        &self,
        request: Request<ListRolloutDifferencesRequest>,
    ) -> Result<Response<ListRolloutDifferencesResponse>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("parent", &request.parent);
        let page: Page<Reached> = check.page(request.page_size, &request.page_token);
        check.done()?;
        let rows = page.rows_to_read();
        let found = self.rollouts.differences(&name, page.after.clone(), rows);
        let mut found = found.await.map_err(refusal::of)?;
        let next_page_token = page.cut(&mut found, |last| Reached::from(last));
        Ok(Response::new(ListRolloutDifferencesResponse {
            differences: found.into_iter().map(compared::difference).collect(),
            next_page_token,
        }))
    }

    async fn clear_rollout_differences(
        &self,
        request: Request<ClearRolloutDifferencesRequest>,
    ) -> Result<Response<ClearRolloutDifferencesResponse>, Status> {
        let mut check = Check::default();
        let name = check.rollout("parent", &request.into_inner().parent);
        check.done()?;
        let cleared = self.rollouts.forget_differences(&name).await;
        cleared.map_err(refusal::of)?;
        Ok(Response::new(ClearRolloutDifferencesResponse {}))
    }

    async fn reconcile_rollout(
        &self,
        request: Request<ReconcileRolloutRequest>,
    ) -> Result<Response<ReconcileRolloutResponse>, Status> {
        let request = request.into_inner();
        let mut check = Check::default();
        let name = check.rollout("name", &request.name);
        let page_size = check.page_size(request.page_size);
        check.done()?;
        let follower = self.rollouts.follower(&name).map_err(refusal::of)?;
        let follower = follower.ok_or_else(|| compared::no_follower(&name))?;
        let found = follower.reconcile(request.mend, page_size, request.page_token);
        Ok(Response::new(compared::reconciled(found.await?)))
    }

    async fn watch_rollouts(
        &self,
        request: Request<WatchRolloutsRequest>,
    ) -> Result<Response<Watch>, Status> {
        let mut check = Check::default();
        let interval = check.interval(request.into_inner().interval);
        check.done()?;
        let watch = self.gallery.watch(&self.rollouts, interval)?;
        Ok(Response::new(watch))
    }
}

/// An owner of writes alone is declared for the stage that the rollout is in by the store, whatever is shown of it here.
fn commands(stage: Option<Stage>, writes: Option<Owner>, percent: Option<Percent>) -> Vec<Command> {
    let set_stage = match (stage, writes) {
        (Some(stage), writes) => Some(Command::SetStage { stage, writes }),
        (None, writes) => writes.map(Command::SetWrites),
    };
    let set_percent = percent.map(Command::SetPercent);
    set_stage.into_iter().chain(set_percent).collect()
}

fn operator(check: &mut Check, actor: String, reason: String, etag: &str) -> Operator {
    Operator {
        actor: check.actor(actor),
        reason: check.reason(reason),
        expected_version: convert::version(etag),
        ..Operator::default()
    }
}
