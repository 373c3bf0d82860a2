//! What could not be done, as a status with a reason that programs can act on.

use std::{collections::HashMap, error::Error, time::Duration};

use banyan_rollout::Refusal;
use bytes::Bytes;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{check::Check, settings::field_of_policy};
use crate::{rollouts::ChangeError, store::StoreError};

/// The domain of all reasons given here (AIP-193).
pub(super) const DOMAIN: &str = "rollout.banyan";

/// A store that is away is asked again after this long.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) fn no_such_rollout(name: &str) -> Status {
    of(ChangeError::NoSuchRollout {
        name: name.to_owned(),
    })
}

pub(super) fn of(error: ChangeError) -> Status {
    let message = in_one_line(&error);
    match error {
        ChangeError::NoSuchRollout { name } => {
            let mut details = info("NO_SUCH_ROLLOUT", &name);
            let resource = format!("rollouts/{name}");
            details.set_resource_info("rollout.banyan/Rollout", resource, "", message.clone());
            Status::with_error_details(Code::NotFound, message, details)
        }
        ChangeError::NoSubject { .. } | ChangeError::Unrecorded { .. } => {
            let details = ErrorDetails::with_bad_request_violation("subject", message.clone());
            Status::with_error_details(Code::InvalidArgument, message, details)
        }
        ChangeError::NoStore => Status::with_error_details(
            Code::FailedPrecondition,
            message,
            ErrorDetails::with_error_info("NO_STORE", DOMAIN, HashMap::new()),
        ),
        ChangeError::Policy { source, .. } => {
            let mut check = Check::default();
            let said = format!("{}: {}", source.value, source.allowed);
            let () = check.wrong(&field_of_policy(&source.field), "RANGE", said);
            check
                .done()
                .err()
                .unwrap_or_else(|| Status::internal(message))
        }
        ChangeError::Refused { name, source } => of_refused(&name, source, message),
        ChangeError::Data { status, .. } => Status::with_details(
            status.code(),
            message,
            Bytes::copy_from_slice(status.details()),
        ),
        ChangeError::Change { name, source } | ChangeError::History { name, source } => {
            of_store(&name, &source, message)
        }
    }
}

/// RESOURCE_EXHAUSTED: those who watch may go on for good, so there is no telling when to come back.
pub(super) fn too_many_watchers() -> Status {
    let message = "too many watch already: ListRollouts tells the same, once";
    let details = ErrorDetails::with_error_info("TOO_MANY_WATCHERS", DOMAIN, HashMap::new());
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// UNAVAILABLE, for those who would look on for good.
pub(super) fn stopping() -> Status {
    let mut details = ErrorDetails::with_error_info("STOPPING", DOMAIN, HashMap::new());
    details.set_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::Unavailable, "the gateway is ending", details)
}

fn of_refused(name: &str, refusal: Refusal, message: String) -> Status {
    let mut details = info(refusal.as_str(), name);
    let resource = format!("rollouts/{name}");
    details.add_precondition_failure_violation(refusal.as_str(), resource, refusal.to_string());
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

fn of_store(name: &str, error: &StoreError, message: String) -> Status {
    match error {
        StoreError::Changed { .. } => {
            Status::with_error_details(Code::Aborted, message, info("ROLLOUT_CHANGED", name))
        }
        StoreError::Impossible { .. } => {
            tracing::error!(error = message, "The store of rollouts is damaged");
            Status::with_error_details(Code::DataLoss, message, info("STORE_DAMAGED", name))
        }
        StoreError::NotReady | StoreError::TooSlow | StoreError::Read(_) | StoreError::Write(_) => {
            tracing::warn!(error = message, "The store of rollouts is away");
            let mut details = info("STORE_UNAVAILABLE", name);
            details.set_retry_info(Some(RETRY_AFTER));
            // What the driver says is for the log; it may name hosts.
            let message =
                "the gateway's store is away: try again; traffic goes on by what was last known";
            Status::with_error_details(Code::Unavailable, message, details)
        }
    }
}

fn info(reason: &str, rollout: &str) -> ErrorDetails {
    let metadata = HashMap::from([("rollout".to_owned(), rollout.to_owned())]);
    ErrorDetails::with_error_info(reason, DOMAIN, metadata)
}

fn in_one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        line.push_str(": ");
        line.push_str(&error.to_string());
        source = error.source();
    }
    line
}
