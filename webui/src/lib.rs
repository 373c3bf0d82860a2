//! Serves the browser app from inside the binary.
