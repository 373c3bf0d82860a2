//! What a monolith can offer for its movies beyond listing, reading and adding. Nothing by default: most
//! do not.

/// What is offered for movies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// `GET /api/movies/changes?since=CURSOR&limit=N` tells what changed, in the order of commits.
    pub change_feed: bool,
    /// How many changes the feed keeps.
    pub feed_keeps: u32,
    /// `PUT /api/movies?id=N` changes a movie.
    pub update: bool,
    /// `DELETE /api/movies?id=N` removes one.
    pub delete: bool,
    /// `PUT /api/movies?id=N` adds a movie under that id where there is none.
    pub keeps_ids: bool,
}

impl Capabilities {
    /// How many changes are kept unless it is said.
    pub const FEED_KEEPS: u32 = 10_000;

    /// Everything.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            change_feed: true,
            feed_keeps: Self::FEED_KEEPS,
            update: true,
            delete: true,
            keeps_ids: true,
        }
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            change_feed: false,
            feed_keeps: Self::FEED_KEEPS,
            update: false,
            delete: false,
            keeps_ids: false,
        }
    }
}
