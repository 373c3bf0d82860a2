//! What is asked of the inventory, at random: few cells and few bookings, so that everything gets in everything's way.

use proptest::{collection::vec, option, prelude::*, sample::subsequence};

use super::world::{DAYS, POLICIES, Policy, SEATS, Venue};

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// At once, in that order.
    Ask(Vec<Ask>),
    /// The clock, by so many minutes.
    Advance(i64),
    Sweep,
    Policy(Venue, Option<Policy>),
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
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    Nothing,
    Right,
    Wrong,
}

/// Which part of a booking is given back.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// So many of whatever it has: becomes one of the others as soon as the booking is known.
    First(usize),
    Rooms(i64),
    Seats(Vec<usize>),
}

/// Bookings and places in line are counted from the latest one back, and from the first one on once they are known.
#[derive(Clone, Debug)]
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
}

fn rooms() -> impl Strategy<Value = Want> {
    let span = (0..DAYS, 1..=3usize, 1..=3i64);
    span.prop_map(|(first, nights, rooms)| {
        Want::Rooms(Span {
            first,
            nights,
            rooms,
        })
    })
}

fn want() -> impl Strategy<Value = Want> {
    let seats = subsequence((0..SEATS).collect::<Vec<_>>(), 1..=3).prop_shuffle();
    prop_oneof![
        4 => rooms(),
        2 => seats.prop_map(Want::Seats),
        2 => (1..=5usize).prop_map(Want::Best),
    ]
}

fn shown() -> impl Strategy<Value = Shown> {
    prop_oneof![6 => Just(Shown::Nothing), 2 => Just(Shown::Right), 1 => Just(Shown::Wrong)]
}

fn fee() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        Just(None),
        Just(Some(1_000_000)),
        (1..20_000i64).prop_map(Some)
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let which = || 0..8usize;
    let waited = prop_oneof![2 => rooms(), 1 => (1..=4usize).prop_map(Want::Best)];
    let part = (1..=2usize).prop_map(Part::First);
    prop_oneof![
        8 => (want(), 1..40i64, shown()).prop_map(|(it, minutes, shown)| Ask::Hold(it, minutes, shown)),
        4 => (which(), option::of(0..2u8)).prop_map(|(it, payment)| Ask::Confirm(it, payment)),
        2 => (which(), 1..40i64).prop_map(|(it, minutes)| Ask::Extend(it, minutes)),
        3 => (which(), fee()).prop_map(|(it, fee)| Ask::Cancel(it, fee)),
        3 => (which(), part, fee()).prop_map(|(it, part, fee)| Ask::GiveBack(it, part, fee)),
        3 => (which(), want(), shown()).prop_map(|(it, want, shown)| Ask::Move(it, want, shown)),
        4 => waited.prop_map(Ask::Join),
        1 => (0..4usize).prop_map(Ask::Leave),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let policy = prop::sample::select(POLICIES.to_vec());
    let venue = prop_oneof![Just(Venue::Hotel), Just(Venue::Cinema)];
    prop_oneof![
        7 => vec(ask(), 1..2).prop_map(Step::Ask),
        5 => vec(ask(), 2..12).prop_map(Step::Ask),
        2 => (1..25i64).prop_map(Step::Advance),
        1 => Just(Step::Sweep),
        1 => (venue, policy).prop_map(|(venue, policy)| Step::Policy(venue, policy)),
    ]
}
