//! What is asked for next. Every request is made up from its number alone, so that any number of clients can share one
//! stream without waiting for each other.
//!
//! On the hot screening 7 of every 20 requests are contended: two pairs and one triple of guests ask for the same seat at
//! the same time. So 16 of 20 can be granted, and each seat is asked for: the screening sells out, and the next begins.

use std::sync::atomic::{AtomicU64, Ordering};

use banyan_proto::reservation::v1;
use jiff::Timestamp;
use uuid::Uuid;

use crate::catalogue::{self, Catalogue};

/// Which seat of the next 16 each of 20 requests asks for.
const ASKED: [i64; 20] = [
    0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12, 12, 12, 13, 14, 15,
];
const SEATS_ASKED: i64 = 16;
/// Prime to the number of seats: guests do not fill a hall from its first seat to its last.
const STRIDE: i64 = 387;
/// As long as is allowed, so that nothing runs out while it is measured.
const HOLD_SECONDS: i64 = 3_600;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// A seat at a screening.
    Seat {
        /// The screening's number.
        screening: i64,
        /// The seat's place in the hall, from 0.
        place: i64,
    },
    /// A room for the night.
    Night,
}

impl Wish {
    /// The pool and the slot of its cell.
    pub fn cell(self, now: Timestamp) -> (i64, i64) {
        match self {
            Self::Seat { screening, place } => (place + 1, screening),
            Self::Night => (
                catalogue::ROOM_POOL,
                catalogue::night_slot(catalogue::night(now)),
            ),
        }
    }
}

/// One request to come.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Which request of the stream.
    pub number: u64,
    /// What is wanted.
    pub wish: Wish,
    /// An earlier request wants the same, which only one can have.
    pub contended: bool,
}

/// Who wants what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Everybody the same screening, until it is sold out.
    HotScreening,
    /// Everybody the same night.
    HotNight,
    /// Seats all over many screenings, none twice.
    Spread,
}

/// A stream of requests; it remembers how far it has come.
#[derive(Debug)]
pub struct Traffic {
    kind: Kind,
    catalogue: Catalogue,
    night: String,
    /// Keeps request ids of one stream apart from those of others.
    stream: u64,
    next: AtomicU64,
}

impl Traffic {
    /// A stream from its first request.
    pub fn new(kind: Kind, catalogue: Catalogue, now: Timestamp) -> Self {
        Self {
            kind,
            catalogue,
            night: catalogue::night(now).to_string(),
            stream: Uuid::new_v4().as_u64_pair().0,
            next: AtomicU64::new(0),
        }
    }

    /// The next request, or nothing once all is sold out.
    pub fn next(&self) -> Option<Ask> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let nth = i64::try_from(number).ok()?;
        let wish = self.wish(nth)?;
        let contended =
            self.kind == Kind::HotScreening && nth > 0 && self.wish(nth - 1) == Some(wish);
        Some(Ask {
            number,
            wish,
            contended,
        })
    }

    fn wish(&self, number: i64) -> Option<Wish> {
        let Catalogue { hot, spread } = self.catalogue;
        let (screening, nth) = match self.kind {
            Kind::HotNight => return Some(Wish::Night),
            Kind::HotScreening => {
                let [unit, at] = [number / 20, number % 20];
                let asked = ASKED.get(usize::try_from(at).ok()?)?;
                let seat = unit * SEATS_ASKED + asked;
                (1 + seat / catalogue::SEATS, seat % catalogue::SEATS)
            }
            Kind::Spread => (hot + 1 + number % spread, number / spread),
        };
        let last = match self.kind {
            Kind::Spread => hot + spread,
            _ => hot,
        };
        let left = screening <= last && nth < catalogue::SEATS;
        left.then(|| Wish::Seat {
            screening,
            place: nth * STRIDE % catalogue::SEATS,
        })
    }

    /// A request as a message.
    pub fn message(&self, ask: &Ask) -> v1::HoldBookingRequest {
        use v1::hold_booking_request::Claim;
        let claim = match ask.wish {
            Wish::Seat { screening, place } => Claim::Seats(v1::SeatSelection {
                screening: catalogue::screening(screening),
                seats: vec![catalogue::seat(place)],
                ..Default::default()
            }),
            Wish::Night => Claim::Stay(self.stay()),
        };
        v1::HoldBookingRequest {
            claim: Some(claim),
            hold_duration: Some(prost_types::Duration {
                seconds: HOLD_SECONDS,
                nanos: 0,
            }),
            request_id: self.request_id(ask),
            ..Default::default()
        }
    }

    /// The request id of a request: like any UUID, but without asking the system for chance every time.
    pub fn request_id(&self, ask: &Ask) -> String {
        Uuid::from_u64_pair(self.stream, ask.number).to_string()
    }

    fn stay(&self) -> v1::HotelStay {
        let next_day = self.night.parse::<jiff::civil::Date>();
        let next_day = next_day.and_then(|night| night.tomorrow());
        v1::HotelStay {
            room_type: catalogue::ROOM_TYPE.to_owned(),
            check_in_date: self.night.clone(),
            check_out_date: next_day.map(|day| day.to_string()).unwrap_or_default(),
            rooms: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const CATALOGUE: Catalogue = Catalogue { hot: 4, spread: 3 };

    fn all(kind: Kind) -> HashMap<Wish, usize> {
        let traffic = Traffic::new(kind, CATALOGUE, Timestamp::UNIX_EPOCH);
        let mut wishes = HashMap::new();
        while let Some(ask) = traffic.next() {
            *wishes.entry(ask.wish).or_default() += 1;
        }
        wishes
    }

    #[test]
    fn hot_screenings_sell_out_and_a_third_of_their_requests_is_contended() {
        let wishes = all(Kind::HotScreening);
        assert_eq!(wishes.len(), 4_000);
        let contended: usize = wishes.values().filter(|asked| **asked > 1).sum();
        let asked: usize = wishes.values().sum();
        assert_eq!(contended * 100 / asked, 35);
    }

    #[test]
    fn spread_requests_want_every_seat_once() {
        let wishes = all(Kind::Spread);
        assert_eq!(wishes.len(), 3_000);
        assert!(wishes.values().all(|asked| *asked == 1));
        let first = Wish::Seat {
            screening: 5,
            place: 0,
        };
        assert!(wishes.contains_key(&first));
    }

    #[test]
    fn request_ids_are_uuids_of_their_own() {
        let traffic = Traffic::new(Kind::HotNight, CATALOGUE, Timestamp::UNIX_EPOCH);
        let ids = [traffic.next(), traffic.next()].map(|ask| traffic.request_id(&ask.unwrap()));
        assert_ne!(ids[0], ids[1]);
        assert!(ids.iter().all(|id| Uuid::try_parse(id).is_ok()));
    }
}
