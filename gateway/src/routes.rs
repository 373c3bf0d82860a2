//! From `gateway.toml` and the descriptors to one table of compiled routes per listener.
//!
//! Everything that can be wrong between parts of the configuration ends the start here: a name that is not there, a
//! rule that does not fit its method, two routes for the same requests.

mod action;
mod compile;
mod described;
mod services;

use std::{collections::BTreeSet, sync::Arc};

use axum::body::Body;
use banyan_rollout::Side;
use banyan_transcode::{Comparer, HttpRule, RequestView, Reverse, RouteTable};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use prost_reflect::MethodDescriptor;

use crate::{
    cells::Cells, compression::Compression, config::ListenerName, follow::Follower,
    forward::HttpUpstream, grpc, guest::Guests, metrics::Counts, openapi::Shown, profile::Profile,
    refusal::Refusal, safety::Safety, surfaces::Surfaces, transcoded::Call,
};

pub(crate) use compile::{compile, routes_of};

/// What is done with a request.
#[derive(Debug)]
pub(crate) struct Route {
    /// `METHOD template`, for logs, metrics and operators.
    pub(crate) label: String,
    pub(crate) counts: Arc<Counts>,
    pub(crate) profile: Arc<Profile>,
    /// On the ops listener: served without a token.
    pub(crate) is_open: bool,
    /// Serves nobody without a token that counts.
    pub(crate) requires_token: bool,
    /// Whether its requests change nothing.
    pub(crate) safety: Safety,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    /// Always the same answer.
    Fixed(Fixed),
    /// Passed on to an HTTP server.
    Forward(HttpUpstream),
    /// Transcoded to a gRPC call.
    Call(Box<Call>),
    /// One of both, as the rollout decides.
    Split(Arc<Split>),
    /// The description of what is served, or the page that shows it.
    Shown(Box<Shown>),
    /// To be a call once its contract is there.
    Absent(Absent),
}

/// A service or method whose contract is not there yet.
#[derive(Debug)]
pub(crate) struct Absent {
    /// `package.Service` or `package.Service/Method`.
    pub(crate) what: String,
    /// The sources that may bring it.
    pub(crate) sources: String,
}

#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) rollout: String,
    pub(crate) grpc: Result<Call, Absent>,
    pub(crate) legacy: HttpUpstream,
    pub(crate) follower: Option<Follower>,
    /// Whether either side knows at once what the other was told.
    pub(crate) shares_data: bool,
    /// Whether both sides say the same; nothing while the contract is not there.
    pub(crate) comparer: Option<Comparer>,
    /// How a write is sent to be validated only, where its message can say so.
    pub(crate) validation: Option<Validation>,
    /// Whether legacy understands such a request.
    pub(crate) legacy_validates: bool,
}

/// A method that changes something, looked at as messages.
#[derive(Debug)]
pub(crate) struct Validation {
    pub(crate) view: RequestView,
    /// The REST calls of its messages, for legacy.
    pub(crate) rules: Vec<Reverse>,
}

#[derive(Debug)]
pub(crate) struct Fixed {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    location: Option<HeaderValue>,
    body: Bytes,
}

/// All routes, compiled from one state of configuration and contracts, and what is looked up beside them. Immutable:
/// another state is another one of these.
#[derive(Debug)]
pub(crate) struct Routes {
    public: RouteTable<Arc<Route>>,
    ops: RouteTable<Arc<Route>>,
    pub(crate) surfaces: Surfaces,
    pub(crate) cells: Vec<Cells>,
    pub(crate) guests: Guests,
    pub(crate) compression: Compression,
    grpc_public: grpc::Table,
    grpc_ops: grpc::Table,
    /// Every binding of a method to a place, in the order of the configuration.
    pub(crate) served: Vec<Served>,
    /// Rollouts of which some request can be compared without effect.
    pub(crate) comparable: BTreeSet<String>,
    /// Rollouts of which some request may change something.
    pub(crate) writing: BTreeSet<String>,
    /// What is not there yet. Of a whole service nobody knows the paths: any on these listeners may be one of its.
    pub(crate) absent: Vec<(Vec<ListenerName>, Absent)>,
}

/// One method at one place: what documents and tables other than the path table are made from.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) listener: ListenerName,
    pub(crate) method: MethodDescriptor,
    /// Of the cell that it is mounted for.
    pub(crate) prefix: String,
    /// The whole template, with the prefix of its cell.
    pub(crate) rule: HttpRule,
    /// Query keys without which the route is not taken.
    pub(crate) query: Vec<String>,
    /// The name of `route.profile` in the configuration; empty for the canonical one where none is named.
    pub(crate) profile: String,
    pub(crate) route: Arc<Route>,
}

impl Split {
    /// Whether nobody can miss on legacy what gRPC was told. Where somebody follows, what is created is created at legacy
    /// first; in the last stage it is not, but then legacy answers nothing, and gets it before that stage is left
    /// (`banyan.follow.v1`).
    pub(crate) fn legacy_knows(&self) -> bool {
        self.shares_data || self.follower.is_some()
    }
}

impl Routes {
    /// What is looked up on a listener.
    pub(crate) fn table(&self, listener: ListenerName) -> &RouteTable<Arc<Route>> {
        match listener {
            ListenerName::Public => &self.public,
            ListenerName::Ops => &self.ops,
        }
    }

    /// What gRPC clients may call on a listener.
    pub(crate) fn grpc(&self, listener: ListenerName) -> &grpc::Table {
        match listener {
            ListenerName::Public => &self.grpc_public,
            ListenerName::Ops => &self.grpc_ops,
        }
    }

    /// Why a path without a route may have one soon.
    pub(crate) fn absent_on(&self, listener: ListenerName) -> Option<&Absent> {
        let mut absent = self.absent.iter();
        absent
            .find(|(listeners, _)| listeners.contains(&listener))
            .map(|(_, absent)| absent)
    }

    fn table_mut(&mut self, listener: ListenerName) -> &mut RouteTable<Arc<Route>> {
        match listener {
            ListenerName::Public => &mut self.public,
            ListenerName::Ops => &mut self.ops,
        }
    }
}

impl Route {
    /// What operators know it by: its label, and the method behind it.
    pub(crate) fn name(&self) -> String {
        match &self.action {
            Action::Call(call) => format!("`{}` ({})", self.label, call.path),
            Action::Split(split) => match &split.grpc {
                Ok(call) => format!("`{}` ({})", self.label, call.path),
                Err(absent) => format!("`{}` ({})", self.label, absent.what),
            },
            Action::Absent(absent) => format!("`{}` ({})", self.label, absent.what),
            Action::Fixed(_) | Action::Forward(_) | Action::Shown(_) => {
                format!("`{}`", self.label)
            }
        }
    }
}

impl Served {
    /// Whether the method changes nothing when it is called by this route; any HTTP method may be one that does.
    pub(crate) fn is_safe(&self) -> bool {
        let verb = self.rule.method.as_ref().unwrap_or(&Method::POST);
        self.route.safety.is_safe(verb)
    }

    /// The gRPC side of the route.
    pub(crate) fn call(&self) -> Option<&Call> {
        match &self.route.action {
            Action::Call(call) => Some(call),
            Action::Split(split) => split.grpc.as_ref().ok(),
            Action::Fixed(_) | Action::Forward(_) | Action::Shown(_) | Action::Absent(_) => None,
        }
    }

    /// Whether callers are guests with a secret cookie.
    pub(crate) fn guest(&self) -> bool {
        self.call().is_some_and(|call| call.guest)
    }
}

impl Split {
    /// Whether a side does nothing but look at a write that says so.
    pub(crate) fn may_be_validated(&self, side: Side) -> bool {
        match side {
            Side::Grpc => true,
            Side::Legacy => self.legacy_validates,
        }
    }
}

impl Absent {
    pub(crate) fn refusal(&self) -> Refusal {
        Refusal::no_contract(format!(
            "the contract of {} is not known yet: it comes from {}, which is away",
            self.what, self.sources
        ))
    }
}

impl Fixed {
    pub(crate) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        for (name, value) in [
            (CONTENT_TYPE, &self.content_type),
            (LOCATION, &self.location),
        ] {
            if let Some(value) = value {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response
    }
}
