//! Where a reply was decided: in its field where it has one, else (it is the bare resource, AIP-133) in its metadata.
//! Refusals have it in their details (`status.rs`).

use banyan_proto::reservation::v1;
use tonic::{Response, metadata::MetadataValue};

use crate::{inventory::Position, wire};

/// Metadata of a reply, `INCARNATION/SEQUENCE`.
const KEY: &str = "banyan-position";

/// For a reply that has a field for it.
pub(super) fn position(at: &Position) -> Option<v1::CommitPosition> {
    Some(wire::position(&at.incarnation, at.sequence))
}

/// A reply that has no field for it.
pub(super) fn reply<T>(message: T, at: &Position) -> Response<T> {
    let mut response = Response::new(message);
    // An incarnation is a UUID, so that this is always ASCII.
    if let Ok(value) = MetadataValue::try_from(at.to_string()) {
        response.metadata_mut().insert(KEY, value);
    }
    response
}
