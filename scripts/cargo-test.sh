#!/usr/bin/env bash
# Runs all Rust tests, with cargo-nextest where it is installed.
# With Kafka in all of them: a second run with other features would build everything that depends on it again.
set -euo pipefail
if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --workspace --features kafka --locked --no-fail-fast
fi
exec cargo test --workspace --features kafka --locked --no-fail-fast
