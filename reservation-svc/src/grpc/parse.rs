//! Messages of BookingService to commands: every limit of the contract is enforced here, all mistakes at once.

mod parts;

use banyan_proto::reservation::v1;
use tonic::Status;

use super::status;
use crate::{
    domain::{
        booking::Contact,
        name::{BookingId, EntryId},
        payment::Reference,
        request::RequestKey,
        violation::{Fault, Violation},
    },
    inventory::{Action, Hold},
};
use parts::{
    amount, block, both, contact, duration, known, no_claim, part, party, seats, stay, waited,
};
pub(super) use parts::{etag, request_key};

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

#[cfg(test)]
mod tests {
    use super::*;

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
