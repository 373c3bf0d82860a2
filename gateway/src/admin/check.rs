//! What callers send, checked: everything that is wrong is said at once, field by field.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use banyan_proto::{
    rollout::v1::rollout::{Stage as StageName, WriteOwner as OwnerName},
    rpc::{BadRequest, ErrorInfo, bad_request::FieldViolation},
};
use banyan_rollout::{Owner, Percent, Side, Stage};
use jiff::Timestamp;
use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};

use super::{
    page::{Page, Position},
    refusal::DOMAIN,
};

const ACTOR_CHARS_MAX: usize = 100;
const REASON_CHARS_MAX: usize = 500;
const SUBJECT_CHARS_MAX: usize = 500;
/// All that a client keeps of pins or marks, as one header.
const SIGNED_BYTES_MAX: usize = 2_048;
const FACTS_MAX: usize = 20;
const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);
const INTERVALS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

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

    /// Whether anything is wrong so far.
    pub(super) fn found(&self) -> bool {
        !self.wrong.is_empty()
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

    /// A percentage that may be absent.
    pub(super) fn optional_percent(&mut self, percent: Option<f64>) -> Option<Percent> {
        percent.map(|percent| self.percent(Some(percent)))
    }

    pub(super) fn stage(&mut self, stage: i32) -> Option<Stage> {
        match StageName::try_from(stage) {
            Ok(StageName::Unspecified) => None,
            Ok(StageName::Legacy) => Some(Stage::Legacy),
            Ok(StageName::Shadow) => Some(Stage::Shadow),
            Ok(StageName::Split) => Some(Stage::Split),
            Ok(StageName::Grpc) => Some(Stage::Grpc),
            Err(_) => self.wrong("stage", "RANGE", "is none of the stages that there are"),
        }
    }

    pub(super) fn writes(&mut self, owner: i32) -> Option<Owner> {
        match OwnerName::try_from(owner) {
            Ok(OwnerName::Unspecified) => None,
            Ok(OwnerName::Legacy) => Some(Owner::Legacy),
            Ok(OwnerName::Grpc) => Some(Owner::Grpc),
            Ok(OwnerName::BySubject) => Some(Owner::BySubject),
            Err(_) => self.wrong(
                "write_owner",
                "RANGE",
                "is none of the owners that there are",
            ),
        }
    }

    /// Who forces something says why.
    pub(super) fn forced(&mut self, is_forced: bool, reason: &str) -> bool {
        if is_forced && reason.trim().is_empty() {
            let () = self.wrong("reason", "MISSING", "is required with force");
        }
        is_forced
    }

    /// `None` where it has to be found.
    pub(super) fn subject(&mut self, subject: String) -> Option<String> {
        match subject.chars().count() {
            0..=SUBJECT_CHARS_MAX => Some(subject).filter(|subject| !subject.is_empty()),
            _ => self.wrong("subject", "RANGE", "at most 500 characters are allowed"),
        }
    }

    /// One of a side, or as a gateway signed them: `4.g.1763712345678.1763712375678.c.-1o6Nflw1wE.9TKflOlg-gMKuZ1w5qnPUA`.
    pub(super) fn signed(&mut self, field: &str, text: String) -> Option<String> {
        let is_sign = |char: char| char.is_ascii_alphanumeric() || "._-, ".contains(char);
        match text.as_str() {
            "" => None,
            "legacy" | "grpc" => Some(text),
            signed
                if signed.contains('.')
                    && signed.chars().all(is_sign)
                    && signed.len() <= SIGNED_BYTES_MAX =>
            {
                Some(text)
            }
            _ => self.wrong(
                field,
                "FORMAT",
                "`legacy`, `grpc` or the value that a gateway gave is allowed",
            ),
        }
    }

    pub(super) fn side(&mut self, field: &str, side: &str) -> Option<Side> {
        let known = Side::from_name(side);
        if known.is_none() && !side.is_empty() {
            let () = self.wrong(field, "RANGE", "`legacy` or `grpc` is allowed");
        }
        known
    }

    /// `header:user-agent=Mozilla/5.0`
    pub(super) fn facts(&mut self, facts: Vec<String>) -> BTreeMap<String, String> {
        if facts.len() > FACTS_MAX {
            return self.wrong("facts", "RANGE", "at most 20 are allowed");
        }
        let mut parsed = BTreeMap::new();
        for fact in facts {
            match fact.split_once('=') {
                Some((name, value)) if name.contains(':') => {
                    // Only names of headers are the same in any case.
                    let name = match name.split_once(':') {
                        Some(("header", header)) => {
                            format!("header:{}", header.to_ascii_lowercase())
                        }
                        _ => name.to_owned(),
                    };
                    parsed.insert(name, value.to_owned());
                }
                _ => {
                    let wrong = format!("`{fact}` is not of the form header:NAME=VALUE");
                    let () = self.wrong("facts", "FORMAT", wrong);
                }
            }
        }
        parsed
    }

    /// A moment that has been.
    pub(super) fn time(
        &mut self,
        time: Option<prost_types::Timestamp>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let time = time?;
        match Timestamp::new(time.seconds, time.nanos) {
            Ok(time) if time <= now => Some(time),
            Ok(_) => self.wrong("time", "RANGE", "must not be in the future"),
            Err(_) => self.wrong("time", "FORMAT", "is no moment of this calendar"),
        }
    }

    pub(super) fn interval(&mut self, interval: Option<prost_types::Duration>) -> Duration {
        let Some(interval) = interval else {
            return INTERVAL_DEFAULT;
        };
        match Duration::try_from(interval) {
            Ok(interval) if INTERVALS.contains(&interval) => interval,
            _ => self.wrong("interval", "RANGE", "0.1 s to 60 s is allowed"),
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

    /// The size of a page that somebody else makes.
    pub(super) fn page_size(&mut self, size: i32) -> i32 {
        if size < 0 {
            let () = self.wrong("page_size", "RANGE", "must not be negative");
        }
        size
    }

    pub(super) fn page<P: Position>(&mut self, size: i32, token: &str) -> Page<P> {
        let size = self.page_size(size);
        Page::new(size, token).unwrap_or_else(|| {
            self.wrong("page_token", "FORMAT", "is none that this list handed out")
        })
    }

    pub(super) fn wrong<T: Default>(
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
