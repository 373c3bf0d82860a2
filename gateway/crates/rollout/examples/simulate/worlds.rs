//! The worlds of the tables: equal sides of many kinds, and releases that are bad in one way each.

use super::World;

/// Which figure a bad release counts for.
#[derive(Clone, Copy)]
pub(crate) enum Figure {
    None,
    /// Requests that gRPC answered until it was found.
    Requests,
    /// Answers compared until it was found.
    Comparisons,
}

/// Equal sides, and what share of all simulated rollouts they are, in per cent.
pub(crate) fn equal() -> [(&'static str, usize, World); 7] {
    let (plain, hard) = (World::default(), World::hard());
    [
        ("1 % fail", 30, plain),
        ("1 % fail, hard world", 20, hard),
        (
            "1 % fail, hard world, 5 % differ by themselves",
            10,
            World {
                noise: 0.05,
                ..hard
            },
        ),
        (
            "1 % fail, three replicas, windows late or missing",
            15,
            World {
                replicas: 3,
                ..plain
            },
        ),
        (
            "1 % fail, low traffic",
            10,
            World {
                requests: 200.0,
                compared: 0.2,
                windows_max: 20_000,
                ..plain
            },
        ),
        (
            "1 % fail, steps held 10 times longer",
            10,
            World {
                linger: 60,
                requests: 1_500.0,
                ..plain
            },
        ),
        (
            "0.2 % fail",
            5,
            World {
                failures: 0.002,
                ..plain
            },
        ),
    ]
}

/// Releases that are bad from the beginning.
pub(crate) fn bad() -> [(&'static str, Figure, World); 12] {
    let (plain, hard) = (World::default(), World::hard());
    let errors = |world, failures_ratio| World {
        failures_ratio,
        ..world
    };
    let tail = |world, tail_ratio| World {
        tail_ratio,
        ..world
    };
    let differing = |world, differing| World { differing, ..world };
    let few = World {
        failures: 0.002,
        ..plain
    };
    let replicas = World {
        replicas: 3,
        ..plain
    };
    [
        ("errors 1 % -> 2 %", Figure::Requests, errors(plain, 2.0)),
        ("p99 x 3", Figure::Requests, tail(plain, 3.0)),
        (
            "1 % of the answers differ",
            Figure::Comparisons,
            differing(plain, 0.01),
        ),
        (
            "errors 1 % -> 2 %, three replicas",
            Figure::Requests,
            errors(replicas, 2.0),
        ),
        (
            "p99 x 3, three replicas",
            Figure::Requests,
            tail(replicas, 3.0),
        ),
        (
            "1 % differ, three replicas",
            Figure::Comparisons,
            differing(replicas, 0.01),
        ),
        (
            "errors 1 % -> 2 %, hard world",
            Figure::None,
            errors(hard, 2.0),
        ),
        ("p99 x 3, hard world", Figure::None, tail(hard, 3.0)),
        (
            "1 % differ, hard world",
            Figure::None,
            differing(hard, 0.01),
        ),
        ("errors 0.2 % -> 0.4 %", Figure::None, errors(few, 2.0)),
        ("errors 1 % -> 5 %", Figure::None, errors(plain, 5.0)),
        ("5 % differ", Figure::None, differing(plain, 0.05)),
    ]
}

/// Releases that are bad from one step on.
pub(crate) fn bad_at_a_step() -> [(&'static str, Figure, World); 4] {
    let [errors, tail, differing, .., (name, _, gross)] = bad();
    [errors, tail, differing, (name, Figure::Comparisons, gross)]
}
