//! How long a replica may act.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Moment};

/// From when a lease was renewed until it has surely not been taken by anybody else.
#[derive(Debug)]
pub struct Term {
    clock: Clock,
    lasts: Duration,
    /// Since when; `None` once it is over for good.
    since: Mutex<Option<Moment>>,
}

impl Term {
    /// A term that began with a call that was sent then.
    pub(super) fn begin(clock: Clock, lasts: Duration, sent: Moment) -> Self {
        Self {
            clock,
            lasts,
            since: Mutex::new(Some(sent)),
        }
    }

    /// Whether nobody else may act for so long from now, and a moment more.
    pub fn outlasts(&self, time: Duration) -> bool {
        time < self.left()
    }

    /// How long it lasts, by the clock that went further.
    pub(super) fn left(&self) -> Duration {
        let since = *self.since();
        since.map_or(Duration::ZERO, |since| {
            self.lasts.saturating_sub(self.clock.at_most_since(since))
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// Waits until it is over.
    pub(super) async fn runs_out(&self) {
        while !self.is_over() {
            tokio::time::sleep(self.left()).await;
        }
    }

    /// The lease was renewed by a call that was sent then.
    pub(super) fn renewed(&self, sent: Moment) {
        if let Some(since) = &mut *self.since() {
            *since = sent;
        }
    }

    /// It is over, whatever becomes of a renewal.
    pub(super) fn end(&self) {
        *self.since() = None;
    }

    fn since(&self) -> MutexGuard<'_, Option<Moment>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
