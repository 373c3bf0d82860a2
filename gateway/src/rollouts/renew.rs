//! A changed gateway.toml, taken up while the gateway runs.
//!
//! What it says of a rollout is told to the store, where it becomes an entry of the log by `settings`: so all replicas go
//! by it from the same moment, within a second, and history can tell why a request went where it went.
//! What operators and the policy decided stays, and so do salt and algorithm, which are pinned in the state.
//!
//! A rollout that is in the file no more is shown to nobody and can be changed by nobody; requests that took their
//! route before are still decided by it.

use std::{collections::BTreeMap, sync::Arc};

use banyan_rollout::Percent;

use super::{Definition, Live, Rollouts, mounted_percent};
use crate::follow::Follower;

impl Rollouts {
    /// Puts what gateway.toml says now in force, all of it.
    pub(crate) async fn renew(
        &self,
        definitions: Vec<Definition>,
        followers: BTreeMap<String, Follower>,
    ) {
        let mut all = BTreeMap::clone(&self.inner.rollouts.load());
        for live in all.values() {
            if !definitions.iter().any(|it| it.name == live.name()) {
                if live.is_configured() {
                    tracing::info!(rollout = live.name(), "A rollout is configured no more");
                }
                live.gone();
            }
        }
        for definition in definitions {
            let definition = definition.steered(self.steering());
            let known = all.get(&definition.name).cloned();
            let mounted = mounted(known.as_deref(), &definition).await;
            if let Some(live) = known {
                let is_news = live.redefine(definition, mounted);
                // What was waited for may be gone: where nobody follows any more nothing waits.
                if is_news || live.newest().state.position.held.is_some() {
                    self.hear(&live);
                }
                continue;
            }
            tracing::info!(
                rollout = definition.name,
                "A rollout is new in gateway.toml"
            );
            let live = Live::new(definition, mounted, &self.inner.metrics);
            all.insert(live.name().to_owned(), Arc::new(live));
        }
        self.inner.rollouts.store(Arc::new(all));
        self.know_followers(followers);
        // The store is told now, not at the next reading.
        self.inner.configured.notify_one();
    }
}

/// What the mounted file says: what was read last, unless it is another file now.
async fn mounted(live: Option<&Live>, definition: &Definition) -> Option<Percent> {
    let known = live.filter(|live| live.definition().percent_file == definition.percent_file);
    match known {
        Some(live) => live.mounted(),
        None => mounted_percent(definition).await,
    }
}

#[cfg(test)]
mod tests {
    use banyan_mesh::process::Process;
    use banyan_rollout::Subjects;

    use super::{super::Steering, *};
    use crate::config::SteeringConfig;

    #[tokio::test]
    async fn what_waits_for_a_follower_goes_on_when_nobody_follows_any_more() {
        let process = Process::new();
        let subjects = Subjects::new(vec!["cookie:c".parse().unwrap()]).unwrap();
        let definition = |has_follower| Definition {
            env_percent: Percent::try_from(50.0).ok(),
            has_follower,
            ..Definition::new("movies", subjects.clone())
        };
        let steering = Steering::new(&SteeringConfig::default()).unwrap();
        let rollouts = Rollouts::start(vec![definition(true)], None, steering, &process).await;
        let before = rollouts.get("movies").unwrap();
        assert!(before.waits.is_some(), "{before:?}");
        assert_eq!(before.percent, Percent::ZERO);

        rollouts
            .renew(vec![definition(false)], BTreeMap::new())
            .await;
        let after = rollouts.get("movies").unwrap();
        assert_eq!(after.waits, None);
        assert_eq!(after.percent, Percent::try_from(50.0).unwrap());
    }
}
