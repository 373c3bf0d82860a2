//! What a rollout is at one moment: all that a decision depends on, except the request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Algorithm, Owner, Percent, Rule, Source, Stage};

/// What becomes of subjects when the percentage falls below them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GoingDown {
    /// They return to legacy.
    #[default]
    Return,
    /// Clients that have written on gRPC stay there, where their data are, as long as they bring the mark that they were given
    /// for it (`x-banyan-wrote`, or its cookie) and the rollout is not halted; everybody and everything else returns.
    StayWithWriter,
}

/// All that a decision depends on, except the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutState {
    /// Deals the subjects; the rollout's for life.
    pub salt: String,
    /// How subjects are dealt; the rollout's for life.
    pub algorithm: Algorithm,
    /// Whether gradual migration is on; off sends everything to legacy whatever the stage.
    pub enabled: bool,
    /// How far the migration is.
    pub stage: Stage,
    /// Who takes the writes; one of [`Stage::owners`].
    pub writes: Owner,
    /// The share of subjects on the gRPC side in [`Stage::Split`].
    pub percent: Percent,
    /// Whose percentage that is.
    pub source: Source,
    /// Rolled back: in [`Stage::Split`] neither percentage nor rules send anybody to gRPC until somebody goes on.
    pub halted: bool,
    /// What becomes of subjects when the percentage falls below them.
    pub going_down: GoingDown,
    /// Exceptions from the percentage, the first that matches counts.
    pub rules: Vec<Rule>,
    /// The share of comparable requests that the other side is asked too, in [`Stage::Shadow`] and [`Stage::Split`].
    pub shadow: Percent,
    /// The share of these whose owner is asked twice, so that noise is known from differences.
    pub noise: Percent,
    /// Counts the changes; 0 before the first.
    pub version: u64,
}

impl RolloutState {
    /// A rollout in which nothing has happened: in [`Stage::Split`] at 0 per cent, without rules and without shadow.
    pub fn new(salt: impl Into<String>) -> Self {
        Self {
            salt: salt.into(),
            algorithm: Algorithm::default(),
            enabled: true,
            stage: Stage::Split,
            writes: Stage::Split.owner(),
            percent: Percent::ZERO,
            source: Source::Default,
            halted: false,
            going_down: GoingDown::default(),
            rules: Vec::new(),
            shadow: Percent::ZERO,
            noise: Percent::ZERO,
            version: 0,
        }
    }
}
