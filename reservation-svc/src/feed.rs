//! How much of the feed is kept. All of it, unless an operator says otherwise: then events move, the oldest first, into
//! a snapshot that has the last one of each thing, and refusals added up.
//!
//! Why a snapshot of events rather than of tables: whoever follows the feed knows how to read events, one kind of them
//! at a time, and whoever keeps the last state of each thing comes to the same whether it has read all of them or only
//! the last ones. What is lost is what only the overtaken ones knew: when a booking passed through which state, what it
//! claimed before a move, which capacity there was once, when each refusal was.

mod compaction;
mod trimmer;

pub(crate) use trimmer::Trimmer;
