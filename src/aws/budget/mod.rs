//! When something may be asked of EC2: not beyond its request rates, and not at once again after a refusal.
//!
//! Requests are counted in a bucket per account, region and action, as EC2 does it ([`bucket`], [`rates`]):
//! whoever finds it empty is held back until a moment of its own. Throttling empties the bucket for everybody
//! there, since a second one asking meanwhile would only prolong it (EC2 Developer Guide, "Request
//! throttling"). Other refusals are of one object. All of it is memory of this process only, and never a
//! reason to do anything. Nothing here sleeps, except a read that waits for its turn for seconds.

mod bucket;
mod rates;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use amity_core::api::conditions::{self, Reason};
use amity_core::image::desired::Desired;
use amity_core::image::identity::Place;
use amity_core::image::observed::{Asked, Refusal, Unreadable};
use jiff::{SignedDuration, Timestamp};

use super::error::{Class, Failure};
use crate::clock::Clock;
use bucket::Bucket;
use rates::Rate;

/// The first and the longest time until a refused step is tried again.
const RETRY: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(2), SignedDuration::from_mins(5));

/// The same for what passes by itself soon: a snapshot still in use, an image not shown yet.
const RETRY_SOON: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(2), SignedDuration::from_secs(30));

/// How long after it might have been tried again a refusal is forgotten: the step is no longer wanted.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// How long a read waits for its turn where it is: longer, and it is no answer.
const READS_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// What was refused, and when it may be asked again.
#[derive(Debug)]
pub struct Budget {
    clock: Clock,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    buckets: BTreeMap<(Place, &'static str), Bucket<Asker>>,
    refused: BTreeMap<Asker, Refused>,
}

/// An object, and what it asks.
type Asker = (String, Asked);

/// What one object was refused.
#[derive(Debug)]
struct Refused {
    times: u32,
    refusal: Refusal,
    /// Amity itself put it off, whatever EC2 said before.
    is_held: bool,
    /// The message is EC2's.
    is_said_by_ec2: bool,
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

    /// Why this may not be sent now for this object although nothing else holds it back: EC2 refused it of late,
    /// or it was put off.
    pub(super) fn remembers(&self, desired: &Desired, asked: &Asked) -> Option<Refusal> {
        let now = self.clock.now();
        let memory = self.memory();
        let before = memory.before(&asker(desired, asked), fingerprint(desired));
        before
            .filter(|refused| now < refused.refusal.retry_at)
            .map(|refused| refused.refusal.clone())
    }

    /// Takes a request out of the bucket of the place and action, or says why this may not be sent now.
    ///
    /// Whoever is held back is shown the refusal from then on, so that it does not ask in a loop.
    pub(super) fn take(&self, desired: &Desired, asked: &Asked) -> Option<Refusal> {
        let now = self.clock.now();
        let mut memory = self.memory();
        let Asked { place, action, .. } = asked;
        let bucket = memory.bucket(place, action, now);
        let moment = bucket.take(asker(desired, asked), now).err()?;
        let (reason, message) = if bucket.is_throttled() {
            (
                conditions::THROTTLED,
                format!(
                    "EC2 throttles {action} in {} (account {}); it is tried again by itself",
                    place.region, place.account
                ),
            )
        } else {
            (
                conditions::PROGRESSING,
                format!(
                    "{action} in {} (account {}) waits for its turn, since EC2 limits how often it may be asked and Amity \
                     stays below that ({}); it is sent by itself",
                    place.region,
                    place.account,
                    Rate::of(action)
                ),
            )
        };
        Some(memory.hold(desired, asked, (reason, message), now, moment))
    }

    /// Puts something off for a while that nobody refused, and shows the object why.
    pub(super) fn hold(
        &self,
        desired: &Desired,
        asked: &Asked,
        message: String,
        time: SignedDuration,
    ) -> Refusal {
        let now = self.clock.now();
        let why = (conditions::PROGRESSING, message);
        self.memory().hold(desired, asked, why, now, now + time)
    }

    /// What an object was put off with is to be asked now.
    pub(super) fn release(&self, object: &str, place: &Place, action: &str) {
        let now = self.clock.now();
        let mut memory = self.memory();
        memory.refused.retain(|(other, asked), refused| {
            let is_meant = refused.is_held
                && other == object
                && asked.place == *place
                && asked.action == action;
            if is_meant {
                refused.refusal.retry_at = now;
            }
            // What was never sent, and never refused before, leaves nothing to tell.
            !is_meant || refused.times > 0 || !refused.refusal.certain
        });
    }

    /// Notes that this succeeded.
    pub(super) fn succeeded(&self, desired: &Desired, asked: &Asked) {
        let now = self.clock.now();
        let mut memory = self.memory();
        memory.bucket(&asked.place, asked.action, now).succeeded();
        memory.refused.remove(&asker(desired, asked));
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
        let key = asker(desired, asked);
        let (place, action) = (&asked.place, asked.action);
        let times = memory.times(desired, asked, now) + 1;
        let retry_at = if failure.class == Class::Throttled {
            memory.bucket(place, action, now).throttle(key.clone(), now)
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
            certain: failure.is_certain() && !failure.is_already_made(),
            at: now,
            retry_at,
        };
        memory.refuse(desired, asked, refusal)
    }

    /// Notes that this was not sent, since the account could not be opened for it, and says when it is tried again.
    pub(super) fn not_opened(
        &self,
        desired: &Desired,
        asked: &Asked,
        unreadable: &Unreadable,
    ) -> Refusal {
        let now = self.clock.now();
        let mut memory = self.memory();
        let times = memory.times(desired, asked, now) + 1;
        let refusal = Refusal {
            action: asked.action,
            reason: unreadable.reason,
            message: format!(
                "{} in {} was not sent: {}",
                asked.action, asked.place.region, unreadable.message
            ),
            certain: true,
            at: now,
            retry_at: now + doubled(RETRY, times),
        };
        memory.refuse(desired, asked, refusal)
    }

    /// Waits until a read of one object may be sent; the error says that this would take too long.
    pub(super) async fn turn(&self, place: &Place, action: &'static str) -> Result<(), Unreadable> {
        let now = self.clock.now();
        let (moment, is_throttled) = {
            let mut memory = self.memory();
            let bucket = memory.bucket(place, action, now);
            (bucket.reserve(now, now + READS_WAIT), bucket.is_throttled())
        };
        let Some(moment) = moment else {
            return Err(Unreadable {
                reason: if is_throttled {
                    conditions::THROTTLED
                } else {
                    conditions::WAITING_FOR_INVENTORY
                },
                message: format!(
                    "{action} in {} (account {}) waits for its turn, since too much was asked there; it is sent by itself",
                    place.region, place.account
                ),
            });
        };
        self.clock.sleep_until(moment).await;
        Ok(())
    }

    /// Notes how a read of one object was answered.
    pub(super) fn was_read(&self, place: &Place, action: &'static str, class: Option<Class>) {
        let now = self.clock.now();
        let mut memory = self.memory();
        let bucket = memory.bucket(place, action, now);
        match class {
            None => bucket.succeeded(),
            Some(Class::Throttled) => bucket.shut(now),
            Some(_) => {}
        }
    }

    /// How many actions EC2 throttled of late in each place, and did not take since.
    pub(super) fn throttled(&self) -> BTreeMap<Place, usize> {
        let now = self.clock.now();
        let mut throttled = BTreeMap::new();
        let memory = self.memory();
        let buckets = memory.buckets.iter();
        for ((place, _), _) in buckets.filter(|(_, bucket)| bucket.was_throttled_lately(now)) {
            *throttled.entry(place.clone()).or_default() += 1;
        }
        throttled
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
        let mut memory = self.memory();
        memory.refused.retain(|(other, ..), _| other != object);
        for bucket in memory.buckets.values_mut() {
            bucket.forget(|(other, _)| other == object);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn bucket(
        &mut self,
        place: &Place,
        action: &'static str,
        now: Timestamp,
    ) -> &mut Bucket<Asker> {
        self.buckets
            .entry((place.clone(), action))
            .or_insert_with(|| Bucket::full(Rate::of(action), now))
    }

    /// What was refused before, unless the object asks for something else since.
    fn before(&self, asker: &Asker, asked_for: u64) -> Option<&Refused> {
        self.refused
            .get(asker)
            .filter(|refused| refused.asked_for == asked_for)
    }

    /// What was refused before, not long ago.
    fn lately(&self, desired: &Desired, asked: &Asked, now: Timestamp) -> Option<&Refused> {
        self.before(&asker(desired, asked), fingerprint(desired))
            .filter(|refused| !refused.is_old(now))
    }

    /// How often something was refused, one time after the other.
    fn times(&self, desired: &Desired, asked: &Asked, now: Timestamp) -> u32 {
        let before = self.lately(desired, asked, now);
        before.map_or(0, |refused| refused.times)
    }

    /// Notes one refusal more. One answer that was lost is not made up for by a later one that says no.
    fn refuse(&mut self, desired: &Desired, asked: &Asked, refusal: Refusal) -> Refusal {
        let before = self.lately(desired, asked, refusal.at);
        let is_certain = before.is_none_or(|refused| refused.refusal.certain);
        let refusal = Refusal {
            certain: refusal.certain && is_certain,
            ..refusal
        };
        let refused = Refused {
            times: before.map_or(0, |refused| refused.times) + 1,
            refusal: refusal.clone(),
            is_held: false,
            is_said_by_ec2: true,
            asked_for: fingerprint(desired),
        };
        self.refused.insert(asker(desired, asked), refused);
        refusal
    }

    /// Puts something off. What EC2 itself said before is still what the user should read.
    fn hold(
        &mut self,
        desired: &Desired,
        asked: &Asked,
        (reason, message): (Reason, String),
        now: Timestamp,
        retry_at: Timestamp,
    ) -> Refusal {
        let (key, asked_for) = (asker(desired, asked), fingerprint(desired));
        let before = self.before(&key, asked_for);
        let said = before.filter(|refused| refused.is_said_by_ec2 && !refused.is_old(now));
        let (reason, message) = said.map_or((reason, message), |said| {
            (said.refusal.reason, said.refusal.message.clone())
        });
        let refused = Refused {
            times: before.map_or(0, |refused| refused.times),
            refusal: Refusal {
                action: asked.action,
                reason,
                message,
                certain: before.is_none_or(|refused| refused.refusal.certain),
                at: now,
                retry_at,
            },
            is_held: true,
            is_said_by_ec2: said.is_some(),
            asked_for,
        };
        let refusal = refused.refusal.clone();
        self.refused.insert(key, refused);
        refusal
    }
}

fn asker(desired: &Desired, asked: &Asked) -> Asker {
    (desired.identity.object.clone(), asked.clone())
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

/// What the object asks for, as far as a user may edit it: after a change, what was refused is asked anew. Of a source that
/// is followed the revision is settled only after this was asked for, so that it is no part of it.
fn fingerprint(desired: &Desired) -> u64 {
    let mut hasher = DefaultHasher::new();
    desired.lineage.first().hash(&mut hasher);
    desired.places.hash(&mut hasher);
    desired.description.hash(&mut hasher);
    desired.fast_launch.hash(&mut hasher);
    desired.tags.hash(&mut hasher);
    desired.region_tags.hash(&mut hasher);
    desired.snapshot_tags.hash(&mut hasher);
    desired.publish_tags.hash(&mut hasher);
    desired.requires_imds_v2.hash(&mut hasher);
    desired.protection.hash(&mut hasher);
    desired.copy_minutes.hash(&mut hasher);
    if let Some(sharing) = &desired.sharing {
        sharing.public.hash(&mut hasher);
        sharing.with.hash(&mut hasher);
    }
    desired.is_being_deleted().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
