//! Where a rollout stands, and what of its state follows from that.

use serde::{Deserialize, Serialize};

use crate::{Owner, OwnerError, Percent, Percentages, RolloutState, Stage};

/// Where a rollout stands: all that operators and the policy decide about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// How far it is.
    pub stage: Stage,
    /// Who takes the writes; one of [`Stage::owners`].
    pub writes: Owner,
    /// The operators' percentage, or the policy's; `None` leaves it to weaker sources.
    pub percent: Option<Percent>,
    /// The last percentage that was found good by the policy, and left for a higher one.
    pub last_good: Percent,
    /// The policy neither advances nor rolls back.
    pub paused: bool,
    /// Rolled back to 0, and nobody has gone on yet.
    pub halted: bool,
    /// What the percentage is kept at until the follower has caught up, because weaker sources say more; `None` where
    /// nothing waits. See [`settle`](super::settle).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Percent>,
}

impl Position {
    /// Where a rollout stands before anybody has decided anything, as its settings declare it.
    ///
    /// # Errors
    /// If writes cannot be owned so in that stage.
    pub fn initial(stage: Stage, writes: Option<Owner>) -> Result<Self, OwnerError> {
        Ok(Self {
            stage,
            writes: stage.owned_by(writes)?,
            percent: None,
            last_good: Percent::ZERO,
            paused: false,
            halted: false,
            held: None,
        })
    }

    /// What everybody says about the percentage.
    #[must_use]
    pub const fn percentages(&self, weaker: Percentages) -> Percentages {
        Percentages {
            operator: self.percent,
            held: self.held,
            ..weaker
        }
    }

    /// The state with this position in force.
    #[must_use]
    pub fn put_in_force(&self, state: RolloutState, weaker: Percentages) -> RolloutState {
        let (percent, source) = self.percentages(weaker).in_force();
        RolloutState {
            stage: self.stage,
            writes: self.writes,
            percent,
            source,
            halted: self.halted,
            ..state
        }
    }
}

impl Default for Position {
    /// Stage `split` with its usual owner: what settings mean that name nothing but a percentage.
    fn default() -> Self {
        Self {
            stage: Stage::Split,
            writes: Stage::Split.owner(),
            percent: None,
            last_good: Percent::ZERO,
            paused: false,
            halted: false,
            held: None,
        }
    }
}
