//! What of a policy can be typed. What is not typed stays as it is in force.

use banyan_proto::rollout::v1::{DifferenceBound, LatencyBound, RateBound, RolloutPolicy};
use banyan_rollout::Percent;
use clap::{Args, ValueEnum};

/// How a rollout moves by itself.
#[derive(Args, Clone, Debug, Default)]
#[group(id = "policy", required = true, multiple = true)]
pub struct PolicyArgs {
    /// Per cent of subjects on the gRPC side, step by step: 1,5,25,50,100. It ends at the last one; `promote` goes beyond.
    #[arg(long, value_name = "PERCENT,..", value_delimiter = ',', num_args = 1..)]
    pub steps: Vec<Percent>,
    /// A step lasts at least so many seconds.
    #[arg(long, value_name = "S")]
    pub step_time: Option<u32>,
    /// Each side answers at least so many requests in a step.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub step_requests: Option<u32>,
    /// At least so many answers are compared in stage shadow.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub shadow_requests: Option<u32>,
    /// Answers in the first seconds of a step do not count.
    #[arg(long, value_name = "S")]
    pub settle: Option<u32>,
    /// How likely equal sides may be rolled back on the whole way, in per cent: 0.0001 to 50.
    #[arg(long, value_name = "PERCENT", value_parser = probability)]
    pub false_rollback: Option<f64>,
    /// How likely a harmful release may be taken for a harmless one in a step, by one metric, in per cent: 0.0001 to 50.
    #[arg(long, value_name = "PERCENT", value_parser = probability)]
    pub false_advance: Option<f64>,
    /// Whether it advances by itself.
    #[arg(long, value_name = "BOOL")]
    pub advance: Option<bool>,
    /// Whether it rolls back by itself.
    #[arg(long, value_name = "BOOL")]
    pub roll_back: Option<bool>,
    /// Where it rolls back to: nobody, or the last lower percentage found good.
    #[arg(long, value_enum)]
    pub back_to: Option<BackToArg>,
    /// gRPC's failures may be this times legacy's rate; harmful from --errors-harm on.
    #[arg(long, value_name = "RATIO")]
    pub errors: Option<f64>,
    /// gRPC's failures are harmful at this times legacy's rate.
    #[arg(long, value_name = "RATIO")]
    pub errors_harm: Option<f64>,
    /// A quantile of gRPC may be this times legacy's: 0.99=1.25. Those typed replace all others. Harmful is 1.6 times that,
    /// at least 2.
    #[arg(long, value_name = "QUANTILE=RATIO", value_parser = latency)]
    pub latency: Vec<(f64, f64)>,
    /// So many per cent of the answers may differ. Harmful is 10 times that, or what was harmful before if that is more.
    #[arg(long, value_name = "PERCENT")]
    pub differences: Option<f64>,
    /// No policy: people decide, whatever gateway.toml says.
    #[arg(long, exclusive = false)]
    pub off: bool,
    /// gateway.toml decides again.
    #[arg(long, conflicts_with = "off")]
    pub unset: bool,
}

/// Where a policy rolls back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackToArg {
    /// To nobody.
    Zero,
    /// To the last percentage that was found good.
    LastGood,
}

impl PolicyArgs {
    /// In the API's words; `None` where nothing of a policy is typed.
    pub(in crate::cli) fn message(&self) -> Option<RolloutPolicy> {
        let duration = |seconds: u32| prost_types::Duration {
            seconds: seconds.into(),
            nanos: 0,
        };
        let has_errors = self.errors.is_some() || self.errors_harm.is_some();
        let latency = self.latency.iter().map(|(quantile, ratio)| LatencyBound {
            quantile: *quantile,
            ratio_max: Some(*ratio),
            harm_ratio: None,
        });
        let policy = RolloutPolicy {
            steps: self.steps.iter().map(|step| step.as_f64()).collect(),
            step_time_min: self.step_time.map(duration),
            step_requests_min: self.step_requests.unwrap_or_default().into(),
            shadow_requests_min: self.shadow_requests.unwrap_or_default().into(),
            settle_time: self.settle.map(duration),
            false_rollback_probability: self.false_rollback.unwrap_or_default() / 100.0,
            false_advance_probability: self.false_advance.unwrap_or_default() / 100.0,
            advance: self.advance,
            roll_back: self.roll_back,
            back_to_last_good: self.back_to.map(|to| to == BackToArg::LastGood),
            errors: has_errors.then_some(RateBound {
                ratio_max: self.errors,
                harm_ratio: self.errors_harm,
                ..RateBound::default()
            }),
            latency: latency.collect(),
            differences: self.differences.map(|max| DifferenceBound {
                max_percent: Some(max),
                harm_percent: None,
            }),
        };
        (policy != RolloutPolicy::default()).then_some(policy)
    }
}

/// The API takes 0 for nothing said.
fn probability(text: &str) -> Result<f64, &'static str> {
    let number = text.parse().ok();
    number
        .filter(|number| (0.0001..=50.0).contains(number))
        .ok_or("0.0001 to 50 is allowed")
}

fn latency(text: &str) -> Result<(f64, f64), &'static str> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    text.split_once('=')
        .and_then(|(quantile, ratio)| Some((number(quantile)?, number(ratio)?)))
        .ok_or("a quantile and a ratio such as 0.99=1.25 are allowed")
}
