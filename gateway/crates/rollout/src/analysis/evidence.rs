//! What speaks for a verdict, in numbers that a person can check.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::BackTo;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The rate of answers that are failures.
    Errors,
    /// A quantile of latency.
    Latency {
        /// Which one, such as 0.99.
        quantile: f64,
    },
    /// The rate of answers that differ from the owner's.
    Differences,
}

/// What the evidence about a metric says so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Nothing was measured.
    NotMeasured,
    /// Too little for either.
    Undecided,
    /// Better than what would be harmful.
    Harmless,
    /// Worse than allowed.
    Worse,
}

/// The evidence about one metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What is compared.
    pub metric: Metric,
    /// Legacy's rate, quantile in microseconds, or (of differences) the owner's noise.
    pub legacy: f64,
    /// gRPC's.
    pub grpc: f64,
    /// What gRPC's may be.
    pub allowed: f64,
    /// How many of legacy's answers count.
    pub legacy_samples: u64,
    /// How many of gRPC's answers count.
    pub grpc_samples: u64,
    /// Natural logarithm of the evidence that gRPC is worse than allowed.
    pub ln_against: f64,
    /// How much of that rolls back.
    pub ln_against_needed: f64,
    /// Natural logarithm of the evidence that gRPC is better than harmful.
    pub ln_harmless: f64,
    /// How much of that lets go on.
    pub ln_harmless_needed: f64,
    /// What follows.
    pub judgement: Judgement,
}

/// What the policy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Goes a step forward.
    Advance,
    /// Stays.
    Hold(Hold),
    /// Rolls back.
    RollBack(BackTo),
}

/// Why a rollout stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// In this stage nothing moves by itself.
    ByHand,
    /// Nobody is on gRPC yet: people begin.
    NotBegun,
    /// Everybody is on gRPC: nothing is left to compare with, and nothing to advance to by itself.
    Everybody,
    /// The step is too young.
    TooShort {
        /// How long it has to last yet.
        left_s: u64,
    },
    /// Too little traffic to tell.
    TooFew {
        /// How many counted requests the side that has fewer has, or answers were compared.
        requests: u64,
        /// How many it takes.
        needed: u64,
    },
    /// The step is good, and the policy has none after it.
    LastStep,
    /// Enough traffic, but no evidence strong enough yet.
    Undecided,
    /// Something speaks against gRPC, though not enough.
    Suspicious,
    /// The step is good, and the policy leaves advancing to people.
    AdvanceByHand,
    /// The step is bad, and the policy leaves rolling back to people.
    RollBackByHand,
}

/// What the policy does and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What it does.
    pub outcome: Outcome,
    /// The evidence, metric by metric.
    pub evidence: Vec<Evidence>,
}

impl Evidence {
    pub(super) fn judged(self) -> Self {
        let judgement = if self.ln_against >= self.ln_against_needed {
            Judgement::Worse
        } else if self.grpc_samples == 0 {
            Judgement::NotMeasured
        } else if self.ln_harmless >= self.ln_harmless_needed {
            Judgement::Harmless
        } else {
            Judgement::Undecided
        };
        Self { judgement, ..self }
    }
}

impl Judgement {
    /// The stable name on screens and in APIs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotMeasured => "not_measured",
            Self::Undecided => "undecided",
            Self::Harmless => "harmless",
            Self::Worse => "worse",
        }
    }
}

impl Outcome {
    /// The stable name on screens and in APIs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advance => "advance",
            Self::Hold(_) => "hold",
            Self::RollBack(_) => "roll_back",
        }
    }

    /// Whether the step was found good, whoever goes on from there.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(
            self,
            Self::Advance | Self::Hold(Hold::LastStep | Hold::AdvanceByHand)
        )
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors => f.write_str("errors"),
            // 0.999 is p99.9: rounded, because 0.99 times 100 is not 99.
            Self::Latency { quantile } => write!(f, "p{}", (quantile * 1e6).round() / 1e4),
            Self::Differences => f.write_str("differences"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByHand => f.write_str("in this stage nothing moves by itself"),
            Self::NotBegun => f.write_str("nobody is on gRPC yet: promote by hand to begin"),
            Self::Everybody => f.write_str(
                "everybody is on gRPC: nothing is left to compare with, stage grpc is entered by hand",
            ),
            Self::TooShort { left_s } => write!(f, "the step has to last {left_s} s more"),
            Self::TooFew { requests, needed } => {
                write!(f, "undecided: {requests} of {needed} requests")
            }
            Self::LastStep => f.write_str(
                "last step: it is good, and the policy goes no further; promote by hand to go on",
            ),
            Self::Undecided => f.write_str("undecided: the evidence is not strong enough yet"),
            Self::Suspicious => {
                f.write_str("undecided: something speaks against gRPC, though not enough")
            }
            Self::AdvanceByHand => {
                f.write_str("the step is good; the policy leaves advancing to people")
            }
            Self::RollBackByHand => {
                f.write_str("the step is bad; the policy leaves rolling back to people")
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Advance => f.write_str("advance"),
            Self::Hold(why) => write!(f, "hold: {why}"),
            Self::RollBack(BackTo::Zero) => f.write_str("roll back to 0"),
            Self::RollBack(BackTo::LastGood) => f.write_str("roll back to the last good step"),
        }
    }
}

impl fmt::Display for Evidence {
    /// `errors: gRPC 2.1 % of 5120, legacy 1 % of 25600, allowed 1.11 %: worse (against 3e7 of 2e5, harmless 0.001 of 20)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: f64| match self.metric {
            Metric::Latency { .. } => format!("{:.3} ms", value / 1_000.0),
            Metric::Errors | Metric::Differences => format!("{:.3} %", value * 100.0),
        };
        write!(
            f,
            "{}: gRPC {} of {}, legacy {} of {}, allowed {}: {} (against {} of {}, harmless {} of {})",
            self.metric,
            shown(self.grpc),
            self.grpc_samples,
            shown(self.legacy),
            self.legacy_samples,
            shown(self.allowed),
            self.judgement.as_str(),
            odds(self.ln_against),
            odds(self.ln_against_needed),
            odds(self.ln_harmless),
            odds(self.ln_harmless_needed),
        )
    }
}

/// An e-value to two digits.
fn odds(ln: f64) -> String {
    if ln.abs() < 6.0 {
        return format!("{:.2}", ln.exp());
    }
    let log10 = ln / std::f64::consts::LN_10;
    format!(
        "{:.1}e{:.0}",
        10f64.powf(log10 - log10.floor()),
        log10.floor()
    )
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outcome)?;
        for evidence in &self.evidence {
            write!(f, "\n  {evidence}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_reads_as_a_sentence() {
        let evidence = Evidence {
            metric: Metric::Errors,
            legacy: 0.01,
            grpc: 0.021,
            allowed: 0.0111,
            legacy_samples: 25_600,
            grpc_samples: 5_120,
            ln_against: 17.3,
            ln_against_needed: 12.2,
            ln_harmless: -3.0,
            ln_harmless_needed: 3.0,
            judgement: Judgement::Undecided,
        };
        let verdict = Verdict {
            outcome: Outcome::RollBack(BackTo::Zero),
            evidence: vec![evidence.judged()],
        };
        assert_eq!(
            verdict.to_string(),
            "roll back to 0\n  errors: gRPC 2.100 % of 5120, legacy 1.000 % of 25600, allowed 1.110 %: worse (against \
             3.3e7 of 2.0e5, harmless 0.05 of 20.09)"
        );
        assert_eq!(Metric::Latency { quantile: 0.999 }.to_string(), "p99.9");
        assert_eq!(Metric::Latency { quantile: 0.99 }.to_string(), "p99");
    }
}
