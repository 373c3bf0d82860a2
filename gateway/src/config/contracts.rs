//! Where contracts come from, and how the gateway keeps up with them.

use std::{fmt, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const BUILT_IN: &str = "builtin";
const REFLECTION: &str = "reflection:";

/// One entry of `descriptors`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DescriptorSource {
    /// `builtin`: Banyan's own contracts.
    BuiltIn,
    /// A path: a `FileDescriptorSet` with its imports.
    File(PathBuf),
    /// `reflection:NAME`: the gRPC upstream of this name is asked, by `grpc.reflection.v1` or `v1alpha`.
    Reflection(String),
}

impl TryFrom<String> for DescriptorSource {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.strip_prefix(REFLECTION) {
            Some("") => Err("reflection: names no upstream; `reflection:NAME` is allowed"),
            Some(upstream) => Ok(DescriptorSource::Reflection(upstream.to_owned())),
            None if text == BUILT_IN => Ok(DescriptorSource::BuiltIn),
            None if text.is_empty() => {
                Err("`builtin`, the path of a descriptor set and `reflection:NAME` are allowed")
            }
            None => Ok(DescriptorSource::File(text.into())),
        }
    }
}

impl From<DescriptorSource> for String {
    fn from(source: DescriptorSource) -> String {
        source.to_string()
    }
}

impl fmt::Display for DescriptorSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DescriptorSource::BuiltIn => f.write_str(BUILT_IN),
            DescriptorSource::File(path) => path.display().fmt(f),
            DescriptorSource::Reflection(upstream) => write!(f, "{REFLECTION}{upstream}"),
        }
    }
}

/// `[contracts]`: how changed contracts and routes are taken up while the gateway runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ContractsConfig {
    /// Whether changed files (this one and descriptor sets) and changed reflection are taken up without a restart.
    pub watch: bool,
    /// How often files are looked at.
    pub files_every_ms: u64,
    /// How often upstreams are asked again by reflection.
    pub reflection_every_ms: u64,
    /// How long asking one upstream may take in all.
    pub reflection_timeout_ms: u64,
    /// Largest descriptor set, from a file or by reflection.
    pub bytes_max: usize,
    /// Most files taken from one upstream by reflection.
    pub files_max: usize,
}

impl Default for ContractsConfig {
    fn default() -> Self {
        ContractsConfig {
            watch: true,
            files_every_ms: 1_000,
            reflection_every_ms: 30_000,
            reflection_timeout_ms: 5_000,
            bytes_max: 16 * 1024 * 1024,
            files_max: 2_000,
        }
    }
}
