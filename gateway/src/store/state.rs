//! A rollout's whole state, as the store keeps it and the log remembers it.
//!
//! All that a decision depends on is in here, except the request: so the entry of the log that was the last one at some
//! moment is enough to repeat every decision of that moment. It is kept as JSON; a field that an older entry lacks has
//! the value that things had before the field existed, or is `None` where that is not known.
//!
//! What variables, mounted files and gateway.toml say is part of it too, and the latest change of any of them counts:
//! replicas that hear of it one after the other (a rolling update, a folder that is mounted anew) still decide alike.

use banyan_rollout::{
    Algorithm, Declared, Follower, GoingDown, Percent, Percentages, Policy, Position, RolloutState,
    Rule, Source, Stage, Subjects, left_good, settle,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Overrides;

/// A rollout's whole state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Deals the subjects; the rollout's for life.
    pub salt: String,
    /// How they are dealt; the rollout's for life.
    pub algorithm: Algorithm,
    /// What operators and the policy decided.
    #[serde(default)]
    pub position: Position,
    /// Since when the position is what it is, or since it was last resumed; what was counted before says nothing about it.
    #[serde(default)]
    pub step_since: Timestamp,
    /// What the weaker sources say.
    #[serde(default)]
    pub configured: Configured,
    /// What operators set beside position and percentage.
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
}

/// What variables, mounted files and gateway.toml say about a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Configured {
    /// `false`: everything goes to legacy, as far as [`State::is_on`] lets it.
    pub enabled: bool,
    /// Whether legacy can take over from stage `grpc` at any moment, with nothing to be copied first: both sides write one
    /// database, or it keeps ids and nobody follows it.
    #[serde(skip_serializing_if = "is_false")]
    pub takes_back: bool,
    /// Whether both sides write one database, so that legacy has in stage `grpc` too what was written.
    #[serde(skip_serializing_if = "is_false")]
    pub shares_data: bool,
    /// Their percentages, strongest first.
    pub percents: Vec<Said>,
    /// What becomes of subjects when the percentage falls below them.
    pub going_down: GoingDown,
    /// Exceptions from the percentage.
    pub rules: Vec<Rule>,
    /// The share of comparable requests that the other side is asked too.
    pub shadow: Percent,
    /// The share of these whose owner is asked twice.
    pub noise: Percent,
    /// What is kept on its side; `None` where an older release wrote this.
    pub subjects: Option<Subjects>,
    /// Whether legacy answers for gRPC where that cannot do anything twice.
    pub fallback: bool,
    /// How it moves by itself; people decide where there is none.
    pub policy: Option<Policy>,
    /// Routes that move together, as `METHOD template`; `None` where an older release wrote this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<String>>,
    /// Whether legacy does a request once only, however often it comes with the same request id; `None` where an older
    /// release wrote this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honours_request_ids: Option<bool>,
    /// What single requests may say about their side; `None` where an older release wrote this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steering: Option<SteeringTerms>,
}

/// What single requests may say about their side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteeringTerms {
    /// Whether there is a token by which a side may be asked for.
    pub force_token: bool,
    /// How long a pin holds, whatever is known.
    pub pin_s: u64,
    /// How long after its write one holds whose write the follower has not passed; `None` where an older release wrote
    /// this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_max_s: Option<u64>,
}

/// What one source says about the percentage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Which source.
    #[serde(with = "source_name")]
    pub source: Source,
    /// What it says.
    pub percent: Percent,
    /// Where it says so: a variable, a file; empty for an operator.
    #[serde(default)]
    pub origin: String,
}

impl State {
    /// A rollout that nobody has changed yet.
    #[must_use]
    pub fn new(salt: &str, position: Position, configured: Configured) -> Self {
        Self {
            salt: salt.to_owned(),
            algorithm: Algorithm::default(),
            position,
            step_since: Timestamp::UNIX_EPOCH,
            configured,
            overrides: Overrides::default(),
        }
    }

    /// What everybody says about the percentage, strongest first.
    #[must_use]
    pub fn said(&self) -> Vec<Said> {
        let operator = self.position.percent.map(|percent| Said {
            source: Source::Operator,
            percent,
            origin: String::new(),
        });
        operator
            .into_iter()
            .chain(self.configured.percents.iter().cloned())
            .collect()
    }

    /// What the sources weaker than an operator say.
    #[must_use]
    pub fn weaker(&self) -> Percentages {
        self.configured.weaker()
    }

    /// The state once this is configured, as far as the follower lets it be. What is counted begins anew at `now` where
    /// another percentage is in force, or migration was switched on or off.
    #[must_use]
    pub fn configured_by(
        &self,
        configured: &Configured,
        follower: Follower,
        now: Timestamp,
    ) -> Self {
        let (was, is) = (self.configured.declared(), configured.declared());
        let mut after = Self {
            position: settle(&self.position, was, is, follower),
            configured: configured.clone(),
            ..self.clone()
        };
        if after.in_force() != self.in_force() || is.enabled != was.enabled {
            after.step_since = now;
        }
        after
    }

    /// The state, come to from one whose percentage the policy had found good: remembered where it is left for more.
    #[must_use]
    pub fn left_good(self, before: &Self) -> Self {
        let (was, is) = (before.configured.declared(), self.configured.declared());
        Self {
            position: left_good(&before.position, was, self.position, is),
            ..self
        }
    }

    /// The percentage in force and whose it is.
    #[must_use]
    pub fn in_force(&self) -> (Percent, Source) {
        self.position.percentages(self.weaker()).in_force()
    }

    /// Whether gradual migration is on. In stage `grpc` ids and writes are the gRPC side's: were everything to go to legacy
    /// by a switch, what was acknowledged since would be missing there, and its ids be given again. So the switch is not
    /// followed there, unless legacy can take over at any moment.
    #[must_use]
    pub fn is_on(&self) -> bool {
        let is_kept = self.position.stage == Stage::Grpc && !self.configured.takes_back;
        self.configured.enabled || is_kept
    }

    /// Whether it is switched off, and that is not followed.
    #[must_use]
    pub fn ignores_switch(&self) -> bool {
        self.is_on() && !self.configured.enabled
    }

    /// What requests are decided by at this state.
    #[must_use]
    pub fn decides_by(&self, version: u64) -> RolloutState {
        let state = RolloutState {
            algorithm: self.algorithm,
            enabled: self.is_on(),
            going_down: self.configured.going_down,
            rules: self.configured.rules.clone(),
            shadow: self.shadow(),
            noise: self.noise(),
            version,
            ..RolloutState::new(self.salt.as_str())
        };
        self.position.put_in_force(state, self.weaker())
    }
}

impl Configured {
    /// Their percentages by source.
    #[must_use]
    pub fn weaker(&self) -> Percentages {
        let of = |source| {
            let mut said = self.percents.iter();
            Some(said.find(|said| said.source == source)?.percent)
        };
        Percentages {
            environment: of(Source::Environment),
            files: of(Source::Files),
            file: of(Source::File),
            ..Percentages::default()
        }
    }

    fn declared(&self) -> Declared {
        Declared {
            enabled: self.enabled,
            weaker: self.weaker(),
        }
    }
}

impl Default for Configured {
    fn default() -> Self {
        Self {
            enabled: true,
            takes_back: false,
            shares_data: false,
            percents: Vec::new(),
            going_down: GoingDown::default(),
            rules: Vec::new(),
            shadow: Percent::ZERO,
            noise: Percent::ZERO,
            subjects: None,
            fallback: false,
            policy: None,
            routes: None,
            honours_request_ids: None,
            steering: None,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_false(it: &bool) -> bool {
    !*it
}

mod source_name {
    use banyan_rollout::Source;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(source: &Source, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(source.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Source, D::Error> {
        let name = String::deserialize(from)?;
        Source::from_name(&name)
            .ok_or_else(|| de::Error::custom(format!("{name:?} is no source of percentages")))
    }
}

#[cfg(test)]
mod tests {
    use banyan_rollout::{Owner, Stage};

    use super::*;

    #[test]
    fn stage_grpc_is_left_by_no_switch_unless_legacy_can_take_over() {
        for stage in Stage::ALL {
            for takes_back in [false, true] {
                let configured = Configured {
                    enabled: false,
                    takes_back,
                    ..Configured::default()
                };
                let position = Position::initial(stage, None).unwrap();
                let state = State::new("movies", position, configured);
                let is_kept = stage == Stage::Grpc && !takes_back;
                assert_eq!(state.decides_by(1).enabled, is_kept, "{stage}");
                assert_eq!(state.ignores_switch(), is_kept, "{stage}");
            }
        }
    }

    #[test]
    fn a_state_survives_its_json() {
        let percents = vec![Said {
            source: Source::Environment,
            percent: "12.5".parse().unwrap(),
            origin: "MOVIES_MIGRATION_PERCENT".to_owned(),
        }];
        let rule = r#"{"name":"staff","subjects":["alice"],"side":"grpc"}"#;
        let configured = Configured {
            percents,
            rules: vec![serde_json::from_str(rule).unwrap()],
            ..Configured::default()
        };
        let position = Position::initial(Stage::Shadow, Some(Owner::Legacy)).unwrap();
        let state = State::new("movies", position, configured);
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(
            serde_json::from_str::<State>(&json).unwrap(),
            state,
            "{json}"
        );
    }

    #[test]
    fn what_is_counted_begins_anew_where_migration_is_switched_off_or_on() {
        let on = State::new("movies", Position::default(), Configured::default());
        let off = Configured {
            enabled: false,
            ..Configured::default()
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        let off = on.configured_by(&off, Follower::None, at(5));
        assert_eq!(off.step_since, at(5));
        assert_eq!(
            off.configured_by(&off.configured, Follower::None, at(6)),
            off
        );
        let again = off.configured_by(&on.configured, Follower::None, at(7));
        assert_eq!(again.step_since, at(7));
    }

    #[test]
    fn what_an_older_release_did_not_know_is_as_it_was_then() {
        let old = r#"{"salt":"movies","algorithm":"sha256-v1"}"#;
        let state: State = serde_json::from_str(old).unwrap();
        assert_eq!(state.position.stage, Stage::Split);
        assert_eq!(state.in_force(), (Percent::ZERO, Source::Default));
        assert!(state.configured.enabled);
    }
}
