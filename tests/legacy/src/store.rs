//! The monolith's database: four tables that are listed, read and added to. Movies can also be changed and
//! removed, and tell of it, where that is offered ([`feed`]).
//!
//! The program starts before its database is there, so the store is handed out empty and filled by
//! [`connect`] once a connection stands and the tables exist; until then every call answers
//! [`StoreError::NotConnected`]. All four tables are alike (an `id` the database assigns), so the calls
//! are written once over [`Table`].
//!
//! Limits: lists are whole tables, because the contract has no paging.

pub(crate) mod connect;
mod demo;
mod error;
pub(crate) mod feed;
pub(crate) mod movie;
pub(crate) mod payment;
pub(crate) mod subscription;
pub(crate) mod user;

use std::sync::{Arc, OnceLock};

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, DatabaseConnection, IntoActiveModel,
};
use sea_orm::{EntityTrait, QueryFilter, QueryOrder};

use crate::Capabilities;
pub(crate) use error::StoreError;

/// A table of the monolith.
pub(crate) trait Table:
    EntityTrait<
        Model: IntoActiveModel<<Self as EntityTrait>::ActiveModel>,
        ActiveModel: ActiveModelBehavior<Entity = Self> + Send,
    >
{
    /// The table's name, for messages.
    const NAME: &'static str;
    /// The key, which is also the order of every list.
    const ID: Self::Column;
    /// Whose row it is, in the tables that can be asked by user.
    const USER: Option<Self::Column> = None;
}

/// A handle on the database, cheap to clone, that may not be connected yet.
#[derive(Clone)]
pub(crate) struct Store {
    db: Arc<OnceLock<DatabaseConnection>>,
    capabilities: Capabilities,
}

impl Store {
    pub(crate) fn new(capabilities: Capabilities) -> Self {
        Self {
            db: Arc::default(),
            capabilities,
        }
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn db(&self) -> Result<&DatabaseConnection, StoreError> {
        self.db.get().ok_or(StoreError::NotConnected)
    }

    /// Asks the database for a sign of life.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.db()?.ping().await.map_err(StoreError::Ping)
    }

    /// All rows, oldest first.
    pub(crate) async fn list<T: Table>(&self) -> Result<Vec<T::Model>, StoreError> {
        let rows = T::find().order_by_asc(T::ID).all(self.db()?).await;
        rows.map_err(StoreError::read::<T>)
    }

    /// The rows of one user, oldest first; none for a user that does not exist.
    pub(crate) async fn list_of_user<T: Table>(
        &self,
        column: T::Column,
        user_id: i64,
    ) -> Result<Vec<T::Model>, StoreError> {
        let query = T::find().filter(column.eq(user_id)).order_by_asc(T::ID);
        query.all(self.db()?).await.map_err(StoreError::read::<T>)
    }

    pub(crate) async fn find<T: Table>(&self, id: i64) -> Result<Option<T::Model>, StoreError> {
        let query = T::find().filter(T::ID.eq(id));
        query.one(self.db()?).await.map_err(StoreError::read::<T>)
    }

    /// Adds the row under an id of the database's choice, and answers it as stored.
    pub(crate) async fn insert<T: Table>(
        &self,
        row: T::ActiveModel,
    ) -> Result<T::Model, StoreError> {
        row.insert(self.db()?)
            .await
            .map_err(StoreError::insert::<T>)
    }

    /// Hands the connections back, so that SQLite folds its log into the file.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        match self.db.get() {
            Some(db) => db.close_by_ref().await.map_err(StoreError::Close),
            None => Ok(()),
        }
    }
}
