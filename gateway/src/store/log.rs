//! Reading the log: a page of it, the state at a moment, and whether it is as it was written.

use jiff::Timestamp;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{
    Action, State, Store, StoreError, Stored,
    chain::{Link, genesis},
    entity::{entry, state},
};

/// So many entries are read at once.
const PAGE: u64 = 500;

/// One change of a rollout, as it was written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Counts the changes of this rollout, from 1.
    pub number: u64,
    /// When.
    pub time: Timestamp,
    /// Who, as the caller named itself.
    pub actor: String,
    /// What was done.
    pub action: Action,
    /// Why, in the caller's words.
    pub reason: String,
    /// The state before.
    pub before: State,
    /// The state since.
    pub after: State,
    /// [`Entry::before`], byte for byte as it is stored.
    pub before_json: String,
    /// [`Entry::after`], byte for byte as it is stored.
    pub after_json: String,
    /// What it rests on; a JSON object.
    pub evidence: String,
    /// The hash of the entry before.
    pub previous_hash: String,
    /// The hash of this entry.
    pub hash: String,
}

/// What a walk along the whole log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries were found intact.
    pub entries: u64,
    /// The hash of the last of them.
    pub head_hash: String,
    /// The first entry that is not as it was written, and what is wrong with it.
    pub broken: Option<(u64, String)>,
}

impl Store {
    /// At most `limit` entries about a rollout, newest first, those before number `before` only.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn entries(
        &self,
        rollout: &str,
        before: Option<u64>,
        limit: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut find = of(rollout)
            .order_by_desc(entry::Column::Number)
            .limit(limit);
        if let Some(before) = before {
            let before = i64::try_from(before).unwrap_or(i64::MAX);
            find = find.filter(entry::Column::Number.lt(before));
        }
        let rows = self
            .within(async {
                find.all(self.database.connection())
                    .await
                    .map_err(StoreError::Read)
            })
            .await?;
        rows.into_iter().map(Entry::try_from).collect()
    }

    /// What a rollout was at a moment, by the log. Before its first change it was what that change found. `None` if
    /// the store has never seen the rollout.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn state_at(
        &self,
        rollout: &str,
        time: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        self.within(async {
            let connection = self.database.connection();
            let last = of(rollout)
                .filter(entry::Column::TimeUs.lte(time.as_microsecond()))
                .order_by_desc(entry::Column::Number)
                .one(connection)
                .await
                .map_err(StoreError::Read)?;
            if let Some(last) = last {
                let last = Entry::try_from(last)?;
                return Ok(Some(Stored {
                    state: last.after,
                    version: last.number,
                    change_time: Some(last.time),
                }));
            }
            let first = of(rollout)
                .order_by_asc(entry::Column::Number)
                .one(connection)
                .await
                .map_err(StoreError::Read)?;
            if let Some(first) = first {
                return Ok(Some(Stored {
                    state: Entry::try_from(first)?.before,
                    version: 0,
                    change_time: None,
                }));
            }
            let row = state::Entity::find_by_id(rollout)
                .one(connection)
                .await
                .map_err(StoreError::Read)?;
            row.map(Stored::try_from).transpose()
        })
        .await
    }

    /// Walks the log of a rollout from its first entry and recomputes every hash. `known_hash`, where given, must be that
    /// of one of the entries. An entry and the rollout's row are written by one transaction, so the walk goes to the last
    /// entry there is, and nothing may stand beyond the change that the row tells.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn verify(
        &self,
        rollout: &str,
        known_hash: Option<&str>,
    ) -> Result<Verdict, StoreError> {
        let mut walk = Walk::new(rollout, known_hash);
        let mut told = 0;
        loop {
            let page = self.page_after(rollout, walk.last).await?;
            for row in &page {
                if let Err(problem) = walk.step(row) {
                    return Ok(walk.broken(problem));
                }
            }
            if !page.is_empty() {
                continue;
            }
            // Read after the entries: none of those that were found can be younger.
            let row = self.row(rollout).await?;
            let version = row.as_ref().map_or(0, |row| row.version);
            if version <= walk.last.max(told) {
                return Ok(walk.end(row.as_ref()));
            }
            // Changes came while the walk went on, or entries are missing: once more shows which.
            told = version;
        }
    }

    async fn page_after(
        &self,
        rollout: &str,
        number: i64,
    ) -> Result<Vec<entry::Model>, StoreError> {
        let mut find = of(rollout).order_by_asc(entry::Column::Number).limit(PAGE);
        // Before the first entry there may be none either, whatever its number.
        if number > 0 {
            find = find.filter(entry::Column::Number.gt(number));
        }
        self.within(async {
            find.all(self.database.connection())
                .await
                .map_err(StoreError::Read)
        })
        .await
    }

    async fn row(&self, rollout: &str) -> Result<Option<state::Model>, StoreError> {
        self.within(async {
            state::Entity::find_by_id(rollout)
                .one(self.database.connection())
                .await
                .map_err(StoreError::Read)
        })
        .await
    }
}

fn of(rollout: &str) -> sea_orm::Select<entry::Entity> {
    entry::Entity::find().filter(entry::Column::Rollout.eq(rollout))
}

/// Along the log, entry by entry.
struct Walk<'a> {
    rollout: &'a str,
    /// The number of the last intact entry.
    last: i64,
    head: String,
    state: Option<String>,
    time_us: i64,
    known_hash: Option<&'a str>,
    is_known_met: bool,
}

impl<'a> Walk<'a> {
    fn new(rollout: &'a str, known_hash: Option<&'a str>) -> Self {
        let head = genesis(rollout);
        Self {
            rollout,
            last: 0,
            is_known_met: known_hash.is_none_or(|known| known == head),
            head,
            state: None,
            time_us: i64::MIN,
            known_hash,
        }
    }

    fn step(&mut self, row: &entry::Model) -> Result<(), String> {
        let number = self.last + 1;
        if row.number < number {
            return Err(format!("an entry {} stands before the first", row.number));
        }
        if row.number > number {
            return Err("the entry is missing".to_owned());
        }
        if row.previous_hash != self.head {
            return Err("it does not follow the entry before it".to_owned());
        }
        let link = Link {
            rollout: self.rollout,
            number,
            time_us: row.time_us,
            actor: &row.actor,
            action: &row.action,
            reason: &row.reason,
            before: &row.before_state,
            after: &row.after_state,
            evidence: &row.evidence,
        };
        if link.hash(&row.previous_hash) != row.hash {
            return Err("its content does not have its hash".to_owned());
        }
        if self
            .state
            .as_ref()
            .is_some_and(|state| *state != row.before_state)
        {
            return Err(
                "it begins with another state than the entry before it ended with".to_owned(),
            );
        }
        if row.time_us < self.time_us {
            return Err("it is dated before the entry before it".to_owned());
        }
        self.last = number;
        self.head.clone_from(&row.hash);
        self.state = Some(row.after_state.clone());
        self.time_us = row.time_us;
        self.is_known_met |= self.known_hash == Some(row.hash.as_str());
        Ok(())
    }

    /// The end of the log against what the rollout's own row says.
    fn end(mut self, row: Option<&state::Model>) -> Verdict {
        let Some(row) = row else {
            return match self.last {
                0 if self.is_known_met => self.ok(),
                0 => self.written_anew(),
                _ => {
                    self.broken("the rollout's own row, which tells its state, is gone".to_owned())
                }
            };
        };
        if self.last < row.version {
            return self.broken("the entry is missing".to_owned());
        }
        if self.last > row.version {
            self.last = row.version;
            self.head.clone_from(&row.head_hash);
            return self.broken(
                "the rollout's own row tells of no such change: the entry was slipped in, or the row set back"
                    .to_owned(),
            );
        }
        let is_other_state = self.state.as_ref().is_some_and(|state| *state != row.state);
        if self.head != row.head_hash || is_other_state {
            return self
                .broken("the rollout is in another state than its last entry says".to_owned());
        }
        if !self.is_known_met {
            return self.written_anew();
        }
        self.ok()
    }

    fn written_anew(self) -> Verdict {
        self.broken("no entry has the known hash: the log was written anew".to_owned())
    }

    fn ok(self) -> Verdict {
        Verdict {
            entries: count(self.last),
            head_hash: self.head,
            broken: None,
        }
    }

    fn broken(self, problem: String) -> Verdict {
        Verdict {
            broken: Some((count(self.last) + 1, problem)),
            entries: count(self.last),
            head_hash: self.head,
        }
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
