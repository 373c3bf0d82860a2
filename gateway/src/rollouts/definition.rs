//! What configuration says about a rollout, before any operator speaks.

use banyan_rollout::{Percent, Percentages, Subjects};

/// A rollout as configured.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name; the salt too.
    pub name: String,
    /// What is kept on its side.
    pub subjects: Subjects,
    /// The percentage of the configuration file.
    pub file_percent: Option<Percent>,
    /// The percentage of the environment variable.
    pub env_percent: Option<Percent>,
    /// That variable's name, if the rollout listens to one.
    pub env_name: Option<String>,
    /// `false`: everything goes to legacy.
    pub enabled: bool,
    /// Routes that move together, as `METHOD template`.
    pub routes: Vec<String>,
}

impl Definition {
    /// What the sources weaker than an operator say.
    pub(super) fn percentages(&self) -> Percentages {
        Percentages {
            operator: None,
            environment: self.env_percent,
            files: None,
            file: self.file_percent,
        }
    }

    /// Where the weaker sources say something, as a person would find it: `MOVIES_MIGRATION_PERCENT=50`.
    pub(super) fn weaker_setting(&self) -> Option<String> {
        match (self.env_percent, &self.env_name, self.file_percent) {
            (Some(percent), Some(variable), _) => Some(format!("{variable}={percent}")),
            (Some(percent), None, _) => Some(format!("the environment's {percent}")),
            (None, _, Some(percent)) => Some(format!("the file's percent = {percent}")),
            (None, _, None) => None,
        }
    }
}
