//! Copy slots: how many snapshots may be copied into a place at a time, and who is next.
//!
//! EC2 copies at most 20 snapshots of an account into a region at a time, and refuses the next with
//! `ResourceLimitExceeded` (EBS User Guide, "Quotas for Amazon EBS"). The inventory knows every copy of this
//! installation that is under way, whichever object it is for; what is being sent at the moment is counted
//! besides. Who finds no slot free is remembered, and woken first come first served when one gets free.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use amity_core::image::identity::{Place, Reference};
use amity_core::image::plan::step::Action;
use jiff::{SignedDuration, Timestamp};

use super::{Inventory, State};
use crate::aws::effect::Answer;
use crate::aws::error::Failure;

/// How long a slot is kept for whoever was told that one is free. After that it is given to the next.
const KEPT: SignedDuration = SignedDuration::from_mins(1);

/// The name of the step that needs a slot.
const COPY: &str = "CopyImage";

/// The copies into one place that no list shows yet, and who waits for a slot there.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Snapshots of the copies that were sent and not answered yet, by number of the slot.
    sent: BTreeMap<u64, usize>,
    last_number: u64,
    /// Snapshots of the copies that are made, by image: until a list shows which they are.
    pub(super) expected: BTreeMap<String, usize>,
    /// Snapshots of the copies that may have been made, and until when lists may lack them, by object.
    unclear: BTreeMap<String, (usize, Timestamp)>,
    queue: VecDeque<Waiting>,
}

/// An object that waits for a slot.
#[derive(Debug)]
struct Waiting {
    object: String,
    /// How many slots it takes.
    snapshots: usize,
    /// Until when slots are kept for it, once it was told that they are free.
    kept_until: Option<Timestamp>,
}

impl Slots {
    /// What lists do not show: copies that are sent, or may have been made. `is_shown` tells whether a copy for
    /// an object is listed by now.
    fn unlisted(&self, is_shown: impl Fn(&str) -> bool, now: Timestamp) -> usize {
        let unclear = self.unclear.iter();
        let unclear = unclear.filter(|(object, (_, until))| now < *until && !is_shown(object));
        self.sent.values().sum::<usize>()
            + unclear.map(|(_, (snapshots, _))| snapshots).sum::<usize>()
    }

    /// Takes `snapshots` of the `free` slots, unless somebody who came before needs them.
    fn take(&mut self, object: &str, snapshots: usize, free: usize, now: Timestamp) -> Option<u64> {
        self.drop_late(object, now);
        let place = self.enqueue(object, snapshots);
        let ahead: usize = self
            .queue
            .iter()
            .take(place)
            .map(|waiting| waiting.snapshots)
            .sum();
        if ahead + snapshots > free {
            return None;
        }
        self.queue.remove(place);
        self.last_number += 1;
        self.sent.insert(self.last_number, snapshots);
        Some(self.last_number)
    }

    /// Who is to be told that a slot is free.
    fn call(&mut self, mut free: usize, now: Timestamp) -> Vec<String> {
        self.drop_late("", now);
        let mut called = Vec::new();
        for waiting in &mut self.queue {
            let Some(left) = free.checked_sub(waiting.snapshots) else {
                break;
            };
            free = left;
            if waiting.kept_until.is_none() {
                waiting.kept_until = Some(now + KEPT);
                called.push(waiting.object.clone());
            }
        }
        called
    }

    /// Puts an object in the queue, at its end unless it is there, and gives its place.
    fn enqueue(&mut self, object: &str, snapshots: usize) -> usize {
        let found = self
            .queue
            .iter_mut()
            .position(|waiting| waiting.object == object);
        let place = found.unwrap_or(self.queue.len());
        match self.queue.get_mut(place) {
            Some(waiting) => waiting.snapshots = snapshots,
            None => self.queue.push_back(Waiting {
                object: object.to_owned(),
                snapshots,
                kept_until: None,
            }),
        }
        place
    }

    /// Those who were told and did not come have no place any more; the one who comes now has.
    fn drop_late(&mut self, comes: &str, now: Timestamp) {
        self.queue.retain(|waiting| {
            waiting.object == comes || waiting.kept_until.is_none_or(|until| now < until)
        });
    }

    /// How many wait for a slot.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    fn forget(&mut self, object: &str) {
        self.queue.retain(|waiting| waiting.object != object);
        self.unclear.remove(object);
    }
}

/// Slots that were taken for one copy, from right before it is sent until it is known what came of it.
#[derive(Debug)]
pub(in crate::aws) struct CopySlot {
    inventory: Arc<Inventory>,
    place: Place,
    object: String,
    snapshots: usize,
    number: u64,
}

impl CopySlot {
    /// The copy is not sent yet for another reason: the slots are kept for it until a while after `time`.
    pub(in crate::aws) fn keep_until(self, time: Timestamp) {
        let mut state = self.inventory.state();
        let slots = state.slots.entry(self.place.clone()).or_default();
        slots.queue.push_front(Waiting {
            object: self.object.clone(),
            snapshots: self.snapshots,
            kept_until: Some(time + KEPT),
        });
    }

    /// What came of the copy. It is under way as long as lists show it so; when the answer does not tell, as long
    /// as lists may lag.
    pub(in crate::aws) fn answered(self, result: &Result<Answer, Failure>) {
        let until = self.inventory.clock.now() + self.inventory.settings.consistency_window;
        let mut state = self.inventory.state();
        let slots = state.slots.entry(self.place.clone()).or_default();
        slots.unclear.remove(&self.object);
        match result {
            Ok(Answer::Made(image)) => {
                slots.expected.insert(image.clone(), self.snapshots);
            }
            Err(failure) if failure.is_certain() => {}
            _ => {
                slots
                    .unclear
                    .insert(self.object.clone(), (self.snapshots, until));
            }
        }
    }
}

impl Drop for CopySlot {
    fn drop(&mut self) {
        let mut state = self.inventory.state();
        if let Some(slots) = state.slots.get_mut(&self.place) {
            slots.sent.remove(&self.number);
        }
        self.inventory.call_next(&mut state, &self.place);
    }
}

impl Inventory {
    /// How many snapshot copies of this installation could begin in a place now.
    pub fn copy_slots_free(&self, place: &Place) -> usize {
        self.free_slots(&self.state(), place, "")
    }

    /// Has an object woken when a slot is free in a place and those who came before have theirs. For a plan in
    /// which a copy waits for a slot; a copy that is sent and finds none is remembered by itself.
    pub fn await_copy_slot(&self, place: &Place, object: &str) {
        let mut state = self.state();
        let slots = state.slots.entry(place.clone()).or_default();
        if !slots.queue.iter().any(|waiting| waiting.object == object) {
            slots.enqueue(object, 1);
        }
        self.call_next(&mut state, place);
    }

    /// Takes the slots that `action` needs: none unless it is a copy. The error says what is awaited.
    pub(in crate::aws) fn take_copy_slot(
        self: &Arc<Self>,
        object: &str,
        place: &Place,
        action: &Action,
    ) -> Result<Option<CopySlot>, String> {
        let Action::CopyImage { from, .. } = action else {
            return Ok(None);
        };
        let now = self.clock.now();
        let mut state = self.state();
        let free = self.free_slots(&state, place, object);
        let limit = self.settings.copy_slots;
        // An image with more volumes than there are slots is copied when it is alone.
        let snapshots = self
            .snapshots_of(&state, place, from)
            .clamp(1, limit.max(1));
        let slots = state.slots.entry(place.clone()).or_default();
        let number = slots.take(object, snapshots, free, now).ok_or_else(|| {
            let region = &place.region;
            let under_way = limit.saturating_sub(free);
            format!(
                "{COPY} of {from} in {region} (account {}) waits for a copy slot: {under_way} of {limit} snapshot copies into \
                 {region} are under way; it is sent by itself",
                place.account
            )
        })?;
        Ok(Some(CopySlot {
            inventory: Arc::clone(self),
            place: place.clone(),
            object: object.to_owned(),
            snapshots,
            number,
        }))
    }

    /// Wakes who waits for slots that are free now.
    pub(super) fn call_next(&self, state: &mut State, place: &Place) {
        let free = self.free_slots(state, place, "");
        let memory = state.places.get(place).map(|known| &known.memory);
        let Some(slots) = state.slots.get_mut(place) else {
            return;
        };
        slots
            .expected
            .retain(|image, _| memory.is_some_and(|memory| memory.awaits_snapshots(image)));
        let called = slots.call(free, self.clock.now());
        for object in &called {
            self.budget.release(object, place, COPY);
        }
        self.changes.add(called);
    }

    /// The object is gone: it waits for no slot.
    pub(super) fn forget_copies(&self, state: &mut State, object: &str) {
        let places: Vec<Place> = state.slots.keys().cloned().collect();
        for place in places {
            if let Some(slots) = state.slots.get_mut(&place) {
                slots.forget(object);
            }
            self.call_next(state, &place);
        }
    }

    /// The slots that are free for `object`, whose own earlier call, with a lost answer, does not count: it would
    /// be the same copy.
    pub(super) fn free_slots(&self, state: &State, place: &Place, object: &str) -> usize {
        let none = Slots::default();
        let slots = state.slots.get(place).unwrap_or(&none);
        let memory = state.places.get(place).map(|known| &known.memory);
        let listed = memory.map_or(0, |memory| memory.copies_under_way(&slots.expected));
        let is_shown =
            |other: &str| other == object || memory.is_some_and(|memory| memory.is_copying(other));
        let taken = listed + slots.unlisted(is_shown, self.clock.now());
        self.settings.copy_slots.saturating_sub(taken)
    }

    /// How many snapshots a copy of an image makes; one where that is not known.
    fn snapshots_of(&self, state: &State, place: &Place, from: &Reference) -> usize {
        let there = Place::new(place.account.clone(), from.region.clone());
        let known = state.places.get(&there);
        known
            .and_then(|known| known.memory.snapshots_of(&from.id))
            .or_else(|| self.sources.snapshots_of(&place.account, from))
            .unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn nobody_takes_a_slot_that_somebody_else_waits_for() {
        let mut slots = Slots::default();
        assert!(slots.take("a", 2, 1, at(0)).is_none(), "it needs two");
        assert!(
            slots.take("b", 1, 1, at(0)).is_none(),
            "the one is kept for a"
        );
        assert!(slots.take("b", 1, 2, at(0)).is_none());
        assert!(slots.take("b", 1, 3, at(0)).is_some());
        assert!(slots.take("a", 2, 2, at(0)).is_some());
        assert_eq!(slots.unlisted(|_| false, at(0)), 3);
    }

    #[test]
    fn who_waits_is_called_in_order_and_once() {
        let mut slots = Slots::default();
        for object in ["c", "a", "b"] {
            assert!(slots.take(object, 1, 0, at(0)).is_none());
        }
        assert_eq!(slots.call(2, at(1)), ["c", "a"]);
        assert!(slots.call(2, at(2)).is_empty());
        assert_eq!(slots.call(3, at(3)), ["b"]);
    }

    #[test]
    fn who_was_called_and_does_not_come_gives_its_slot_to_the_next() {
        let mut slots = Slots::default();
        for object in ["a", "b"] {
            assert!(slots.take(object, 1, 0, at(0)).is_none());
        }
        assert_eq!(slots.call(1, at(1)), ["a"]);
        assert!(slots.call(1, at(60)).is_empty());
        assert_eq!(slots.call(1, at(61)), ["b"]);
        assert!(
            slots.take("a", 1, 1, at(62)).is_none(),
            "it is the last now"
        );
        assert!(slots.take("b", 1, 1, at(62)).is_some());
    }

    #[test]
    fn a_copy_whose_answer_was_lost_counts_until_it_is_shown_or_a_window_has_passed() {
        let mut slots = Slots::default();
        slots.unclear.insert("a".into(), (2, at(600)));
        assert_eq!(slots.unlisted(|_| false, at(599)), 2);
        assert_eq!(slots.unlisted(|object| object == "a", at(1)), 0);
        assert_eq!(slots.unlisted(|_| false, at(600)), 0);
    }
}
