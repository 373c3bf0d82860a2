//! Settings, follower and evidence in words.

use banyan_proto::rollout::v1::{
    ChangedSetting, Evidence, FollowerState, Setting, follower_state::Readiness,
};

use super::view::{clean, source};

/// `10 by operator > 5 by file (gateway.toml)`
pub(super) fn said(setting: &Setting) -> String {
    let said = setting.said.iter().map(|said| {
        let source = source(said.source());
        match said.origin.as_str() {
            "" => format!("{} by {source}", said.value),
            origin => format!("{} by {source} ({origin})", said.value),
        }
    });
    said.collect::<Vec<_>>().join(" > ")
}

/// `; shadow 5 -> 10, fallback off -> on`, or nothing.
pub(super) fn changed(settings: &[ChangedSetting]) -> String {
    let changed = settings.iter().map(|it| {
        let (before, after) = (clean(&it.previous_value), clean(&it.value));
        match it.name.as_str() {
            // Both are a line of their own: `show` tells the one in force, `--json` both.
            "policy" | "rules" => format!("{} changed", clean(&it.name)),
            name => format!("{} {before} -> {after}", clean(name)),
        }
    });
    match changed.collect::<Vec<_>>() {
        changed if changed.is_empty() => String::new(),
        changed => format!("; {}", changed.join(", ")),
    }
}

pub(super) fn follower(follower: &FollowerState) -> String {
    let lag = follower
        .lag
        .and_then(|lag| std::time::Duration::try_from(lag).ok());
    match (follower.readiness(), lag) {
        (Readiness::Ready, _) => "has caught up".to_owned(),
        (Readiness::Behind, Some(lag)) => format!("is {} ms behind", lag.as_millis()),
        (Readiness::Behind, None) => "has not caught up".to_owned(),
        (Readiness::Unknown | Readiness::Unspecified, _) => "cannot be asked".to_owned(),
    }
}

/// `legacy gives the ids, and is declared to do change-feed, keeps-ids`
pub(super) fn data(follower: &FollowerState) -> String {
    let ids = match follower.authority.as_str() {
        "own" => "gRPC gives the ids; legacy",
        "returning" => "legacy gets what gRPC has created, then gives the ids, and",
        _ => "legacy gives the ids, and",
    };
    match follower.capabilities.join(", ") {
        told if told.is_empty() => format!("{ids} is declared to list, read and create only"),
        told => format!("{ids} is declared to do {told}"),
    }
}

/// `errors: 0.012 against 0.01 (1200 and 1100 answers), undecided`
pub(super) fn evidence(found: &Evidence) -> String {
    format!(
        "{}: gRPC {:.4}, legacy {:.4}, allowed {:.4} ({} and {} answers), {}",
        found.metric,
        found.grpc,
        found.legacy,
        found.allowed,
        found.grpc_samples,
        found.legacy_samples,
        found.judgement.replace('_', " "),
    )
}
