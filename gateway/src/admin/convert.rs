//! The rollouts in the contract's words.

use banyan_proto::rollout::v1::{
    ExplainRolloutResponse, ExplainedStep, PercentSetting, Rollout, RolloutChange, SideCounts,
    VerifyRolloutResponse,
    rollout::{
        Analysis as AnalysisName, Source as SourceName, Stage as StageName, WriteOwner as OwnerName,
    },
    rollout_change::Action as ActionName,
};
use banyan_rollout::{Explanation, Line, Owner, Source, Stage};
use jiff::Timestamp;

use super::settings;
use crate::{
    rollouts::Snapshot,
    store::{Action, Entry, Said, Verdict},
};

pub(super) fn rollout(snapshot: Snapshot) -> Rollout {
    let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
    let waits = |said: &Said| {
        let waits = snapshot.waits.as_ref();
        waits.filter(|_| said.source == snapshot.source).cloned()
    };
    let said = |said: &Said| PercentSetting {
        source: source(said.source).into(),
        percent: said.percent.as_f64(),
        origin: said.origin.clone(),
        waits: waits(said).unwrap_or_default(),
    };
    let percents = snapshot.said.iter().map(said).collect();
    let analysis = analysis(&snapshot);
    Rollout {
        name: format!("rollouts/{}", snapshot.name),
        stage: stage_name(snapshot.stage).into(),
        percent: snapshot.percent.as_f64(),
        source: source(snapshot.source).into(),
        subjects: snapshot.subjects.iter().map(ToString::to_string).collect(),
        routes: snapshot.routes,
        counts: Some(SideCounts {
            legacy: number(snapshot.counts.legacy),
            grpc: number(snapshot.counts.grpc),
            legacy_errors: number(snapshot.counts.legacy_errors),
            grpc_errors: number(snapshot.counts.grpc_errors),
        }),
        update_time: snapshot.update_time.map(timestamp),
        etag: etag(snapshot.version),
        write_owner: owner_name(snapshot.writes).into(),
        analysis: analysis.into(),
        policy: snapshot.policy.as_ref().map(settings::policy),
        percents,
        stale: snapshot.is_stale,
        version: number(snapshot.version),
        salt: snapshot.salt,
        algorithm: snapshot.algorithm.as_str().to_owned(),
        verdict: snapshot.verdict,
        evidence: snapshot.evidence.iter().map(settings::evidence).collect(),
        settings: snapshot
            .settings
            .into_iter()
            .map(settings::setting)
            .collect(),
        follower: None,
        one_way: snapshot.is_one_way,
        last_good_percent: snapshot.last_good.as_f64(),
        warnings: snapshot.warnings,
    }
}

pub(super) fn change(rollout: &str, entry: Entry) -> RolloutChange {
    let (previous_percent, previous_source) = entry.before.in_force();
    let (percent, current_source) = entry.after.in_force();
    let changed = entry.after.changed_since(&entry.before).into_iter();
    RolloutChange {
        settings: changed.map(settings::changed).collect(),
        name: change_name(rollout, entry.number),
        change_time: Some(timestamp(entry.time)),
        actor: entry.actor,
        reason: entry.reason,
        previous_percent: previous_percent.as_f64(),
        percent: percent.as_f64(),
        previous_source: source(previous_source).into(),
        source: source(current_source).into(),
        action: action(entry.action).into(),
        previous_stage: stage_name(entry.before.position.stage).into(),
        stage: stage_name(entry.after.position.stage).into(),
        previous_write_owner: owner_name(entry.before.position.writes).into(),
        write_owner: owner_name(entry.after.position.writes).into(),
        evidence: entry.evidence,
        before: entry.before_json,
        after: entry.after_json,
        previous_hash: entry.previous_hash,
        hash: entry.hash,
    }
}

pub(super) fn verdict(rollout: &str, verdict: Verdict) -> VerifyRolloutResponse {
    let (broken_change, problem) = verdict
        .broken
        .map(|(number, problem)| (change_name(rollout, number), problem))
        .unwrap_or_default();
    VerifyRolloutResponse {
        intact: broken_change.is_empty(),
        entries: i64::try_from(verdict.entries).unwrap_or(i64::MAX),
        head_hash: verdict.head_hash,
        broken_change,
        problem,
    }
}

pub(super) fn explanation(
    rollout: &str,
    found: Explanation,
    snapshot: Snapshot,
) -> ExplainRolloutResponse {
    let decision = found.decision;
    let step = |line: Line| ExplainedStep {
        aspect: line.topic.to_owned(),
        finding: line.text,
    };
    ExplainRolloutResponse {
        side: decision.side.as_str().to_owned(),
        reason: decision.reason.as_str().to_owned(),
        bucket: decision.bucket.index().into(),
        steps: found.lines.into_iter().map(step).collect(),
        change: match snapshot.version {
            0 => String::new(),
            version => change_name(rollout, version),
        },
        stale: snapshot.is_stale,
        rollout: Some(Rollout {
            counts: None,
            ..self::rollout(snapshot)
        }),
    }
}

fn change_name(rollout: &str, number: u64) -> String {
    format!("rollouts/{rollout}/changes/{number}")
}

fn etag(version: u64) -> String {
    format!("v{version}")
}

/// The version that an etag stands for; `None` for the empty one. What is no etag of ours matches no version, so the
/// caller hears ABORTED, as for any other that is out of date.
pub(super) fn version(etag: &str) -> Option<u64> {
    match etag {
        "" => None,
        etag => Some(
            etag.strip_prefix('v')
                .and_then(|version| version.parse().ok())
                .unwrap_or(u64::MAX),
        ),
    }
}

pub(crate) fn stage_name(stage: Stage) -> StageName {
    match stage {
        Stage::Legacy => StageName::Legacy,
        Stage::Shadow => StageName::Shadow,
        Stage::Split => StageName::Split,
        Stage::Grpc => StageName::Grpc,
    }
}

pub(super) fn source(source: Source) -> SourceName {
    match source {
        Source::Operator => SourceName::Operator,
        Source::Files => SourceName::Files,
        Source::Environment => SourceName::Environment,
        Source::File => SourceName::File,
        Source::Default => SourceName::Default,
    }
}

pub(crate) fn owner_name(owner: Owner) -> OwnerName {
    match owner {
        Owner::Legacy => OwnerName::Legacy,
        Owner::Grpc => OwnerName::Grpc,
        Owner::BySubject => OwnerName::BySubject,
    }
}

fn analysis(snapshot: &Snapshot) -> AnalysisName {
    match snapshot {
        _ if snapshot.is_halted => AnalysisName::Aborted,
        _ if snapshot.policy.is_none() => AnalysisName::Off,
        _ if snapshot.is_paused => AnalysisName::Paused,
        _ => AnalysisName::Running,
    }
}

fn action(action: Action) -> ActionName {
    match action {
        Action::Set => ActionName::Set,
        Action::Unset => ActionName::Unset,
        Action::Promote => ActionName::Promote,
        Action::Pause => ActionName::Pause,
        Action::Resume => ActionName::Resume,
        Action::Abort => ActionName::Abort,
        Action::Advance => ActionName::Advance,
        Action::RollBack => ActionName::RollBack,
        Action::Configure => ActionName::Configure,
        Action::Adjust => ActionName::Adjust,
    }
}

pub(super) fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}
