//! The checker against histories by hand and by the thousand.

// A test may fail by any of these; clippy knows only the functions marked as tests.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod it {
    mod by_hand;
    mod by_the_thousand;
}
