//! Reading all sources: files again and again, upstreams when it is time to ask them.

use std::{fs, io::Read as _, path::Path};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::{Known, Set, Sets, reflection::reflect};
use crate::{
    config::{Config, ContractsConfig, DescriptorSource},
    upstreams::Upstreams,
};

/// Reads every source. What `before` has of an unchanged one is taken over, and so is what it has of an upstream that
/// is not asked (`ask` is false) or cannot be.
///
/// # Errors
/// If a file cannot be read or is no descriptor set, or an upstream is not configured. An upstream that is away is
/// none: its set says so.
pub(crate) async fn load(
    config: &Config,
    upstreams: &Upstreams,
    before: &Sets,
    ask: bool,
) -> anyhow::Result<Sets> {
    let mut sets = Sets::default();
    let mut questions = Vec::new();
    for source in &config.descriptors {
        let before = before.known(source);
        let known = match source {
            DescriptorSource::BuiltIn => Some(match before {
                Some(known) => known.clone(),
                None => Known::new(banyan_proto::DESCRIPTORS).context("descriptors: builtin")?,
            }),
            DescriptorSource::File(path) => Some(of_file(path, before, &config.contracts)?),
            DescriptorSource::Reflection(name) => {
                let service = upstreams
                    .grpc("descriptors: reflection", name)?
                    .service
                    .clone();
                if ask || before.is_none() {
                    questions.push((sets.0.len(), service));
                }
                before.cloned()
            }
        };
        sets.0.push(Set {
            source: source.clone(),
            known,
            trouble: None,
        });
    }
    let wanted = wanted(config, &sets);
    let asked: Vec<_> = questions
        .into_iter()
        .map(|(index, service)| {
            let (wanted, limits) = (wanted.clone(), config.contracts.clone());
            // All at once: one that does not answer costs its time-out only once.
            let answer = async move { reflect(&service, &wanted, &limits).await };
            (index, tokio::spawn(answer))
        })
        .collect();
    for (index, answer) in asked {
        let set = &mut sets.0[index];
        match answer.await.context("asking ended early").flatten() {
            Ok(known) => set.known = Some(known),
            Err(error) => set.trouble = Some(format!("{error:#}")),
        }
    }
    Ok(sets)
}

fn of_file(path: &Path, before: Option<&Known>, limits: &ContractsConfig) -> anyhow::Result<Known> {
    let bytes = read(path, limits)?;
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    match before.filter(|known| known.hash == hash) {
        Some(known) => Ok(known.clone()),
        None => Known::new(&bytes).with_context(|| format!("descriptors: {}", path.display())),
    }
}

/// The bytes of a file, within the limit.
fn read(path: &Path, limits: &ContractsConfig) -> anyhow::Result<Vec<u8>> {
    let name = || format!("descriptors: cannot read {}", path.display());
    let file = fs::File::open(path).with_context(name)?;
    let mut bytes = Vec::new();
    file.take(limits.bytes_max as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(name)?;
    anyhow::ensure!(
        bytes.len() <= limits.bytes_max,
        "descriptors: {} is larger than contracts.bytes_max = {}",
        path.display(),
        limits.bytes_max
    );
    Ok(bytes)
}

/// The full names of the services that the configuration mounts or calls and that no file has.
fn wanted(config: &Config, sets: &Sets) -> Vec<String> {
    let services = config
        .services
        .iter()
        .map(|service| service.service.as_str());
    let routes = config.routes.iter().filter_map(|route| {
        let (service, _) = route.rpc.as_deref()?.split_once('/')?;
        Some(service)
    });
    let of_files = |name: &str| {
        let mut sets = sets.0.iter();
        sets.any(|set| {
            let is_file = !matches!(set.source, DescriptorSource::Reflection(_));
            let known = set.known.as_ref().filter(|_| is_file);
            known.is_some_and(|known| known.pool.get_service_by_name(name).is_some())
        })
    };
    let mut wanted: Vec<_> = services
        .chain(routes)
        .filter(|name| !of_files(name))
        .map(str::to_owned)
        .collect();
    wanted.sort();
    wanted.dedup();
    wanted
}
