//! The reservation service over real sockets, on SQLite and on a throw-away PostgreSQL.

// A test may fail by any of these; clippy knows only the functions marked as tests.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod it {
    pub(crate) mod clock;
    pub(crate) mod compat_support;
    pub(crate) mod networks;

    pub(crate) mod support;
    pub(crate) mod way;

    mod agreements;
    mod bad_input;
    mod batch_hold;
    mod best_seats;
    mod blocks;
    mod bookings;
    mod cancellation;
    mod cinema_rules;
    mod clock_jumps;
    mod contacts;
    mod feed;
    mod feed_trimming;
    mod front_desk;
    mod front_desk_rooms;
    mod hotel_rules;
    mod late_payments;
    mod lists;
    mod lost_commits;
    mod positions;
    mod refusals;
    mod replicas;
    mod requests;
    mod restore;
    mod restrictions;
    mod seats;
    mod starting;
    mod waitlist;
    mod waitlist_opened;
    mod waitlist_rooms;

    mod authority;
    mod capabilities;
    mod compat_movies;
    mod compat_provider;
    mod follow_service;
    mod reconcile;
}
