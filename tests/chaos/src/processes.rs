//! Signals to real processes, by their ids, and what the system says of them.
//!
//! Signals go through the `kill` of the system: this workspace forbids unsafe code, and a process a fault is nothing.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context as _, ensure};

use crate::wait;

/// A killed process must be gone after this long.
const END_LIMIT: Duration = Duration::from_secs(10);

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ends it without a word.
    Kill,
    /// Lets it stand still.
    Stop,
    /// Lets it go on.
    Continue,
    /// Asks it to end.
    Terminate,
}

impl Signal {
    fn option(self) -> &'static str {
        match self {
            Self::Kill => "-KILL",
            Self::Stop => "-STOP",
            Self::Continue => "-CONT",
            Self::Terminate => "-TERM",
        }
    }
}

/// Sends a signal to processes. Those that have ended meanwhile are no error.
pub(crate) fn send(signal: Signal, pids: &[u32]) -> anyhow::Result<()> {
    let there: Vec<String> = pids
        .iter()
        .filter(|pid| is_there(**pid))
        .map(u32::to_string)
        .collect();
    if there.is_empty() {
        return Ok(());
    }
    let sent = Command::new("kill")
        .arg(signal.option())
        .args(&there)
        .output();
    let sent = sent.context("cannot run kill")?;
    let gone = pids.iter().any(|pid| !is_there(*pid));
    let error = String::from_utf8_lossy(&sent.stderr);
    ensure!(
        sent.status.success() || gone,
        "kill {}: {error}",
        signal.option()
    );
    Ok(())
}

/// The processes that this one has started.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent))
        .collect()
}

/// Waits until none of them is there any more.
pub(crate) async fn ended(pids: &[u32]) -> anyhow::Result<()> {
    wait::until("the killed processes are gone", END_LIMIT, async || {
        Ok(pids.iter().all(|pid| !is_there(*pid)))
    })
    .await
}

/// Whether a process is there and not just waiting to be buried.
fn is_there(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// State and parent of a process (proc(5)): the name before them is in brackets and may hold anything.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_is_stopped_continued_and_killed() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        assert!(children(std::process::id()).contains(&pid));
        let is = async |wanted: char| {
            wait::until("state", END_LIMIT, async || {
                Ok(stat(pid).is_some_and(|(state, _)| state == wanted))
            })
            .await
        };
        send(Signal::Stop, &[pid]).unwrap();
        is('T').await.unwrap();
        send(Signal::Continue, &[pid]).unwrap();
        is('S').await.unwrap();
        send(Signal::Kill, &[pid]).unwrap();
        ended(&[pid]).await.unwrap();
        child.wait().unwrap();
        send(Signal::Kill, &[pid]).unwrap();
    }
}
