//! Whether legacy may answer a request that has failed on gRPC.
//!
//! A read may be asked again. A write may be asked elsewhere only if it cannot have happened: it was provably never sent,
//! or both sides know it by its request id and will not do it twice. When in doubt the client gets the honest failure,
//! and in no case is a request tried a third time.
//!
//! In [`Stage::Grpc`] legacy is told nothing any more. A read that it answered would not find what was written since, so
//! it answers none there, unless it has those writes all the same ([`Attempt::shares_writes`]).

use std::fmt;

use crate::{Owner, Side, Stage};

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
    /// How far the migration is.
    pub stage: Stage,
    /// Whether legacy has in [`Stage::Grpc`] too what was written: both sides write one database, or nobody writes.
    pub shares_writes: bool,
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
    /// Legacy does not have what was written since it is told nothing any more.
    LegacyLacks,
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
        if !self.safe && matches!(self.writes, Owner::Grpc) {
            return Err(NoFallback::NotTheOwner);
        }
        if matches!(self.stage, Stage::Grpc) && !self.shares_writes {
            return Err(NoFallback::LegacyLacks);
        }
        if self.safe || self.failure.never_sent() || self.request_id_honoured {
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
            Self::LegacyLacks => "legacy_lacks",
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
        stage: Stage::Split,
        shares_writes: false,
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

    #[test]
    fn what_legacy_is_told_no_more_it_answers_only_where_it_has_it_all_the_same() {
        for stage in Stage::ALL {
            for shares_writes in [false, true] {
                let read = Attempt {
                    stage,
                    shares_writes,
                    writes: stage.owner(),
                    ..READ
                };
                let want = match stage {
                    Stage::Grpc if !shares_writes => Err(NoFallback::LegacyLacks),
                    _ => Ok(()),
                };
                assert_eq!(read.falls_back(), want, "{stage} {shares_writes}");
            }
        }
    }

    fn attempts() -> impl Strategy<Value = Attempt> {
        let flags = proptest::array::uniform7(any::<bool>());
        let failure = prop::sample::select(&Failure::ALL[..]);
        let stage = prop::sample::select(&Stage::ALL[..]);
        let owner = prop::sample::select(&Owner::ALL[..]);
        let pinned = prop::option::of(prop_oneof![Just(Side::Legacy), Just(Side::Grpc)]);
        (flags, failure, stage, owner, pinned).prop_map(
            |(
                [
                    allowed,
                    safe,
                    request_id_honoured,
                    repeated,
                    answer_begun,
                    too_late,
                    shares_writes,
                ],
                failure,
                stage,
                writes,
                pinned,
            )| {
                Attempt {
                    allowed,
                    failure,
                    safe,
                    request_id_honoured,
                    stage,
                    shares_writes,
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
                prop_assert!(attempt.stage != Stage::Grpc || attempt.shares_writes);
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
