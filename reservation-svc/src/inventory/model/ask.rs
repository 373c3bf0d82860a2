//! What is asked of the inventory, at random: few cells and few bookings, so that everything gets in everything's way.

use proptest::{collection::vec, option, prelude::*, sample::subsequence};

use super::{
    limits::{LIMITS, Limited, WEEKDAYS},
    world::{DAYS, POLICIES, Policy, SEATS, Venue},
};
use crate::domain::request::Principal;

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// At once, in that order.
    Ask(Vec<Call>),
    /// The clock, by so many minutes.
    Advance(i64),
    Sweep,
    Policy(Venue, Option<Policy>),
    Limit(Limited),
}

/// A command, as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) who: Who,
    /// Its request id.
    pub(super) id: Option<u8>,
    /// Whether its deadline has passed before anybody looks at it.
    pub(super) is_late: bool,
    pub(super) ask: Ask,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Provider,
    Guest,
    /// Puts rooms aside and ends bookings, and nothing else.
    Operator,
}

/// A run of nights and how many rooms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) first: usize,
    pub(super) nights: usize,
    pub(super) rooms: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Want {
    Rooms(Span),
    /// These, by their places in the row.
    Seats(Vec<usize>),
    /// So many side by side.
    Best(usize),
}

/// What the caller says that it costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shown {
    Nothing,
    Right,
    Wrong,
}

/// Which part of a booking is given back.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// So many of whatever it has: becomes one of the others as soon as the booking is known.
    First(usize),
    Rooms(i64),
    Seats(Vec<usize>),
}

/// Bookings and places in line are counted from the latest one back, and from the first one on once they are known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    Hold(Want, i64, Shown),
    /// With the payment of that reference.
    Confirm(usize, Option<u8>),
    Extend(usize, i64),
    /// For that fee at most.
    Cancel(usize, Option<i64>),
    GiveBack(usize, Part, Option<i64>),
    Move(usize, Want, Shown),
    Join(Want),
    Leave(usize),
    /// Put rooms aside for so many minutes.
    Block(Span, i64),
    /// Hold rooms of a block.
    PickUp(usize, Span, i64, Shown),
    /// End a booking, whosever it is.
    Release(usize),
    /// What was sent under a request id so many such commands ago, by the same caller: becomes that.
    Again(usize),
}

impl From<Ask> for Call {
    fn from(ask: Ask) -> Self {
        Self {
            who: ask.sender(Who::Provider),
            id: None,
            is_late: false,
            ask,
        }
    }
}

impl Who {
    pub(super) fn principal(self) -> Principal {
        match self {
            Self::Provider => Principal::provider(),
            Self::Guest => Principal::guest("guest".into()),
            Self::Operator => Principal::operator(),
        }
    }
}

impl Ask {
    /// Who sends it: that one, but for what only operators ask.
    fn sender(&self, who: Who) -> Who {
        match self {
            Self::Block(..) | Self::Release(_) => Who::Operator,
            _ => who,
        }
    }

    /// What request ids are told apart by, beside the caller.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Hold(..) | Self::PickUp(..) => "HoldBooking",
            Self::Confirm(..) => "ConfirmBooking",
            Self::Extend(..) => "ExtendHold",
            Self::Cancel(..) => "CancelBooking",
            Self::GiveBack(..) => "CancelBookingItems",
            Self::Move(..) => "MoveBooking",
            Self::Join(_) => "JoinWaitlist",
            Self::Leave(_) => "LeaveWaitlist",
            Self::Block(..) => "BlockRooms",
            Self::Release(_) => "ReleaseBooking",
            Self::Again(_) => panic!("not known yet"),
        }
    }
}

fn span() -> impl Strategy<Value = Span> {
    let span = (0..DAYS, 1..=3usize, 1..=3i64);
    span.prop_map(|(first, nights, rooms)| Span {
        first,
        nights,
        rooms,
    })
}

fn rooms() -> impl Strategy<Value = Want> {
    span().prop_map(Want::Rooms)
}

fn want() -> impl Strategy<Value = Want> {
    let seats = subsequence((0..SEATS).collect::<Vec<_>>(), 1..=3).prop_shuffle();
    prop_oneof![
        6 => rooms(),
        2 => seats.prop_map(Want::Seats),
        2 => (1..=5usize).prop_map(Want::Best),
    ]
}

fn shown() -> impl Strategy<Value = Shown> {
    prop_oneof![6 => Just(Shown::Nothing), 2 => Just(Shown::Right), 1 => Just(Shown::Wrong)]
}

fn fee() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(1_000_000)),
        1 => (1..20_000i64).prop_map(Some),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let which = || prop_oneof![0..3usize, 0..8usize];
    let waited = prop_oneof![2 => rooms(), 1 => (1..=4usize).prop_map(Want::Best)];
    let part = (1..=2usize).prop_map(Part::First);
    prop_oneof![
        8 => (want(), 1..40i64, shown()).prop_map(|(it, minutes, shown)| Ask::Hold(it, minutes, shown)),
        6 => (which(), option::of(0..2u8)).prop_map(|(it, payment)| Ask::Confirm(it, payment)),
        3 => (which(), 1..60i64).prop_map(|(it, minutes)| Ask::Extend(it, minutes)),
        3 => (which(), fee()).prop_map(|(it, fee)| Ask::Cancel(it, fee)),
        3 => (which(), part, fee()).prop_map(|(it, part, fee)| Ask::GiveBack(it, part, fee)),
        3 => (which(), want(), shown()).prop_map(|(it, want, shown)| Ask::Move(it, want, shown)),
        4 => waited.prop_map(Ask::Join),
        1 => (0..4usize).prop_map(Ask::Leave),
        2 => (span(), 1..120i64).prop_map(|(span, minutes)| Ask::Block(span, minutes)),
        3 => (0..2usize, span(), 1..40i64, shown())
            .prop_map(|(it, span, minutes, shown)| Ask::PickUp(it, span, minutes, shown)),
        1 => which().prop_map(Ask::Release),
        6 => (0..6usize).prop_map(Ask::Again),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let who = prop_oneof![9 => Just(Who::Provider), 1 => Just(Who::Guest)];
    let id = prop_oneof![3 => Just(None), 2 => (0..32u8).prop_map(Some)];
    let call = (who, id, prop::bool::weighted(0.05), ask());
    call.prop_map(|(who, id, is_late, ask)| Call {
        who: ask.sender(who),
        id,
        is_late,
        ask,
    })
}

fn limited() -> impl Strategy<Value = Limited> {
    let weekdays = prop::sample::select(WEEKDAYS);
    let limits = prop::sample::select(LIMITS);
    let limited = (0..DAYS, 1..=DAYS, weekdays, limits);
    limited.prop_map(|(from, days, weekdays, limits)| Limited {
        from,
        to: from + days,
        weekdays,
        limits,
    })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let policy = prop::sample::select(POLICIES.to_vec());
    let venue = prop_oneof![Just(Venue::Hotel), Just(Venue::Cinema)];
    prop_oneof![
        6 => vec(call(), 1..2).prop_map(Step::Ask),
        18 => vec(call(), 2..16).prop_map(Step::Ask),
        4 => (1..25i64).prop_map(Step::Advance),
        // Request ids are kept for two days.
        1 => (48 * 60..=48 * 60 + 1i64).prop_map(Step::Advance),
        3 => Just(Step::Sweep),
        5 => (venue, policy).prop_map(|(venue, policy)| Step::Policy(venue, policy)),
        8 => limited().prop_map(Step::Limit),
        4 => Just(Step::Limit(Limited::LIFTED)),
    ]
}
