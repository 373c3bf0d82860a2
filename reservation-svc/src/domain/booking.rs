//! A booking and its life: HELD until it is CONFIRMED, CANCELLED or has EXPIRED; CONFIRMED until it is CANCELLED, the
//! guest is CHECKED_IN or never came (NO_SHOW); CHECKED_IN until it is COMPLETED. [`State::next`] is the whole of it.
//!
//! A hold that has run out is expired at once for everybody who looks, whether or not it has been tidied up yet:
//! [`Booking::state_at`] is the only state that rules look at.

mod contact;

use std::fmt;

use jiff::{Timestamp, civil::Date};

use super::{
    agreement::Agreement,
    cell::{CellKey, CellRef},
    claim::Claim,
    money::Money,
    name::{BookingId, Venue},
    refusal::{Denial, Reason},
    request::Principal,
};
pub use contact::{Contact, is_email};

/// Where a booking is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Taken until it expires.
    Held,
    /// Final.
    Confirmed,
    /// Given back.
    Cancelled,
    /// A hold that ran out.
    Expired,
    /// The guest has come.
    CheckedIn,
    /// The guest has left.
    Completed,
    /// The guest never came.
    NoShow,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Held,
        Self::Confirmed,
        Self::Cancelled,
        Self::Expired,
        Self::CheckedIn,
        Self::Completed,
        Self::NoShow,
    ];

    /// UPPER_SNAKE_CASE, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Confirmed => "CONFIRMED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::CheckedIn => "CHECKED_IN",
            Self::Completed => "COMPLETED",
            Self::NoShow => "NO_SHOW",
        }
    }

    /// The states that may come after it; there is no other way.
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Held => &[Self::Confirmed, Self::Cancelled, Self::Expired],
            Self::Confirmed => &[Self::CheckedIn, Self::Cancelled, Self::NoShow],
            Self::CheckedIn => &[Self::Completed],
            Self::Cancelled | Self::Expired | Self::Completed | Self::NoShow => &[],
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a booking is for. Whatever takes cells is a booking, so that what is taken is always what bookings hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BookingKind {
    /// Somebody comes.
    #[default]
    Guest,
    /// Rooms kept apart for a group until a release date.
    Block,
    /// A room that cannot be sold.
    OutOfOrder,
}

impl BookingKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Guest, Self::Block, Self::OutOfOrder];

    /// UPPER_SNAKE_CASE, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "GUEST",
            Self::Block => "BLOCK",
            Self::OutOfOrder => "OUT_OF_ORDER",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// An all-or-nothing claim.
#[derive(Clone, Debug)]
pub struct Booking {
    /// Its name.
    pub id: BookingId,
    /// What it is for.
    pub kind: BookingKind,
    /// Whose it is.
    pub principal: Principal,
    /// As recorded; see [`Booking::state_at`].
    pub recorded_state: State,
    /// What it claims or, once given back, claimed.
    pub claim: Claim,
    /// Numbers of the rooms that a stay has for certain, one for each room of it; empty while the plan decides.
    pub rooms: Vec<String>,
    /// Where.
    pub venue: Venue,
    /// What guests call the venue.
    pub venue_display_name: String,
    /// What is sold, for people.
    pub title: String,
    /// When the screening starts; nothing for a stay.
    pub starts_at: Option<Timestamp>,
    /// Sum of its items.
    pub total: Money,
    /// What goes with it.
    pub agreement: Agreement,
    /// When a hold runs out; nothing in other states.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The commit it was made at; orders bookings by age.
    pub created_sequence: i64,
    /// The commit it was last changed at.
    pub updated_sequence: i64,
}

impl Booking {
    /// Its state for anybody who looks at that time.
    pub fn state_at(&self, now: Timestamp) -> State {
        match (self.recorded_state, self.expires_at) {
            (State::Held, Some(expires_at)) if expires_at <= now => State::Expired,
            (state, _) => state,
        }
    }

    /// Changes with every change.
    pub fn etag(&self) -> String {
        self.updated_sequence.to_string()
    }

    /// Whether it can be confirmed at that time, by somebody who has seen that etag.
    pub fn confirmable(&self, now: Timestamp, etag: Option<&str>) -> Result<(), Denial> {
        self.may_become(State::Confirmed, now, "confirmed")?;
        self.unchanged_since(etag)
    }

    /// Whether it is a hold at that time, for somebody who has seen that etag.
    pub fn extendable(&self, now: Timestamp, etag: Option<&str>) -> Result<(), Denial> {
        match self.state_at(now) {
            State::Held => self.unchanged_since(etag),
            state => Err(self.wrong_state(state, "extended")),
        }
    }

    /// Whether its cells can be given back or exchanged at that time, by somebody who has seen that etag.
    pub fn changeable(&self, now: Timestamp, etag: Option<&str>, done: &str) -> Result<(), Denial> {
        match self.state_at(now) {
            State::Held | State::Confirmed => self.unchanged_since(etag),
            state => Err(self.wrong_state(state, done)),
        }
    }

    /// Whether what it claims still lies ahead, at least in part: seats until the screening starts, nights until the day
    /// of leaving. `today` is the day at the venue.
    pub fn ahead(&self, now: Timestamp, today: Date, done: &str) -> Result<(), Denial> {
        let message = match &self.claim {
            Claim::Seats(seats) if self.starts_at.is_some_and(|start| start <= now) => {
                let message = format!("{} has started", seats.screening);
                return Err(Denial::new(Reason::ScreeningStarted, message));
            }
            Claim::Stay(stay) if stay.nights.check_out() <= today => {
                format!("the stay of {} is over and cannot be {done}", self.id)
            }
            _ => return Ok(()),
        };
        Err(Denial::new(Reason::BookingState, message))
    }

    /// Whether it may enter that state at that time. `done` says so for people, such as "checked in".
    pub fn may_become(&self, next: State, now: Timestamp, done: &str) -> Result<(), Denial> {
        match self.state_at(now) {
            state if state.next().contains(&next) => Ok(()),
            state => Err(self.wrong_state(state, done)),
        }
    }

    /// Whether it still has that etag, where the caller cares.
    pub fn unchanged_since(&self, etag: Option<&str>) -> Result<(), Denial> {
        match etag {
            Some(seen) if seen != self.etag() => Err(Denial::new(
                Reason::EtagMismatch,
                format!("{} has changed since", self.id),
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn wrong_state(&self, state: State, done: &str) -> Denial {
        match state {
            State::Expired => Denial::new(
                Reason::HoldExpired,
                format!("the hold of {} has run out", self.id),
            ),
            _ => Denial::new(
                Reason::BookingState,
                format!("{} is {state} and cannot be {done}", self.id),
            ),
        }
    }
}

/// What a booking claims of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its number, unique among all bookings.
    pub number: i64,
    /// Of which cell.
    pub key: CellKey,
    /// What the cell is called.
    pub cell: CellRef,
    /// How much of the cell's capacity.
    pub quantity: i64,
    /// Price of all of it, in minor units.
    pub price_minor: i64,
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::{Timestamp, ToSpan, civil::date};
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        claim::{Nights, Stay},
        money::Currency,
        name::{HotelId, RoomTypeId},
    };

    pub(in crate::domain) fn hold(expires_at: Timestamp) -> Booking {
        let hotel = HotelId("a".into());
        let nights = Nights::new(date(2026, 1, 1), date(2026, 1, 2)).unwrap();
        let room_type = RoomTypeId {
            hotel: hotel.clone(),
            id: "b".into(),
        };
        Booking {
            id: BookingId(Uuid::nil()),
            kind: BookingKind::Guest,
            principal: Principal::guest("x".into()),
            recorded_state: State::Held,
            claim: Claim::Stay(Stay {
                room_type,
                nights,
                rooms: 1,
            }),
            rooms: Vec::new(),
            venue: Venue::Hotel(hotel),
            venue_display_name: String::new(),
            title: String::new(),
            starts_at: None,
            total: Money::new(Currency::parse("EUR").unwrap(), 1),
            agreement: Agreement::default(),
            expires_at: Some(expires_at),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            created_sequence: 7,
            updated_sequence: 8,
        }
    }

    #[test]
    fn a_hold_is_expired_from_the_very_moment_it_runs_out() {
        let end = Timestamp::UNIX_EPOCH + 10.minutes();
        let hold = hold(end);
        assert_eq!(hold.state_at(end - 1.microseconds()), State::Held);
        assert_eq!(hold.state_at(end), State::Expired);
        assert_eq!(
            hold.confirmable(end, None).unwrap_err().reason,
            Reason::HoldExpired
        );
        assert_eq!(
            hold.changeable(end, None, "moved").unwrap_err().reason,
            Reason::HoldExpired
        );
    }

    #[test]
    fn only_a_hold_can_be_confirmed_and_only_a_live_booking_changed() {
        let now = Timestamp::UNIX_EPOCH;
        let mut booking = hold(now + 1.hours());
        assert!(booking.confirmable(now, None).is_ok());
        booking.recorded_state = State::Confirmed;
        booking.expires_at = None;
        assert_eq!(
            booking.confirmable(now, None).unwrap_err().reason,
            Reason::BookingState
        );
        assert!(booking.changeable(now, None, "cancelled").is_ok());
        booking.recorded_state = State::Cancelled;
        assert_eq!(
            booking
                .changeable(now, None, "cancelled")
                .unwrap_err()
                .reason,
            Reason::BookingState
        );
    }

    #[test]
    fn no_booking_moves_but_as_the_table_says() {
        use State::*;
        let moves = [
            (Held, Confirmed),
            (Held, Cancelled),
            (Held, Expired),
            (Confirmed, CheckedIn),
            (Confirmed, Cancelled),
            (Confirmed, NoShow),
            (CheckedIn, Completed),
        ];
        let now = Timestamp::UNIX_EPOCH;
        for state in State::ALL {
            let mut booking = hold(now + 1.hours());
            booking.recorded_state = state;
            for next in State::ALL {
                let allowed = booking.may_become(next, now, "changed").is_ok();
                assert_eq!(allowed, moves.contains(&(state, next)), "{state} {next}");
            }
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
    }

    #[test]
    fn a_stay_is_over_on_the_day_of_leaving() {
        let now = Timestamp::UNIX_EPOCH;
        let booking = hold(now);
        assert!(booking.ahead(now, date(2026, 1, 1), "cancelled").is_ok());
        let over = booking.ahead(now, date(2026, 1, 2), "cancelled");
        assert_eq!(over.unwrap_err().reason, Reason::BookingState);
    }

    #[test]
    fn an_old_etag_is_a_mismatch() {
        let now = Timestamp::UNIX_EPOCH;
        let booking = hold(now + 1.hours());
        assert!(booking.confirmable(now, Some("8")).is_ok());
        assert_eq!(
            booking.confirmable(now, Some("7")).unwrap_err().reason,
            Reason::EtagMismatch
        );
    }
}
