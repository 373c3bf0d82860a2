//! The routes to the description of all others.

use std::sync::Arc;

use anyhow::Context as _;
use banyan_transcode::PathTemplate;
use http::Method;

use super::{
    Action,
    compile::{Compiler, Place},
};
use crate::{config::ListenerName, openapi, safety::Safety};

impl Compiler<'_> {
    /// Inserted last, so that a route that is there already is the one that was meant.
    pub(super) fn described(&mut self) -> anyhow::Result<()> {
        let sets = self.sets;
        for listener in [ListenerName::Public, ListenerName::Ops] {
            let find = |name: &str| sets.find(name);
            for place in openapi::places(self.config, &find, listener) {
                let route = Place {
                    listener,
                    method: Some(Method::GET),
                    template: PathTemplate::parse(&place.path)?,
                    query: Vec::new(),
                    is_open: place.is_open,
                    requires_token: false,
                    safety: Safety::Verb,
                };
                let profile = Arc::clone(self.routes.surfaces.of(&place.path));
                let action = Action::Shown(Box::new(place.shown));
                self.insert(route, profile, action).with_context(|| {
                    format!("{}: set another path, or `enabled = false`", place.path)
                })?;
            }
        }
        Ok(())
    }
}
