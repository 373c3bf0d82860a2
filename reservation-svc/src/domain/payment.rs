//! Payments: which one a booking was confirmed with, and what to do about money that comes for a hold that has run out.
//!
//! Banyan takes no money. Whoever does confirms a booking with the reference of the payment, and may do so again: the
//! same reference is the same success, however often a payment provider calls. Another reference would be a second
//! payment for the same thing and is refused. A booking that was confirmed without one takes the first that comes.
//!
//! Money comes too late if, while the guest paid, the hold ran out, its screening started, its stay was over, or the
//! booking was cancelled by whoever may. The seats may be another's by then; so the booking stays what it is, a hold that can
//! no longer be confirmed ends, and it remembers that it is owed (REFUND_DUE). The refusal PAID_BUT_EXPIRED tells the
//! payer's side to pay it back, each time it asks. Who never came has no money to get back.

use jiff::{Timestamp, civil::Date};

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
    /// Paid under that reference when it was too late: to be paid back.
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
    /// It is too late: that payment is remembered, a hold ends, and the caller is refused.
    Owe(Payment, Denial),
}

/// Decides a confirmation of a booking. `today` is the day at the venue.
pub fn confirm(
    booking: &Booking,
    now: Timestamp,
    today: Date,
    etag: Option<&str>,
    reference: Option<&Reference>,
) -> Result<Confirmation, Denial> {
    let (state, payment) = (booking.state_at(now), &booking.agreement.payment);
    let Some(reference) = reference else {
        booking.confirmable(now, etag)?;
        booking.ahead(now, today, "confirmed")?;
        return Ok(Confirmation::Confirm(payment.clone()));
    };
    match (state, payment.reference()) {
        (State::Held, None) if booking.ahead(now, today, "confirmed").is_ok() => {
            booking.unchanged_since(etag)?;
            Ok(Confirmation::Confirm(Payment::Paid(reference.clone())))
        }
        (State::Confirmed | State::CheckedIn | State::Completed, None) => {
            booking.unchanged_since(etag)?;
            Ok(Confirmation::Pay(Payment::Paid(reference.clone())))
        }
        (State::Held | State::Expired | State::Cancelled, None) => {
            let owed = Payment::RefundDue(reference.clone());
            Ok(Confirmation::Owe(owed, paid_too_late(booking, state)))
        }
        // What a repetition saw before the first one has changed since, by that one: its etag is not asked for.
        (State::Confirmed | State::CheckedIn | State::Completed, Some(known))
            if known == reference =>
        {
            Ok(Confirmation::Repeat)
        }
        (State::Expired | State::Cancelled, Some(known))
            if known == reference && matches!(payment, Payment::RefundDue(_)) =>
        {
            Err(paid_too_late(booking, state))
        }
        (State::Cancelled, Some(_)) if matches!(payment, Payment::Paid(_)) => {
            Err(booking.wrong_state(state, "confirmed"))
        }
        (State::NoShow, _) => Err(booking.wrong_state(state, "confirmed")),
        (_, Some(_)) => {
            let message = format!("{} is paid under another reference", booking.id);
            Err(Denial::new(Reason::PaymentReferenceMismatch, message))
        }
    }
}

/// All of it is paid back but for what cancelling has cost.
fn paid_too_late(booking: &Booking, state: State) -> Denial {
    let id = booking.id;
    let message = match state {
        State::Cancelled => format!("{id} was cancelled before it was paid: pay it back"),
        State::Held => format!("{id} could no longer be confirmed when it was paid: pay it back"),
        _ => format!("the hold of {id} ran out before it was paid: pay it back"),
    };
    let refund = booking.total.minor - booking.agreement.fee_minor;
    Denial::new(Reason::PaidButExpired, message)
        .with("refund_minor", refund.max(0))
        .with("currency_code", booking.total.currency)
}

#[cfg(test)]
mod tests {
    use jiff::{ToSpan as _, civil::date};

    use super::*;
    use crate::domain::booking::tests::hold;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    /// Before the stay.
    const TODAY: Date = date(1970, 1, 1);

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
        let booking = booking(state, payment);
        let answer = confirm(&booking, NOW, TODAY, None, reference.as_ref());
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
        let answer = confirm(&late, NOW, TODAY, Some("old"), Some(&reference)).unwrap();
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
    fn money_for_what_has_begun_or_was_cancelled_is_owed() {
        let (reference, owed) = (reference("p1"), Payment::RefundDue(reference("p1")));
        let over = date(2026, 1, 2);
        let held = booking(State::Held, &Payment::None);
        let unpaid = confirm(&held, NOW, over, None, None).unwrap_err();
        assert_eq!(unpaid.reason, Reason::BookingState);
        let mut cancelled = booking(State::Cancelled, &Payment::None);
        cancelled.total.minor = 500;
        cancelled.agreement.fee_minor = 150;
        for (late, refund) in [(held, "1"), (cancelled, "350")] {
            let answer = confirm(&late, NOW, over, None, Some(&reference)).unwrap();
            let Confirmation::Owe(payment, denial) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!(payment, owed);
            assert_eq!(denial.reason, Reason::PaidButExpired);
            assert_eq!(denial.details[0], ("refund_minor", refund.into()));
        }
        let again = ask(State::Cancelled, &owed, Some("p1"));
        assert_eq!(again, Err(Reason::PaidButExpired));
        let other = ask(State::Cancelled, &owed, Some("p2"));
        assert_eq!(other, Err(Reason::PaymentReferenceMismatch));
    }

    #[test]
    fn what_was_paid_before_it_was_given_back_is_not_confirmed() {
        for (state, payment) in [
            (State::Cancelled, paid("p1")),
            (State::NoShow, paid("p1")),
            (State::NoShow, Payment::None),
        ] {
            assert_eq!(ask(state, &payment, Some("p1")), Err(Reason::BookingState));
        }
    }

    #[test]
    fn an_old_etag_confirms_nothing_new() {
        let held = booking(State::Held, &Payment::None);
        let answer = confirm(&held, NOW, TODAY, Some("0"), Some(&reference("p1")));
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
