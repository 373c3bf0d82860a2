//! What came of the requests of one run, and how long their answers took.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use tonic::Code;

/// What came of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Granted.
    pub held: u64,
    /// Refused because somebody else has it.
    pub refused: u64,
    /// Neither: the call failed, or what was wrong was not that it is taken.
    pub failed: Option<Code>,
}

/// Counts and latencies. Only answers that grant something enter the latencies: a refusal is no success. Every latency is
/// kept, so that quantiles are exact: four bytes each, for a run of a minute.
#[derive(Debug, Default)]
pub struct Tally {
    /// Granted.
    pub held: u64,
    /// Refused because somebody else has it.
    pub refused: u64,
    /// Failed, by code.
    pub failed: BTreeMap<String, u64>,
    latencies_us: Vec<u32>,
}

/// Latencies of those that were granted, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latency {
    /// Half of them took less.
    pub p50_ms: f64,
    /// 99 of 100 took less.
    pub p99_ms: f64,
    /// 999 of 1,000 took less.
    pub p999_ms: f64,
}

impl Tally {
    /// Counts an answer that took so long.
    pub fn add(&mut self, answer: Answer, took: Duration) {
        self.held += answer.held;
        self.refused += answer.refused;
        if let Some(code) = answer.failed {
            *self.failed.entry(format!("{code:?}")).or_default() += 1;
        }
        if answer.held > 0 {
            let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
            self.latencies_us.push(micros);
        }
    }

    /// The latencies so far; nothing where nothing was granted.
    pub fn latency(&self) -> Option<Latency> {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        let at = |share: f64| {
            let last = sorted.len().checked_sub(1)?;
            let nth = (last as f64 * share).ceil() as usize;
            Some(f64::from(*sorted.get(nth)?) / 1_000.0)
        };
        Some(Latency {
            p50_ms: at(0.5)?,
            p99_ms: at(0.99)?,
            p999_ms: at(0.999)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_and_failures_have_no_latency() {
        let mut tally = Tally::default();
        let granted = Answer {
            held: 1,
            ..Answer::default()
        };
        let refused = Answer {
            refused: 1,
            ..Answer::default()
        };
        let failed = Answer {
            failed: Some(Code::Unavailable),
            ..Answer::default()
        };
        tally.add(granted, Duration::from_millis(2));
        tally.add(refused, Duration::from_secs(9));
        tally.add(failed, Duration::from_secs(9));
        assert_eq!((tally.held, tally.refused), (1, 1));
        assert_eq!(tally.failed["Unavailable"], 1);
        assert!((tally.latency().unwrap().p999_ms - 2.0).abs() < 0.01);
    }

    #[test]
    fn quantiles_are_exact() {
        let mut tally = Tally::default();
        assert!(tally.latency().is_none());
        let granted = Answer {
            held: 1,
            ..Answer::default()
        };
        for millis in (1..=1_000).rev() {
            tally.add(granted, Duration::from_millis(millis));
        }
        let latency = tally.latency().unwrap();
        let found = [latency.p50_ms, latency.p99_ms, latency.p999_ms];
        assert_eq!(found.map(f64::round), [501.0, 991.0, 1_000.0]);
    }
}
