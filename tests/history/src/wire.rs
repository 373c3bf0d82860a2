//! Records from the messages of the contracts, so that every client writes the same thing down in the same way. Only with
//! feature `wire`: the proof itself knows no protocol.
//!
//! Not everything that the contracts can say is a record: the model knows stays and named seats, not "the best seats",
//! operators' work or waitlists. What it does not know gives `None`, or [`Change::Other`] for an event.

use banyan_proto::{
    reservation::v1::{self, booking as wire_booking, cell_ref, feed_event},
    rpc,
};
use jiff::{ToSpan as _, civil::Date};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::record::{Answer, Booking, Change, Claim, Event, Granted, Position, Refused, State};

/// Holds are so long where the request does not say.
pub const DEFAULT_HOLD_MICROS: u64 = 600_000_000;

/// The cells of a stay; nothing for dates that cannot be.
pub fn stay(stay: &v1::HotelStay) -> Option<Vec<Claim>> {
    let check_in: Date = stay.check_in_date.parse().ok()?;
    let check_out: Date = stay.check_out_date.parse().ok()?;
    let rooms = u32::try_from(stay.rooms.max(1)).ok()?;
    let nights = check_in
        .series(1.day())
        .take_while(|night| *night < check_out);
    let claims =
        nights.map(|night| Claim::new(night_cell(&stay.room_type, &night.to_string()), rooms));
    Some(claims.collect())
}

/// The cells of named seats; nothing for the best seats, whichever they are.
pub fn seats(seats: &v1::SeatSelection) -> Option<Vec<Claim>> {
    let named = |seat: &String| Claim::new(seat_cell(&seats.screening, seat), 1);
    let claims = seats.seats.iter().map(named).collect();
    seats.best.is_none().then_some(claims)
}

/// What a night is called.
pub fn night_cell(room_type: &str, date: &str) -> String {
    format!("{room_type}/nights/{date}")
}

/// What a seat is called.
pub fn seat_cell(screening: &str, seat: &str) -> String {
    format!("{screening}/seats/{seat}")
}

/// What a granted call returned: the booking and the position of any response of BookingService.
pub fn granted(booking: &v1::Booking, position: Option<&v1::CommitPosition>) -> Option<Answer> {
    let decide_micros = micros(booking.update_time.as_ref()?);
    let state = state(booking.state())?;
    let claims = match booking.claim.as_ref()? {
        wire_booking::Claim::Stay(it) => stay(it)?,
        wire_booking::Claim::Seats(it) => seats(it)?,
    };
    let over = matches!(state, State::Cancelled | State::Expired);
    let granted = Granted {
        position: self::position(position?)?,
        booking: Booking {
            booking: booking.name.clone(),
            state,
            claims: if over { Vec::new() } else { claims },
            expire_micros: booking.expire_time.as_ref().map(micros),
            total_minor: booking.total_price.as_ref()?.amount_minor,
        },
        decide_micros,
    };
    Some(Answer::Granted(granted))
}

/// What a call that failed returned. Only what is known to be a decision is one, and only what is known to have done
/// nothing is [`Answer::NotDone`]: all else is unknown.
pub fn failed(status: &Status) -> Answer {
    let details = status.get_error_details();
    let Some(info) = details.error_info() else {
        return Answer::Unknown;
    };
    match (status.code(), info.reason.as_str()) {
        (Code::ResourceExhausted | Code::InvalidArgument, _)
        | (Code::Unavailable, "OVERLOADED" | "DATABASE_UNAVAILABLE" | "CLOCK_AHEAD") => {
            return Answer::NotDone;
        }
        (Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists | Code::NotFound, _) => {}
        _ => return Answer::Unknown,
    }
    let fact = |name: &str| {
        info.metadata
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    };
    let Ok(sequence) = fact("commit_sequence").parse() else {
        // A name that nothing can have is found wrong before anything is decided.
        return match status.code() {
            Code::NotFound => Answer::NotDone,
            _ => Answer::Unknown,
        };
    };
    let unmet = details
        .precondition_failure()
        .map(|it| it.violations.as_slice());
    let cells = unmet
        .unwrap_or_default()
        .iter()
        .filter(|it| it.r#type == "CELL");
    Answer::Refused(Refused {
        position: Position {
            sequence,
            incarnation: fact("incarnation").to_owned(),
        },
        reason: info.reason.clone(),
        cells: cells.map(|it| it.subject.clone()).collect(),
        cells_total: fact("cells").parse().unwrap_or(0),
    })
}

/// What became of one claim of a BatchHold.
pub fn batch_result(result: &v1::BatchHoldResult) -> Answer {
    use v1::batch_hold_result::Result;
    match &result.result {
        Some(Result::Response(it)) => it
            .booking
            .as_ref()
            .and_then(|booking| granted(booking, it.position.as_ref()))
            .unwrap_or(Answer::Unknown),
        Some(Result::Status(it)) => failed(&status(it)),
        None => Answer::Unknown,
    }
}

fn status(it: &rpc::Status) -> Status {
    let details = it.encode_to_vec();
    Status::with_details(Code::from(it.code), it.message.clone(), details.into())
}

/// An event of the feed; nothing for one that is damaged or in a state that the model does not know.
pub fn event(event: &v1::FeedEvent) -> Option<Event> {
    let change = match event.event.as_ref()? {
        feed_event::Event::BookingChanged(it) => Change::Booking {
            previous: state(it.previous_state()),
            now: changed(it)?,
        },
        _ => Change::Other,
    };
    Some(Event {
        position: position(event.position.as_ref()?)?,
        decide_micros: micros(event.decide_time.as_ref()?),
        change,
    })
}

fn changed(it: &v1::BookingChanged) -> Option<Booking> {
    let claim = |item: &v1::BookingItem| {
        let cell = match item.cell.as_ref()?.cell.as_ref()? {
            cell_ref::Cell::Night(it) => night_cell(&it.room_type, &it.date),
            cell_ref::Cell::Seat(it) => seat_cell(&it.screening, &it.seat),
        };
        Some(Claim::new(cell, u32::try_from(item.quantity).ok()?))
    };
    Some(Booking {
        booking: it.booking.clone(),
        state: state(it.state())?,
        claims: it.items.iter().map(claim).collect::<Option<_>>()?,
        expire_micros: it.expire_time.as_ref().map(micros),
        total_minor: it.total_price.as_ref()?.amount_minor,
    })
}

fn state(state: wire_booking::State) -> Option<State> {
    match state {
        wire_booking::State::Held => Some(State::Held),
        wire_booking::State::Confirmed => Some(State::Confirmed),
        wire_booking::State::Cancelled => Some(State::Cancelled),
        wire_booking::State::Expired => Some(State::Expired),
        _ => None,
    }
}

fn position(it: &v1::CommitPosition) -> Option<Position> {
    Some(Position {
        sequence: u64::try_from(it.sequence).ok()?,
        incarnation: it.incarnation.clone(),
    })
}

/// Microseconds since 1970, the resolution that is stored.
pub fn micros(time: &prost_types::Timestamp) -> i64 {
    time.seconds * 1_000_000 + i64::from(time.nanos / 1_000)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::{ErrorDetails, PreconditionViolation};

    use super::*;

    #[test]
    fn a_stay_is_its_nights() {
        let claims = stay(&v1::HotelStay {
            room_type: "hotels/a/roomTypes/b".into(),
            check_in_date: "2026-02-28".into(),
            check_out_date: "2026-03-02".into(),
            rooms: 0,
        });
        let night = |date: &str| Claim::new(format!("hotels/a/roomTypes/b/nights/{date}"), 1);
        assert_eq!(claims, Some(vec![night("2026-02-28"), night("2026-03-01")]));
    }

    #[test]
    fn a_refusal_needs_its_position_and_silence_proves_nothing() {
        let refused = |code, metadata: &[(&str, &str)]| {
            let metadata: HashMap<_, _> = metadata
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let mut details = ErrorDetails::with_error_info("CELL_UNAVAILABLE", "x", metadata);
            details.set_precondition_failure(vec![PreconditionViolation::new("CELL", "c", "")]);
            failed(&Status::with_error_details(code, "no", details))
        };
        let facts = [
            ("commit_sequence", "7"),
            ("incarnation", "i"),
            ("cells", "1"),
        ];
        let Answer::Refused(it) = refused(Code::FailedPrecondition, &facts) else {
            panic!("not refused")
        };
        assert_eq!((it.position.sequence, it.cells_total), (7, 1));
        assert_eq!(it.cells, ["c"]);
        assert_eq!(refused(Code::FailedPrecondition, &[]), Answer::Unknown);
        assert_eq!(refused(Code::Unavailable, &facts), Answer::Unknown);
        assert_eq!(refused(Code::ResourceExhausted, &[]), Answer::NotDone);
        assert_eq!(failed(&Status::unavailable("gone")), Answer::Unknown);
    }
}
