//! The compiler of `[[services]]`: every annotated method of a service, wherever the service is mounted.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use banyan_transcode::{HttpRule, PathTemplate};
use prost_reflect::MethodDescriptor;

use super::{
    Action, Served,
    action::call,
    compile::{Compiler, Place},
};
use crate::{
    config::{ListenerName, ServiceConfig},
    descriptors,
    profile::Profile,
    safety::Safety,
    transcoded::Call,
};

impl Compiler<'_> {
    pub(super) fn service(&mut self, service: &ServiceConfig) -> anyhow::Result<()> {
        let mounts = self.mounts(service)?;
        let profile = self.profile(&service.profile)?;
        let Some(descriptor) = self.sets.service(&service.service)? else {
            for (_, upstream) in &mounts {
                self.upstreams.grpc("upstream", upstream)?;
            }
            let absent = self.absent(&service.service);
            self.routes.absent.push((service.listeners.clone(), absent));
            return Ok(());
        };
        for (method, rules) in descriptors::annotated(&descriptor)? {
            for rule in rules {
                for mount in &mounts {
                    let template = PathTemplate::parse(&format!("{}{}", mount.0, rule.template))?;
                    let rule = HttpRule {
                        template,
                        ..rule.clone()
                    };
                    for &listener in &service.listeners {
                        self.mount(service, listener, &method, &rule, mount, &profile)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// One binding of one method on one listener.
    fn mount(
        &mut self,
        service: &ServiceConfig,
        listener: ListenerName,
        method: &MethodDescriptor,
        rule: &HttpRule,
        (prefix, upstream): &(String, String),
        profile: &Arc<Profile>,
    ) -> anyhow::Result<()> {
        let upstream = self.upstreams.grpc("upstream", upstream)?;
        let call = call(upstream, method, rule, profile)?;
        let call = Call {
            guest: service.guest,
            ..call
        };
        let place = Place {
            listener,
            method: rule.method.clone(),
            template: rule.template.clone(),
            query: Vec::new(),
            is_open: false,
            requires_token: service.require_token,
            safety: Safety::new(None, Some(method)),
        };
        let route = self.insert(place, Arc::clone(profile), Action::Call(Box::new(call)))?;
        self.routes.served.push(Served {
            listener,
            method: method.clone(),
            prefix: prefix.clone(),
            rule: rule.clone(),
            query: Vec::new(),
            profile: service.profile.clone(),
            route,
        });
        Ok(())
    }

    /// Prefixes and upstreams at which a service is mounted.
    fn mounts(&self, service: &ServiceConfig) -> anyhow::Result<Vec<(String, String)>> {
        let Some(name) = &service.cells else {
            return Ok(vec![(String::new(), service.upstream.clone())]);
        };
        ensure!(
            service.upstream.is_empty(),
            "`upstream` and `cells` exclude each other"
        );
        let cells = self
            .config
            .cells
            .get(name)
            .with_context(|| format!("cells = {name:?}: there is no such [cells]"))?;
        let mut mounts = Vec::new();
        for member in &cells.members {
            mounts.push((
                format!("{}/{}", cells.prefix, member.id),
                member.upstream.clone(),
            ));
            if member.id == cells.default {
                mounts.push((String::new(), member.upstream.clone()));
            }
        }
        Ok(mounts)
    }
}
