//! Simulated rollouts: how often equal sides are rolled back, and how soon bad releases are.
//!
//! ```text
//! simulate [ROLLOUTS] [BAD]
//! ```
//!
//! Prints three tables in Markdown and the figures under them. The same numbers come out everywhere: every rollout has
//! its seed.
#![expect(clippy::print_stdout, reason = "a program whose output is its purpose")]

mod replicas;
mod traffic;
mod world;
mod worlds;

use std::sync::atomic::{AtomicUsize, Ordering};

use banyan_rollout::{
    Analysis, Bucket, Hold, Judgement, Layout, Metric, Outcome, Percent, Policy, Stage, Window,
};

use self::{
    world::{End, How, Rollout, World},
    worlds::Figure,
};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse());
    let rollouts = arguments.next().and_then(Result::ok).unwrap_or(10_000);
    let bad = arguments.next().and_then(Result::ok).unwrap_or(100);
    let policy = policy();
    let rate = equal_sides(&policy, rollouts);
    let slowest = bad_releases(&policy, bad);
    bad_at_a_step(&policy, bad);
    println!(
        "figure differing_release_detected_after_comparisons {:.0} answers",
        slowest.comparisons
    );
    println!("figure false_rollback_rate {rate:.2} %");
    println!(
        "figure bad_release_detected_after_requests {:.0} requests",
        slowest.requests
    );
}

/// The usual one, with steps as short as possible: waiting only makes decisions better.
fn policy() -> Policy {
    Policy {
        step_time_s: 60,
        settle_s: 0,
        ..Policy::default()
    }
}

/// Prints how rollouts with equal sides end; returns the share that is rolled back, in per cent.
fn equal_sides(policy: &Policy, rollouts: usize) -> f64 {
    println!(
        "| equal sides | rollouts | rolled back | by errors | by latency | by differences | went through 100 % | undecided | gRPC requests until 100 %, median |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let (mut all, mut rolled_back) = (0, 0);
    for (index, (name, share, world)) in worlds::equal().into_iter().enumerate() {
        let count = rollouts * share / 100;
        let ends = run(count, index as u64 + 1, |seed| world.run(policy, seed));
        let of = |chosen: &dyn Fn(How) -> bool| ends.iter().filter(|end| chosen(end.how)).count();
        let back = of(&How::is_back);
        let errors = of(&|how| how == How::RolledBack(Metric::Errors));
        let differences = of(&|how| how == How::RolledBack(Metric::Differences));
        let finished = ends.iter().filter(|end| end.how == How::Finished);
        let requests = finished.map(|end| end.grpc_requests - end.grpc_requests_of_all);
        println!(
            "| {name} | {count} | {back} | {errors} | {} | {differences} | {} | {} | {:.0} |",
            back - errors - differences,
            of(&|how| how == How::Finished),
            of(&|how| how == How::Undecided),
            quantile(requests.collect(), 0.5),
        );
        all += count;
        rolled_back += back;
    }
    println!("| all | {all} | {rolled_back} | | | | | | |\n");
    rolled_back as f64 / all.max(1) as f64 * 100.0
}

/// After how much nearly all bad releases are rolled back.
struct Slowest {
    requests: f64,
    comparisons: f64,
}

/// Prints how soon releases that are bad from the beginning are rolled back on their way.
fn bad_releases(policy: &Policy, rollouts: usize) -> Slowest {
    println!(
        "| bad release | rollouts | rolled back | at 1 % or before | went through 100 % | undecided | gRPC requests until then: median | p95 | answers compared: median | p95 | all requests: median |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut slowest = Slowest {
        requests: 0.0,
        comparisons: 0.0,
    };
    for (index, (name, figure, world)) in worlds::bad().into_iter().enumerate() {
        let series = 100 + index as u64;
        let ends = run(rollouts, series, |seed| world.run(policy, seed));
        let of = |chosen: &dyn Fn(&End) -> bool| {
            percent(ends.iter().filter(|end| chosen(end)).count(), rollouts)
        };
        let is_first = |end: &End| policy.steps.first() >= Some(&end.percent);
        let took = |share, of: fn(&End) -> f64| until_found(&ends, share, of);
        println!(
            "| {name} | {rollouts} | {:.1} % | {:.1} % | {:.1} % | {:.1} % | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            of(&|end| end.how.is_back()),
            of(&|end| end.how.is_back() && is_first(end)),
            of(&|end| end.how == How::Finished),
            of(&|end| end.how == How::Undecided),
            took(0.5, |end| end.grpc_requests),
            took(0.95, |end| end.grpc_requests),
            took(0.5, |end| end.compared),
            took(0.95, |end| end.compared),
            took(0.5, |end| end.requests),
        );
        match figure {
            Figure::None => {}
            Figure::Requests => {
                let requests = took(0.95, |end| end.grpc_requests);
                slowest.requests = slowest.requests.max(requests);
            }
            Figure::Comparisons => {
                let comparisons = took(0.95, |end| end.compared);
                slowest.comparisons = slowest.comparisons.max(comparisons);
            }
        }
    }
    println!();
    slowest
}

/// Prints how soon a release is found that is bad from one step on and stays there.
fn bad_at_a_step(policy: &Policy, rollouts: usize) {
    let policy = Policy {
        advance: false,
        ..policy.clone()
    };
    let steps: Vec<String> = policy
        .steps
        .iter()
        .map(|step| format!(" {step} % |"))
        .collect();
    println!(
        "| bad at one step: found after, median / p95 | of |{}",
        steps.concat()
    );
    println!("| --- | --- |{}", " ---: |".repeat(steps.len()));
    for (index, (name, figure, world)) in worlds::bad_at_a_step().into_iter().enumerate() {
        let (unit, of): (_, fn(&End) -> f64) = match figure {
            Figure::Comparisons => ("answers compared", |end| end.compared),
            Figure::Requests | Figure::None => ("gRPC requests", |end| end.grpc_requests),
        };
        print!("| {name} | {unit} |");
        for (step, _) in policy.steps.iter().enumerate() {
            let series = 200 + (index * 10 + step) as u64;
            let ends = run(rollouts, series, |seed| {
                let mut rollout = Rollout::new(&world, &policy, seed);
                // Passed at once: it is as far on its way as any that has come here.
                (0..=step).for_each(|_| rollout.step(0));
                rollout.run()
            });
            match until_found(&ends, 0.5, of) {
                median if median.is_finite() => {
                    print!(" {median:.0} / {:.0} |", until_found(&ends, 0.95, of));
                }
                _ => print!(" - |"),
            }
        }
        println!();
    }
    println!();
}

/// Runs rollouts on all cores; the seeds do not depend on how many there are.
fn run(rollouts: usize, series: u64, one: impl Fn(u64) -> End + Sync) -> Vec<End> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut ends = Vec::new();
        loop {
            let rollout = next.fetch_add(1, Ordering::Relaxed);
            if rollout >= rollouts {
                return ends;
            }
            ends.push(one((series << 32) + rollout as u64));
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        running
            .into_iter()
            .flat_map(|worker| match worker.join() {
                Ok(ends) => ends,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

/// After how much this share is rolled back; who never is would take for ever.
fn until_found(ends: &[End], share: f64, of: fn(&End) -> f64) -> f64 {
    let took = ends.iter().map(|end| match end.how {
        How::RolledBack(_) => of(end),
        How::Finished | How::Undecided => f64::INFINITY,
    });
    quantile(took.collect(), share)
}

fn percent(count: usize, all: usize) -> f64 {
    count as f64 / all.max(1) as f64 * 100.0
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (share * last as f64).ceil() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}
