//! The tables of the facts as entities. The migrations say what each column means.

// The derives ask for public types; the modules keep them in the store.
#![allow(unreachable_pub)]

/// How far the feed has been applied: one row.
pub(super) mod feed_cursor {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "feed_cursor")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub incarnation: Option<String>,
        pub sequence: i64,
        pub decide_time_us: Option<i64>,
        pub head: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Hotels as they are now.
pub(super) mod hotels {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveEntityModel)]
    #[sea_orm(table_name = "hotels")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub display_name: String,
        pub time_zone: String,
        pub currency_code: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Room types as they are now.
pub(super) mod room_types {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveEntityModel)]
    #[sea_orm(table_name = "room_types")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub hotel: String,
        pub capacity: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Screenings as they are now, removed ones included.
pub(super) mod screenings {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveEntityModel)]
    #[sea_orm(table_name = "screenings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub movie: String,
        pub start_time_us: Option<i64>,
        pub capacity: i64,
        pub removed: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What bookings claim of nights.
pub(super) mod night_claims {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveEntityModel)]
    #[sea_orm(table_name = "night_claims")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub booking: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub room_type: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub night: String,
        pub hotel: String,
        pub kind: String,
        pub state: String,
        pub quantity: i64,
        pub currency_code: String,
        pub amount_minor: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What bookings claim of screenings.
pub(super) mod seat_claims {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveEntityModel)]
    #[sea_orm(table_name = "seat_claims")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub booking: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub screening: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seat: String,
        pub kind: String,
        pub state: String,
        pub quantity: i64,
        pub currency_code: String,
        pub amount_minor: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What cancelling bookings, or parts of them, has cost.
pub(super) mod cancellation_fees {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveEntityModel)]
    #[sea_orm(table_name = "cancellation_fees")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub booking: String,
        pub venue: String,
        pub currency_code: String,
        pub amount_minor: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Refused demand for nights.
pub(super) mod night_denials {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveEntityModel)]
    #[sea_orm(table_name = "night_denials")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub room_type: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub night: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub reason: String,
        pub hotel: String,
        pub requests: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Refused demand for seats.
pub(super) mod seat_denials {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveEntityModel)]
    #[sea_orm(table_name = "seat_denials")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub screening: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seat: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub reason: String,
        pub requests: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
