//! Messages of BookingService to commands: every limit of the contract is enforced here, all mistakes at once.

use banyan_proto::reservation::v1;
use jiff::SignedDuration;
use prost::Message;
use sha2::{Digest as _, Sha256};
use tonic::Status;

use super::status;
use crate::{
    domain::{
        booking::Contact,
        claim::{Ask, BestSeats, Claim, SeatSelection, Stay, Unknown, parse_seats},
        money::{Currency, Money},
        name::{BookingId, EntryId, NameError},
        payment::Reference,
        request::{REQUEST_ID_BYTES_MAX, RequestKey, is_request_id},
        sale::Party,
        seating::Wish,
        violation::{Fault, Violation},
    },
    inventory::{Action, Hold, Part},
};

const HOLD_DEFAULT: SignedDuration = SignedDuration::from_mins(10);
const HOLD_MIN: SignedDuration = SignedDuration::from_secs(1);
const HOLD_MAX: SignedDuration = SignedDuration::from_mins(60);
/// Longest etag, in bytes; ours are far shorter.
const ETAG_BYTES_MAX: usize = 128;

/// What is asked for, or everything that is wrong with it.
type Parsed<T> = Result<T, Vec<Violation>>;
/// A claim, unless nothing can have the name of what is claimed.
type Known = Result<Ask, Unknown>;

/// A hold.
pub(super) fn hold(request: &v1::HoldBookingRequest) -> Result<(Hold, Option<RequestKey>), Status> {
    let claim = match &request.claim {
        None => Err(no_claim()),
        Some(v1::hold_booking_request::Claim::Stay(it)) => stay(it),
        Some(v1::hold_booking_request::Claim::Seats(it)) => seats(it),
    };
    let contact = request.contact.as_ref().map(contact).transpose();
    let duration = duration("hold_duration", request.hold_duration.as_ref());
    let key = request_key("HoldBooking", &request.request_id, request);
    let shown = amount(
        "expected_total_price",
        request.expected_total_price.as_ref(),
    );
    let terms = both(shown, both(party(request), block(&request.block)));
    let ((claim, contact), ((duration, key), (expected_total, (party, block)))) =
        both(both(claim, contact), both(both(duration, key), terms)).map_err(status::invalid)?;
    let hold = Hold {
        claim: known(claim)?,
        expected_total,
        party,
        block: match block {
            Some(Err(unknown)) => return Err(status::not_found(unknown.kind, vec![unknown.name])),
            Some(Ok(block)) => Some(block),
            None => None,
        },
        contact,
        duration,
        confirm: false,
        sells_started: false,
    };
    Ok((hold, key))
}

/// The block to take rooms from, unless no booking can have its name.
fn block(name: &str) -> Parsed<Option<Result<BookingId, Unknown>>> {
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

/// The end of any booking, by whoever runs the venue.
pub(super) fn release(
    booking: BookingId,
    request: &v1::ReleaseBookingRequest,
) -> Result<(Action, Option<RequestKey>), Status> {
    let key = request_key("ReleaseBooking", &request.request_id, request);
    let (etag, key) = both(etag(&request.etag), key).map_err(status::invalid)?;
    Ok((Action::Release { booking, etag }, key))
}

/// A confirmation.
pub(super) fn confirm(
    booking: BookingId,
    request: &v1::ConfirmBookingRequest,
) -> Result<(Action, Option<RequestKey>), Status> {
    let key = request_key("ConfirmBooking", &request.request_id, request);
    let payment = match request.payment_reference.as_str() {
        "" => Ok(None),
        text => Reference::parse(text).map(Some).map_err(|it| vec![it]),
    };
    let ((etag, payment), key) =
        both(both(etag(&request.etag), payment), key).map_err(status::invalid)?;
    let action = Action::Confirm {
        booking,
        etag,
        payment,
    };
    Ok((action, key))
}

/// An extension of a hold.
pub(super) fn extend(
    booking: BookingId,
    request: &v1::ExtendHoldRequest,
) -> Result<(Action, Option<RequestKey>), Status> {
    let key = request_key("ExtendHold", &request.request_id, request);
    let by = duration("extension", request.extension.as_ref());
    let ((etag, by), key) = both(both(etag(&request.etag), by), key).map_err(status::invalid)?;
    Ok((Action::Extend { booking, etag, by }, key))
}

/// A cancellation.
pub(super) fn cancel(
    booking: BookingId,
    request: &v1::CancelBookingRequest,
) -> Result<(Action, Option<RequestKey>), Status> {
    let key = request_key("CancelBooking", &request.request_id, request);
    let fee = amount("accepted_fee", request.accepted_fee.as_ref());
    let ((etag, accepted_fee), key) =
        both(both(etag(&request.etag), fee), key).map_err(status::invalid)?;
    let action = Action::Cancel {
        booking,
        etag,
        accepted_fee,
    };
    Ok((action, key))
}

/// A cancellation of a part.
pub(super) fn cancel_items(
    booking: BookingId,
    request: &v1::CancelBookingItemsRequest,
) -> Result<(Action, Option<RequestKey>), Status> {
    let key = request_key("CancelBookingItems", &request.request_id, request);
    let fee = amount("accepted_fee", request.accepted_fee.as_ref());
    let ((part, etag), (accepted_fee, key)) =
        both(both(part(request), etag(&request.etag)), both(fee, key)).map_err(status::invalid)?;
    let action = Action::CancelItems {
        booking,
        etag,
        part,
        accepted_fee,
    };
    Ok((action, key))
}

/// A place in line: what it is for, and who to reach.
pub(super) fn join(
    request: &v1::JoinWaitlistRequest,
) -> Result<(Action, Option<RequestKey>), Status> {
    let ask = match &request.claim {
        None => Err(no_claim()),
        Some(v1::join_waitlist_request::Claim::Stay(it)) => stay(it),
        Some(v1::join_waitlist_request::Claim::Seats(it)) => waited(it),
    };
    let contact = request.contact.as_ref().map(contact).transpose();
    let key = request_key("JoinWaitlist", &request.request_id, request);
    let (ask, (contact, key)) = both(ask, both(contact, key)).map_err(status::invalid)?;
    let ask = known(ask)?;
    Ok((Action::Join { ask, contact }, key))
}

/// The end of a place in line.
pub(super) fn leave(
    entry: EntryId,
    request: &v1::LeaveWaitlistRequest,
) -> Result<(Action, Option<RequestKey>), Status> {
    let key = request_key("LeaveWaitlist", &request.request_id, request);
    Ok((Action::Leave { entry }, key.map_err(status::invalid)?))
}

fn waited(it: &v1::WaitedSeats) -> Parsed<Known> {
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

fn part(request: &v1::CancelBookingItemsRequest) -> Parsed<Part> {
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

/// A new contact and the etag seen.
pub(super) fn new_contact(
    request: &v1::UpdateContactRequest,
) -> Result<(Contact, Option<String>), Status> {
    let contact = match &request.contact {
        Some(it) => contact(it),
        None => Err(vec![Violation::new(
            "contact",
            Fault::Missing,
            "must be given",
        )]),
    };
    both(contact, etag(&request.etag)).map_err(status::invalid)
}

/// The move of a booking.
pub(super) fn exchange(
    booking: BookingId,
    request: &v1::MoveBookingRequest,
) -> Result<(Action, Option<RequestKey>), Status> {
    let claim = match &request.claim {
        None => Err(no_claim()),
        Some(v1::move_booking_request::Claim::Stay(it)) => stay(it),
        Some(v1::move_booking_request::Claim::Seats(it)) => seats(it),
    };
    let key = request_key("MoveBooking", &request.request_id, request);
    let shown = amount(
        "expected_total_price",
        request.expected_total_price.as_ref(),
    );
    let ((claim, expected_total), (etag, key)) =
        both(both(claim, shown), both(etag(&request.etag), key)).map_err(status::invalid)?;
    let action = Action::Move {
        booking,
        etag,
        claim: known(claim)?,
        expected_total,
    };
    Ok((action, key))
}

fn no_claim() -> Vec<Violation> {
    vec![Violation::new(
        "claim",
        Fault::Missing,
        "stay or seats must be given",
    )]
}

fn known(claim: Known) -> Result<Ask, Status> {
    claim.map_err(|it| status::not_found(it.kind, vec![it.name]))
}

fn stay(it: &v1::HotelStay) -> Parsed<Known> {
    let stay = Stay::parse(
        &it.room_type,
        &it.check_in_date,
        &it.check_out_date,
        it.rooms,
    );
    stay.map(|it| it.map(|stay| Claim::Stay(stay).into()))
        .map_err(|them| within("stay", them))
}

fn seats(it: &v1::SeatSelection) -> Parsed<Known> {
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

fn party(request: &v1::HoldBookingRequest) -> Parsed<Option<Party>> {
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
fn amount(field: &str, it: Option<&v1::Money>) -> Parsed<Option<Money>> {
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

fn contact(it: &v1::Contact) -> Parsed<Contact> {
    Contact::parse(&it.display_name, &it.email, &it.phone).map_err(|them| within("contact", them))
}

fn duration(field: &str, asked: Option<&prost_types::Duration>) -> Parsed<SignedDuration> {
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
pub(super) fn etag(seen: &str) -> Parsed<Option<String>> {
    if seen.len() > ETAG_BYTES_MAX {
        let description = format!("must be at most {ETAG_BYTES_MAX} bytes");
        return Err(vec![Violation::new("etag", Fault::Range, description)]);
    }
    Ok((!seen.is_empty()).then(|| seen.to_owned()))
}

/// The key of a request: its content is all of it as encoded, which for our messages (no maps) is one form only.
pub(super) fn request_key(
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

fn both<A, B>(a: Parsed<A>, b: Parsed<B>) -> Parsed<(A, B)> {
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

    #[test]
    fn all_mistakes_are_told_at_once() {
        let request = v1::HoldBookingRequest {
            contact: Some(v1::Contact {
                email: "nobody".into(),
                ..Default::default()
            }),
            hold_duration: Some(prost_types::Duration {
                seconds: 0,
                nanos: 0,
            }),
            request_id: "a b".into(),
            claim: None,
            ..v1::HoldBookingRequest::default()
        };
        let message = hold(&request).unwrap_err().message().to_owned();
        for field in ["claim", "contact.email", "hold_duration", "request_id"] {
            assert!(message.contains(field), "{message}");
        }
    }
}
