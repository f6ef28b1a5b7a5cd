//! A bucket of requests, with a queue of those that found it empty.
//!
//! Whoever finds it empty is told its own moment, later than that of everybody before it, and keeps its place
//! until it comes back: so a thousand objects do not return at once, and none overtakes another. When EC2
//! throttles all the same, the bucket is emptied and stays shut for a while that doubles: that is the back-off,
//! and those who wait are told later moments in the same order.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::doubled;
use super::rates::{REQUEST, Rate};

/// The first and the longest time for which an action is not asked of a place that throttles it.
const SHUT: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(1), SignedDuration::from_mins(1));

/// How long after its moment somebody may come who waits; after that its place is given away.
const LINGER: SignedDuration = SignedDuration::from_mins(1);

/// How long it is told that an action was throttled which nobody asks any more.
const TOLD: SignedDuration = SignedDuration::from_mins(10);

/// A bucket for those called `W`.
#[derive(Debug)]
pub(super) struct Bucket<W> {
    rate: Rate,
    /// How much is in it, in millionths of a request. Below zero: what reads that wait have taken already.
    level: i64,
    /// When that much was in it. In the future while it is shut.
    at: Timestamp,
    /// How many times in a row EC2 throttled.
    throttled: u32,
    /// How many came back since it was shut: those that were sent together and throttled together.
    sent_back: usize,
    queue: VecDeque<Ticket<W>>,
}

/// Somebody who waits, first come first served.
#[derive(Debug)]
struct Ticket<W> {
    who: W,
    moment: Timestamp,
}

impl<W: PartialEq> Bucket<W> {
    /// A full one.
    pub(super) fn full(rate: Rate, now: Timestamp) -> Self {
        Self {
            rate,
            level: rate.burst(),
            at: now,
            throttled: 0,
            sent_back: 0,
            queue: VecDeque::new(),
        }
    }

    /// Takes a request out, or says when `who` may come again.
    pub(super) fn take(&mut self, who: W, now: Timestamp) -> Result<(), Timestamp> {
        self.refill(now);
        self.queue
            .retain(|ticket| ticket.who == who || now < ticket.moment + LINGER);
        let found = self.queue.iter().position(|ticket| ticket.who == who);
        let ahead = found.unwrap_or(self.queue.len());
        let moment = self.moment_of(ahead);
        if moment <= now {
            self.queue.retain(|ticket| ticket.who != who);
            self.level -= REQUEST;
            return Ok(());
        }
        match self.queue.get_mut(ahead) {
            Some(ticket) => ticket.moment = moment,
            None => self.queue.push_back(Ticket { who, moment }),
        }
        Err(moment)
    }

    /// Takes a request out in advance, and says when it may be sent; `None` when that is later than `latest`.
    /// For those who wait where they are, which reads do.
    pub(super) fn reserve(&mut self, now: Timestamp, latest: Timestamp) -> Option<Timestamp> {
        self.refill(now);
        let moment = self.moment_of(self.queue.len());
        (moment <= latest).then(|| {
            self.level -= REQUEST;
            moment.max(now)
        })
    }

    /// EC2 throttled `who`, which was sent before those who wait and comes before them again. Says when.
    pub(super) fn throttle(&mut self, who: W, now: Timestamp) -> Timestamp {
        self.shut(now);
        self.queue.retain(|ticket| ticket.who != who);
        let place = self.sent_back.min(self.queue.len());
        self.sent_back += 1;
        let moment = self.moment_of(place);
        self.queue.insert(place, Ticket { who, moment });
        moment
    }

    /// EC2 throttled something that does not wait here. An answer to what was sent before it was shut does not
    /// shut it for longer.
    pub(super) fn shut(&mut self, now: Timestamp) {
        if self.at > now {
            return;
        }
        self.throttled += 1;
        self.sent_back = 0;
        self.at = now + doubled(SHUT, self.throttled);
        self.level = REQUEST;
    }

    /// EC2 took a request.
    pub(super) fn succeeded(&mut self) {
        self.throttled = 0;
    }

    /// Whether EC2 throttled last, and not long ago.
    pub(super) fn was_throttled_lately(&self, now: Timestamp) -> bool {
        self.is_throttled() && now < self.at + TOLD
    }

    /// Whether EC2's last answer was that it is too much.
    pub(super) fn is_throttled(&self) -> bool {
        self.throttled > 0
    }

    /// These wait no more.
    pub(super) fn forget(&mut self, is_gone: impl Fn(&W) -> bool) {
        self.queue.retain(|ticket| !is_gone(&ticket.who));
    }

    fn refill(&mut self, now: Timestamp) {
        let passed = i64::try_from(now.duration_since(self.at).as_millis()).unwrap_or(i64::MAX);
        if passed > 0 {
            let gained = passed.saturating_mul(self.rate.per_millisecond());
            self.level = self.level.saturating_add(gained).min(self.rate.burst());
            self.at = now;
        }
    }

    /// When there is a request for whoever has so many before it.
    fn moment_of(&self, ahead: usize) -> Timestamp {
        let ahead = i64::try_from(ahead).unwrap_or(i64::MAX);
        let lacks = ahead.saturating_add(1).saturating_mul(REQUEST) - self.level;
        let regain = self.rate.per_millisecond();
        let milliseconds = (lacks.max(0).saturating_add(regain - 1)) / regain;
        self.at
            .saturating_add(SignedDuration::from_millis(milliseconds))
            .unwrap_or(Timestamp::MAX)
    }
}
