//! Answers kept under request ids (AIP-155): a repetition gets the same one, for [`KEPT`].
//!
//! Kept are decisions, refusals among them, in the transaction that made them; never a failure or a mistake in the
//! request, which may go better next time. The contact of a booking is not kept twice: it is put back from where it
//! can be erased.

use banyan_proto::reservation::v1;
use jiff::SignedDuration;
use prost::Message;

use super::{
    command::{Command, Outcome, Position},
    commit::Commit,
    decide,
    rejection::{Refusal, Rejection, Unmet},
};
use crate::{
    domain::{name::BookingId, refusal::Reason},
    store::StoreError,
    wire,
};

/// How long at least.
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(48);

/// The answer that this command was given before, or a refusal if its request id was used for something else.
pub(super) async fn find(
    commit: &Commit,
    command: &Command,
) -> Result<Option<Result<Outcome, Rejection>>, StoreError> {
    let Some(request) = &command.request else {
        return Ok(None);
    };
    let Some(kept) = commit.write.answer(&command.principal, request).await? else {
        return Ok(None);
    };
    if kept.fingerprint != request.fingerprint {
        return Ok(Some(Err(Rejection::Refused(decide::reused(commit)))));
    }
    let mut answer = decode(&kept.answer)?;
    if let (Ok(outcome), Some(id)) = (&mut answer, kept.booking) {
        outcome.booking.contact = commit.write.contact(id).await?.as_ref().map(wire::contact);
    }
    Ok(Some(answer.map_err(Rejection::Refused)))
}

/// Keeps what was decided.
pub(super) async fn keep(
    commit: &Commit,
    command: &Command,
    result: &Result<Outcome, Refusal>,
) -> Result<(), StoreError> {
    let Some(request) = &command.request else {
        return Ok(());
    };
    let booking = result
        .as_ref()
        .ok()
        .and_then(|it| BookingId::parse(&it.booking.name).ok());
    let answer = encode(result);
    commit
        .write
        .insert_answer(&command.principal, request, booking, answer, commit.now)
        .await
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

fn encode(result: &Result<Outcome, Refusal>) -> Vec<u8> {
    let position = |at: &Position| Some(wire::position(&at.incarnation, at.sequence));
    let kept = match result {
        Ok(outcome) => {
            let mut booking = outcome.booking.clone();
            booking.contact = None;
            Kept {
                booking: Some(booking),
                previous_total: outcome.previous_total.clone(),
                position: position(&outcome.position),
                item_ids: outcome.item_ids.clone(),
                ..Kept::default()
            }
        }
        Err(refusal) => Kept {
            position: position(&refusal.position),
            reason: refusal.reason.as_str().to_owned(),
            message: refusal.message.clone(),
            unmet: refusal.unmet.iter().cloned().map(KeptUnmet::from).collect(),
            details: details(&refusal.details),
            ..Kept::default()
        },
    };
    kept.encode_to_vec()
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
    if let Some(booking) = kept.booking {
        return Ok(Ok(Outcome {
            booking,
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
            previous_total: Some(v1::Money {
                currency_code: "EUR".into(),
                amount_minor: 1,
            }),
            position: position.clone(),
            item_ids: vec![1, 2],
        };
        let kept = decode(&encode(&Ok(outcome.clone()))).unwrap();
        outcome.booking.contact = None;
        assert_eq!(kept, Ok(outcome));

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
            decode(&encode(&Err(refusal.clone()))).unwrap(),
            Err(refusal)
        );
    }
}
