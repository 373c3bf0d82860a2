//! A rollout at one moment, for people and programs that look at it.

use banyan_rollout::{Algorithm, Evidence, Owner, Percent, Policy, Source, Stage, SubjectSource};
use jiff::Timestamp;

use super::{Counts, Definition, live::Current};
use crate::store::{Said, Setting};

/// A rollout at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// How far it is; [`Stage::Legacy`] while gradual migration is switched off and that is followed.
    pub stage: Stage,
    /// Where requests go that change something.
    pub writes: Owner,
    /// The share of subjects on the gRPC side.
    pub percent: Percent,
    /// Whose percentage that is.
    pub source: Source,
    /// What everybody says about the percentage, strongest first.
    pub said: Vec<Said>,
    /// Why the strongest of these is not in force yet; `None` where it is.
    pub waits: Option<String>,
    /// How it moves by itself; people decide where there is none.
    pub policy: Option<Policy>,
    /// Whether the policy is kept from moving it.
    pub is_paused: bool,
    /// Whether it was rolled back to nobody, and nobody has gone on yet.
    pub is_halted: bool,
    /// What is kept sticky, in the order tried.
    pub subjects: Vec<SubjectSource>,
    /// Routes that move together, as `METHOD template`.
    pub routes: Vec<String>,
    /// What each side answered since this process started.
    pub counts: Counts,
    /// When it was last changed.
    pub update_time: Option<Timestamp>,
    /// Counts the changes; 0 before the first.
    pub version: u64,
    /// Deals the subjects.
    pub salt: String,
    /// How they are dealt.
    pub algorithm: Algorithm,
    /// What the policy last said; empty before it said anything.
    pub verdict: String,
    /// What that rests on, metric by metric.
    pub evidence: Vec<Evidence>,
    /// What everybody says about the settings that operators can set.
    pub settings: Vec<Setting>,
    /// Whether stage `grpc`, once entered, is never left.
    pub is_one_way: bool,
    /// The last percentage that was found good by the policy, and left for a higher one.
    pub last_good: Percent,
    /// What somebody should know who thinks that it does what it was told, in words for people.
    pub warnings: Vec<String>,
    /// Whether the store is away, so that this is what was last known.
    pub is_stale: bool,
}

impl Snapshot {
    pub(super) fn new(
        definition: &Definition,
        current: &Current,
        counts: Counts,
        is_stale: bool,
    ) -> Self {
        let state = &current.state;
        let (percent, source) = state.in_force();
        Self {
            name: definition.name.clone(),
            stage: match state.is_on() {
                true => state.position.stage,
                false => Stage::Legacy,
            },
            writes: match state.is_on() {
                true => state.position.writes,
                false => Owner::Legacy,
            },
            percent,
            source,
            said: state.said(),
            waits: state
                .position
                .held
                .map(|_| "the follower has not caught up".to_owned()),
            policy: state.policy().cloned(),
            is_paused: state.position.paused,
            is_halted: state.position.halted,
            subjects: current.subjects.sources().cloned().collect(),
            routes: definition.routes.clone(),
            counts,
            update_time: current.change_time,
            version: current.version,
            salt: state.salt.clone(),
            algorithm: state.algorithm,
            verdict: String::new(),
            evidence: Vec::new(),
            settings: state.settings(),
            is_one_way: definition.legacy_keeps_ids != Some(true),
            last_good: state.position.last_good,
            warnings: state
                .ignores_switch()
                .then(|| switch_ignored(&definition.name))
                .into_iter()
                .collect(),
            is_stale,
        }
    }
}

/// Why a rollout is not switched off, and what can be done.
pub(super) fn switch_ignored(rollout: &str) -> String {
    format!(
        "gradual migration is switched off, and stage grpc does not follow that: legacy lacks what was written since it \
         was entered. Where there is a way back, `banyan rollout abort {rollout}` takes it"
    )
}
