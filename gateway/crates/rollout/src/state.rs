//! What a rollout is at one moment, and whose word about its percentage counts.
//!
//! An operator's word beats the environment's, that beats the file's; where nobody spoke the percentage is 0. The
//! weaker ones are kept, not overwritten: taking the operator's word back returns to them.

use std::fmt;

use crate::Percent;

/// How far a migration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Everything goes to the legacy system.
    Legacy,
    /// Legacy answers; gRPC is asked too and compared.
    Shadow,
    /// Subjects below the percentage go to gRPC.
    Split,
    /// Everything goes to gRPC.
    Grpc,
}

/// Whose percentage is in force, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Set by an operator while the gateway runs.
    Operator,
    /// An environment variable.
    Environment,
    /// The configuration file.
    File,
    /// Nobody spoke: 0.
    Default,
}

/// What everybody said about a rollout's percentage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentages {
    /// The operator's word, until taken back.
    pub operator: Option<Percent>,
    /// The environment variable's.
    pub environment: Option<Percent>,
    /// The file's.
    pub file: Option<Percent>,
}

/// All that a decision depends on, except the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutState {
    /// Deals the subjects; the rollout's for life.
    pub salt: String,
    /// Whether gradual migration is on; off sends everything to legacy whatever the stage.
    pub enabled: bool,
    /// How far the migration is.
    pub stage: Stage,
    /// The share of subjects on the gRPC side in [`Stage::Split`].
    pub percent: Percent,
    /// Whose percentage that is.
    pub source: Source,
    /// Counts the operators' changes; 0 before the first.
    pub version: u64,
}

impl Percentages {
    /// The percentage in force and whose it is.
    #[must_use]
    pub fn in_force(&self) -> (Percent, Source) {
        [
            (self.operator, Source::Operator),
            (self.environment, Source::Environment),
            (self.file, Source::File),
        ]
        .into_iter()
        .find_map(|(percent, source)| Some((percent?, source)))
        .unwrap_or((Percent::ZERO, Source::Default))
    }
}

impl Source {
    /// Every source, strongest first.
    pub const ALL: [Self; 4] = [Self::Operator, Self::Environment, Self::File, Self::Default];

    /// The stable name in stores, logs and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        }
    }

    /// The source of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

impl Stage {
    /// The stable name in logs and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Shadow => "shadow",
            Self::Split => "split",
            Self::Grpc => "grpc",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(value: u16) -> Option<Percent> {
        Percent::from_hundredths(value * 100)
    }

    #[track_caller]
    fn check(
        operator: Option<Percent>,
        environment: Option<Percent>,
        file: Option<Percent>,
        want: &str,
    ) {
        let (percent, source) = Percentages {
            operator,
            environment,
            file,
        }
        .in_force();
        assert_eq!(format!("{percent} {source}"), want);
    }

    #[test]
    fn the_strongest_word_counts() {
        check(None, None, None, "0 default");
        check(None, None, percent(10), "10 file");
        check(None, percent(50), percent(10), "50 environment");
        check(percent(25), percent(50), percent(10), "25 operator");
        check(percent(0), percent(50), percent(10), "0 operator");
        check(percent(25), None, percent(10), "25 operator");
    }

    #[test]
    fn names_of_sources_lead_back_to_them() {
        for source in Source::ALL {
            assert_eq!(Source::from_name(source.as_str()), Some(source));
        }
        assert_eq!(Source::from_name("nobody"), None);
    }
}
