//! What both sides differ in, in the contract's words.

use std::collections::HashMap;

use banyan_proto::{
    follow::v1::{Capability, ReconcileResponse, difference::Kind},
    rollout::v1::{DataDifference, ReconcileRolloutResponse, RolloutDifference},
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{convert::timestamp, refusal::DOMAIN};
use crate::store::Difference;

/// `keeps-ids`; nothing for none.
pub(super) fn capability(capability: Capability) -> String {
    match capability {
        Capability::Unspecified => "",
        Capability::ChangeFeed => "change-feed",
        Capability::Update => "update",
        Capability::Delete => "delete",
        Capability::KeepsIds => "keeps-ids",
    }
    .to_owned()
}

pub(super) fn difference(found: Difference) -> RolloutDifference {
    RolloutDifference {
        route: found.route,
        field: found.path,
        kind: found.kind,
        count: found.count,
        noise: found.noise,
        first_seen_time: Some(timestamp(found.first_seen)),
        last_seen_time: Some(timestamp(found.last_seen)),
        legacy_example: found.owner,
        grpc_example: found.other,
        request_id: found.request_id,
    }
}

pub(super) fn reconciled(found: ReconcileResponse) -> ReconcileRolloutResponse {
    let differences = found.differences.into_iter().map(|it| DataDifference {
        kind: match it.kind() {
            Kind::Unspecified => "unknown",
            Kind::MissingHere => "missing here",
            Kind::MissingInLegacy => "missing in legacy",
            Kind::Different => "different",
        }
        .to_owned(),
        needs: capability(it.needs()),
        id: it.id,
        fields: it.fields,
        mended: it.mended,
    });
    ReconcileRolloutResponse {
        legacy_count: found.legacy_count,
        grpc_count: found.own_count,
        differences: differences.collect(),
        differences_count: found.differences_count,
        mended_count: found.mended_count,
        read_time: found.read_time,
        next_page_token: found.next_page_token,
    }
}

pub(super) fn no_follower(rollout: &str) -> Status {
    let message = format!(
        "nobody follows the legacy side of `{rollout}`: [rollouts.{rollout}] follow in gateway.toml names one"
    );
    let metadata = HashMap::from([("rollout".to_owned(), rollout.to_owned())]);
    let details = ErrorDetails::with_error_info("NO_FOLLOWER", DOMAIN, metadata);
    Status::with_error_details(Code::FailedPrecondition, message, details)
}
