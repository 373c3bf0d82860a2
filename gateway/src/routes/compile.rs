//! The compiler of routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use banyan_transcode::{HttpRule, PathTemplate, Renderer, RouteTable};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};

use super::{Absent, Action, Fixed, Route, Routes, Served};
use crate::{
    cells::{self, Cells},
    compression::Compression,
    config::{CellsConfig, Config, ListenerName, RouteConfig},
    descriptors::Sets,
    grpc,
    guest::Guests,
    metrics::Counts,
    profile::Profile,
    safety::Safety,
    surfaces::Surfaces,
    upstreams::Upstreams,
};

/// Compiles everything, or says what does not fit.
pub(crate) fn compile(
    config: &Config,
    upstreams: &Upstreams,
    sets: &Sets,
) -> anyhow::Result<Routes> {
    // Reloaded routes meet the settings of tokens that the process began with.
    config.check_tokens()?;
    let guests =
        Guests::new(&config.guest).context("guest.metadata is not a name of gRPC metadata")?;
    let renderer = Arc::new(Renderer::new(&sets.union()));
    let profiles = config
        .profiles
        .iter()
        .map(|(name, profile)| {
            (
                name.as_str(),
                Arc::new(Profile::new(profile, Arc::clone(&renderer))),
            )
        })
        .collect();
    let mut compiler = Compiler {
        config,
        upstreams,
        sets,
        profiles,
        routes: Routes::empty(config, renderer, guests),
    };
    compiler.surfaces()?;
    for cells in config.cells.values() {
        compiler
            .cells(cells)
            .with_context(|| format!("[cells] {}", cells.prefix))?;
    }
    for service in &config.services {
        compiler
            .service(service)
            .with_context(|| format!("[[services]] {}", service.service))?;
    }
    for route in &config.routes {
        let name = || format!("[[routes]] {} {}", route.methods.join("|"), route.path);
        compiler.route(route).with_context(name)?;
    }
    let reflected = |listener| config.grpc.reflection.contains(&listener);
    let routes = &mut compiler.routes;
    for (listener, table) in [
        (ListenerName::Public, &mut routes.grpc_public),
        (ListenerName::Ops, &mut routes.grpc_ops),
    ] {
        *table = grpc::Table::new(&routes.served, listener, reflected(listener));
    }
    compiler.described().context("[openapi]")?;
    Ok(compiler.routes)
}

/// Routes in the making.
pub(super) struct Compiler<'a> {
    pub(super) config: &'a Config,
    pub(super) upstreams: &'a Upstreams,
    pub(super) sets: &'a Sets,
    profiles: BTreeMap<&'a str, Arc<Profile>>,
    pub(super) routes: Routes,
}

/// Where and for whom a route is.
pub(super) struct Place {
    pub(super) listener: ListenerName,
    /// `None` for any.
    pub(super) method: Option<Method>,
    pub(super) template: PathTemplate,
    pub(super) query: Vec<String>,
    /// Without the operators' token.
    pub(super) is_open: bool,
    pub(super) requires_token: bool,
    pub(super) safety: Safety,
}

impl Routes {
    fn empty(config: &Config, renderer: Arc<Renderer>, guests: Guests) -> Routes {
        let canonical = Arc::new(Profile::new(&Default::default(), renderer));
        Routes {
            public: RouteTable::new(),
            ops: RouteTable::new(),
            surfaces: Surfaces::new(Vec::new(), canonical),
            cells: Vec::new(),
            guests,
            compression: Compression::new(&config.compression),
            grpc_public: grpc::Table::default(),
            grpc_ops: grpc::Table::default(),
            served: Vec::new(),
            comparable: BTreeSet::new(),
            writing: BTreeSet::new(),
            absent: Vec::new(),
        }
    }
}

impl Compiler<'_> {
    fn surfaces(&mut self) -> anyhow::Result<()> {
        let mut by_prefix = Vec::new();
        for surface in &self.config.surfaces {
            let name = || format!("[[surfaces]] {}", surface.prefix);
            by_prefix.push((
                surface.prefix.clone(),
                self.profile(&surface.profile).with_context(name)?,
            ));
        }
        self.routes.surfaces = Surfaces::new(by_prefix, Arc::clone(self.routes.surfaces.of("")));
        Ok(())
    }

    pub(super) fn profile(&self, name: &str) -> anyhow::Result<Arc<Profile>> {
        let known = || self.profiles.keys().copied().collect::<Vec<_>>().join(", ");
        let found = self.profiles.get(name).cloned();
        found.with_context(|| {
            format!(
                "profile = {name:?}: there is no such profile; there are: {}",
                known()
            )
        })
    }

    /// The list of members; the members' own routes come with the services that are mounted for them.
    fn cells(&mut self, cells: &CellsConfig) -> anyhow::Result<()> {
        let default = cells
            .members
            .iter()
            .filter(|member| member.id == cells.default)
            .count();
        ensure!(
            default == 1,
            "default = {}: exactly one member must have this id",
            cells.default
        );
        for (index, member) in cells.members.iter().enumerate() {
            let is_twice = cells.members[..index]
                .iter()
                .any(|other| other.id == member.id);
            ensure!(!is_twice, "members: the id {} is there twice", member.id);
        }
        let place = Place {
            listener: ListenerName::Public,
            method: Some(Method::GET),
            template: PathTemplate::parse(&cells.prefix)?,
            query: Vec::new(),
            is_open: false,
            requires_token: false,
            safety: Safety::Verb,
        };
        let list = Fixed {
            status: StatusCode::OK,
            content_type: Some(HeaderValue::from_static("application/json")),
            location: None,
            body: Bytes::from(cells::list(cells)),
        };
        self.insert(place, self.profile(&cells.profile)?, Action::Fixed(list))?;
        self.routes.cells.push(Cells::new(cells));
        Ok(())
    }

    /// Says what is not there yet, and why.
    pub(super) fn absent(&self, what: &str) -> Absent {
        let away = self.sets.away().map(ToString::to_string);
        Absent {
            what: what.to_owned(),
            sources: away.collect::<Vec<_>>().join(", "),
        }
    }

    fn route(&mut self, route: &RouteConfig) -> anyhow::Result<()> {
        let template = PathTemplate::parse(&route.path)?;
        let profile = match &route.profile {
            Some(name) => self.profile(name)?,
            None => Arc::clone(self.routes.surfaces.of(&route.path)),
        };
        let methods = route.methods.iter().map(|method| {
            Method::from_bytes(method.as_bytes())
                .ok()
                .with_context(|| format!("{method:?} is not an HTTP method"))
        });
        let methods = methods.collect::<anyhow::Result<Vec<_>>>()?;
        let methods = if methods.is_empty() {
            vec![None]
        } else {
            methods.into_iter().map(Some).collect()
        };
        let public = [ListenerName::Public];
        let listeners = if route.listeners.is_empty() {
            &public[..]
        } else {
            &route.listeners
        };
        let called = route.rpc.as_deref().map(|rpc| self.sets.method(rpc));
        let called = called.transpose()?.flatten();
        let safety = Safety::new(route.safe, called.as_ref());
        for method in methods {
            for &listener in listeners {
                let action = self.action(route, method.as_ref(), &profile)?;
                let place = Place {
                    listener,
                    method: method.clone(),
                    template: template.clone(),
                    query: route.query.clone(),
                    is_open: route.open,
                    requires_token: route.require_token,
                    safety,
                };
                let inserted = self.insert(place, Arc::clone(&profile), action)?;
                self.serve(route, listener, method.as_ref(), inserted)?;
            }
        }
        Ok(())
    }

    /// Notes the method that a route calls, if it calls one that is there.
    fn serve(
        &mut self,
        config: &RouteConfig,
        listener: ListenerName,
        method: Option<&Method>,
        route: Arc<Route>,
    ) -> anyhow::Result<()> {
        let (Some(rpc), Some(method)) = (&config.rpc, method) else {
            return Ok(());
        };
        let Some(descriptor) = self.sets.method(rpc)? else {
            let absent = self.absent(rpc);
            self.routes.absent.push((Vec::new(), absent));
            return Ok(());
        };
        let mut profiles = self.profiles.iter();
        let profile = profiles.find(|(_, profile)| Arc::ptr_eq(profile, &route.profile));
        self.routes.served.push(Served {
            listener,
            method: descriptor,
            prefix: String::new(),
            rule: rule_of(config, method)?,
            query: config.query.clone(),
            profile: profile.map_or_else(String::new, |(name, _)| (*name).to_owned()),
            route,
        });
        Ok(())
    }

    pub(super) fn insert(
        &mut self,
        place: Place,
        profile: Arc<Profile>,
        action: Action,
    ) -> anyhow::Result<Arc<Route>> {
        let Place {
            listener,
            method,
            template,
            query,
            is_open,
            requires_token,
            safety,
        } = place;
        let label = label(
            method.as_ref().map_or("*", Method::as_str),
            template.as_str(),
            &query,
        );
        if let Action::Split(split) = &action {
            let is_safe = method.as_ref().is_some_and(|verb| safety.is_safe(verb));
            if is_safe || split.validation.is_some() {
                self.routes.comparable.insert(split.rollout.clone());
            }
            if !is_safe {
                self.routes.writing.insert(split.rollout.clone());
            }
        }
        let slash = profile.trailing_slash;
        let route = Arc::new(Route {
            counts: Counts::new(listener.as_str(), &label),
            label,
            profile,
            is_open,
            requires_token,
            safety,
            action,
        });
        let table = self.routes.table_mut(listener);
        let inserted = table.insert(method, template, query, slash, Arc::clone(&route));
        let Err(conflict) = inserted else {
            return Ok(route);
        };
        let (name, existing) = (route.name(), table.existing(&conflict));
        let existing = existing.map(|existing| existing.name());
        Err(conflict).with_context(|| format!("{name} and {}", existing.unwrap_or_default()))
    }
}

/// The routes that a rollout moves, as operators see them.
pub(crate) fn routes_of(config: &Config, rollout: &str) -> Vec<String> {
    let is_moved = |route: &&RouteConfig| route.rollout.as_deref() == Some(rollout);
    let routes = config.routes.iter().filter(is_moved);
    routes
        .flat_map(|route| {
            route
                .methods
                .iter()
                .map(|method| label(method, &route.path, &route.query))
        })
        .collect()
}

/// What a `[[routes]]` says by hand of what an annotation says.
pub(super) fn rule_of(route: &RouteConfig, method: &Method) -> anyhow::Result<HttpRule> {
    Ok(HttpRule {
        method: Some(method.clone()),
        template: PathTemplate::parse(&route.path)?,
        body: route.body.clone(),
        response_body: route.response_body.clone(),
    })
}

fn label(verb: &str, template: &str, query: &[String]) -> String {
    if query.is_empty() {
        format!("{verb} {template}")
    } else {
        format!("{verb} {template}?{}", query.join("&"))
    }
}
