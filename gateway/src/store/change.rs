//! One change of a rollout: its new state and the entry about it, in one transaction.
//!
//! The transaction locks the rollout's row first (it makes one where there is none), so that two who change it at two
//! replicas do so one after the other. What the new state is is decided on the locked one, so no change is lost, and
//! each entry says truly what was before.

use jiff::Timestamp;
use sea_orm::{
    ActiveModelTrait as _, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait as _,
    QuerySelect as _, Set, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
    sea_query::OnConflict,
};

use super::{
    Action, State, Store, StoreError, Stored,
    chain::{Link, genesis},
    entity::{entry, state},
};

/// A change that somebody asked for.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Of which rollout.
    pub rollout: String,
    /// What it is where the store has never seen it.
    pub initial: State,
    /// Only if the rollout is still at this version.
    pub expected_version: Option<u64>,
    /// What is done.
    pub action: Action,
    /// Who asked.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// What it rests on; a JSON object.
    pub evidence: String,
    /// When. An entry is never dated before the one that it follows, whatever the clocks of replicas say.
    pub now: Timestamp,
}

impl Store {
    /// Changes a rollout into what `change` makes of its state, and writes that down. A change that changes nothing
    /// leaves no entry. What `change` refuses is the inner result.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if the rollout is at another version than expected; others if the store is away.
    pub async fn change<R: Send>(
        &self,
        new: NewEntry,
        change: impl FnOnce(&State) -> Result<State, R> + Send,
    ) -> Result<Result<Stored, R>, StoreError> {
        self.within(async {
            // SQLite has no row locks; there the transaction takes the write lock at once.
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            let transaction = self
                .database
                .connection()
                .begin_with_options(options)
                .await
                .map_err(StoreError::Write)?;
            let row = lock(&transaction, &new).await?;
            let before = Stored::try_from(row.clone())?;
            if new
                .expected_version
                .is_some_and(|expected| expected != before.version)
            {
                return Err(StoreError::Changed {
                    version: before.version,
                });
            }
            let after = match change(&before.state) {
                Ok(after) if after == before.state => return Ok(Ok(before)),
                Ok(after) => after,
                Err(refused) => return Ok(Err(refused)),
            };
            let after = write(&transaction, &new, row, &after).await?;
            transaction.commit().await.map_err(StoreError::Write)?;
            Stored::try_from(after).map(Ok)
        })
        .await
    }

    /// Makes a rollout known, as it is before anybody changed it. One that is known stays as it is.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn introduce(&self, rollout: &str, initial: &State) -> Result<(), StoreError> {
        self.within(insert(self.database.connection(), rollout, initial))
            .await
    }
}

async fn insert(
    connection: &impl ConnectionTrait,
    rollout: &str,
    initial: &State,
) -> Result<(), StoreError> {
    let never_changed = state::ActiveModel {
        rollout: Set(rollout.to_owned()),
        version: Set(0),
        change_time_us: Set(0),
        state: Set(json(initial)?),
        head_hash: Set(genesis(rollout)),
    };
    state::Entity::insert(never_changed)
        .on_conflict(
            OnConflict::column(state::Column::Rollout)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(connection)
        .await
        .map_err(StoreError::Write)?;
    Ok(())
}

async fn lock(
    transaction: &DatabaseTransaction,
    new: &NewEntry,
) -> Result<state::Model, StoreError> {
    insert(transaction, &new.rollout, &new.initial).await?;
    state::Entity::find_by_id(&new.rollout)
        .lock_exclusive()
        .one(transaction)
        .await
        .and_then(|row| row.ok_or_else(|| DbErr::RecordNotFound(new.rollout.clone())))
        .map_err(StoreError::Write)
}

async fn write(
    transaction: &DatabaseTransaction,
    new: &NewEntry,
    before: state::Model,
    after: &State,
) -> Result<state::Model, StoreError> {
    let after_state = json(after)?;
    let number = before.version + 1;
    let time_us = new.now.as_microsecond().max(before.change_time_us);
    let link = Link {
        rollout: &new.rollout,
        number,
        time_us,
        actor: &new.actor,
        action: new.action.as_str(),
        reason: &new.reason,
        before: &before.state,
        after: &after_state,
        evidence: &new.evidence,
    };
    let hash = link.hash(&before.head_hash);
    let row = state::ActiveModel {
        rollout: Set(new.rollout.clone()),
        version: Set(number),
        change_time_us: Set(time_us),
        state: Set(after_state.clone()),
        head_hash: Set(hash.clone()),
    };
    let row = row.update(transaction).await.map_err(StoreError::Write)?;
    let entry = entry::ActiveModel {
        rollout: Set(new.rollout.clone()),
        number: Set(number),
        time_us: Set(time_us),
        actor: Set(new.actor.clone()),
        action: Set(new.action.as_str().to_owned()),
        reason: Set(new.reason.clone()),
        before_state: Set(before.state),
        after_state: Set(after_state),
        evidence: Set(new.evidence.clone()),
        previous_hash: Set(before.head_hash),
        hash: Set(hash),
    };
    entry::Entity::insert(entry)
        .exec_without_returning(transaction)
        .await
        .map_err(StoreError::Write)?;
    Ok(row)
}

fn json(state: &State) -> Result<String, StoreError> {
    serde_json::to_string(state).map_err(|_| StoreError::Impossible { what: "state" })
}
