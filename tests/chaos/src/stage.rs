//! What a load runs against and faults are done to: a database, the replicas on it, and the ways in between.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use tonic::transport::Channel;

use crate::{database::Database, disk::Disk, proxy::Proxy, replica::Replica};

/// A start on an empty database takes a moment on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);
const NAMES: [&str; 2] = ["replica-a", "replica-b"];
/// Room for a cluster with little to keep for crash recovery, and not much more.
const DISK_MEGABYTES: u32 = 512;

/// A stage. Its fields are dropped in this order: whatever uses something goes before it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) replicas: Vec<Replica>,
    /// One for each replica; none where there is no network in between.
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) database: Database,
    /// What the database lies on, where it is a disk that can be filled.
    pub(crate) disk: Option<Disk>,
    folder: PathBuf,
}

impl Stage {
    /// Two replicas on a PostgreSQL cluster, each by a proxy of its own.
    pub(crate) async fn postgres(
        binary: &Path,
        folder: &Path,
        disk: Option<Disk>,
    ) -> anyhow::Result<Self> {
        let data = disk.as_ref().map_or(folder, Disk::path);
        let mut database = Database::postgres(data, folder).await?;
        let cluster = database.cluster()?;
        let (mut proxies, mut replicas) = (Vec::new(), Vec::new());
        for name in NAMES {
            let proxy = Proxy::start(cluster.address()?).await?;
            let url = cluster.url_by(proxy.port())?;
            proxies.push(proxy);
            replicas.push(Replica::new(name, binary, url, folder));
        }
        Self {
            replicas,
            proxies,
            database,
            disk,
            folder: folder.to_owned(),
        }
        .started()
        .await
    }

    /// One replica on a SQLite file.
    pub(crate) async fn sqlite(
        binary: &Path,
        folder: &Path,
        disk: Option<Disk>,
    ) -> anyhow::Result<Self> {
        let database = Database::sqlite(disk.as_ref().map_or(folder, Disk::path));
        let replicas = vec![Replica::new(NAMES[0], binary, database.url(), folder)];
        Self {
            replicas,
            proxies: Vec::new(),
            database,
            disk,
            folder: folder.to_owned(),
        }
        .started()
        .await
    }

    /// A small disk under the folder.
    pub(crate) fn disk(folder: &Path) -> anyhow::Result<Disk> {
        Disk::mount(folder.join("disk"), DISK_MEGABYTES)
    }

    /// What a disk of its own held of a SQLite database is gone with it: it is kept in the folder.
    fn keep_file(&self) {
        let (Some(disk), Database::Sqlite(_)) = (&self.disk, &self.database) else {
            return;
        };
        for entry in fs::read_dir(disk.path()).into_iter().flatten().flatten() {
            fs::copy(entry.path(), self.folder.join(entry.file_name())).ok();
        }
    }

    async fn started(mut self) -> anyhow::Result<Self> {
        for replica in &mut self.replicas {
            replica.start()?;
        }
        for replica in &mut self.replicas {
            replica.until_it_answers(START_LIMIT).await?;
        }
        Ok(self)
    }

    /// Another channel to a replica.
    pub(crate) fn channel(&self, replica: usize) -> anyhow::Result<Channel> {
        self.replicas
            .get(replica)
            .context("such a replica")?
            .channel()
    }

    /// What whoever runs the system does all the time: starts a database server again that has ended. Services go on by
    /// themselves, or something is wrong.
    pub(crate) fn tend(&mut self) -> anyhow::Result<()> {
        if let Database::Postgres(cluster) = &mut self.database {
            cluster.restart();
        }
        self.replicas.iter_mut().try_for_each(Replica::check)
    }

    /// Asks every replica to end, and sees to it that none of them has panicked.
    pub(crate) async fn end(&mut self) -> anyhow::Result<()> {
        for replica in &mut self.replicas {
            replica.end().await?;
            let panics = replica.panics();
            anyhow::ensure!(panics.is_empty(), "a replica panicked: {}", panics[0]);
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.replicas.iter_mut().for_each(|replica| {
            replica.kill().ok();
        });
        self.keep_file();
    }
}
