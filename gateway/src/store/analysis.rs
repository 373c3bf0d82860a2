//! What the analysis of a rollout has found so far, for whoever decides next.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sea_orm::{ConnectionTrait as _, QueryResult, Statement};

use super::{Store, StoreError, entity::time};

/// An analysis as it was last written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnalysis {
    /// Windows that began before are in it.
    pub until: Timestamp,
    /// The policy that it judges by; JSON.
    pub policy: String,
    /// The analysis; JSON.
    pub analysis: String,
    /// What it said last, in words for people.
    pub verdict: String,
}

impl Store {
    /// Every analysis, by the rollout's name.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn analyses(&self) -> Result<BTreeMap<String, StoredAnalysis>, StoreError> {
        let all = Statement::from_string(
            self.database.backend(),
            "SELECT rollout, until_us, policy, analysis, verdict FROM rollout_analyses",
        );
        let rows = self
            .within(async {
                let connection = self.database.connection();
                connection
                    .query_all_raw(all)
                    .await
                    .map_err(StoreError::Read)
            })
            .await?;
        rows.iter().map(read).collect()
    }

    /// Writes an analysis down.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn put_analysis(
        &self,
        rollout: &str,
        stored: &StoredAnalysis,
    ) -> Result<(), StoreError> {
        let put = Statement::from_sql_and_values(
            self.database.backend(),
            "INSERT INTO rollout_analyses (rollout, until_us, policy, analysis, verdict) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (rollout) DO UPDATE SET until_us = excluded.until_us, policy = excluded.policy, \
             analysis = excluded.analysis, verdict = excluded.verdict",
            [
                rollout.into(),
                stored.until.as_microsecond().into(),
                stored.policy.clone().into(),
                stored.analysis.clone().into(),
                stored.verdict.clone().into(),
            ],
        );
        self.execute(put).await
    }
}

fn read(row: &QueryResult) -> Result<(String, StoredAnalysis), StoreError> {
    let text = |column| row.try_get("", column).map_err(StoreError::Read);
    let until_us = row.try_get("", "until_us").map_err(StoreError::Read)?;
    let stored = StoredAnalysis {
        until: time(until_us)?,
        policy: text("policy")?,
        analysis: text("analysis")?,
        verdict: text("verdict")?,
    };
    Ok((text("rollout")?, stored))
}
