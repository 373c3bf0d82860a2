//! What there is in the end, collected from whoever has it: both sides' movies, the bookings, and what
//! `banyan rollout verify`, `reconcile`, `diffs` and `explain` say.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use serde_json::Value;

use super::{
    history::{Decision, End, Exchange, Side},
    operator::Operator,
    person::is_named,
    site::Site,
};
use crate::wait;

/// The follower polls every second; by then it has seen everything.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);
/// Decisions that are explained, at both gateways.
const EXPLAINED_MAX: usize = 10;

/// What gateways decided, by the request's id.
type Decisions = BTreeMap<String, Decision>;

/// Collects it, once nobody asks any more.
pub(super) async fn collect(
    site: &mut Site,
    operator: &Operator,
    exchanges: &[Exchange],
    decisions: &Decisions,
) -> anyhow::Result<End> {
    let mut end = End::default();
    // What the monolith has and nobody was told of, the follower adopts with its next poll.
    let settled = wait::until("both sides have as many movies", SETTLE_LIMIT, async || {
        end.legacy = site.movies_of_legacy().await?;
        end.grpc = site.movies_of_grpc().await?;
        Ok(end.legacy.len() == end.grpc.len())
    });
    // If they never have, the check tells which are missing.
    settled.await.ok();
    end.bookings = site.bookings().await?;
    let verify = operator.say(&["verify", "movies"]).await?;
    if verify.code != Some(0) || verify.json["intact"] != Value::Bool(true) {
        end.verify = verify.text;
    }
    let reconcile = operator.say(&["reconcile", "movies"]).await?;
    let count = reconcile.json["legacyCount"].as_u64();
    if reconcile.code != Some(0) || count != Some(end.legacy.len() as u64) {
        end.reconcile = reconcile.text;
    }
    let diffs = operator.say(&["diffs", "movies"]).await?;
    let differences = diffs.json["differences"].as_array();
    let counts = differences.into_iter().flatten();
    end.differences = counts.filter_map(|it| it["count"].as_u64()).sum();
    explain(operator, exchanges, decisions, &mut end).await?;
    Ok(end)
}

/// Where subjects went at moments of the run is explained as it was decided, by both gateways.
async fn explain(
    operator: &Operator,
    exchanges: &[Exchange],
    decisions: &Decisions,
    end: &mut End,
) -> anyhow::Result<()> {
    let changes = operator.changes();
    // Between two changes, so that there is no doubt about what was in force.
    let in_force = |it: &Exchange| {
        let known = changes
            .iter()
            .rev()
            .find(|change| change.ended_us < it.sent_us)?;
        let next = changes
            .iter()
            .find(|change| change.version == known.version + 1);
        next.is_none_or(|next| it.ended_us < next.began_us)
            .then_some(known.version)
    };
    let mut fitting = Vec::new();
    for it in exchanges.iter().filter(|it| is_named(&it.subject)) {
        if let Some(decision) = decisions.get(&it.request_id)
            && decision.reason == "percent"
            && !decision.fell_back
            && in_force(it) == Some(decision.version)
        {
            fitting.push((it, decision.side));
        }
    }
    let apart = (fitting.len() / EXPLAINED_MAX).max(1);
    for (it, decided) in fitting.into_iter().step_by(apart).take(EXPLAINED_MAX) {
        let at = operator.clock().at(it.sent_us).to_string();
        for ops in operator.ops() {
            let question = ["explain", "movies", "--subject", &it.subject, "--at", &at];
            let said = operator.say_to(ops, &question).await?;
            let side = said.json["side"].as_str();
            let side = side.with_context(|| format!("not explained: {}", said.text))?;
            end.explained += 1;
            if (side == "grpc") != (decided == Side::Grpc) {
                let subject = &it.subject;
                end.unexplained.push(format!(
                    "{subject} at {at}: decided {decided:?}, explained {side}"
                ));
            }
        }
    }
    Ok(())
}
