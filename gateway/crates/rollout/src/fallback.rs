//! Whether legacy may answer a request that has failed on gRPC.
//!
//! A read may be asked again. A write may be asked elsewhere only if it cannot have happened: it was provably never sent,
//! or both sides know it by its request id and will not do it twice. When in doubt the client gets the honest failure,
//! and in no case is a request tried a third time.

use std::fmt;

use crate::{Owner, Side};

/// How a request failed on gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No connection could be made: nothing was sent.
    Unreachable,
    /// Given up before it left the gateway, as by an open breaker or a full queue: nothing was sent.
    NotSent,
    /// Turned away by the service before it began (UNAVAILABLE, or a stream refused).
    Unavailable,
    /// The connection broke after something had been sent.
    Broken,
    /// No answer in time.
    TimedOut,
    /// The service answered that it has failed (INTERNAL, UNKNOWN, DATA_LOSS, UNIMPLEMENTED).
    Failed,
    /// The service answered that the request cannot be done: an answer like any other.
    Refused,
}

/// What is known about a request that has failed on gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whether the rollout lets legacy answer.
    pub allowed: bool,
    /// How it failed.
    pub failure: Failure,
    /// Whether the method changes nothing.
    pub safe: bool,
    /// Whether it carries a request id that both sides honour.
    pub request_id_honoured: bool,
    /// Who takes the rollout's writes.
    pub writes: Owner,
    /// The side a pin keeps the subject with.
    pub pinned: Option<Side>,
    /// Whether legacy has been asked already.
    pub repeated: bool,
    /// Whether anything of an answer has gone to the client.
    pub answer_begun: bool,
    /// Whether the client's deadline has passed.
    pub too_late: bool,
}

/// Why legacy may not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoFallback {
    /// The rollout does not say so.
    NotAllowed,
    /// The service has answered; there is nothing to repair.
    Answered,
    /// Legacy has been asked already.
    Repeated,
    /// The client has begun to read an answer.
    AnswerBegun,
    /// The client waits no longer.
    TooLate,
    /// The subject has written on gRPC, and legacy may not know of it.
    Pinned,
    /// gRPC owns the writes; legacy may not take one.
    NotTheOwner,
    /// The write may have happened.
    MayHaveHappened,
}

impl Attempt {
    /// Whether legacy may answer.
    ///
    /// # Errors
    /// Why it may not.
    pub const fn falls_back(&self) -> Result<(), NoFallback> {
        if !self.allowed {
            return Err(NoFallback::NotAllowed);
        }
        if matches!(self.failure, Failure::Refused) {
            return Err(NoFallback::Answered);
        }
        if self.repeated {
            return Err(NoFallback::Repeated);
        }
        if self.answer_begun {
            return Err(NoFallback::AnswerBegun);
        }
        if self.too_late {
            return Err(NoFallback::TooLate);
        }
        if matches!(self.pinned, Some(Side::Grpc)) {
            return Err(NoFallback::Pinned);
        }
        if self.safe {
            return Ok(());
        }
        if matches!(self.writes, Owner::Grpc) {
            return Err(NoFallback::NotTheOwner);
        }
        if self.failure.never_sent() || self.request_id_honoured {
            Ok(())
        } else {
            Err(NoFallback::MayHaveHappened)
        }
    }
}

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 7] = [
        Self::Unreachable,
        Self::NotSent,
        Self::Unavailable,
        Self::Broken,
        Self::TimedOut,
        Self::Failed,
        Self::Refused,
    ];

    /// Whether the service provably never saw the request. UNAVAILABLE proves nothing: proxies make it of broken
    /// connections too.
    #[must_use]
    pub const fn never_sent(self) -> bool {
        matches!(self, Self::Unreachable | Self::NotSent)
    }
}

impl NoFallback {
    /// The stable name in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::Answered => "answered",
            Self::Repeated => "repeated",
            Self::AnswerBegun => "answer_begun",
            Self::TooLate => "too_late",
            Self::Pinned => "pinned",
            Self::NotTheOwner => "not_the_owner",
            Self::MayHaveHappened => "may_have_happened",
        }
    }
}

impl fmt::Display for NoFallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const READ: Attempt = Attempt {
        allowed: true,
        failure: Failure::Broken,
        safe: true,
        request_id_honoured: false,
        writes: Owner::BySubject,
        pinned: None,
        repeated: false,
        answer_begun: false,
        too_late: false,
    };
    const WRITE: Attempt = Attempt {
        safe: false,
        ..READ
    };

    #[test]
    fn a_read_falls_back_whatever_happened_to_it() {
        for failure in Failure::ALL {
            let got = Attempt { failure, ..READ }.falls_back();
            let want = match failure {
                Failure::Refused => Err(NoFallback::Answered),
                _ => Ok(()),
            };
            assert_eq!(got, want, "{failure:?}");
        }
    }

    #[test]
    fn a_write_falls_back_only_if_it_cannot_happen_twice() {
        for failure in Failure::ALL {
            let got = Attempt { failure, ..WRITE }.falls_back();
            let want = match failure {
                Failure::Refused => Err(NoFallback::Answered),
                Failure::Unreachable | Failure::NotSent => Ok(()),
                _ => Err(NoFallback::MayHaveHappened),
            };
            assert_eq!(got, want, "{failure:?}");
        }
        let known = Attempt {
            request_id_honoured: true,
            ..WRITE
        };
        assert_eq!(known.falls_back(), Ok(()));
        let owned = Attempt {
            writes: Owner::Grpc,
            failure: Failure::Unreachable,
            ..WRITE
        };
        assert_eq!(owned.falls_back(), Err(NoFallback::NotTheOwner));
    }

    fn attempts() -> impl Strategy<Value = Attempt> {
        let flags = proptest::array::uniform6(any::<bool>());
        let failure = prop::sample::select(&Failure::ALL[..]);
        let owner = prop::sample::select(&Owner::ALL[..]);
        let pinned = prop::option::of(prop_oneof![Just(Side::Legacy), Just(Side::Grpc)]);
        (flags, failure, owner, pinned).prop_map(
            |(
                [
                    allowed,
                    safe,
                    request_id_honoured,
                    repeated,
                    answer_begun,
                    too_late,
                ],
                failure,
                writes,
                pinned,
            )| {
                Attempt {
                    allowed,
                    failure,
                    safe,
                    request_id_honoured,
                    writes,
                    pinned,
                    repeated,
                    answer_begun,
                    too_late,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn never_twice_never_late_never_unasked(attempt in attempts()) {
            if attempt.falls_back().is_ok() {
                prop_assert!(attempt.allowed && !attempt.repeated && !attempt.answer_begun && !attempt.too_late);
                prop_assert!(attempt.safe || attempt.failure.never_sent() || attempt.request_id_honoured);
                prop_assert!(attempt.safe || attempt.writes != Owner::Grpc);
                prop_assert_ne!(attempt.pinned, Some(Side::Grpc));
            }
        }

        #[test]
        fn knowing_less_never_allows_more(attempt in attempts()) {
            let doubtful = Attempt { failure: Failure::Broken, request_id_honoured: false, ..attempt };
            if !attempt.safe {
                prop_assert!(doubtful.falls_back().is_err());
            }
        }
    }
}
