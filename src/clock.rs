//! The time, handed to whoever needs it: the computer's, or one that follows tokio's clock, so that a
//! simulation can let a day pass in a moment.

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

    /// Sleeps until `time`; not at all when that has passed.
    pub async fn sleep_until(&self, time: Timestamp) {
        if let Ok(left) = std::time::Duration::try_from(time.duration_since(self.now())) {
            tokio::time::sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
}
