//! What both sides differ in, for people.

use banyan_proto::rollout::v1::{DataDifference, ReconcileRolloutResponse, RolloutDifference};

use super::{
    table::table,
    view::{clean, time},
};

pub(super) fn differences(rollout: &str, found: &[RolloutDifference]) -> String {
    if found.is_empty() {
        return format!(
            "{}: no difference was found. Answers are compared in the stages shadow and split.\n",
            clean(rollout)
        );
    }
    let headers = [
        ">COUNT",
        ">NOISE",
        "ROUTE",
        "FIELD",
        "KIND",
        "LEGACY",
        "GRPC",
        "FIRST SEEN (UTC)",
        "LAST SEEN (UTC)",
        "REQUEST",
    ];
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|it| {
            vec![
                it.count.to_string(),
                it.noise.to_string(),
                clean(&it.route),
                clean(&it.field),
                clean(&it.kind),
                clean(&it.legacy_example),
                clean(&it.grpc_example),
                it.first_seen_time.map(time).unwrap_or_default(),
                it.last_seen_time.map(time).unwrap_or_default(),
                clean(&it.request_id),
            ]
        })
        .collect();
    table(&headers, &rows)
}

/// A table; nothing where there is none.
pub(super) fn data_differences(found: &[DataDifference]) -> String {
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|it| {
            let mended = if it.mended { "mended" } else { "" };
            vec![
                clean(&it.id),
                clean(&it.kind),
                clean(&it.fields.join(", ")),
                mended.to_owned(),
                clean(&it.needs),
            ]
        })
        .collect();
    match rows.is_empty() {
        true => String::new(),
        false => table(
            &[">ID", "WHAT", "FIELDS", "MENDED", "LEGACY WOULD NEED"],
            &rows,
        ),
    }
}

/// `movies: 3 entries in legacy, 2 in gRPC, 1 differ, 0 mended`
pub(super) fn counts(rollout: &str, found: &ReconcileRolloutResponse) -> String {
    format!(
        "{}: {} entries in legacy, {} in gRPC, {} differ, {} mended",
        clean(rollout),
        found.legacy_count,
        found.grpc_count,
        found.differences_count,
        found.mended_count
    )
}
