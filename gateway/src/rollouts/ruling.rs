//! The decision about one request, with what follows from it: a cookie for a client that brought no subject, and the
//! count of the answer.

use std::sync::Arc;

use banyan_rollout::{Bucket, Reason, Request, Side, Subject, decide};
use http::{HeaderMap, HeaderValue, StatusCode};
use uuid::Uuid;

use super::{Live, request::RequestFacts};

/// A client keeps its side for a year after its last visit without one.
const COOKIE_AGE_S: u32 = 365 * 24 * 60 * 60;

/// The cookie to give where none is among the sources.
const COOKIE: &str = "banyan_subject";

/// Who serves one request and why.
#[derive(Debug)]
pub struct Ruling {
    /// Who serves it.
    pub side: Side,
    /// Why that side.
    pub reason: Reason,
    /// The subject's place, 0 to 9,999.
    pub bucket: Bucket,
    /// The version of the rollout that decided.
    pub version: u64,
    /// `Set-Cookie` for the answer, where the client brought no subject and was given one.
    pub set_cookie: Option<HeaderValue>,
    rollout: Arc<Live>,
}

impl Ruling {
    pub(super) fn new(rollout: Arc<Live>, headers: &HeaderMap) -> Self {
        let subjects = &rollout.definition.subjects;
        let (subject, set_cookie) = match subjects.read(&RequestFacts(headers)) {
            Some(subject) => (subject, None),
            None => mint(subjects.cookie().unwrap_or(COOKIE)),
        };
        let current = rollout.current();
        let decision = decide(&current.decides_by, &Request::of(&subject));
        let version = current.version;
        drop(current);
        Self {
            side: decision.side,
            reason: decision.reason,
            bucket: decision.bucket,
            version,
            set_cookie,
            rollout,
        }
    }

    /// The rollout's name.
    #[must_use]
    pub fn rollout(&self) -> &str {
        self.rollout.name()
    }

    /// Counts the answer; once for each.
    pub fn record(&self, status: StatusCode) {
        self.rollout.record(self.side, self.reason, status);
    }
}

/// A subject for a client that brings none. It is no secret and grants nothing; scripts have no use for it.
fn mint(cookie: &str) -> (Subject, Option<HeaderValue>) {
    let subject = Uuid::new_v4().simple().to_string();
    let header =
        format!("{cookie}={subject}; Path=/; Max-Age={COOKIE_AGE_S}; HttpOnly; SameSite=Lax");
    // A cookie's name is a token and the value is hexadecimal, so this is always a header.
    (Subject::new(subject), HeaderValue::try_from(header).ok())
}
