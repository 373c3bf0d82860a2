//! What is sold, to whom and under which rules: values and pure decisions, with time as an argument.
//!
//! Nothing here knows a database, a wire format or a clock. Values are parsed once, at the edge; inside, an id, a
//! night or a price cannot be wrong, only unknown.

pub mod agreement;
pub mod booking;
pub mod cancellation;
pub mod catalogue;
pub mod cell;
pub mod claim;
pub mod event;
pub mod followed_movie;
pub mod hall;
pub mod lodging;
pub mod money;
pub mod name;
pub mod offer;
pub mod packing;
pub mod payment;
pub mod rate;
pub mod refusal;
pub mod request;
pub mod restriction;
pub mod sale;
pub mod seating;
pub mod violation;
pub mod wait_entry;
pub mod waitlist;
