//! What might be put in force: everything read anew, nothing compiled yet.

use anyhow::Context as _;
use banyan_mesh::settings::std_env;
use sha2::{Digest as _, Sha256};

use super::InForce;
use crate::{
    config::Config,
    descriptors::{self, Sets},
    upstreams::Upstreams,
};

/// A configuration with the contracts and upstreams that belong to it.
pub(super) struct Candidate {
    /// As the file is now.
    pub(super) read: Config,
    /// With what the running gateway keeps.
    pub(super) config: Config,
    pub(super) upstreams: Upstreams,
    pub(super) sets: Sets,
    pub(super) fingerprint: [u8; 32],
    /// Keys of the file that differ from what it held at start, and are ignored.
    pub(super) needs_restart: Vec<String>,
}

impl Candidate {
    /// Reads files, and asks upstreams if `ask`. `started` is what the file held at start, `before` what it held when
    /// it was last put in force.
    pub(super) async fn new(
        started: &Config,
        before: &Config,
        in_force: &InForce,
        ask: bool,
    ) -> anyhow::Result<Candidate> {
        let read = read(&in_force.config)?;
        let is_changed = read.effective() != before.effective();
        let mut config = if is_changed {
            read.clone()
        } else {
            in_force.config.clone()
        };
        let needs_restart = read.clone().keep_fixed(&in_force.config, started);
        config.keep_fixed(&in_force.config, started);
        let upstreams = in_force.upstreams.renewed(&config)?;
        // Where the file has changed other services may be wanted.
        let ask = ask || is_changed;
        let sets = descriptors::load(&config, &upstreams, &in_force.sets, ask).await?;
        Ok(Candidate {
            fingerprint: fingerprint(&config, &sets),
            read,
            config,
            upstreams,
            sets,
            needs_restart,
        })
    }
}

/// The configuration as its file and the environment are now; as it was read where there is no file.
fn read(config: &Config) -> anyhow::Result<Config> {
    match config.file() {
        None => Ok(config.as_read()),
        Some(path) => config
            .again(&std_env)
            .with_context(|| format!("{} cannot be used", path.display())),
    }
}

/// The same for the same configuration and contracts, in every replica and after every restart.
pub(super) fn fingerprint(config: &Config, sets: &Sets) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(config.effective());
    for set in &sets.0 {
        hash.update(set.source.to_string());
        hash.update([0]);
        hash.update(set.known.as_ref().map_or([0; 32], |known| known.hash));
    }
    hash.finalize().into()
}
