//! What `--check-config` says of contracts: TOML comments, so that they stand above the effective settings.

use std::fmt::Write as _;

use crate::{descriptors::Sets, routes::Routes};

/// Sources with what they have, what is served, and what could not be checked.
pub(crate) fn summary(routes: &Routes, sets: &Sets) -> String {
    let mut text = String::new();
    for set in &sets.0 {
        let has = match (&set.known, &set.trouble) {
            (Some(known), _) => format!("{} services", known.pool.services().len()),
            (None, trouble) => format!("away: {}", trouble.as_deref().unwrap_or("not asked")),
        };
        // Writing to a string cannot fail.
        writeln!(text, "# contracts from {}: {has}", set.source).ok();
    }
    writeln!(text, "# methods served: {}", routes.served.len()).ok();
    for (_, absent) in &routes.absent {
        writeln!(
            text,
            "# not checked, for want of its contract: {}",
            absent.what
        )
        .ok();
    }
    text
}
