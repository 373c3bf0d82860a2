//! What the feed must tell, event by event, and what an answer must say of a booking.

use banyan_proto::reservation::v1::{self, booking, cell_ref::Cell};

use super::{Known, Model, Outcome, Spot, State, Told, Want, rules};
use crate::{
    domain::name::BookingId,
    inventory::model::world::{CINEMA, HOTEL, ROOM_TYPE, START, day, seat},
};

impl Model {
    /// The booking of the next event.
    pub(super) fn next_id(&self) -> BookingId {
        BookingId::parse(&self.next().booking).unwrap()
    }

    fn next(&self) -> &v1::BookingChanged {
        match self.told.front() {
            Some((_, Told::Booking(next))) => next,
            _ => panic!("after {} the feed told too little", self.at),
        }
    }

    /// That the next event tells of that booking as it is now; `before` is nothing for a new one.
    pub(super) fn tell(&mut self, which: usize, before: Option<State>) {
        let mut told = self.next().clone();
        let it = &self.bookings[which];
        let mut expected = self.message(it);
        // In any order.
        told.items.sort_by_key(place);
        expected.items.sort_by_key(place);
        expected.previous_state = before.map_or(booking::State::Unspecified, wire).into();
        assert_eq!(told, expected, "after {}", self.at);
        let (sequence, _) = self.told.pop_front().unwrap();
        self.at = sequence;
        self.bookings[which].changed = sequence;
    }

    /// That the feed has told nothing else, but for what was wanted in vain.
    pub(in crate::inventory::model) fn settle(
        &mut self,
        more: impl IntoIterator<Item = (i64, Told)>,
    ) {
        assert_eq!(more.into_iter().next(), None);
        for (sequence, told) in self.told.drain(..) {
            let Told::InVain(count) = told else {
                panic!("at {sequence} the feed told {told:?}")
            };
            self.in_vain -= count;
            self.at = sequence;
        }
        assert_eq!(self.in_vain, 0, "wanted in vain");
    }

    /// Which seats these are: where they are to be chosen, those of the next event, which must be sound.
    pub(super) fn chosen(&self, want: &Want, but: Option<usize>) -> Want {
        let Want::Best(count) = want else {
            return want.clone();
        };
        let at = |item: &v1::BookingItem| {
            let cell = item.cell.as_ref().and_then(|it| it.cell.as_ref());
            let Some(Cell::Seat(it)) = cell else {
                panic!("a seat, not {cell:?}")
            };
            it.seat[1..].parse::<usize>().unwrap() - 1
        };
        let seats: Vec<usize> = self.next().items.iter().map(at).collect();
        assert_eq!(seats.len(), *count);
        assert!(rules::side_by_side(&seats), "{seats:?}");
        let is_free = |at: &usize| self.free(Spot::Seat(*at), but, false) > 0;
        assert!(seats.iter().all(is_free), "{seats:?}");
        Want::Seats(seats)
    }

    /// A booking as the feed tells of it.
    fn message(&self, it: &Known) -> v1::BookingChanged {
        let is_open = matches!(it.state, State::Held | State::Confirmed);
        let items = it.items().into_iter().filter(|_| is_open);
        let items = items.map(|item| v1::BookingItem {
            cell: Some(v1::CellRef {
                cell: Some(self.cell(item.spot)),
            }),
            quantity: i32::try_from(item.quantity).unwrap(),
            price: Some(euros(item.price)),
        });
        let venue = if rules::is_stay(&it.what) {
            HOTEL
        } else {
            CINEMA
        };
        let expires = it.state == State::Held;
        v1::BookingChanged {
            booking: it.id.to_string(),
            venue: venue.to_owned(),
            previous_state: 0,
            state: wire(it.state).into(),
            items: items.collect(),
            expire_time: expires.then(|| prost_types::Timestamp {
                seconds: START.as_second() + it.expires * 60,
                nanos: 0,
            }),
            total_price: Some(euros(it.price())),
            kind: match it.left {
                Some(_) => booking::Kind::Block,
                None => booking::Kind::Guest,
            }
            .into(),
            cancellation_fee: (it.fee > 0).then(|| euros(it.fee)),
            payment_state: payment(it).into(),
        }
    }

    fn cell(&self, spot: Spot) -> Cell {
        match spot {
            Spot::Night(at) => Cell::Night(v1::NightCell {
                room_type: ROOM_TYPE.to_owned(),
                date: day(at).to_string(),
            }),
            Spot::Seat(at) => Cell::Seat(v1::SeatCell {
                screening: self.world.screening.to_string(),
                seat: seat(at),
            }),
        }
    }

    /// That an answer says of a booking what is known of it, and what it cost before where that has changed.
    pub(super) fn answered(&self, which: usize, before: Option<i64>, outcome: &Outcome) {
        let it = &self.bookings[which];
        let told = &outcome.booking;
        assert_eq!(told.name, it.id.to_string());
        assert_eq!(told.etag, it.changed.to_string());
        assert_eq!(told.state(), wire(it.state));
        assert_eq!(told.payment_state(), payment(it));
        assert_eq!(told.total_price, Some(euros(it.price())));
        assert_eq!(told.cancellation_fee, (it.fee > 0).then(|| euros(it.fee)));
        assert_eq!(outcome.previous_total, before.map(euros));
        if it.state != State::Cancelled {
            assert_eq!(outcome.item_ids.len(), it.items().len());
        }
    }
}

/// The night or the seat.
fn place(item: &v1::BookingItem) -> Option<String> {
    match item.cell.as_ref()?.cell.as_ref()? {
        Cell::Night(it) => Some(it.date.clone()),
        Cell::Seat(it) => Some(it.seat.clone()),
    }
}

fn payment(it: &Known) -> booking::PaymentState {
    match (it.paid, it.owed) {
        (None, _) => booking::PaymentState::None,
        (Some(_), true) => booking::PaymentState::RefundDue,
        (Some(_), false) => booking::PaymentState::Paid,
    }
}

fn wire(state: State) -> booking::State {
    match state {
        State::Held => booking::State::Held,
        State::Confirmed => booking::State::Confirmed,
        State::Cancelled => booking::State::Cancelled,
        State::Expired => booking::State::Expired,
    }
}

fn euros(minor: i64) -> v1::Money {
    v1::Money {
        currency_code: "EUR".to_owned(),
        amount_minor: minor,
    }
}
