#!/usr/bin/env bash
# Runs all Rust tests, with cargo-nextest where it is installed.
set -euo pipefail
if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --workspace --locked --no-fail-fast
fi
exec cargo test --workspace --locked --no-fail-fast
