//! The model: what each command must be answered, and what it changes. Rooms and seats are counted over all bookings each
//! time; the line is walked from its head after every command. Where the inventory may choose, which seats are best, the
//! choice is taken over from the feed and only has to be a sound one.
//!
//! A hold that has run out still counts until it is ended: with the batch that wants something of it, with a payment that
//! came too late, when its offer is declined, or with a sweep. That is when what it held goes to the line.

mod feed;
mod rules;

use std::collections::{HashSet, VecDeque};

use banyan_proto::reservation::v1;

use super::{
    ask::{Ask, Part, Span, Want},
    world::{AISLE, Fee, Policy, SEATS, Spot, World},
};
use crate::{
    domain::{
        name::{BookingId, EntryId},
        refusal::Reason,
    },
    inventory::{Outcome, Rejection},
};
pub(super) use rules::{items, price};

/// Minutes that an offer is held.
const OFFER: i64 = 15;
/// Most places in one line of the one guest that there is.
const PLACES: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Held,
    Confirmed,
    Cancelled,
    Expired,
}

/// A booking as the model knows it. Times are minutes from the start.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: BookingId,
    pub(super) state: State,
    /// Of a hold.
    expires: i64,
    created: i64,
    /// Never the best: it is known which those are.
    pub(super) what: Want,
    fee: i64,
    paid: Option<u8>,
    /// Whether that came too late.
    owed: bool,
    terms: Terms,
    /// The sequence of its last change.
    changed: i64,
}

/// What cancelling costs, agreed with the sale.
#[derive(Clone, Copy, Debug)]
struct Terms {
    free_until: Option<i64>,
    fee: Option<Fee>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    Waiting,
    /// That booking.
    Offered(usize),
    Served,
    Left,
}

/// A place in line.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: EntryId,
    want: Want,
    pub(super) place: Place,
}

/// Why not.
#[derive(Debug, PartialEq)]
enum No {
    Refused(Reason),
    Invalid,
}

impl From<Reason> for No {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

pub(super) struct Model {
    world: World,
    pub(super) minute: i64,
    /// Of the hotel and of the cinema.
    pub(super) policies: [Option<Policy>; 2],
    pub(super) bookings: Vec<Known>,
    pub(super) line: Vec<Entry>,
    /// What the feed has told of this step and the model has not come to yet.
    pub(super) told: VecDeque<(i64, Option<v1::BookingChanged>)>,
    /// The sequence of the last event that the model has come to.
    pub(super) at: i64,
    /// Why anything was refused.
    pub(super) refused: HashSet<Reason>,
}

impl Model {
    pub(super) fn new(world: &World, sequence: i64) -> Self {
        Self {
            world: world.clone(),
            minute: 0,
            policies: [None; 2],
            bookings: Vec::new(),
            line: Vec::new(),
            told: VecDeque::new(),
            at: sequence,
            refused: HashSet::new(),
        }
    }

    /// What is asked about what is known; nothing if it is about a booking that is not there (yet).
    pub(super) fn resolve(&self, ask: &Ask) -> Option<Ask> {
        let from_last = |which: &usize| self.bookings.len().checked_sub(which + 1);
        Some(match ask {
            Ask::Hold(..) | Ask::Join(_) => ask.clone(),
            Ask::Confirm(which, payment) => Ask::Confirm(from_last(which)?, *payment),
            Ask::Extend(which, minutes) => Ask::Extend(from_last(which)?, *minutes),
            Ask::Cancel(which, fee) => Ask::Cancel(from_last(which)?, *fee),
            Ask::Move(which, want, shown) => Ask::Move(from_last(which)?, want.clone(), *shown),
            Ask::Leave(which) => Ask::Leave(self.line.len().checked_sub(which + 1)?),
            Ask::GiveBack(which, part, fee) => {
                let which = from_last(which)?;
                let part = match (part, &self.bookings[which].what) {
                    (Part::First(count), Want::Seats(seats)) => {
                        Part::Seats(seats.iter().copied().take(*count).collect())
                    }
                    (Part::First(count), _) => Part::Rooms(i64::try_from(*count).unwrap()),
                    (part, _) => part.clone(),
                };
                Ask::GiveBack(which, part, *fee)
            }
        })
    }

    /// Begins a batch: whatever has run out on the cells that it wants is ended, and offered along the line.
    pub(super) fn begin(&mut self, asks: &[Ask]) {
        let mut wanted = Vec::new();
        for ask in asks {
            match ask {
                Ask::Hold(Want::Best(_), ..)
                | Ask::Move(_, Want::Best(_), _)
                | Ask::Join(Want::Best(_)) => wanted.extend((0..SEATS).map(Spot::Seat)),
                Ask::Hold(want, ..) | Ask::Move(_, want, _) | Ask::Join(want) => {
                    wanted.extend(items(want).into_iter().map(|it| it.spot));
                }
                _ => {}
            }
        }
        self.end_lapsed(|spot| wanted.contains(&spot));
        self.serve();
    }

    /// Ends everything that has run out.
    pub(super) fn sweep(&mut self) {
        self.end_lapsed(|_| true);
        self.serve();
    }

    fn end_lapsed(&mut self, wanted: impl Fn(Spot) -> bool) {
        let minute = self.minute;
        let holds = |it: &Known| items(&it.what).iter().any(|it| wanted(it.spot));
        let lapsed = |it: &Known| it.has_lapsed(minute) && holds(it);
        let count = self.bookings.iter().filter(|it| lapsed(it)).count();
        // Nobody says in which order; the feed does.
        for _ in 0..count {
            let id = self.next_id();
            let found = self
                .bookings
                .iter()
                .position(|it| it.id == id && lapsed(it));
            let which = found.unwrap_or_else(|| panic!("{id} has not run out"));
            self.enter(which, State::Expired);
        }
    }

    /// Decides one, and compares with the answer that it got.
    pub(super) fn decide(&mut self, ask: &Ask, answer: &Result<Outcome, Rejection>) {
        let position = match (self.judge(ask), answer) {
            (Ok(()), Ok(outcome)) => {
                self.grant(ask, outcome);
                &outcome.position
            }
            (Err(No::Refused(reason)), Err(Rejection::Refused(refusal)))
                if reason == refusal.reason =>
            {
                self.refuse(ask);
                self.refused.insert(reason);
                &refusal.position
            }
            (
                Err(No::Invalid),
                Err(Rejection::Invalid {
                    position: Some(position),
                    ..
                }),
            ) => position,
            (judged, _) => panic!("{ask:?}: {judged:?}, but was answered {answer:?}"),
        };
        assert_eq!(position.sequence, self.at, "{ask:?}");
        self.serve();
    }

    /// What must be answered.
    fn judge(&self, ask: &Ask) -> Result<(), No> {
        match ask {
            Ask::Hold(want, _, shown) => {
                self.fits(want, None)?;
                Ok(rules::shown(*shown)?)
            }
            Ask::Confirm(which, None) => Ok(self.held(*which)?),
            Ask::Confirm(which, Some(payment)) => Ok(self.payable(*which, *payment)?),
            Ask::Extend(which, minutes) => {
                self.held(*which)?;
                let it = &self.bookings[*which];
                let in_all = it.expires + minutes - it.created;
                Ok(if in_all <= 60 {
                    Ok(())
                } else {
                    Err(Reason::HoldLimit)
                }?)
            }
            Ask::Cancel(which, accepted) => {
                self.live(*which)?;
                let it = &self.bookings[*which];
                Ok(self.accepted(it, &it.what, *accepted)?)
            }
            Ask::GiveBack(which, part, accepted) => {
                self.live(*which)?;
                let it = &self.bookings[*which];
                let (given, _) = rules::split(&it.what, part).ok_or(No::Invalid)?;
                Ok(self.accepted(it, &given, *accepted)?)
            }
            Ask::Move(which, want, shown) => {
                self.live(*which)?;
                if rules::is_stay(want) != rules::is_stay(&self.bookings[*which].what) {
                    return Err(No::Invalid);
                }
                self.fits(want, Some(*which))?;
                Ok(rules::shown(*shown)?)
            }
            Ask::Join(want) => match self.fits(want, None) {
                Ok(()) => Err(Reason::AlreadyAvailable.into()),
                Err(_) if self.places(want) >= PLACES => Err(Reason::WaitlistLimit.into()),
                Err(_) => Ok(()),
            },
            Ask::Leave(which) => match self.line[*which].place {
                Place::Waiting => Ok(()),
                Place::Offered(offer) if !self.bookings[offer].has_lapsed(self.minute) => Ok(()),
                _ => Err(Reason::EntryState.into()),
            },
        }
    }

    /// Does what was granted, and looks at the answer.
    fn grant(&mut self, ask: &Ask, outcome: &Outcome) {
        let (which, before) = match ask {
            Ask::Hold(want, minutes, _) => (self.open(want, *minutes), None),
            Ask::Confirm(which, payment) => {
                self.confirm(*which, *payment);
                (*which, None)
            }
            Ask::Extend(which, minutes) => {
                self.bookings[*which].expires += minutes;
                self.tell(*which, Some(State::Held));
                (*which, None)
            }
            Ask::Cancel(which, _) => {
                let it = &self.bookings[*which];
                let fee = self.fee(it, &it.what);
                self.bookings[*which].fee += fee;
                self.enter(*which, State::Cancelled);
                (*which, None)
            }
            Ask::GiveBack(which, part, _) => {
                let it = &self.bookings[*which];
                let (before, state) = (price(&it.what), it.state);
                let (given, kept) = rules::split(&it.what, part).unwrap();
                let fee = self.fee(it, &given);
                let it = &mut self.bookings[*which];
                it.fee += fee;
                it.what = kept;
                self.tell(*which, Some(state));
                (*which, Some(before))
            }
            Ask::Move(which, want, _) => (*which, Some(self.exchange(*which, want))),
            Ask::Join(want) => return self.join(want, outcome),
            Ask::Leave(which) => return self.leave(*which, outcome),
        };
        self.answered(which, before, outcome);
    }

    /// What a refusal changes all the same.
    fn refuse(&mut self, ask: &Ask) {
        match ask {
            Ask::Confirm(which, Some(payment)) => {
                let it = &self.bookings[*which];
                let is_late = matches!(it.state, State::Expired | State::Cancelled)
                    || it.has_lapsed(self.minute);
                if !is_late || it.paid.is_some() {
                    return;
                }
                if it.state == State::Held {
                    self.enter(*which, State::Expired);
                }
                let it = &mut self.bookings[*which];
                (it.paid, it.owed) = (Some(*payment), true);
                let state = it.state;
                self.tell(*which, Some(state));
            }
            Ask::Leave(which) => {
                if let Place::Offered(offer) = self.line[*which].place {
                    self.enter(offer, State::Expired);
                }
            }
            _ => {}
        }
    }

    fn confirm(&mut self, which: usize, payment: Option<u8>) {
        let it = &mut self.bookings[which];
        if payment.is_some() && it.paid == payment {
            return;
        }
        it.paid = payment;
        self.enter(which, State::Confirmed);
    }

    /// Exchanges what a booking has; what it cost before.
    fn exchange(&mut self, which: usize, want: &Want) -> i64 {
        let what = self.chosen(want, Some(which));
        let others = self.terms(&what);
        let minute = self.minute;
        let it = &mut self.bookings[which];
        let before = price(&it.what);
        it.terms = match it.state == State::Held || it.terms.is_free(minute) {
            true => others,
            false => Terms {
                free_until: None,
                ..it.terms
            },
        };
        it.what = what;
        let state = it.state;
        self.tell(which, Some(state));
        before
    }

    /// A new hold.
    fn open(&mut self, want: &Want, minutes: i64) -> usize {
        let what = self.chosen(want, None);
        self.bookings.push(Known {
            id: self.next_id(),
            state: State::Held,
            expires: self.minute + minutes,
            created: self.minute,
            terms: self.terms(&what),
            what,
            fee: 0,
            paid: None,
            owed: false,
            changed: 0,
        });
        let which = self.bookings.len() - 1;
        self.tell(which, None);
        which
    }

    fn enter(&mut self, which: usize, state: State) {
        let before = std::mem::replace(&mut self.bookings[which].state, state);
        self.tell(which, Some(before));
    }

    fn join(&mut self, want: &Want, outcome: &Outcome) {
        let entry = outcome.entry.as_ref().unwrap();
        assert_eq!(entry.state(), v1::waitlist_entry::State::Waiting);
        self.line.push(Entry {
            id: EntryId::parse(&entry.name).unwrap(),
            want: want.clone(),
            place: Place::Waiting,
        });
    }

    fn leave(&mut self, which: usize, outcome: &Outcome) {
        let entry = outcome.entry.as_ref().unwrap();
        assert_eq!(entry.state(), v1::waitlist_entry::State::Left);
        if let Place::Offered(offer) = self.line[which].place {
            self.enter(offer, State::Cancelled);
        }
        self.line[which].place = Place::Left;
    }

    /// Closes the places whose offers have ended, and offers what is free from the head of the line on.
    fn serve(&mut self) {
        for which in 0..self.line.len() {
            if let Place::Offered(offer) = self.line[which].place {
                match self.bookings[offer].state {
                    State::Held => {}
                    State::Confirmed => self.line[which].place = Place::Served,
                    State::Cancelled | State::Expired => self.line[which].place = Place::Left,
                }
            }
        }
        for which in 0..self.line.len() {
            let entry = &self.line[which];
            if entry.place == Place::Waiting && self.fits(&entry.want, None).is_ok() {
                let want = entry.want.clone();
                self.line[which].place = Place::Offered(self.open(&want, OFFER));
            }
        }
    }
}
