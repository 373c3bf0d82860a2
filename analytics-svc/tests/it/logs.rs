//! What all services of this test process have logged.

use std::{
    io,
    sync::{Mutex, Once},
};

static LOGS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGS.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to keep the log, at the most talkative level of the product's own code.
pub(crate) fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .json()
            .with_env_filter("banyan_analytics=trace,banyan_mesh=trace")
            .with_writer(|| Log)
            .init();
    });
}

/// The kept lines that contain `text`.
pub(crate) fn lines_with(text: &str) -> Vec<String> {
    let logs = LOGS.lock().unwrap();
    String::from_utf8_lossy(&logs)
        .lines()
        .filter(|line| line.contains(text))
        .map(str::to_owned)
        .collect()
}
