//! The contracts that routes are made from, out of one or several descriptor sets.

use std::fs;

use anyhow::Context as _;
use banyan_transcode::{HttpRule, rules_of};
use prost_reflect::{DescriptorPool, MethodDescriptor, ServiceDescriptor};

/// Banyan's own contracts.
const BUILT_IN: &str = "builtin";

/// Reads every set into one pool. Files that occur in several sets must be the same in all.
pub(crate) fn load(sets: &[String]) -> anyhow::Result<DescriptorPool> {
    let mut pool = DescriptorPool::new();
    for set in sets {
        let bytes = match set.as_str() {
            BUILT_IN => banyan_proto::DESCRIPTORS.to_vec(),
            path => fs::read(path).with_context(|| format!("descriptors: cannot read {path}"))?,
        };
        pool.decode_file_descriptor_set(bytes.as_slice())
            .with_context(|| {
                format!("descriptors: {set} is not a FileDescriptorSet with its imports")
            })?;
    }
    Ok(pool)
}

/// A service by its full name.
pub(crate) fn service(pool: &DescriptorPool, name: &str) -> anyhow::Result<ServiceDescriptor> {
    pool.get_service_by_name(name)
        .with_context(|| format!("service = {name:?}: no descriptor set has it"))
}

/// A method by `package.Service/Method`.
pub(crate) fn method(pool: &DescriptorPool, name: &str) -> anyhow::Result<MethodDescriptor> {
    let found = name.split_once('/').and_then(|(service, method)| {
        pool.get_service_by_name(service)?
            .methods()
            .find(|candidate| candidate.name() == method)
    });
    found.with_context(|| {
        format!("rpc = {name:?}: no descriptor set has it; `package.Service/Method` is expected")
    })
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
