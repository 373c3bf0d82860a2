//! The model: what each command must be answered, and what it changes. Rooms and seats are counted over all bookings each
//! time; the line is walked from its head after every command. Where the inventory may choose, which seats are best, the
//! choice is taken over from the feed and only has to be a sound one.
//!
//! A hold that has run out still counts until it is ended: with the batch that wants something of it, with a payment that
//! came too late, when its offer is declined, or with a sweep. That is when what it held goes to the line.

mod blocks;
mod feed;
mod grant;
mod limits;
mod requests;
mod resolve;
mod rules;

use std::collections::{HashMap, HashSet, VecDeque};

use banyan_proto::reservation::v1;

use super::{
    ask::{Ask, Call, Part, Span, Want, Who},
    limits::Limited,
    world::{AISLE, Fee, Policy, SEATS, Spot, World},
};
use crate::{
    domain::{
        name::{BookingId, EntryId},
        refusal::Reason,
    },
    inventory::{Outcome, Rejection},
};
use blocks::Rooms;
pub(super) use requests::Anew;
use requests::{Kept, Key};
use rules::Item;
pub(super) use rules::{items, price};

/// Minutes that an offer is held.
const OFFER: i64 = 15;
/// Most places in one line of one who waits.
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
    pub(super) who: Who,
    pub(super) state: State,
    /// Of a hold.
    expires: i64,
    created: i64,
    /// Never the best: it is known which those are.
    pub(super) what: Want,
    /// Of a block.
    left: Option<Rooms>,
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
    who: Who,
    want: Want,
    pub(super) place: Place,
}

/// Why not.
#[derive(Debug, PartialEq)]
enum No {
    Refused(Reason),
    Invalid,
    /// There is none, or it is another's.
    Unknown,
}

impl From<Reason> for No {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

/// What a case came across.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Seen {
    Refused(Reason),
    /// Answered once more, what was `granted` or not; `at_once`: in the batch in which it was decided.
    Repeated {
        granted: bool,
        at_once: bool,
    },
    /// Decided though its request id had been used.
    Anew(Anew),
    /// Taken from a block, which was sold to everybody or not.
    PickedUp {
        sold: bool,
    },
    /// Not offered to who waits, though it was free: it was not sold.
    Withheld,
    /// Offered to who waits, because it was sold again.
    Opened,
}

/// What was answered to a command.
type Answer = Result<Outcome, Rejection>;

/// What the feed tells.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    Booking(Box<v1::BookingChanged>),
    /// Something was wanted so many times in vain.
    InVain(i64),
}

pub(super) struct Model {
    world: World,
    pub(super) minute: i64,
    /// Of the hotel and of the cinema.
    pub(super) policies: [Option<Policy>; 2],
    /// Restrictions, in the order in which they were set.
    limited: Vec<Limited>,
    pub(super) bookings: Vec<Known>,
    pub(super) line: Vec<Entry>,
    /// What the feed has told of this step and the model has not come to yet.
    pub(super) told: VecDeque<(i64, Told)>,
    /// The sequence of the last event that the model has come to.
    pub(super) at: i64,
    /// How many cells this step has wanted in vain.
    in_vain: i64,
    /// What was sent under request ids, but for repetitions.
    sent: Vec<Call>,
    kept: HashMap<Key, Kept>,
    /// Request ids that were used, and why there is no answer kept under them.
    lost: HashMap<Key, Anew>,
    pub(super) seen: HashSet<Seen>,
}

impl Model {
    pub(super) fn new(world: &World, sequence: i64) -> Self {
        Self {
            world: world.clone(),
            minute: 0,
            policies: [None; 2],
            limited: Vec::new(),
            bookings: Vec::new(),
            line: Vec::new(),
            told: VecDeque::new(),
            at: sequence,
            in_vain: 0,
            sent: Vec::new(),
            kept: HashMap::new(),
            lost: HashMap::new(),
            seen: HashSet::new(),
        }
    }

    /// Begins a batch: whatever has run out on the cells that it wants is ended, and offered along the line. What was
    /// answered before wants nothing.
    pub(super) fn begin(&mut self, calls: &[Call]) {
        let mut wanted = Vec::new();
        for call in calls.iter().filter(|it| !it.is_late && !self.is_kept(it)) {
            match &call.ask {
                Ask::Hold(Want::Best(_), ..)
                | Ask::Move(_, Want::Best(_), _)
                | Ask::Join(Want::Best(_)) => wanted.extend((0..SEATS).map(Spot::Seat)),
                Ask::Hold(want, ..) | Ask::Move(_, want, _) | Ask::Join(want) => {
                    wanted.extend(items(want).into_iter().map(|it| it.spot));
                }
                Ask::Block(span, _) | Ask::PickUp(_, span, ..) => {
                    let items = items(&Want::Rooms(*span)).into_iter();
                    wanted.extend(items.map(|it| it.spot));
                }
                _ => {}
            }
        }
        self.begin_answers();
        self.end_lapsed(|it| it.items().iter().any(|it| wanted.contains(&it.spot)));
        self.serve();
    }

    /// Sets restrictions; what is sold again is offered along the line.
    pub(super) fn limit(&mut self, limited: &Limited) {
        self.limited.push(limited.clone());
        if !self.told.is_empty() {
            self.seen.insert(Seen::Opened);
        }
        self.serve();
    }

    /// Ends everything that has run out, and forgets old answers.
    pub(super) fn sweep(&mut self) {
        self.forget();
        self.end_lapsed(|_| true);
        self.serve();
    }

    fn end_lapsed(&mut self, ends: impl Fn(&Known) -> bool) {
        let minute = self.minute;
        let lapsed = |it: &Known| it.has_lapsed(minute) && ends(it);
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
    pub(super) fn decide(&mut self, call: &Call, answer: &Answer) {
        if call.is_late {
            assert!(matches!(answer, Err(Rejection::Late)), "{answer:?}");
            return self.lose(call, Anew::Late);
        }
        if self.is_kept(call) {
            return self.repeat(call, answer);
        }
        let position = match (self.judge(call), answer) {
            (Ok(()), Ok(outcome)) => {
                self.grant(call, outcome);
                &outcome.position
            }
            (Err(No::Refused(reason)), Err(Rejection::Refused(refusal)))
                if reason == refusal.reason =>
            {
                self.refuse(&call.ask);
                self.in_vain += i64::try_from(refusal.unmet.len()).unwrap();
                self.seen.insert(Seen::Refused(reason));
                &refusal.position
            }
            (
                Err(No::Invalid),
                Err(Rejection::Invalid {
                    position: Some(position),
                    ..
                }),
            )
            | (
                Err(No::Unknown),
                Err(Rejection::NotFound {
                    position: Some(position),
                    ..
                }),
            ) => position,
            (judged, _) => panic!("{call:?}: {judged:?}, but was answered {answer:?}"),
        };
        assert_eq!(position.sequence, self.at, "{call:?}");
        self.keep(call, answer);
        self.serve();
    }

    /// What must be answered.
    fn judge(&self, call: &Call) -> Result<(), No> {
        self.own(call)?;
        match &call.ask {
            Ask::Hold(want, _, shown) => {
                self.sold(want)?;
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
                self.sold(want)?;
                self.fits(want, Some(*which))?;
                Ok(rules::shown(*shown)?)
            }
            Ask::Join(want) => {
                self.sold(want)?;
                match self.fits(want, None) {
                    Ok(()) => Err(Reason::AlreadyAvailable.into()),
                    Err(_) if self.places(want, call.who) >= PLACES => {
                        Err(Reason::WaitlistLimit.into())
                    }
                    Err(_) => Ok(()),
                }
            }
            Ask::Leave(which) => match self.line[*which].place {
                Place::Waiting => Ok(()),
                Place::Offered(offer) if !self.bookings[offer].has_lapsed(self.minute) => Ok(()),
                _ => Err(Reason::EntryState.into()),
            },
            Ask::Block(span, _) => Ok(self.fits(&Want::Rooms(*span), None)?),
            Ask::PickUp(block, span, _, shown) => {
                self.has_left(*block, *span)?;
                Ok(rules::shown(*shown)?)
            }
            Ask::Release(which) => Ok(self.live(*which)?),
            Ask::Again(_) => panic!("not known yet"),
        }
    }

    /// Whether what it is about is the caller's.
    fn own(&self, call: &Call) -> Result<(), No> {
        let owner = match &call.ask {
            Ask::Confirm(which, _)
            | Ask::Extend(which, _)
            | Ask::Cancel(which, _)
            | Ask::GiveBack(which, ..)
            | Ask::Move(which, ..) => self.bookings[*which].who,
            Ask::Leave(which) => self.line[*which].who,
            _ => call.who,
        };
        if owner == call.who {
            Ok(())
        } else {
            Err(No::Unknown)
        }
    }
}
