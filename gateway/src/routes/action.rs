//! What a single `[[routes]]` does, compiled.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use banyan_transcode::{Comparer, HttpRule, RequestView, Reverse, Transcoder};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, uri::PathAndQuery};
use prost_reflect::MethodDescriptor;

use super::{
    Absent, Action, Fixed, Split, Validation,
    compile::{Compiler, rule_of},
};
use crate::{
    config::RouteConfig, deadline::Cap, follow::Follower, metadata::Allowed, profile::Profile,
    safety::Safety, transcoded::Call, upstreams::GrpcUpstream,
};

impl Compiler<'_> {
    pub(super) fn action(
        &self,
        route: &RouteConfig,
        method: Option<&Method>,
        profile: &Profile,
    ) -> anyhow::Result<Action> {
        match (&route.rpc, &route.forward, &route.fixed, &route.redirect) {
            (Some(rpc), None, None, None) => {
                let method = method.context("`rpc` needs `methods`")?;
                self.rpc(route, rpc, &rule_of(route, method)?, profile)
            }
            (None, Some(forward), None, None) => Ok(Action::Forward(
                self.upstreams.http("forward", forward)?.clone(),
            )),
            (None, None, Some(fixed), None) => Ok(Action::Fixed(Fixed {
                status: status(fixed.status)?,
                content_type: Some(
                    HeaderValue::try_from(&fixed.content_type)
                        .context("content_type is no header")?,
                ),
                location: None,
                body: Bytes::from(fixed.body.clone()),
            })),
            (None, None, None, Some(redirect)) => Ok(Action::Fixed(Fixed {
                status: StatusCode::TEMPORARY_REDIRECT,
                content_type: None,
                location: Some(HeaderValue::try_from(redirect).context("redirect is no header")?),
                body: Bytes::new(),
            })),
            _ => bail!("exactly one of `rpc`, `forward`, `fixed` and `redirect` is needed"),
        }
    }

    fn rpc(
        &self,
        route: &RouteConfig,
        rpc: &str,
        rule: &HttpRule,
        profile: &Profile,
    ) -> anyhow::Result<Action> {
        let upstream = self
            .upstreams
            .grpc("upstream", route.upstream.as_deref().unwrap_or_default())?;
        let method = self.sets.method(rpc)?;
        let call = match &method {
            None => Err(self.absent(rpc)),
            Some(method) => Ok(self.call(route, upstream, method, rule, profile)?),
        };
        match (&route.rollout, &route.legacy) {
            (None, None) => Ok(match call {
                Ok(call) => Action::Call(Box::new(call)),
                Err(absent) => Action::Absent(absent),
            }),
            (Some(rollout), Some(legacy)) => {
                let allowances = self
                    .config
                    .rollouts
                    .get(rollout)
                    .map(|it| it.shadow.allowances());
                let safety = Safety::new(route.safe, method.as_ref());
                let is_write = rule.method.as_ref().is_some_and(|it| !safety.is_safe(it));
                let validation = method
                    .as_ref()
                    .filter(|_| is_write)
                    .and_then(|method| validation(method, rule, &route.query, profile));
                let comparer = method.zip(allowances).map(|(method, allowances)| {
                    Comparer::new(&method, &rule.response_body, &profile.json, allowances)
                });
                self.split(rollout, legacy, call, comparer, validation)
            }
            _ => bail!("`rollout` and `legacy` belong together"),
        }
    }

    fn call(
        &self,
        route: &RouteConfig,
        upstream: &GrpcUpstream,
        method: &MethodDescriptor,
        rule: &HttpRule,
        profile: &Profile,
    ) -> anyhow::Result<Call> {
        let mut call = call(upstream, method, rule, profile)?;
        call.guest = route.guest;
        let metadata = Allowed::new(&route.request_headers, &route.response_headers);
        call.metadata = call.metadata.and(&metadata);
        call.error_bodies = route
            .error_bodies
            .iter()
            .map(|(code, body)| (*code, Bytes::from(body.clone())))
            .collect();
        if let Some(success) = route.success_status {
            call.success = status(success)?;
        }
        if let Some(deadline_ms) = route.deadline_ms {
            call.deadline = Cap::new(Duration::from_millis(deadline_ms));
            call.stream_deadline = call.deadline.clone();
        }
        Ok(call)
    }

    fn split(
        &self,
        rollout: &str,
        legacy: &str,
        grpc: Result<Call, Absent>,
        comparer: Option<Comparer>,
        validation: Option<Validation>,
    ) -> anyhow::Result<Action> {
        let known = || {
            self.config
                .rollouts
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        };
        let config = self.config.rollouts.get(rollout);
        let config = config.with_context(|| {
            format!(
                "rollout = {rollout:?}: there is no such rollout; there are: {}",
                known()
            )
        })?;
        let follower = match &config.follow {
            None => None,
            Some(follow) => {
                let upstream = self.upstreams.grpc("follow.upstream", &follow.upstream)?;
                Some(Follower::new(
                    upstream.service.clone(),
                    &follow.collection,
                    follow.timeout_ms,
                ))
            }
        };
        let legacy = self.upstreams.http("legacy", legacy)?.clone();
        Ok(Action::Split(Arc::new(Split {
            rollout: rollout.to_owned(),
            grpc,
            legacy,
            follower,
            shares_data: config.shares_data,
            comparer,
            validation,
            legacy_validates: config.legacy.honours_validate_only,
        })))
    }
}

/// How a write is sent to be validated only; `None` for what cannot be.
fn validation(
    method: &MethodDescriptor,
    rule: &HttpRule,
    query: &[String],
    profile: &Profile,
) -> Option<Validation> {
    let is_unary = !method.is_client_streaming() && !method.is_server_streaming();
    is_unary.then_some(())?;
    let view = RequestView::new(method, rule, query, &profile.json);
    view.can_validate_only().then(|| Validation {
        view,
        rules: Reverse::new(method, rule, query, &profile.json)
            .into_iter()
            .collect(),
    })
}

/// A call with the defaults of its upstream.
pub(super) fn call(
    upstream: &GrpcUpstream,
    method: &MethodDescriptor,
    rule: &HttpRule,
    profile: &Profile,
) -> anyhow::Result<Call> {
    let transcoder = Transcoder::new(method, rule, &profile.json)?;
    let path = PathAndQuery::try_from(transcoder.grpc_path())?;
    Ok(Call {
        transcoder: Arc::new(transcoder),
        path,
        takes_body: !rule.body.is_empty(),
        upstream: upstream.name.clone(),
        service: upstream.service.clone(),
        deadline: Cap::new(upstream.deadline),
        success: StatusCode::OK,
        error_bodies: BTreeMap::new(),
        guest: false,
        metadata: profile.metadata.clone(),
        streams: profile.streams,
        stream_deadline: Cap::new(Duration::from_millis(profile.streams.deadline_ms)),
    })
}

fn status(number: u16) -> anyhow::Result<StatusCode> {
    StatusCode::from_u16(number)
        .ok()
        .with_context(|| format!("{number} is not an HTTP status"))
}
