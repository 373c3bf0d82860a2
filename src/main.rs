//! The `banyan` command: composes, nothing else.
fn main() {}
