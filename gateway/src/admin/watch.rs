//! The live view: all rollouts, again and again, for as long as somebody looks.
//!
//! It reads what this process knows anyway; a watcher costs one message an interval and nothing of the store or of the
//! followers. There is room for a limited number, because each of them may stay for good. When the process ends they are
//! told so, since nothing else would end what they look at.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use banyan_proto::rollout::v1::{Rollout, WatchRolloutsResponse};
use futures::Stream;
use jiff::Timestamp;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Interval, MissedTickBehavior},
};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;

use super::{convert, refusal, settings};
use crate::rollouts::{Rollouts, Snapshot};

/// Watchers at once, by gRPC and REST together.
const WATCHERS_MAX: usize = 64;

/// Lets watchers in; clones share the room.
#[derive(Clone, Debug)]
pub(super) struct Gallery {
    places: Arc<Semaphore>,
}

/// The answers of one watch.
#[derive(Debug)]
pub struct Watch {
    rollouts: Rollouts,
    interval: Interval,
    ending: Pin<Box<WaitForCancellationFutureOwned>>,
    is_over: bool,
    /// Held as long as somebody looks.
    _place: OwnedSemaphorePermit,
}

impl Gallery {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(WATCHERS_MAX)),
        }
    }

    /// One answer at once, and one each interval; RESOURCE_EXHAUSTED where there is no room.
    pub(super) fn watch(&self, rollouts: &Rollouts, every: Duration) -> Result<Watch, Status> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            rollouts.watcher_refused();
            return Err(refusal::too_many_watchers());
        };
        let mut interval = tokio::time::interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Watch {
            rollouts: rollouts.clone(),
            interval,
            ending: Box::pin(rollouts.shutdown().clone().cancelled_owned()),
            is_over: false,
            _place: place,
        })
    }
}

impl Watch {
    fn answer(&self) -> WatchRolloutsResponse {
        let rollouts = self.rollouts.snapshot().into_iter();
        WatchRolloutsResponse {
            rollouts: rollouts.map(|rollout| self.rollout(rollout)).collect(),
            read_time: Some(convert::timestamp(Timestamp::now())),
        }
    }

    fn rollout(&self, rollout: Snapshot) -> Rollout {
        match self.rollouts.data_lately(&rollout.name) {
            Some(data) => settings::with_data(rollout, data),
            None => convert::rollout(rollout),
        }
    }
}

impl Stream for Watch {
    type Item = Result<WatchRolloutsResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if self.ending.as_mut().poll(context).is_ready() {
            self.is_over = true;
            return Poll::Ready(Some(Err(refusal::stopping())));
        }
        let tick = self.interval.poll_tick(context);
        tick.map(|_| Some(Ok(self.answer())))
    }
}
