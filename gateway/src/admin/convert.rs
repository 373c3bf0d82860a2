//! The rollouts in the contract's words.

use banyan_proto::rollout::v1::{
    Rollout, RolloutChange, SideCounts,
    rollout::{Source as SourceName, Stage as StageName},
};
use banyan_rollout::{Source, Stage};
use jiff::Timestamp;

use crate::{rollouts::Snapshot, store::Change};

pub(super) fn rollout(snapshot: Snapshot) -> Rollout {
    let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
    Rollout {
        name: format!("rollouts/{}", snapshot.name),
        stage: stage(snapshot.stage).into(),
        percent: snapshot.percent.as_f64(),
        source: source(snapshot.source).into(),
        subjects: snapshot.subjects.iter().map(ToString::to_string).collect(),
        routes: snapshot.routes,
        counts: Some(SideCounts {
            legacy: count(snapshot.counts.legacy),
            grpc: count(snapshot.counts.grpc),
            legacy_errors: count(snapshot.counts.legacy_errors),
            grpc_errors: count(snapshot.counts.grpc_errors),
        }),
        update_time: snapshot.update_time.map(timestamp),
        etag: etag(snapshot.version),
    }
}

pub(super) fn change(rollout: &str, change: Change) -> RolloutChange {
    let (previous_percent, previous_source) = change.previous;
    let (percent, current_source) = change.current;
    RolloutChange {
        name: format!("rollouts/{rollout}/changes/{}", change.version),
        change_time: Some(timestamp(change.change_time)),
        actor: change.actor,
        reason: change.reason,
        previous_percent: previous_percent.as_f64(),
        percent: percent.as_f64(),
        previous_source: source(previous_source).into(),
        source: source(current_source).into(),
    }
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

fn stage(stage: Stage) -> StageName {
    match stage {
        Stage::Legacy => StageName::Legacy,
        Stage::Shadow => StageName::Shadow,
        Stage::Split => StageName::Split,
        Stage::Grpc => StageName::Grpc,
    }
}

fn source(source: Source) -> SourceName {
    match source {
        Source::Operator => SourceName::Operator,
        Source::Environment => SourceName::Environment,
        // The contract tells both kinds of file alike.
        Source::Files | Source::File => SourceName::File,
        Source::Default => SourceName::Default,
    }
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}
