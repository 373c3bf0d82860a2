//! What a follower says of itself, and whether that is good enough to send writes where it adopts them.

use std::time::Duration;

use banyan_proto::follow::v1::{Authority, Capability, StatusResponse};
use banyan_rollout::Follower as State;
use jiff::Timestamp;

/// A follower whose last poll is younger has caught up: polls begin one after the other.
const LAG_MAX: Duration = Duration::from_secs(10);

/// What a follower knows of the legacy side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// How well.
    pub state: State,
    /// Since its last good poll; nothing if there was none, or nobody to be behind of.
    pub lag: Option<Duration>,
    /// What legacy had before it has been adopted: Unix milliseconds by this gateway's clock, when its last good poll began.
    /// Where there is nobody to be behind of, when it was asked; nothing if there was no poll.
    pub passed_ms: Option<u64>,
    /// Who gives ids and is right where both sides differ.
    pub authority: Authority,
    /// What the legacy system is declared to be able to do.
    pub capabilities: Vec<Capability>,
    /// How far it is with what it takes over; nothing while there is nothing to take over.
    pub backfill: Option<Backfill>,
    /// How many entries it has.
    pub adopted: i64,
    /// How many the legacy system had when it was last read whole.
    pub legacy_count: Option<i64>,
}

/// How far a follower is with taking over what the legacy system holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backfill {
    pub done: i64,
    pub total: i64,
}

impl Known {
    /// `asked`: before the question was sent. What the answer does not know yet is not taken for known. The lag is what the
    /// follower measured by its own clock; of an older one, that does not tell, the time of its last poll by both clocks.
    pub(super) fn new(status: &StatusResponse, asked: Timestamp) -> Self {
        let is_alone = status.authority() == Authority::Own;
        let lag = match status.lag {
            // There is nobody to be behind of.
            _ if is_alone => None,
            Some(lag) => Duration::try_from(lag).ok(),
            None => status.last_poll_time.and_then(|time| since(time, asked)),
        };
        let state = match lag {
            _ if is_alone => State::Ready,
            Some(lag) if status.healthy => at(lag),
            lag => State::Behind {
                lag_ms: lag.map(millis),
            },
        };
        let backfill = Backfill {
            done: status.poll_done.clamp(0, status.poll_total.max(0)),
            total: status.poll_total,
        };
        Self {
            state,
            lag,
            passed_ms: passed_ms(status, asked),
            authority: status.authority(),
            capabilities: status.capabilities().collect(),
            backfill: (backfill.total > 0).then_some(backfill),
            adopted: status.adopted,
            legacy_count: (status.legacy_count >= 0).then_some(status.legacy_count),
        }
    }

    /// What is still true of an answer that came so long ago: what lagged then lags more, if nothing was heard since.
    pub(super) fn after(self, age: Duration) -> Self {
        let lag = self.lag.map(|lag| lag.saturating_add(age));
        let state = match (self.state, lag) {
            (State::Ready, Some(lag)) => at(lag),
            (State::Behind { .. }, Some(lag)) => State::Behind {
                lag_ms: Some(millis(lag)),
            },
            (state, _) => state,
        };
        Self { state, lag, ..self }
    }

    /// Whether the legacy system takes entries under ids that others gave.
    pub(crate) fn keeps_ids(&self) -> bool {
        self.capabilities.contains(&Capability::KeepsIds)
    }
}

/// How a follower is whose last good poll began so long ago.
fn at(lag: Duration) -> State {
    match lag <= LAG_MAX {
        true => State::Ready,
        false => State::Behind {
            lag_ms: Some(millis(lag)),
        },
    }
}

fn millis(lag: Duration) -> u64 {
    u64::try_from(lag.as_millis()).unwrap_or(u64::MAX)
}

fn since(time: prost_types::Timestamp, asked: Timestamp) -> Option<Duration> {
    let time = Timestamp::new(time.seconds, time.nanos).ok()?;
    // A clock that is ahead is no lag.
    Some(Duration::try_from(asked.duration_since(time)).unwrap_or_default())
}

fn passed_ms(status: &StatusResponse, asked: Timestamp) -> Option<u64> {
    let asked_ms = u64::try_from(asked.as_millisecond()).ok()?;
    // It has everything, and is not behind of anybody.
    if status.authority() == Authority::Own {
        return Some(asked_ms);
    }
    let lag = Duration::try_from(status.lag?).ok()?;
    let lag_ms = u64::try_from(lag.as_millis()).ok()?;
    Some(asked_ms.saturating_sub(lag_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polled(seconds: i64) -> StatusResponse {
        StatusResponse {
            healthy: true,
            last_poll_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
            ..StatusResponse::default()
        }
    }

    fn known(status: &StatusResponse) -> Known {
        Known::new(status, Timestamp::from_second(100).unwrap())
    }

    #[test]
    fn a_poll_that_is_long_ago_is_behind() {
        let behind = |lag_ms| State::Behind { lag_ms };
        assert_eq!(known(&polled(91)).state, State::Ready);
        assert_eq!(known(&polled(89)).state, behind(Some(11_000)));
        assert_eq!(known(&StatusResponse::default()).state, behind(None));
        let failed = StatusResponse {
            healthy: false,
            ..polled(99)
        };
        assert_eq!(known(&failed).state, behind(Some(1_000)));
        assert_eq!(
            known(&polled(150)).state,
            State::Ready,
            "its clock is ahead"
        );
        let own = StatusResponse {
            authority: Authority::Own.into(),
            ..polled(1)
        };
        assert_eq!((known(&own).state, known(&own).lag), (State::Ready, None));
    }

    #[test]
    fn how_far_behind_a_follower_is_says_its_own_clock() {
        let lags = |lag_ms: i64, seconds| {
            let lag = prost_types::Duration {
                seconds: lag_ms / 1_000,
                nanos: i32::try_from(lag_ms % 1_000 * 1_000_000).unwrap(),
            };
            StatusResponse {
                lag: Some(lag),
                ..polled(seconds)
            }
        };
        let behind = |lag_ms| State::Behind { lag_ms };
        // Whatever the time is there: a minute ago, in an hour.
        for seconds in [40, 100, 3_700] {
            assert_eq!(known(&lags(500, seconds)).state, State::Ready);
            assert_eq!(known(&lags(11_000, seconds)).state, behind(Some(11_000)));
        }
        assert_eq!(known(&lags(-500, 100)).state, behind(None));

        let ready = known(&lags(9_000, 100));
        let later = |seconds| ready.clone().after(Duration::from_secs(seconds));
        assert_eq!(later(1).state, State::Ready);
        assert_eq!(later(2).state, behind(Some(11_000)));
        assert_eq!(later(2).lag, Some(Duration::from_secs(11)));
        let never = known(&StatusResponse::default());
        assert_eq!(never.clone().after(LAG_MAX), never);
    }

    #[test]
    fn a_backfill_is_told_while_there_is_something_to_take_over() {
        let at = |poll_done, poll_total| {
            let status = StatusResponse {
                poll_done,
                poll_total,
                ..polled(100)
            };
            known(&status).backfill.map(|it| (it.done, it.total))
        };
        assert_eq!(at(0, 0), None);
        assert_eq!(at(1_200, 4_000), Some((1_200, 4_000)));
        // Whatever implements the contract may be wrong.
        assert_eq!(at(5, 4), Some((4, 4)));
        assert_eq!(at(-1, 4), Some((0, 4)));
        assert_eq!(at(1, -4), None);
    }

    fn status(authority: Authority, lag_s: Option<i64>) -> StatusResponse {
        StatusResponse {
            authority: authority.into(),
            lag: lag_s.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
            ..StatusResponse::default()
        }
    }

    #[test]
    fn a_follower_has_passed_what_was_before_its_last_good_poll_began() {
        let asked = Timestamp::from_millisecond(100_000).unwrap();
        for (authority, lag_s, want) in [
            (Authority::Legacy, Some(7), Some(93_000)),
            (Authority::Unspecified, Some(200), Some(0)),
            (Authority::Legacy, None, None),
            (Authority::Returning, None, None),
            (Authority::Legacy, Some(-7), None),
            (Authority::Own, None, Some(100_000)),
        ] {
            let known = Known::new(&status(authority, lag_s), asked);
            assert_eq!(known.passed_ms, want, "{lag_s:?}");
        }
    }
}
