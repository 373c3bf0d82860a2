//! Simulated rollouts: how often equal sides are rolled back, and how soon bad releases are.
//!
//! ```text
//! simulate [ROLLOUTS] [BAD]
//! ```
//!
//! Prints two tables in Markdown and the figures under them. The same numbers come out everywhere: every rollout has its
//! seed.
#![expect(clippy::print_stdout, reason = "a program whose output is its purpose")]

mod world;

use std::sync::atomic::{AtomicUsize, Ordering};

use banyan_rollout::{Analysis, Bucket, Layout, Outcome, Percent, Policy, Stage, Window};

use self::world::{End, How, World};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse());
    let rollouts = arguments.next().and_then(Result::ok).unwrap_or(10_000);
    let bad = arguments.next().and_then(Result::ok).unwrap_or(100);
    let policy = policy();
    let rate = equal_sides(&policy, rollouts);
    let requests = bad_releases(&policy, bad);
    println!("figure false_rollback_rate {rate:.2} %");
    println!("figure bad_release_detected_after_requests {requests:.0} requests");
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
    let (plain, hard) = (World::default(), World::hard());
    let worlds = [
        ("1 % fail", 30, plain),
        ("1 % fail, hard world", 30, hard),
        (
            "1 % fail, low traffic",
            15,
            World {
                requests: 200.0,
                ..plain
            },
        ),
        (
            "1 % fail, steps held 10 times longer",
            15,
            World {
                linger: 60,
                requests: 1_500.0,
                ..plain
            },
        ),
        (
            "0.2 % fail",
            10,
            World {
                failures: 0.002,
                ..plain
            },
        ),
    ];
    println!(
        "| equal sides | rollouts | rolled back | went to 100 % | undecided | gRPC requests until then, median |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let (mut all, mut rolled_back) = (0, 0);
    for (index, (name, share, world)) in worlds.into_iter().enumerate() {
        let count = rollouts * share / 100;
        let ends = run(policy, &world, count, index as u64 + 1);
        let of = |how| ends.iter().filter(|end| end.how == how).count();
        let finished = ends.iter().filter(|end| end.how == How::Finished);
        let requests = quantile(finished.map(|end| end.grpc_requests).collect(), 0.5);
        println!(
            "| {name} | {count} | {} | {} | {} | {requests:.0} |",
            of(How::RolledBack),
            of(How::Finished),
            of(How::Undecided)
        );
        all += count;
        rolled_back += of(How::RolledBack);
    }
    println!("| all | {all} | {rolled_back} | | | |\n");
    rolled_back as f64 / all.max(1) as f64 * 100.0
}

/// Prints how soon bad releases are rolled back; returns after how many requests on gRPC nearly all are.
fn bad_releases(policy: &Policy, rollouts: usize) -> f64 {
    println!(
        "| bad release | rollouts | rolled back | at 1 % | gRPC requests until then: median | p95 | all requests: median |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut slowest = 0f64;
    for (index, (name, figure, world)) in bad_worlds().into_iter().enumerate() {
        let ends = run(policy, &world, rollouts, 100 + index as u64);
        let is_found = |end: &&End| end.how == How::RolledBack;
        let found: Vec<&End> = ends.iter().filter(is_found).collect();
        let first = found
            .iter()
            .filter(|end| Some(&end.percent) == policy.steps.first())
            .count();
        // Whoever is not rolled back would take for ever.
        let took = |end: &End, requests| match end.how {
            How::RolledBack => requests,
            How::Finished | How::Undecided => f64::INFINITY,
        };
        let grpc = |share| {
            let took = ends.iter().map(|end| took(end, end.grpc_requests));
            quantile(took.collect(), share)
        };
        let all = ends.iter().map(|end| took(end, end.requests)).collect();
        println!(
            "| {name} | {rollouts} | {:.1} % | {:.1} % | {:.0} | {:.0} | {:.0} |",
            found.len() as f64 / rollouts.max(1) as f64 * 100.0,
            first as f64 / rollouts.max(1) as f64 * 100.0,
            grpc(0.5),
            grpc(0.95),
            quantile(all, 0.5),
        );
        if figure {
            slowest = slowest.max(grpc(0.95));
        }
    }
    println!();
    slowest
}

/// Bad releases, and whether they count for the figure.
fn bad_worlds() -> [(&'static str, bool, World); 7] {
    let (plain, hard) = (World::default(), World::hard());
    [
        (
            "errors 1 % -> 2 %",
            true,
            World {
                failures_ratio: 2.0,
                ..plain
            },
        ),
        (
            "p99 x 3",
            true,
            World {
                tail_ratio: 3.0,
                ..plain
            },
        ),
        (
            "errors 0.2 % -> 0.4 %",
            false,
            World {
                failures: 0.002,
                failures_ratio: 2.0,
                ..plain
            },
        ),
        (
            "errors 1 % -> 2 %, hard world",
            false,
            World {
                failures_ratio: 2.0,
                ..hard
            },
        ),
        (
            "p99 x 3, hard world",
            false,
            World {
                tail_ratio: 3.0,
                ..hard
            },
        ),
        (
            "errors 1 % -> 5 %",
            false,
            World {
                failures_ratio: 5.0,
                ..plain
            },
        ),
        (
            "errors 1 % -> 50 %",
            false,
            World {
                failures_ratio: 50.0,
                ..plain
            },
        ),
    ]
}

/// Runs rollouts on all cores; the seeds do not depend on how many there are.
fn run(policy: &Policy, world: &World, rollouts: usize, series: u64) -> Vec<End> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut ends = Vec::new();
        loop {
            let rollout = next.fetch_add(1, Ordering::Relaxed);
            if rollout >= rollouts {
                return ends;
            }
            ends.push(world.run(policy, (series << 32) + rollout as u64));
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

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (share * last as f64).ceil() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}
