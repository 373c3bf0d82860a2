//! How far a migration is, and who owns its writes there.
//!
//! Traffic that moves before the ownership of writes does is how migrations lose data: two systems each believe that
//! theirs is the truth. So every stage has exactly one declared owner, and a declaration that makes no sense in a stage
//! does not exist:
//!
//! | stage | reads | writes may be owned by |
//! | --- | --- | --- |
//! | `legacy` | legacy | `legacy` |
//! | `shadow` | legacy; gRPC is asked too and compared | `legacy` |
//! | `split` | by subject | `by-subject`, `legacy`, `grpc` |
//! | `grpc` | gRPC | `grpc` |

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a migration is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
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

/// Who takes the writes of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The legacy system, whoever serves the reads.
    Legacy,
    /// The gRPC service, whoever serves the reads.
    Grpc,
    /// The side that the subject is on.
    BySubject,
}

/// A declared owner of writes that the stage cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("in stage {stage} writes cannot be owned by `{owner}`: {} is allowed", allowed(.stage))]
pub struct OwnerError {
    /// The stage.
    pub stage: Stage,
    /// Who cannot own the writes there.
    pub owner: Owner,
}

fn allowed(stage: &Stage) -> String {
    let names = stage.owners().iter().map(|owner| format!("`{owner}`"));
    names.collect::<Vec<_>>().join(" or ")
}

impl Stage {
    /// Every stage in the order of a migration.
    pub const ALL: [Self; 4] = [Self::Legacy, Self::Shadow, Self::Split, Self::Grpc];

    /// The stable name in stores, logs and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Shadow => "shadow",
            Self::Split => "split",
            Self::Grpc => "grpc",
        }
    }

    /// The stage of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }

    /// The stage after this one; `None` for the last.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Legacy => Some(Self::Shadow),
            Self::Shadow => Some(Self::Split),
            Self::Split => Some(Self::Grpc),
            Self::Grpc => None,
        }
    }

    /// Who may own writes in this stage; the first one does where nobody says otherwise.
    #[must_use]
    pub const fn owners(self) -> &'static [Owner] {
        match self {
            Self::Legacy | Self::Shadow => &[Owner::Legacy],
            Self::Split => &[Owner::BySubject, Owner::Legacy, Owner::Grpc],
            Self::Grpc => &[Owner::Grpc],
        }
    }

    /// Who owns writes in this stage where nobody says otherwise.
    #[must_use]
    pub const fn owner(self) -> Owner {
        match self {
            Self::Legacy | Self::Shadow => Owner::Legacy,
            Self::Split => Owner::BySubject,
            Self::Grpc => Owner::Grpc,
        }
    }

    /// The declared owner, or the usual one where none is declared.
    ///
    /// # Errors
    /// If writes cannot be owned so in this stage.
    pub fn owned_by(self, declared: Option<Owner>) -> Result<Owner, OwnerError> {
        match declared {
            None => Ok(self.owner()),
            Some(owner) if self.owners().contains(&owner) => Ok(owner),
            Some(owner) => Err(OwnerError { stage: self, owner }),
        }
    }
}

impl Owner {
    /// Every owner.
    pub const ALL: [Self; 3] = [Self::Legacy, Self::Grpc, Self::BySubject];

    /// The stable name in stores, logs and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Grpc => "grpc",
            Self::BySubject => "by-subject",
        }
    }

    /// The owner of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|owner| owner.as_str() == name)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stage: Stage, declared: Option<Owner>, want: &str) {
        let got = match stage.owned_by(declared) {
            Ok(owner) => owner.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn each_stage_has_its_owners() {
        check(Stage::Legacy, None, "legacy");
        check(Stage::Shadow, None, "legacy");
        check(Stage::Split, None, "by-subject");
        check(Stage::Split, Some(Owner::Legacy), "legacy");
        check(Stage::Split, Some(Owner::Grpc), "grpc");
        check(Stage::Grpc, None, "grpc");
        check(
            Stage::Shadow,
            Some(Owner::BySubject),
            "in stage shadow writes cannot be owned by `by-subject`: `legacy` is allowed",
        );
        check(
            Stage::Grpc,
            Some(Owner::Legacy),
            "in stage grpc writes cannot be owned by `legacy`: `grpc` is allowed",
        );
        for stage in Stage::ALL {
            assert_eq!(stage.owners().first(), Some(&stage.owner()));
        }
    }

    #[test]
    fn names_lead_back() {
        for stage in Stage::ALL {
            assert_eq!(Stage::from_name(stage.as_str()), Some(stage));
            assert_eq!(
                serde_json::to_string(&stage).unwrap(),
                format!("\"{stage}\"")
            );
        }
        for owner in Owner::ALL {
            assert_eq!(Owner::from_name(owner.as_str()), Some(owner));
            assert_eq!(
                serde_json::to_string(&owner).unwrap(),
                format!("\"{owner}\"")
            );
        }
        assert_eq!(Stage::from_name("canary"), None);
        assert_eq!(Owner::from_name("nobody"), None);
    }

    #[test]
    fn stages_follow_each_other() {
        for pair in Stage::ALL.windows(2) {
            assert_eq!(pair[0].next(), Some(pair[1]));
            assert!(pair[0] < pair[1]);
        }
        assert_eq!(Stage::Grpc.next(), None);
    }
}
