//! What changed at the monolith, read from its feed, where it has one.
//!
//! Each page is adopted in one transaction with the cursor after it, so that whoever stops in the middle goes on where
//! it was, and of two replicas one adopts a page. What is adopted twice changes nothing. A cursor that the monolith does
//! not know any more, and having none yet, leads to a backfill: the whole list is adopted, and the feed is read from
//! where it was before the list was.

use std::collections::BTreeMap;

use super::{
    monolith::{Change, Changes},
    poll::{PollError, Poller},
};
use crate::store::{Adoption, Position};

/// Changes in one page.
const PAGE: usize = 500;

impl Poller {
    /// Adopts all that the feed tells. How many movies the monolith has, if that was found out.
    pub(super) async fn read_feed(&self) -> Result<Option<usize>, PollError> {
        let mut counted = None;
        loop {
            let position = self.position().await?;
            let page = match &position.cursor {
                None => None,
                Some(cursor) => {
                    let page = self.monolith.changes(Some(cursor), PAGE).await;
                    page.map_err(PollError::Feed)?
                }
            };
            let Some(page) = page else {
                if counted.is_some() {
                    return Err(PollError::NoHead);
                }
                counted = Some(self.backfill(&position).await?);
                continue;
            };
            let more = page.more;
            self.adopt_page(&position, page).await?;
            if !more {
                return Ok(counted);
            }
        }
    }

    async fn adopt_page(&self, position: &Position, page: Changes) -> Result<(), PollError> {
        if page.changes.is_empty() && position.cursor.as_deref() == Some(page.next.as_str()) {
            return Ok(());
        }
        let adoption = last_of_each(page);
        let (adopted, removed) = (adoption.upserts.len(), adoption.removals.len());
        self.adopt(position, adoption).await?;
        if adopted + removed > 0 {
            tracing::info!(adopted, removed, "Adopted changes from the monolith");
        }
        Ok(())
    }

    /// Adopts the whole list, with where the feed was before it.
    async fn backfill(&self, position: &Position) -> Result<usize, PollError> {
        if position.cursor.is_some() {
            tracing::warn!("The monolith's feed has forgotten where we were: reading everything");
        }
        self.metrics.backfill();
        let head = self.monolith.changes(None, 1).await;
        let head = head.map_err(PollError::Feed)?.ok_or(PollError::NoHead)?;
        self.adopt_all(position, Some(head.next)).await
    }
}

/// What a page comes to: of several changes of one movie the last counts.
fn last_of_each(page: Changes) -> Adoption {
    let mut last = BTreeMap::new();
    for change in page.changes {
        match change {
            Change::Upsert(movie) => last.insert(movie.id, Some(movie)),
            Change::Delete(id) => last.insert(id, None),
        };
    }
    let mut adoption = Adoption {
        cursor: Some(page.next),
        ..Adoption::default()
    };
    for (id, movie) in last {
        match movie {
            Some(movie) => adoption.upserts.push(movie),
            None => adoption.removals.push(id),
        }
    }
    adoption
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::followed_movie::{FollowedMovie, MovieDetails};

    fn movie(id: i64, title: &str) -> FollowedMovie {
        let details = MovieDetails {
            title: title.to_owned(),
            description: String::new(),
            genres: Vec::new(),
            rating: 0.0,
        };
        FollowedMovie { id, details }
    }

    #[test]
    fn of_several_changes_of_a_movie_the_last_counts() {
        let upsert = |id, title| Change::Upsert(movie(id, title));
        let page = Changes {
            changes: vec![
                upsert(1, "A"),
                upsert(2, "B"),
                upsert(1, "C"),
                Change::Delete(2),
                Change::Delete(3),
                upsert(3, "D"),
            ],
            next: "x".to_owned(),
            more: false,
        };
        let adoption = last_of_each(page);
        assert_eq!(adoption.upserts, [movie(1, "C"), movie(3, "D")]);
        assert_eq!(adoption.removals, [2]);
        assert_eq!(adoption.cursor.as_deref(), Some("x"));
    }
}
