//! Answers for people.

use banyan_proto::rollout::v1::{Rollout, RolloutChange};
use banyan_rollout::Percent;
use jiff::Timestamp;

use super::table::table;

pub(super) fn rollouts(rollouts: &[Rollout]) -> String {
    if rollouts.is_empty() {
        return "No rollouts are configured: [rollouts.NAME] in gateway.toml makes one.\n"
            .to_owned();
    }
    let headers = [
        "ROLLOUT",
        "STAGE",
        ">PERCENT",
        "SOURCE",
        ">LEGACY",
        ">GRPC",
        "CHANGED (UTC)",
    ];
    let rows: Vec<Vec<String>> = rollouts
        .iter()
        .map(|rollout| {
            let counts = rollout.counts.unwrap_or_default();
            vec![
                short_name(rollout),
                stage(rollout),
                percent(rollout.percent),
                word(rollout.source().as_str_name(), "SOURCE_"),
                answered(counts.legacy, counts.legacy_errors),
                answered(counts.grpc, counts.grpc_errors),
                rollout.update_time.map_or_else(|| "never".to_owned(), time),
            ]
        })
        .collect();
    table(&headers, &rows)
}

pub(super) fn rollout(rollout: &Rollout) -> String {
    let counts = rollout.counts.unwrap_or_default();
    let lines = [
        ("stage", stage(rollout)),
        (
            "percent",
            format!(
                "{} ({})",
                percent(rollout.percent),
                word(rollout.source().as_str_name(), "SOURCE_")
            ),
        ),
        ("subjects", rollout.subjects.join(", then ")),
        (
            "legacy",
            format!("{} answers", answered(counts.legacy, counts.legacy_errors)),
        ),
        (
            "grpc",
            format!("{} answers", answered(counts.grpc, counts.grpc_errors)),
        ),
        (
            "changed",
            rollout.update_time.map_or_else(|| "never".to_owned(), time),
        ),
        ("etag", rollout.etag.clone()),
    ];
    let mut text = format!("{}\n", short_name(rollout));
    for (name, value) in lines {
        text.push_str(&format!("  {name:<9} {}\n", clean(&value)));
    }
    for (at, route) in rollout.routes.iter().enumerate() {
        let name = if at == 0 { "routes" } else { "" };
        text.push_str(&format!("  {name:<9} {}\n", clean(route)));
    }
    text
}

/// `movies: 25 % on gRPC, by operator (etag v3)`
pub(super) fn in_force(rollout: &Rollout) -> String {
    format!(
        "{}: {} % on gRPC, by {} (etag {})",
        short_name(rollout),
        percent(rollout.percent),
        word(rollout.source().as_str_name(), "SOURCE_"),
        clean(&rollout.etag),
    )
}

pub(super) fn changes(changes: &[RolloutChange]) -> String {
    if changes.is_empty() {
        return "No operator has changed it.\n".to_owned();
    }
    let headers = [">CHANGE", "WHEN (UTC)", "ACTOR", "FROM", "TO", "REASON"];
    let rows: Vec<Vec<String>> = changes
        .iter()
        .map(|change| {
            let (_, number) = change.name.rsplit_once('/').unwrap_or_default();
            let previous = word(change.previous_source().as_str_name(), "SOURCE_");
            let source = word(change.source().as_str_name(), "SOURCE_");
            vec![
                clean(number),
                change.change_time.map(time).unwrap_or_default(),
                clean(&change.actor),
                format!("{} {previous}", percent(change.previous_percent)),
                format!("{} {source}", percent(change.percent)),
                clean(&change.reason),
            ]
        })
        .collect();
    table(&headers, &rows)
}

/// Without what would move the cursor, break a line or colour the terminal: what others wrote must not act here.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}

fn short_name(rollout: &Rollout) -> String {
    clean(rollout.name.trim_start_matches("rollouts/"))
}

fn stage(rollout: &Rollout) -> String {
    word(rollout.stage().as_str_name(), "STAGE_")
}

fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}

fn answered(answers: i64, errors: i64) -> String {
    match errors {
        0 => answers.to_string(),
        errors => format!("{answers} ({errors} failed)"),
    }
}

fn percent(value: f64) -> String {
    // A newer gateway might know finer percentages than this program.
    Percent::try_from(value).map_or_else(|_| value.to_string(), |percent| percent.to_string())
}

fn time(time: prost_types::Timestamp) -> String {
    match Timestamp::new(time.seconds, 0) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "?".to_owned(),
    }
}
