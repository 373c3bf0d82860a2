//! A database that was restored from a backup is another one.
//!
//! What was committed after the backup is gone, and its sequences are given to other events. Who follows the feed from a
//! position of before would leave out the first of these, and keep what never was. So positions carry the database's
//! incarnation, and a restore has to change that: then every position of before is refused (INCARNATION_CHANGED), and its
//! owner begins anew.
//!
//! Whoever restores says so ([`renew`]). On PostgreSQL most restores are recognised without, when a service starts: the
//! database lives elsewhere than it is known to ([`Store::origin`]). That also takes a failover, an upgrade by
//! `pg_upgrade` or a move to another server for a restore: followers begin anew once more than they would have to, which
//! is sound. A restore that is not recognised stays possible (SQLite, data alone, a role that may not ask).

use std::time::Duration;

use banyan_mesh::{backoff::Backoff, process::Process};
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::store::{Store, StoreError, Write};

/// A change of the incarnation.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// The incarnation whose positions are refused from now on.
    pub before: String,
    /// The incarnation from now on.
    pub now: String,
    /// The last commit sequence that was restored.
    pub sequence: i64,
}

/// Gives the database another incarnation.
pub(crate) async fn renew(store: &Store) -> Result<Renewed, StoreError> {
    let origin = origin(store).await?;
    renew_by(store.write().await?, origin.as_deref()).await
}

/// Gives a database that was moved since it was last used another incarnation, as soon as it can be asked.
pub(crate) fn recognise_in_background(store: Store, process: &Process) {
    let shutdown = process.shutdown().clone();
    process.spawn("restore check", async move {
        let check = async {
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
            while store.ready().await {
                match recognise(&store).await {
                    Err(error) if error.is_transient() => {
                        debug!(%error, "Cannot tell yet whether the database was restored");
                        tokio::time::sleep(backoff.next_wait()).await;
                    }
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        warn!(error, "Cannot tell whether the database was restored");
                        break;
                    }
                    Ok(_) => break,
                }
            }
        };
        shutdown.run_until_cancelled(check).await;
        Ok(())
    });
}

/// Gives the database another incarnation if it lives elsewhere than it is known to.
async fn recognise(store: &Store) -> Result<Option<Renewed>, StoreError> {
    let Some(origin) = origin(store).await? else {
        return Ok(None);
    };
    if store.read().await?.known_origin().await?.as_ref() == Some(&origin) {
        return Ok(None);
    }
    let write = store.write().await?;
    // Another replica may have been here meanwhile.
    match write.known_origin().await? {
        Some(known) if known == origin => Ok(None),
        Some(known) => {
            let renewed = renew_by(write, Some(&origin)).await?;
            let Renewed { now, sequence, .. } = &renewed;
            warn!(
                known,
                origin,
                incarnation = now,
                sequence,
                "The database was restored or moved: it has another incarnation, followers of the feed begin anew"
            );
            Ok(Some(renewed))
        }
        None => {
            write.keep_origin(&origin).await?;
            let head = write.head().clone();
            write.commit(&head).await?;
            Ok(None)
        }
    }
}

/// Where the database lives, if it tells.
async fn origin(store: &Store) -> Result<Option<String>, StoreError> {
    match store.origin().await {
        Err(error) if !error.is_transient() => {
            let error = &error as &dyn std::error::Error;
            info!(
                error,
                "The database does not tell where it lives: a restore has to be told"
            );
            Ok(None)
        }
        answer => answer,
    }
}

async fn renew_by(write: Write, origin: Option<&str>) -> Result<Renewed, StoreError> {
    let head = write.head().clone();
    let now = Uuid::new_v4().to_string();
    write.set_incarnation(&now).await?;
    if let Some(origin) = origin {
        write.keep_origin(origin).await?;
    }
    write.commit(&head).await?;
    Ok(Renewed {
        before: head.incarnation,
        now,
        sequence: head.sequence,
    })
}

#[cfg(test)]
mod tests {
    use banyan_mesh::{database::Database, database::DatabaseSettings, testing::TestDatabase};

    use super::*;
    use crate::{migration::Migrator, store::testing};

    #[tokio::test]
    async fn one_that_lives_elsewhere_is_another_once() {
        for database in TestDatabase::each() {
            let process = Process::new();
            let settings = DatabaseSettings::new(&database.url);
            let opened = Database::start::<Migrator>(&process, &settings, "test").await;
            let store = Store::new(opened.unwrap());
            assert!(store.ready().await);
            // New, and then as it is known.
            for _ in 0..2 {
                assert!(recognise(&store).await.unwrap().is_none());
            }
            let tells = store.origin().await.unwrap().is_some();
            assert_eq!(tells, database.url.starts_with("postgres"));
            if tells {
                let elsewhere = "UPDATE database_origin SET origin = '1/00000001/2/3'";
                testing::run(&database.url, elsewhere).await;
                let renewed = recognise(&store).await.unwrap().unwrap();
                assert_ne!(renewed.before, renewed.now);
                let head = store.read().await.unwrap().head().await.unwrap();
                assert_eq!((head.incarnation, head.sequence), (renewed.now, 0));
                assert!(recognise(&store).await.unwrap().is_none());
            }
            // Told, it is another whether it tells or not, and is not taken for one more afterwards.
            let renewed = renew(&store).await.unwrap();
            assert!(recognise(&store).await.unwrap().is_none());
            let head = store.read().await.unwrap().head().await.unwrap();
            assert_eq!(head.incarnation, renewed.now);
            process.stop(Duration::from_secs(20)).await.unwrap();
        }
    }
}
