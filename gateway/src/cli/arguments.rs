//! What can be typed after `banyan rollout`. The doc comments are the help that people read.

use std::convert::Infallible;

use banyan_mesh::settings::Secret;
use banyan_rollout::Percent;
use clap::{Args, Subcommand};
use http::Uri;

const EXAMPLES: &str = "\
Examples:
  banyan rollout list
  banyan rollout set movies 25 --reason \"error rates equal for a day\"
  banyan rollout set movies 0 --reason \"timeouts on gRPC\"      back to legacy, at once
  banyan rollout unset movies                                  back to MOVIES_MIGRATION_PERCENT
  banyan rollout history movies --json | jq '.changes[0]'

Exit codes: 0 done, 1 refused or failed, 2 wrong command line.";

/// Watch and steer migrations: which share of subjects the gRPC side serves.
///
/// A rollout is a group of routes that move together from legacy to gRPC, by percentage of subjects (users, cookies).
/// A subject stays on its side; raising the percentage never moves one back. An operator's percentage beats the
/// environment variable and the file until it is unset. Changes are in force within a second at every gateway replica,
/// and every change is written down: who, when, from what to what, and why.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct RolloutArgs {
    /// Where and how to ask.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: RolloutCommand,
}

/// Where the gateway's ops port is and how to print its answers.
#[derive(Args, Clone, Debug)]
pub struct ConnectionArgs {
    /// The gateway's ops port; not the public one.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "BANYAN_OPS_URL",
        default_value = "http://127.0.0.1:9000",
        value_parser = ops_url
    )]
    pub ops_url: String,
    /// The operators' token, where the ops port wants one. Better given by the variable: others on this machine can see
    /// command lines.
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "OPS_TOKEN",
        hide_env_values = true,
        value_parser = secret
    )]
    pub token: Option<Secret>,
    /// Print JSON: the admin API's answer, with counts as numbers.
    #[arg(long, global = true)]
    pub json: bool,
}

fn ops_url(text: &str) -> Result<String, &'static str> {
    let uri: Option<Uri> = text.parse().ok();
    match uri {
        Some(uri) if uri.scheme_str() == Some("http") && uri.host().is_some() => {
            Ok(text.to_owned())
        }
        _ => Err("http://host:port is allowed"),
    }
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

/// One command.
#[derive(Clone, Debug, Subcommand)]
pub enum RolloutCommand {
    /// List all rollouts: percentage, where it comes from, answers by side.
    List,
    /// Show one rollout: its subjects, routes and counts too.
    Show {
        /// The rollout, such as `movies`.
        rollout: String,
    },
    /// Set the percentage by hand. It beats environment and file until it is unset.
    Set {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Per cent of subjects on the gRPC side: 0 to 100 with at most two decimals.
        percent: Percent,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Take the percentage set by hand back: environment, file or 0 decide again.
    Unset {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Show who changed a rollout, when, from what to what and why, newest first.
    History {
        /// The rollout, such as `movies`.
        rollout: String,
        /// At most this many changes.
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
}

/// Who changes a rollout, why, and on what terms.
#[derive(Args, Clone, Debug)]
pub struct ChangeArgs {
    /// Why, for those who read the history: at most 500 characters.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    /// Who, for the history. By default the user of this machine: USER@HOST.
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Only if the rollout still has this etag, as `show` prints it.
    #[arg(long, value_name = "ETAG", default_value = "")]
    pub etag: String,
}
