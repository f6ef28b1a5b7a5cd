//! What a process remembers of one region: what EC2 listed, with what was written laid over it for a window.
//! It follows `src/aws/inventory/memory.rs`, rule for rule, for one object, and readings take no time.

use std::collections::{BTreeMap, BTreeSet};

use amity_core::image::identity::tag;
use amity_core::image::observed::{Dead, Image, ImageState, Known, Snapshot};
use amity_core::image::plan::Action;
use amity_core::image::tags::Tags;
use jiff::Timestamp;

use crate::ec2::{Answer, Reading};
use crate::time::{NOW, Steps, WINDOW};

/// What is known of one region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// When it was last read completely.
    as_of: Option<Timestamp>,
    /// Whether the last reading failed.
    failed: bool,
    images: BTreeMap<String, Entry<Image>>,
    snapshots: BTreeMap<String, Entry<Snapshot>>,
    graves: BTreeMap<String, Grave>,
    /// Attempts that left no image, by id, or by token where no id was told.
    dead: BTreeMap<String, Dead>,
    /// Copies that EC2 says it made, by token: their tags, and when it first said so.
    claims: BTreeMap<String, (Tags, Timestamp)>,
    /// The name that EC2 said was taken, when, and by whom.
    taken: Option<(String, Timestamp, Option<Vec<Image>>)>,
}

/// An image or snapshot as it was last listed, or as the answer to a call told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry<T> {
    item: T,
    since: Timestamp,
    listed: bool,
    missing_since: Option<Timestamp>,
    written: BTreeMap<String, (Option<String>, Timestamp)>,
}

/// The memory of something that was deregistered or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Grave {
    since: Timestamp,
    last_listed: Timestamp,
}

trait Tagged: Clone {
    fn tags(&self) -> &Tags;
    fn tags_mut(&mut self) -> &mut Tags;
}

impl Tagged for Image {
    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

impl Tagged for Snapshot {
    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

impl Memory {
    /// What is known; none while it cannot be read.
    pub fn view(&self) -> Option<Known> {
        let as_of = self.as_of.filter(|_| self.is_readable())?;
        let name_holders = self.taken.iter().filter_map(|(name, _, holders)| {
            let there = holders
                .as_ref()?
                .iter()
                .filter(|one| !self.graves.contains_key(&one.id));
            let shown = there.map(|one| {
                self.images
                    .get(&one.id)
                    .map_or_else(|| one.clone(), shown_image)
            });
            Some((name.clone(), shown.collect()))
        });
        Some(Known {
            images: self.images.values().map(shown_image).collect(),
            snapshots: self
                .snapshots
                .values()
                .map(|entry| self.shown_snapshot(entry))
                .collect(),
            dead: self.dead.values().cloned().collect(),
            name_holders: name_holders.collect(),
            free_copy_slots: None,
            as_of,
        })
    }

    fn shown_snapshot(&self, entry: &Entry<Snapshot>) -> Snapshot {
        let id = &entry.item.id;
        let users = self
            .images
            .values()
            .filter(|image| image.item.snapshots.contains(id));
        let users = users
            .map(|image| &image.item.id)
            .chain(entry.item.used_by.iter().flatten());
        let users: BTreeSet<_> = users
            .filter(|id| !self.graves.contains_key(*id))
            .cloned()
            .collect();
        let is_known = !users.is_empty() || entry.item.used_by.is_some();
        Snapshot {
            tags: entry.tags(),
            used_by: is_known.then(|| users.into_iter().collect()),
            ..entry.item.clone()
        }
    }

    /// The ids that are hidden although EC2 may list them.
    pub fn buried(&self) -> BTreeSet<String> {
        self.graves.keys().cloned().collect()
    }

    /// The name that the next reading looks up.
    pub fn asks_for(&self) -> Option<&str> {
        self.taken.as_ref().map(|(name, ..)| name.as_str())
    }

    pub fn stop_asking(&mut self) {
        self.taken = None;
    }

    /// Whether there is a view.
    pub fn is_readable(&self) -> bool {
        self.as_of.is_some() && !self.failed
    }

    /// The memory with another time of the last reading, if there was one.
    pub fn last_read(mut self, time: Timestamp) -> Self {
        self.as_of = self.as_of.map(|_| time);
        self
    }

    pub fn could_not_be_read(&mut self) {
        self.failed = true;
    }

    /// Takes in a reading.
    pub fn absorb(&mut self, reading: Reading) {
        let images = self.without_buried(reading.images);
        for (id, entry) in absorb_list(&mut self.images, images) {
            self.died(id, &entry.item.tags);
        }
        let snapshots = self.without_buried(reading.snapshots);
        absorb_list(&mut self.snapshots, snapshots);
        if let Some((_, _, holders)) = &mut self.taken {
            *holders = Some(reading.holders);
        }
        for (token, (tags, first_answer)) in std::mem::take(&mut self.claims) {
            let is_alike = |image: &Image| {
                let same = |key: &&str| image.tags.get(key) == tags.get(key);
                [tag::OBJECT, tag::REVISION].iter().all(same)
            };
            let is_shown =
                |entry: &Entry<Image>| is_alike(&entry.item) && entry.since >= first_answer;
            if self.images.values().any(is_shown) {
                continue;
            }
            if NOW >= first_answer + WINDOW {
                self.died(token, &tags);
            } else {
                self.claims.insert(token, (tags, first_answer));
            }
        }
        self.as_of = Some(NOW);
        self.failed = false;
        let lives = |dead: &Dead| {
            let entry = self.images.get(&dead.id);
            let revision = entry.and_then(|entry| entry.item.tags.get(tag::REVISION));
            revision.is_some_and(|revision| dead.revision == revision.into())
        };
        self.dead.retain(|_, dead| !lives(dead));
    }

    /// Takes in what came of a step.
    pub fn wrote(&mut self, action: &Action, answer: &Answer) {
        match (action, answer) {
            (_, Answer::Refused(_)) => {}
            (
                Action::CreateImage { name, tags, .. }
                | Action::RegisterImage { name, tags, .. }
                | Action::CopyImage { name, tags, .. },
                Answer::Made(id),
            ) => self.made(Image::newborn(id, name, tags)),
            (
                Action::CreateImage { name, .. } | Action::RegisterImage { name, .. },
                Answer::NameTaken,
            ) => match &mut self.taken {
                Some((_, since, _)) if NOW >= *since + WINDOW => *since = NOW,
                Some(_) => {}
                None => self.taken = Some((name.clone(), NOW, None)),
            },
            (Action::CopyImage { token, tags, .. }, Answer::AlreadyMade) => {
                self.claims
                    .entry(token.clone())
                    .or_insert_with(|| (tags.into(), NOW));
            }
            (Action::CreateTags { id, tags }, _) => {
                let written = tags
                    .iter()
                    .map(|(key, value)| (key.clone(), Some(value.clone())));
                self.tagged(id, written.collect());
            }
            (Action::DeleteTags { id, keys }, _) => {
                self.tagged(id, keys.iter().map(|key| (key.clone(), None)).collect());
            }
            (Action::DeregisterImage { id } | Action::DeleteSnapshot { id }, _) => {
                self.images.remove(id);
                self.snapshots.remove(id);
                self.graves.insert(
                    id.clone(),
                    Grave {
                        since: NOW,
                        last_listed: NOW,
                    },
                );
            }
            _ => {}
        }
    }

    fn made(&mut self, image: Image) {
        self.taken = None;
        let id = image.id.clone();
        let is_gone = self.dead.contains_key(&id) || self.graves.contains_key(&id);
        if is_gone || self.images.contains_key(&id) {
            self.died(id, &image.tags);
        } else {
            self.images.insert(id, Entry::new(image, false));
        }
    }

    fn died(&mut self, id: String, tags: &Tags) {
        if let Some(dead) = Dead::with_tags(id, tags) {
            let last = self.dead.entry(dead.id.clone()).or_insert(dead.clone());
            last.attempt = last.attempt.max(dead.attempt);
        }
    }

    fn tagged(&mut self, id: &str, written: BTreeMap<String, Option<String>>) {
        if let Some(entry) = self.images.get_mut(id) {
            entry.tagged(written);
        } else if let Some(entry) = self.snapshots.get_mut(id) {
            entry.tagged(written);
        }
    }

    /// Leaves out what was deleted a moment ago. What is listed long after that is there again.
    fn without_buried<T>(&mut self, mut list: BTreeMap<String, T>) -> BTreeMap<String, T> {
        list.retain(|id, _| match self.graves.get_mut(id) {
            Some(grave)
                if NOW < (grave.last_listed + WINDOW).min(grave.since + WINDOW + WINDOW) =>
            {
                grave.last_listed = NOW;
                false
            }
            Some(_) => {
                self.graves.remove(id);
                true
            }
            None => true,
        });
        list
    }

    /// One step later. What was deregistered or deleted is forgotten after two windows instead of a day.
    pub fn grow_older(&mut self, steps: Steps) {
        let grow = |time: &mut Timestamp| *time = steps.older(*time);
        for entry in self.images.values_mut() {
            entry.item.created.iter_mut().for_each(grow);
            if let ImageState::Missing { since } = &mut entry.item.state {
                grow(since);
            }
            entry.times().for_each(grow);
        }
        self.snapshots
            .values_mut()
            .flat_map(Entry::times)
            .for_each(grow);
        self.claims.values_mut().for_each(|(_, since)| grow(since));
        if let Some((_, since, holders)) = &mut self.taken {
            grow(since);
            let holders = holders.iter_mut().flatten();
            holders
                .filter_map(|image| image.created.as_mut())
                .for_each(grow);
        }
        for grave in self.graves.values_mut() {
            grave.since = steps.much_older(grave.since);
            grave.last_listed = steps.much_older(grave.last_listed);
        }
        self.graves
            .retain(|_, grave| NOW < grave.last_listed + WINDOW + WINDOW);
    }
}

impl<T> Entry<T> {
    fn new(item: T, listed: bool) -> Self {
        Self {
            item,
            since: NOW,
            listed,
            missing_since: None,
            written: BTreeMap::new(),
        }
    }

    fn times(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        let written = self.written.values_mut().map(|(_, at)| at);
        [&mut self.since]
            .into_iter()
            .chain(&mut self.missing_since)
            .chain(written)
    }
}

impl<T: Tagged> Entry<T> {
    fn listed(&mut self, item: T) {
        // A list without a seal that was seen lags behind it.
        let is_sealed = |item: &T| item.tags().contains_key(tag::SELF);
        let is_known_better =
            NOW < self.since + WINDOW && is_sealed(&self.item) && !is_sealed(&item);
        let item = if is_known_better {
            self.item.clone()
        } else {
            item
        };
        self.written.retain(|_, (_, at)| NOW < *at + WINDOW);
        self.item = item;
        *self.item.tags_mut() = self.tags();
        self.listed = true;
        self.missing_since = None;
    }

    fn tagged(&mut self, written: BTreeMap<String, Option<String>>) {
        for (key, value) in self.tags().to_map() {
            self.written.entry(key).or_insert((Some(value), NOW));
        }
        self.written
            .extend(written.into_iter().map(|(key, value)| (key, (value, NOW))));
        *self.item.tags_mut() = self.tags();
    }

    fn tags(&self) -> Tags {
        let mut tags = self.item.tags().to_map();
        for (key, (value, _)) in &self.written {
            match value {
                Some(value) => tags.insert(key.clone(), value.clone()),
                None => tags.remove(key),
            };
        }
        tags.into()
    }
}

/// Lays a list over what was known, and gives what is gone for good.
fn absorb_list<T: Tagged>(
    known: &mut BTreeMap<String, Entry<T>>,
    list: BTreeMap<String, T>,
) -> Vec<(String, Entry<T>)> {
    let missing: Vec<String> = known
        .keys()
        .filter(|id| !list.contains_key(*id))
        .cloned()
        .collect();
    for (id, item) in list {
        if let Some(entry) = known.get_mut(&id) {
            entry.listed(item);
        } else {
            known.insert(id, Entry::new(item, true));
        }
    }
    let is_gone = |id: &String| {
        let entry = known.get_mut(id)?;
        if entry.listed {
            entry.missing_since.get_or_insert(NOW);
        }
        let since = entry.missing_since.unwrap_or(entry.since);
        (NOW >= since + WINDOW)
            .then(|| known.remove_entry(id))
            .flatten()
    };
    missing.iter().filter_map(is_gone).collect()
}

fn shown_image(entry: &Entry<Image>) -> Image {
    let state = entry
        .missing_since
        .map_or(entry.item.state, |since| ImageState::Missing { since });
    Image {
        state,
        tags: entry.tags(),
        ..entry.item.clone()
    }
}
