//! Which faults happen in which order: a fixed mixture, shuffled by the seed.

use std::time::Duration;

use crate::{chance::Chance, fault::Fault, proxy::Trap};

/// Longer than one batch, shorter than what a service waits for a database.
const LATE: Duration = Duration::from_millis(400);
const SLOW: Duration = Duration::from_secs(3);
/// Longer than anybody waits for a COMMIT, or keeps a transaction open that does nothing.
const TOO_SLOW: Duration = Duration::from_secs(12);
const LONG_STALL: Duration = Duration::from_secs(15);

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Some of each, in well under a minute.
    Short,
    /// All of it.
    Long,
}

impl Form {
    /// How long the load runs undisturbed before each fault.
    pub(crate) fn calm(self, chance: &mut Chance) -> Duration {
        Duration::from_millis(match self {
            Self::Short => chance.between(300..800),
            Self::Long => chance.between(2_000..5_000),
        })
    }

    /// Histories that the checker is tried on first.
    pub(crate) fn histories(self) -> u64 {
        match self {
            Self::Short => 20,
            Self::Long => 100,
        }
    }

    /// Clients that fight.
    pub(crate) fn clients(self) -> u32 {
        match self {
            Self::Short => 12,
            Self::Long => 24,
        }
    }
}

/// For two replicas on PostgreSQL.
pub(crate) fn postgres(form: Form, chance: &mut Chance) -> Vec<Fault> {
    use Fault::*;
    let seconds = Duration::from_secs;
    let trap = |replica, trap, times| Trap {
        replica,
        trap,
        times,
    };
    let mixture = match form {
        Form::Short => vec![
            (1, KillReplica(0)),
            (1, KillReplica(1)),
            (1, KillDatabase),
            (1, trap(0, self::Trap::LoseAnswer, 1)),
            (1, trap(1, self::Trap::Late(LATE), 1)),
        ],
        Form::Long => vec![
            (4, KillReplica(0)),
            (4, KillReplica(1)),
            (2, KillReplicas),
            (6, KillDatabase),
            (3, KillConnection),
            (1, KillEverything),
            (2, Cut(0)),
            (2, Cut(1)),
            (2, CutAll),
            (1, trap(0, self::Trap::Lose, 5)),
            (1, trap(1, self::Trap::Lose, 5)),
            (2, trap(0, self::Trap::LoseAnswer, 5)),
            (2, trap(1, self::Trap::LoseAnswer, 5)),
            (2, trap(0, self::Trap::Late(LATE), 3)),
            (2, trap(1, self::Trap::Late(LATE), 3)),
            (1, trap(0, self::Trap::Slow(SLOW), 1)),
            (1, trap(1, self::Trap::Slow(SLOW), 1)),
            (1, trap(0, self::Trap::Slow(TOO_SLOW), 1)),
            (1, StopUp(0, seconds(4))),
            (1, StopUp(1, seconds(4))),
            (1, PauseDatabase(seconds(2))),
            (1, PauseDatabase(seconds(5))),
            (1, PauseDatabase(seconds(12))),
            (2, StallReplica(0, seconds(4))),
            (2, StallReplica(1, seconds(4))),
            (1, StallReplica(1, LONG_STALL)),
        ],
    };
    shuffled(mixture, chance)
}

/// For two replicas on PostgreSQL on a small disk.
pub(crate) fn postgres_on_disk(chance: &mut Chance) -> Vec<Fault> {
    use Fault::*;
    let full = Duration::from_secs(3);
    shuffled(
        vec![(3, FillDisk(full)), (1, KillDatabase), (1, KillReplica(0))],
        chance,
    )
}

/// For one replica on SQLite, on a small disk if there is one.
pub(crate) fn sqlite(form: Form, on_disk: bool, chance: &mut Chance) -> Vec<Fault> {
    use Fault::*;
    let full = Duration::from_secs(3);
    let mixture = match form {
        Form::Short => vec![(2, KillReplica(0))],
        Form::Long if on_disk => vec![(8, KillReplica(0)), (2, FillDisk(full))],
        Form::Long => vec![(8, KillReplica(0))],
    };
    shuffled(mixture, chance)
}

fn shuffled(mixture: Vec<(usize, Fault)>, chance: &mut Chance) -> Vec<Fault> {
    let faults = mixture
        .into_iter()
        .flat_map(|(times, fault)| std::iter::repeat_n(fault, times));
    let mut faults: Vec<Fault> = faults.collect();
    chance.shuffle(&mut faults);
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_kills_at_least_20_times_and_a_seed_repeats_it() {
        let all = |seed| postgres(Form::Long, &mut Chance::new(seed));
        let kills: u64 = all(1).into_iter().map(|fault| fault.kills(2)).sum();
        assert!(kills >= 20, "{kills}");
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
    }
}
