//! Why a command was not done, in one line that says what to do about it.

use std::{error::Error, io};

use banyan_mesh::client::ClientError;
use tonic::{Code, Status};

/// A command was not done.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// `--ops-url` is no address.
    #[error("--ops-url or BANYAN_OPS_URL is no address")]
    Url(#[source] ClientError),
    /// `--token` cannot stand in a header.
    #[error("--token (OPS_TOKEN) holds characters that no token has")]
    Token,
    /// Nobody answers there.
    #[error(
        "cannot reach the gateway's ops port at {url} ({cause}): is the gateway running? \
         --ops-url or BANYAN_OPS_URL names another address"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// What the operating system says.
        cause: String,
    },
    /// The ops port wants a token, or another one.
    #[error(
        "the gateway at {url} does not let you in ({message}): give its token by OPS_TOKEN or --token"
    )]
    NotLetIn {
        /// The address.
        url: String,
        /// What the gateway said.
        message: String,
    },
    /// The gateway refused.
    #[error("{message} ({code:?})")]
    Refused {
        /// What the gateway said.
        message: String,
        /// As which kind of refusal.
        code: Code,
    },
    /// The log was altered.
    #[error("the history of {rollout} is broken at {change}: {problem}")]
    Broken {
        /// Of which rollout.
        rollout: String,
        /// The first entry that is not as it was written.
        change: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Both sides do not hold the same.
    #[error("the data of {rollout} differ in {left} entries")]
    Differs {
        /// Of which rollout.
        rollout: String,
        /// How many are left.
        left: i64,
    },
    /// A comparison came to no end.
    #[error("{why}; until then {so_far}; `--page-token {page_token}` goes on there")]
    Interrupted {
        /// Why.
        why: Box<CliError>,
        /// What it had found and mended.
        so_far: String,
        /// Where it goes on.
        page_token: String,
    },
    /// Somebody pressed Ctrl-C.
    #[error("stopped; what was under way may have been mended in part, and is compared again")]
    Stopped,
    /// The answer cannot be printed as JSON.
    #[error("cannot print the answer of the gateway as JSON")]
    Json,
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
}

impl CliError {
    /// What the program ends with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Broken { .. } => 3,
            Self::Differs { .. } => 4,
            _ => 1,
        }
    }

    /// Whether it took longer than it may.
    pub(super) fn is_late(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == Code::DeadlineExceeded)
    }

    pub(super) fn of(url: &str, status: Status) -> Self {
        let url = url.to_owned();
        match status.code() {
            // What a server says has no source; what the connection says has.
            Code::Unavailable if status.source().is_some() => Self::Unreachable {
                url,
                cause: root_cause(&status),
            },
            Code::Unauthenticated | Code::PermissionDenied => Self::NotLetIn {
                url,
                message: super::view::clean(status.message()),
            },
            code => Self::Refused {
                message: super::view::clean(status.message()),
                code,
            },
        }
    }
}

/// The innermost error: the ones around it say where in the client it happened, which helps nobody.
fn root_cause(status: &Status) -> String {
    let mut cause: &dyn Error = status;
    while let Some(source) = cause.source() {
        cause = source;
    }
    super::view::clean(&cause.to_string())
}
