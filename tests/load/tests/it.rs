//! The load and its peers over real sockets, on SQLite and on a throw-away PostgreSQL.

// A test may fail by any of these; clippy knows only the functions marked as tests.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod it {
    mod peers;
}
