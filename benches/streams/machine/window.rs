//! A stretch of time, and who spent it on what.

use std::time::{Duration, Instant};

use super::{kernel::busy, process::used_by};

/// A stretch that is being measured.
pub struct Window {
    server: u32,
    begun: Instant,
    server_used: Duration,
    own_used: Duration,
    all_used: Duration,
}

/// What a stretch took.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    pub lasted: Duration,
    /// Processor time of the server.
    pub server: Duration,
    /// Cores that the server, what loads it and all others kept busy.
    pub server_cores: f64,
    pub generator_cores: f64,
    pub other_cores: f64,
}

impl Window {
    pub fn open(server: u32) -> Self {
        Self {
            server,
            begun: Instant::now(),
            server_used: used_by(server),
            own_used: used_by(std::process::id()),
            all_used: busy(),
        }
    }

    pub fn close(self) -> Spent {
        let server = used_by(self.server).saturating_sub(self.server_used);
        let own = used_by(std::process::id()).saturating_sub(self.own_used);
        let others = busy().saturating_sub(self.all_used).saturating_sub(server + own);
        let lasted = self.begun.elapsed();
        let cores = |used: Duration| used.as_secs_f64() / lasted.as_secs_f64();
        Spent {
            lasted,
            server,
            server_cores: cores(server),
            generator_cores: cores(own),
            other_cores: cores(others),
        }
    }
}
