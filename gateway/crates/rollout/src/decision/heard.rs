//! Which pins and marks move a request.
//!
//! Both are in the hands of one client, and speak of the subject that a write of its was decided for.
//!
//! | the request's subject | a read is moved by | a write is moved by | marks |
//! | --- | --- | --- | --- |
//! | the client | any pin that it carries | pins of its own | of its own |
//! | an entity, which others ask for too | pins of that entity | none: it goes where everybody's go | none |
//! | given by the gateway: the client shows none | any pin that it carries | any pin that it carries | any |
//!
//! A list names no entity, so the client that changed one of the entities finds that in the list. A client that shows no
//! subject is known by nothing but what it carries, and shares its subject with nobody.

use super::Request;
use crate::{GoingDown, Pin, RolloutState, Side, SubjectHash, SubjectKind};

/// The latest pin that moves a request whose subject has this hash. None to gRPC while the rollout is halted.
pub(super) fn pin(state: &RolloutState, request: &Request<'_>, own: SubjectHash) -> Option<Pin> {
    let moves = |pin: &&Pin| {
        request.hears_pin(pin, own)
            && pin.holds(request.now_ms, request.following)
            && !(state.halted && pin.side == Side::Grpc)
    };
    let moving = request.pins.iter().filter(moves);
    moving.copied().max_by_key(|pin| pin.until_ms)
}

/// Whether a subject that has this hash stays on gRPC beyond the percentage, because it has written there.
pub(super) fn stays(state: &RolloutState, request: &Request<'_>, own: SubjectHash) -> bool {
    let keeps = |mark: &Pin| {
        mark.side == Side::Grpc && request.hears_mark(mark, own) && mark.holds(request.now_ms, None)
    };
    state.going_down == GoingDown::StayWithWriter
        && !state.halted
        && request.marks.iter().any(keeps)
}

impl Request<'_> {
    /// Whether a pin speaks for this request, whose subject has this hash; not whether it still holds.
    pub(crate) fn hears_pin(&self, pin: &Pin, own: SubjectHash) -> bool {
        let is_own = pin.subject == own;
        match self.subject.kind() {
            SubjectKind::Client => self.safe || is_own,
            SubjectKind::Entity => self.safe && is_own,
            SubjectKind::Given => true,
        }
    }

    /// Whether a mark does.
    pub(crate) fn hears_mark(&self, mark: &Pin, own: SubjectHash) -> bool {
        match self.subject.kind() {
            SubjectKind::Client => mark.subject == own,
            SubjectKind::Entity => false,
            SubjectKind::Given => true,
        }
    }
}
