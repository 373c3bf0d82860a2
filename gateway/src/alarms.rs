//! Timers that are set with every request and hardly ever ring.
//!
//! To set a timer of the runtime and to take it away again, a lock and two places in its wheel are needed; to put one off
//! that is set already, neither. So the timers of a connection are kept when what they watched over has ended, and put off
//! for what comes next. One that would have rung meanwhile wakes its connection once, for nothing.

use std::{
    fmt,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// Timers that are kept; on a connection of HTTP/2 more may be in use.
const KEPT_MAX: usize = 4;

/// The timers of one connection, for times of about the same length. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Alarms(Arc<Mutex<Vec<Pin<Box<Sleep>>>>>);

impl Alarms {
    /// Rings at an instant.
    pub(crate) fn at(&self, deadline: Instant) -> Alarm {
        Alarm {
            deadline,
            sleep: None,
            home: self.clone(),
        }
    }

    /// What comes of a future that is over in time.
    pub(crate) async fn within<F: Future>(&self, time: Duration, future: F) -> Option<F::Output> {
        self.before(Instant::now() + time, future).await
    }

    /// The same with an instant.
    pub(crate) async fn before<F: Future>(
        &self,
        deadline: Instant,
        future: F,
    ) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut alarm = self.at(deadline);
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Pin::new(&mut alarm).poll(context).map(|()| None),
        })
        .await
    }

    fn take(&self, deadline: Instant) -> Pin<Box<Sleep>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match kept {
            Some(mut sleep) => {
                sleep.as_mut().reset(deadline);
                sleep
            }
            None => Box::pin(tokio::time::sleep_until(deadline)),
        }
    }
}

impl fmt::Debug for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alarms")
    }
}

/// One timer, set when it is first waited for.
#[derive(Debug)]
pub(crate) struct Alarm {
    deadline: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    home: Alarms,
}

impl Future for Alarm {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let sleep = this
            .sleep
            .get_or_insert_with(|| this.home.take(this.deadline));
        sleep.as_mut().poll(context)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(sleep) = self.sleep.take() {
            let mut kept = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT_MAX {
                kept.push(sleep);
            }
        }
    }
}

/// For hyper, which gives a client so long for the header of a request.
#[derive(Debug)]
pub(crate) struct HeaderTimer(pub(crate) Alarms);

impl hyper::rt::Sleep for Alarm {}

impl hyper::rt::Timer for HeaderTimer {
    fn sleep(&self, time: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(self.0.at(Instant::now() + time))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(self.0.at(deadline.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timer_that_was_put_off_rings_at_its_new_time() {
        let alarms = Alarms::default();
        let long = Duration::from_millis(400);
        let rings_after = async |time: Duration| {
            let begun = Instant::now();
            let never = std::future::pending::<()>();
            assert_eq!(alarms.within(time, never).await, None);
            begun.elapsed()
        };
        let half = tokio::time::sleep(long / 2);
        assert_eq!(alarms.within(long, half).await, Some(()));
        assert!(rings_after(long).await >= long);
        // Earlier than the one that it was kept from.
        assert!(rings_after(long / 8).await < long);
        assert_eq!(alarms.0.lock().unwrap().len(), 1, "one timer served all");
    }
}
