//! The server has one core and what loads it another, so that neither takes the other's time.

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// Who runs where; nothing where the machine has one core.
#[derive(Clone, Copy, Debug)]
pub struct Cores(Option<Pair>);

#[derive(Clone, Copy, Debug)]
struct Pair {
    server: usize,
    generator: usize,
}

impl Cores {
    /// Takes the first two cores this process may use, and moves this thread to the second.
    pub fn take() -> Self {
        let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
        let mut cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
        let (Some(server), Some(generator)) = (cores.next(), cores.next()) else {
            println!("One core: the server shares it with what loads it. Ratios hold, times do not.");
            return Self(None);
        };
        pin(generator);
        Self(Some(Pair { server, generator }))
    }

    /// Starts something on the server's core: a process has the cores of the thread that starts it.
    pub fn on_servers<T>(self, start: impl FnOnce() -> T) -> T {
        let Some(pair) = self.0 else { return start() };
        pin(pair.server);
        let started = start();
        pin(pair.generator);
        started
    }

    pub fn describe(self) -> String {
        self.0.map_or("one core for all".to_owned(), |pair| {
            format!("server on core {}, generator on core {}", pair.server, pair.generator)
        })
    }
}

/// Moves this thread.
fn pin(core: usize) {
    let mut cores = CpuSet::new();
    let pinned = cores.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &cores));
    pinned.expect("a core this process may use");
}
