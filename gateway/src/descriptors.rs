//! The contracts that routes are made from, out of one or several sources.
//!
//! Every source is a pool of its own: two services that were compiled with different editions of the same import
//! (`google/api/http.proto`, most likely) stand side by side. A service is taken from the first source that has it.
//!
//! A source may be away: a backend that is asked by reflection and is not up yet. Then what no other source has may
//! still come, which is something else than an error in the configuration.

mod load;
mod reflection;

use anyhow::Context as _;
use banyan_transcode::{HttpRule, rules_of};
use prost_reflect::{DescriptorPool, MethodDescriptor, ServiceDescriptor};
use sha2::{Digest as _, Sha256};

use crate::config::DescriptorSource;

pub(crate) use load::load;

/// Types of errors' details under this prefix are known whatever the sources know.
const DETAILS: &str = "google/";

/// One source and what it has.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) source: DescriptorSource,
    /// `None` while it is away and never was there.
    pub(crate) known: Option<Known>,
    /// Why it could not be asked the last time.
    pub(crate) trouble: Option<String>,
}

/// A descriptor set that holds together.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) pool: DescriptorPool,
    /// SHA-256 of what it was made from.
    pub(crate) hash: [u8; 32],
}

/// All sources, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sets(pub(crate) Vec<Set>);

impl Known {
    /// A set from its bytes.
    pub(crate) fn new(bytes: &[u8]) -> anyhow::Result<Known> {
        let mut pool = DescriptorPool::new();
        pool.decode_file_descriptor_set(bytes)
            .context("not a FileDescriptorSet with its imports")?;
        Ok(Known {
            pool,
            hash: Sha256::digest(bytes).into(),
        })
    }
}

impl Sets {
    /// A service by its full name; `None` if it may yet come from a source that is away.
    pub(crate) fn service(&self, name: &str) -> anyhow::Result<Option<ServiceDescriptor>> {
        match self.find(name) {
            None if self.away().next().is_none() => {
                anyhow::bail!("service = {name:?}: no descriptor set has it")
            }
            found => Ok(found),
        }
    }

    /// A method by `package.Service/Method`; `None` if it may yet come from a source that is away.
    pub(crate) fn method(&self, name: &str) -> anyhow::Result<Option<MethodDescriptor>> {
        let missing = || {
            format!(
                "rpc = {name:?}: no descriptor set has it; `package.Service/Method` is expected"
            )
        };
        let (service, method) = name.split_once('/').with_context(missing)?;
        match self.find(service) {
            Some(service) => {
                let mut methods = service.methods();
                let found = methods.find(|candidate| candidate.name() == method);
                found.map(Some).with_context(missing)
            }
            None if self.away().next().is_some() => Ok(None),
            None => anyhow::bail!(missing()),
        }
    }

    pub(crate) fn find(&self, service: &str) -> Option<ServiceDescriptor> {
        self.pools()
            .find_map(|pool| pool.get_service_by_name(service))
    }

    fn pools(&self) -> impl Iterator<Item = &DescriptorPool> {
        let known = self.0.iter().filter_map(|set| set.known.as_ref());
        known.map(|known| &known.pool)
    }

    /// Sources that are away.
    pub(crate) fn away(&self) -> impl Iterator<Item = &DescriptorSource> {
        let away = self.0.iter().filter(|set| set.known.is_none());
        away.map(|set| &set.source)
    }

    /// What is known of a source.
    fn known(&self, source: &DescriptorSource) -> Option<&Known> {
        let set = self.0.iter().find(|set| set.source == *source)?;
        set.known.as_ref()
    }

    /// One pool of whatever fits beside each other, the earlier source first: what details of errors are looked up
    /// in, which no contract needs to import.
    pub(crate) fn union(&self) -> DescriptorPool {
        let mut union = DescriptorPool::new();
        for pool in self.pools() {
            add(&mut union, pool, "");
        }
        if let Ok(built_in) = Known::new(banyan_proto::DESCRIPTORS) {
            add(&mut union, &built_in.pool, DETAILS);
        }
        union
    }
}

/// Adds the files whose names begin with `prefix`, as far as they fit.
fn add(union: &mut DescriptorPool, pool: &DescriptorPool, prefix: &str) {
    for file in pool.files().filter(|file| file.name().starts_with(prefix)) {
        // Two editions of one file, or one name in two files: the first stands.
        union
            .decode_file_descriptor_proto(file.encode_to_vec().as_slice())
            .ok();
    }
}

/// Every annotated method of a service with its bindings.
pub(crate) fn annotated(
    service: &ServiceDescriptor,
) -> anyhow::Result<Vec<(MethodDescriptor, Vec<HttpRule>)>> {
    let mut methods = Vec::new();
    for method in service.methods() {
        let rules = rules_of(&method)?;
        if !rules.is_empty() {
            methods.push((method, rules));
        }
    }
    anyhow::ensure!(
        !methods.is_empty(),
        "service = {:?}: no method has a google.api.http annotation",
        service.full_name()
    );
    Ok(methods)
}
