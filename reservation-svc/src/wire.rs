//! Domain values as messages of the contracts. One direction only: what comes in is parsed in `grpc`.

use banyan_proto::reservation::v1;
use jiff::Timestamp;

use crate::domain::{
    booking::{Booking, BookingKind, Contact, Item, State},
    cancellation::{Fee, Terms},
    cell::CellRef,
    claim::{Ask, Claim, Stay},
    event::Event,
    money::{Currency, Money},
    payment::Payment,
    sale::Party,
    wait_entry::WaitEntry,
    waitlist::EntryState,
};

pub(crate) fn money(money: Money) -> v1::Money {
    amount(money.currency, money.minor)
}

pub(crate) fn amount(currency: Currency, minor: i64) -> v1::Money {
    v1::Money {
        currency_code: currency.to_string(),
        amount_minor: minor,
    }
}

pub(crate) fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}

pub(crate) fn position(incarnation: &str, sequence: i64) -> v1::CommitPosition {
    v1::CommitPosition {
        incarnation: incarnation.to_owned(),
        sequence,
    }
}

pub(crate) fn state(state: State) -> v1::booking::State {
    match state {
        State::Held => v1::booking::State::Held,
        State::Confirmed => v1::booking::State::Confirmed,
        State::Cancelled => v1::booking::State::Cancelled,
        State::Expired => v1::booking::State::Expired,
        State::CheckedIn => v1::booking::State::CheckedIn,
        State::Completed => v1::booking::State::Completed,
        State::NoShow => v1::booking::State::NoShow,
    }
}

pub(crate) fn contact(contact: &Contact) -> v1::Contact {
    v1::Contact {
        display_name: contact.display_name.clone(),
        email: contact.email.clone(),
        phone: contact.phone.clone(),
    }
}

/// A booking as somebody sees it who looks at that time. Without its contact, which not everybody may see.
pub(crate) fn booking(it: &Booking, now: Timestamp) -> v1::Booking {
    let seen = it.state_at(now);
    v1::Booking {
        name: it.id.to_string(),
        state: state(seen).into(),
        venue: it.venue.to_string(),
        venue_display_name: it.venue_display_name.clone(),
        title: it.title.clone(),
        contact: None,
        total_price: Some(money(it.total)),
        expire_time: match seen {
            State::Held => it.expires_at.map(timestamp),
            _ => None,
        },
        create_time: Some(timestamp(it.created_at)),
        update_time: Some(timestamp(it.updated_at)),
        etag: it.etag(),
        claim: Some(claim(it)),
        kind: kind(it.kind).into(),
        rooms: rooms(it),
        party: it.agreement.party.map(party),
        payment_state: payment_state(&it.agreement.payment).into(),
        payment_reference: it
            .agreement
            .payment
            .reference()
            .map(|it| it.as_str().to_owned())
            .unwrap_or_default(),
        cancellation_terms: Some(terms(&it.agreement.terms)),
        cancellation_fee: fee(it),
        block: it
            .agreement
            .block
            .map(|block| block.to_string())
            .unwrap_or_default(),
    }
}

pub(crate) fn kind(it: BookingKind) -> v1::booking::Kind {
    match it {
        BookingKind::Guest => v1::booking::Kind::Guest,
        BookingKind::Block => v1::booking::Kind::Block,
        BookingKind::OutOfOrder => v1::booking::Kind::OutOfOrder,
    }
}

fn party(it: Party) -> v1::Party {
    v1::Party {
        adults: small(it.adults),
        children: small(it.children),
    }
}

fn payment_state(it: &Payment) -> v1::booking::PaymentState {
    match it {
        Payment::None => v1::booking::PaymentState::None,
        Payment::Paid(_) => v1::booking::PaymentState::Paid,
        Payment::RefundDue(_) => v1::booking::PaymentState::RefundDue,
    }
}

fn terms(it: &Terms) -> v1::CancellationTerms {
    use v1::cancellation_terms::Fee as Wire;
    v1::CancellationTerms {
        free_until_time: it.free_until.map(timestamp),
        fee: match it.fee {
            Fee::None => None,
            Fee::Percent(percent) => Some(Wire::Percent(small(percent))),
            Fee::Nights(nights) => Some(Wire::Nights(small(nights))),
        },
    }
}

/// What cancelling has cost, where it has cost anything.
fn fee(it: &Booking) -> Option<v1::Money> {
    let fee = it.agreement.fee_minor;
    (fee != 0).then(|| amount(it.total.currency, fee))
}

fn stay(it: &Stay) -> v1::HotelStay {
    v1::HotelStay {
        room_type: it.room_type.to_string(),
        check_in_date: it.nights.check_in().to_string(),
        check_out_date: it.nights.check_out().to_string(),
        rooms: small(it.rooms),
    }
}

/// The names of the rooms that a booking has for certain.
fn rooms(it: &Booking) -> Vec<String> {
    let name = |number: &String| format!("{}/rooms/{number}", it.venue);
    it.rooms.iter().map(name).collect()
}

fn claim(it: &Booking) -> v1::booking::Claim {
    match &it.claim {
        Claim::Stay(it) => v1::booking::Claim::Stay(stay(it)),
        Claim::Seats(selection) => v1::booking::Claim::Seats(v1::SeatSelection {
            screening: selection.screening.to_string(),
            seats: selection.seats.iter().map(ToString::to_string).collect(),
            start_time: it.starts_at.map(timestamp),
            best: None,
        }),
    }
}

/// A count that the contract has in 32 bits; all of them are bounded far below.
pub(crate) fn small(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// What changed, for the feed.
pub(crate) fn event(event: &Event) -> v1::feed_event::Event {
    use v1::feed_event::Event as Wire;
    match event {
        Event::Hotel(hotel) => Wire::HotelChanged(v1::HotelChanged {
            hotel: hotel.id.to_string(),
            display_name: hotel.display_name.clone(),
            time_zone: hotel.zone_name.clone(),
            currency_code: hotel.currency.to_string(),
        }),
        Event::RoomType { id, capacity } => Wire::RoomTypeChanged(v1::RoomTypeChanged {
            room_type: id.to_string(),
            capacity: small(*capacity),
        }),
        Event::Screening {
            screening,
            capacity,
            removed,
        } => Wire::ScreeningChanged(v1::ScreeningChanged {
            screening: screening.id.to_string(),
            movie: screening.movie.to_string(),
            start_time: Some(timestamp(screening.starts_at)),
            capacity: small(*capacity),
            removed: *removed,
        }),
        Event::Denied {
            cell,
            reason,
            count,
        } => Wire::DemandDenied(v1::DemandDenied {
            cell: Some(cell_ref(cell)),
            reason: reason.as_str().to_owned(),
            count: *count,
        }),
    }
}

/// A booking that was made (`previous` is nothing) or changed, for the feed.
pub(crate) fn booking_event(
    it: &Booking,
    previous: Option<State>,
    items: &[Item],
) -> v1::feed_event::Event {
    v1::feed_event::Event::BookingChanged(booking_changed(it, previous, items))
}

fn booking_changed(it: &Booking, previous: Option<State>, items: &[Item]) -> v1::BookingChanged {
    let items = items.iter().map(|item| v1::BookingItem {
        cell: Some(cell_ref(&item.cell)),
        quantity: small(item.quantity),
        price: Some(amount(it.total.currency, item.price_minor)),
    });
    v1::BookingChanged {
        booking: it.id.to_string(),
        venue: it.venue.to_string(),
        previous_state: previous
            .map_or(v1::booking::State::Unspecified, state)
            .into(),
        state: state(it.recorded_state).into(),
        items: items.collect(),
        expire_time: it.expires_at.map(timestamp),
        total_price: Some(money(it.total)),
        kind: kind(it.kind).into(),
        payment_state: payment_state(&it.agreement.payment).into(),
        cancellation_fee: fee(it),
    }
}

fn cell_ref(cell: &CellRef) -> v1::CellRef {
    use v1::cell_ref::Cell;
    let cell = match cell {
        CellRef::Night { room_type, date } => Cell::Night(v1::NightCell {
            room_type: room_type.to_string(),
            date: date.to_string(),
        }),
        CellRef::Seat { screening, seat } => Cell::Seat(v1::SeatCell {
            screening: screening.to_string(),
            seat: seat.to_string(),
        }),
    };
    v1::CellRef { cell: Some(cell) }
}

/// A place in line as somebody sees it who looks at that time. `offer_expires_at`: when what is offered runs out.
pub(crate) fn wait_entry(
    it: &WaitEntry,
    offer_expires_at: Option<Timestamp>,
    now: Timestamp,
) -> v1::WaitlistEntry {
    use v1::waitlist_entry::{Claim as Waited, State as Wire};
    let claim = match &it.ask {
        Ask::Claim(Claim::Stay(it)) => Some(Waited::Stay(stay(it))),
        Ask::Claim(Claim::Seats(_)) => None,
        Ask::Best(best) => Some(Waited::Seats(v1::WaitedSeats {
            screening: best.screening.to_string(),
            best: Some(v1::BestSeats {
                count: i32::try_from(best.wish.count).unwrap_or(i32::MAX),
                category: best.wish.category.clone().unwrap_or_default(),
                accessible: best.wish.accessible,
            }),
        })),
    };
    let state = match it.state_at(now) {
        // It runs out for everybody who looks, whether or not it has been tidied up yet.
        EntryState::Offered if offer_expires_at.is_some_and(|at| at <= now) => Wire::Left,
        EntryState::Waiting => Wire::Waiting,
        EntryState::Offered => Wire::Offered,
        EntryState::Served => Wire::Served,
        EntryState::Left => Wire::Left,
        EntryState::Over => Wire::Over,
    };
    v1::WaitlistEntry {
        name: it.id.to_string(),
        state: state.into(),
        claim,
        offer: it.offer.map(|it| it.to_string()).unwrap_or_default(),
        offer_expire_time: offer_expires_at.map(timestamp),
        create_time: Some(timestamp(it.created_at)),
    }
}
