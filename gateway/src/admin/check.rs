//! What callers send, checked: everything that is wrong is said at once, field by field.

use banyan_proto::rpc::{BadRequest, ErrorInfo, bad_request::FieldViolation};
use banyan_rollout::Percent;
use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};

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
        let message = message.join("; ");
        let info = ErrorInfo {
            reason: "INVALID_REQUEST".to_owned(),
            domain: DOMAIN.to_owned(),
            ..ErrorInfo::default()
        };
        let wrong = BadRequest {
            field_violations: self.wrong,
        };
        // tonic-types' own violations have no reason (AIP-193).
        let status = banyan_proto::rpc::Status {
            code: Code::InvalidArgument as i32,
            message: message.clone(),
            details: vec![detail("ErrorInfo", &info), detail("BadRequest", &wrong)],
        };
        Err(Status::with_details(
            Code::InvalidArgument,
            message,
            status.encode_to_vec().into(),
        ))
    }

    /// The rollout's own name out of `rollouts/{rollout}`.
    pub(super) fn rollout(&mut self, field: &str, name: &str) -> String {
        match name.strip_prefix("rollouts/") {
            Some(rollout) if !rollout.is_empty() && !rollout.contains('/') => rollout.to_owned(),
            _ => self.wrong(
                field,
                "FORMAT",
                format!("`{name}` is not of the form rollouts/{{rollout}}"),
            ),
        }
    }

    pub(super) fn percent(&mut self, percent: Option<f64>) -> Percent {
        let Some(percent) = percent else {
            return self.wrong("percent", "MISSING", "is required");
        };
        match Percent::try_from(percent) {
            Ok(percent) => percent,
            Err(error) => self.wrong("percent", "RANGE", error.to_string()),
        }
    }

    pub(super) fn actor(&mut self, actor: String) -> String {
        if actor.trim().contains(char::is_control) {
            return self.wrong("actor", "FORMAT", "only printable characters are allowed");
        }
        match actor.trim().chars().count() {
            1..=ACTOR_CHARS_MAX => actor.trim().to_owned(),
            0 => self.wrong("actor", "MISSING", "who changes it is required"),
            _ => self.wrong("actor", "RANGE", "at most 100 characters are allowed"),
        }
    }

    pub(super) fn reason(&mut self, reason: String) -> String {
        if reason.chars().count() > REASON_CHARS_MAX {
            return self.wrong("reason", "RANGE", "at most 500 characters are allowed");
        }
        // Databases and terminals have their own ideas about these.
        let is_unprintable = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if reason.contains(is_unprintable) {
            return self.wrong("reason", "FORMAT", "only printable characters are allowed");
        }
        reason
    }

    pub(super) fn page<P: Position>(&mut self, size: i32, token: &str) -> Page<P> {
        if size < 0 {
            let () = self.wrong("page_size", "RANGE", "must not be negative");
        }
        Page::new(size, token).unwrap_or_else(|| {
            self.wrong("page_token", "FORMAT", "is none that this list handed out")
        })
    }

    fn wrong<T: Default>(
        &mut self,
        field: &str,
        reason: &str,
        description: impl Into<String>,
    ) -> T {
        self.wrong.push(FieldViolation {
            field: field.to_owned(),
            description: description.into(),
            reason: reason.to_owned(),
        });
        T::default()
    }
}

fn detail(name: &str, message: &impl Message) -> Any {
    Any {
        type_url: format!("type.googleapis.com/google.rpc.{name}"),
        value: message.encode_to_vec(),
    }
}
