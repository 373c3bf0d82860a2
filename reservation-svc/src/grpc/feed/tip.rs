//! How far the feed goes, for all readers at once.
//!
//! Commits of this process are announced by the committer. Those of other replicas are looked for by one task, however
//! many readers there are, and by none while there is nobody. It also tells the readers when the database is away, or
//! has become another.

use std::time::Duration;

use banyan_mesh::process::Process;
use tokio::sync::watch;
use tonic::Status;

use crate::inventory::Inventory;

/// How often other replicas' commits are looked for.
const POLL: Duration = Duration::from_millis(500);

/// How far the feed goes.
#[derive(Clone, Debug)]
pub(super) enum Tip {
    /// Nobody has looked lately.
    Unknown,
    /// Up to here.
    At { incarnation: String, sequence: i64 },
    /// The database does not say.
    Lost(Status),
}

/// Looks until the process ends; what it finds is given to all who subscribe.
pub(super) fn watch_in_background(inventory: Inventory, process: &Process) -> watch::Sender<Tip> {
    let tip = watch::Sender::new(Tip::Unknown);
    let (told, shutdown) = (tip.clone(), process.shutdown().clone());
    process.spawn("feed tip", async move {
        let look = async {
            loop {
                let found = match told.receiver_count() {
                    0 => Tip::Unknown,
                    _ => look(&inventory).await,
                };
                told.send_replace(found);
                tokio::time::sleep(POLL).await;
            }
        };
        shutdown.run_until_cancelled(look).await;
        Ok(())
    });
    tip
}

async fn look(inventory: &Inventory) -> Tip {
    let head = async { inventory.store().read().await?.head().await };
    match head.await {
        Ok(head) => Tip::At {
            incarnation: head.incarnation,
            sequence: head.sequence,
        },
        Err(error) => Tip::Lost(error.into()),
    }
}
