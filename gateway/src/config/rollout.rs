//! Migrations: routes that move together from a legacy upstream to gRPC.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use banyan_mesh::settings::Secret;
use banyan_rollout::{GoingDown, Percent, Policy, Rule, Subjects};
use banyan_transcode::Allowances;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[rollouts.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RolloutConfig {
    /// What is kept on its side, in the order tried: `token:CLAIM` of a token that verifies, `header:NAME`, `cookie:NAME`,
    /// `path:NAME` (a parameter of the route), `query:NAME`, `body:FIELD.FIELD` of a JSON body of at most 64 KiB
    /// (packed and, where it came in gzip, deflate, br or zstd, unpacked), `client:address`. One of them is a cookie or the
    /// client's address. Where none is there, the first cookie named is minted.
    #[schemars(with = "Vec<String>")]
    pub subjects: Subjects,
    /// Per cent of subjects on the gRPC side, 0 to 100, unless environment or operator say otherwise; 0 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>")]
    pub percent: Option<Percent>,
    /// The environment variable that replaces `percent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_env: Option<String>,
    /// A file that may hold a percentage, such as a mounted key of a ConfigMap; `percent_env` beats it, it beats `percent`.
    /// It is read while the gateway runs and in force within a second. Where absent: the file named like `percent_env` in
    /// `rollouts_folder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_file: Option<PathBuf>,
    /// The value of `percent_env`, once read.
    #[serde(skip)]
    pub environment_percent: Option<Percent>,
    /// `false`: everything goes to the legacy upstream, whatever the percentage. Stage `grpc` does not follow that, for
    /// legacy lacks what was written since; except with `shares_data`, or with `legacy.keeps_ids` and without `follow`.
    #[serde(default = "enabled_default")]
    pub enabled: bool,
    /// The environment variable (`true` or `false`) that replaces `enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled_env: Option<String>,
    /// Who adopts what the legacy side is told; asked to catch up after each write there. While it is behind no percentage
    /// rises: what is said here, by variable or by file waits, and operators are refused unless they force it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow: Option<FollowConfig>,
    /// Whether either side knows at once what the other was told, because both write one database. Where they do not and
    /// nobody follows, every write pins its subject's reads to the side that took it, for `steering.pin_s`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shares_data: bool,
    /// What becomes of subjects when the percentage falls below them: `return` sends them back to legacy,
    /// `stay-with-writer` keeps clients on gRPC that have written there and bring the mark that they were given for it, a
    /// cookie and the header `x-banyan-wrote`, unless the rollout is halted. What stands in path, query or body returns.
    #[serde(default)]
    pub going_down: GoingDown,
    /// Exceptions from the percentage; the first that matches counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// How it advances and returns by itself; people decide where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Whether a request that fails on gRPC is answered by the legacy upstream, where that cannot do anything twice: a
    /// request that changes nothing, or one that was provably never sent. None in stage `grpc`, where legacy lacks what was
    /// written since; except with `shares_data`, or where no route of the rollout writes and there is no `follow`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fallback: bool,
    /// How both sides are compared.
    #[serde(default, skip_serializing_if = "ShadowConfig::is_off")]
    pub shadow: ShadowConfig,
    /// What the legacy system can do besides answering.
    #[serde(default, skip_serializing_if = "LegacyConfig::is_plain")]
    pub legacy: LegacyConfig,
}

/// How many requests the other side is asked too, once the client has its answer, and what may differ. Compared are requests
/// that change nothing (`safe` of a route, else the contract, else a GET) with bodies of at most 64 KiB, and whether a write
/// would be done of which the other side can be asked with `validate_only`; in the stages `shadow` and `split`. Paths name
/// fields of the response by their proto names, the elements of a list by `[]`, the entries of a map by `{}`:
/// `movies[].rating`, `movies[].stock{}.count`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ShadowConfig {
    /// Per cent of requests that are compared; none where absent.
    #[schemars(with = "Option<f64>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<Percent>,
    /// Per cent of these for which the side that answered is asked once more, to learn what differs by itself. A field is
    /// noise for one kind of difference (`changed`, `missing`, `added`) once it was seen three times in the last seven days
    /// (UTC) and in at least 1 per cent of the times that its route was asked twice, over all replicas; it makes no difference
    /// then. A status, an answer that cannot be read and a member that the contract does not know are never noise.
    #[schemars(with = "Option<f64>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_percent: Option<Percent>,
    /// Paths that are not compared, nor anything below them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub ignore: BTreeSet<String>,
    /// How far the numbers at a path and below it may be apart; the nearest path counts. Text is a number where the contract
    /// says so (64-bit ones are text in JSON), or where this is its very path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tolerance: BTreeMap<String, f64>,
    /// Lists (`movies[]`) whose order means nothing; lists in them are lists of their own.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unordered: BTreeSet<String>,
    /// Lists (`movies[]`) whose elements belong together by the value of this field, those with the same value or none in
    /// their order.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, String>,
}

impl ShadowConfig {
    fn is_off(&self) -> bool {
        *self == ShadowConfig::default()
    }

    /// What may differ.
    pub(crate) fn allowances(&self) -> Allowances {
        Allowances {
            ignore: self.ignore.clone(),
            tolerance: self.tolerance.clone(),
            unordered: self.unordered.clone(),
            keys: self.keys.clone(),
        }
    }
}

/// What a legacy system can do; nothing unless it is said here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LegacyConfig {
    /// It takes writes with ids that others gave. Without it stage `grpc` is one-way: entering it has to be confirmed, and
    /// it is never left. Where somebody follows the legacy side this is declared there (`MONOLITH_CAPABILITIES`), and
    /// need not be repeated here; where both say something else, it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keeps_ids: Option<bool>,
    /// It does a request once only, however often it comes with the same `Idempotency-Key`: a write that failed on gRPC
    /// may then be sent there.
    pub honours_request_ids: bool,
    /// It does nothing but look at a request whose field `validate_only` is true: writes that gRPC has answered may then be
    /// compared too.
    pub honours_validate_only: bool,
}

impl LegacyConfig {
    fn is_plain(&self) -> bool {
        *self == LegacyConfig::default()
    }
}

fn is_false(value: &bool) -> bool {
    !value
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

/// `[steering]`: what single requests may say about their side.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SteeringConfig {
    /// Whoever sends it as `x-banyan-force-token` may send `x-banyan-force-side: legacy` or `grpc`. Nobody where absent.
    /// `STEERING_FORCE_TOKEN` replaces it.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_token: Option<Secret>,
    /// Signs the pins that keep a subject's reads with the side that took its write; the same for all replicas. Where
    /// absent the first replica makes one, which the others find in the store. `STEERING_PIN_KEY` replaces it.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_key: Option<Secret>,
    /// How long a pin holds, 1 to 3600. One to legacy holds on where somebody follows and has not passed the write by then,
    /// or cannot be asked.
    pub pin_s: u64,
    /// A pin ends this long after its write all the same, `pin_s` to 604800 (a week).
    pub pin_max_s: u64,
}

impl Default for SteeringConfig {
    fn default() -> Self {
        SteeringConfig {
            force_token: None,
            pin_key: None,
            pin_s: 30,
            pin_max_s: 24 * 60 * 60,
        }
    }
}
