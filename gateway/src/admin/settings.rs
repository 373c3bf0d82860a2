//! Settings that can be changed at run time, in the contract's words and back.

use banyan_proto::follow::v1::Authority;
use banyan_proto::rollout::v1::{
    Backfill, ChangedSetting, ConfigureRolloutRequest, DifferenceBound,
    Evidence as EvidenceMessage, FollowerState, LatencyBound as LatencyMessage, RateBound, Rollout,
    RolloutPolicy, Setting as SettingMessage, SettingValue, follower_state::Readiness,
};
use banyan_rollout::{BackTo, Evidence, Follower, LatencyBound, Percent, Policy};

use super::{check::Check, compared::capability, convert::source};
use crate::{
    rollouts::{Adjustment, Data, PolicyChange, Snapshot, Wish},
    store::{Changed, Setting},
};

/// The settings that can be unset.
const NAMES: [&str; 4] = ["shadow", "noise", "fallback", "policy"];
const ALLOWED: &str = "shadow, noise, fallback or policy is allowed";
/// A year: no step is longer.
const SECONDS_MAX: i64 = 366 * 24 * 60 * 60;

/// What a caller wants to be otherwise.
pub(super) fn adjustment(check: &mut Check, request: &mut ConfigureRolloutRequest) -> Adjustment {
    for name in &request.unset {
        if !NAMES.contains(&name.as_str()) {
            check.refuse("unset", "RANGE", format!("`{name}`: {ALLOWED}"));
        }
    }
    let shadow = check.share("shadow_percent", request.shadow_percent);
    let noise = check.share("noise_percent", request.noise_percent);
    let policy = request.policy.take();
    if policy.is_some() && request.policy_off {
        let wrong = "is not allowed together with policy";
        check.refuse("policy_off", "FORMAT", wrong);
    }
    let policy = match policy {
        Some(policy) => Some(Some(change(check, policy))),
        None => request.policy_off.then_some(None),
    };
    let says_nothing = shadow.is_none()
        && noise.is_none()
        && request.fallback.is_none()
        && policy.is_none()
        && request.unset.is_empty();
    if says_nothing && !check.found() {
        let wrong = "something has to be set (shadow_percent, noise_percent, fallback, policy, policy_off) or unset";
        check.refuse("unset", "MISSING", wrong);
    }
    Adjustment {
        shadow: wish(check, request, "shadow", shadow),
        noise: wish(check, request, "noise", noise),
        fallback: wish(check, request, "fallback", request.fallback),
        policy: wish(check, request, "policy", policy),
    }
}

fn wish<T>(
    check: &mut Check,
    request: &ConfigureRolloutRequest,
    name: &str,
    value: Option<T>,
) -> Wish<T> {
    match (value, request.unset.iter().any(|unset| unset == name)) {
        (Some(_), true) => {
            check.refuse(
                "unset",
                "FORMAT",
                format!("`{name}` is set by this request"),
            );
            Wish::Keep
        }
        (Some(value), false) => Wish::Set(value),
        (None, true) => Wish::Unset,
        (None, false) => Wish::Keep,
    }
}

fn change(check: &mut Check, policy: RolloutPolicy) -> PolicyChange {
    let mut steps = Vec::new();
    for step in policy.steps {
        steps.extend(check.share("policy.steps", Some(step)));
    }
    let errors = policy.errors.unwrap_or_default();
    let differences = policy.differences.unwrap_or_default();
    let latency = policy.latency.iter().map(|bound| {
        let usual = LatencyBound::of(bound.quantile);
        let ratio_max = bound.ratio_max.unwrap_or(usual.ratio_max);
        // Who allows more and says nothing of harm means that it begins as far beyond as usual: at 1.6 times that.
        let harm_ratio = usual.harm_ratio.max(ratio_max * 8.0 / 5.0);
        LatencyBound {
            ratio_max,
            harm_ratio: bound.harm_ratio.unwrap_or(harm_ratio),
            ..usual
        }
    });
    let latency: Vec<_> = latency.collect();
    PolicyChange {
        steps: (!steps.is_empty()).then_some(steps),
        step_time_s: seconds(check, "policy.step_time_min", policy.step_time_min),
        step_requests: count(check, "policy.step_requests_min", policy.step_requests_min),
        shadow_requests: count(
            check,
            "policy.shadow_requests_min",
            policy.shadow_requests_min,
        ),
        settle_s: seconds(check, "policy.settle_time", policy.settle_time),
        false_rollback_percent: probability(
            check,
            "policy.false_rollback_probability",
            policy.false_rollback_probability,
        ),
        false_advance_percent: probability(
            check,
            "policy.false_advance_probability",
            policy.false_advance_probability,
        ),
        advance: policy.advance,
        roll_back: policy.roll_back,
        back_to: policy
            .back_to_last_good
            .map(|to_last_good| match to_last_good {
                true => BackTo::LastGood,
                false => BackTo::Zero,
            }),
        errors: [
            errors.ratio_max,
            errors.more_max_percent,
            errors.harm_ratio,
            errors.harm_more_percent,
        ],
        latency: (!latency.is_empty()).then_some(latency),
        differences: [differences.max_percent, differences.harm_percent],
    }
}

fn seconds(check: &mut Check, field: &str, time: Option<prost_types::Duration>) -> Option<u64> {
    let time = time?;
    match u64::try_from(time.seconds) {
        Ok(seconds) if time.nanos == 0 && time.seconds <= SECONDS_MAX => Some(seconds),
        _ => {
            check.refuse(field, "RANGE", "whole seconds, at most a year, are allowed");
            None
        }
    }
}

fn count(check: &mut Check, field: &str, count: i64) -> Option<u64> {
    match u64::try_from(count) {
        Ok(0) => None,
        Ok(count) => Some(count),
        Err(_) => {
            check.refuse(field, "RANGE", "must not be negative");
            None
        }
    }
}

fn probability(check: &mut Check, field: &str, probability: f64) -> Option<f64> {
    if probability == 0.0 {
        return None;
    }
    if !(0.000_001..=0.5).contains(&probability) {
        check.refuse(field, "RANGE", "0.000001 to 0.5 is allowed");
    }
    Some(probability * 100.0)
}

pub(super) fn policy(policy: &Policy) -> RolloutPolicy {
    let duration = |seconds| prost_types::Duration {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: 0,
    };
    let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
    let latency = policy.latency.iter().map(|bound| LatencyMessage {
        quantile: bound.quantile,
        ratio_max: Some(bound.ratio_max),
        harm_ratio: Some(bound.harm_ratio),
    });
    RolloutPolicy {
        steps: policy.steps.iter().map(|step| step.as_f64()).collect(),
        step_time_min: Some(duration(policy.step_time_s)),
        step_requests_min: number(policy.step_requests),
        false_rollback_probability: policy.false_rollback_percent / 100.0,
        false_advance_probability: policy.false_advance_percent / 100.0,
        shadow_requests_min: number(policy.shadow_requests),
        settle_time: Some(duration(policy.settle_s)),
        advance: Some(policy.advance),
        roll_back: Some(policy.roll_back),
        back_to_last_good: Some(policy.back_to == BackTo::LastGood),
        errors: Some(RateBound {
            ratio_max: Some(policy.errors.ratio_max),
            more_max_percent: Some(policy.errors.more_max_percent),
            harm_ratio: Some(policy.errors.harm_ratio),
            harm_more_percent: Some(policy.errors.harm_more_percent),
        }),
        latency: latency.collect(),
        differences: Some(DifferenceBound {
            max_percent: Some(policy.differences.max_percent),
            harm_percent: Some(policy.differences.harm_percent),
        }),
    }
}

pub(super) fn setting(setting: Setting) -> SettingMessage {
    let said = setting.said.into_iter();
    SettingMessage {
        name: setting.name.to_owned(),
        said: said
            .map(|(from, value, origin)| SettingValue {
                source: source(from).into(),
                value,
                origin: origin.to_owned(),
            })
            .collect(),
    }
}

pub(super) fn changed(changed: Changed) -> ChangedSetting {
    ChangedSetting {
        name: changed.name.to_owned(),
        previous_value: changed.before,
        value: changed.after,
    }
}

pub(super) fn evidence(found: &Evidence) -> EvidenceMessage {
    let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
    EvidenceMessage {
        metric: found.metric.to_string(),
        legacy: found.legacy,
        grpc: found.grpc,
        allowed: found.allowed,
        legacy_samples: number(found.legacy_samples),
        grpc_samples: number(found.grpc_samples),
        judgement: found.judgement.as_str().to_owned(),
    }
}

/// A rollout with what is known of its data.
pub(super) fn with_data(rollout: Snapshot, data: Data) -> Rollout {
    Rollout {
        one_way: !data.keeps_ids,
        follower: Some(follower(data)),
        ..super::convert::rollout(rollout)
    }
}

/// What a follower knows.
fn follower(data: Data) -> FollowerState {
    let Data {
        known,
        warnings,
        collection,
        ..
    } = data;
    let Some(known) = known else {
        return FollowerState {
            readiness: Readiness::Unknown.into(),
            warnings,
            collection,
            ..FollowerState::default()
        };
    };
    let (readiness, lag_ms) = match known.state {
        Follower::None | Follower::Unknown => (Readiness::Unknown, None),
        Follower::Ready => (Readiness::Ready, None),
        Follower::Behind { lag_ms } => (Readiness::Behind, lag_ms),
    };
    FollowerState {
        readiness: readiness.into(),
        lag: lag_ms.map(|lag_ms| prost_types::Duration {
            seconds: i64::try_from(lag_ms / 1_000).unwrap_or(i64::MAX),
            nanos: i32::try_from(lag_ms % 1_000 * 1_000_000).unwrap_or_default(),
        }),
        authority: match known.authority {
            Authority::Unspecified => "",
            Authority::Legacy => "legacy",
            Authority::Own => "own",
            Authority::Returning => "returning",
        }
        .to_owned(),
        capabilities: known.capabilities.into_iter().map(capability).collect(),
        warnings,
        collection,
        backfill: known.backfill.map(|it| Backfill {
            done_count: it.done,
            total_count: it.total,
        }),
        adopted_count: known.adopted,
        legacy_count: known.legacy_count,
    }
}

/// A setting of a policy by the name that callers sent it by.
pub(super) fn field_of_policy(field: &str) -> String {
    match field {
        "step_time_s" => "policy.step_time_min".to_owned(),
        "false_rollback_percent" => "policy.false_rollback_probability".to_owned(),
        "false_advance_percent" => "policy.false_advance_probability".to_owned(),
        field => format!("policy.{field}"),
    }
}

impl Check {
    /// A percentage that may be absent.
    fn share(&mut self, field: &str, percent: Option<f64>) -> Option<Percent> {
        match Percent::try_from(percent?) {
            Ok(percent) => Some(percent),
            Err(error) => {
                self.refuse(field, "RANGE", error.to_string());
                None
            }
        }
    }

    fn refuse(&mut self, field: &str, reason: &str, description: impl Into<String>) {
        self.wrong(field, reason, description)
    }
}
