//! What callers send, checked: everything that is wrong is said at once, field by field.

use std::collections::HashMap;

use banyan_rollout::Percent;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::{
    page::{Page, Position},
    refusal::DOMAIN,
};

const ACTOR_CHARS_MAX: usize = 100;
const REASON_CHARS_MAX: usize = 500;

/// Collects what is wrong with a request.
///
/// Each check returns a value of the right type whatever it found; it must not be used before [`Check::done`].
#[derive(Default)]
pub(super) struct Check {
    wrong: Vec<FieldViolation>,
}

impl Check {
    /// INVALID_ARGUMENT with all that is wrong, if anything is.
    pub(super) fn done(self) -> Result<(), Status> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        let message: Vec<String> = self
            .wrong
            .iter()
            .map(|wrong| format!("{}: {}", wrong.field, wrong.description))
            .collect();
        let mut details = ErrorDetails::with_bad_request(self.wrong);
        details.set_error_info("INVALID_FIELD", DOMAIN, HashMap::new());
        Err(Status::with_error_details(
            Code::InvalidArgument,
            message.join("; "),
            details,
        ))
    }

    /// The rollout's own name out of `rollouts/{rollout}`.
    pub(super) fn rollout(&mut self, field: &str, name: &str) -> String {
        match name.strip_prefix("rollouts/") {
            Some(rollout) if !rollout.is_empty() && !rollout.contains('/') => rollout.to_owned(),
            _ => self.wrong(
                field,
                format!("`{name}` is not of the form rollouts/{{rollout}}"),
            ),
        }
    }

    pub(super) fn percent(&mut self, percent: Option<f64>) -> Percent {
        let Some(percent) = percent else {
            return self.wrong("percent", "is required");
        };
        match Percent::try_from(percent) {
            Ok(percent) => percent,
            Err(error) => self.wrong("percent", error.to_string()),
        }
    }

    pub(super) fn actor(&mut self, actor: String) -> String {
        match actor.trim().chars().count() {
            1..=ACTOR_CHARS_MAX => actor.trim().to_owned(),
            _ => self.wrong(
                "actor",
                "who changes it is required, in 1 to 100 characters",
            ),
        }
    }

    pub(super) fn reason(&mut self, reason: String) -> String {
        if reason.chars().count() > REASON_CHARS_MAX {
            return self.wrong("reason", "at most 500 characters are allowed");
        }
        reason
    }

    pub(super) fn page<P: Position>(&mut self, size: i32, token: &str) -> Page<P> {
        if size < 0 {
            let () = self.wrong("page_size", "must not be negative");
        }
        Page::new(size, token)
            .unwrap_or_else(|| self.wrong("page_token", "is none that this list handed out"))
    }

    fn wrong<T: Default>(&mut self, field: &str, description: impl Into<String>) -> T {
        self.wrong.push(FieldViolation::new(field, description));
        T::default()
    }
}
