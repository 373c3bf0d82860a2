//! Which calls there are on a listener, and which route each belongs to.
//!
//! Whatever a route calls can be called directly, by the same listener: `/package.Service/Method`, under the prefix of a
//! cell where the service is mounted for several. Of several routes to one method one that a rollout moves counts first,
//! since it says who owns what the method changes; then the first in the configuration. All routes under that rollout
//! together say how the method is called over REST: the first one whose variables and query keys a message fills.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use banyan_mesh::readiness::Readiness;
use banyan_transcode::{RequestView, Reverse};
use http::HeaderValue;
use tokio_util::sync::CancellationToken;

use super::own::{self, Reflection};
use crate::{
    config::ListenerName,
    metrics::Counts,
    refusal::Refusal,
    routes::{Absent, Action, Route, Served, Split},
    transcoded::Call,
    upstreams::GrpcService,
};

/// All calls of one listener.
#[derive(Debug, Default)]
pub(crate) struct Table {
    calls: HashMap<String, Entry>,
    reflection: Option<Reflection>,
}

/// One method.
#[derive(Debug)]
pub(crate) struct Entry {
    /// `package.Service/Method`.
    name: String,
    /// By `gRPC package.Service/Method`.
    pub(crate) counts: Arc<Counts>,
    pub(crate) route: Arc<Route>,
    pub(crate) client_streams: bool,
    pub(crate) server_streams: bool,
    /// Whether it changes nothing whichever of its routes it takes.
    pub(crate) is_safe: bool,
    /// Whether any of its routes serves nobody without a token: what one of them guards is not open beside it.
    pub(crate) requires_token: bool,
    /// The method as REST calls, under the same rollout; empty where none is known.
    pub(crate) rules: Vec<Reverse>,
    /// What its message shows where a REST request would show it, by the same routes.
    pub(crate) views: Vec<RequestView>,
}

/// Who answers a call.
pub(crate) enum Answerer<'e> {
    /// Its service.
    Service(&'e Call),
    /// Its service or the legacy system, as the rollout decides.
    Split(&'e Arc<Split>),
}

impl Table {
    /// The calls of a listener out of everything that is served; with reflection, what they are made from.
    pub(crate) fn new(served: &[Served], listener: ListenerName, with_reflection: bool) -> Table {
        let here = || served.iter().filter(|served| served.listener == listener);
        let mut table = Table::default();
        for served in here() {
            table.add(served);
        }
        table.reflection = with_reflection.then(|| Reflection::new(here()));
        table
    }

    fn add(&mut self, served: &Served) {
        let method = &served.method;
        let name = format!("{}/{}", method.parent_service().full_name(), method.name());
        let path = format!("{}/{name}", served.prefix);
        let new = || Entry {
            counts: Counts::new(served.listener.as_str(), &format!("gRPC {name}")),
            name: name.clone(),
            route: Arc::clone(&served.route),
            client_streams: method.is_client_streaming(),
            server_streams: method.is_server_streaming(),
            is_safe: served.is_safe(),
            requires_token: served.route.requires_token,
            rules: Vec::new(),
            views: Vec::new(),
        };
        let entry = self.calls.entry(path).or_insert_with(new);
        entry.requires_token |= served.route.requires_token;
        let requires_token = entry.requires_token;
        match (entry.rollout(), rollout(&served.route)) {
            (None, Some(_)) => {
                *entry = Entry {
                    requires_token,
                    ..new()
                };
            }
            (old, new) if old == new => {}
            _ => return,
        }
        entry.is_safe &= served.is_safe();
        if entry.rollout().is_some() {
            let json = &served.route.profile.json;
            let view = RequestView::new(method, &served.rule, &served.query, json);
            entry.views.push(view);
            match Reverse::new(method, &served.rule, &served.query, json) {
                Ok(rule) => entry.rules.push(rule),
                Err(error) => tracing::info!(
                    %error,
                    "gRPC calls of a route cannot be answered by its legacy side"
                ),
            }
        }
    }

    /// The call of a path.
    pub(crate) fn find(&self, path: &str) -> Option<&Entry> {
        self.calls.get(path)
    }

    /// A service of the gateway's own that has this path.
    pub(crate) fn own(
        &self,
        path: &str,
        readiness: &Readiness,
        shutdown: &CancellationToken,
    ) -> Option<GrpcService> {
        if path.starts_with(own::HEALTH) {
            return Some(own::health(readiness, self.services(), shutdown));
        }
        let reflection = self.reflection.as_ref()?;
        path.starts_with(own::REFLECTION)
            .then(|| own::reflection(reflection.clone()))
    }

    /// The full names of all services that are mounted, under a prefix or without one.
    fn services(&self) -> Vec<String> {
        let names = self.calls.values().filter_map(|entry| {
            let (service, _) = entry.name.split_once('/')?;
            Some(service.to_owned())
        });
        let names: BTreeSet<String> = names.collect();
        names.into_iter().collect()
    }
}

impl<'e> Answerer<'e> {
    /// What is called if the service is asked.
    pub(crate) fn call(&self) -> Result<&'e Call, Refusal> {
        match self {
            Answerer::Service(call) => Ok(call),
            Answerer::Split(split) => split.grpc.as_ref().map_err(Absent::refusal),
        }
    }
}

impl Entry {
    /// Who answers; `None` for a route that calls nothing.
    pub(crate) fn answerer(&self) -> Option<Answerer<'_>> {
        match &self.route.action {
            Action::Call(call) => Some(Answerer::Service(call)),
            Action::Split(split) => Some(Answerer::Split(split)),
            Action::Fixed(_) | Action::Forward(_) | Action::Shown(_) | Action::Absent(_) => None,
        }
    }

    /// How long a call may take, and the header that tells its service. A stream has more time than an answer.
    pub(crate) fn time(
        &self,
        call: &Call,
        asked: Option<Duration>,
        begun: Instant,
    ) -> Result<(Duration, HeaderValue), Refusal> {
        let cap = match self.streams() {
            true => &call.stream_deadline,
            false => &call.deadline,
        };
        cap.left(asked, || begun.elapsed())
            .ok_or_else(Refusal::out_of_time)
    }

    /// How a message is looked at: by the first route that it fits.
    pub(crate) fn view(&self, message: &[u8]) -> Option<&RequestView> {
        RequestView::fitting(&self.views, message)
    }

    /// Whether it can be asked to change nothing.
    pub(crate) fn can_validate_only(&self) -> bool {
        self.views.iter().any(RequestView::can_validate_only)
    }

    fn rollout(&self) -> Option<&str> {
        rollout(&self.route)
    }

    /// Whether either side may send several messages.
    pub(crate) fn streams(&self) -> bool {
        self.client_streams || self.server_streams
    }
}

fn rollout(route: &Route) -> Option<&str> {
    match &route.action {
        Action::Split(split) => Some(&split.rollout),
        _ => None,
    }
}
