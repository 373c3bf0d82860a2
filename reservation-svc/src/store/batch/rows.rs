//! Many rows in one statement, as each database takes them best.
//!
//! PostgreSQL gets every column as one array and `unnest`s them, so that a statement reads the same, and is prepared
//! once, however many rows it is about; a value that all rows have in common goes there once. SQLite gets multi-row `VALUES` in a few fixed sizes, each prepared once, and as
//! many of these statements as it takes; the largest stays far below its limit of 32,766 values.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value, sea_query::ArrayType};

use crate::store::{Session, StoreError, error::During};

/// How many rows a statement on SQLite is about: as many of the largest as fit, then of the next.
const SQLITE_ROWS: [usize; 5] = [256, 64, 16, 4, 1];

/// Stands for nothing where an array cannot hold NULL; no number stored is so small.
const NO_NUMBER: i64 = i64::MIN;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Number,
    MaybeNumber,
    Text,
    /// An empty text is nothing.
    MaybeText,
    Bytes,
}

impl Kind {
    fn sql(self) -> &'static str {
        match self {
            Self::Number | Self::MaybeNumber => "bigint",
            Self::Text | Self::MaybeText => "text",
            Self::Bytes => "bytea",
        }
    }
}

#[derive(Clone, Debug)]
struct Column {
    name: &'static str,
    kind: Kind,
    values: Vec<Value>,
}

/// Rows to write or to look up, by their columns.
#[derive(Clone, Debug)]
pub(in crate::store) struct Rows<'a, T> {
    items: &'a [T],
    columns: Vec<Column>,
}

impl<'a, T> Rows<'a, T> {
    /// A row for each item, of no columns yet.
    pub(in crate::store) fn of(items: &'a [T]) -> Self {
        let columns = Vec::new();
        Self { items, columns }
    }

    /// With a column of numbers.
    pub(in crate::store) fn number(self, name: &'static str, value: impl Fn(&T) -> i64) -> Self {
        self.column(name, Kind::Number, |it| value(it).into())
    }

    /// With a column of numbers or NULL.
    pub(in crate::store) fn maybe_number(
        self,
        name: &'static str,
        value: impl Fn(&T) -> Option<i64>,
    ) -> Self {
        self.column(name, Kind::MaybeNumber, |it| value(it).into())
    }

    /// With a column of texts.
    pub(in crate::store) fn text(self, name: &'static str, value: impl Fn(&T) -> String) -> Self {
        self.column(name, Kind::Text, |it| value(it).into())
    }

    /// With a column of texts or NULL; none is empty.
    pub(in crate::store) fn maybe_text(
        self,
        name: &'static str,
        value: impl Fn(&T) -> Option<String>,
    ) -> Self {
        self.column(name, Kind::MaybeText, |it| value(it).into())
    }

    /// With a column of bytes.
    pub(in crate::store) fn bytes(self, name: &'static str, value: impl Fn(&T) -> Vec<u8>) -> Self {
        self.column(name, Kind::Bytes, |it| value(it).into())
    }

    fn column(mut self, name: &'static str, kind: Kind, value: impl Fn(&T) -> Value) -> Self {
        let values = self.items.iter().map(value).collect();
        self.columns.push(Column { name, kind, values });
        self
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Names of the columns, as in `pool, slot`.
    fn names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        names.join(", ")
    }

    /// `a = w.a, b = w.b` for every column but those.
    pub(super) fn settings(&self, but: &[&str]) -> String {
        let names = self.columns.iter().map(|column| column.name);
        let set = names.filter(|name| !but.contains(name));
        let set: Vec<_> = set.map(|name| format!("{name} = w.{name}")).collect();
        set.join(", ")
    }

    /// The statements that say `sql` of all rows; `{rows}` in it is where they stand, `{names}` what they are called.
    pub(super) fn statements(self, backend: DbBackend, sql: &str) -> Vec<Statement> {
        let sql = sql.replace("{names}", &self.names());
        if self.items.is_empty() {
            return Vec::new();
        }
        match backend {
            DbBackend::Sqlite => self.chunked(&sql),
            _ => vec![self.unnested(&sql)],
        }
    }

    fn unnested(self, sql: &str) -> Statement {
        let (mut arrays, mut selected) = (Vec::new(), Vec::new());
        for (n, column) in (1..).zip(&self.columns) {
            let array = column.kind.sql();
            // The first decides how many rows there are; of the others, one value may stand for all.
            let value = match n {
                1 => "c1".to_owned(),
                _ => format!("COALESCE(c{n}, (${n}::{array}[])[1])"),
            };
            let select = match column.kind {
                Kind::MaybeNumber => format!("NULLIF({value}, {NO_NUMBER})"),
                Kind::MaybeText => format!("NULLIF({value}, '')"),
                _ => value,
            };
            arrays.push(format!("${n}::{array}[]"));
            selected.push(select);
        }
        let called: Vec<_> = (1..=arrays.len()).map(|n| format!("c{n}")).collect();
        let rows = format!(
            "SELECT {} FROM unnest({}) AS r ({})",
            selected.join(", "),
            arrays.join(", "),
            called.join(", ")
        );
        let columns = self.columns.into_iter().enumerate();
        let values = columns.map(|(n, column)| if n == 0 { column } else { column.once() });
        let values = values.map(Column::array);
        Statement::from_sql_and_values(DbBackend::Postgres, sql.replace("{rows}", &rows), values)
    }

    fn chunked(mut self, sql: &str) -> Vec<Statement> {
        let one = format!("({})", vec!["?"; self.columns.len()].join(", "));
        let mut statements = Vec::new();
        let mut start = 0;
        for size in SQLITE_ROWS {
            let rows = format!("VALUES {}", vec![one.as_str(); size].join(", "));
            let sql = sql.replace("{rows}", &rows);
            while self.items.len() - start >= size {
                let mut values = Vec::with_capacity(size * self.columns.len());
                for row in start..start + size {
                    let columns = self.columns.iter_mut();
                    values.extend(
                        columns.map(|it| std::mem::replace(&mut it.values[row], Value::Bool(None))),
                    );
                }
                start += size;
                statements.push(Statement::from_sql_and_values(
                    DbBackend::Sqlite,
                    &sql,
                    values,
                ));
            }
        }
        statements
    }
}

impl Column {
    /// One value if all are the same.
    fn once(mut self) -> Self {
        if self.values.windows(2).all(|two| two[0] == two[1]) {
            self.values.truncate(1);
        }
        self
    }

    fn array(self) -> Value {
        let (kind, nothing) = match self.kind {
            Kind::Number | Kind::MaybeNumber => (ArrayType::BigInt, Value::from(NO_NUMBER)),
            Kind::Text | Kind::MaybeText => (ArrayType::String, Value::from("")),
            Kind::Bytes => (ArrayType::Bytes, Value::from(Vec::<u8>::new())),
        };
        let present = |value: Value| match value {
            Value::BigInt(None) | Value::String(None) => nothing.clone(),
            value => value,
        };
        let values = self.values.into_iter().map(present).collect();
        Value::Array(kind, Some(Box::new(values)))
    }
}

impl Session {
    /// Runs a query over rows: `{rows}` in it is where they stand, best as `WITH w ({names}) AS ({rows})`.
    pub(in crate::store) async fn select_by<T>(
        &self,
        sql: &str,
        rows: Rows<'_, T>,
        operation: &'static str,
    ) -> Result<Vec<QueryResult>, StoreError> {
        select_by(&self.transaction, sql, rows, operation).await
    }
}

/// As [`Session::select_by`], on any connection.
pub(super) async fn select_by<T>(
    connection: &impl ConnectionTrait,
    sql: &str,
    rows: Rows<'_, T>,
    operation: &'static str,
) -> Result<Vec<QueryResult>, StoreError> {
    let mut found = Vec::new();
    for statement in rows.statements(connection.get_database_backend(), sql) {
        let rows = connection.query_all_raw(statement).await;
        found.extend(rows.during(operation)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(items: &[i64]) -> Rows<'_, i64> {
        Rows::of(items)
            .number("id", |it| *it)
            .maybe_text("name", |it| (*it > 1).then(|| it.to_string()))
    }

    #[test]
    fn postgresql_gets_one_statement_whatever_the_number_of_rows() {
        let sql = "WITH w ({names}) AS ({rows}) SELECT 1";
        let one = rows(&[1]).statements(DbBackend::Postgres, sql);
        let many: Vec<_> = (0..5_000).collect();
        let many = rows(&many).statements(DbBackend::Postgres, sql);
        assert_eq!((one.len(), many.len()), (1, 1));
        assert_eq!(one[0].sql, many[0].sql);
        assert_eq!(
            one[0].sql,
            "WITH w (id, name) AS (SELECT c1, NULLIF(COALESCE(c2, ($2::text[])[1]), '') \
             FROM unnest($1::bigint[], $2::text[]) AS r (c1, c2)) SELECT 1"
        );
    }

    #[test]
    fn sqlite_gets_every_row_once_in_statements_of_few_sizes() {
        let items: Vec<_> = (0..343).collect();
        let statements = rows(&items).statements(DbBackend::Sqlite, "{rows}");
        let values = statements.iter().flat_map(|it| it.values.iter());
        let sizes: Vec<_> = values.clone().map(|it| it.0.len() / 2).collect();
        assert_eq!(sizes, [256, 64, 16, 4, 1, 1, 1]);
        let numbers = values.flat_map(|it| it.0.iter().step_by(2).cloned());
        let want: Vec<_> = items.into_iter().map(Value::from).collect();
        assert_eq!(numbers.collect::<Vec<_>>(), want);
    }

    #[test]
    fn no_rows_are_no_statement() {
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            assert!(rows(&[]).statements(backend, "{rows}").is_empty());
        }
    }
}
