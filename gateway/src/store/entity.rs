//! The rows of the tables, and what they mean. Times are microseconds since 1970 (UTC).

use jiff::Timestamp;

use super::{Action, Entry, StoreError, Stored};

pub(super) mod state {
    //! `rollout_states`: what each rollout is now, and the hash of the last entry about it.

    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rollout_states")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
        pub rollout: String,
        pub version: i64,
        pub change_time_us: i64,
        #[sea_orm(column_type = "Text")]
        pub state: String,
        #[sea_orm(column_type = "Text")]
        pub head_hash: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod entry {
    //! `rollout_log`: every change of every rollout; rows are only ever added.

    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rollout_log")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
        pub rollout: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub time_us: i64,
        #[sea_orm(column_type = "Text")]
        pub actor: String,
        #[sea_orm(column_type = "Text")]
        pub action: String,
        #[sea_orm(column_type = "Text")]
        pub reason: String,
        #[sea_orm(column_type = "Text")]
        pub before_state: String,
        #[sea_orm(column_type = "Text")]
        pub after_state: String,
        #[sea_orm(column_type = "Text")]
        pub evidence: String,
        #[sea_orm(column_type = "Text")]
        pub previous_hash: String,
        #[sea_orm(column_type = "Text")]
        pub hash: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<state::Model> for Stored {
    type Error = StoreError;

    fn try_from(row: state::Model) -> Result<Self, StoreError> {
        let version = version(row.version)?;
        Ok(Self {
            state: json(&row.state)?,
            version,
            change_time: match version {
                0 => None,
                _ => Some(time(row.change_time_us)?),
            },
        })
    }
}

impl TryFrom<entry::Model> for Entry {
    type Error = StoreError;

    fn try_from(row: entry::Model) -> Result<Self, StoreError> {
        Ok(Self {
            number: version(row.number)?,
            time: time(row.time_us)?,
            actor: row.actor,
            action: Action::from_name(&row.action)
                .ok_or(StoreError::Impossible { what: "action" })?,
            reason: row.reason,
            before: json(&row.before_state)?,
            after: json(&row.after_state)?,
            before_json: row.before_state,
            after_json: row.after_state,
            evidence: row.evidence,
            previous_hash: row.previous_hash,
            hash: row.hash,
        })
    }
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Impossible { what: "state" })
}

fn version(version: i64) -> Result<u64, StoreError> {
    u64::try_from(version).map_err(|_| StoreError::Impossible { what: "version" })
}

pub(super) fn time(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|_| StoreError::Impossible { what: "time" })
}
