//! The `subscriptions` table. Dates are kept and answered as they were sent.

use sea_orm::Set;
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscriptions")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub user_id: i64,
    pub plan_type: String,
    pub start_date: String,
    pub end_date: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl super::Table for Entity {
    const NAME: &'static str = "subscriptions";
    const ID: Column = Column::Id;
    const USER: Option<Column> = Some(Column::UserId);
}

/// A subscription that has no id yet.
pub(crate) fn row(
    user_id: i64,
    plan_type: String,
    start_date: String,
    end_date: String,
) -> ActiveModel {
    ActiveModel {
        user_id: Set(user_id),
        plan_type: Set(plan_type),
        start_date: Set(start_date),
        end_date: Set(end_date),
        ..Default::default()
    }
}
