//! The `movies` table. Genres are kept as a JSON list: they are only ever read back whole.

use sea_orm::entity::prelude::*;
use sea_orm::{FromJsonQueryResult, Set};
use serde::{Deserialize, Serialize};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "movies")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub title: String,
    pub description: String,
    pub genres: Genres,
    /// 0 to 10.
    pub rating: f64,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub(crate) struct Genres(pub Vec<String>);

impl super::Table for Entity {
    const NAME: &'static str = "movies";
    const ID: Column = Column::Id;
}

/// A movie that has no id yet.
pub(crate) fn row(
    title: String,
    description: String,
    genres: Vec<String>,
    rating: f64,
) -> ActiveModel {
    ActiveModel {
        title: Set(title),
        description: Set(description),
        genres: Set(Genres(genres)),
        rating: Set(rating),
        ..Default::default()
    }
}
