//! When something may be asked again that was refused.
//!
//! Throttling is of an account, region and action, so that it puts off every object there: a second one
//! asking meanwhile would only prolong it (EC2 Developer Guide, "Request throttling"). Other refusals are
//! of one object. Both are memory of this process only, and never a reason to do anything.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use amity_core::api::conditions;
use amity_core::image::desired::Desired;
use amity_core::image::identity::Place;
use amity_core::image::observed::{Asked, Refusal};
use jiff::{SignedDuration, Timestamp};

use super::error::{Class, Failure};
use crate::clock::Clock;

/// The first and the longest time until a refused step is tried again.
const RETRY: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(2), SignedDuration::from_mins(5));

/// The same for what passes by itself soon: a snapshot still in use, an image not shown yet.
const RETRY_SOON: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(2), SignedDuration::from_secs(30));

/// The first and the longest time for which an action is not asked of a place that throttles it.
const THROTTLE: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(1), SignedDuration::from_mins(1));

/// How long after it might have been tried again a refusal is forgotten: the step is no longer wanted.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What was refused, and when it may be asked again.
#[derive(Debug)]
pub struct Budget {
    clock: Clock,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    throttled: BTreeMap<(Place, &'static str), Throttled>,
    refused: BTreeMap<(String, Asked), Refused>,
}

/// An action that a place throttles.
#[derive(Debug)]
struct Throttled {
    times: u32,
    until: Timestamp,
}

/// What one object was refused.
#[derive(Debug)]
struct Refused {
    times: u32,
    refusal: Refusal,
    /// What the object asked for then: a change of it is a reason to ask at once.
    asked_for: u64,
}

impl Budget {
    /// Nothing was refused yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            memory: Mutex::default(),
        }
    }

    /// Why this may not be sent now for this object, and until when.
    ///
    /// When a place stops throttling, one call goes first and the others wait a little for what comes of
    /// it. Whoever is held back is shown the refusal from then on, so that it does not ask in a loop.
    pub(super) fn holds_back(&self, desired: &Desired, asked: &Asked) -> Option<Refusal> {
        let now = self.clock.now();
        let mut memory = self.memory();
        let key = (desired.identity.object.clone(), asked.clone());
        let Asked { place, action, .. } = asked;
        let asked_for = fingerprint(desired);
        let before = memory
            .refused
            .get(&key)
            .filter(|refused| refused.asked_for == asked_for);
        if let Some(refused) = before.filter(|refused| now < refused.refusal.retry_at) {
            return Some(refused.refusal.clone());
        }
        let (times, certain) = before.map_or((0, true), |refused| {
            (refused.times, refused.refusal.certain)
        });
        let throttled = memory.throttled.get_mut(&(place.clone(), *action))?;
        if now >= throttled.until {
            throttled.until = now + THROTTLE.0;
            return None;
        }
        let refusal = Refusal {
            action: asked.action,
            reason: conditions::THROTTLED,
            message: format!(
                "EC2 throttles {action} in {} (account {}); it is tried again by itself",
                place.region, place.account
            ),
            certain,
            at: now,
            retry_at: throttled.until,
        };
        memory.refused.insert(
            key,
            Refused {
                times,
                refusal: refusal.clone(),
                asked_for,
            },
        );
        Some(refusal)
    }

    /// Notes that this succeeded.
    pub(super) fn succeeded(&self, desired: &Desired, asked: &Asked) {
        let mut memory = self.memory();
        memory
            .throttled
            .remove(&(asked.place.clone(), asked.action));
        memory
            .refused
            .remove(&(desired.identity.object.clone(), asked.clone()));
    }

    /// Notes that this failed, and says when it is tried again. `of` is what the user reads it was of.
    pub(super) fn failed(
        &self,
        desired: &Desired,
        asked: &Asked,
        of: &str,
        failure: &Failure,
    ) -> Refusal {
        let now = self.clock.now();
        let mut memory = self.memory();
        let key = (desired.identity.object.clone(), asked.clone());
        let (place, action) = (&asked.place, asked.action);
        let asked_for = fingerprint(desired);
        let before = memory
            .refused
            .get(&key)
            .filter(|refused| refused.asked_for == asked_for && !refused.is_old(now));
        let times = before.map_or(0, |refused| refused.times) + 1;
        // One answer that was lost is not made up for by a later one that says no.
        let certain = failure.is_certain()
            && !failure.is_name_taken()
            && !failure.is_already_made()
            && before.is_none_or(|refused| refused.refusal.certain);
        let retry_at = if failure.class == Class::Throttled {
            let throttled = memory
                .throttled
                .entry((place.clone(), action))
                .or_insert(Throttled {
                    times: 0,
                    until: now,
                });
            throttled.times += 1;
            throttled.until = now + doubled(THROTTLE, throttled.times);
            throttled.until
        } else {
            let soon = failure.passes_soon();
            now + doubled(if soon { RETRY_SOON } else { RETRY }, times)
        };
        let reason = failure.reason(action, times);
        let message = failure.sentence(action, of, place, reason);
        let refusal = Refusal {
            action: asked.action,
            reason,
            message,
            certain,
            at: now,
            retry_at,
        };
        memory.refused.insert(
            key,
            Refused {
                times,
                refusal: refusal.clone(),
                asked_for,
            },
        );
        refusal
    }

    /// What the object was refused of late.
    pub(super) fn refusals(&self, desired: &Desired) -> BTreeMap<Asked, Refusal> {
        let now = self.clock.now();
        let object = &desired.identity.object;
        let asked_for = fingerprint(desired);
        let mut memory = self.memory();
        memory.refused.retain(|(other, ..), refused| {
            other != object || refused.asked_for == asked_for && !refused.is_old(now)
        });
        let of_object = memory
            .refused
            .iter()
            .filter(|((other, ..), _)| other == object);
        of_object
            .map(|((_, asked), refused)| (asked.clone(), refused.refusal.clone()))
            .collect()
    }

    /// Forgets an object.
    pub(super) fn forget(&self, object: &str) {
        self.memory()
            .refused
            .retain(|(other, ..), _| other != object);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refused {
    fn is_old(&self, now: Timestamp) -> bool {
        now > self.refusal.retry_at + FORGOTTEN_AFTER
    }
}

/// The first time doubled with each failure, up to the longest.
pub(super) fn doubled(
    (first, longest): (SignedDuration, SignedDuration),
    times: u32,
) -> SignedDuration {
    let factor = 1_i32 << times.saturating_sub(1).min(16);
    first
        .checked_mul(factor)
        .map_or(longest, |time| time.min(longest))
}

/// What the object asks for, as far as a user may edit it: after a change, what was refused is asked anew.
fn fingerprint(desired: &Desired) -> u64 {
    let mut hasher = DefaultHasher::new();
    desired.revision.hash(&mut hasher);
    desired.places.hash(&mut hasher);
    desired.image_name.hash(&mut hasher);
    desired.description.hash(&mut hasher);
    desired.tags.hash(&mut hasher);
    desired.is_being_deleted().hash(&mut hasher);
    hasher.finish()
}
