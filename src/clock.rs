//! The time, handed to whoever needs it: the computer's, or one that follows tokio's clock, so that a
//! simulation can let a day pass in a moment.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the time.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Virtual>);

#[derive(Clone, Copy, Debug)]
struct Virtual {
    start: Timestamp,
    at: Instant,
}

/// A moment by both clocks of a computer: one that goes on evenly but may stand still while the computer
/// sleeps, and the time of day, which may be set.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    instant: Instant,
    time: Timestamp,
}

impl Clock {
    /// The computer's clock.
    pub fn real() -> Self {
        Self(None)
    }

    /// A clock that shows `start` now and goes on as tokio's does: not at all while that is paused and
    /// nobody sleeps.
    pub fn virtual_from(start: Timestamp) -> Self {
        Self(Some(Virtual {
            start,
            at: Instant::now(),
        }))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            None => Timestamp::now(),
            Some(Virtual { start, at }) => {
                let passed = SignedDuration::try_from(at.elapsed()).unwrap_or(SignedDuration::MAX);
                start.checked_add(passed).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// This very moment.
    pub fn moment(&self) -> Moment {
        Moment {
            instant: Instant::now(),
            time: self.now(),
        }
    }

    /// How much has passed since `then` at the most: by the clock that went further.
    pub fn at_most_since(&self, then: Moment) -> Duration {
        let by_time_of_day = self.now().duration_since(then.time);
        let by_time_of_day = Duration::try_from(by_time_of_day).unwrap_or_default();
        self.at_least_since(then).max(by_time_of_day)
    }

    /// How much has passed since `then` at the least: by the clock that nobody sets.
    pub fn at_least_since(&self, then: Moment) -> Duration {
        then.instant.elapsed()
    }

    /// Sleeps until `time`; not at all when that has passed.
    pub async fn sleep_until(&self, time: Timestamp) {
        if let Ok(left) = Duration::try_from(time.duration_since(self.now())) {
            tokio::time::sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_virtual_clock_follows_tokio() {
        let start: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
        let clock = Clock::virtual_from(start);
        assert_eq!(clock.now(), start);
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(clock.now(), start + SignedDuration::from_hours(1));
        clock.sleep_until(start).await;
        assert_eq!(clock.now(), start + SignedDuration::from_hours(1));
        clock
            .sleep_until(start + SignedDuration::from_hours(2))
            .await;
        assert_eq!(clock.now(), start + SignedDuration::from_hours(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_of_day_that_is_set_back_takes_nothing_off_what_has_passed() {
        let clock = Clock::virtual_from(Timestamp::UNIX_EPOCH);
        let mut then = clock.moment();
        then.time += SignedDuration::from_hours(1);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(clock.at_most_since(then), Duration::from_secs(3));
        assert_eq!(clock.at_least_since(then), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_computer_that_slept_knows_how_long_at_the_most_and_at_the_least() {
        let clock = Clock::virtual_from(Timestamp::UNIX_EPOCH);
        let mut then = clock.moment();
        then.time -= SignedDuration::from_hours(1);
        assert_eq!(clock.at_most_since(then), Duration::from_hours(1));
        assert_eq!(clock.at_least_since(then), Duration::ZERO);
    }
}
