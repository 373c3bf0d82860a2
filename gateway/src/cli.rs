//! `banyan rollout ...`: the migration engineer's command line, a gRPC client of the gateway's ops port.
//!
//! Tables for people, `--json` for programs. The exit code is 0 when it was done, 1 when it was refused or failed, and 2
//! when the command line is wrong, which is found before anything is asked. Everything printed goes to the writer
//! given, so that `banyan` decides where that is.

mod arguments;
mod client;
mod error;
mod json;
mod table;
mod view;

use std::io::{self, Write};

pub use arguments::{ChangeArgs, ConnectionArgs, RolloutArgs, RolloutCommand};
pub use error::CliError;

use banyan_proto::rollout::v1::{
    ListRolloutChangesResponse, ListRolloutsResponse, Rollout, rollout::Stage,
};

use self::client::Client;

/// Runs one command against the ops port.
///
/// # Errors
/// If the ops port cannot be reached or refuses; [`CliError`] is one line that says what to do.
pub async fn run(args: RolloutArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let mut client = Client::new(&args.connection)?;
    let output = Output {
        json: args.connection.json,
        out,
    };
    match args.command {
        RolloutCommand::List => {
            let rollouts = client.list().await?;
            output.rollouts(ListRolloutsResponse {
                rollouts,
                next_page_token: String::new(),
            })
        }
        RolloutCommand::Show { rollout } => {
            let rollout = client.get(&rollout).await?;
            output.rollout(&rollout, view::rollout)
        }
        RolloutCommand::Set {
            rollout,
            percent,
            change,
        } => {
            let rollout = client.set(&rollout, percent, change).await?;
            output.rollout(&rollout, changed)
        }
        RolloutCommand::Unset { rollout, change } => {
            let rollout = client.unset(&rollout, change).await?;
            output.rollout(&rollout, changed)
        }
        RolloutCommand::History { rollout, limit } => {
            let changes = client.history(&rollout, limit).await?;
            output.changes(ListRolloutChangesResponse {
                changes,
                next_page_token: String::new(),
            })
        }
    }
}

struct Output<'a> {
    json: bool,
    out: &'a mut dyn Write,
}

impl Output<'_> {
    fn rollouts(self, response: ListRolloutsResponse) -> Result<(), CliError> {
        let text = match self.json {
            true => json::print("banyan.rollout.v1.ListRolloutsResponse", &response)?,
            false => view::rollouts(&response.rollouts),
        };
        self.write(&text)
    }

    fn changes(self, response: ListRolloutChangesResponse) -> Result<(), CliError> {
        let text = match self.json {
            true => json::print("banyan.rollout.v1.ListRolloutChangesResponse", &response)?,
            false => view::changes(&response.changes),
        };
        self.write(&text)
    }

    fn rollout(self, rollout: &Rollout, view: fn(&Rollout) -> String) -> Result<(), CliError> {
        let text = match self.json {
            true => json::print("banyan.rollout.v1.Rollout", rollout)?,
            false => view(rollout),
        };
        self.write(&text)
    }

    fn write(self, text: &str) -> Result<(), CliError> {
        let written = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
        match written {
            // `banyan rollout list | head -1`: the reader has what it wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(CliError::Output),
        }
    }
}

fn changed(rollout: &Rollout) -> String {
    let mut text = format!("{}\n", view::in_force(rollout));
    if rollout.stage() == Stage::Legacy {
        text.push_str(
            "Gradual migration is switched off: everything goes to legacy until it is on.\n",
        );
    }
    text
}
