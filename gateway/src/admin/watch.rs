//! The live view: all rollouts, again and again, for as long as somebody looks.
//!
//! It reads what this process knows anyway; a watcher costs one message an interval and nothing of the store.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use banyan_proto::rollout::v1::WatchRolloutsResponse;
use futures::Stream;
use jiff::Timestamp;
use tokio::time::{Interval, MissedTickBehavior};
use tonic::Status;

use super::convert;
use crate::rollouts::Rollouts;

/// The answers of one watch.
#[derive(Debug)]
pub struct Watch {
    rollouts: Rollouts,
    interval: Interval,
}

/// One answer at once, and one each interval.
pub(super) fn watch(rollouts: Rollouts, every: Duration) -> Watch {
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Watch { rollouts, interval }
}

impl Stream for Watch {
    type Item = Result<WatchRolloutsResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.interval.poll_tick(context).map(|_| {
            let rollouts = self.rollouts.snapshot().into_iter();
            Some(Ok(WatchRolloutsResponse {
                rollouts: rollouts.map(convert::rollout).collect(),
                read_time: Some(convert::timestamp(Timestamp::now())),
            }))
        })
    }
}
