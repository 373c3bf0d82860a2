//! The rows of the two tables, and what they mean. Times are microseconds since 1970 (UTC), percentages hundredths.

use banyan_rollout::{Percent, Source};
use jiff::Timestamp;

use super::{Change, Setting, StoreError};

pub(super) mod setting {
    //! `rollout_settings`: the operator's word about a rollout.

    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rollout_settings")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
        pub rollout: String,
        pub percent_hundredths: Option<i32>,
        pub version: i64,
        pub change_time_us: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod change {
    //! `rollout_changes`: who changed a rollout; rows are only ever added.

    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rollout_changes")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
        pub rollout: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i64,
        pub change_time_us: i64,
        #[sea_orm(column_type = "Text")]
        pub actor: String,
        #[sea_orm(column_type = "Text")]
        pub reason: String,
        pub previous_hundredths: i32,
        #[sea_orm(column_type = "Text")]
        pub previous_source: String,
        pub percent_hundredths: i32,
        #[sea_orm(column_type = "Text")]
        pub source: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<setting::Model> for Setting {
    type Error = StoreError;

    fn try_from(row: setting::Model) -> Result<Self, StoreError> {
        Ok(Self {
            percent: row.percent_hundredths.map(percent).transpose()?,
            version: version(row.version)?,
            change_time: time(row.change_time_us)?,
        })
    }
}

impl TryFrom<change::Model> for Change {
    type Error = StoreError;

    fn try_from(row: change::Model) -> Result<Self, StoreError> {
        Ok(Self {
            version: version(row.version)?,
            change_time: time(row.change_time_us)?,
            actor: row.actor,
            reason: row.reason,
            previous: (
                percent(row.previous_hundredths)?,
                source(&row.previous_source)?,
            ),
            current: (percent(row.percent_hundredths)?, source(&row.source)?),
        })
    }
}

fn percent(hundredths: i32) -> Result<Percent, StoreError> {
    u16::try_from(hundredths)
        .ok()
        .and_then(Percent::from_hundredths)
        .ok_or(StoreError::Impossible { what: "percentage" })
}

fn version(version: i64) -> Result<u64, StoreError> {
    u64::try_from(version).map_err(|_| StoreError::Impossible { what: "version" })
}

fn time(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|_| StoreError::Impossible { what: "time" })
}

fn source(name: &str) -> Result<Source, StoreError> {
    Source::from_name(name).ok_or(StoreError::Impossible { what: "source" })
}
