//! The way of a gRPC call through a listener: the same steps as a REST request's, without a body to read.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Body;
use banyan_rollout::Side;
use http::{HeaderValue, Method, Response, Version, request::Parts};

use super::Edge;
use crate::{
    access_log::Record,
    context::Context,
    deadline,
    grpc::{self, Answerer, Dialect, Entry},
    guest::Guest,
    metrics::Counts,
    refusal::Refusal,
    rollouts::Asked as Request,
    routes::{Routes, Split},
    site,
    transcoded::{Call, Caller},
    upstreams::GrpcService,
};

/// What a gRPC client may call.
pub(super) enum Found<'r> {
    /// A method of a service behind the gateway.
    Method(&'r Entry),
    /// A service of the gateway's own.
    Own(GrpcService),
}

/// A call on its way.
struct Asked<'a> {
    parts: &'a Parts,
    caller: &'a Caller<'a>,
    guest: Option<&'a Guest>,
    deadline: tokio::time::Instant,
    /// The same for the service.
    timeout: HeaderValue,
}

impl Edge {
    /// The call that a request is, if it is one.
    pub(super) fn call<'r>(
        &self,
        routes: &'r Routes,
        parts: &Parts,
        context: &Context,
    ) -> Option<(Dialect, Found<'r>)> {
        let dialect = context.grpc.filter(|_| parts.method == Method::POST)?;
        let table = routes.grpc(self.listener);
        let path = parts.uri.path();
        let found = match table.find(path) {
            Some(entry) => Found::Method(entry),
            None => Found::Own(table.own(path, &self.readiness)?),
        };
        Some((dialect, found))
    }

    /// Answers a call.
    pub(super) async fn answer_call(
        &self,
        (dialect, found): (Dialect, Found<'_>),
        routes: &Routes,
        parts: Parts,
        body: Body,
        context: &Context,
        record: &mut Record,
    ) -> Response<Body> {
        let caller = Caller {
            context,
            guests: &routes.guests,
            limits: self.limits.body,
            compression: &routes.compression,
            metrics: &self.metrics,
            listener: self.listener.as_str(),
            begun: Instant::now(),
        };
        let answer = match self.admit(dialect, &parts) {
            Err(refusal) => Err(refusal),
            Ok(()) => {
                let body = grpc::messages(body, dialect);
                match found {
                    Found::Own(service) => {
                        record.route = Counts::new(self.listener.as_str(), "gRPC gateway");
                        grpc::ask_own(service, &parts, body, &caller).await
                    }
                    Found::Method(entry) => {
                        record.route = Arc::clone(&entry.counts);
                        self.ask(entry, &parts, body, &caller, record).await
                    }
                }
            }
        };
        let surface = routes.surfaces.of(parts.uri.path());
        answer.unwrap_or_else(|refusal| self.refuse(surface, refusal, context, record))
    }

    /// Whether a call can be understood here, and whether it may be made.
    fn admit(&self, dialect: Dialect, parts: &Parts) -> Result<(), Refusal> {
        if let Some(operators) = &self.operators {
            operators.guard.check_token(&parts.headers)?;
        }
        if dialect == Dialect::Grpc && parts.version < Version::HTTP_2 {
            return Err(Refusal::grpc_needs_http2());
        }
        match Dialect::is_proto(&parts.headers) {
            true => Ok(()),
            false => Err(Refusal::unknown_codec()),
        }
    }

    /// Asks whoever answers a method.
    async fn ask(
        &self,
        entry: &Entry,
        parts: &Parts,
        body: Body,
        caller: &Caller<'_>,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        let answerer = entry.answerer().ok_or_else(Refusal::no_method)?;
        let call = answerer.call()?;
        // A page of another site could otherwise use the guest's cookie, or replace it.
        if call.guest && site::is_other_behind_proxies(&parts.headers, caller.context.host.as_ref())
        {
            let message = "requests from pages of other sites are refused";
            return Err(Refusal::forbidden(message));
        }
        let wanted = deadline::asked(&parts.headers)?;
        let (left, timeout) = entry.time(call, wanted, caller.begun)?;
        let guest = match call.guest {
            true => caller.guests.of(&parts.headers, caller.context),
            false => None,
        };
        let asked = Asked {
            parts,
            caller,
            guest: guest.as_ref(),
            deadline: tokio::time::Instant::now() + left,
            timeout,
        };
        let mut response = match answerer {
            Answerer::Service(_) => self.service(entry, call, body, &asked).await?,
            Answerer::Split(split) => {
                self.split_call(entry, split, call, body, &asked, record)
                    .await?
            }
        };
        if let Some(guest) = guest {
            guest.remember(response.headers_mut());
        }
        Ok(response)
    }

    /// Asks the rollout, and tells the client and the record which side answered.
    async fn split_call(
        &self,
        entry: &Entry,
        split: &Split,
        call: &Call,
        body: Body,
        asked: &Asked<'_>,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        let request = Request {
            is_safe: entry.is_safe,
            address: asked.caller.context.client_address(),
            is_operators: self.operators.is_some(),
            ..Request::of(&asked.parts.headers)
        };
        let ruling = self.rollouts.rule(&split.rollout, &request);
        let ruling = ruling.ok_or_else(Refusal::no_method)?;
        let (side, set_cookie) = (ruling.side, ruling.set_cookie.clone());
        record.ruling = Some(ruling);
        let answer = match side {
            Side::Grpc => self.service(entry, call, body, asked).await,
            Side::Legacy => {
                let answer = self.legacy_call(entry, split, body, asked, record);
                tokio::time::timeout_at(asked.deadline, answer)
                    .await
                    .unwrap_or_else(|_| Err(Refusal::upstream_slow(split.legacy.name())))
            }
        };
        let context = asked.caller.context;
        // A failure has a side too.
        let mut response = answer.unwrap_or_else(|refusal| self.refuse_call(refusal, record));
        super::mark(&mut response, side, set_cookie, context);
        Ok(response)
    }

    async fn service(
        &self,
        entry: &Entry,
        call: &Call,
        body: Body,
        asked: &Asked<'_>,
    ) -> Result<Response<Body>, Refusal> {
        let terms = grpc::Terms {
            caller: asked.caller,
            guest: asked.guest,
            is_operators: self.operators.is_some(),
            is_stream: entry.client_streams,
            deadline: Some(asked.deadline),
            timeout: Some(asked.timeout.clone()),
            silence_max: Duration::from_millis(call.streams.idle_timeout_ms),
        };
        grpc::pass(call.into(), asked.parts, body, &terms).await
    }

    /// The call as a REST call to the legacy side.
    async fn legacy_call(
        &self,
        entry: &Entry,
        split: &Split,
        body: Body,
        asked: &Asked<'_>,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        if entry.streams() {
            return Err(Refusal::stream_on_legacy());
        }
        if entry.rules.is_empty() {
            return Err(Refusal::no_rest_form());
        }
        let message = grpc::message(body, asked.caller.limits).await?;
        let rest = grpc::rest(&entry.rules, &message, asked.parts, asked.caller.guests);
        let (parts, body, rule) = match rest {
            Ok(rest) => rest,
            Err(unfit) => return Ok(grpc::failed(&unfit)),
        };
        let response = self
            .legacy(split, &parts, body, asked.caller, record)
            .await?;
        grpc::from_legacy(rule, &parts.method, response, split.legacy.name()).await
    }
}
