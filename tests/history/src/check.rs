//! The proof. Five questions, each answered in one walk over the history, so that all of it takes O(n log n):
//!
//! 1. [`requests`]: did the same request always get the same answer? Calls become *requests*: all calls of one client with
//!    one request id are one request, with one begin (of its first call), one end (of its first answer) and one answer.
//! 2. [`real_time`]: is the order of commits one that people could have seen? What had ended before another began comes
//!    before it.
//! 3. [`feed`]: is the feed whole, in order, and does it have everything that was acknowledged?
//! 4. [`replay`]: does a small [`model`] of the system, fed with the requests in the order of commits, say the same as
//!    every answer? Is there room for everything at every point? Did somebody ask for everything that happened?
//! 5. [`final_state`]: does the database at the end hold what the feed says, and do its items add up?
//!
//! No search is needed, which is what makes it linear: every answer, also a refusal, carries the position it was decided
//! at, so the order is claimed by the system under test, and checking a claimed order is easy where finding one is hard.
//! The price is that a system could be right by another order than the one it claims; then its claim is the bug.
//!
//! After a violation the walk goes on with what the feed says, so that one bug is not reported a million times.

mod feed;
mod final_state;
mod judge;
mod model;
mod names;
mod real_time;
mod replay;
mod requests;

use crate::{
    record::History,
    report::{Kind, Report},
};

/// Checks a history.
pub fn check(history: &History) -> Report {
    let mut report = Report::default();
    for (place, call) in history.calls.iter().enumerate() {
        report.count(call);
        if call.end_ns < call.begin_ns {
            report.violation(Kind::Recording, None, &[(place, call)], || {
                "The call ended before it began.".to_owned()
            });
        }
    }
    let requests = requests::group(history, &mut report);
    real_time::check(history, &requests, &mut report);
    let steps = feed::steps(history, &requests, &mut report);
    report.events = steps.len() as u64;
    if history.feed.is_none() && (history.start_sequence > 0 || !requests.unknown.is_empty()) {
        report.unproven.push(format!(
            "answers and capacity: the feed was not read, and {} events before the first call and {} requests without an \
             answer may have changed anything",
            history.start_sequence,
            requests.unknown.len()
        ));
        final_state::check_alone(history, &requests, &mut report);
        return report;
    }
    if history.feed.is_none() {
        report
            .unproven
            .push("that nothing happened unasked: the feed was not read".to_owned());
    }
    let model = replay::run(history, &requests, &steps, &mut report);
    final_state::check(history, &model, &mut report);
    report
}
