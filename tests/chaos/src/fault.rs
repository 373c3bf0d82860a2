//! Faults: what is done to a stage, and what has to be so before they count as over.
//!
//! A fault ends with its cause being gone: a killed process started again, a stopped one going on, the disk free. From
//! then on the system has to come back by itself.

use std::{fmt, time::Duration};

use anyhow::{Context as _, ensure};

use crate::{load::Load, processes::Signal, proxy::Trap, stage::Stage, wait};

/// A laid trap strikes within this time while there is load, or there is none.
const STRIKE_LIMIT: Duration = Duration::from_secs(20);
/// A full disk is noticed within this time.
const FULL_LIMIT: Duration = Duration::from_secs(30);
/// Nothing granted for so long: the disk is full indeed.
const SILENCE: Duration = Duration::from_secs(2);

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9` of one replica.
    KillReplica(usize),
    /// `kill -9` of all replicas at once.
    KillReplicas,
    /// `kill -9` of every process of PostgreSQL at once.
    KillDatabase,
    /// `kill -9` of one connection's process of PostgreSQL, which then restarts all others by itself.
    KillConnection,
    /// `kill -9` of everything at once.
    KillEverything,
    /// All connections of a replica to PostgreSQL are cut.
    Cut(usize),
    /// All connections of all replicas to PostgreSQL are cut.
    CutAll,
    /// The next COMMITs of a replica meet a trap, one after the other.
    Trap {
        replica: usize,
        trap: Trap,
        times: u32,
    },
    /// Nothing gets through between a replica and PostgreSQL for a while, without a word.
    StopUp(usize, Duration),
    /// All processes of PostgreSQL stand still for a while.
    PauseDatabase(Duration),
    /// A replica stands still for a while, wherever it is.
    StallReplica(usize, Duration),
    /// The database's disk is full for a while.
    FillDisk(Duration),
}

impl Fault {
    /// How many times something is killed.
    pub(crate) fn kills(self, replicas: usize) -> u64 {
        match self {
            Self::KillReplica(_) | Self::KillDatabase | Self::KillConnection => 1,
            Self::KillReplicas => replicas as u64,
            Self::KillEverything => replicas as u64 + 1,
            _ => 0,
        }
    }

    /// Does it, and lifts it again.
    pub(crate) async fn happen(self, stage: &mut Stage, load: &Load) -> anyhow::Result<()> {
        match self {
            Self::KillReplica(replica) => {
                stage.replica(replica)?.kill()?;
                stage.replica(replica)?.start()
            }
            Self::KillReplicas => {
                stage.replicas.iter_mut().try_for_each(|it| it.kill())?;
                stage.replicas.iter_mut().try_for_each(|it| it.start())
            }
            Self::KillDatabase => {
                let cluster = stage.database.cluster()?;
                cluster.kill().await?;
                cluster.restart();
                Ok(())
            }
            Self::KillConnection => {
                let sql = stage.database.connect().await?;
                stage.database.cluster()?.kill_one(&sql).await
            }
            Self::KillEverything => {
                stage.replicas.iter_mut().try_for_each(|it| it.kill())?;
                let cluster = stage.database.cluster()?;
                cluster.kill().await?;
                // As after a power cut: nobody waits for anybody.
                stage.replicas.iter_mut().try_for_each(|it| it.start())?;
                stage.database.cluster()?.restart();
                Ok(())
            }
            Self::Cut(replica) => {
                stage.proxies.get(replica).context("a proxy to cut")?.cut();
                Ok(())
            }
            Self::CutAll => {
                stage.proxies.iter().for_each(|proxy| proxy.cut());
                Ok(())
            }
            Self::Trap {
                replica,
                trap,
                times,
            } => spring(stage, replica, trap, times).await,
            Self::StopUp(replica, time) => {
                let proxy = stage.proxies.get(replica).context("a proxy to stop up")?;
                proxy.stop_up(true);
                tokio::time::sleep(time).await;
                proxy.stop_up(false);
                Ok(())
            }
            Self::PauseDatabase(time) => {
                stage.database.cluster()?.pause(true)?;
                tokio::time::sleep(time).await;
                stage.database.cluster()?.pause(false)
            }
            Self::StallReplica(replica, time) => {
                stage.replica(replica)?.signal(Signal::Stop)?;
                tokio::time::sleep(time).await;
                stage.replica(replica)?.signal(Signal::Continue)
            }
            Self::FillDisk(time) => fill(stage, load, time).await,
        }
    }
}

async fn spring(stage: &mut Stage, replica: usize, trap: Trap, times: u32) -> anyhow::Result<()> {
    for _ in 0..times {
        let proxy = stage
            .proxies
            .get(replica)
            .context("a proxy to lay a trap in")?;
        let before = proxy.struck();
        proxy.lay(trap);
        wait::until("a COMMIT comes by", STRIKE_LIMIT, async || {
            Ok(proxy.struck() > before)
        })
        .await?;
        // Until then the cause is not gone.
        if let Trap::Late(by) | Trap::Slow(by) = trap {
            tokio::time::sleep(by).await;
        }
    }
    Ok(())
}

async fn fill(stage: &mut Stage, load: &Load, time: Duration) -> anyhow::Result<()> {
    let disk = stage.disk.as_ref().context("a disk to fill")?;
    disk.fill()?;
    let noticed = wait::until("the full disk is noticed", FULL_LIMIT, async || {
        // What has room already goes on: only silence tells.
        load.pulse().mark();
        tokio::time::sleep(SILENCE).await;
        Ok(load.pulse().grants().1 == 0)
    });
    let noticed = noticed.await;
    tokio::time::sleep(time).await;
    let alive = stage.replicas.iter_mut().try_for_each(|it| it.check());
    disk.clear()?;
    noticed.and(alive)
}

impl Stage {
    fn replica(&mut self, number: usize) -> anyhow::Result<&mut crate::replica::Replica> {
        ensure!(number < self.replicas.len(), "there is no replica {number}");
        Ok(&mut self.replicas[number])
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |replica: usize| char::from(b'a' + u8::try_from(replica % 26).unwrap_or(0));
        match *self {
            Self::KillReplica(it) => write!(f, "kill -9 of replica {}", letter(it)),
            Self::KillReplicas => write!(f, "kill -9 of all replicas"),
            Self::KillDatabase => write!(f, "kill -9 of PostgreSQL"),
            Self::KillConnection => write!(f, "kill -9 of one process of PostgreSQL"),
            Self::KillEverything => write!(f, "kill -9 of everything"),
            Self::Cut(it) => write!(f, "connections of replica {} cut", letter(it)),
            Self::CutAll => write!(f, "all connections cut"),
            Self::Trap {
                replica,
                trap,
                times,
            } => {
                let what = match trap {
                    Trap::Lose => "lost",
                    Trap::LoseAnswer => "done, its answer lost",
                    Trap::Late(_) => "late, after the connection was lost",
                    Trap::Slow(_) => "slow",
                };
                write!(f, "{times} x COMMIT of replica {} {what}", letter(replica))
            }
            Self::StopUp(it, _) => write!(f, "network of replica {} stopped up", letter(it)),
            Self::PauseDatabase(_) => write!(f, "PostgreSQL paused"),
            Self::StallReplica(it, _) => write!(f, "replica {} stalled", letter(it)),
            Self::FillDisk(_) => write!(f, "disk full"),
        }
    }
}
