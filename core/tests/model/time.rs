//! Time as far as it matters: the clock stands still, and things grow older in steps until they are older than a
//! window. So there are only so many moments, and what is older in every respect is no new situation.

use jiff::{SignedDuration, Timestamp};

/// The moment at which everything happens.
pub const NOW: Timestamp = Timestamp::constant(1_772_366_400, 0);

/// How long EC2's reads may lag behind its writes.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// Longer ago than a window, whatever the steps.
pub const LONG_AGO: Timestamp = Timestamp::constant(1_772_366_400 - 2 * 60 * 60, 0);

/// How time passes.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    /// How many steps make a window.
    pub in_window: i32,
}

impl Steps {
    /// What is `time` now, one step later: what is older than a window stays that.
    pub fn older(self, time: Timestamp) -> Timestamp {
        self.older_up_to(time, self.in_window)
    }

    /// The same for what matters until it is older than two windows.
    pub fn much_older(self, time: Timestamp) -> Timestamp {
        self.older_up_to(time, 2 * self.in_window)
    }

    fn older_up_to(self, time: Timestamp, most: i32) -> Timestamp {
        // A little more than the part of a window, so that the last step is beyond its end.
        let step = WINDOW / self.in_window + SignedDuration::from_secs(1);
        let oldest = NOW - step * most;
        if time <= oldest {
            time
        } else {
            oldest.max(time - step)
        }
    }
}
