//! How a rollout moves: what an operator or the policy asks for, and whether it may be done now.
//!
//! [`transition`] is the only way from one [`Position`] to the next, for people and for the policy alike. It says what
//! the next position is or refuses with what would have to be otherwise. It writes nothing: whoever keeps positions does,
//! under a version.
//!
//! # Rules
//!
//! - Forward one stage at a time; back to any. A stage is skipped only when forced, with a reason.
//! - `shadow` wants something that can be compared. `split` and `grpc`, and in `split` every higher percentage, want the
//!   follower to have caught up, if the rollout has one, because a subject that moves must find its data there; forced
//!   with a reason, they do not. To go down nobody is asked. What nobody can answer for waits instead ([`settle`]).
//! - `grpc` wants 100 per cent (or force). It is one-way unless the legacy system declares writes that keep ids: what is
//!   written afterwards cannot go back. So it has to be confirmed, and is then never left; not even by force.
//! - The policy ends at its last step: beyond it, to everybody and to `grpc`, only people go. It never raises while the
//!   follower is behind, and does nothing while paused, neither forward nor back.
//! - To roll back is to go lower, or to 0 where nothing lower was found good. Rolling back to 0 halts: the rules send nobody to gRPC either, until somebody goes on. It pauses the policy, for a
//!   release that was bad an hour ago is not good by itself.

mod good;
mod position;
mod refusal;
mod settle;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use good::left_good;
pub use position::Position;
pub use refusal::Refusal;
pub use settle::{Declared, settle};

use crate::{Owner, OwnerError, Percent, Percentages, Stage};

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Sets the percentage of stage `split`.
    SetPercent(Percent),
    /// Takes the percentage back, so that weaker sources decide.
    UnsetPercent,
    /// Goes to a stage, with a declared owner of writes or the stage's usual one.
    SetStage {
        /// Where to.
        stage: Stage,
        /// Who takes the writes there.
        writes: Option<Owner>,
    },
    /// Declares who takes the writes of the stage that it is in.
    SetWrites(Owner),
    /// Goes to the next step, from the last one to everybody, and from there to the next stage.
    Promote,
    /// Stops the policy.
    Pause,
    /// Lets the policy go on, also after it has rolled back.
    Resume,
    /// Rolls back by hand.
    Abort(BackTo),
    /// The policy goes a step forward, if there is one.
    Advance,
    /// The policy rolls back.
    RollBack(BackTo),
}

/// How far to roll back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum BackTo {
    /// To nobody.
    #[default]
    Zero,
    /// To the last percentage that was found good, if that is lower; else to nobody.
    LastGood,
}

/// How well the follower knows what the legacy system holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follower {
    /// The rollout has none and needs none.
    None,
    /// It has caught up.
    Ready,
    /// It has not.
    Behind {
        /// By how much, where it knows.
        lag_ms: Option<u64>,
    },
    /// It cannot be asked.
    Unknown,
}

/// What is so at the time, and on what terms the command is given.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Whether gradual migration is on.
    pub enabled: bool,
    /// What the sources weaker than an operator say.
    pub weaker: Percentages,
    /// The percentages to go through, rising.
    pub steps: &'a [Percent],
    /// How well the follower knows the legacy data.
    pub follower: Follower,
    /// Whether any request of the rollout can be compared without effect.
    pub comparable: bool,
    /// Whether the legacy system declares writes that keep ids, so that data can go back.
    pub legacy_keeps_ids: bool,
    /// Why it is to be done against doubt; not empty.
    pub forced: Option<&'a str>,
    /// Whether the caller knows that there may be no way back.
    pub confirmed: bool,
}

/// Where a rollout comes to stand, and what somebody should know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The new position; the old one if the command changes nothing.
    pub position: Position,
    /// What was overridden by force, for the log.
    pub overridden: Vec<Refusal>,
    /// Whether there is no way back from here.
    pub one_way: bool,
}

/// What a command makes of a position.
///
/// # Errors
/// Why it may not be done now, and what would have to be otherwise.
pub fn transition(
    position: &Position,
    command: Command,
    at: &Circumstances<'_>,
) -> Result<Moved, Refusal> {
    if at.forced.is_some_and(|reason| reason.trim().is_empty()) {
        return Err(Refusal::ForcedWithoutReason);
    }
    let by_itself = matches!(command, Command::Advance | Command::RollBack(_));
    let mut moving = Moving {
        // Nobody forces a policy.
        forced: at.forced.filter(|_| !by_itself),
        at,
        from: *position,
        overridden: Vec::new(),
    };
    let position = moving.step(command)?;
    moving.follower_lets_go_to(&position)?;
    Ok(Moved {
        position,
        overridden: moving.overridden,
        one_way: position.stage == Stage::Grpc && !at.legacy_keeps_ids,
    })
}

struct Moving<'a> {
    at: &'a Circumstances<'a>,
    forced: Option<&'a str>,
    from: Position,
    overridden: Vec<Refusal>,
}

impl Moving<'_> {
    fn step(&mut self, command: Command) -> Result<Position, Refusal> {
        let from = self.from;
        match command {
            Command::SetPercent(percent) => self.set_percent(percent),
            Command::UnsetPercent => Ok(Position {
                percent: None,
                held: None,
                ..from
            }),
            Command::SetStage { stage, writes } => self.set_stage(stage, writes),
            Command::SetWrites(writes) => self.set_stage(from.stage, Some(writes)),
            Command::Promote => self.promote(),
            Command::Pause => Ok(Position {
                paused: true,
                ..from
            }),
            Command::Resume => Ok(Position {
                paused: false,
                halted: false,
                ..from
            }),
            Command::Abort(to) => self.back(to),
            Command::Advance => {
                self.by_itself()?;
                self.advance()
            }
            Command::RollBack(to) => {
                self.by_itself()?;
                self.back(to)
            }
        }
    }

    fn in_force(&self) -> Percent {
        self.from.percentages(self.at.weaker).in_force().0
    }

    /// Fails, unless forced: then it is only noted.
    fn unless_forced(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        if self.forced.is_none() {
            return Err(refusal);
        }
        self.overridden.push(refusal);
        Ok(())
    }

    fn by_itself(&self) -> Result<(), Refusal> {
        if self.from.paused {
            return Err(Refusal::Paused);
        }
        Ok(())
    }

    fn set_percent(&self, percent: Percent) -> Result<Position, Refusal> {
        if self.from.stage != Stage::Split {
            return Err(Refusal::NotSplit {
                stage: self.from.stage,
            });
        }
        Ok(Position {
            percent: Some(percent),
            last_good: self.from.last_good.min(percent),
            halted: false,
            held: None,
            ..self.from
        })
    }

    fn set_stage(&mut self, stage: Stage, writes: Option<Owner>) -> Result<Position, Refusal> {
        let from = self.from;
        let writes = stage
            .owned_by(writes.or_else(|| (stage == from.stage).then_some(from.writes)))
            .map_err(|OwnerError { stage, owner }| Refusal::Owner { stage, owner })?;
        if stage > from.stage {
            self.may_go_forward(stage)?;
        }
        if from.stage == Stage::Grpc && stage < from.stage && !self.at.legacy_keeps_ids {
            return Err(Refusal::NoWayBack);
        }
        // Outside of `split` a percentage would wait for the day somebody comes back to it: entering it starts afresh,
        // with what the weaker sources say or the first step.
        let entering = stage == Stage::Split && from.stage < Stage::Split;
        Ok(Position {
            stage,
            writes,
            percent: if entering { None } else { from.percent },
            held: from.held.filter(|_| stage == from.stage),
            last_good: if stage < Stage::Split {
                Percent::ZERO
            } else {
                from.last_good
            },
            halted: from.halted && stage == Stage::Split && from.stage == Stage::Split,
            ..from
        })
    }

    fn may_go_forward(&mut self, stage: Stage) -> Result<(), Refusal> {
        if !self.at.enabled {
            return Err(Refusal::Disabled);
        }
        if self.from.stage.next() != Some(stage) {
            self.unless_forced(Refusal::Skips {
                from: self.from.stage,
                to: stage,
            })?;
        }
        if stage == Stage::Shadow && !self.at.comparable {
            self.unless_forced(Refusal::NothingToCompare)?;
        }
        if stage == Stage::Grpc {
            if self.from.stage == Stage::Split && self.in_force() < Percent::HUNDRED {
                self.unless_forced(Refusal::NotEverybody {
                    percent: self.in_force(),
                })?;
            }
            if !self.at.legacy_keeps_ids && !self.at.confirmed {
                return Err(Refusal::OneWay);
            }
        }
        Ok(())
    }

    /// Subjects that move must find their data there.
    fn follower_lets_go_to(&mut self, to: &Position) -> Result<(), Refusal> {
        let enters = to.stage > self.from.stage && to.stage >= Stage::Split;
        let said = Declared {
            enabled: self.at.enabled,
            weaker: self.at.weaker,
        };
        if !enters && to.share(said) <= self.from.share(said) {
            return Ok(());
        }
        match self.at.follower {
            Follower::None | Follower::Ready => Ok(()),
            Follower::Behind { lag_ms } => self.unless_forced(Refusal::FollowerBehind { lag_ms }),
            Follower::Unknown => self.unless_forced(Refusal::FollowerUnknown),
        }
    }

    fn promote(&mut self) -> Result<Position, Refusal> {
        // After the last step comes everybody.
        let everybody = (self.in_force() < Percent::HUNDRED).then_some(Percent::HUNDRED);
        match (self.from.stage, self.next_step().or(everybody)) {
            (Stage::Split, Some(percent)) => self.set_percent(percent),
            (Stage::Shadow, _) => self.enter_split(),
            (stage, _) => {
                let next = stage.next().ok_or(Refusal::AtTheEnd)?;
                self.set_stage(next, None)
            }
        }
    }

    fn advance(&mut self) -> Result<Position, Refusal> {
        if !self.at.enabled {
            return Err(Refusal::Disabled);
        }
        match self.from.stage {
            Stage::Legacy => Err(Refusal::ByHand {
                stage: Stage::Shadow,
            }),
            Stage::Shadow => self.enter_split(),
            Stage::Split => {
                let now = self.in_force();
                let percent = self.next_step().ok_or(match now {
                    Percent::HUNDRED => Refusal::ByHand { stage: Stage::Grpc },
                    percent => Refusal::LastStep { percent },
                })?;
                Ok(Position {
                    percent: Some(percent),
                    last_good: now,
                    halted: false,
                    held: None,
                    ..self.from
                })
            }
            Stage::Grpc => Err(Refusal::AtTheEnd),
        }
    }

    /// From `shadow` by step: the first one is where subjects begin to move.
    fn enter_split(&mut self) -> Result<Position, Refusal> {
        let entered = self.set_stage(Stage::Split, None)?;
        Ok(Position {
            percent: self.at.steps.first().copied().or(Some(Percent::ZERO)),
            ..entered
        })
    }

    /// The first step above the percentage in force.
    fn next_step(&self) -> Option<Percent> {
        let now = self.in_force();
        self.at.steps.iter().copied().find(|step| *step > now)
    }

    fn back(&mut self, to: BackTo) -> Result<Position, Refusal> {
        let from = self.from;
        match from.stage {
            Stage::Legacy => Ok(Position {
                paused: true,
                ..from
            }),
            Stage::Shadow => Ok(Position {
                paused: true,
                ..self.set_stage(Stage::Legacy, None)?
            }),
            Stage::Split => Ok(rolled_back(from, to, self.in_force())),
            Stage::Grpc => {
                let split = self.set_stage(Stage::Split, None)?;
                Ok(rolled_back(split, to, Percent::HUNDRED))
            }
        }
    }
}

fn rolled_back(from: Position, to: BackTo, now: Percent) -> Position {
    let percent = match to {
        BackTo::Zero => Percent::ZERO,
        BackTo::LastGood if from.last_good < now => from.last_good,
        // What is in force now is what was found good: there is nothing to go back to.
        BackTo::LastGood => Percent::ZERO,
    };
    Position {
        percent: Some(percent),
        last_good: percent,
        paused: true,
        halted: percent == Percent::ZERO,
        held: None,
        ..from
    }
}
