//! The checker against histories by hand and by the thousand.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "clippy knows only the functions marked as tests"
)]

mod it {
    mod by_hand;
    mod by_the_thousand;
}
