//! Answers kept under request ids (AIP-155): a repetition gets the same one, for as long as they are kept.
//!
//! Kept are decisions, refusals among them, in the transaction that made them; never a failure or a mistake in the
//! request, which may go better next time. The contact of a booking is not kept twice: it is put back from where it
//! can be erased.

use std::collections::HashMap;

use banyan_proto::reservation::v1;
use prost::Message;

use super::{
    command::{Command, Outcome, Position},
    ledger::Ledger,
    rejection::{Refusal, Rejection, Unmet},
};
use crate::{
    domain::{
        name::BookingId,
        refusal::{Denial, Reason},
    },
    store::{AnswerKey, NewAnswer, StoreError, StoredAnswer},
    wire,
};

/// The answers that a batch knows of: those given before, and those that it has given itself.
#[derive(Default)]
pub(super) struct Answers {
    known: HashMap<AnswerKey, Answered>,
}

struct Answered {
    fingerprint: [u8; 32],
    booking: Option<BookingId>,
    bytes: Vec<u8>,
    is_new: bool,
}

impl Answers {
    /// Adds one given before.
    pub(super) fn add_stored(
        &mut self,
        key: AnswerKey,
        stored: StoredAnswer,
    ) -> Result<(), StoreError> {
        let fingerprint = <[u8; 32]>::try_from(stored.fingerprint)
            .map_err(|_| StoreError::corrupt("fingerprint", &key.id))?;
        let answered = Answered {
            fingerprint,
            booking: stored.booking,
            bytes: stored.answer,
            is_new: false,
        };
        self.known.insert(key, answered);
        Ok(())
    }

    /// Those to be kept.
    pub(super) fn into_new(self) -> Vec<NewAnswer> {
        let new = self.known.into_iter().filter(|(_, it)| it.is_new);
        let answer = |(key, it): (_, Answered)| NewAnswer {
            key,
            fingerprint: it.fingerprint,
            booking: it.booking,
            answer: it.bytes,
        };
        new.map(answer).collect()
    }
}

/// Under what a command's answer is kept, if it has a request id.
pub(super) fn key(command: &Command) -> Option<AnswerKey> {
    let request = command.request.as_ref()?;
    Some(AnswerKey {
        principal: command.principal.as_str().to_owned(),
        method: request.method.to_owned(),
        id: request.id.clone(),
    })
}

/// The answer that this request was given before, or a refusal if its id was used for something else.
pub(super) fn find(
    ledger: &mut Ledger,
    key: &AnswerKey,
    fingerprint: &[u8; 32],
) -> Option<Result<Outcome, Rejection>> {
    let kept = ledger.answers.known.get(key)?;
    if kept.fingerprint != *fingerprint {
        let message = "the request id was used for another request";
        let denial = Denial::new(Reason::RequestIdReused, message);
        return Some(Err(Rejection::Refused(ledger.refuse(denial))));
    }
    let mut answer = match decode(&kept.bytes) {
        Ok(answer) => answer,
        Err(error) => return Some(Err(error.into())),
    };
    // Kept under the incarnation that it was given under, and told under the present one.
    let position = match &mut answer {
        Ok(outcome) => &mut outcome.position,
        Err(refusal) => &mut refusal.position,
    };
    position.incarnation.clone_from(&ledger.head.incarnation);
    if let (Ok(outcome), Some(id)) = (&mut answer, kept.booking) {
        outcome.booking.contact = ledger.contact(id).map(wire::contact);
    }
    Some(answer.map_err(Rejection::Refused))
}

/// Keeps what was decided; the result stays as it was.
pub(super) fn keep(
    ledger: &mut Ledger,
    key: AnswerKey,
    fingerprint: [u8; 32],
    result: &mut Result<Outcome, Refusal>,
) {
    let booking = result
        .as_ref()
        .ok()
        .and_then(|it| BookingId::parse(&it.booking.name).ok());
    let answered = Answered {
        fingerprint,
        booking,
        bytes: encode(result),
        is_new: true,
    };
    ledger.answers.known.insert(key, answered);
}

/// How an answer is stored. Field numbers are for ever: rows outlive an upgrade.
#[derive(Clone, PartialEq, Message)]
struct Kept {
    #[prost(message, optional, tag = "1")]
    booking: Option<v1::Booking>,
    #[prost(message, optional, tag = "2")]
    previous_total: Option<v1::Money>,
    #[prost(message, optional, tag = "3")]
    position: Option<v1::CommitPosition>,
    #[prost(int64, repeated, tag = "4")]
    item_ids: Vec<i64>,
    #[prost(string, tag = "5")]
    reason: String,
    #[prost(string, tag = "6")]
    message: String,
    #[prost(message, repeated, tag = "7")]
    unmet: Vec<KeptUnmet>,
    #[prost(message, repeated, tag = "8")]
    details: Vec<KeptDetail>,
    #[prost(message, optional, boxed, tag = "9")]
    entry: Option<Box<v1::WaitlistEntry>>,
}

#[derive(Clone, PartialEq, Message)]
struct KeptDetail {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct KeptUnmet {
    #[prost(string, tag = "1")]
    subject: String,
    #[prost(string, tag = "2")]
    label: String,
    #[prost(string, tag = "3")]
    description: String,
}

fn encode(result: &mut Result<Outcome, Refusal>) -> Vec<u8> {
    let position = |at: &Position| Some(wire::position(&at.incarnation, at.sequence));
    match result {
        Ok(outcome) => {
            // Lent rather than copied: an answer is the largest thing that a command makes.
            let contact = outcome.booking.contact.take();
            let mut kept = Kept {
                booking: match outcome.entry {
                    Some(_) => None,
                    None => Some(std::mem::take(&mut outcome.booking)),
                },
                entry: outcome.entry.take(),
                previous_total: outcome.previous_total.clone(),
                position: position(&outcome.position),
                item_ids: std::mem::take(&mut outcome.item_ids),
                ..Kept::default()
            };
            let encoded = kept.encode_to_vec();
            outcome.booking = kept.booking.take().unwrap_or_default();
            outcome.booking.contact = contact;
            outcome.entry = kept.entry;
            outcome.item_ids = kept.item_ids;
            encoded
        }
        Err(refusal) => {
            let kept = Kept {
                position: position(&refusal.position),
                reason: refusal.reason.as_str().to_owned(),
                message: refusal.message.clone(),
                unmet: refusal.unmet.iter().cloned().map(KeptUnmet::from).collect(),
                details: details(&refusal.details),
                ..Kept::default()
            };
            kept.encode_to_vec()
        }
    }
}

fn details(details: &[(String, String)]) -> Vec<KeptDetail> {
    let kept = |(key, value): &(String, String)| KeptDetail {
        key: key.clone(),
        value: value.clone(),
    };
    details.iter().map(kept).collect()
}

fn decode(bytes: &[u8]) -> Result<Result<Outcome, Refusal>, StoreError> {
    let kept = Kept::decode(bytes).map_err(|error| StoreError::corrupt("answer", error))?;
    let position = kept.position.unwrap_or_default();
    let position = Position {
        incarnation: position.incarnation,
        sequence: position.sequence,
    };
    if kept.booking.is_some() || kept.entry.is_some() {
        return Ok(Ok(Outcome {
            booking: kept.booking.unwrap_or_default(),
            entry: kept.entry,
            previous_total: kept.previous_total,
            position,
            item_ids: kept.item_ids,
        }));
    }
    let reason = Reason::parse(&kept.reason);
    Ok(Err(Refusal {
        reason: reason.ok_or_else(|| StoreError::corrupt("reason", &kept.reason))?,
        message: kept.message,
        unmet: kept.unmet.into_iter().map(Unmet::from).collect(),
        details: kept
            .details
            .into_iter()
            .map(|it| (it.key, it.value))
            .collect(),
        position,
    }))
}

impl From<Unmet> for KeptUnmet {
    fn from(it: Unmet) -> Self {
        Self {
            subject: it.subject,
            label: it.label,
            description: it.description,
        }
    }
}

impl From<KeptUnmet> for Unmet {
    fn from(it: KeptUnmet) -> Self {
        Self {
            subject: it.subject,
            label: it.label,
            description: it.description,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_survive_being_kept_but_for_the_contact() {
        let position = Position {
            incarnation: "i".into(),
            sequence: 3,
        };
        let mut outcome = Outcome {
            booking: v1::Booking {
                name: "bookings/x".into(),
                contact: Some(v1::Contact::default()),
                ..Default::default()
            },
            entry: None,
            previous_total: Some(v1::Money {
                currency_code: "EUR".into(),
                amount_minor: 1,
            }),
            position: position.clone(),
            item_ids: vec![1, 2],
        };
        let mut kept = Ok(outcome.clone());
        let bytes = encode(&mut kept);
        assert_eq!(kept, Ok(outcome.clone()), "lent, and given back");
        outcome.booking.contact = None;
        assert_eq!(decode(&bytes).unwrap(), Ok(outcome));

        let unmet = Unmet {
            subject: "s".into(),
            label: "l".into(),
            description: "d".into(),
        };
        let refusal = Refusal {
            reason: Reason::NotSold,
            message: "m".into(),
            unmet: vec![unmet],
            details: vec![("min_nights".into(), "3".into())],
            position,
        };
        assert_eq!(
            decode(&encode(&mut Err(refusal.clone()))).unwrap(),
            Err(refusal)
        );
    }
}
