//! What one process uses, by `/proc`.

use std::{fs, time::Duration};

use super::kernel::TICK;

/// Gives the processor time a process has used, in itself and in the kernel.
pub fn used_by(process: u32) -> Duration {
    parse_stat(&fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default())
}

/// Reads `/proc/PID/stat`; the program's name may hold spaces and brackets.
pub fn parse_stat(stat: &str) -> Duration {
    let behind_name = stat.rsplit_once(") ").map_or("", |parts| parts.1);
    // The state is field 3, utime 14 and stime 15.
    let ticks = behind_name.split(' ').skip(11).take(2);
    TICK * ticks.map(|ticks| ticks.parse::<u32>().unwrap_or_default()).sum::<u32>()
}

/// Counts the open files of a server but those of its database, whose pool opens connections as it needs them.
pub fn descriptors(process: u32) -> usize {
    let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    targets.filter(|target| !target.to_string_lossy().contains("tidings.db")).count()
}

/// Memory of a process in KiB. What the kernel holds for its sockets is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// All pages in memory.
    pub resident: f64,
    /// The same, with what several processes share split between them.
    pub proportional: f64,
    /// What is this process' own.
    pub private: f64,
}

impl Memory {
    pub fn of(process: u32) -> Self {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default())
    }

    /// Reads `/proc/PID/smaps_rollup`.
    pub fn parse(rollup: &str) -> Self {
        let named = |name: &str| {
            let line = rollup.lines().find(|line| line.split(':').next() == Some(name));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or_default()
        };
        Self {
            resident: named("Rss"),
            proportional: named("Pss"),
            private: named("Private_Clean") + named("Private_Dirty"),
        }
    }

    /// Gives what one of `count` took on top of `before`.
    pub fn per_each(self, before: Self, count: usize) -> Self {
        let share = |now: f64, before: f64| (now - before) / count.max(1) as f64;
        Self {
            resident: share(self.resident, before.resident),
            proportional: share(self.proportional, before.proportional),
            private: share(self.private, before.private),
        }
    }
}
