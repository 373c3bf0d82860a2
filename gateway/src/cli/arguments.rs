//! What can be typed after `banyan rollout`. The doc comments are the help that people read.

mod policy;

use std::convert::Infallible;

use banyan_mesh::settings::Secret;
use banyan_rollout::{Owner, Percent, Stage};
use clap::{Args, Subcommand};
use http::Uri;
use jiff::Timestamp;

pub use policy::{BackToArg, PolicyArgs};

const EXAMPLES: &str = "\
Examples:
  banyan rollout list
  banyan rollout set movies 25 --reason \"error rates equal for a day\"
  banyan rollout set movies 0 --reason \"timeouts on gRPC\"      back to legacy, at once
  banyan rollout unset movies                                  back to MOVIES_MIGRATION_PERCENT
  banyan rollout shadow movies --percent 10                    compare every tenth answer
  banyan rollout policy movies --steps 5,25,100 --step-time 600
  banyan rollout promote movies                                one step further
  banyan rollout abort movies --reason \"p99 doubled\"           everybody back to legacy, at once
  banyan rollout explain movies --subject alice --at 2026-11-21T09:30:00Z
  banyan rollout explain movies --subject alice --write --wrote-on grpc
  banyan rollout history movies --json | jq '.changes[0]'
  banyan rollout verify movies || page-somebody
  banyan rollout diffs movies                                  what the sides answer differently
  banyan rollout reconcile movies --mend                       what one side has and the other has not
  banyan rollout watch

Exit codes: 0 done, 1 refused or failed, 2 wrong command line, 3 the history is broken (verify), 4 the data differ
(reconcile).";

/// Watch and steer migrations: which share of subjects the gRPC side serves.
///
/// Stages go legacy, shadow (legacy answers, gRPC is compared), split (by percentage) and grpc, and back.
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
    /// List all rollouts: stage, percentage, where it comes from, answers by side.
    List,
    /// Show one rollout: what everybody says about the percentage, its subjects, routes and counts too.
    Show {
        /// The rollout, such as `movies`.
        rollout: String,
    },
    /// Set percentage, stage or owner of writes by hand. A percentage beats environment and file until it is unset.
    ///
    /// A higher percentage is refused while the follower of the legacy system has not caught up, unless forced with a
    /// reason; a lower one is in force at once.
    Set {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Per cent of subjects on the gRPC side: 0 to 100 with at most two decimals.
        #[arg(required_unless_present_any = ["stage", "writes"])]
        percent: Option<Percent>,
        /// The stage: legacy, shadow, split or grpc.
        #[arg(long, value_parser = stage)]
        stage: Option<Stage>,
        /// Who owns writes in stage split: legacy, grpc or by-subject. Other stages imply their owner.
        #[arg(long, value_name = "OWNER", value_parser = writes)]
        writes: Option<Owner>,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
        /// Against doubt.
        #[command(flatten)]
        force: ForceArgs,
    },
    /// Take the percentage set by hand back: environment, file or 0 decide again.
    Unset {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
        /// Though that is more than now and the follower has not caught up; it wants a reason.
        #[arg(long)]
        force: bool,
    },
    /// Go to stage shadow, where legacy answers and gRPC is asked too; or set the share of answers that are compared.
    ///
    /// Without an option the rollout goes to stage shadow. With one the stage stays as it is, and the share compared in
    /// the stages shadow and split is set; it beats gateway.toml until it is unset.
    Shadow {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Compare so many per cent of the answers.
        #[arg(long, value_name = "PERCENT")]
        percent: Option<Percent>,
        /// For so many per cent of these ask the side that answered twice, to learn what differs by itself.
        #[arg(long, value_name = "PERCENT")]
        noise_percent: Option<Percent>,
        /// Take both shares back: gateway.toml decides again.
        #[arg(long, conflicts_with_all = ["percent", "noise_percent"])]
        unset: bool,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
        /// Against doubt.
        #[command(flatten)]
        force: ForceArgs,
    },
    /// Let legacy answer for gRPC where that failed and nothing can be done twice: on, off, or unset for gateway.toml.
    Fallback {
        /// The rollout, such as `movies`.
        rollout: String,
        /// on, off or unset.
        #[arg(value_parser = ["on", "off", "unset"])]
        wanted: String,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Set how the rollout moves by itself; what is not said stays. It beats gateway.toml until it is unset.
    Policy {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Steps and bounds.
        #[command(flatten)]
        policy: Box<PolicyArgs>,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Go to stage split, at once with this percentage if one is given.
    Split {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Per cent of subjects on the gRPC side: 0 to 100 with at most two decimals.
        percent: Option<Percent>,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
        /// Against doubt.
        #[command(flatten)]
        force: ForceArgs,
    },
    /// Go one step further: legacy, shadow, the percentages of the policy one by one, 100, grpc.
    ///
    /// A policy ends at its last step: from there to 100, and to grpc, only this leads.
    Promote {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
        /// Against doubt.
        #[command(flatten)]
        force: ForceArgs,
    },
    /// Keep the policy from changing the rollout; traffic stays where it is.
    Pause {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Let the policy go on, also after a rollback. It judges by nothing that was counted before.
    Resume {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Roll back at once, to nobody on gRPC, also of those who have written there, and pause the policy.
    Abort {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArgs,
        /// Back to the last lower percentage that the policy found good, if any, instead of to nobody.
        #[arg(long)]
        to_last_good: bool,
    },
    /// Show who changed a rollout, when, from what to what and why, newest first.
    History {
        /// The rollout, such as `movies`.
        rollout: String,
        /// At most this many changes.
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Check that no entry of the history was altered, removed or slipped in. Exit code 3 if one was.
    Verify {
        /// The rollout, such as `movies`.
        rollout: String,
        /// A hash that was noted earlier: the history must still hold it.
        #[arg(long, value_name = "HASH", default_value = "")]
        known_hash: String,
    },
    /// Say where a subject goes and why, now or at any moment that has been.
    Explain {
        /// The rollout, such as `movies`.
        rollout: String,
        /// The subject: a user's id, the value of a cookie, whatever the rollout keeps on its side. Where absent it is read
        /// from the facts, in the order of the rollout's sources. What no fact shows is explained as a client: name an entity
        /// by `--fact path:id=7`.
        #[arg(long, required_unless_present = "facts")]
        subject: Option<String>,
        /// At which moment, UTC: `2026-11-21 09:30:00` or `2026-11-21T09:30:00Z`. Now where absent.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        at: Option<Timestamp>,
        /// For a request that changes something.
        #[arg(long)]
        write: bool,
        /// What else the request shows, where rules ask for it or subjects stand: `header:user-agent=CinemaApp/1.7`,
        /// `token:sub=alice` for a claim of a token that verifies.
        #[arg(long = "fact", value_name = "KIND:NAME=VALUE")]
        facts: Vec<String>,
        #[command(flatten)]
        carried: CarriedArgs,
    },
    /// Show what the answers of both sides differ in, by route and field, the most frequent first.
    ///
    /// Values are redacted: letters are x, digits 0; the elements of a list are [], the entries of a map {}. Where one side's
    /// own answers differ often enough (three times in seven days, and in 1 % of the times it was asked twice) it is noise,
    /// and does not count against the rollout. A thousand are kept, those seen last.
    Diffs {
        /// The rollout, such as `movies`.
        rollout: String,
        /// At most this many differences.
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
        /// Forget them instead, and what is known as noise, so that counting begins anew.
        #[arg(long)]
        clear: bool,
    },
    /// Compare the data of both sides completely, and list what differs. Exit code 4 if anything is left.
    ///
    /// Differences are printed a thousand at a time, however many there are, and what was done so far on stderr. `--json`
    /// prints a line for each thousand, whose counts are those of all lines so far: the last one has the totals.
    Reconcile {
        /// The rollout, such as `movies`.
        rollout: String,
        /// Make the other side like the one that gives the ids: up to stage split that is legacy. To repeat it changes
        /// nothing.
        #[arg(long)]
        mend: bool,
        /// Go on where an earlier run was broken off: it told the token.
        #[arg(long, value_name = "TOKEN", default_value = "")]
        page_token: String,
    },
    /// Watch all rollouts: a table that is drawn anew each second until Ctrl-C.
    Watch {
        /// Seconds between two tables, 0.1 to 60.
        #[arg(long, default_value_t = 1.0, value_name = "S", value_parser = interval)]
        interval: f64,
        /// End after so many tables; never where absent.
        #[arg(long, value_name = "N")]
        count: Option<u32>,
    },
}

fn stage(text: &str) -> Result<Stage, &'static str> {
    Stage::from_name(text).ok_or("legacy, shadow, split or grpc is allowed")
}

fn writes(text: &str) -> Result<Owner, &'static str> {
    Owner::from_name(text).ok_or("legacy, grpc or by-subject is allowed")
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    let civil = || text.parse::<jiff::civil::DateTime>().ok();
    let utc = || civil()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    text.parse()
        .ok()
        .or_else(|| Some(utc()?.timestamp()))
        .ok_or("a moment such as 2026-11-21T09:30:00Z is allowed")
}

fn interval(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|seconds| (0.1..=60.0).contains(seconds))
        .ok_or("0.1 to 60 is allowed")
}

/// What a request said about its side. Where it is not given the answer says what it would change.
#[derive(Args, Clone, Debug, Default)]
pub struct CarriedArgs {
    /// With this pin, or several with commas, as in `x-banyan-pin` or the cookies: says whether it holds at that moment and
    /// is of the subject. Or `legacy` or `grpc`, for one that does and is.
    #[arg(long, value_name = "PIN")]
    pub pin: Option<String>,
    /// Asking for this side with `x-banyan-force-side` and the token, `legacy` or `grpc`: says whether that was allowed.
    #[arg(long, value_name = "SIDE", value_parser = ["legacy", "grpc"])]
    pub force: Option<String>,
    /// With the mark of a writer, as it came in `x-banyan-wrote` or the cookie, or the side: `legacy` or `grpc`.
    #[arg(long, value_name = "MARK")]
    pub wrote_on: Option<String>,
}

/// What is done against doubt.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ForceArgs {
    /// Do what would be refused for doubt; it wants a reason.
    #[arg(long)]
    pub force: bool,
    /// Enter stage grpc though the legacy system cannot take back what is written from then on.
    #[arg(long)]
    pub confirm_one_way: bool,
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
