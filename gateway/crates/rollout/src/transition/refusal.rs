//! Why a rollout may not move as somebody asked, and what would have to be otherwise.

use std::fmt;

use crate::{Owner, OwnerError, Percent, Stage};

/// Why a command may not be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A percentage was set where it does not count.
    NotSplit {
        /// Where the rollout is.
        stage: Stage,
    },
    /// The stage cannot have that owner of writes.
    Owner {
        /// The stage.
        stage: Stage,
        /// The owner asked for.
        owner: Owner,
    },
    /// A stage lies between.
    Skips {
        /// Where the rollout is.
        from: Stage,
        /// Where it was to go.
        to: Stage,
    },
    /// No request of the rollout can be compared.
    NothingToCompare,
    /// The follower has not caught up.
    FollowerBehind {
        /// By how much, where it knows.
        lag_ms: Option<u64>,
    },
    /// The follower cannot be asked.
    FollowerUnknown,
    /// Not everybody is on gRPC yet.
    NotEverybody {
        /// How many are.
        percent: Percent,
    },
    /// There would be no way back, and nobody has confirmed that.
    OneWay,
    /// There is no way back.
    NoWayBack,
    /// There is nothing after this.
    AtTheEnd,
    /// The policy does not go there: people do.
    ByHand {
        /// Where to.
        stage: Stage,
    },
    /// The steps of the policy end here.
    LastStep {
        /// What is in force.
        percent: Percent,
    },
    /// The policy is paused.
    Paused,
    /// Gradual migration is switched off.
    Disabled,
    /// Force wants a reason.
    ForcedWithoutReason,
}

impl Refusal {
    /// The stable name in errors and logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotSplit { .. } => "NOT_SPLIT",
            Self::Owner { .. } => "OWNER_NOT_ALLOWED",
            Self::Skips { .. } => "STAGE_SKIPPED",
            Self::NothingToCompare => "NOTHING_TO_COMPARE",
            Self::FollowerBehind { .. } => "FOLLOWER_BEHIND",
            Self::FollowerUnknown => "FOLLOWER_UNKNOWN",
            Self::NotEverybody { .. } => "NOT_EVERYBODY",
            Self::OneWay => "ONE_WAY",
            Self::NoWayBack => "NO_WAY_BACK",
            Self::AtTheEnd => "AT_THE_END",
            Self::ByHand { .. } => "BY_HAND",
            Self::LastStep { .. } => "LAST_STEP",
            Self::Paused => "PAUSED",
            Self::Disabled => "MIGRATION_DISABLED",
            Self::ForcedWithoutReason => "FORCED_WITHOUT_REASON",
        }
    }

    /// Whether a reason given with force would let the command through.
    #[must_use]
    pub const fn can_be_forced(&self) -> bool {
        matches!(
            self,
            Self::Skips { .. }
                | Self::NothingToCompare
                | Self::FollowerBehind { .. }
                | Self::FollowerUnknown
                | Self::NotEverybody { .. }
        )
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotSplit { stage } => write!(
                f,
                "the percentage counts in stage split only, and this is stage {stage}: go to split first"
            ),
            Self::Owner { stage, owner } => OwnerError { stage, owner }.fmt(f),
            Self::Skips { from, to } => write!(
                f,
                "from stage {from} to {to} a stage is skipped: go one at a time, or force it with a reason"
            ),
            Self::NothingToCompare => f.write_str(
                "no method of this rollout is safe or can be validated only, so nothing can be compared: force it \
                 with a reason",
            ),
            Self::FollowerBehind {
                lag_ms: Some(lag_ms),
            } => write!(
                f,
                "the follower is {lag_ms} ms behind the legacy system: wait until it has caught up, or force it with \
                 a reason"
            ),
            Self::FollowerBehind { lag_ms: None } => f.write_str(
                "the follower has not caught up with the legacy system: wait until it has, or force it with a reason",
            ),
            Self::FollowerUnknown => f.write_str(
                "the follower cannot be asked how far it is: mend that, or force it with a reason",
            ),
            Self::NotEverybody { percent } => write!(
                f,
                "stage grpc wants everybody on gRPC, and {percent} per cent are: go to 100 first, or force it with a \
                 reason"
            ),
            Self::OneWay => f.write_str(
                "stage grpc is one-way here: the legacy system declares no writes that keep ids, so what is written \
                 from then on cannot go back to it. Confirm that to enter",
            ),
            Self::NoWayBack => f.write_str(
                "stage grpc cannot be left here: the legacy system declares no writes that keep ids, so what was \
                 written on gRPC cannot go back to it",
            ),
            Self::AtTheEnd => f.write_str("stage grpc is the last one"),
            Self::ByHand { stage } => {
                write!(f, "the policy never enters stage {stage}: promote by hand")
            }
            Self::LastStep { percent } => write!(
                f,
                "no step of the policy is above {percent} per cent: promote by hand to go on"
            ),
            Self::Paused => f.write_str("the policy is paused: resume it"),
            Self::Disabled => {
                f.write_str("gradual migration is switched off: switch it on before going forward")
            }
            Self::ForcedWithoutReason => f.write_str("force wants a reason"),
        }
    }
}
