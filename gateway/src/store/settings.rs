//! Settings beside the percentage: what operators set by hand beats what gateway.toml says, until it is unset.
//!
//! Both are kept in the rollout's state, so the log remembers them and every replica goes by the same.

use banyan_rollout::{BackTo, GoingDown, Percent, Policy, Source};
use serde::{Deserialize, Serialize};

use super::State;

/// A policy, or people decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyWord {
    /// People decide, whatever gateway.toml says.
    Off,
    /// It moves by this.
    On(Policy),
}

/// What operators set by hand; what is `None` is left to gateway.toml.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// The share of comparable requests that the other side is asked too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Percent>,
    /// The share of these whose owner is asked twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<Percent>,
    /// Whether legacy answers for gRPC where that cannot do anything twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<bool>,
    /// How the rollout moves by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyWord>,
}

/// What everybody says about one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which.
    pub name: &'static str,
    /// Who says what and where, strongest first; the first is in force.
    pub said: Vec<(Source, String, &'static str)>,
}

/// A setting that is another one since a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub name: &'static str,
    /// What was in force.
    pub before: String,
    /// What is in force since.
    pub after: String,
}

impl Overrides {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl State {
    /// The share of comparable requests that the other side is asked too.
    #[must_use]
    pub fn shadow(&self) -> Percent {
        self.overrides.shadow.unwrap_or(self.configured.shadow)
    }

    /// The share of these whose owner is asked twice.
    #[must_use]
    pub fn noise(&self) -> Percent {
        self.overrides.noise.unwrap_or(self.configured.noise)
    }

    /// Whether legacy answers for gRPC where that cannot do anything twice.
    #[must_use]
    pub fn has_fallback(&self) -> bool {
        self.overrides.fallback.unwrap_or(self.configured.fallback)
    }

    /// How it moves by itself; people decide where there is none.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        match &self.overrides.policy {
            Some(PolicyWord::Off) => None,
            Some(PolicyWord::On(policy)) => Some(policy),
            None => self.configured.policy.as_ref(),
        }
    }

    /// What everybody says about the settings that operators can set.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let (by_hand, file) = (&self.overrides, &self.configured);
        let policy = by_hand.policy.as_ref().map(|word| match word {
            PolicyWord::Off => "off".to_owned(),
            PolicyWord::On(policy) => in_words(policy),
        });
        vec![
            setting("shadow", by_hand.shadow.map(text), share(file.shadow), "0"),
            setting("noise", by_hand.noise.map(text), share(file.noise), "0"),
            setting(
                "fallback",
                by_hand.fallback.map(|it| switch(it).to_owned()),
                file.fallback.then(|| "on".to_owned()),
                "off",
            ),
            setting("policy", policy, file.policy.as_ref().map(in_words), "off"),
        ]
    }

    /// What is otherwise than in `before`, beside position and percentage.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Vec<Changed> {
        let names = [
            "shadow",
            "noise",
            "fallback",
            "policy",
            "subjects",
            "rules",
            "going_down",
            "enabled",
            "takes_back",
            "shares_data",
            "routes",
            "honours_request_ids",
            "steering",
        ];
        let (mut was, mut is) = (before.words(), self.words());
        if was[3] == is[3] && before.policy() != self.policy() {
            // They differ in what the words leave out.
            was[3] = json(before.policy());
            is[3] = json(self.policy());
        }
        let pairs = names.into_iter().zip(was.into_iter().zip(is));
        pairs
            .filter(|(_, (before, after))| before != after)
            .map(|(name, (before, after))| Changed {
                name,
                before,
                after,
            })
            .collect()
    }

    fn words(&self) -> [String; 13] {
        let configured = &self.configured;
        let sources = configured.subjects.as_ref().map(|all| {
            let sources: Vec<_> = all.sources().map(ToString::to_string).collect();
            sources.join(", ")
        });
        let routes = configured.routes.as_ref().map(|all| all.join(", "));
        [
            text(self.shadow()),
            text(self.noise()),
            switch(self.has_fallback()).to_owned(),
            self.policy().map_or_else(|| "off".to_owned(), in_words),
            known(sources),
            serde_json::to_string(&configured.rules).unwrap_or_default(),
            match configured.going_down {
                GoingDown::Return => "return".to_owned(),
                GoingDown::StayWithWriter => "stay-with-writer".to_owned(),
            },
            configured.enabled.to_string(),
            configured.takes_back.to_string(),
            configured.shares_data.to_string(),
            known(routes),
            known(configured.honours_request_ids.map(|it| it.to_string())),
            known(configured.steering.map(|it| {
                let token = if it.force_token { "with a" } else { "without" };
                let most = it.pin_max_s.map(|most| format!(", at most {most} s"));
                let most = most.unwrap_or_default();
                format!("{token} force token, pins of {} s{most}", it.pin_s)
            })),
        ]
    }
}

fn setting(
    name: &'static str,
    by_hand: Option<String>,
    file: Option<String>,
    usual: &str,
) -> Setting {
    let by_hand = by_hand.map(|value| (Source::Operator, value, ""));
    let file = match file {
        Some(value) => (Source::File, value, "gateway.toml"),
        None => (Source::Default, usual.to_owned(), ""),
    };
    Setting {
        name,
        said: by_hand.into_iter().chain([file]).collect(),
    }
}

/// What an older release wrote may lack it.
fn known(text: Option<String>) -> String {
    text.unwrap_or_else(|| "not recorded".to_owned())
}

/// A share that says something: none is what is so without a word.
fn share(percent: Percent) -> Option<String> {
    (percent > Percent::ZERO).then(|| text(percent))
}

fn text(percent: Percent) -> String {
    percent.to_string()
}

fn json(policy: Option<&Policy>) -> String {
    serde_json::to_string(&policy).unwrap_or_default()
}

fn switch(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// `1, 5, 25, 50, 100 %, each 300 s and 500 requests, back to zero; errors 1.1x+0.01, p99 1.25x, differences 0.1 %`
fn in_words(policy: &Policy) -> String {
    let steps: Vec<_> = policy.steps.iter().map(ToString::to_string).collect();
    let by_itself = match (policy.advance, policy.roll_back) {
        (true, true) => "",
        (true, false) => ", never back by itself",
        (false, true) => ", never on by itself",
        (false, false) => ", only watching",
    };
    let back = match policy.back_to {
        BackTo::Zero => "zero",
        BackTo::LastGood => "the last good step",
    };
    let latency = policy.latency.iter().map(|bound| {
        let quantile = (bound.quantile * 1e6).round() / 1e4;
        format!("p{quantile} {}x, ", bound.ratio_max)
    });
    format!(
        "{} %, each {} s and {} requests, back to {back}{by_itself}; errors {}x+{} %, {}differences {} %; \
         {} % false rollbacks",
        steps.join(", "),
        policy.step_time_s,
        policy.step_requests,
        policy.errors.ratio_max,
        policy.errors.more_max_percent,
        latency.collect::<String>(),
        policy.differences.max_percent,
        policy.false_rollback_percent,
    )
}

#[cfg(test)]
mod tests {
    use banyan_rollout::Position;

    use super::*;
    use crate::store::Configured;

    fn state() -> State {
        let configured = Configured {
            shadow: "5".parse().unwrap(),
            policy: Some(Policy::default()),
            ..Configured::default()
        };
        State::new("movies", Position::default(), configured)
    }

    #[test]
    fn an_operator_beats_the_file_until_it_is_unset() {
        let mut state = state();
        assert_eq!(
            (state.shadow().to_string().as_str(), state.has_fallback()),
            ("5", false)
        );
        state.overrides = Overrides {
            shadow: Some(Percent::ZERO),
            fallback: Some(true),
            policy: Some(PolicyWord::Off),
            ..Overrides::default()
        };
        assert_eq!(
            (state.shadow(), state.has_fallback()),
            (Percent::ZERO, true)
        );
        assert!(state.policy().is_none());
        let said = &state.settings()[0].said;
        assert_eq!(
            *said,
            [
                (Source::Operator, "0".to_owned(), ""),
                (Source::File, "5".to_owned(), "gateway.toml")
            ]
        );
        state.overrides = Overrides::default();
        assert!(state.policy().is_some());
    }

    #[test]
    fn what_changed_is_told_setting_by_setting() {
        let (before, mut after) = (state(), state());
        after.overrides.shadow = "10".parse().ok();
        after.overrides.policy = Some(PolicyWord::Off);
        let changed = after.changed_since(&before);
        let names: Vec<_> = changed.iter().map(|it| it.name).collect();
        assert_eq!(names, ["shadow", "policy"]);
        assert_eq!(
            (changed[0].before.as_str(), changed[0].after.as_str()),
            ("5", "10")
        );
        assert!(
            changed[1]
                .before
                .starts_with("1, 5, 25, 50, 100 %, each 300 s"),
            "{changed:?}"
        );
        assert!(after.changed_since(&after.clone()).is_empty());
    }

    #[test]
    fn a_state_with_settings_by_hand_survives_its_json() {
        let mut state = state();
        state.overrides.policy = Some(PolicyWord::On(Policy::default()));
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(
            serde_json::from_str::<State>(&json).unwrap(),
            state,
            "{json}"
        );
    }
}
