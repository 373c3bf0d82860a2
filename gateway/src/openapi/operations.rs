//! What is configured, as operations of a document.
//!
//! Read from the same configuration and contracts that routes are compiled from, and only once they have been: what would
//! not fit together has ended the start by then, so here it is left out without a word.

use banyan_openapi::{Access, ErrorShape, Mount, Operation};
use banyan_transcode::{self as transcode, HttpRule, PathTemplate, rules_of};
use http::{Method, StatusCode};
use prost_reflect::{MethodDescriptor, ServiceDescriptor};

use crate::config::{Config, ListenerName, ProfileConfig, RouteConfig, ServiceConfig};

/// Finds a service by its full name; none while its contract is away.
pub(crate) type Find<'a> = &'a dyn Fn(&str) -> Option<ServiceDescriptor>;

/// The methods that a listener serves, in the order of the configuration. What is mounted for each member of a
/// `[cells]` is described once.
pub(super) fn operations(
    config: &Config,
    find: Find<'_>,
    listener: ListenerName,
) -> Vec<Operation> {
    let services = config.services.iter();
    let services = services.filter(|service| service.listeners.contains(&listener));
    let mut operations: Vec<_> = services
        .filter_map(|service| Some((service, find(&service.service)?)))
        .flat_map(|(service, descriptor)| of_service(config, service, &descriptor, listener))
        .collect();
    for route in config.routes.iter().filter(|it| is_on(it, listener)) {
        if let Some(method) = route.rpc.as_deref().and_then(|rpc| method(find, rpc)) {
            operations.extend(of_route(config, route, &method, listener));
        }
    }
    operations
}

fn is_on(route: &RouteConfig, listener: ListenerName) -> bool {
    match route.listeners.as_slice() {
        [] => listener == ListenerName::Public,
        listeners => listeners.contains(&listener),
    }
}

/// A method by `package.Service/Method`.
fn method(find: Find<'_>, rpc: &str) -> Option<MethodDescriptor> {
    let (service, name) = rpc.split_once('/')?;
    find(service)?
        .methods()
        .find(|method| method.name() == name)
}

fn of_service(
    config: &Config,
    service: &ServiceConfig,
    descriptor: &ServiceDescriptor,
    listener: ListenerName,
) -> Vec<Operation> {
    let mounts = mounts(config, service);
    let mut operations = Vec::new();
    for method in descriptor.methods() {
        for rule in rules_of(&method).unwrap_or_default() {
            for mount in &mounts {
                let operation = operation(config, &service.profile, &method, rule.clone());
                operations.push(Operation {
                    mount: mount.clone(),
                    access: access(listener, service.require_token, false, service.guest),
                    ..operation
                });
            }
        }
    }
    operations
}

/// Where a service is: at its own paths, and below its cells.
fn mounts(config: &Config, service: &ServiceConfig) -> Vec<Option<Mount>> {
    let cells = service
        .cells
        .as_ref()
        .and_then(|name| config.cells.get(name));
    let below = cells.map(|cells| Mount {
        prefix: cells.prefix.clone(),
        members: cells
            .members
            .iter()
            .map(|member| member.id.to_string())
            .collect(),
    });
    match below {
        None => vec![None],
        below => vec![None, below],
    }
}

fn of_route(
    config: &Config,
    route: &RouteConfig,
    method: &MethodDescriptor,
    listener: ListenerName,
) -> Vec<Operation> {
    let profile = route.profile.as_deref();
    let profile = profile.unwrap_or_else(|| surface(config, &route.path));
    let Ok(template) = PathTemplate::parse(&route.path) else {
        return Vec::new();
    };
    let verbs = route.methods.iter();
    let verbs = verbs.filter_map(|verb| Method::from_bytes(verb.as_bytes()).ok());
    let operations = verbs.map(|verb| {
        let rule = HttpRule {
            method: Some(verb),
            template: template.clone(),
            body: route.body.clone(),
            response_body: route.response_body.clone(),
        };
        let operation = operation(config, profile, method, rule);
        let success = route.success_status.map(StatusCode::from_u16);
        Operation {
            query: route.query.clone(),
            success: success.and_then(Result::ok).unwrap_or(StatusCode::OK),
            error_bodies: error_bodies(config, route, profile),
            access: access(listener, route.require_token, route.open, route.guest),
            ..operation
        }
    });
    operations.collect()
}

/// What holds for every operation of a profile.
fn operation(
    config: &Config,
    profile: &str,
    method: &MethodDescriptor,
    rule: HttpRule,
) -> Operation {
    let promises = config.profiles.get(profile).cloned().unwrap_or_default();
    Operation {
        method: method.clone(),
        rule,
        mount: None,
        query: Vec::new(),
        profile: profile.to_owned(),
        errors: shape(promises.errors.shape),
        json: promises.json,
        success: StatusCode::OK,
        error_bodies: Vec::new(),
        access: Access::Anyone,
    }
}

/// The profile of the longest prefix; the canonical one, which has no name, where nothing is said.
fn surface<'c>(config: &'c Config, path: &str) -> &'c str {
    let holds = |prefix: &str| {
        let rest = path.strip_prefix(prefix.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let surfaces = config.surfaces.iter().filter(|it| holds(&it.prefix));
    let longest = surfaces.max_by_key(|surface| surface.prefix.trim_end_matches('/').len());
    longest.map_or("", |surface| surface.profile.as_str())
}

fn access(listener: ListenerName, requires_token: bool, is_open: bool, is_guest: bool) -> Access {
    match listener {
        _ if requires_token => Access::Token,
        ListenerName::Ops if !is_open => Access::Operator,
        _ if is_guest => Access::Guest,
        _ => Access::Anyone,
    }
}

fn error_bodies(config: &Config, route: &RouteConfig, profile: &str) -> Vec<(StatusCode, String)> {
    let own = |profile: &ProfileConfig, code| profile.errors.status.get(&code).copied();
    let bodies = route.error_bodies.iter().map(|(code, body)| {
        let status = config.profiles.get(profile);
        let status = status
            .and_then(|profile| own(profile, *code))
            .map(u16::from);
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        (status.unwrap_or_else(|| code.http()), body.clone())
    });
    bodies.collect()
}

fn shape(shape: transcode::ErrorShape) -> ErrorShape {
    match shape {
        transcode::ErrorShape::Google => ErrorShape::Google,
        transcode::ErrorShape::Simple => ErrorShape::Simple,
        transcode::ErrorShape::Provider => ErrorShape::Provider,
        transcode::ErrorShape::Problem => ErrorShape::Problem,
    }
}
