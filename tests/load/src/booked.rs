//! A hold of one cell as rows and messages of the same content and size as the service's: what the naive engine and the
//! raw statements write, so that the peers store what the service stores.

use banyan_proto::reservation::v1;
use jiff::Timestamp;
use prost::Message as _;
use uuid::Uuid;

use crate::catalogue::{self, CURRENCY, PRICE_MINOR};

/// A hold that was granted.
#[derive(Clone, Debug)]
pub struct Booked {
    /// Its UUID.
    pub id: String,
    /// `hotels/{hotel}` or `cinemas/{cinema}`.
    pub venue: &'static str,
    /// What guests call the venue.
    pub venue_display_name: &'static str,
    /// What is sold.
    pub title: &'static str,
    /// The room type or the screening.
    pub resource: String,
    /// The night before which and after which the guest leaves and comes; nothing for a seat.
    pub nights: Option<(i64, i64)>,
    /// The seat's id; nothing for a night.
    pub seat: Option<String>,
    /// Its cell.
    pub pool: i64,
    /// Its cell.
    pub slot: i64,
    /// The cell's name for people.
    pub cell: String,
    /// When it is decided, in microseconds.
    pub now: i64,
    /// When it runs out, in microseconds.
    pub expires_at: i64,
}

impl Booked {
    /// What a request asks for; nothing if that is not on sale here.
    pub fn of(request: &v1::HoldBookingRequest, now: Timestamp) -> Option<Self> {
        use v1::hold_booking_request::Claim;
        let seconds = request.hold_duration.as_ref().map_or(600, |it| it.seconds);
        let now_us = now.as_microsecond();
        let booked = Self {
            id: Uuid::now_v7().to_string(),
            venue: catalogue::CINEMA,
            venue_display_name: "Cinema Load",
            title: "The Load",
            resource: String::new(),
            nights: None,
            seat: None,
            pool: 0,
            slot: 0,
            cell: String::new(),
            now: now_us,
            expires_at: now_us + seconds * 1_000_000,
        };
        match request.claim.as_ref()? {
            Claim::Seats(wanted) => {
                let seat = wanted.seats.first()?;
                Some(Self {
                    resource: wanted.screening.clone(),
                    seat: Some(seat.clone()),
                    pool: catalogue::seat_pool(seat)?,
                    slot: catalogue::screening_number(&wanted.screening)?,
                    cell: seat.clone(),
                    ..booked
                })
            }
            Claim::Stay(wanted) => {
                let night = catalogue::night_slot(wanted.check_in_date.parse().ok()?);
                Some(Self {
                    venue: "hotels/load",
                    venue_display_name: "Hotel Load",
                    title: "Standard room",
                    resource: wanted.room_type.clone(),
                    nights: Some((night, night + 1)),
                    pool: catalogue::ROOM_POOL,
                    slot: night,
                    cell: wanted.check_in_date.clone(),
                    ..booked
                })
            }
        }
    }

    /// As the answer to a guest.
    pub fn answer(&self, sequence: i64) -> v1::HoldBookingResponse {
        use v1::booking::Claim;
        let claim = match &self.seat {
            Some(seat) => Claim::Seats(v1::SeatSelection {
                screening: self.resource.clone(),
                seats: vec![seat.clone()],
                start_time: Some(time(self.now)),
                ..Default::default()
            }),
            None => Claim::Stay(v1::HotelStay {
                room_type: self.resource.clone(),
                check_in_date: self.cell.clone(),
                check_out_date: self.cell.clone(),
                rooms: 1,
            }),
        };
        let booking = v1::Booking {
            name: format!("bookings/{}", self.id),
            state: v1::booking::State::Held.into(),
            claim: Some(claim),
            venue: self.venue.to_owned(),
            venue_display_name: self.venue_display_name.to_owned(),
            title: self.title.to_owned(),
            total_price: Some(price()),
            expire_time: Some(time(self.expires_at)),
            create_time: Some(time(self.now)),
            update_time: Some(time(self.now)),
            etag: sequence.to_string(),
            ..Default::default()
        };
        v1::HoldBookingResponse {
            booking: Some(booking),
            position: Some(position(sequence)),
        }
    }

    /// As an event of the feed, encoded.
    pub fn event(&self, sequence: i64) -> Vec<u8> {
        let item = v1::BookingItem {
            cell: Some(self.cell()),
            quantity: 1,
            price: Some(price()),
        };
        let changed = v1::BookingChanged {
            booking: format!("bookings/{}", self.id),
            venue: self.venue.to_owned(),
            state: v1::booking::State::Held.into(),
            items: vec![item],
            expire_time: Some(time(self.expires_at)),
            total_price: Some(price()),
            ..Default::default()
        };
        let changed = v1::feed_event::Event::BookingChanged(changed);
        self.encoded(sequence, changed)
    }

    /// As the event that somebody wanted it in vain, encoded.
    pub fn denied(&self) -> Vec<u8> {
        let denied = v1::DemandDenied {
            cell: Some(self.cell()),
            reason: "CELL_UNAVAILABLE".to_owned(),
            count: 1,
        };
        self.encoded(1, v1::feed_event::Event::DemandDenied(denied))
    }

    fn encoded(&self, sequence: i64, event: v1::feed_event::Event) -> Vec<u8> {
        let event = v1::FeedEvent {
            position: Some(position(sequence)),
            decide_time: Some(time(self.now)),
            event: Some(event),
            ..Default::default()
        };
        event.encode_to_vec()
    }

    fn cell(&self) -> v1::CellRef {
        use v1::cell_ref::Cell;
        let cell = match &self.seat {
            Some(seat) => Cell::Seat(v1::SeatCell {
                screening: self.resource.clone(),
                seat: seat.clone(),
            }),
            None => Cell::Night(v1::NightCell {
                room_type: self.resource.clone(),
                date: self.cell.clone(),
            }),
        };
        v1::CellRef { cell: Some(cell) }
    }
}

fn price() -> v1::Money {
    v1::Money {
        currency_code: CURRENCY.to_owned(),
        amount_minor: PRICE_MINOR,
    }
}

fn position(sequence: i64) -> v1::CommitPosition {
    v1::CommitPosition {
        incarnation: "00000000-0000-4000-8000-000000000000".to_owned(),
        sequence,
    }
}

fn time(micros: i64) -> prost_types::Timestamp {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}
