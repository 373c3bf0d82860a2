//! What the messages are made of: claims, contacts, amounts, durations, etags and request ids.

use banyan_proto::reservation::v1;
use jiff::SignedDuration;
use prost::Message;
use sha2::{Digest as _, Sha256};
use tonic::Status;

use crate::{
    domain::{
        booking::Contact,
        claim::{Ask, BestSeats, Claim, SeatSelection, Stay, Unknown, parse_seats},
        money::{Currency, Money},
        name::{BookingId, NameError},
        request::{REQUEST_ID_BYTES_MAX, RequestKey, is_request_id},
        sale::Party,
        seating::Wish,
        violation::{Fault, Violation},
    },
    grpc::status,
    inventory::Part,
};

const HOLD_DEFAULT: SignedDuration = SignedDuration::from_mins(10);
const HOLD_MIN: SignedDuration = SignedDuration::from_secs(1);
const HOLD_MAX: SignedDuration = SignedDuration::from_mins(60);
/// Longest etag, in bytes; ours are far shorter.
const ETAG_BYTES_MAX: usize = 128;

/// What is asked for, or everything that is wrong with it.
pub(super) type Parsed<T> = Result<T, Vec<Violation>>;
/// A claim, unless nothing can have the name of what is claimed.
pub(super) type Known = Result<Ask, Unknown>;

/// The block to take rooms from, unless no booking can have its name.
pub(super) fn block(name: &str) -> Parsed<Option<Result<BookingId, Unknown>>> {
    match BookingId::parse(name) {
        _ if name.is_empty() => Ok(None),
        Ok(id) => Ok(Some(Ok(id))),
        Err(NameError::Unknown) => Ok(Some(Err(Unknown {
            kind: "reservation.banyan/Booking",
            name: name.to_owned(),
        }))),
        Err(error) => Err(vec![Violation::new(
            "block",
            Fault::Format,
            error.allowed(),
        )]),
    }
}

pub(super) fn waited(it: &v1::WaitedSeats) -> Parsed<Known> {
    if it.best.is_none() {
        let text = "must say how many";
        return Err(vec![Violation::new("seats.best", Fault::Missing, text)]);
    }
    seats(&v1::SeatSelection {
        screening: it.screening.clone(),
        best: it.best.clone(),
        ..v1::SeatSelection::default()
    })
}

pub(super) fn part(request: &v1::CancelBookingItemsRequest) -> Parsed<Part> {
    let wrong = |field: &str, fault, text: &str| Err(vec![Violation::new(field, fault, text)]);
    match (request.rooms, request.seats.as_slice()) {
        (0, []) => wrong("seats", Fault::Missing, "seats or rooms must be given"),
        (0, seats) => {
            let mut violations = Vec::new();
            let seats = parse_seats(seats, &mut violations);
            match violations.is_empty() {
                true => Ok(Part::Seats(seats)),
                false => Err(violations),
            }
        }
        (1.., []) => Ok(Part::Rooms(request.rooms.into())),
        (1.., _) => wrong("rooms", Fault::Range, "must be 0 where seats are given"),
        _ => wrong("rooms", Fault::Range, "must not be negative"),
    }
}

pub(super) fn no_claim() -> Vec<Violation> {
    vec![Violation::new(
        "claim",
        Fault::Missing,
        "stay or seats must be given",
    )]
}

pub(super) fn known(claim: Known) -> Result<Ask, Status> {
    claim.map_err(|it| status::not_found(it.kind, vec![it.name]))
}

pub(super) fn stay(it: &v1::HotelStay) -> Parsed<Known> {
    let stay = Stay::parse(
        &it.room_type,
        &it.check_in_date,
        &it.check_out_date,
        it.rooms,
    );
    stay.map(|it| it.map(|stay| Claim::Stay(stay).into()))
        .map_err(|them| within("stay", them))
}

pub(super) fn seats(it: &v1::SeatSelection) -> Parsed<Known> {
    let Some(best) = &it.best else {
        let seats = SeatSelection::parse(&it.screening, &it.seats);
        return seats
            .map(|it| it.map(|seats| Claim::Seats(seats).into()))
            .map_err(|them| within("seats", them));
    };
    let wish = Wish::parse(best.count, &best.category, best.accessible);
    let mut best = BestSeats::parse(&it.screening, wish.map_err(|it| it.within("best")));
    if !it.seats.is_empty() {
        let none = Violation::new("seats", Fault::Range, "must be empty where best is given");
        best = Err(best.err().into_iter().flatten().chain([none]).collect());
    }
    best.map(|it| it.map(Ask::Best))
        .map_err(|them| within("seats", them))
}

pub(super) fn party(request: &v1::HoldBookingRequest) -> Parsed<Option<Party>> {
    use v1::hold_booking_request::Claim::Seats;
    match (&request.party, &request.claim) {
        (None, _) => Ok(None),
        (Some(_), Some(Seats(_))) => {
            let description = "must not be given with seats";
            Err(vec![Violation::new("party", Fault::Range, description)])
        }
        (Some(it), _) => Party::parse(it.adults, it.children)
            .map(Some)
            .map_err(|them| within("party", them)),
    }
}

/// An amount that the caller names, if any; whether it is of the right currency turns out later.
pub(super) fn amount(field: &str, it: Option<&v1::Money>) -> Parsed<Option<Money>> {
    let Some(it) = it else { return Ok(None) };
    let Some(currency) = Currency::parse(&it.currency_code) else {
        let field = format!("{field}.currency_code");
        let description = "must be an ISO 4217 code such as EUR";
        return Err(vec![Violation::new(field, Fault::Format, description)]);
    };
    if it.amount_minor < 0 {
        let field = format!("{field}.amount_minor");
        let description = "must not be negative";
        return Err(vec![Violation::new(field, Fault::Range, description)]);
    }
    Ok(Some(Money::new(currency, it.amount_minor)))
}

pub(super) fn contact(it: &v1::Contact) -> Parsed<Contact> {
    Contact::parse(&it.display_name, &it.email, &it.phone).map_err(|them| within("contact", them))
}

pub(super) fn duration(
    field: &str,
    asked: Option<&prost_types::Duration>,
) -> Parsed<SignedDuration> {
    let Some(asked) = asked else {
        return Ok(HOLD_DEFAULT);
    };
    let sound = asked.nanos.unsigned_abs() < 1_000_000_000
        && (asked.seconds == 0 || asked.nanos == 0 || (asked.seconds < 0) == (asked.nanos < 0));
    let duration = SignedDuration::new(
        asked.seconds.clamp(-315_576_000_000, 315_576_000_000),
        asked.nanos % 1_000_000_000,
    );
    if sound && (HOLD_MIN..=HOLD_MAX).contains(&duration) {
        Ok(duration)
    } else {
        let description = "must be 1 second to 60 minutes";
        Err(vec![Violation::new(field, Fault::Range, description)])
    }
}

/// An etag that the caller has seen, if any.
pub(in crate::grpc) fn etag(seen: &str) -> Parsed<Option<String>> {
    if seen.len() > ETAG_BYTES_MAX {
        let description = format!("must be at most {ETAG_BYTES_MAX} bytes");
        return Err(vec![Violation::new("etag", Fault::Range, description)]);
    }
    Ok((!seen.is_empty()).then(|| seen.to_owned()))
}

/// The key of a request: its content is all of it as encoded, which for our messages (no maps) is one form only.
pub(in crate::grpc) fn request_key(
    method: &'static str,
    id: &str,
    request: &impl Message,
) -> Parsed<Option<RequestKey>> {
    if id.is_empty() {
        return Ok(None);
    }
    if !is_request_id(id) {
        let description = format!("must be 1 to {REQUEST_ID_BYTES_MAX} visible ASCII characters");
        return Err(vec![Violation::new(
            "request_id",
            Fault::Format,
            description,
        )]);
    }
    Ok(Some(RequestKey {
        method,
        id: id.to_owned(),
        fingerprint: Sha256::digest(request.encode_to_vec()).into(),
    }))
}

fn within(parent: &str, violations: Vec<Violation>) -> Vec<Violation> {
    violations.into_iter().map(|it| it.within(parent)).collect()
}

pub(super) fn both<A, B>(a: Parsed<A>, b: Parsed<B>) -> Parsed<(A, B)> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(mut a), Err(b)) => {
            a.extend(b);
            Err(a)
        }
        (Err(them), Ok(_)) | (Ok(_), Err(them)) => Err(them),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_last_1_second_to_60_minutes() {
        let of =
            |seconds, nanos| duration("extension", Some(&prost_types::Duration { seconds, nanos }));
        assert_eq!(duration("extension", None), Ok(HOLD_DEFAULT));
        assert_eq!(of(1, 0), Ok(HOLD_MIN));
        assert_eq!(of(3_600, 0), Ok(HOLD_MAX));
        for (seconds, nanos) in [
            (0, 0),
            (0, 999_999_999),
            (3_600, 1),
            (-1, 0),
            (1, -1),
            (2, i32::MAX),
            (i64::MAX, 0),
            (i64::MIN, i32::MIN),
        ] {
            assert!(of(seconds, nanos).is_err(), "{seconds} {nanos}");
        }
    }

    #[test]
    fn another_content_is_another_fingerprint() {
        let of = |request: &v1::ConfirmBookingRequest| {
            request_key("ConfirmBooking", "id", request)
                .unwrap()
                .unwrap()
        };
        let mut request = v1::ConfirmBookingRequest {
            name: "bookings/a".into(),
            ..Default::default()
        };
        let first = of(&request);
        assert_eq!(of(&request), first);
        request.etag = "1".into();
        assert_ne!(of(&request).fingerprint, first.fingerprint);
    }

    #[test]
    fn request_ids_are_visible_ascii() {
        let of = |id: &str| request_key("M", id, &v1::GetBookingRequest::default());
        assert_eq!(of(""), Ok(None));
        assert!(of(&"a".repeat(128)).is_ok());
        for id in ["a b", "\u{e9}", "a\n", &"a".repeat(129)] {
            assert!(of(id).is_err(), "{id}");
        }
    }
}
