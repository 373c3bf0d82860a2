//! Exceptions from the percentage: lists of subjects, and groups of requests with a side or a percentage of their own.
//!
//! ```toml
//! rules = [
//!     { name = "staff", subjects = ["alice", "bob"], side = "grpc" },
//!     { name = "old app", user_agent = "CinemaApp/1.", side = "legacy" },
//!     { name = "Norway first", headers = { x-country = "NO" }, percent = 50 },
//! ]
//! ```
//!
//! The first rule of which every condition holds decides, so deny before allow. A percentage inside a group deals
//! subjects by the same buckets as the rollout's own: who is below 5 per cent there is below 50 per cent here. Rules
//! count in stage `split` only, and not for writes that the whole rollout has one owner for.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Facts, Percent, Side, Subject};

/// One exception from the percentage: conditions, all of which have to hold, and a side or a percentage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
#[schemars(with = "Written")]
pub struct Rule {
    name: String,
    when: When,
    then: Then,
}

/// Who a rule is for; an absent condition always holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// One of these subjects.
    pub subjects: Option<BTreeSet<String>>,
    /// The user agent contains this, whatever the case.
    pub user_agent: Option<String>,
    /// Every one of these headers, by its lower-case name, has this value, whatever the case.
    pub headers: BTreeMap<String, String>,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Everybody it is for goes there.
    Side(Side),
    /// This share of those it is for goes to gRPC.
    Percent(Percent),
}

/// Why something is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It would be for everybody.
    #[error(
        "rule `{0}` has no condition: give it `subjects`, `user_agent` or `headers`, or change the rollout's percent instead"
    )]
    NoCondition(String),
    /// It says neither or both.
    #[error("rule `{0}` wants either `side` or `percent`")]
    SideOrPercent(String),
}

/// A rule as settings spell it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// What it is called in explanations.
    name: String,
    /// For these subjects only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subjects: Option<BTreeSet<String>>,
    /// For clients only whose user agent contains this, whatever the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// For requests only of which all these headers have these values, whatever the case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    /// `legacy` or `grpc`: everybody it is for goes there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    side: Option<Side>,
    /// Per cent of those it is for that go to gRPC, instead of the rollout's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>")]
    percent: Option<Percent>,
}

impl Rule {
    /// A rule.
    ///
    /// # Errors
    /// If it has no condition.
    pub fn new(name: impl Into<String>, mut when: When, then: Then) -> Result<Self, RuleError> {
        let name = name.into();
        if when.subjects.is_none() && when.user_agent.is_none() && when.headers.is_empty() {
            return Err(RuleError::NoCondition(name));
        }
        when.headers = when
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        Ok(Self { name, when, then })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who it is for.
    #[must_use]
    pub const fn when(&self) -> &When {
        &self.when
    }

    /// What it says.
    #[must_use]
    pub const fn then(&self) -> Then {
        self.then
    }

    /// Whether it is for this request.
    #[must_use]
    pub fn matches(&self, subject: &Subject, facts: &dyn Facts) -> bool {
        let named = |subjects: &BTreeSet<String>| subjects.contains(subject.value());
        let agent = |part: &String| {
            facts
                .header("user-agent")
                .is_some_and(|agent| contains(agent, part))
        };
        self.when.subjects.as_ref().is_none_or(named)
            && self.when.user_agent.as_ref().is_none_or(agent)
            && self.when.headers.iter().all(|(name, want)| {
                facts
                    .header(name)
                    .is_some_and(|value| value.eq_ignore_ascii_case(want))
            })
    }
}

fn contains(text: &str, part: &str) -> bool {
    part.is_empty()
        || text
            .as_bytes()
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

impl TryFrom<Written> for Rule {
    type Error = RuleError;

    fn try_from(written: Written) -> Result<Self, RuleError> {
        let then = match (written.side, written.percent) {
            (Some(side), None) => Then::Side(side),
            (None, Some(percent)) => Then::Percent(percent),
            _ => return Err(RuleError::SideOrPercent(written.name)),
        };
        let when = When {
            subjects: written.subjects,
            user_agent: written.user_agent,
            headers: written.headers,
        };
        Self::new(written.name, when, then)
    }
}

impl From<Rule> for Written {
    fn from(rule: Rule) -> Self {
        let (side, percent) = match rule.then {
            Then::Side(side) => (Some(side), None),
            Then::Percent(percent) => (None, Some(percent)),
        };
        Self {
            name: rule.name,
            subjects: rule.when.subjects,
            user_agent: rule.when.user_agent,
            headers: rule.when.headers,
            side,
            percent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Shown;

    fn rule(json: &str) -> Result<Rule, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(json: &str, subject: &str, shown: &[(&str, &str)], want: bool) {
        let rule = rule(json).unwrap();
        assert_eq!(
            rule.matches(&Subject::new(subject), &Shown::new(shown)),
            want
        );
    }

    #[test]
    fn every_condition_has_to_hold() {
        let staff = r#"{"name": "staff", "subjects": ["alice"], "side": "grpc"}"#;
        check(staff, "alice", &[], true);
        check(staff, "Alice", &[], false);
        let app = r#"{"name": "app", "user_agent": "cinemaapp/1.", "side": "legacy"}"#;
        check(
            app,
            "x",
            &[("header:user-agent", "Mozilla CinemaApp/1.7")],
            true,
        );
        check(
            app,
            "x",
            &[("header:user-agent", "Mozilla CinemaApp/2")],
            false,
        );
        check(app, "x", &[], false);
        let both = r#"{"name": "both", "subjects": ["alice"], "headers": {"X-Country": "NO"}, "percent": 50}"#;
        check(both, "alice", &[("header:x-country", "no")], true);
        check(both, "bob", &[("header:x-country", "no")], false);
        check(both, "alice", &[("header:x-country", "se")], false);
        check(both, "alice", &[], false);
    }

    #[test]
    fn what_is_no_rule_is_refused_with_what_is_wanted() {
        for (json, want) in [
            (r#"{"name": "all", "side": "grpc"}"#, "has no condition"),
            (
                r#"{"name": "x", "subjects": []}"#,
                "wants either `side` or `percent`",
            ),
            (
                r#"{"name": "x", "subjects": [], "side": "grpc", "percent": 1}"#,
                "wants either `side` or `percent`",
            ),
            (
                r#"{"name": "x", "subjects": [], "percent": 101}"#,
                "`101` is not a percentage",
            ),
            (
                r#"{"name": "x", "subjects": [], "side": "left"}"#,
                "expected `legacy` or `grpc`",
            ),
            (
                r#"{"name": "x", "country": "NO", "side": "grpc"}"#,
                "unknown field `country`",
            ),
        ] {
            let error = rule(json).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn a_rule_survives_being_written_down() {
        let json =
            r#"{"name":"n","subjects":["a"],"user_agent":"u","headers":{"h":"v"},"percent":12.5}"#;
        assert_eq!(serde_json::to_string(&rule(json).unwrap()).unwrap(), json);
    }
}
