//! What a request may carry that moves its side: what this one's did, or what one would have done.

use super::{Line, line};
use crate::{
    Attempt, Decision, Failure, NoFallback, Pin, PinState, Request, RolloutState, Side,
    SubjectHash, SubjectKind, decide,
};

/// On what terms requests were heard about their side at the moment that is explained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Pins.
    pub pin: Term,
    /// Sides that are asked for.
    pub forced: Term,
    /// Marks of those who have written.
    pub wrote: Term,
    /// Whether legacy answers for gRPC; nothing is said of it where absent.
    pub falling: Option<Falling>,
}

/// Whether something of a kind is heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Term {
    /// There is no such thing, and none came: nothing is said of it.
    #[default]
    Off,
    /// One is heard; what there is to say of it: `one holds 30 s`.
    Heard(String),
    /// One came and is not heard.
    Unheard {
        /// What it asks for, where that is known.
        side: Option<Side>,
        /// Why it is not heard.
        why: String,
    },
}

/// Whether legacy answers what gRPC fails to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Falling {
    /// Whether the rollout lets it.
    pub allowed: bool,
    /// Whether legacy does a request once only, however often it comes with the same id; `None` where that is not known.
    pub honours_request_ids: Option<bool>,
    /// Whether legacy has in [`crate::Stage::Grpc`] too what was written ([`Attempt::shares_writes`]).
    pub shares_writes: bool,
}

/// One kind of what a request may carry, in words and as a request that carries it.
struct Kind<'a> {
    topic: &'static str,
    /// `no pin came`
    none: &'static str,
    /// `one to`, before a side.
    one: &'static str,
    /// What came and is heard.
    came: Option<String>,
    /// The decision with one of that side.
    with: &'a dyn Fn(Side) -> Decision,
}

impl Terms {
    pub(super) fn asked(
        &self,
        state: &RolloutState,
        request: &Request<'_>,
        decision: &Decision,
    ) -> impl Iterator<Item = Line> {
        let own = decision.subject;
        let one = |side| Pin {
            side,
            since_ms: request.now_ms,
            until_ms: u64::MAX,
            subject: own,
            of_entity: request.subject.kind() == SubjectKind::Entity,
        };
        let forced = self.forced.line(
            decision,
            &Kind {
                topic: "forced",
                none: "no side was asked for",
                one: "asking for",
                came: request.forced.map(|side| format!("{side} was asked for")),
                with: &|side| {
                    let forced = Some(side);
                    decide(state, &Request { forced, ..*request })
                },
            },
        );
        let pin = self.pin.line(
            decision,
            &Kind {
                topic: "pin",
                none: "none came",
                one: "one to",
                came: all(request.pins, |pin| held(pin, state, request, own)),
                with: &|side| {
                    let pins = &[one(side)];
                    decide(state, &Request { pins, ..*request })
                },
            },
        );
        let wrote = self.wrote.line(
            decision,
            &Kind {
                topic: "wrote",
                none: "no mark came",
                one: "one of",
                came: all(request.marks, |mark| marked(mark, state, request, own)),
                with: &|side| {
                    let marks = &[one(side)];
                    decide(state, &Request { marks, ..*request })
                },
            },
        );
        [forced, pin, wrote].into_iter().flatten()
    }

    /// What becomes of the request if gRPC, which it goes to, fails.
    pub(super) fn falling(
        &self,
        state: &RolloutState,
        request: &Request<'_>,
        decision: &Decision,
    ) -> Option<Line> {
        let falling = self.falling?;
        if decision.side == Side::Legacy {
            return None;
        }
        let attempt = |failure, request_id_honoured| {
            let attempt = Attempt {
                allowed: falling.allowed,
                failure,
                safe: request.safe,
                request_id_honoured,
                stage: state.stage,
                shares_writes: falling.shares_writes,
                writes: state.writes,
                pinned: decision.pinned,
                repeated: false,
                answer_begun: false,
                too_late: false,
            };
            attempt.falls_back()
        };
        let unreachable = attempt(Failure::Unreachable, false);
        let text = match (unreachable, attempt(Failure::Broken, false)) {
            (Err(why), _) => format!("nobody answers if gRPC fails: {}", no_fallback(why)),
            (Ok(()), Ok(())) => "legacy answers if gRPC fails".to_owned(),
            (Ok(()), Err(_)) => {
                let with_id = match falling.honours_request_ids {
                    Some(true) => ", and with a request id however it failed",
                    Some(false) => "",
                    None => {
                        "; whether legacy did what came with the same request id only once is not recorded"
                    }
                };
                format!("legacy answers if gRPC fails before anything was sent{with_id}")
            }
        };
        Some(line("fallback", text))
    }
}

impl Term {
    fn line(&self, decision: &Decision, kind: &Kind<'_>) -> Option<Line> {
        let would = |sides: &[Side]| {
            let other = sides.iter().find_map(|side| {
                let with = (kind.with)(*side);
                (with.side != decision.side).then_some((side, with))
            });
            match other {
                Some((side, with)) => format!(
                    "{} {side} would make it {}, because {}",
                    kind.one, with.side, with.reason
                ),
                None => "one would change nothing".to_owned(),
            }
        };
        let text = match (&kind.came, self) {
            (None, Self::Off) => return None,
            (None, Self::Heard(on)) => {
                let would = would(&[Side::Legacy, Side::Grpc]);
                format!("{}; {would}; {on}", kind.none)
            }
            (None, Self::Unheard { side: None, why }) => why.clone(),
            (
                None,
                Self::Unheard {
                    side: Some(side),
                    why,
                },
            ) => format!("{why}; if it were heard: {}", would(&[*side])),
            (Some(came), Self::Heard(on)) => format!("{came}; {on}"),
            (Some(came), _) => came.clone(),
        };
        Some(line(kind.topic, text))
    }
}

/// All that came of a kind, in words.
fn all(came: &[Pin], say: impl Fn(&Pin) -> String) -> Option<String> {
    let said: Vec<String> = came.iter().map(say).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Why nothing that a client carries moves this request.
fn unmoved(request: &Request<'_>) -> &'static str {
    match request.subject.kind() {
        SubjectKind::Entity => "what others ask for too goes where theirs goes",
        SubjectKind::Client | SubjectKind::Given => "it is of another subject",
    }
}

fn marked(mark: &Pin, state: &RolloutState, request: &Request<'_>, own: SubjectHash) -> String {
    let said = format!("its last write went to {}", mark.side);
    let why = match () {
        () if !request.hears_mark(mark, own) => unmoved(request),
        () if state.halted => "the rollout was rolled back, and nobody is kept there",
        () => return said,
    };
    format!("{said}, and that is not heard: {why}")
}

fn held(pin: &Pin, state: &RolloutState, request: &Request<'_>, own: SubjectHash) -> String {
    let Pin { side, until_ms, .. } = *pin;
    let now_ms = request.now_ms;
    if !request.hears_pin(pin, own) {
        let why = match pin.subject == own {
            true => unmoved(request),
            false => "it is of another subject",
        };
        return format!("to {side}, and not heard: {why}");
    }
    if state.halted && side == Side::Grpc && pin.holds(now_ms, request.following) {
        return "to grpc, and not heard: the rollout was rolled back, and nobody is kept there"
            .to_owned();
    }
    let over_ms = now_ms.saturating_sub(until_ms);
    match pin.state(now_ms, request.following) {
        PinState::Young => format!("to {side} for {} ms more", until_ms - now_ms),
        PinState::Waiting => format!(
            "to {side}: its time was over {over_ms} ms before, but the follower has not passed its write"
        ),
        PinState::GivenUp => {
            format!("to {side} no longer: the follower has been waited for long enough")
        }
        PinState::Over => {
            let is_followed = side == Side::Legacy && request.following.is_some();
            let passed = match is_followed {
                true => ", and the follower has passed its write by now",
                false => "",
            };
            format!("to {side} no longer: it had run out {over_ms} ms before{passed}")
        }
    }
}

fn no_fallback(why: NoFallback) -> &'static str {
    match why {
        NoFallback::NotAllowed => "the rollout does not let legacy answer for it",
        NoFallback::Pinned => "the subject has written there, and legacy may not know of it",
        NoFallback::NotTheOwner => "gRPC owns the writes",
        NoFallback::LegacyLacks => "legacy lacks what was written since stage grpc began",
        other => other.as_str(),
    }
}
