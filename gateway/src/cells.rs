//! Sets of routes mounted once for each of several upstreams, such as one deployment per city.
//!
//! Members are mounted under literal prefixes, so the route table needs to know nothing about cells. What remains is
//! to list them, and to say that a member is unknown where a path below the prefix has no route.

use serde::Serialize;

use crate::{config::CellsConfig, refusal::Refusal};

/// One `[cells.NAME]`, for answering.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    prefix: String,
    unknown: String,
    ids: Vec<String>,
}

#[derive(Serialize)]
struct List<'a> {
    data: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: u64,
    name: &'a str,
}

impl Cells {
    pub(crate) fn new(config: &CellsConfig) -> Cells {
        Cells {
            prefix: config.prefix.clone(),
            unknown: config.unknown.clone(),
            ids: config
                .members
                .iter()
                .map(|member| member.id.to_string())
                .collect(),
        }
    }

    /// What to say about a path without a route: that its member is unknown, if that is why.
    pub(crate) fn unknown_in(&self, path: &str) -> Option<Refusal> {
        let below = path.strip_prefix(&self.prefix)?.strip_prefix('/')?;
        let id = below.split('/').next().filter(|id| !id.is_empty())?;
        if self.ids.iter().any(|known| known == id) {
            return None;
        }
        // What a client sent goes back to it only where it is harmless.
        let shown: String = id
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(40)
            .collect();
        Some(Refusal::unknown_cell(self.unknown.replace("{id}", &shown)))
    }
}

/// The list of members as a body.
pub(crate) fn list(config: &CellsConfig) -> String {
    let data = config
        .members
        .iter()
        .map(|member| Entry {
            id: member.id,
            name: &member.name,
        })
        .collect();
    serde_json::to_string(&List { data }).unwrap_or_default()
}
