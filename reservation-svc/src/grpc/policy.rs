//! Cancellation policies as the contract has them.

use banyan_proto::reservation::v1;
use tonic::Status;

use super::status;
use crate::domain::{
    cancellation::{Fee, Policy},
    name::Venue,
    violation::{Fault, Violation},
};

/// The policy of a request for that venue: absent, cancelling is free. Fees in nights are for hotels only.
pub(super) fn parse(
    venue: &Venue,
    policy: Option<&v1::CancellationPolicy>,
) -> Result<Option<Policy>, Status> {
    use v1::cancellation_policy::Fee as Wire;
    let Some(policy) = policy else {
        return Ok(None);
    };
    let fee = match (&policy.fee, venue) {
        (None, _) => Ok(Fee::None),
        (Some(Wire::Percent(percent)), _) => Fee::percent(*percent),
        (Some(Wire::Nights(nights)), Venue::Hotel(_)) => Fee::nights(*nights),
        (Some(Wire::Nights(_)), Venue::Cinema(_)) => {
            let description = "must not be given: a cinema sells no nights";
            Err(Violation::new("nights", Fault::Range, description))
        }
    };
    // The hours are looked at in any case: all mistakes are told at once.
    let parsed = Policy::parse(policy.free_until_hours, fee.clone().unwrap_or(Fee::None));
    match (fee, parsed) {
        (Ok(_), Ok(policy)) => Ok(Some(policy)),
        (fee, parsed) => {
            let violations = parsed.err().into_iter().chain(fee.err());
            let within = violations.map(|it| it.within("policy"));
            Err(status::invalid(within.collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use v1::cancellation_policy::Fee as Wire;

    use super::*;
    use crate::domain::name::{CinemaId, HotelId};

    #[test]
    fn all_mistakes_of_a_policy_are_told_at_once() {
        let hotel = Venue::Hotel(HotelId("a".into()));
        let cinema = Venue::Cinema(CinemaId("a".into()));
        let policy = |hours, fee| v1::CancellationPolicy {
            free_until_hours: Some(hours),
            fee: Some(fee),
        };
        assert!(parse(&hotel, Some(&policy(0, Wire::Nights(1)))).is_ok());
        assert_eq!(parse(&hotel, None).unwrap(), None);
        for (venue, wrong) in [
            (&hotel, policy(-1, Wire::Percent(0))),
            (&hotel, policy(9_000, Wire::Nights(366))),
            (&cinema, policy(-1, Wire::Nights(1))),
        ] {
            let status = parse(venue, Some(&wrong)).unwrap_err();
            let message = status.message();
            assert!(message.contains("policy.free_until_hours"), "{message}");
            assert_eq!(message.matches("must").count(), 2, "{message}");
        }
    }
}
