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
        claim::{Claim, SeatSelection, Stay, Unknown},
        request::{REQUEST_ID_BYTES_MAX, RequestKey, is_request_id},
        violation::{Fault, Violation},
    },
    inventory::Hold,
};

const HOLD_DEFAULT: SignedDuration = SignedDuration::from_mins(10);
const HOLD_MIN: SignedDuration = SignedDuration::from_secs(1);
const HOLD_MAX: SignedDuration = SignedDuration::from_mins(60);
/// Longest etag, in bytes; ours are far shorter.
const ETAG_BYTES_MAX: usize = 128;

/// What is asked for, or everything that is wrong with it.
type Parsed<T> = Result<T, Vec<Violation>>;
/// A claim, unless nothing can have the name of what is claimed.
type Known = Result<Claim, Unknown>;

/// A hold.
pub(super) fn hold(request: &v1::HoldBookingRequest) -> Result<(Hold, Option<RequestKey>), Status> {
    let claim = match &request.claim {
        None => Err(no_claim()),
        Some(v1::hold_booking_request::Claim::Stay(it)) => stay(it),
        Some(v1::hold_booking_request::Claim::Seats(it)) => seats(it),
    };
    let contact = request.contact.as_ref().map(contact).transpose();
    let duration = duration(request.hold_duration.as_ref());
    let key = request_key("HoldBooking", &request.request_id, request);
    let ((claim, contact), (duration, key)) =
        both(both(claim, contact), both(duration, key)).map_err(status::invalid)?;
    let hold = Hold {
        claim: known(claim)?,
        contact,
        duration,
        confirm: false,
        sells_started: false,
    };
    Ok((hold, key))
}

/// The claim that a booking is moved to, the etag seen and the request id.
pub(super) fn exchange(
    request: &v1::MoveBookingRequest,
) -> Result<(Claim, Option<String>, Option<RequestKey>), Status> {
    let claim = match &request.claim {
        None => Err(no_claim()),
        Some(v1::move_booking_request::Claim::Stay(it)) => stay(it),
        Some(v1::move_booking_request::Claim::Seats(it)) => seats(it),
    };
    let key = request_key("MoveBooking", &request.request_id, request);
    let (claim, (etag, key)) =
        both(claim, both(etag(&request.etag), key)).map_err(status::invalid)?;
    Ok((known(claim)?, etag, key))
}

/// The etag seen and the request id of a method that needs no more than a name.
pub(super) fn simple(
    method: &'static str,
    seen: &str,
    request_id: &str,
    request: &impl Message,
) -> Result<(Option<String>, Option<RequestKey>), Status> {
    both(etag(seen), request_key(method, request_id, request)).map_err(status::invalid)
}

fn no_claim() -> Vec<Violation> {
    vec![Violation::new(
        "claim",
        Fault::Missing,
        "stay or seats must be given",
    )]
}

fn known(claim: Known) -> Result<Claim, Status> {
    claim.map_err(|it| status::not_found(it.kind, vec![it.name]))
}

fn stay(it: &v1::HotelStay) -> Parsed<Known> {
    let stay = Stay::parse(
        &it.room_type,
        &it.check_in_date,
        &it.check_out_date,
        it.rooms,
    );
    stay.map(|it| it.map(Claim::Stay))
        .map_err(|them| within("stay", them))
}

fn seats(it: &v1::SeatSelection) -> Parsed<Known> {
    let seats = SeatSelection::parse(&it.screening, &it.seats);
    seats
        .map(|it| it.map(Claim::Seats))
        .map_err(|them| within("seats", them))
}

fn contact(it: &v1::Contact) -> Parsed<Contact> {
    Contact::parse(&it.display_name, &it.email, &it.phone).map_err(|them| within("contact", them))
}

fn duration(asked: Option<&prost_types::Duration>) -> Parsed<SignedDuration> {
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
        Err(vec![Violation::new(
            "hold_duration",
            Fault::Range,
            description,
        )])
    }
}

fn etag(seen: &str) -> Parsed<Option<String>> {
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
        let of = |seconds, nanos| duration(Some(&prost_types::Duration { seconds, nanos }));
        assert_eq!(duration(None), Ok(HOLD_DEFAULT));
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
