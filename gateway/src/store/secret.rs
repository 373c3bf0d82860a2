//! Secrets that replicas share: the first to need one makes it, the others find it.

use sea_orm::{ConnectionTrait as _, DbErr, Statement};

use super::{Store, StoreError};

impl Store {
    /// The secret `name`; `fresh` becomes it where there is none yet.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn secret(&self, name: &str, fresh: &str) -> Result<String, StoreError> {
        let backend = self.database.backend();
        let insert = Statement::from_sql_and_values(
            backend,
            "INSERT INTO gateway_secrets (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
            [name.into(), fresh.into()],
        );
        self.execute(insert).await?;
        let find = Statement::from_sql_and_values(
            backend,
            "SELECT secret FROM gateway_secrets WHERE name = $1",
            [name.into()],
        );
        self.within(async {
            let connection = self.database.connection();
            let row = connection
                .query_one_raw(find)
                .await
                .and_then(|row| row.ok_or_else(|| DbErr::RecordNotFound(name.to_owned())))
                .map_err(StoreError::Read)?;
            row.try_get("", "secret").map_err(StoreError::Read)
        })
        .await
    }
}
