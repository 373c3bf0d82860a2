//! Many holds in one call: independent of each other, each with its own result.

use banyan_proto::{reservation::v1, rpc};
use prost::Message as _;
use tonic::Status;

use super::{parse, position, status};
use crate::{
    domain::violation::Fault,
    grpc::guest::Caller,
    inventory::{Action, Command, Inventory},
};

/// Holds of one call.
const REQUESTS_MAX: usize = 500;

/// Decides them in their order; one result each. A mistake in one is that one's result.
pub(super) async fn hold(
    inventory: &Inventory,
    caller: &Caller,
    requests: &[v1::HoldBookingRequest],
) -> Result<Vec<v1::BatchHoldResult>, Status> {
    if requests.is_empty() {
        return Err(status::wrong("requests", Fault::Missing, "must be given"));
    }
    if requests.len() > REQUESTS_MAX {
        let description = format!(
            "must be at most {REQUESTS_MAX}, these are {}",
            requests.len()
        );
        return Err(status::wrong("requests", Fault::Range, description));
    }
    let parsed: Vec<_> = requests.iter().map(parse::hold).collect();
    let sound = parsed.iter().filter_map(|it| it.as_ref().ok());
    let commands = sound.map(|(hold, request)| Command {
        principal: caller.principal.clone(),
        request: request.clone(),
        deadline: caller.deadline,
        action: Action::Hold(hold.clone()),
    });
    let mut outcomes = inventory.submit_many(commands.collect()).await.into_iter();
    let results = parsed.into_iter().map(|parsed| {
        let outcome = match parsed {
            Err(mistake) => Err(mistake),
            // As many answers as commands.
            Ok(_) => match outcomes.next() {
                Some(outcome) => outcome.map_err(Status::from),
                None => Err(Status::internal("internal error")),
            },
        };
        let result = match outcome {
            Ok(outcome) => v1::batch_hold_result::Result::Response(v1::HoldBookingResponse {
                position: position(&outcome.position),
                booking: Some(outcome.booking),
            }),
            Err(status) => v1::batch_hold_result::Result::Status(wire_status(&status)),
        };
        v1::BatchHoldResult {
            result: Some(result),
        }
    });
    Ok(results.collect())
}

/// A status as a message: with its details where it has any.
fn wire_status(status: &Status) -> rpc::Status {
    let plain = || rpc::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    };
    match status.details() {
        [] => plain(),
        details => rpc::Status::decode(details).unwrap_or_else(|_| plain()),
    }
}
