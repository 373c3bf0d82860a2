//! From `gateway.toml` and the descriptors to one table of compiled routes per listener.
//!
//! Everything that can be wrong between parts of the configuration ends the start here: a name that is not there, a
//! rule that does not fit its method, two routes for the same requests.

mod action;
mod compile;

use std::sync::Arc;

use axum::body::Body;
use banyan_transcode::RouteTable;
use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};

use crate::{
    cells::Cells, config::ListenerName, follow::Follower, forward::HttpUpstream, metrics::Counts,
    profile::Profile, surfaces::Surfaces, transcoded::Call,
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
    Split(Box<Split>),
}

#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) rollout: String,
    pub(crate) grpc: Call,
    pub(crate) legacy: HttpUpstream,
    pub(crate) follower: Option<Follower>,
}

#[derive(Debug)]
pub(crate) struct Fixed {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    location: Option<HeaderValue>,
    body: Bytes,
}

/// All routes, compiled.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(crate) public: RouteTable<Route>,
    pub(crate) ops: RouteTable<Route>,
    pub(crate) surfaces: Surfaces,
    pub(crate) cells: Vec<Cells>,
}

impl Routes {
    fn table(&mut self, listener: ListenerName) -> &mut RouteTable<Route> {
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
            Action::Split(split) => format!("`{}` ({})", self.label, split.grpc.path),
            Action::Fixed(_) | Action::Forward(_) => format!("`{}`", self.label),
        }
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
