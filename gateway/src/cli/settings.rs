//! Settings, follower and evidence in words.

use banyan_proto::rollout::v1::{
    Backfill, ChangedSetting, Evidence, FollowerState, Setting, follower_state::Readiness,
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

/// `has caught up`, or `backfill 1,200 of 4,000 movies (30 %), lag unknown`
pub(super) fn follower(follower: &FollowerState) -> String {
    let lag = follower
        .lag
        .and_then(|lag| std::time::Duration::try_from(lag).ok());
    let backfill = follower.backfill.filter(|it| it.total_count > 0);
    let state = match (follower.readiness(), lag) {
        (Readiness::Ready, _) => "has caught up".to_owned(),
        (Readiness::Behind, Some(lag)) => format!("is {} ms behind", grouped(lag.as_millis())),
        (Readiness::Behind, None) if backfill.is_some() => "lag unknown".to_owned(),
        (Readiness::Behind, None) => "has not caught up".to_owned(),
        (Readiness::Unknown | Readiness::Unspecified, _) => "cannot be asked".to_owned(),
    };
    let Some(Backfill {
        done_count: done,
        total_count: total,
    }) = backfill
    else {
        return state;
    };
    // Not all before it is all.
    let percent = i128::from(done) * 100 / i128::from(total);
    format!(
        "backfill {} of {} {} ({percent} %), {state}",
        grouped(done),
        grouped(total),
        collection(follower)
    )
}

/// `4,000 movies here, 4,001 in legacy when it was last read whole`
pub(super) fn entries(follower: &FollowerState) -> String {
    let here = format!(
        "{} {} here",
        grouped(follower.adopted_count),
        collection(follower)
    );
    match follower.legacy_count {
        Some(there) => format!(
            "{here}, {} in legacy when it was last read whole",
            grouped(there)
        ),
        None => here,
    }
}

fn collection(follower: &FollowerState) -> &str {
    match follower.collection.as_str() {
        "" => "entries",
        collection => collection,
    }
}

/// `1,200`
fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        let left = digits.len() - at;
        if at > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(state: FollowerState, want: &str) {
        assert_eq!(follower(&state), want);
    }

    #[test]
    fn a_backfill_is_told_with_its_share() {
        let behind = |done_count, total_count| FollowerState {
            readiness: Readiness::Behind.into(),
            collection: "movies".to_owned(),
            backfill: Some(Backfill {
                done_count,
                total_count,
            }),
            ..FollowerState::default()
        };
        let lag = Some(prost_types::Duration {
            seconds: 12,
            nanos: 0,
        });
        check(
            behind(1_200, 4_000),
            "backfill 1,200 of 4,000 movies (30 %), lag unknown",
        );
        check(
            FollowerState {
                lag,
                ..behind(3_999, 4_000)
            },
            "backfill 3,999 of 4,000 movies (99 %), is 12,000 ms behind",
        );
        check(
            FollowerState {
                backfill: None,
                ..behind(0, 0)
            },
            "has not caught up",
        );
        check(behind(0, 0), "has not caught up");
        check(
            FollowerState {
                readiness: Readiness::Ready.into(),
                collection: String::new(),
                ..behind(1_234_566, 1_234_567)
            },
            "backfill 1,234,566 of 1,234,567 entries (99 %), has caught up",
        );
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, want) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (-100, "-100"),
            (-12_345, "-12,345"),
        ] {
            assert_eq!(grouped(number), want);
        }
    }
}
