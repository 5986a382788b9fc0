//! What the kernel counts: connections it had to drop, and who keeps the machine busy.

use std::{fs, time::Duration};

use tokio::time::{Instant, sleep};

/// How busy others may keep the machine, in cores, before something is measured.
const QUIET_CORES: f64 = 0.1;
const LOOK_FOR: Duration = Duration::from_millis(700);
/// The kernel counts processor time for programs in hundredths of a second.
pub const TICK: Duration = Duration::from_millis(10);

/// Connections dropped before anybody accepted them; each costs its client a second or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The queue of a listening socket was full.
    pub overflows: u64,
    /// All reasons together.
    pub drops: u64,
}

impl Dropped {
    /// Reads the counts since the machine's start.
    pub fn now() -> Self {
        Self::parse(&fs::read_to_string("/proc/net/netstat").unwrap_or_default())
    }

    /// Reads `/proc/net/netstat`: a line of names, then a line of numbers.
    pub fn parse(netstat: &str) -> Self {
        let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
        let (names, numbers) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let named = |name| {
            let mut pairs = names.split(' ').zip(numbers.split(' '));
            pairs.find(|pair| pair.0 == name).and_then(|pair| pair.1.parse().ok()).unwrap_or_default()
        };
        Self { overflows: named("ListenOverflows"), drops: named("ListenDrops") }
    }

    /// Counts what was dropped since `earlier`.
    pub const fn since(self, earlier: Self) -> Self {
        Self { overflows: self.overflows - earlier.overflows, drops: self.drops - earlier.drops }
    }
}

/// Gives the processor time that all cores together have worked, what other guests took included.
pub fn busy() -> Duration {
    parse_busy(&fs::read_to_string("/proc/stat").unwrap_or_default())
}

/// Reads the first line of `/proc/stat`.
pub fn parse_busy(stat: &str) -> Duration {
    let line = stat.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).map(|ticks| ticks.parse::<u32>().unwrap_or_default());
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in user.
    let busy = ticks.take(8).enumerate().filter(|(place, _)| !matches!(place, 3 | 4));
    TICK * busy.map(|(_, ticks)| ticks).sum::<u32>()
}

/// Waits until others leave the machine alone, but no longer than `most`.
pub async fn wait_for_quiet(most: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < most {
        let (before, from) = (busy(), Instant::now());
        sleep(LOOK_FOR).await;
        if (busy() - before).as_secs_f64() / from.elapsed().as_secs_f64() < QUIET_CORES {
            return;
        }
    }
}

/// Names the processor and the kernel.
pub fn describe() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = processor.lines().filter(|line| line.starts_with("processor")).count();
    format!("{}, {cores} cores, Linux {}", model.unwrap_or("processor not named"), kernel.trim())
}
