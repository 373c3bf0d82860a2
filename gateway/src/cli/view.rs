//! Answers for people.

use banyan_proto::rollout::v1::{
    ExplainRolloutResponse, Rollout, RolloutChange, VerifyRolloutResponse, WatchRolloutsResponse,
    follower_state::Readiness,
    rollout::{Source, Stage, WriteOwner},
};
use banyan_rollout::Percent;
use jiff::Timestamp;

use super::{settings, table::table};

const STALE: &str = "The gateway cannot read its store: this is what was last known.\n";

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
        "WRITES",
        "ANALYSIS",
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
                stage(rollout.stage()),
                match waiting(rollout) {
                    Some(wanted) => format!("{} ({wanted} waits)", percent(rollout.percent)),
                    None => percent(rollout.percent),
                },
                source(rollout.source()),
                owner(rollout.write_owner()),
                word(rollout.analysis().as_str_name(), "ANALYSIS_"),
                answered(counts.legacy, counts.legacy_errors),
                answered(counts.grpc, counts.grpc_errors),
                rollout.update_time.map_or_else(|| "never".to_owned(), time),
            ]
        })
        .collect();
    let mut text = table(&headers, &rows);
    for rollout in rollouts {
        for warning in &rollout.warnings {
            text.push_str(&format!(
                "{}: warning: {}\n",
                short_name(rollout),
                clean(warning)
            ));
        }
    }
    if rollouts.iter().any(|rollout| rollout.stale) {
        text.push_str(STALE);
    }
    text
}

pub(super) fn watched(answer: &WatchRolloutsResponse) -> String {
    let now = answer.read_time.map(time).unwrap_or_default();
    let mut text = format!("{now} UTC\n\n{}", rollouts(&answer.rollouts));
    for rollout in &answer.rollouts {
        if !rollout.verdict.is_empty() {
            let verdict = clean(&rollout.verdict);
            text.push_str(&format!("{}: {verdict}\n", short_name(rollout)));
        }
        if let Some(follower) = &rollout.follower {
            let follower = clean(&settings::follower(follower));
            text.push_str(&format!("{}: follower {follower}\n", short_name(rollout)));
        }
    }
    text
}

pub(super) fn rollout(rollout: &Rollout) -> String {
    let counts = rollout.counts.unwrap_or_default();
    let mut lines = vec![
        ("stage", stage(rollout.stage())),
        ("writes", owner(rollout.write_owner())),
        (
            "percent",
            format!(
                "{} ({})",
                percent(rollout.percent),
                source(rollout.source())
            ),
        ),
        ("said", said(rollout)),
        (
            "analysis",
            word(rollout.analysis().as_str_name(), "ANALYSIS_"),
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
        (
            "dealt by",
            format!("{}, salt {}", rollout.algorithm, rollout.salt),
        ),
    ];
    for setting in &rollout.settings {
        lines.push((setting.name.as_str(), settings::said(setting)));
    }
    lines.extend(rollout.warnings.iter().map(|it| ("warning", it.clone())));
    if let Some(follower) = &rollout.follower {
        lines.push(("follower", settings::follower(follower)));
        if follower.readiness() != Readiness::Unknown {
            lines.push(("entries", settings::entries(follower)));
        }
        lines.push(("data", settings::data(follower)));
        lines.extend(follower.warnings.iter().map(|it| ("warning", it.clone())));
    }
    if !rollout.verdict.is_empty() {
        lines.push(("verdict", rollout.verdict.clone()));
    }
    for (at, evidence) in rollout.evidence.iter().enumerate() {
        let name = if at == 0 { "evidence" } else { "" };
        lines.push((name, settings::evidence(evidence)));
    }
    let mut text = format!("{}\n", short_name(rollout));
    for (name, value) in lines {
        text.push_str(&format!("  {name:<9} {}\n", clean(&value)));
    }
    for (at, route) in rollout.routes.iter().enumerate() {
        let name = if at == 0 { "routes" } else { "" };
        text.push_str(&format!("  {name:<9} {}\n", clean(route)));
    }
    if rollout.stale {
        text.push_str(STALE);
    }
    text
}

/// What is said and not in force yet.
fn waiting(rollout: &Rollout) -> Option<String> {
    let mut said = rollout.percents.iter();
    let waits = said.find(|said| !said.waits.is_empty())?;
    Some(percent(waits.percent))
}

/// `environment 50 (MOVIES_MIGRATION_PERCENT), waits: the follower is 9 ms behind > file 10 (gateway.toml)`
fn said(rollout: &Rollout) -> String {
    let said = rollout.percents.iter().map(|said| {
        let (source, percent) = (source(said.source()), percent(said.percent));
        let text = match said.origin.as_str() {
            "" => format!("{source} {percent}"),
            origin => format!("{source} {percent} ({origin})"),
        };
        match said.waits.as_str() {
            "" => text,
            why => format!("{text}, waits: {why}"),
        }
    });
    match said.collect::<Vec<_>>() {
        said if said.is_empty() => "nothing".to_owned(),
        said => said.join(" > "),
    }
}

/// `movies: 25 % on gRPC, by operator (etag v3)`
pub(super) fn in_force(rollout: &Rollout) -> String {
    format!(
        "{}: {} % on gRPC, by {} (etag {})",
        short_name(rollout),
        percent(rollout.percent),
        source(rollout.source()),
        clean(&rollout.etag),
    )
}

/// `movies: shadow 10 by operator > 5 by file (gateway.toml)`, line by line.
pub(super) fn settings_in_force(rollout: &Rollout) -> String {
    let name = short_name(rollout);
    let lines = rollout.settings.iter().map(|setting| {
        let (setting, said) = (&setting.name, settings::said(setting));
        format!("{name}: {} {}\n", clean(setting), clean(&said))
    });
    let etag = format!("{name}: etag {}\n", clean(&rollout.etag));
    lines.chain([etag]).collect()
}

pub(super) fn changes(changes: &[RolloutChange]) -> String {
    if changes.is_empty() {
        return "No operator has changed it.\n".to_owned();
    }
    let headers = [
        ">CHANGE",
        "WHEN (UTC)",
        "ACTOR",
        "ACTION",
        "FROM",
        "TO",
        "REASON",
    ];
    let rows: Vec<Vec<String>> = changes
        .iter()
        .map(|change| {
            let (_, number) = change.name.rsplit_once('/').unwrap_or_default();
            let from = (change.previous_percent, source(change.previous_source()));
            let to = (change.percent, source(change.source()));
            let stages = match change.previous_stage == change.stage {
                true => (String::new(), String::new()),
                false => (
                    format!("{} ", stage(change.previous_stage())),
                    format!("{} ", stage(change.stage())),
                ),
            };
            vec![
                clean(number),
                change.change_time.map(time).unwrap_or_default(),
                clean(&change.actor),
                word(change.action().as_str_name(), "ACTION_").replace('_', " "),
                format!("{}{} {}", stages.0, percent(from.0), from.1),
                format!(
                    "{}{} {}{}",
                    stages.1,
                    percent(to.0),
                    to.1,
                    settings::changed(&change.settings)
                ),
                clean(&change.reason),
            ]
        })
        .collect();
    table(&headers, &rows)
}

pub(super) fn verdict(rollout: &str, verdict: &VerifyRolloutResponse) -> String {
    let rollout = clean(rollout);
    match verdict.intact {
        true => format!(
            "{rollout}: all {} entries are as they were written; the last one has the hash\n{}\n",
            verdict.entries,
            clean(&verdict.head_hash)
        ),
        false => format!(
            "{rollout}: {} entries are as they were written, then comes a broken one\n",
            verdict.entries
        ),
    }
}

/// `alice -> grpc: percent (bucket 529)` and how it came to that. Without a subject it is the one of the facts.
pub(super) fn explanation(subject: Option<&str>, answer: &ExplainRolloutResponse) -> String {
    let mut text = format!(
        "{} -> {}: {} (bucket {})\n",
        clean(subject.unwrap_or("a request like that")),
        clean(&answer.side),
        clean(&answer.reason),
        answer.bucket
    );
    for step in &answer.steps {
        let (aspect, finding) = (clean(&step.aspect), clean(&step.finding));
        text.push_str(&format!("  {aspect:<16} {finding}\n"));
    }
    let change = match answer.change.rsplit_once('/') {
        Some((_, number)) => {
            let since = answer
                .rollout
                .as_ref()
                .and_then(|rollout| rollout.update_time);
            let since = since.map(time).unwrap_or_default();
            format!("change {} of {since}", clean(number))
        }
        None => "nobody has changed the rollout".to_owned(),
    };
    text.push_str(&format!("  {:<16} {change}\n", "since"));
    if answer.stale {
        text.push_str(STALE);
    }
    text
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

fn stage(stage: Stage) -> String {
    word(stage.as_str_name(), "STAGE_")
}

pub(super) fn source(source: Source) -> String {
    word(source.as_str_name(), "SOURCE_")
}

fn owner(owner: WriteOwner) -> String {
    word(owner.as_str_name(), "WRITE_OWNER_").replace('_', "-")
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

pub(super) fn time(time: prost_types::Timestamp) -> String {
    match Timestamp::new(time.seconds, 0) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "?".to_owned(),
    }
}
