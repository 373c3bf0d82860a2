//! The `payments` table. An amount is kept as the JSON number that was sent, because a binary
//! fraction on the way through could answer another one.

use sea_orm::entity::prelude::*;
use sea_orm::{FromJsonQueryResult, Set};
use serde::{Deserialize, Serialize};
use serde_json::Number;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payments")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub user_id: i64,
    pub amount: Amount,
    /// RFC 3339, UTC, milliseconds.
    pub timestamp: String,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub(crate) struct Amount(pub Number);

impl super::Table for Entity {
    const NAME: &'static str = "payments";
    const ID: Column = Column::Id;
    const USER: Option<Column> = Some(Column::UserId);
}

/// A payment that has no id yet.
pub(crate) fn row(user_id: i64, amount: Number, timestamp: String) -> ActiveModel {
    ActiveModel {
        user_id: Set(user_id),
        amount: Set(Amount(amount)),
        timestamp: Set(timestamp),
        ..Default::default()
    }
}
