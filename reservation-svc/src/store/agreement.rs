//! What goes with a booking, as one text of its row: JSON with what is there and nothing else, so that whoever looks at
//! the database can read it. Fields are only ever added.

use serde::{Deserialize, Serialize};

use super::{StoreError, bookings::booking_id, rows::timestamp};
use crate::domain::{
    agreement::Agreement,
    cancellation::{Fee, Terms},
    payment::Payment,
    sale::Party,
};

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Stored {
    #[serde(skip_serializing_if = "Option::is_none")]
    adults: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    children: Option<i64>,
    /// Microseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    free_until: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_percent: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_nights: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_minor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<String>,
}

/// As it is stored: nothing where nothing goes with the booking.
pub(super) fn to_text(it: &Agreement) -> Option<String> {
    if *it == Agreement::default() {
        return None;
    }
    let reference = it.payment.reference();
    let stored = Stored {
        adults: it.party.map(|party| party.adults),
        children: it.party.map(|party| party.children),
        free_until: it.terms.free_until.map(|until| until.as_microsecond()),
        fee_percent: match it.terms.fee {
            Fee::Percent(percent) => Some(percent),
            _ => None,
        },
        fee_nights: match it.terms.fee {
            Fee::Nights(nights) => Some(nights),
            _ => None,
        },
        fee_minor: (it.fee_minor != 0).then_some(it.fee_minor),
        payment_state: reference.map(|_| it.payment.state().to_owned()),
        payment_reference: reference.map(|it| it.as_str().to_owned()),
        block: it.block.map(|block| block.0.to_string()),
    };
    // Numbers and texts under fixed names: there is nothing in it that JSON cannot say.
    serde_json::to_string(&stored).ok()
}

/// As it was stored.
pub(super) fn from_text(text: Option<&str>) -> Result<Agreement, StoreError> {
    let Some(text) = text else {
        return Ok(Agreement::default());
    };
    let wrong = || StoreError::corrupt("agreement", text);
    let stored: Stored = serde_json::from_str(text).map_err(|_| wrong())?;
    let state = stored.payment_state.as_deref().unwrap_or("NONE");
    let payment = Payment::stored(state, stored.payment_reference.as_deref());
    Ok(Agreement {
        party: stored.adults.map(|adults| Party {
            adults,
            children: stored.children.unwrap_or(0),
        }),
        terms: Terms {
            free_until: stored.free_until.map(timestamp).transpose()?,
            fee: match (stored.fee_percent, stored.fee_nights) {
                (Some(percent), _) => Fee::Percent(percent),
                (None, Some(nights)) => Fee::Nights(nights),
                (None, None) => Fee::None,
            },
        },
        fee_minor: stored.fee_minor.unwrap_or(0),
        payment: payment.ok_or_else(wrong)?,
        block: stored.block.as_deref().map(booking_id).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::{name::BookingId, payment::Reference};

    #[test]
    fn nothing_is_stored_of_nothing() {
        assert_eq!(to_text(&Agreement::default()), None);
        assert_eq!(from_text(None).unwrap(), Agreement::default());
        assert_eq!(from_text(Some("{}")).unwrap(), Agreement::default());
    }

    #[test]
    fn what_is_stored_is_what_was_agreed() {
        let reference = Reference::parse("p1").unwrap();
        let party = Party {
            adults: 2,
            children: 0,
        };
        for fee in [Fee::None, Fee::Percent(50), Fee::Nights(2)] {
            for payment in [
                Payment::None,
                Payment::Paid(reference.clone()),
                Payment::RefundDue(reference.clone()),
            ] {
                let agreement = Agreement {
                    party: Some(party),
                    terms: Terms {
                        free_until: Some(Timestamp::UNIX_EPOCH),
                        fee,
                    },
                    fee_minor: 3,
                    payment,
                    block: Some(BookingId(uuid::Uuid::from_u128(7))),
                };
                let text = to_text(&agreement).unwrap();
                assert_eq!(from_text(Some(&text)).unwrap(), agreement, "{text}");
            }
        }
    }

    #[test]
    fn an_unreadable_agreement_is_an_error() {
        for text in ["", "7", r#"{"payment_state":"PAID"}"#] {
            assert!(from_text(Some(text)).is_err(), "{text}");
        }
    }
}
