//! The decision about one request, with what follows from it: a cookie for a client that brought no subject, a pin after
//! a write that the other side does not know yet, and the count of the answer.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use banyan_rollout::{
    Attempt, Bucket, Decision, Failure, Following, GoingDown, NoFallback, Owner, Pin, PinState,
    Policy, Reason, Request, Shadow, Side, Stage, Subject, SubjectKind, decide,
};
use http::{HeaderName, HeaderValue, StatusCode};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::{
    Live, Steering,
    pins::{Held, MARK, Rest},
    request::{Asked, FORCE_SIDE, FORCE_TOKEN},
};
use crate::sent::Unseen;

/// A client keeps its side for a year after its last visit without one.
const COOKIE_AGE_S: u32 = 365 * 24 * 60 * 60;

/// The cookie to give where none is among the sources.
const COOKIE: &str = "banyan_subject";

/// Who serves one request and why.
#[derive(Debug)]
pub struct Ruling {
    /// Who serves it: who was decided on, or legacy where that failed.
    pub side: Side,
    /// Why that side.
    pub reason: Reason,
    /// The subject's place, 0 to 9,999.
    pub bucket: Bucket,
    /// The version of the rollout that decided.
    pub version: u64,
    /// Whom to ask too, once the client has its answer.
    pub shadow: Option<Shadow>,
    /// `Set-Cookie` for the answer, where the client brought no subject and was given one.
    pub set_cookie: Option<HeaderValue>,
    /// What becomes of the pins that came with it, and of the marks once it is given one.
    pins: Rest,
    marks: Rest,
    decision: Decision,
    rollout: Arc<Live>,
    writes: Owner,
    stage: Stage,
    shares_writes: bool,
    has_fallback: bool,
    honours_request_ids: bool,
    kind: SubjectKind,
    is_safe: bool,
    /// How gRPC failed, where legacy answers for it.
    fell_back: Option<Failure>,
    /// Why a subject was looked for in what was sent, and not seen.
    unseen: Option<Unseen>,
    begun: Instant,
}

impl Ruling {
    pub(super) fn new(rollout: Arc<Live>, asked: &Asked<'_>, steering: &Steering) -> Self {
        let current = rollout.current();
        let (subject, set_cookie) = match current.subjects.read(asked) {
            Some(subject) => (subject, None),
            None => mint(current.subjects.cookie().unwrap_or(COOKIE)),
        };
        let unseen = asked.unseen();
        if let Some(unseen) = unseen {
            rollout.metrics.unseen(rollout.name(), unseen);
        }
        let state = &current.decides_by;
        let keys = steering.keys.load();
        let now_ms = now_ms();
        let pins = rollout.pins.pin.read(asked, &keys);
        let following = rollout.passed.following(steering.pin_max);
        let following = following.filter(|_| !pins.pins.is_empty());
        look(&rollout, &pins.pins, now_ms, following);
        let marks = match state.going_down {
            GoingDown::StayWithWriter => rollout.pins.mark.read(asked, &keys),
            GoingDown::Return => Held::default(),
        };
        let is_sampled = state.shadow > banyan_rollout::Percent::ZERO;
        let decision = decide(
            state,
            &Request {
                subject: &subject,
                safe: asked.is_safe,
                comparable: asked.is_comparable,
                forced: forced(asked, steering),
                pins: &pins.pins,
                following,
                marks: &marks.pins,
                facts: asked,
                now_ms,
                chance: is_sampled.then(chance).unwrap_or_default(),
            },
        );
        let kind = subject.kind();
        let is_entity = kind == SubjectKind::Entity;
        let is_own = |pin: &Pin| pin.subject == decision.subject && pin.of_entity == is_entity;
        let is_given = kind == SubjectKind::Given;
        let holds = |pin: &Pin| pin.holds(now_ms, following);
        let pins = pins.answered(asked.is_safe, is_own, holds);
        let holds = |mark: &Pin| mark.holds(now_ms, None);
        let marks = marks.answered(asked.is_safe, |mark| is_given || is_own(mark), holds);
        let (version, stage, writes) = (current.version, state.stage, state.writes);
        let has_fallback = current.has_fallback;
        // Asked for only where something may fall back.
        let shares_writes = has_fallback && rollout.shares_writes(&current);
        let honours_request_ids = current.honours_request_ids;
        drop(current);
        Self {
            side: decision.side,
            reason: decision.reason,
            bucket: decision.bucket,
            version,
            shadow: decision.shadow,
            set_cookie,
            pins,
            marks,
            decision,
            rollout,
            writes,
            stage,
            shares_writes,
            has_fallback,
            honours_request_ids,
            kind,
            is_safe: asked.is_safe,
            fell_back: None,
            unseen,
            begun: Instant::now(),
        }
    }

    /// The rollout's name.
    #[must_use]
    pub fn rollout(&self) -> &str {
        self.rollout.name()
    }

    /// What was decided, where somebody else answered in the end.
    #[must_use]
    pub fn overturned(&self) -> Option<(Side, Reason)> {
        let decided = (self.decision.side, self.decision.reason);
        self.fell_back.map(|_| decided)
    }

    /// Why the subject is not from the body or message, where it was looked for there and nothing could be seen.
    #[must_use]
    pub fn unseen(&self) -> Option<&'static str> {
        self.unseen.map(Unseen::as_str)
    }

    /// What the answer brings whatever becomes of it.
    pub(crate) fn cookies(&self) -> Vec<HeaderValue> {
        // Not with a write, which may not be done: its answer takes back what it brings another one for.
        let ended = self.pins.taken_back("").filter(|_| self.is_safe);
        self.set_cookie.iter().cloned().chain(ended).collect()
    }

    /// Whether legacy would answer if gRPC could not be reached: then a body has to be kept for it.
    #[must_use]
    pub fn may_fall_back(&self) -> bool {
        self.attempt(Failure::Unreachable, false)
            .falls_back()
            .is_ok()
    }

    /// Lets legacy answer for gRPC, which failed, if that cannot do anything twice.
    ///
    /// # Errors
    /// Why it may not.
    pub fn fall_back(&mut self, failure: Failure, has_request_id: bool) -> Result<(), NoFallback> {
        self.attempt(failure, has_request_id).falls_back()?;
        self.fell_back = Some(failure);
        self.side = Side::Legacy;
        self.reason = Reason::Fallback;
        self.rollout.fell_back(failure);
        Ok(())
    }

    fn attempt(&self, failure: Failure, has_request_id: bool) -> Attempt {
        Attempt {
            allowed: self.has_fallback && self.side == Side::Grpc,
            failure,
            safe: self.is_safe,
            request_id_honoured: has_request_id && self.honours_request_ids,
            stage: self.stage,
            shares_writes: self.shares_writes,
            writes: self.writes,
            pinned: self.decision.pinned,
            repeated: self.fell_back.is_some(),
            answer_begun: false,
            too_late: false,
        }
    }

    /// Whether who writes on this side is told so. What many clients write to stays for none of them.
    pub(crate) fn marks_writers(&self) -> bool {
        let state = self.rollout.current();
        self.side == Side::Grpc
            && self.kind != SubjectKind::Entity
            && state.decides_by.going_down == GoingDown::StayWithWriter
    }

    /// Headers for the answer to a write that succeeded. `is_known`: whether the other side knows of it.
    ///
    /// Where nobody follows, a write that a pin alone has kept with its side gives no new one: else who writes often would
    /// never be moved. A client that shows no subject gets one: it would be anybody else with the next request.
    #[must_use]
    pub fn after_write(
        &self,
        is_known: bool,
        steering: &Steering,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let (keys, now_ms) = (steering.keys.load(), now_ms());
        let pins = &self.rollout.pins;
        let lasting = |duration: Duration| Pin {
            side: self.side,
            since_ms: now_ms,
            until_ms: now_ms.saturating_add(millis(duration)),
            subject: self.decision.subject,
            of_entity: self.kind == SubjectKind::Entity,
        };
        let following = self.rollout.passed.following(steering.pin_max);
        let is_last = self.decision.moved && self.kind != SubjectKind::Given && following.is_none();
        let pin = (!is_known && !is_last).then(|| {
            self.rollout.pinned();
            let kept = match following.filter(|_| self.side == Side::Legacy) {
                Some(_) => steering.pin_max,
                None => steering.pin,
            };
            let pin = lasting(steering.pin);
            pins.pin.give(pin, kept, &self.pins, &keys)
        });
        let mark = self.marks_writers().then(|| {
            let mark = lasting(MARK);
            pins.mark.give(mark, MARK, &self.marks, &keys)
        });
        pin.into_iter().chain(mark).flatten().collect()
    }

    /// What is to be compared with the answer, where anything is. A request that fell back has been asked on both sides
    /// already.
    pub(crate) fn comparison(&self) -> Option<Comparison> {
        let shadow = self.shadow.filter(|_| self.fell_back.is_none())?;
        Some(Comparison {
            rollout: Arc::clone(&self.rollout),
            bucket: self.bucket,
            answered: shadow.side.other(),
            noise: shadow.noise,
        })
    }

    /// Counts a request whose client left without an answer. For the policy it is a failure after as long as the client has
    /// waited, where that is long enough to say something about the side ([`Policy::gave_up_ms`]).
    pub fn abandoned(&self) {
        let waited_us = micros(self.begun.elapsed());
        let current = self.rollout.current();
        let policy = current.state.policy();
        let counts = policy.is_some_and(|policy: &Policy| policy.is_given_up(waited_us));
        drop(current);
        let rollout = &self.rollout;
        rollout.metrics.abandoned(rollout.name(), self.side, counts);
        if counts {
            rollout.recorder().answered(&self.decision, true, waited_us);
        }
    }

    /// Counts the answer; once for each.
    pub fn record(&self, status: StatusCode) {
        let failed = self.fell_back.is_some() || status.is_server_error();
        self.rollout
            .record(self.version, self.side, self.reason, status);
        self.rollout
            .recorder()
            .answered(&self.decision, failed, micros(self.begun.elapsed()));
    }
}

/// A request whose answers are compared, as far as the rollout is concerned.
#[derive(Debug)]
pub(crate) struct Comparison {
    rollout: Arc<Live>,
    bucket: Bucket,
    answered: Side,
    noise: bool,
}

impl Comparison {
    pub(crate) fn rollout(&self) -> &str {
        self.rollout.name()
    }

    /// The side that answered the client.
    pub(crate) fn answered(&self) -> Side {
        self.answered
    }

    /// Whether that side is to be asked once more.
    pub(crate) fn wants_noise(&self) -> bool {
        self.noise
    }

    /// Counts a comparison for the policy.
    pub(crate) fn compared(&self, differs: bool) {
        self.rollout.recorder().compared(self.bucket, differs);
    }

    /// Counts a comparison of one side with itself.
    pub(crate) fn noise(&self, differs: bool) {
        self.rollout.recorder().noise(self.bucket, differs);
    }
}

/// Looks at what has become of pins. What is still missing to say that they have ended is asked for, off the way of requests.
fn look(rollout: &Live, pins: &[Pin], now_ms: u64, following: Option<Following>) {
    if pins.iter().any(|pin| pin.asks(now_ms, following)) {
        rollout.passed.want();
    }
    let is_given_up = |pin: &Pin| pin.state(now_ms, following) == PinState::GivenUp;
    if pins.iter().any(is_given_up) {
        rollout.metrics.pin_given_up(rollout.name());
    }
}

/// The side that somebody asks for who may.
fn forced(asked: &Asked<'_>, steering: &Steering) -> Option<Side> {
    let side = Side::from_name(asked.text(&FORCE_SIDE)?)?;
    let knows_token = || {
        let (given, token) = (
            asked.text(&FORCE_TOKEN)?,
            steering.force_token.as_ref()?.expose(),
        );
        bool::from(given.as_bytes().ct_eq(token.as_bytes())).then_some(())
    };
    (asked.is_operators || knows_token().is_some()).then_some(side)
}

fn chance() -> u32 {
    getrandom::u32().unwrap_or_default()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A subject for a client that brings none. It is no secret and grants nothing; scripts have no use for it.
fn mint(cookie: &str) -> (Subject, Option<HeaderValue>) {
    let subject = Uuid::new_v4().simple().to_string();
    let header =
        format!("{cookie}={subject}; Path=/; Max-Age={COOKIE_AGE_S}; HttpOnly; SameSite=Lax");
    // A cookie's name is a token and the value is hexadecimal, so this is always a header.
    let subject = Subject::of(subject, SubjectKind::Given);
    (subject, HeaderValue::try_from(header).ok())
}
