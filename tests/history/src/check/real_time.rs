//! Real-time order: what had ended before another began comes before it in the order of commits.
//!
//! A grant is the change at its position; a refusal is placed after the change at its position and before the next. So if
//! A ended before B began, A's position is less than B's where B was granted, and at most B's where B was refused.
//! Two refusals, or two calls that overlapped, may be in any order.
//!
//! For each B it is enough to look at the greatest position among all that had ended: ends sorted, greatest so far, and
//! one binary search for each request.

use super::requests::{Decided, Requests};
use crate::{
    record::History,
    report::{Kind, Report},
};

/// The greatest position that was known for sure at any moment.
pub(super) struct Known {
    /// By end: (end, greatest position of all that ended up to then, whose it is).
    ends: Vec<(u64, u64, usize)>,
}

impl Known {
    pub(super) fn of(decided: &[Decided<'_>]) -> Self {
        let ends = decided.iter().enumerate();
        let mut ends: Vec<_> = ends
            .map(|(place, it)| (it.end_ns, it.sequence, place))
            .collect();
        ends.sort_unstable();
        let mut greatest = (0, 0);
        for (_, sequence, place) in &mut ends {
            if *sequence < greatest.0 {
                (*sequence, *place) = greatest;
            }
            greatest = (*sequence, *place);
        }
        Self { ends }
    }

    /// The greatest position of all that had ended before that moment, and whose it is.
    pub(super) fn before(&self, begin_ns: u64) -> Option<(u64, usize)> {
        let ended = self.ends.partition_point(|(end_ns, ..)| *end_ns < begin_ns);
        let (_, sequence, place) = *self.ends.get(ended.checked_sub(1)?)?;
        Some((sequence, place))
    }
}

pub(super) fn check(history: &History, requests: &Requests<'_>, report: &mut Report) {
    let known = Known::of(&requests.decided);
    for request in &requests.decided {
        let Some((sequence, place)) = known.before(request.begin_ns) else {
            continue;
        };
        let wrong = if request.answer.is_granted() {
            sequence >= request.sequence
        } else {
            sequence > request.sequence
        };
        if wrong {
            let earlier = requests.decided[place].call;
            let calls = [earlier, request.call].map(|call| (call, &history.calls[call]));
            report.violation(Kind::RealTime, Some(request.sequence), &calls, || {
                format!(
                    "The second call began after the first had ended at {sequence}, but was decided at {}: it has not seen \
                     what was already there.",
                    request.sequence
                )
            });
        }
    }
}
