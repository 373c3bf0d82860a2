//! What processes use, from /proc: processor time of a process and all that it has started, and resident memory.

use std::{collections::HashMap, fs, ops::Sub};

/// A tick of /proc in microseconds: 100 a second on every Linux that we know.
const TICK_US: u64 = 10_000;

/// Whose use is measured.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    /// The one that answers.
    pub server: u32,
    /// The database server, where it is a process of its own.
    pub database: Option<u32>,
}

/// Processor time since each process began, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Of the one that answers.
    pub server_us: u64,
    /// Of the database server with all its workers.
    pub database_us: u64,
    /// Of this process.
    pub client_us: u64,
}

impl Processes {
    /// What they have used by now.
    pub fn usage(&self) -> Usage {
        let table = table();
        Usage {
            server_us: tree_us(&table, self.server),
            database_us: self.database.map_or(0, |pid| tree_us(&table, pid)),
            client_us: table.get(&std::process::id()).map_or(0, |it| it.own_us),
        }
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            server_us: self.server_us.saturating_sub(earlier.server_us),
            database_us: self.database_us.saturating_sub(earlier.database_us),
            client_us: self.client_us.saturating_sub(earlier.client_us),
        }
    }
}

/// Resident memory of a process in MB.
pub fn resident_mb(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1_024.0)
}

struct Entry {
    parent: u32,
    own_us: u64,
    /// Of children that have ended.
    ended_us: u64,
}

fn table() -> HashMap<u32, Entry> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, parse(&stat)?))
        })
        .collect()
}

/// proc(5): the name is in parentheses and may hold anything; after it come the state, the parent, and from the
/// 12th field on utime, stime, cutime and cstime.
fn parse(stat: &str) -> Option<Entry> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Entry {
        parent: fields.get(1)?.parse().ok()?,
        own_us: (ticks(11)? + ticks(12)?) * TICK_US,
        ended_us: (ticks(13)? + ticks(14)?) * TICK_US,
    })
}

fn tree_us(table: &HashMap<u32, Entry>, root: u32) -> u64 {
    let Some(entry) = table.get(&root) else {
        return 0;
    };
    let children = table.iter().filter(|(_, child)| child.parent == root);
    let below: u64 = children.map(|(pid, _)| tree_us(table, *pid)).sum();
    entry.own_us + entry.ended_us + below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 3 7 7 0 -1 0 0 0 0 0 5 6 7 8 20 0";
        let entry = parse(stat).unwrap();
        assert_eq!(
            (entry.parent, entry.own_us, entry.ended_us),
            (3, 110_000, 150_000)
        );
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(resident_mb(std::process::id()).unwrap() > 1.0);
    }
}
