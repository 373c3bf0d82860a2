//! `banyan rollout ...`: the migration engineer's command line, a gRPC client of the gateway's ops port.
//!
//! Tables for people, `--json` for programs. The exit code is 0 when it was done, 1 when it was refused or failed, 2 when
//! the command line is wrong, which is found before anything is asked, and 3 when the history turns out to be altered.
//! Everything printed goes to the writers given, so that `banyan` decides where that is: answers to the one, how it goes
//! meanwhile to the other.

mod arguments;
mod client;
mod compared;
mod error;
mod json;
mod reconcile;
mod settings;
mod table;
mod view;

use std::{
    io::{self, IsTerminal as _, Write},
    time::Duration,
};

pub use arguments::{
    BackToArg, CarriedArgs, ChangeArgs, ConnectionArgs, ForceArgs, PolicyArgs, RolloutArgs,
    RolloutCommand,
};
pub use error::CliError;

use banyan_proto::rollout::v1::{
    ConfigureRolloutRequest, ExplainRolloutRequest, ListRolloutChangesResponse,
    ListRolloutsResponse, Rollout, rollout::Stage,
};
use jiff::Timestamp;
use prost::Message;

use self::client::{Client, Wanted};

/// Clears the terminal, so that the next table stands where the last one did.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Runs one command against the ops port. What takes long tells `aside` how it goes.
///
/// # Errors
/// If the ops port cannot be reached or refuses; [`CliError`] is one line that says what to do.
pub async fn run(
    args: RolloutArgs,
    out: &mut dyn Write,
    aside: &mut dyn Write,
) -> Result<(), CliError> {
    let client = Client::new(&args.connection)?;
    let output = Output {
        json: args.connection.json,
        is_closed: false,
        out,
        aside,
    };
    match args.command {
        RolloutCommand::Reconcile {
            rollout,
            mend,
            page_token,
        } => reconcile::run(client, output, &rollout, mend, page_token).await,
        RolloutCommand::Watch { interval, count } => {
            watch(client, output, Duration::from_secs_f64(interval), count).await
        }
        command if adjusts(&command) => adjust(client, output, command).await,
        command if changes(&command) => change(client, output, command).await,
        command => look(client, output, command).await,
    }
}

fn changes(command: &RolloutCommand) -> bool {
    !matches!(
        command,
        RolloutCommand::List
            | RolloutCommand::Show { .. }
            | RolloutCommand::History { .. }
            | RolloutCommand::Verify { .. }
            | RolloutCommand::Explain { .. }
            | RolloutCommand::Diffs { .. }
            | RolloutCommand::Watch { .. }
    )
}

/// Whether it changes settings beside stage, owner of writes and percentage.
fn adjusts(command: &RolloutCommand) -> bool {
    match command {
        RolloutCommand::Fallback { .. } | RolloutCommand::Policy { .. } => true,
        RolloutCommand::Shadow {
            percent,
            noise_percent,
            unset,
            ..
        } => *unset || percent.is_some() || noise_percent.is_some(),
        _ => false,
    }
}

async fn adjust(
    mut client: Client,
    mut output: Output<'_>,
    command: RolloutCommand,
) -> Result<(), CliError> {
    let mut wanted = ConfigureRolloutRequest::default();
    let unset = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (rollout, change) = match command {
        RolloutCommand::Shadow {
            rollout,
            percent,
            noise_percent,
            unset: is_unset,
            change,
            ..
        } => {
            wanted.shadow_percent = percent.map(|it| it.as_f64());
            wanted.noise_percent = noise_percent.map(|it| it.as_f64());
            if is_unset {
                wanted.unset = unset(&["shadow", "noise"]);
            }
            (rollout, change)
        }
        RolloutCommand::Fallback {
            rollout,
            wanted: word,
            change,
        } => {
            match word.as_str() {
                "unset" => wanted.unset = unset(&["fallback"]),
                word => wanted.fallback = Some(word == "on"),
            }
            (rollout, change)
        }
        RolloutCommand::Policy {
            rollout,
            policy,
            change,
        } => {
            wanted.policy = policy.message();
            wanted.policy_off = policy.off;
            if policy.unset {
                wanted.unset = unset(&["policy"]);
            }
            (rollout, change)
        }
        looked_at => return look(client, output, looked_at).await,
    };
    let rollout = client.configure(&rollout, wanted, change).await?;
    output.print("Rollout", &rollout, view::settings_in_force)
}

async fn look(
    mut client: Client,
    mut output: Output<'_>,
    command: RolloutCommand,
) -> Result<(), CliError> {
    match command {
        RolloutCommand::Show { rollout } => {
            let rollout = client.get(&rollout).await?;
            output.print("Rollout", &rollout, view::rollout)
        }
        RolloutCommand::History { rollout, limit } => {
            let changes = client.history(&rollout, limit).await?;
            let response = ListRolloutChangesResponse {
                changes,
                next_page_token: String::new(),
            };
            output.print("ListRolloutChangesResponse", &response, |response| {
                view::changes(&response.changes)
            })
        }
        RolloutCommand::Verify {
            rollout,
            known_hash,
        } => {
            let verdict = client.verify(&rollout, known_hash).await?;
            output.print("VerifyRolloutResponse", &verdict, |verdict| {
                view::verdict(&rollout, verdict)
            })?;
            match verdict.intact {
                true => Ok(()),
                false => Err(CliError::Broken {
                    rollout: view::clean(&rollout),
                    change: view::clean(&verdict.broken_change),
                    problem: view::clean(&verdict.problem),
                }),
            }
        }
        RolloutCommand::Diffs { rollout, clear, .. } if clear => {
            let cleared = client.clear_differences(&rollout).await?;
            output.print("ClearRolloutDifferencesResponse", &cleared, |_| {
                format!(
                    "{}: forgotten, noise too; counting begins anew\n",
                    view::clean(&rollout)
                )
            })
        }
        RolloutCommand::Diffs { rollout, limit, .. } => {
            let found = client.differences(&rollout, limit).await?;
            output.print("ListRolloutDifferencesResponse", &found, |found| {
                compared::differences(&rollout, &found.differences)
            })
        }
        RolloutCommand::Explain {
            rollout,
            subject,
            at,
            write,
            facts,
            carried,
        } => {
            let question = ExplainRolloutRequest {
                name: rollout,
                subject: subject.clone().unwrap_or_default(),
                time: at.map(timestamp),
                write,
                facts,
                pin: carried.pin.unwrap_or_default(),
                force_side: carried.force.unwrap_or_default(),
                wrote_on: carried.wrote_on.unwrap_or_default(),
            };
            let answer = client.explain(question).await?;
            output.print("ExplainRolloutResponse", &answer, |answer| {
                view::explanation(subject.as_deref(), answer)
            })
        }
        _ => {
            let response = ListRolloutsResponse {
                rollouts: client.list().await?,
                next_page_token: String::new(),
            };
            output.print("ListRolloutsResponse", &response, |response| {
                view::rollouts(&response.rollouts)
            })
        }
    }
}

async fn change(
    mut client: Client,
    mut output: Output<'_>,
    command: RolloutCommand,
) -> Result<(), CliError> {
    use banyan_rollout::Stage;
    let stage = |stage, percent, force| Wanted {
        stage: Some(stage),
        write_owner: None,
        percent,
        force,
    };
    let rollout = match command {
        RolloutCommand::Set {
            rollout,
            percent,
            stage,
            writes,
            change,
            force,
        } => {
            let wanted = Wanted {
                stage,
                write_owner: writes,
                percent,
                force,
            };
            client.set(&rollout, wanted, change).await?
        }
        RolloutCommand::Shadow {
            rollout,
            change,
            force,
            ..
        } => {
            let wanted = stage(Stage::Shadow, None, force);
            client.set(&rollout, wanted, change).await?
        }
        RolloutCommand::Split {
            rollout,
            percent,
            change,
            force,
        } => {
            let wanted = stage(Stage::Split, percent, force);
            client.set(&rollout, wanted, change).await?
        }
        RolloutCommand::Unset {
            rollout,
            change,
            force,
        } => client.unset(&rollout, change, force).await?,
        RolloutCommand::Promote {
            rollout,
            change,
            force,
        } => client.promote(&rollout, change, force).await?,
        RolloutCommand::Pause { rollout, change } => client.pause(&rollout, change).await?,
        RolloutCommand::Resume { rollout, change } => client.resume(&rollout, change).await?,
        RolloutCommand::Abort {
            rollout,
            change,
            to_last_good,
        } => client.abort(&rollout, change, to_last_good).await?,
        looked_at => return look(client, output, looked_at).await,
    };
    output.print("Rollout", &rollout, changed)
}

async fn watch(
    mut client: Client,
    mut output: Output<'_>,
    interval: Duration,
    count: Option<u32>,
) -> Result<(), CliError> {
    let is_drawn_over = !output.json && io::stdout().is_terminal();
    let mut answers = client.watch(interval).await?;
    let (mut seen, mut is_new) = (0, true);
    while !output.is_closed && count.is_none_or(|count| seen < count) {
        match client.next(&mut answers).await {
            Ok(Some(answer)) => {
                if is_drawn_over {
                    output.write(CLEAR)?;
                }
                output.print("WatchRolloutsResponse", &answer, view::watched)?;
                (seen, is_new) = (seen + 1, false);
            }
            Ok(None) => break,
            // A stream has an end, after an hour; who looks has none.
            Err(error) if error.is_late() && !is_new => {
                answers = client.watch(interval).await?;
                is_new = true;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

struct Output<'a> {
    json: bool,
    /// The reader went away.
    is_closed: bool,
    out: &'a mut dyn Write,
    aside: &'a mut dyn Write,
}

impl Output<'_> {
    fn print<M: Message>(
        &mut self,
        name: &str,
        message: &M,
        view: impl Fn(&M) -> String,
    ) -> Result<(), CliError> {
        let text = match self.json {
            true => json::print(&format!("banyan.rollout.v1.{name}"), message)?,
            false => view(message),
        };
        self.write(&text)
    }

    /// Says how it goes; nobody has to hear it.
    fn tell(&mut self, line: &str) {
        writeln!(self.aside, "{line}").ok();
    }

    fn write(&mut self, text: &str) -> Result<(), CliError> {
        let written = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
        match written {
            // `banyan rollout list | head -1`: the reader has what it wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            other => other.map_err(CliError::Output),
        }
    }
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}

fn changed(rollout: &Rollout) -> String {
    let mut text = format!("{}\n", view::in_force(rollout));
    match rollout.stage() {
        Stage::Legacy => text.push_str(
            "Everything goes to legacy: the stage is legacy, or gradual migration is switched off.\n",
        ),
        Stage::Shadow => text.push_str("In stage shadow legacy answers everything.\n"),
        _ => {}
    }
    text
}
