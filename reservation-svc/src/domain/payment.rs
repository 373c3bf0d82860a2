//! Payments: which one a booking was confirmed with, and what to do about money that comes for a hold that has run out.
//!
//! Banyan takes no money. Whoever does confirms a booking with the reference of the payment, and may do so again: the
//! same reference is the same success, however often a payment provider calls. Another reference would be a second
//! payment for the same thing and is refused. A booking that was confirmed without one takes the first that comes.
//!
//! The one way in which money can come too late is a hold that ran out while the guest paid. The seats may be another's
//! by then; so the booking stays expired and remembers that it is owed (REFUND_DUE). The refusal PAID_BUT_EXPIRED tells
//! the payer's side to pay it back, each time it asks.

use jiff::Timestamp;

use super::{
    booking::{Booking, State},
    refusal::{Denial, Reason},
    violation::{Fault, Violation},
};

/// Longest reference, in bytes.
const REFERENCE_BYTES_MAX: usize = 200;

/// A payment's reference: 1 to 200 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

impl Reference {
    /// The reference of that text.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=REFERENCE_BYTES_MAX).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        let description = format!("must be 1 to {REFERENCE_BYTES_MAX} visible ASCII characters");
        Err(Violation::new(
            "payment_reference",
            Fault::Format,
            description,
        ))
    }

    /// As given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a booking is paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Payment {
    /// Nothing is known.
    #[default]
    None,
    /// Under that reference.
    Paid(Reference),
    /// Paid under that reference for a hold that had run out: to be paid back.
    RefundDue(Reference),
}

impl Payment {
    /// UPPER_SNAKE_CASE, as stored.
    pub fn state(&self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Paid(_) => "PAID",
            Self::RefundDue(_) => "REFUND_DUE",
        }
    }

    /// Under which reference, if any.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::None => None,
            Self::Paid(reference) | Self::RefundDue(reference) => Some(reference),
        }
    }

    /// As stored.
    pub fn stored(state: &str, reference: Option<&str>) -> Option<Self> {
        let reference = reference.map(|text| Reference(text.to_owned()));
        match (state, reference) {
            ("NONE", None) => Some(Self::None),
            ("PAID", Some(reference)) => Some(Self::Paid(reference)),
            ("REFUND_DUE", Some(reference)) => Some(Self::RefundDue(reference)),
            _ => None,
        }
    }
}

/// What confirming a booking comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// It becomes confirmed, with that payment.
    Confirm(Payment),
    /// It is confirmed; that payment is new.
    Pay(Payment),
    /// It was confirmed with this very payment: the same success, and nothing changes.
    Repeat,
    /// It has run out: that payment is remembered, and the caller is refused.
    Owe(Payment, Denial),
}

/// Decides a confirmation of a booking.
pub fn confirm(
    booking: &Booking,
    now: Timestamp,
    etag: Option<&str>,
    reference: Option<&Reference>,
) -> Result<Confirmation, Denial> {
    let (state, payment) = (booking.state_at(now), &booking.agreement.payment);
    let Some(reference) = reference else {
        booking.confirmable(now, etag)?;
        return Ok(Confirmation::Confirm(payment.clone()));
    };
    match (state, payment.reference()) {
        (State::Held, None) => {
            booking.unchanged_since(etag)?;
            Ok(Confirmation::Confirm(Payment::Paid(reference.clone())))
        }
        (State::Confirmed | State::CheckedIn | State::Completed, None) => {
            booking.unchanged_since(etag)?;
            Ok(Confirmation::Pay(Payment::Paid(reference.clone())))
        }
        (State::Expired, None) => {
            let owed = Payment::RefundDue(reference.clone());
            Ok(Confirmation::Owe(owed, paid_but_expired(booking)))
        }
        // What a repetition saw before the first one has changed since, by that one: its etag is not asked for.
        (State::Confirmed | State::CheckedIn | State::Completed, Some(known))
            if known == reference =>
        {
            Ok(Confirmation::Repeat)
        }
        (State::Expired, Some(known)) if known == reference => Err(paid_but_expired(booking)),
        (State::Cancelled | State::NoShow, _) => Err(booking.wrong_state(state, "confirmed")),
        (_, Some(_)) => {
            let message = format!("{} is paid under another reference", booking.id);
            Err(Denial::new(Reason::PaymentReferenceMismatch, message))
        }
    }
}

fn paid_but_expired(booking: &Booking) -> Denial {
    let message = format!(
        "the hold of {} ran out before it was paid: pay it back",
        booking.id
    );
    Denial::new(Reason::PaidButExpired, message)
        .with("refund_minor", booking.total.minor)
        .with("currency_code", booking.total.currency)
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;
    use crate::domain::booking::tests::hold;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn booking(state: State, payment: &Payment) -> Booking {
        let mut booking = hold(NOW + 1.hours());
        booking.recorded_state = state;
        booking.agreement.payment = payment.clone();
        booking
    }

    fn reference(text: &str) -> Reference {
        Reference::parse(text).unwrap()
    }

    fn ask(state: State, payment: &Payment, text: Option<&str>) -> Result<Confirmation, Reason> {
        let reference = text.map(reference);
        let answer = confirm(&booking(state, payment), NOW, None, reference.as_ref());
        answer.map_err(|denial| denial.reason)
    }

    fn paid(text: &str) -> Payment {
        Payment::Paid(reference(text))
    }

    #[test]
    fn the_same_reference_is_the_same_success() {
        let confirmed = ask(State::Held, &Payment::None, Some("p1"));
        assert_eq!(confirmed, Ok(Confirmation::Confirm(paid("p1"))));
        for state in [State::Confirmed, State::CheckedIn, State::Completed] {
            assert_eq!(
                ask(state, &paid("p1"), Some("p1")),
                Ok(Confirmation::Repeat)
            );
            let other = ask(state, &paid("p1"), Some("p2"));
            assert_eq!(other, Err(Reason::PaymentReferenceMismatch));
            let first = ask(state, &Payment::None, Some("p1"));
            assert_eq!(first, Ok(Confirmation::Pay(paid("p1"))));
        }
    }

    #[test]
    fn without_a_reference_only_a_hold_is_confirmed() {
        let confirmed = ask(State::Held, &Payment::None, None);
        assert_eq!(confirmed, Ok(Confirmation::Confirm(Payment::None)));
        assert_eq!(
            ask(State::Confirmed, &Payment::None, None),
            Err(Reason::BookingState)
        );
        assert_eq!(
            ask(State::Expired, &Payment::None, None),
            Err(Reason::HoldExpired)
        );
    }

    #[test]
    fn money_for_a_hold_that_ran_out_is_owed() {
        let late = hold(NOW);
        let reference = reference("p1");
        let answer = confirm(&late, NOW, Some("old"), Some(&reference)).unwrap();
        let Confirmation::Owe(owed, denial) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(owed, Payment::RefundDue(reference));
        assert_eq!(denial.reason, Reason::PaidButExpired);
        assert_eq!(
            ask(State::Expired, &owed, Some("p1")),
            Err(Reason::PaidButExpired)
        );
        let other = ask(State::Expired, &owed, Some("p2"));
        assert_eq!(other, Err(Reason::PaymentReferenceMismatch));
    }

    #[test]
    fn what_was_given_back_is_not_confirmed() {
        for state in [State::Cancelled, State::NoShow] {
            for payment in [Payment::None, paid("p1")] {
                assert_eq!(ask(state, &payment, Some("p1")), Err(Reason::BookingState));
            }
        }
    }

    #[test]
    fn an_old_etag_confirms_nothing_new() {
        let held = booking(State::Held, &Payment::None);
        let answer = confirm(&held, NOW, Some("0"), Some(&reference("p1")));
        assert_eq!(answer.unwrap_err().reason, Reason::EtagMismatch);
    }

    #[test]
    fn references_and_payments_survive_being_stored() {
        for payment in [Payment::None, paid("p"), Payment::RefundDue(reference("p"))] {
            let text = payment.reference().map(Reference::as_str);
            assert_eq!(
                Payment::stored(payment.state(), text),
                Some(payment.clone())
            );
        }
        assert_eq!(Payment::stored("PAID", None), None);
        for wrong in ["", "a b", "ж", &"x".repeat(201)] {
            assert_eq!(
                Reference::parse(wrong).unwrap_err().field,
                "payment_reference"
            );
        }
    }
}
