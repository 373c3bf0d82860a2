//! From a rollout's state and a request to a side, with the reason.
//!
//! The reason is what a person reads in the access log a week later, and what metrics are grouped by: its names are
//! part of the product and never change their meaning.
//!
//! # Who has a say, strongest first
//!
//! 1. Gradual migration switched off: legacy.
//! 2. The stage. `legacy`, `shadow` and `grpc` decide for everybody; only in `split` the following matter.
//! 3. The owner of writes, for a request that may change something, where the whole rollout has one owner.
//! 4. The side that somebody asks for who is allowed to ([`Request::forced`]).
//! 5. A pin, which keeps a subject with the side that took its last write until the other has caught up ([`Pin`]); none of
//!    another subject ([`heard`]), and none to gRPC while the rollout is halted, when everybody has to come back.
//! 6. The first rule that matches.
//! 7. The percentage. Who falls out of it and has written on gRPC stays there if the rollout says so and is not halted.
//!
//! A pin is heard for reads in the other stages too, so that "I find what I wrote" stays true while stages change; and
//! a forced side in `shadow`, so that gRPC can be tried before anybody is sent there. Neither ever moves a write away
//! from its owner.

mod heard;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Bucket, Facts, Following, NoFacts, Owner, Percent, Pin, RolloutState, Stage, Subject,
    SubjectHash, Then,
};

/// Who serves a request.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The system being replaced.
    Legacy,
    /// Its replacement.
    Grpc,
}

/// Why that side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The subject's bucket against the percentage.
    Percent,
    /// The rollout has not begun.
    StageLegacy,
    /// The rollout only compares; legacy answers.
    StageShadow,
    /// The rollout is over.
    StageGrpc,
    /// Gradual migration is switched off.
    MigrationDisabled,
    /// Legacy owns all writes.
    WritesLegacy,
    /// gRPC owns all writes.
    WritesGrpc,
    /// Somebody who is allowed to asked for that side.
    Forced,
    /// The side took the subject's last write and the other may not know of it yet.
    Pin,
    /// A rule names the side.
    Rule,
    /// The subject's bucket against the percentage of a rule.
    RulePercent,
    /// The subject is beyond the percentage, but has written on gRPC and stays with it.
    StaysWithWriter,
    /// The rollout was rolled back and nobody has gone on yet.
    Halted,
    /// Legacy answers because gRPC failed; never decided, see [`crate::Attempt`].
    Fallback,
}

/// What a decision depends on of a request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who or what is kept sticky.
    pub subject: &'a Subject,
    /// Whether the method changes nothing (RFC 9110 section 9.2.1, or declared so).
    pub safe: bool,
    /// Whether the other side may be asked the same without effect: it is safe, or can be sent to be validated only.
    pub comparable: bool,
    /// The side asked for by somebody who is allowed to.
    pub forced: Option<Side>,
    /// The pins that came with the request, verified; of any subject, and whether or not they still hold.
    pub pins: &'a [Pin],
    /// How far the follower of legacy is known to be, where there is one: a pin may hold until it has passed the write.
    pub following: Option<Following>,
    /// The marks that came with the request, likewise.
    pub marks: &'a [Pin],
    /// What rules look at.
    pub facts: &'a dyn Facts,
    /// Unix time.
    pub now_ms: u64,
    /// Drawn evenly for this request; decides about shadows alone.
    pub chance: u32,
}

/// Who serves a request, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who serves it.
    pub side: Side,
    /// The subject's place; known in every stage, so that a log tells where the subject would be.
    pub bucket: Bucket,
    /// What the place is of.
    pub subject: SubjectHash,
    /// Why that side.
    pub reason: Reason,
    /// The rule that matched, by its place in [`RolloutState::rules`].
    pub rule: Option<usize>,
    /// Whether the percentage has the subject on that side, whoever else had a say: what is answered then stands for
    /// the side where both are compared.
    pub dealt: bool,
    /// Whether a pin alone has the request on that side: without it the other one would serve it.
    pub moved: bool,
    /// The side that a pin keeps the request with, whoever else had a say.
    pub pinned: Option<Side>,
    /// Whom to ask too, once the client has its answer.
    pub shadow: Option<Shadow>,
}

/// A second question, only to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// The side that did not answer the client.
    pub side: Side,
    /// Whether to ask the owner once more too: what differs between its own answers is noise.
    pub noise: bool,
}

/// Decides who serves a request.
#[must_use]
pub fn decide(state: &RolloutState, request: &Request<'_>) -> Decision {
    let subject = state.algorithm.hash(&state.salt, request.subject.value());
    let pin = heard::pin(state, request, subject);
    let decided = place(state, request, subject, pin);
    let (side, reason, rule) = decided;
    // Most pins change nothing, and a side is judged with the reads that follow writes, like the other one.
    let unpinned = match reason {
        Reason::Pin => place(state, request, subject, None),
        _ => decided,
    };
    Decision {
        side,
        bucket: subject.bucket(),
        subject,
        reason,
        rule,
        dealt: (unpinned.0, unpinned.1) == (side, Reason::Percent),
        moved: unpinned.0 != side,
        pinned: pin.map(|pin| pin.side),
        shadow: shadow(state, request, side),
    }
}

type Place = (Side, Reason, Option<usize>);

fn place(
    state: &RolloutState,
    request: &Request<'_>,
    subject: SubjectHash,
    pin: Option<Pin>,
) -> Place {
    if !state.enabled {
        return (Side::Legacy, Reason::MigrationDisabled, None);
    }
    let pinned = pin.map(|pin| (pin.side, Reason::Pin, None));
    let forced = request.forced.map(|side| (side, Reason::Forced, None));
    let read = |place: Option<Place>| place.filter(|_| request.safe);
    match state.stage {
        Stage::Legacy => read(pinned).unwrap_or((Side::Legacy, Reason::StageLegacy, None)),
        Stage::Shadow => {
            read(forced.or(pinned)).unwrap_or((Side::Legacy, Reason::StageShadow, None))
        }
        Stage::Split => write(state, request)
            .or(forced)
            .or(pinned)
            .unwrap_or_else(|| split(state, request, subject)),
        Stage::Grpc => read(pinned).unwrap_or((Side::Grpc, Reason::StageGrpc, None)),
    }
}

/// Where a write goes that the whole rollout has one owner for.
fn write(state: &RolloutState, request: &Request<'_>) -> Option<Place> {
    match state.writes {
        _ if request.safe => None,
        Owner::Legacy => Some((Side::Legacy, Reason::WritesLegacy, None)),
        Owner::Grpc => Some((Side::Grpc, Reason::WritesGrpc, None)),
        Owner::BySubject => None,
    }
}

fn split(state: &RolloutState, request: &Request<'_>, subject: SubjectHash) -> Place {
    let rule = state
        .rules
        .iter()
        .position(|rule| rule.matches(request.subject, request.facts));
    let (percent, dealt) = match rule.map(|index| state.rules[index].then()) {
        Some(Then::Side(Side::Legacy)) => return (Side::Legacy, Reason::Rule, rule),
        Some(Then::Side(Side::Grpc)) if !state.halted => return (Side::Grpc, Reason::Rule, rule),
        Some(Then::Percent(percent)) => (percent, Reason::RulePercent),
        Some(Then::Side(Side::Grpc)) | None => (state.percent, Reason::Percent),
    };
    if percent.includes(subject.bucket()) && !state.halted {
        (Side::Grpc, dealt, rule)
    } else if heard::stays(state, request, subject) {
        (Side::Grpc, Reason::StaysWithWriter, rule)
    } else if state.halted {
        (Side::Legacy, Reason::Halted, rule)
    } else {
        (Side::Legacy, dealt, rule)
    }
}

fn shadow(state: &RolloutState, request: &Request<'_>, side: Side) -> Option<Shadow> {
    let both_serve = state.enabled && matches!(state.stage, Stage::Shadow | Stage::Split);
    let hundredths = u32::from(Percent::HUNDRED.hundredths());
    // Two draws out of one; the second is uneven by less than 3 in 100,000.
    let (first, second) = (request.chance % hundredths, request.chance / hundredths);
    let drawn = |share: Percent, draw: u32| draw % hundredths < u32::from(share.hundredths());
    (both_serve && request.comparable && drawn(state.shadow, first)).then(|| Shadow {
        side: side.other(),
        noise: drawn(state.noise, second),
    })
}

impl<'a> Request<'a> {
    /// A safe request of `subject` that shows nothing else and is not sampled for a shadow.
    #[must_use]
    pub const fn of(subject: &'a Subject) -> Self {
        Self {
            subject,
            safe: true,
            comparable: false,
            forced: None,
            pins: &[],
            following: None,
            marks: &[],
            facts: &NoFacts,
            now_ms: 0,
            chance: 0,
        }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("subject", self.subject)
            .field("safe", &self.safe)
            .field("comparable", &self.comparable)
            .field("forced", &self.forced)
            .field("pins", &self.pins)
            .field("following", &self.following)
            .field("marks", &self.marks)
            .field("now_ms", &self.now_ms)
            .field("chance", &self.chance)
            .finish_non_exhaustive()
    }
}

impl Side {
    /// The stable name in headers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Grpc => "grpc",
        }
    }

    /// The side of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Legacy, Self::Grpc]
            .into_iter()
            .find(|side| side.as_str() == name)
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Grpc,
            Self::Grpc => Self::Legacy,
        }
    }
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::Percent,
        Self::StageLegacy,
        Self::StageShadow,
        Self::StageGrpc,
        Self::MigrationDisabled,
        Self::WritesLegacy,
        Self::WritesGrpc,
        Self::Forced,
        Self::Pin,
        Self::Rule,
        Self::RulePercent,
        Self::StaysWithWriter,
        Self::Halted,
        Self::Fallback,
    ];

    /// The stable name in headers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::StageLegacy => "stage_legacy",
            Self::StageShadow => "stage_shadow",
            Self::StageGrpc => "stage_grpc",
            Self::MigrationDisabled => "migration_disabled",
            Self::WritesLegacy => "writes_legacy",
            Self::WritesGrpc => "writes_grpc",
            Self::Forced => "forced",
            Self::Pin => "pin",
            Self::Rule => "rule",
            Self::RulePercent => "rule_percent",
            Self::StaysWithWriter => "stays_with_writer",
            Self::Halted => "halted",
            Self::Fallback => "fallback",
        }
    }

    /// What it means, for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Percent => "the subject's bucket against the percentage",
            Self::StageLegacy => "stage legacy: everything goes to legacy",
            Self::StageShadow => "stage shadow: legacy answers, gRPC is only compared",
            Self::StageGrpc => "stage grpc: everything goes to gRPC",
            Self::MigrationDisabled => "gradual migration is switched off",
            Self::WritesLegacy => "legacy owns all writes",
            Self::WritesGrpc => "gRPC owns all writes",
            Self::Forced => "asked for by somebody who may",
            Self::Pin => "that side took the subject's last write, the other may not know it yet",
            Self::Rule => "a rule names the side",
            Self::RulePercent => "the subject's bucket against the percentage of a rule",
            Self::StaysWithWriter => {
                "beyond the percentage, but the subject's writes are on gRPC and it stays with them"
            }
            Self::Halted => "rolled back, and nobody has gone on yet",
            Self::Fallback => "gRPC failed, and legacy answered for it",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
