//! Reads that lag behind writes (docs: EC2 Developer Guide, "Eventual consistency").
//!
//! A write reaches the fresh replicas first and the stale ones later. Each call is answered by
//! one of the two kinds, so in between a thing is there in one read and gone in the next, as
//! users saw with `DescribeImages` (hashicorp/packer#3377).

use jiff::{SignedDuration, Timestamp};

use crate::chance::{Chance, Stream, after};

/// The moment of a read and the kind of replica that answers it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub now: Timestamp,
    pub stale: bool,
}

/// When a write reaches the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lag {
    fresh: Timestamp,
    stale: Timestamp,
}

impl Lag {
    /// A write that every reader has seen.
    pub(crate) fn none(at: Timestamp) -> Self {
        Self {
            fresh: at,
            stale: at,
        }
    }

    /// A write at `now` that fresh replicas have at once, and stale ones only `time` later.
    pub(crate) fn by_replica(now: Timestamp, time: SignedDuration) -> Self {
        Self {
            fresh: now,
            stale: now.checked_add(time).unwrap_or(Timestamp::MAX),
        }
    }

    /// The same write, which fresh replicas have no sooner than stale ones.
    pub(crate) fn for_everyone(self) -> Self {
        Self {
            fresh: self.stale,
            ..self
        }
    }

    /// As if the write had been at another time; one that every reader has seen by now is that and no more.
    pub(crate) fn moved(self, now: Timestamp, to: &impl Fn(Timestamp) -> Timestamp) -> Self {
        let moved = Self {
            fresh: to(self.fresh),
            stale: to(self.stale),
        };
        if moved.seen(View { now, stale: true }) {
            Self::none(Timestamp::MIN)
        } else {
            moved
        }
    }

    /// A write at `now` that is surely seen at most `max_seconds` later.
    pub(crate) fn draw(chance: &mut Chance, now: Timestamp, max_seconds: u64) -> Self {
        if max_seconds == 0 {
            return Self::none(now);
        }
        let whole = chance.between(Stream::Lag, 0, max_seconds * 1000);
        Self {
            fresh: after(now, whole / 2),
            stale: after(now, whole),
        }
    }

    /// Part of the same write that is seen at most so much later.
    pub(crate) fn later(self, chance: &mut Chance, max_seconds: u64) -> Self {
        if max_seconds == 0 {
            return self;
        }
        let more = chance.between(Stream::Lag, 0, max_seconds * 1000);
        Self {
            fresh: after(self.fresh, more / 2),
            stale: after(self.stale, more),
        }
    }

    pub(crate) fn seen(self, view: View) -> bool {
        view.now >= if view.stale { self.stale } else { self.fresh }
    }
}

/// A value whose changes reach readers late.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lagged<T> {
    settled: T,
    later: Vec<(Lag, T)>,
}

impl<T> Lagged<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            settled: value,
            later: Vec::new(),
        }
    }

    /// What a reader sees: the last write that has reached it.
    pub(crate) fn read(&self, view: View) -> &T {
        self.later
            .iter()
            .rev()
            .find(|(lag, _)| lag.seen(view))
            .map_or(&self.settled, |(_, value)| value)
    }

    /// What was written last.
    pub(crate) fn latest(&self) -> &T {
        self.later.last().map_or(&self.settled, |(_, value)| value)
    }

    pub(crate) fn write(&mut self, now: Timestamp, lag: Lag, value: T) {
        let everyone = View { now, stale: true };
        if let Some(last) = self.later.iter().rposition(|(lag, _)| lag.seen(everyone))
            && let Some((_, value)) = self.later.drain(..=last).next_back()
        {
            self.settled = value;
        }
        // What was written before and is seen no sooner is never read.
        self.later.retain(|(other, _)| *other != lag);
        self.later.push((lag, value));
    }

    /// As if every write had been at another time.
    pub(crate) fn move_times(&mut self, now: Timestamp, to: &impl Fn(Timestamp) -> Timestamp) {
        for (lag, _) in &mut self.later {
            *lag = lag.moved(now, to);
        }
        let everyone = View { now, stale: true };
        let seen = self.later.iter().rposition(|(lag, _)| lag.seen(everyone));
        if let Some((_, value)) = seen.and_then(|last| self.later.drain(..=last).next_back()) {
            self.settled = value;
        }
    }
}
