//! What is written to tables, in as few statements as each database takes it in.

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use super::rows::Rows;
use crate::store::{Session, StoreError, error::During as _};

impl Session {
    /// Adds rows to a table. `conflict`: what follows, such as `ON CONFLICT DO NOTHING`; may be empty.
    pub(in crate::store) async fn insert_rows<T>(
        &self,
        table: &'static str,
        rows: Rows<'_, T>,
        conflict: &str,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let insert = Step::insert(self.backend(), table, rows, conflict, operation);
        self.run(insert).await
    }

    /// Sets every other column of the rows of a table that have these keys, all of which are there.
    pub(in crate::store) async fn update_rows<T>(
        &self,
        table: &'static str,
        keys: &[&str],
        rows: Rows<'_, T>,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let update = Step::update(self.backend(), table, keys, rows, operation);
        self.run(update).await
    }

    /// Takes a step.
    pub(in crate::store) async fn run(&self, step: Step) -> Result<(), StoreError> {
        let Step {
            statements,
            operation,
            changes,
        } = step;
        let mut changed = 0;
        for statement in statements {
            let done = self.transaction.execute_raw(statement).await;
            changed += done.during(operation)?.rows_affected();
        }
        match changes {
            Some(wanted) if wanted != changed => Err(StoreError::Missing {
                operation,
                rows_count: wanted.abs_diff(changed),
            }),
            _ => Ok(()),
        }
    }
}

/// Rows to be written to one table: one statement on PostgreSQL, none at all for no rows.
pub(in crate::store) struct Step {
    statements: Vec<Statement>,
    operation: &'static str,
    /// How many rows it changes, if all are there that should be.
    changes: Option<u64>,
}

impl Step {
    /// These statements, whatever they change.
    pub(in crate::store) fn of(statements: Vec<Statement>, operation: &'static str) -> Self {
        Self {
            statements,
            operation,
            changes: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// As [`Session::insert_rows`].
    pub(super) fn insert<T>(
        backend: DbBackend,
        table: &'static str,
        rows: Rows<'_, T>,
        conflict: &str,
        operation: &'static str,
    ) -> Self {
        let sql = format!("INSERT INTO {table} ({{names}}) {{rows}} {conflict}");
        Self::of(rows.statements(backend, &sql), operation)
    }

    /// What several write, each to a table of its own: one statement on PostgreSQL, which checks what they have to do with
    /// each other at its end.
    pub(in crate::store) fn together(
        backend: DbBackend,
        steps: impl Iterator<Item = Self>,
        operation: &'static str,
    ) -> Self {
        let statements = steps.flat_map(|it| it.statements);
        let statements = match backend {
            DbBackend::Sqlite => statements.collect(),
            _ => as_one(statements).into_iter().collect(),
        };
        Self::of(statements, operation)
    }

    /// As [`Session::update_rows`].
    pub(super) fn update<T>(
        backend: DbBackend,
        table: &'static str,
        keys: &[&str],
        rows: Rows<'_, T>,
        operation: &'static str,
    ) -> Self {
        let settings = rows.settings(keys);
        Self::update_by(backend, table, keys, &settings, rows, operation)
    }

    /// As [`update`](Self::update), with what is set said in SQL of the row `w`.
    pub(super) fn update_by<T>(
        backend: DbBackend,
        table: &'static str,
        keys: &[&str],
        settings: &str,
        rows: Rows<'_, T>,
        operation: &'static str,
    ) -> Self {
        let changes = Some(rows.len() as u64);
        Self {
            statements: rows.statements(backend, &update(table, keys, settings)),
            operation,
            changes,
        }
    }
}

/// Changes the rows of a table that have the keys of `w`.
pub(super) fn update(table: &str, keys: &[&str], settings: &str) -> String {
    let keys = keys.iter().map(|key| format!("{table}.{key} = w.{key}"));
    let keys = keys.collect::<Vec<_>>().join(" AND ");
    format!("WITH w ({{names}}) AS ({{rows}}) UPDATE {table} SET {settings} FROM w WHERE {keys}")
}

/// One statement of PostgreSQL that does what these do.
fn as_one(statements: impl Iterator<Item = Statement>) -> Option<Statement> {
    let (mut parts, mut values) = (Vec::new(), Vec::new());
    for statement in statements {
        parts.push(renumbered(&statement.sql, values.len()));
        values.extend(statement.values.into_iter().flat_map(|it| it.0));
    }
    let last = parts.pop()?;
    let before: Vec<_> = (1..)
        .zip(parts)
        .map(|(n, part)| format!("t{n} AS ({part})"))
        .collect();
    let sql = match before.is_empty() {
        true => last,
        false => format!("WITH {} {last}", before.join(", ")),
    };
    Some(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        values,
    ))
}

/// The statement as it reads with so many values before its own.
fn renumbered(sql: &str, before: usize) -> String {
    let mut parts = sql.split('$');
    let mut renumbered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|it: char| !it.is_ascii_digit());
        let (number, rest) = part.split_at(digits.unwrap_or(part.len()));
        let number = number.parse::<usize>().unwrap_or_default() + before;
        renumbered.push_str(&format!("${number}{rest}"));
    }
    renumbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_to_several_tables_is_one_statement_on_postgresql() {
        let add = |backend, table, items: &[i64]| {
            let rows = Rows::of(items).number("id", |it| *it);
            Step::insert(backend, table, rows, "", "add")
        };
        let all = |backend| {
            let steps = [
                ("a", vec![1]),
                ("b", vec![]),
                ("c", vec![2]),
                ("d", vec![3]),
            ];
            let steps = steps.iter().map(|(table, it)| add(backend, table, it));
            Step::together(backend, steps, "add all").statements
        };
        let one = all(DbBackend::Postgres);
        assert_eq!(one.len(), 1);
        assert_eq!(
            one[0].sql,
            "WITH t1 AS (INSERT INTO a (id) SELECT c1 FROM unnest($1::bigint[]) AS r (c1) ), \
             t2 AS (INSERT INTO c (id) SELECT c1 FROM unnest($2::bigint[]) AS r (c1) ) \
             INSERT INTO d (id) SELECT c1 FROM unnest($3::bigint[]) AS r (c1) "
        );
        assert_eq!(one[0].values.as_ref().unwrap().0.len(), 3);
        assert_eq!(all(DbBackend::Sqlite).len(), 3);
        let none = Step::together(DbBackend::Postgres, std::iter::empty(), "add");
        assert!(none.is_empty());
    }
}
