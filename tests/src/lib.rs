//! End-to-end tests of the whole mesh: in one process over real sockets (`tests/it/mesh.rs`), and as real processes that
//! are started, killed and stopped (`tests/it/processes.rs`). The tests themselves are in `tests/it/`.
