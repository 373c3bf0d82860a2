//! Migrations: routes that move together from a legacy upstream to gRPC.

use banyan_rollout::{Percent, Subjects};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[rollouts.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RolloutConfig {
    /// What is kept on its side, in the order tried: `header:NAME` or `cookie:NAME`. Where none is there, the first
    /// cookie named is minted.
    #[schemars(with = "Vec<String>")]
    pub subjects: Subjects,
    /// Per cent of subjects on the gRPC side, 0 to 100, unless environment or operator say otherwise; 0 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>")]
    pub percent: Option<Percent>,
    /// The environment variable that replaces `percent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_env: Option<String>,
    /// The value of `percent_env`, once read.
    #[serde(skip)]
    pub environment_percent: Option<Percent>,
    /// `false`: everything goes to the legacy upstream, whatever the percentage.
    #[serde(default = "enabled_default")]
    pub enabled: bool,
    /// The environment variable (`true` or `false`) that replaces `enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled_env: Option<String>,
    /// Who adopts what the legacy side is told; asked to catch up after each write there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow: Option<FollowConfig>,
}

fn enabled_default() -> bool {
    true
}

/// A follower of the legacy system: `banyan.follow.v1.FollowService` at `upstream`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowConfig {
    /// The gRPC upstream that follows.
    pub upstream: String,
    /// What it follows, in its words.
    pub collection: String,
    /// How long an answer may wait for it; the write itself has succeeded by then.
    #[serde(default = "timeout_ms_default")]
    pub timeout_ms: u64,
}

fn timeout_ms_default() -> u64 {
    250
}
