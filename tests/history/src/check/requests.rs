//! Which calls are one request, and whether repeating it had one answer and one effect (AIP-155).
//!
//! Calls of one client to one method with one request id belong together; a call without a request id stands alone. Of
//! those that belong together
//! - all decisions must be the same answer to the same content, the refusals for good among them;
//! - a call with other content must be refused with REQUEST_ID_REUSED, and only such a call;
//! - NOT_FOUND and what was turned away is not kept: it proves nothing about the other calls.
//!
//! A request took effect between the begin of its first call and the end of the first that was answered: any of them may
//! be the one that did it. One with no decision at all is unknown, and the feed will tell.

use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
};

use crate::{
    record::{Answer, Call, Command, Granted, History, Refused},
    report::{Kind, Report},
};

/// Not kept under the request id.
pub(super) const NOT_FOUND: &str = "NOT_FOUND";
/// Another request has this id.
pub(super) const REQUEST_ID_REUSED: &str = "REQUEST_ID_REUSED";

/// A request that has been decided.
pub(super) struct Decided<'a> {
    /// The first call that learned of it.
    pub(super) call: usize,
    pub(super) begin_ns: u64,
    pub(super) end_ns: u64,
    pub(super) sequence: u64,
    pub(super) answer: Decision<'a>,
}

/// How.
#[derive(Clone, Copy)]
pub(super) enum Decision<'a> {
    Granted(&'a Granted),
    Refused(&'a Refused),
    /// Refused for its request id, which is judged here and by nobody else.
    Reused,
}

impl Decision<'_> {
    pub(super) fn is_granted(self) -> bool {
        matches!(self, Self::Granted(_))
    }
}

/// A request that may have been granted, refused or never arrived.
pub(super) struct Unknown {
    /// Its first call.
    pub(super) call: usize,
    pub(super) begin_ns: u64,
}

/// What became of everything that was asked for.
#[derive(Default)]
pub(super) struct Requests<'a> {
    pub(super) decided: Vec<Decided<'a>>,
    pub(super) unknown: Vec<Unknown>,
}

type Key<'a> = (u32, Discriminant<Command>, &'a str);

/// Groups calls into requests.
pub(super) fn group<'a>(history: &'a History, report: &mut Report) -> Requests<'a> {
    let calls = &history.calls;
    let mut grouping = Grouping {
        calls,
        requests: Requests::default(),
        report,
    };
    // Calls of one key as a chain through `next`: no allocation a request.
    let mut chains: HashMap<Key<'_>, (usize, usize)> = HashMap::with_capacity(calls.len());
    let mut next = vec![usize::MAX; calls.len()];
    let mut firsts = Vec::with_capacity(calls.len());
    for (place, call) in calls.iter().enumerate() {
        if call.request_id.is_empty() {
            grouping.settle(&[place]);
            continue;
        }
        let key = (
            call.client,
            discriminant(&call.command),
            call.request_id.as_str(),
        );
        chains
            .entry(key)
            .and_modify(|(_, last)| {
                next[*last] = place;
                *last = place;
            })
            .or_insert_with(|| {
                firsts.push(place);
                (place, place)
            });
    }
    let mut group = Vec::new();
    for first in firsts {
        group.clear();
        let mut place = first;
        while place != usize::MAX {
            group.push(place);
            place = next[place];
        }
        group.sort_by_key(|place| calls[*place].begin_ns);
        grouping.settle(&group);
    }
    grouping.requests
}

struct Grouping<'a, 'r> {
    calls: &'a [Call],
    requests: Requests<'a>,
    report: &'r mut Report,
}

impl<'a> Grouping<'a, '_> {
    /// Settles what became of the calls of one key, given by begin.
    fn settle(&mut self, group: &[usize]) {
        let calls = self.calls;
        let decisions = group
            .iter()
            .copied()
            .filter(|place| is_kept(&calls[*place].answer));
        let first = decisions.clone().min_by_key(|place| calls[*place].end_ns);
        for place in decisions {
            self.same_answer(first.unwrap_or(place), place);
        }
        for &place in group {
            let Answer::Refused(refused) = &calls[place].answer else {
                continue;
            };
            let answer = match refused.reason.as_str() {
                REQUEST_ID_REUSED => {
                    self.reused_rightly(group, place, refused);
                    Decision::Reused
                }
                NOT_FOUND => Decision::Refused(refused),
                _ => continue,
            };
            self.decided(
                place,
                calls[place].begin_ns,
                refused.position.sequence,
                answer,
            );
        }
        let Some(first) = first else {
            return self.unknown(group);
        };
        let command = &calls[first].command;
        let mut same = group
            .iter()
            .map(|place| &calls[*place])
            .filter(|call| call.command == *command && call.answer != Answer::NotDone);
        // By begin: the first is the earliest.
        let begin_ns = same.next().map_or(0, |call| call.begin_ns);
        match &calls[first].answer {
            Answer::Granted(it) => {
                self.decided(first, begin_ns, it.position.sequence, Decision::Granted(it));
            }
            Answer::Refused(it) => {
                self.decided(first, begin_ns, it.position.sequence, Decision::Refused(it));
            }
            Answer::NotDone | Answer::Unknown => {}
        }
    }

    fn decided(&mut self, call: usize, begin_ns: u64, sequence: u64, answer: Decision<'a>) {
        self.requests.decided.push(Decided {
            call,
            begin_ns,
            end_ns: self.calls[call].end_ns,
            sequence,
            answer,
        });
    }

    /// Calls that nobody ever answered: one request for each content.
    fn unknown(&mut self, group: &[usize]) {
        let calls = self.calls;
        let mut contents: Vec<&Command> = Vec::new();
        for &call in group
            .iter()
            .filter(|place| calls[**place].answer == Answer::Unknown)
        {
            if !contents.contains(&&calls[call].command) {
                contents.push(&calls[call].command);
                let begin_ns = calls[call].begin_ns;
                self.requests.unknown.push(Unknown { call, begin_ns });
            }
        }
    }

    fn same_answer(&mut self, first: usize, place: usize) {
        if first == place {
            return;
        }
        self.report.repeats += 1;
        let (one, other) = (&self.calls[first], &self.calls[place]);
        let both = [(first, one), (place, other)];
        if one.command != other.command {
            self.report.violation(Kind::Repeat, None, &both, || {
                "The same request id was decided for two contents; the second must be REQUEST_ID_REUSED.".to_owned()
            });
        } else if one.answer != other.answer {
            self.report.violation(Kind::Repeat, None, &both, || {
                "The repetition of a request had another answer than the request.".to_owned()
            });
        }
    }

    /// Whether there was another content under this id when that was refused.
    fn reused_rightly(&mut self, group: &[usize], place: usize, refused: &Refused) {
        let call = &self.calls[place];
        let could_have = |other: &&Call| {
            let before = match &other.answer {
                Answer::Granted(it) => it.position.sequence <= refused.position.sequence,
                Answer::Refused(it) => {
                    is_kept(&other.answer) && it.position.sequence <= refused.position.sequence
                }
                Answer::Unknown => true,
                Answer::NotDone => false,
            };
            before && other.command != call.command && other.begin_ns <= call.end_ns
        };
        if !group
            .iter()
            .map(|other| &self.calls[*other])
            .any(|other| could_have(&other))
        {
            let sequence = Some(refused.position.sequence);
            self.report.violation(Kind::Repeat, sequence, &[(place, call)], || {
                "Refused as a reused request id, but the id had not been used for anything else before.".to_owned()
            });
        }
    }
}

/// Whether an answer is kept under its request id.
fn is_kept(answer: &Answer) -> bool {
    match answer {
        Answer::Granted(_) => true,
        Answer::Refused(it) => it.reason != REQUEST_ID_REUSED && it.reason != NOT_FOUND,
        Answer::NotDone | Answer::Unknown => false,
    }
}
