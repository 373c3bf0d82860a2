//! The data behind a rollout: who gives its ids, and whether what is declared about the legacy system agrees.
//!
//! The side that gives the ids follows the stage: the gRPC side once the last stage has been in force for a while, legacy
//! in every other stage. The way into it is taken after the stage has changed everywhere, since until then a create may
//! still come through legacy; the way back before it ([`give_back`](Rollouts)). A mismatch that stays, because a gateway
//! ended in between, is mended here.
//!
//! What the legacy system can do is declared at the follower. Where the gateway is told something else, the lesser counts,
//! and both are told.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use banyan_mesh::process::Process;
use banyan_proto::follow::v1::Authority;
use banyan_rollout::{Follower as Readiness, Refusal, Stage};

use super::{ChangeError, Rollouts, live::Live};
use crate::{
    follow::{Follower, Known},
    store::State,
};

/// How often the stages are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A follower that agrees is asked again after this long.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// A mismatch this old is mended: every gateway has the stage by then, and what went to the other side is over.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// What is known of the data behind a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Data {
    /// What is followed, such as `movies`.
    pub(crate) collection: String,
    /// What the follower says; nothing if it cannot be asked.
    pub(crate) known: Option<Known>,
    /// What does not agree, for people.
    pub(crate) warnings: Vec<String>,
    /// Whether there is a way back from the last stage.
    pub(crate) keeps_ids: bool,
}

/// What a change of a rollout wants to know of its data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// How well the follower knows the legacy data.
    pub(super) follower: Readiness,
    /// Whether there is a way back from the last stage.
    pub(super) keeps_ids: bool,
}

impl Told {
    /// By a follower that cannot be asked, or has not been.
    pub(super) const UNKNOWN: Self = Self {
        follower: Readiness::Unknown,
        keeps_ids: false,
    };
}

impl Data {
    pub(super) fn new(live: &Live, follower: &Follower, known: Option<Known>) -> Self {
        let declared = live.definition().legacy_keeps_ids;
        Self {
            collection: follower.collection().to_owned(),
            warnings: warnings(live, known.as_ref()),
            keeps_ids: known.as_ref().is_some_and(Known::keeps_ids) && declared != Some(false),
            known,
        }
    }
}

/// Whom a follower was last found to agree with, or since when it does not.
#[derive(Default)]
struct Seen {
    agreed: Option<(Authority, Instant)>,
    differs_since: Option<Instant>,
    is_told: bool,
}

impl Rollouts {
    /// What is known of the data behind a rollout; nothing if nobody follows its legacy side.
    pub(crate) async fn data(&self, name: &str) -> Option<Data> {
        let live = self.live(name).ok()?;
        let follower = self.follower(name).ok()??;
        Some(Data::new(&live, &follower, follower.known().await))
    }

    /// Who follows the legacy side of a rollout, if anybody does.
    pub(crate) fn follower(&self, name: &str) -> Result<Option<Follower>, ChangeError> {
        self.live(name)?;
        Ok(self.inner.followers.load().get(name).cloned())
    }

    /// What is known of the data where nobody follows the legacy side; otherwise the follower has to be asked.
    pub(super) fn told_without_asking(&self, live: &Live) -> Option<Told> {
        (!live.definition().has_follower).then(|| Told {
            follower: Readiness::None,
            keeps_ids: live.definition().legacy_keeps_ids.unwrap_or_default(),
        })
    }

    /// Asks the follower, for a limited time.
    pub(super) async fn ask(&self, live: &Live) -> Told {
        let follower = self.inner.followers.load().get(live.name()).cloned();
        let Some(follower) = follower else {
            return self.told_without_asking(live).unwrap_or(Told::UNKNOWN);
        };
        match follower.known().await {
            Some(known) => Told {
                follower: known.state,
                keeps_ids: known.keeps_ids() && live.definition().legacy_keeps_ids != Some(false),
            },
            None => Told::UNKNOWN,
        }
    }

    /// Before the last stage is left, legacy gets everything that was created on the gRPC side, and gives the ids again:
    /// while the rollout is still in that stage, whatever is created goes there first from then on.
    pub(super) async fn give_back(
        &self,
        live: &Live,
        change: &impl Fn(&State) -> Result<State, Refusal>,
    ) -> Result<(), ChangeError> {
        let state = live.current().state.clone();
        let leaves = state.position.stage == Stage::Grpc
            && change(&state).is_ok_and(|after| after.position.stage != Stage::Grpc);
        let Some(follower) = self.follower(live.name())?.filter(|_| leaves) else {
            return Ok(());
        };
        let given = follower.set_authority(Authority::Legacy).await;
        given.map_err(|status| ChangeError::Data {
            name: live.name().to_owned(),
            status,
        })
    }

    /// Lets the side that gives ids follow the stage for as long as the process lives.
    pub(super) fn follow_authorities(&self, process: &Process) {
        if self.inner.store.is_none() {
            return;
        }
        let rollouts = self.clone();
        let shutdown = process.shutdown().clone();
        process.spawn("rollouts' data", async move {
            let mut seen = BTreeMap::new();
            loop {
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = shutdown.cancelled() => return Ok(()),
                }
                // What was last known of a stage is no reason to move data.
                if !rollouts.is_stale() {
                    tokio::select! {
                        () = rollouts.look(&mut seen) => {}
                        () = shutdown.cancelled() => return Ok(()),
                    }
                }
            }
        });
    }

    async fn look(&self, seen: &mut BTreeMap<String, Seen>) {
        for (name, follower) in self.inner.followers.load_full().iter() {
            if let Ok(live) = self.live(name) {
                let seen = seen.entry(name.clone()).or_default();
                agree(&live, follower, seen, Instant::now()).await;
            }
        }
    }
}

fn wanted(live: &Live) -> Authority {
    match live.current().state.position.stage {
        Stage::Grpc => Authority::Own,
        Stage::Legacy | Stage::Shadow | Stage::Split => Authority::Legacy,
    }
}

async fn agree(live: &Live, follower: &Follower, seen: &mut Seen, now: Instant) {
    let wanted = wanted(live);
    if let Some((agreed, at)) = seen.agreed
        && agreed == wanted
        // Where legacy is the authority nobody but a gateway can change that.
        && (agreed == Authority::Legacy || now.duration_since(at) < ASK_EVERY)
    {
        return;
    }
    seen.agreed = None;
    let Some(known) = follower.known().await else {
        return;
    };
    // A follower that does not tell has nothing to hand over.
    if known.authority == wanted || known.authority == Authority::Unspecified {
        *seen = Seen {
            agreed: Some((wanted, now)),
            ..Seen::default()
        };
        return;
    }
    let since = *seen.differs_since.get_or_insert(now);
    if now.duration_since(since) < SETTLED_AFTER {
        return;
    }
    match follower.set_authority(wanted).await {
        Ok(()) => {
            *seen = Seen::default();
            tracing::info!(rollout = live.name(), authority = ?wanted, "Handed the data over");
        }
        Err(status) if !seen.is_told => {
            seen.is_told = true;
            tracing::warn!(
                rollout = live.name(),
                authority = ?wanted,
                error = status.message(),
                "The data cannot be handed over yet: trying on"
            );
        }
        Err(_) => {}
    }
}

fn warnings(live: &Live, known: Option<&Known>) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(known) = known else {
        return vec!["the follower cannot be asked".to_owned()];
    };
    let stage = live.current().state.position.stage;
    match live.definition().legacy_keeps_ids {
        Some(true) if !known.keeps_ids() => warnings.push(
            "gateway.toml declares legacy.keeps_ids and the follower does not declare keeps-ids: stage grpc is one-way"
                .to_owned(),
        ),
        Some(false) if known.keeps_ids() => warnings.push(
            "the follower declares keeps-ids and gateway.toml says that legacy.keeps_ids is false: stage grpc is one-way"
                .to_owned(),
        ),
        _ => {}
    }
    if stage == Stage::Grpc && known.authority == Authority::Legacy {
        warnings
            .push("stage grpc, and legacy gives the ids: they are handed over shortly".to_owned());
    }
    if stage != Stage::Grpc && matches!(known.authority, Authority::Own | Authority::Returning) {
        warnings.push(format!(
            "stage {stage}, and the gRPC side gives the ids: legacy gets what is missing there"
        ));
    }
    warnings
}
