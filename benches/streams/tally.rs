//! Counts what arrives: latency, losses, repeats, order.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::wire::{Stamp, now_ns};

/// Times from a microsecond to ten minutes, three digits.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are in order"))
    }
}

impl Times {
    pub fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros.max(1));
    }

    /// Gives the milliseconds within which this share of all lies; 0 of none.
    pub fn at(&self, share: f64) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.value_at_quantile(share) as f64 / 1_000.0 }
    }
}

/// A set of numbers counted from 0.
#[derive(Clone, Debug, Default)]
pub struct Numbers(Vec<u64>);

impl Numbers {
    /// Adds a number; false if it was there.
    pub fn insert(&mut self, number: u64) -> bool {
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let was_there = self.0[word] & bit != 0;
        self.0[word] |= bit;
        !was_there
    }

    /// Counts those that `other` has not.
    pub fn missing_in(&self, other: &Self) -> u64 {
        let theirs = other.0.iter().copied().chain(std::iter::repeat(0));
        self.0.iter().zip(theirs).map(|(word, theirs)| u64::from((word & !theirs).count_ones())).sum()
    }
}

/// What one viewer has got.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub channel: u64,
    pub is_up: bool,
    seen: Numbers,
    newest: Option<u64>,
}

/// What all viewers have got of one run.
#[derive(Debug, Default)]
pub struct Tally {
    pub run: u64,
    pub viewers: Vec<Viewer>,
    /// What the server has taken, by channel.
    taken: Vec<Numbers>,
    pub latency: Times,
    pub deliveries: u64,
    pub last_delivery_ns: u64,
    pub duplicates: u64,
    pub out_of_order: u64,
    /// Events of a channel that the viewer does not follow.
    pub strays: u64,
    /// Frames that are no event of ours, comments too.
    pub other_frames: u64,
    pub up: usize,
    pub last_up_ns: u64,
    pub opening: Times,
    /// Streams that ended though nobody wanted them to.
    pub disconnects: u64,
    /// Tries to open a stream that failed.
    pub failed_tries: u64,
}

impl Tally {
    /// Counts another viewer, of `channel`, and gives its place.
    pub fn add_viewer(&mut self, channel: u64) -> usize {
        self.viewers.push(Viewer { channel, is_up: false, seen: Numbers::default(), newest: None });
        self.viewers.len() - 1
    }

    /// Begins to count anew; events of other runs are passed over from now on.
    pub fn begin(&mut self, run: u64) {
        let viewers = std::mem::take(&mut self.viewers);
        let afresh = |viewer| Viewer { seen: Numbers::default(), newest: None, ..viewer };
        let viewers = viewers.into_iter().map(afresh).collect();
        let (up, opening) = (self.up, std::mem::take(&mut self.opening));
        *self = Self { run, viewers, up, opening, ..Self::default() };
    }

    /// Notes that a viewer's stream is up.
    pub fn came_up(&mut self, viewer: usize, asked_ns: u64) {
        if !std::mem::replace(&mut self.viewers[viewer].is_up, true) {
            let now = now_ns();
            self.up += 1;
            self.last_up_ns = now;
            self.opening.record(Duration::from_nanos(now - asked_ns));
        }
    }

    /// Notes that a viewer's stream is gone.
    pub fn went_down(&mut self, viewer: usize) {
        self.up -= usize::from(std::mem::take(&mut self.viewers[viewer].is_up));
    }

    /// Notes that the server has taken an event.
    pub fn take(&mut self, stamp: Stamp) {
        if stamp.run == self.run {
            let channel = stamp.channel as usize;
            if self.taken.len() <= channel {
                self.taken.resize(channel + 1, Numbers::default());
            }
            self.taken[channel].insert(stamp.number);
        }
    }

    /// Notes an event that a viewer has read.
    pub fn deliver(&mut self, viewer: usize, stamp: Stamp, read_ns: u64) {
        let viewer = &mut self.viewers[viewer];
        if stamp.run != self.run {
            return;
        }
        if stamp.channel != viewer.channel {
            self.strays += 1;
        } else if !viewer.seen.insert(stamp.number) {
            self.duplicates += 1;
        } else {
            self.out_of_order += u64::from(viewer.newest.is_some_and(|newest| stamp.number < newest));
            viewer.newest = viewer.newest.max(Some(stamp.number));
            self.deliveries += 1;
            self.last_delivery_ns = read_ns;
            self.latency.record(Duration::from_nanos(read_ns.saturating_sub(stamp.sent_ns)));
        }
    }

    /// Counts deliveries of taken events that are still owed.
    pub fn lost(&self) -> u64 {
        let lost = |viewer: &Viewer| {
            let taken = self.taken.get(viewer.channel as usize);
            taken.map_or(0, |taken| taken.missing_in(&viewer.seen))
        };
        self.viewers.iter().map(lost).sum()
    }
}
