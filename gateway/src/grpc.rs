//! gRPC and gRPC-Web from outside, on the port of the REST routes.
//!
//! A call is found by its path in a table that is made from the same routes: what is mounted on a listener for REST is
//! there for gRPC, and nothing else. Its messages pass as they are, frame by frame in both directions, so that whoever is
//! slow slows down the other end and nobody else; what the gateway adds is what it adds to every request: limits, guests,
//! rollouts, deadlines, one line in the log. Where a rollout says `legacy`, the call leaves as the REST call that its
//! route describes ([`legacy`]).
//!
//! | module | what it decides |
//! |---|---|
//! | [`dialect`] | whether a request is gRPC, gRPC-Web or its text form |
//! | [`table`] | which calls there are, and which route each belongs to |
//! | [`metadata`] | what a service is told beside the messages, and what a client is |
//! | [`pass`], [`messages`], [`answer`] | a call to a service: the way there, the way back |
//! | [`legacy`] | a call to the legacy side, over REST |
//! | [`held`] | what a rollout has to know of a call before it is sent or answered |
//! | [`web`] | gRPC-Web: trailers in the body, base64 |
//! | [`outcome`] | what became of a call, which its HTTP status does not say |
//! | [`own`] | the gateway's own services: health, reflection |

mod answer;
mod dialect;
mod flow;
mod held;
mod legacy;
mod messages;
mod metadata;
mod outcome;
mod own;
mod pass;
mod table;
mod web;

pub(crate) use dialect::Dialect;
pub(crate) use held::{glance, hold, only_message, sent};
pub(crate) use legacy::{Answered, failed, message, rest};
pub(crate) use outcome::{Outcome, finished};
pub(crate) use pass::{Terms, ask_own, copied, pass};
pub(crate) use table::{Answerer, Entry, Table};
pub(crate) use web::request as messages;
