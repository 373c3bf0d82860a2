//! The schema of the reservation database, as steps that are only ever added to.
//!
//! Plain SQL that both databases understand, so that what is guarded (the CHECKs above all) can be read here. Numbers
//! are BIGINT throughout, times are microseconds since 1970 in UTC, and days are days since 1970.

mod m0001_bookings;
mod m0002_followed_movies;
mod m0003_batches;
mod m0004_restrictions;
mod m0005_agreements;
mod m0006_venue_rules;
mod m0007_feed_snapshot;
mod m0008_waitlist;
mod m0009_rooms;
mod m0010_following;
mod m0011_movie_creates;
mod m0012_origin;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// Every step, in order.
pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_bookings::Migration),
            Box::new(m0002_followed_movies::Migration),
            Box::new(m0003_batches::Migration),
            Box::new(m0004_restrictions::Migration),
            Box::new(m0005_agreements::Migration),
            Box::new(m0006_venue_rules::Migration),
            Box::new(m0007_feed_snapshot::Migration),
            Box::new(m0008_waitlist::Migration),
            Box::new(m0009_rooms::Migration),
            Box::new(m0010_following::Migration),
            Box::new(m0011_movie_creates::Migration),
            Box::new(m0012_origin::Migration),
        ]
    }
}
