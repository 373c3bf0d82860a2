//! The `users` table. Usernames and e-mail addresses are unique, letter case counting.

use sea_orm::Set;
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    #[sea_orm(unique)]
    pub username: String,
    #[sea_orm(unique)]
    pub email: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl super::Table for Entity {
    const NAME: &'static str = "users";
    const ID: Column = Column::Id;
}

/// A user that has no id yet.
pub(crate) fn row(username: String, email: String) -> ActiveModel {
    ActiveModel {
        username: Set(username),
        email: Set(email),
        ..Default::default()
    }
}
