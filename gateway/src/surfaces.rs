//! How the gateway's own errors look where no route says it: by the longest prefix of the path.

use std::sync::Arc;

use crate::profile::Profile;

/// Prefixes and their profiles, the longest first; the last one matches everything.
#[derive(Clone, Debug)]
pub(crate) struct Surfaces {
    by_prefix: Vec<(String, Arc<Profile>)>,
    default: Arc<Profile>,
}

impl Surfaces {
    /// Where nothing else is said, `default` holds.
    pub(crate) fn new(
        mut by_prefix: Vec<(String, Arc<Profile>)>,
        default: Arc<Profile>,
    ) -> Surfaces {
        for (prefix, _) in &mut by_prefix {
            prefix.truncate(prefix.trim_end_matches('/').len());
        }
        by_prefix.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Surfaces { by_prefix, default }
    }

    /// The profile for a path; `/api` holds for `/api` and `/api/x`, not for `/apis`.
    pub(crate) fn of(&self, path: &str) -> &Arc<Profile> {
        let holds = |prefix: &str| {
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.by_prefix
            .iter()
            .find(|(prefix, _)| holds(prefix))
            .map_or(&self.default, |(_, profile)| profile)
    }
}
