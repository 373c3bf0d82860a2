//! The way of a gRPC call through a listener: the same steps as a REST request's, without a body to read.

mod split;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Body;
use http::{HeaderValue, Method, Response, Version, request::Parts};

use self::split::Moved;
use super::Edge;
use crate::{
    access_log::Record,
    context::Context,
    deadline,
    grpc::{self, Answerer, Dialect, Entry},
    guest::Guest,
    metrics::Counts,
    refusal::Refusal,
    routes::Routes,
    site,
    tokens::Presented,
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
    /// Until when the client waits, where it says so.
    until: Option<tokio::time::Instant>,
    /// The deadline for the service.
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
            None => Found::Own(table.own(path, &self.readiness, self.rollouts.shutdown())?),
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
            token: Presented::new(self.tokens.as_ref()),
            is_safe: match &found {
                Found::Method(entry) => entry.is_safe,
                Found::Own(_) => true,
            },
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
        if entry.requires_token {
            let host = caller.context.host.as_ref();
            caller.token.require(parts, host, caller.is_safe)?;
        }
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
        let deadline = tokio::time::Instant::now() + left;
        let asked = Asked {
            parts,
            caller,
            guest: guest.as_ref(),
            deadline,
            until: wanted.map(|wanted| tokio::time::Instant::from_std(caller.begun) + wanted),
            timeout,
        };
        let mut response = match answerer {
            Answerer::Service(_) => self.service(entry, call, body, &asked).await?,
            Answerer::Split(split) => {
                let moved = Moved {
                    entry,
                    split,
                    call,
                    asked: &asked,
                };
                // In a box: it is much larger than a call that nobody moves.
                Box::pin(self.split_call(&moved, body, record)).await?
            }
        };
        if let Some(guest) = guest {
            guest.remember(response.headers_mut());
        }
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
}
