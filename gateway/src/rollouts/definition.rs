//! What configuration says about a rollout, before any operator speaks.

use std::path::PathBuf;

use banyan_rollout::{Follower, GoingDown, Percent, Policy, Position, Rule, Source, Subjects};

use super::Steering;
use crate::store::{Configured, Said, State, SteeringTerms};

/// A rollout as configured.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name; the salt too.
    pub name: String,
    /// What is kept on its side.
    pub subjects: Subjects,
    /// The percentage of the configuration file.
    pub file_percent: Option<Percent>,
    /// The percentage of the environment variable.
    pub env_percent: Option<Percent>,
    /// That variable's name, if the rollout listens to one.
    pub env_name: Option<String>,
    /// A file that may hold a percentage, and may change while the gateway runs.
    pub percent_file: Option<PathBuf>,
    /// `false`: everything goes to legacy, except in a stage `grpc` that is not left without copying data first.
    pub enabled: bool,
    /// Routes that move together, as `METHOD template`.
    pub routes: Vec<String>,
    /// Where it stands before anybody has decided anything.
    pub position: Position,
    /// What becomes of subjects when the percentage falls below them.
    pub going_down: GoingDown,
    /// Exceptions from the percentage.
    pub rules: Vec<Rule>,
    /// The share of comparable requests that the other side is asked too.
    pub shadow: Percent,
    /// The share of these whose owner is asked twice.
    pub noise: Percent,
    /// Whether a request that fails on gRPC without having happened is answered by legacy.
    pub has_fallback: bool,
    /// Whether legacy can take back, under their ids, the writes that gRPC owns in stage `grpc`; where nothing is said, as
    /// the follower says.
    pub legacy_keeps_ids: Option<bool>,
    /// Whether both sides write one database.
    pub shares_data: bool,
    /// Whether legacy does a request once only, however often it comes with the same request id.
    pub legacy_honours_request_ids: bool,
    /// How it advances and returns by itself; people decide where there is none.
    pub policy: Option<Policy>,
    /// What single requests may say about their side; the whole gateway's, known once it runs.
    pub steering: Option<SteeringTerms>,
    /// Whether somebody follows the legacy side: then a higher percentage waits until the follower has caught up.
    pub has_follower: bool,
}

impl Definition {
    /// A rollout of which configuration says nothing but its name and subjects.
    #[must_use]
    pub fn new(name: &str, subjects: Subjects) -> Self {
        Self {
            name: name.to_owned(),
            subjects,
            file_percent: None,
            env_percent: None,
            env_name: None,
            percent_file: None,
            enabled: true,
            routes: Vec::new(),
            position: Position::default(),
            going_down: GoingDown::default(),
            rules: Vec::new(),
            shadow: Percent::ZERO,
            noise: Percent::ZERO,
            has_fallback: false,
            legacy_keeps_ids: None,
            shares_data: false,
            legacy_honours_request_ids: false,
            policy: None,
            steering: None,
            has_follower: false,
        }
    }

    /// Under the steering that this gateway runs with, which the log is told of too.
    pub(super) fn steered(self, steering: &Steering) -> Self {
        Self {
            steering: Some(steering.terms()),
            ..self
        }
    }

    /// Its state where nobody has changed it yet. What has to wait for the follower does so from the start.
    pub(super) fn initial(&self, configured: &Configured) -> State {
        let follower = match self.has_follower {
            true => Follower::Unknown,
            false => Follower::None,
        };
        let nothing = State::new(&self.name, self.position, Configured::default());
        let never = nothing.step_since;
        nothing.configured_by(configured, follower, never)
    }

    /// What the sources weaker than an operator say, with what the mounted file says.
    pub(super) fn configured(&self, mounted: Option<Percent>) -> Configured {
        let file = self.percent_file.as_ref();
        let sources = [
            (Source::Environment, self.env_percent, self.env_name.clone()),
            (
                Source::Files,
                mounted,
                file.map(|file| file.display().to_string()),
            ),
            (
                Source::File,
                self.file_percent,
                Some("gateway.toml".to_owned()),
            ),
        ];
        let percents = sources.into_iter().filter_map(|(source, percent, origin)| {
            Some(Said {
                source,
                percent: percent?,
                origin: origin.unwrap_or_default(),
            })
        });
        Configured {
            enabled: self.enabled,
            takes_back: self.shares_data
                || self.legacy_keeps_ids == Some(true) && !self.has_follower,
            shares_data: self.shares_data,
            percents: percents.collect(),
            going_down: self.going_down,
            rules: self.rules.clone(),
            shadow: self.shadow,
            noise: self.noise,
            subjects: Some(self.subjects.clone()),
            fallback: self.has_fallback,
            policy: self.policy.clone(),
            routes: Some(self.routes.clone()),
            honours_request_ids: Some(self.legacy_honours_request_ids),
            steering: self.steering,
        }
    }
}

/// What a reading of the configuration says otherwise than the one before: `MOVIES_MIGRATION_PERCENT=50; shadow 0 -> 5`.
pub(super) fn news(before: &State, after: &State) -> String {
    let has_moved = before.configured.percents != after.configured.percents;
    let percent = has_moved.then(|| {
        weaker_setting(&after.configured).unwrap_or_else(|| "nothing is configured".to_owned())
    });
    let others = after.changed_since(before).into_iter();
    let others = others.map(|it| format!("{} {} -> {}", it.name, it.before, it.after));
    let waits = waits(before, after);
    let news: Vec<String> = percent.into_iter().chain(others).chain(waits).collect();
    match news.is_empty() {
        true => "what is configured changes nothing".to_owned(),
        // What an operator may say is enough for the settings too; the entry holds the whole states.
        false => news.join("; ").chars().take(500).collect(),
    }
}

/// `it waits at 20 for the follower`, or what is in force now that it has waited.
fn waits(before: &State, after: &State) -> Option<String> {
    let (was, is) = (before.in_force().0, after.in_force().0);
    match (before.position.held, after.position.held) {
        (was, Some(held)) if was != Some(held) => {
            Some(format!("it waits at {is} for the follower"))
        }
        (Some(_), None) if was < is => Some(format!(
            "what waited for the follower is in force: {was} -> {is}"
        )),
        _ => None,
    }
}

/// What is in force where no operator speaks, as a person would find it: `MOVIES_MIGRATION_PERCENT=50`.
pub(super) fn weaker_setting(configured: &Configured) -> Option<String> {
    let said = configured.percents.first()?;
    let (percent, origin) = (said.percent, said.origin.as_str());
    Some(match (said.source, origin) {
        (Source::File, _) => format!("the file's percent = {percent}"),
        (source, "") => format!("the {source}'s {percent}"),
        (Source::Files, file) => format!("{percent} in {file}"),
        (_, variable) => format!("{variable}={percent}"),
    })
}
