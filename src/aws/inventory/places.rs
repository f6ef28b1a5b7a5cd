//! The reader of one place: reads it when something may have changed there, and says whose part did.

use std::sync::Arc;

use amity_core::account::Held;
use amity_core::image::identity::Place;
use amity_core::image::observed::Unreadable;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tracing::Instrument;

use super::memory::{Memory, Reading};
use super::read::{self, Ask};
use super::{Inventory, not_read_yet, pace};
use crate::aws::budget::doubled;
use crate::aws::error::{Class, Failure};
use crate::telemetry::traces::SPANS;

/// One place, as its reader keeps it.
#[derive(Debug)]
pub(super) struct PlaceState {
    pub(super) memory: Memory,
    /// Whether the last reading was complete; until then, and after one that failed, why not.
    pub(super) readable: Result<(), Unreadable>,
    tried: bool,
    failures: u32,
    next_read: Timestamp,
    /// Whether somebody waits for what happens to snapshots.
    watches_snapshots: bool,
    wake: Arc<Notify>,
}

impl PlaceState {
    /// A place that is read at once.
    pub(super) fn new(place: &Place, window: SignedDuration) -> Self {
        Self {
            memory: Memory::new(window),
            readable: Err(not_read_yet(place)),
            tried: false,
            failures: 0,
            next_read: Timestamp::MIN,
            watches_snapshots: false,
            wake: Arc::default(),
        }
    }

    /// Everything of this installation here.
    pub(super) fn held(&self, place: &Place) -> Result<Vec<Held>, Unreadable> {
        self.readable.clone()?;
        Ok(self.memory.held(place))
    }

    /// Whether it was read or could not be.
    pub(super) fn was_tried(&self) -> bool {
        self.tried
    }

    /// Lets the next reading list snapshots too.
    pub(super) fn watch_snapshots(&mut self) {
        self.watches_snapshots = true;
    }

    /// Brings the next reading forward.
    pub(super) fn read_by(&mut self, time: Timestamp) {
        if time < self.next_read {
            self.next_read = time;
            self.wake.notify_one();
        }
    }
}

/// A reading, or what failed; nothing, where there was no session.
type ReadOrNot = Result<Reading, Option<(&'static str, Failure)>>;

fn outcome_of(reading: &ReadOrNot) -> &'static str {
    match reading {
        Ok(_) => "success",
        Err(Some((_, failure))) => failure.class.label(),
        Err(None) => Class::NotSent.label(),
    }
}

impl Inventory {
    /// Reads a place for ever.
    pub(super) async fn read_place(self: Arc<Self>, place: Place) {
        loop {
            self.wait_for_turn(&place).await;
            let span = tracing::info_span!(
                target: SPANS,
                "list",
                account = place.account,
                region = place.region,
                outcome = tracing::field::Empty,
                request_id = tracing::field::Empty,
            );
            let reading = self.read(&place).instrument(span.clone()).await;
            span.record("outcome", outcome_of(&reading));
            drop(span);
            self.take(&place, reading);
        }
    }

    /// Sleeps until the next reading is due, which may come nearer meanwhile.
    async fn wait_for_turn(&self, place: &Place) {
        loop {
            let Some((due, wake)) = self
                .state()
                .places
                .get(place)
                .map(|state| (state.next_read, Arc::clone(&state.wake)))
            else {
                return std::future::pending().await;
            };
            if due <= self.clock.now() {
                return;
            }
            tokio::select! {
                biased;
                () = wake.notified() => {}
                () = self.clock.sleep_until(due) => {}
            }
        }
    }

    async fn read(&self, place: &Place) -> ReadOrNot {
        let Some(session) = self.sessions.proven(&place.account) else {
            return Err(None);
        };
        let now = self.clock.now();
        let ask = {
            let state = self.state();
            let Some(known) = state.places.get(place) else {
                return Err(None);
            };
            Ask {
                owner: self.owner.clone(),
                snapshots: known.watches_snapshots
                    || known
                        .memory
                        .needs_snapshots(now, self.settings.strays_interval),
                names: known.memory.names_to_look_up(),
                buried: known.memory.buried().cloned().collect(),
            }
        };
        let ec2 = session.ec2(&place.region);
        read::read(&ec2, self.sessions.calls(), &ask, &self.clock)
            .await
            .map_err(Some)
    }

    /// Takes a reading in, or notes why there is none, and sets the time of the next.
    fn take(&self, place: &Place, reading: ReadOrNot) {
        match reading {
            Ok(reading) => self.absorb(place, reading),
            Err(failure) => {
                self.could_not_read(place, failure.as_ref());
                if let Some((_, failure)) = failure {
                    self.doubt(&place.account, &failure);
                }
            }
        }
    }

    fn absorb(&self, place: &Place, reading: Reading) {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(known) = state.places.get_mut(place) else {
            return;
        };
        let was_readable = known.readable.is_ok();
        known.tried = true;
        known.failures = 0;
        known.readable = Ok(());
        known.watches_snapshots = false;
        self.changes.add(known.memory.absorb(reading));
        let rest = pace::at_rest(place, self.settings.rest_interval);
        known.next_read = now
            + known
                .memory
                .next_change(now)
                .map_or(rest, |next| next.min(rest));
        if !was_readable {
            tracing::debug!(%place, "readable");
            self.changes.add(state.concerned(place));
        }
        self.call_next(&mut state, place);
    }

    /// Without a failure there was no session, and the account's own reason stands until it is open.
    fn could_not_read(&self, place: &Place, failure: Option<&(&'static str, Failure)>) {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(known) = state.places.get_mut(place) else {
            return;
        };
        known.tried = true;
        known.failures += 1;
        known.next_read = now + doubled(pace::RETRY, known.failures);
        let before = known.readable.clone().err();
        let unreadable = failure.map(|(action, failure)| failure.unreadable(action, place));
        let Some(unreadable) = unreadable.or_else(|| before.clone()) else {
            known.readable = Err(not_read_yet(place));
            return;
        };
        let reason = unreadable.reason;
        tracing::debug!(%place, reason = reason.name, message = unreadable.message, "cannot be read");
        known.readable = Err(unreadable);
        if before.is_none_or(|before| before.reason != reason) {
            let concerned = state.concerned(place);
            self.changes.add(concerned);
        }
    }
}
