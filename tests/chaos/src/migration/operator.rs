//! The operator: moves the rollout by `banyan rollout`, kills processes and starts them again.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{
    history::{Change, Clock, Outage},
    load::Load,
    plan::{Kill, Step},
    site::Site,
};

const ROLLOUT: &str = "movies";

/// A follower that is behind, because a side was killed, has caught up by then.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(30);
/// And is looked at again after this long.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A kill that no create was in flight at is followed by another one, so often.
const KILLS_MAX: usize = 5;

/// Somebody at a terminal.
#[derive(Debug)]
pub(super) struct Operator {
    banyan: PathBuf,
    /// The gateways' ops ports, used in turn.
    ops: Vec<String>,
    clock: Clock,
    changes: Vec<Change>,
}

/// What a command has answered.
pub(super) struct Said {
    pub(super) code: Option<i32>,
    /// As JSON, if it is any.
    pub(super) json: Value,
    /// All of it.
    pub(super) text: String,
}

impl Said {
    /// Whether more is refused until the follower has caught up.
    fn waits_for_the_follower(&self) -> bool {
        self.code == Some(1) && self.text.contains("the follower ")
    }
}

impl Operator {
    pub(super) fn new(banyan: &Path, site: &Site, clock: Clock) -> Self {
        Self {
            banyan: banyan.to_owned(),
            ops: site.ops(),
            clock,
            changes: Vec::new(),
        }
    }

    /// Compares first, and then splits, with nobody on gRPC yet.
    pub(super) async fn begin(&mut self) -> anyhow::Result<()> {
        self.change(&["shadow", ROLLOUT]).await?;
        self.change(&["split", ROLLOUT, "0"]).await
    }

    /// Takes a step.
    pub(super) async fn take(
        &mut self,
        step: &Step,
        site: &mut Site,
        load: &Load,
        outages: &mut Vec<Outage>,
    ) -> anyhow::Result<()> {
        let percent = step.percent.to_string();
        let last = self.changes.last().map(|it| (it.percent, it.fallback));
        let is_new =
            |is_same: fn(&Step, (u16, bool)) -> bool| last.is_none_or(|last| !is_same(step, last));
        if is_new(|step, (_, fallback)| step.fallback == fallback) {
            let fallback = if step.fallback { "on" } else { "off" };
            self.change(&["fallback", ROLLOUT, fallback]).await?;
        }
        if is_new(|step, (percent, _)| step.percent == percent) {
            self.change(&["set", ROLLOUT, &percent]).await?;
        }
        match step.kill {
            None => tokio::time::sleep(step.lasts).await,
            Some(kill) => {
                tokio::time::sleep(step.lasts / 2).await;
                for _ in 0..KILLS_MAX {
                    let outage = self.kill(kill, site, load).await?;
                    outages.push(outage.clone());
                    tokio::time::sleep(step.lasts / 2).await;
                    if load.has_met(&outage) {
                        break;
                    }
                }
            }
        }
        site.check()
    }

    /// Kills a side while movies are being created there, and starts it again.
    async fn kill(&self, kill: Kill, site: &mut Site, load: &Load) -> anyhow::Result<Outage> {
        load.burst(kill.side, kill.after).await;
        let killed_us = self.clock.now();
        site.kill(kill.side)?;
        let gone_us = self.clock.now();
        tokio::time::sleep(kill.away).await;
        site.start_again(kill.side).await?;
        Ok(Outage {
            side: kill.side,
            killed_us,
            gone_us,
            back_us: self.clock.now(),
        })
    }

    /// Everything that was changed so far.
    pub(super) fn changes(&self) -> Vec<Change> {
        self.changes.clone()
    }

    async fn change(&mut self, command: &[&str]) -> anyhow::Result<()> {
        let reason = ["--actor", "chaos", "--reason", "the next step"];
        let words = [command, &reason].concat();
        let begun = Instant::now();
        let (began_us, said) = loop {
            let began_us = self.clock.now();
            let said = self.say(&words).await?;
            if !said.waits_for_the_follower() || begun.elapsed() > CATCH_UP_LIMIT {
                break (began_us, said);
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        };
        ensure!(
            said.code == Some(0),
            "`banyan rollout {}` ended with {:?}: {}",
            command.join(" "),
            said.code,
            said.text
        );
        let stage = said.json["stage"].as_str().unwrap_or_default();
        let version = said.json["version"].as_u64();
        let percent = said.json["percent"].as_f64().unwrap_or_default();
        self.changes.push(Change {
            version: version.context("the answer has no version")?,
            stage: stage.trim_start_matches("STAGE_").to_lowercase(),
            // Steps are of 10 %.
            percent: percent as u16,
            fallback: has_fallback(&said.json).context("the answer has no fallback")?,
            began_us,
            ended_us: self.clock.now(),
        });
        Ok(())
    }

    /// Gives a command to one of the gateways.
    pub(super) async fn say(&self, command: &[&str]) -> anyhow::Result<Said> {
        let at = &self.ops[self.changes.len() % self.ops.len()];
        self.say_to(at, command).await
    }

    /// Gives a command to the gateway with this ops port.
    pub(super) async fn say_to(&self, ops: &str, command: &[&str]) -> anyhow::Result<Said> {
        let mut banyan = Command::new(&self.banyan);
        banyan
            .args(["rollout", "--json", "--ops-url", ops])
            .args(command);
        let ran = tokio::task::spawn_blocking(move || banyan.output()).await;
        let output = ran.context("a command was aborted")?;
        let output = output.context("cannot run `banyan rollout`")?;
        let out = String::from_utf8_lossy(&output.stdout);
        Ok(Said {
            code: output.status.code(),
            json: serde_json::from_str(&out).unwrap_or_default(),
            text: format!("{out}{}", String::from_utf8_lossy(&output.stderr)),
        })
    }

    /// The clock of the run.
    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// The gateways' ops ports.
    pub(super) fn ops(&self) -> &[String] {
        &self.ops
    }
}

/// Whether legacy answers for gRPC, by the strongest who says something about it.
fn has_fallback(rollout: &Value) -> Option<bool> {
    let mut settings = rollout["settings"].as_array()?.iter();
    let fallback = settings.find(|it| it["name"] == "fallback")?;
    let value = fallback["said"].as_array()?.first()?["value"].as_str()?;
    Some(value == "on")
}
