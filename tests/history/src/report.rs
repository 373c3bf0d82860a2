//! What a check found, for programs and for people.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::record::{Answer, Call, Command};

/// Violations are kept up to this many and counted beyond: one bug can break every call of a long run.
pub const VIOLATIONS_KEPT_MAX: usize = 1_000;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The recording contradicts itself; the run has to be repeated.
    Recording,
    /// Positions or events of another database.
    Incarnation,
    /// A call that began after another had ended was decided before it.
    RealTime,
    /// The same request id had two answers or two effects.
    Repeat,
    /// Granted, and not to be found where everything that happened is.
    Lost,
    /// Happened, and nobody asked for it.
    Phantom,
    /// A sequence is missing, is there twice or out of order.
    Sequence,
    /// The decision time went backwards.
    Clock,
    /// Granted or refused otherwise than the model does at that place.
    WrongAnswer,
    /// More was sold than there is.
    Oversold,
    /// A booking that was over is alive again.
    Resurrected,
    /// A hold was ended before its time.
    EndedEarly,
    /// The items of all bookings do not add up to what is taken.
    Conservation,
}

impl Kind {
    /// UPPER_SNAKE_CASE, as printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "RECORDING",
            Self::Incarnation => "INCARNATION",
            Self::RealTime => "REAL_TIME",
            Self::Repeat => "REPEAT",
            Self::Lost => "LOST",
            Self::Phantom => "PHANTOM",
            Self::Sequence => "SEQUENCE",
            Self::Clock => "CLOCK",
            Self::WrongAnswer => "WRONG_ANSWER",
            Self::Oversold => "OVERSOLD",
            Self::Resurrected => "RESURRECTED",
            Self::EndedEarly => "ENDED_EARLY",
            Self::Conservation => "CONSERVATION",
        }
    }
}

/// Something that cannot be in the history of a correct system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What.
    pub kind: Kind,
    /// Where in the order of commits, if it has a place there.
    pub sequence: Option<u64>,
    /// The calls it is about, as places in `History::calls`.
    pub calls: Vec<usize>,
    /// Why, for people: complete sentences with names and numbers.
    pub reason: String,
    /// The calls, described.
    pub about: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if let Some(sequence) = self.sequence {
            write!(f, " at {sequence}")?;
        }
        write!(f, ": {}", self.reason)?;
        for call in &self.about {
            write!(f, "\n    {call}")?;
        }
        Ok(())
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The first [`VIOLATIONS_KEPT_MAX`] of them.
    pub violations: Vec<Violation>,
    /// All of them, counted.
    pub violations_by_kind: BTreeMap<Kind, u64>,
    /// Calls that were recorded.
    pub calls: u64,
    /// Calls that were granted, repeats included.
    pub granted: u64,
    /// Calls that were refused, repeats included.
    pub refused: u64,
    /// Calls that were turned away with nothing done.
    pub not_done: u64,
    /// Calls without an answer.
    pub unknown: u64,
    /// Requests without an answer to any of their calls that the feed shows to have been granted.
    pub unknown_done: u64,
    /// Calls that repeated a request which had its answer.
    pub repeats: u64,
    /// Events that were replayed.
    pub events: u64,
    /// Cells that were over capacity at some point.
    pub oversold_cells: BTreeSet<String>,
    /// What could not be proven for want of a part of the recording, for people.
    pub unproven: Vec<String>,
}

impl Report {
    /// Whether nothing was found wrong. What is [`Report::unproven`] is not part of it.
    pub fn is_clean(&self) -> bool {
        self.violations_by_kind.is_empty()
    }

    /// How many acknowledged requests are lost.
    pub fn acknowledged_lost(&self) -> u64 {
        self.violations_of(Kind::Lost)
    }

    /// How many violations of a kind.
    pub fn violations_of(&self, kind: Kind) -> u64 {
        self.violations_by_kind.get(&kind).copied().unwrap_or(0)
    }

    pub(crate) fn count(&mut self, call: &Call) {
        self.calls += 1;
        match call.answer {
            Answer::Granted(_) => self.granted += 1,
            Answer::Refused(_) => self.refused += 1,
            Answer::NotDone => self.not_done += 1,
            Answer::Unknown => self.unknown += 1,
        }
    }

    /// Adds a violation; the words are only made for those that are kept.
    pub(crate) fn violation(
        &mut self,
        kind: Kind,
        sequence: Option<u64>,
        calls: &[(usize, &Call)],
        reason: impl FnOnce() -> String,
    ) {
        *self.violations_by_kind.entry(kind).or_default() += 1;
        if self.violations.len() < VIOLATIONS_KEPT_MAX {
            self.violations.push(Violation {
                kind,
                sequence,
                calls: calls.iter().map(|(place, _)| *place).collect(),
                reason: reason(),
                about: calls
                    .iter()
                    .map(|(place, call)| describe(*place, call))
                    .collect(),
            });
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        let total: u64 = self.violations_by_kind.values().sum();
        if total > self.violations.len() as u64 {
            writeln!(f, "... and {} more", total - self.violations.len() as u64)?;
        }
        writeln!(
            f,
            "{} calls: {} granted, {} refused, {} not done, {} unknown ({} requests of them granted after all), {} repeats",
            self.calls,
            self.granted,
            self.refused,
            self.not_done,
            self.unknown,
            self.unknown_done,
            self.repeats
        )?;
        writeln!(f, "{} events replayed", self.events)?;
        for unproven in &self.unproven {
            writeln!(f, "not proven: {unproven}")?;
        }
        for (kind, count) in &self.violations_by_kind {
            writeln!(f, "{}: {count}", kind.as_str())?;
        }
        match total {
            0 => writeln!(f, "clean"),
            total => writeln!(f, "{total} violations"),
        }
    }
}

fn describe(place: usize, call: &Call) -> String {
    let seconds = |ns: u64| format!("{}.{:06}", ns / 1_000_000_000, ns % 1_000_000_000 / 1_000);
    let command = match &call.command {
        Command::Hold { claims, .. } => {
            let shown = claims.iter().take(4);
            let shown: Vec<_> = shown
                .map(|it| format!("{} x {}", it.quantity, it.cell))
                .collect();
            let more = if claims.len() > 4 { ", ..." } else { "" };
            format!("hold {}{more}", shown.join(", "))
        }
        Command::Confirm { booking } => format!("confirm {booking}"),
        Command::Cancel { booking } => format!("cancel {booking}"),
        Command::Move { booking, .. } => format!("move {booking}"),
        Command::Extend { booking, .. } => format!("extend {booking}"),
    };
    let answer = match &call.answer {
        Answer::Granted(it) => {
            format!("granted {} at {}", it.booking.booking, it.position.sequence)
        }
        Answer::Refused(it) => format!("refused {} at {}", it.reason, it.position.sequence),
        Answer::NotDone => "not done".to_owned(),
        Answer::Unknown => "unknown".to_owned(),
    };
    let id = if call.request_id.is_empty() {
        "none"
    } else {
        &call.request_id
    };
    format!(
        "call {place}, client {}, request id {id}, {} s to {} s: {command}: {answer}",
        call.client,
        seconds(call.begin_ns),
        seconds(call.end_ns)
    )
}
