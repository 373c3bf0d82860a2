//! Which pins and marks move a request.
//!
//! Both are in the hands of one client, and speak of the subject that a write of its was decided for.
//!
//! | the request's subject | a read is moved by | a write is moved by | marks |
//! | --- | --- | --- | --- |
//! | the client | any pin that it carries | pins of its own | of its own |
//! | an entity, which others ask for too | pins of that entity, else any of a client | none: it goes where everybody's go | none |
//! | given by the gateway: the client shows none | any pin that it carries | any pin that it carries | any |
//!
//! A list names no entity, so the client that changed one of the entities finds that in the list. What a client creates has no
//! id yet that a write could name: the client's own subject decides, and its pin is heard where it asks for what it got by
//! its id. What it has written to the very entity it finds where that went, whatever it did after. A client that shows no
//! subject is known by nothing but what it carries, and shares its subject with nobody.

use super::Request;
use crate::{GoingDown, Pin, RolloutState, Side, SubjectHash, SubjectKind};

/// The pin that moves a request whose subject has this hash: the latest, of an entity one of its own before all others. None to
/// gRPC while the rollout is halted.
pub(super) fn pin(state: &RolloutState, request: &Request<'_>, own: SubjectHash) -> Option<Pin> {
    let moves = |pin: &&Pin| {
        request.hears_pin(pin, own)
            && pin.holds(request.now_ms, request.following)
            && !(state.halted && pin.side == Side::Grpc)
    };
    let moving = request.pins.iter().filter(moves);
    let is_entity = request.subject.kind() == SubjectKind::Entity;
    let is_nearest = |pin: &Pin| is_entity && pin.of_entity;
    moving
        .copied()
        .max_by_key(|pin| (is_nearest(pin), pin.until_ms))
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
            SubjectKind::Entity => self.safe && (is_own || !pin.of_entity),
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
