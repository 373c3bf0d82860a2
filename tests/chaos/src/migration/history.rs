//! What was seen of a migration: what clients asked and heard, what gateways say they decided, what the operator did, what
//! was killed, and what both sides hold in the end.
//!
//! All times are microseconds of one clock since the run began.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    time::Instant,
};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// The one clock of a run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    /// The same moment as other processes see it.
    began_at: Timestamp,
}

impl Clock {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            began_at: Timestamp::now(),
        }
    }

    /// Microseconds since it began.
    #[must_use]
    pub fn now(self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A moment that another process has told, as Unix milliseconds; 0 if that was before it began.
    #[must_use]
    pub fn when(self, unix_ms: u64) -> u64 {
        let began_us = u64::try_from(self.began_at.as_microsecond()).unwrap_or_default();
        unix_ms.saturating_mul(1_000).saturating_sub(began_us)
    }

    /// A moment of a history, for other processes.
    #[must_use]
    pub fn at(self, us: u64) -> Timestamp {
        let later = SignedDuration::from_micros(i64::try_from(us).unwrap_or(i64::MAX));
        self.began_at
            .saturating_add(later)
            .unwrap_or(Timestamp::MAX)
    }
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// In no particular order.
    pub exchanges: Vec<Exchange>,
    /// What gateways decided, by the request's id.
    pub decisions: BTreeMap<String, Decision>,
    /// In order.
    pub changes: Vec<Change>,
    /// In order.
    pub outages: Vec<Outage>,
    /// When everybody had stopped.
    pub end: End,
}

/// One request of a client and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// Unique in the run; the gateway's log has it too.
    pub request_id: String,
    /// Who asked. One who waits for each answer before asking again.
    pub subject: String,
    /// Which gateway was asked.
    pub gateway: usize,
    /// What was asked.
    pub asked: Asked,
    /// The pin that it carried.
    pub pin: Option<Pin>,
    /// When it was sent.
    pub sent_us: u64,
    /// When its answer was complete, or it was known that there is none.
    pub ended_us: u64,
    /// What came back.
    pub answer: Answer,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Asked {
    /// A movie that nobody else creates; it carries no request id, so that to repeat it may create it twice.
    Create {
        /// Unique in the run.
        title: String,
    },
    /// One of the subject's own movies.
    Movie {
        /// Its id.
        id: i64,
    },
    /// All movies.
    Movies,
    /// A room for a night, under a request id.
    Hold,
    /// A hold of the subject's own for good, under a request id.
    Confirm {
        /// Its name.
        booking: String,
    },
    /// A booking of the subject's own to be given back, under a request id.
    Cancel {
        /// Its name.
        booking: String,
    },
    /// One of the subject's own bookings.
    Booking {
        /// Its name.
        booking: String,
    },
}

/// What a client got.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Answer {
    /// Of HTTP; 0 where there was no answer at all.
    pub status: u16,
    /// Whether all of the answer came.
    pub complete: bool,
    /// `x-banyan-side`.
    pub side: Option<Side>,
    /// The pin that it gives.
    pub pin: Option<Pin>,
    /// What a success tells.
    pub told: Told,
    /// What a failure tells, for people.
    pub error: String,
}

/// A pin as clients hold it: it keeps a subject's reads with the side that took its write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pin {
    /// All of it, signed.
    pub text: String,
    /// The side that it names.
    pub side: Side,
    /// When the write had been done, if it says so.
    pub since_us: Option<u64>,
    /// Until when it holds by itself.
    pub until_us: u64,
}

/// What a success tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Told {
    /// Nothing, or nothing that can be read.
    #[default]
    Nothing,
    /// One movie.
    Movie {
        /// Its id.
        id: i64,
        /// Its title.
        title: String,
    },
    /// The movies whose titles are the subject's own, by id.
    Movies(BTreeMap<i64, String>),
    /// A booking.
    Booking {
        /// Its name.
        booking: String,
        /// `STATE_HELD` and so on.
        state: String,
    },
}

/// A side of the rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Side {
    /// The monolith.
    Legacy,
    /// The gRPC service.
    Grpc,
}

/// What a gateway's access log says of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The gateway that wrote it.
    pub gateway: usize,
    /// Who answered.
    pub side: Side,
    /// Why that side, or why gRPC where legacy answered for it.
    pub reason: String,
    /// The subject's place, 0 to 9,999.
    pub bucket: u16,
    /// The rollout's version that decided.
    pub version: u64,
    /// Whether legacy answered because gRPC failed.
    pub fell_back: bool,
}

/// Something that the operator did to the rollout.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The version that it made.
    pub version: u64,
    /// `shadow`, `split` and so on.
    pub stage: String,
    /// Per cent of subjects on the gRPC side from then on.
    pub percent: u16,
    /// Whether legacy answers for gRPC from then on.
    pub fallback: bool,
    /// When the command was given.
    pub began_us: u64,
    /// When it had answered.
    pub ended_us: u64,
}

/// A process that was killed and started again.
#[derive(Clone, Debug, Serialize)]
pub struct Outage {
    /// Which side it is.
    pub side: Side,
    /// Just before it was killed.
    pub killed_us: u64,
    /// When it was gone.
    pub gone_us: u64,
    /// When it answered again.
    pub back_us: u64,
}

/// What there is when everybody has stopped.
#[derive(Clone, Debug, Default, Serialize)]
pub struct End {
    /// The monolith's movies by id.
    pub legacy: BTreeMap<i64, Movie>,
    /// The gRPC service's movies by id.
    pub grpc: BTreeMap<i64, Movie>,
    /// State by booking.
    pub bookings: BTreeMap<String, String>,
    /// What `banyan rollout verify` found wrong with the history of changes; empty if nothing.
    pub verify: String,
    /// What `banyan rollout reconcile` found to differ; empty if nothing.
    pub reconcile: String,
    /// Decisions that the gateways explain otherwise than they were made, or than each other.
    pub unexplained: Vec<String>,
    /// Decisions that were explained.
    pub explained: u64,
    /// Answers that shadows compared and found to differ.
    pub differences: u64,
}

/// A movie as one side has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Movie {
    /// Unique in the run for those that clients have created.
    pub title: String,
    /// Everything else, as text.
    pub rest: String,
}

impl Exchange {
    /// Whether it was answered as it should be where nothing is wrong.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        let wanted = match self.asked {
            Asked::Create { .. } => 201,
            _ => 200,
        };
        self.answer.status == wanted && self.answer.complete
    }

    /// Whether it creates a movie, which nobody may repeat.
    #[must_use]
    pub fn is_create(&self) -> bool {
        matches!(self.asked, Asked::Create { .. })
    }

    /// Whether it was told to have failed as one is told whose request may not be repeated, or cannot be done now.
    #[must_use]
    pub fn is_honest_failure(&self) -> bool {
        self.answer.complete && matches!(self.answer.status, 502 | 503)
    }

    /// Whether it was on its way when a process was killed.
    #[must_use]
    pub fn was_in_flight_at(&self, outage: &Outage) -> bool {
        self.sent_us <= outage.gone_us && outage.killed_us <= self.ended_us
    }

    /// Whether it is one of the rollout's.
    #[must_use]
    pub fn is_of_movies(&self) -> bool {
        matches!(
            self.asked,
            Asked::Create { .. } | Asked::Movie { .. } | Asked::Movies
        )
    }
}

impl History {
    /// Writes it down, a line for each thing.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let file = File::create(path).context("cannot write the history")?;
        let mut file = BufWriter::new(file);
        let mut line = |kind: &str, value: serde_json::Value| {
            writeln!(file, "{}", serde_json::json!({ kind: value }))
        };
        for it in &self.exchanges {
            let decision = self.decisions.get(&it.request_id);
            let value = serde_json::json!({ "exchange": it, "decision": decision });
            line("exchange", value)?;
        }
        for it in &self.changes {
            line("change", serde_json::to_value(it)?)?;
        }
        for it in &self.outages {
            line("outage", serde_json::to_value(it)?)?;
        }
        line("end", serde_json::to_value(&self.end)?)?;
        file.flush().context("cannot write the history")
    }
}
