//! Instants and positions between the contracts and the inside.

use banyan_proto::reservation::v1::{CommitPosition, Money as WireMoney};
use jiff::Timestamp;

use crate::domain::change::Money;

/// An instant; `None` if it is outside the years that exist on the wire.
pub(crate) fn instant(wire: &prost_types::Timestamp) -> Option<Timestamp> {
    if !(0..1_000_000_000).contains(&wire.nanos) {
        return None;
    }
    let instant = Timestamp::new(wire.seconds, wire.nanos).ok()?;
    // google.protobuf.Timestamp begins with year 1.
    (instant.as_second() >= -62_135_596_800).then_some(instant)
}

/// An instant as it is sent.
pub(crate) fn timestamp(instant: Timestamp) -> prost_types::Timestamp {
    let mut seconds = instant.as_second();
    let mut nanos = instant.subsec_nanosecond();
    // Before 1970 jiff counts both backwards; the wire's fraction always counts forward.
    if nanos < 0 {
        seconds -= 1;
        nanos += 1_000_000_000;
    }
    prost_types::Timestamp { seconds, nanos }
}

/// A position as it is sent.
pub(crate) fn position(incarnation: String, sequence: i64) -> CommitPosition {
    CommitPosition {
        incarnation,
        sequence,
    }
}

/// An amount as it is sent.
pub(crate) fn money(money: Money) -> WireMoney {
    WireMoney {
        currency_code: money.currency_code,
        amount_minor: money.amount_minor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_go_there_and_back() {
        for (seconds, nanos) in [(0, 0), (1_700_000_000, 999_999_999), (-1, 500_000_000)] {
            let wire = prost_types::Timestamp { seconds, nanos };
            assert_eq!(timestamp(instant(&wire).unwrap()), wire);
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for (seconds, nanos) in [
            (i64::MAX, 0),
            (0, -1),
            (0, 1_000_000_000),
            (-62_135_596_801, 0),
        ] {
            assert_eq!(instant(&prost_types::Timestamp { seconds, nanos }), None);
        }
    }
}
