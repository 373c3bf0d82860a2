//! One change of a rollout: the operator's new word and the entry about it, in one transaction.
//!
//! The transaction locks the rollout's row first (it makes one where there is none), so that two operators at two
//! replicas change it one after the other, and each entry says truly what was before.

use banyan_rollout::{Percent, Percentages};
use jiff::Timestamp;
use sea_orm::{
    ActiveModelTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QuerySelect as _, Set,
    SqliteTransactionMode, TransactionOptions, TransactionTrait as _, sea_query::OnConflict,
};

use super::{
    Setting, Store, StoreError,
    entity::{change, setting},
};

/// A change that somebody asked for.
#[derive(Clone, Debug)]
pub struct NewChange {
    /// Of which rollout.
    pub rollout: String,
    /// The operator's new percentage; `None` takes it back.
    pub percent: Option<Percent>,
    /// What the weaker sources say, which decide where the operator does not.
    pub weaker: Percentages,
    /// Only if the rollout is still at this version.
    pub expected_version: Option<u64>,
    /// Who asked.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub now: Timestamp,
}

impl Store {
    /// Makes a change and writes it down. Taking back what nobody set changes nothing and leaves no entry.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if the rollout is at another version than expected; others if the store is away.
    pub async fn change(&self, new: NewChange) -> Result<Setting, StoreError> {
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
            let before = lock(&transaction, &new.rollout)
                .await
                .map_err(StoreError::Write)?;
            let before = Setting::try_from(before)?;
            if new
                .expected_version
                .is_some_and(|expected| expected != before.version)
            {
                return Err(StoreError::Changed {
                    version: before.version,
                });
            }
            if new.percent.is_none() && before.percent.is_none() {
                return Ok(before);
            }
            let after = write(&transaction, &new, &before)
                .await
                .map_err(StoreError::Write)?;
            transaction.commit().await.map_err(StoreError::Write)?;
            Setting::try_from(after)
        })
        .await
    }
}

async fn lock(transaction: &DatabaseTransaction, rollout: &str) -> Result<setting::Model, DbErr> {
    let nobody_spoke = setting::ActiveModel {
        rollout: Set(rollout.to_owned()),
        percent_hundredths: Set(None),
        version: Set(0),
        change_time_us: Set(0),
    };
    setting::Entity::insert(nobody_spoke)
        .on_conflict(
            OnConflict::column(setting::Column::Rollout)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(transaction)
        .await?;
    setting::Entity::find_by_id(rollout)
        .lock_exclusive()
        .one(transaction)
        .await?
        .ok_or_else(|| DbErr::RecordNotFound(rollout.to_owned()))
}

async fn write(
    transaction: &DatabaseTransaction,
    new: &NewChange,
    before: &Setting,
) -> Result<setting::Model, DbErr> {
    let in_force = |operator| {
        Percentages {
            operator,
            ..new.weaker
        }
        .in_force()
    };
    let (previous, previous_source) = in_force(before.percent);
    let (percent, source) = in_force(new.percent);
    let version = i64::try_from(before.version + 1).unwrap_or(i64::MAX);
    let change_time_us = new.now.as_microsecond();
    let after = setting::ActiveModel {
        rollout: Set(new.rollout.clone()),
        percent_hundredths: Set(new.percent.map(|percent| percent.hundredths().into())),
        version: Set(version),
        change_time_us: Set(change_time_us),
    };
    let after = after.update(transaction).await?;
    let entry = change::ActiveModel {
        rollout: Set(new.rollout.clone()),
        version: Set(version),
        change_time_us: Set(change_time_us),
        actor: Set(new.actor.clone()),
        reason: Set(new.reason.clone()),
        previous_hundredths: Set(previous.hundredths().into()),
        previous_source: Set(previous_source.as_str().to_owned()),
        percent_hundredths: Set(percent.hundredths().into()),
        source: Set(source.as_str().to_owned()),
    };
    change::Entity::insert(entry)
        .exec_without_returning(transaction)
        .await?;
    Ok(after)
}
