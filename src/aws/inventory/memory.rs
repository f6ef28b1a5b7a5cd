//! What is known of one place: what EC2 listed, with what we wrote laid over it for as long as lists may lag behind it.
//!
//! EC2's reads lag behind its writes by up to the consistency window, in both directions: what was made is
//! not listed yet, what was listed may be missing from the next list, what was deleted is listed still.
//! Everything here is a function of readings and writes that are handed in. Nothing here reads or waits.

mod attempts;
mod copies;
mod index;
mod outlook;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use amity_core::account::Held;
use amity_core::image::identity::{Place, tag};
use amity_core::image::observed::{Image, ImageState, Known, Snapshot};
use amity_core::image::plan::step::Action;
use jiff::{SignedDuration, Timestamp};

use super::entry::{Entry, Grave};
use crate::aws::effect::Answer;
use crate::aws::error::Failure;
use attempts::Attempts;
use index::Index;

/// How long what was deregistered or deleted is remembered after it was last listed. It is hidden for a window;
/// after that the memory only tells earlier that a token made an image that is gone.
const GRAVES_ARE_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// One complete reading of a place.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// Before the first call: what was written after that may not be in it.
    pub(super) started: Timestamp,
    /// After the last call.
    pub(super) ended: Timestamp,
    /// The images with our owner's tag, by id.
    pub(super) images: BTreeMap<String, Image>,
    /// The ids among them that EC2 itself calls deregistered.
    pub(super) deregistered: BTreeSet<String>,
    /// The snapshots with our owner's tag, by id; `None` when they were not listed this time.
    pub(super) snapshots: Option<BTreeMap<String, Snapshot>>,
    /// Who has the names that were looked up.
    pub(super) names: BTreeMap<String, Vec<Image>>,
}

/// A name that EC2 said was taken.
#[derive(Clone, Debug)]
struct TakenName {
    /// When EC2 said so: lists may lag behind it for a window.
    since: Timestamp,
    /// Who has it, once that was read.
    holders: Option<Vec<Image>>,
}

/// What is known of images or snapshots, by id. In boxes, since much of a map's own room is empty.
type Entries<T> = BTreeMap<Arc<str>, Box<Entry<T>>>;

/// What is known of one place.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    window: SignedDuration,
    images: Entries<Image>,
    snapshots: Entries<Snapshot>,
    /// What was deregistered or deleted: hidden while EC2 may still list it.
    graves: BTreeMap<String, Grave>,
    attempts: Attempts,
    /// The names that EC2 said were taken, by object.
    names: BTreeMap<String, BTreeMap<String, TakenName>>,
    /// The ids of each object's images and snapshots.
    objects: Index,
    /// The images that use each snapshot.
    users: Index,
    /// The pending images that are being copied from each image, of any region.
    readers: Index,
    /// What each object looked like when it was last told, as a hash.
    shown: BTreeMap<Arc<str>, u64>,
    as_of: Option<Timestamp>,
    last_write: Option<Timestamp>,
    snapshots_as_of: Option<Timestamp>,
    /// When the first reading that listed snapshots began.
    snapshots_since: Option<Timestamp>,
}

impl Memory {
    /// Nothing is known yet.
    pub(super) fn new(window: SignedDuration) -> Self {
        Self {
            window,
            images: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            graves: BTreeMap::new(),
            attempts: Attempts::default(),
            names: BTreeMap::new(),
            objects: Index::default(),
            users: Index::default(),
            readers: Index::default(),
            shown: BTreeMap::new(),
            as_of: None,
            last_write: None,
            snapshots_as_of: None,
            snapshots_since: None,
        }
    }

    /// Takes in a reading, and gives the objects whose part changed.
    pub(super) fn absorb(&mut self, reading: Reading) -> BTreeSet<String> {
        let Reading {
            started,
            ended,
            images,
            deregistered,
            snapshots,
            names,
        } = reading;
        for id in deregistered {
            self.called_deregistered(id, ended);
        }
        let images = self.without_buried(images, started, ended);
        let absorbed = absorb_list(&mut self.images, images, started, ended, self.window);
        let mut is_news = absorbed.is_news;
        for (id, entry) in absorbed.gone {
            self.attempts.died(id.to_string(), &entry.item.tags);
        }
        if let Some(snapshots) = snapshots {
            let snapshots = self.without_buried(snapshots, started, ended);
            let absorbed = absorb_list(&mut self.snapshots, snapshots, started, ended, self.window);
            is_news |= absorbed.is_news;
            self.snapshots_as_of = Some(started);
            self.snapshots_since.get_or_insert(started);
        }
        for asked in self.names.values_mut() {
            for (name, taken) in asked {
                if let Some(found) = names.get(name) {
                    taken.holders = Some(found.clone());
                }
            }
        }
        // Nothing is otherwise than before: no object need be looked at, and there may be ten thousand.
        if !is_news && self.is_quiet() {
            self.as_of = Some(started);
            return BTreeSet::new();
        }
        let kept = GRAVES_ARE_KEPT.max(self.window);
        self.graves
            .retain(|_, grave| ended < grave.last_listed + kept);
        self.attempts.settle(&self.images, started, self.window);
        self.as_of = Some(started);
        self.index();
        self.complete_snapshots();
        self.note_progress(ended);
        self.changes()
    }

    /// Whether nothing is waited for: with time alone, nothing changes.
    fn is_quiet(&self) -> bool {
        self.graves.is_empty() && self.names.is_empty() && self.attempts.are_settled()
    }

    /// Takes in what came of a step for `object`.
    pub(super) fn wrote(
        &mut self,
        object: &str,
        action: &Action,
        result: &Result<Answer, Failure>,
        now: Timestamp,
    ) {
        self.last_write = Some(now);
        match (action, result) {
            (
                Action::CreateImage { name, tags, .. }
                | Action::RegisterImage { name, tags, .. }
                | Action::CopyImage { name, tags, .. },
                Ok(Answer::Made(id)),
            ) => {
                self.made(object, id, Image::newborn(id, name, tags), now);
            }
            (
                Action::CreateImage { name, .. } | Action::RegisterImage { name, .. },
                Ok(Answer::NameTaken),
            ) => {
                self.name_is_taken(object, name, now);
            }
            (Action::CopyImage { token, tags, .. }, Ok(Answer::AlreadyMade)) => {
                self.attempts.was_made(token, tags, now);
            }
            (Action::Adopt { id, image, tags }, Ok(_)) => {
                self.adopted(object, id, image.as_deref(), tags, now);
            }
            (Action::CreateTags { id, tags }, Ok(_)) => {
                let written: Vec<_> = tags
                    .iter()
                    .map(|(key, value)| (key.clone(), Some(value.clone())))
                    .collect();
                self.tagged(id, &written, now);
            }
            (Action::DeleteTags { id, keys }, Ok(_)) => {
                let written: Vec<_> = keys.iter().map(|key| (key.clone(), None)).collect();
                self.tagged(id, &written, now);
            }
            (Action::ModifyImage { id, change }, Ok(_)) => {
                if let Some(entry) = self.images.get_mut(id.as_str()) {
                    entry.changed(change, now);
                }
            }
            (Action::RestoreImage { id }, Ok(_)) => {
                if let Some(entry) = self.images.get_mut(id.as_str()) {
                    entry.restored(now);
                }
            }
            (Action::RestoreSnapshot { id }, Ok(_)) => {
                if let Some(entry) = self.snapshots.get_mut(id.as_str()) {
                    entry.restored(now);
                }
            }
            (Action::DeregisterImage { id } | Action::DeleteSnapshot { id }, Ok(_)) => {
                self.bury(object, id, now);
            }
            _ => {}
        }
        let mark = self.mark(object);
        self.shown.insert(object.into(), mark);
    }

    /// What is known of one object here; `None` before the first reading.
    pub(super) fn view(&self, object: &str) -> Option<Known> {
        Some(self.view_as_of(object, self.as_of?))
    }

    /// Whether an image or snapshot of the object was listed, or is known to have been made.
    pub(super) fn holds(&self, object: &str) -> bool {
        self.objects.has(object)
    }

    /// Everything that is known here, of whatever object.
    pub(super) fn held(&self, place: &Place) -> Vec<Held> {
        let place = Arc::new(place.clone());
        let held = |id: &Arc<str>, bytes, tags| Held {
            place: Arc::clone(&place),
            id: id.to_string(),
            bytes,
            tags,
        };
        let images = self
            .images
            .iter()
            .map(|(id, entry)| held(id, 0, entry.tags()));
        let snapshots = self
            .snapshots
            .iter()
            .map(|(id, entry)| held(id, entry.item.stored_bytes(), entry.tags()));
        images.chain(snapshots).collect()
    }

    /// When the last complete list was begun.
    pub(super) fn as_of(&self) -> Option<Timestamp> {
        self.as_of
    }

    /// How many bytes all snapshots store at most.
    pub(super) fn stored_bytes(&self) -> u64 {
        let snapshots = self.snapshots.values();
        snapshots.map(|entry| entry.item.stored_bytes()).sum()
    }

    /// The names that the next reading looks up.
    pub(super) fn names_to_look_up(&self) -> BTreeSet<String> {
        self.names
            .values()
            .flat_map(BTreeMap::keys)
            .cloned()
            .collect()
    }

    /// The ids that are hidden although EC2 may list them.
    pub(super) fn buried(&self) -> impl Iterator<Item = &String> {
        self.graves.keys()
    }

    /// The object no longer asks for names.
    pub(super) fn stop_asking(&mut self, object: &str) {
        self.names.remove(object);
    }

    /// The object is gone: what no list tells of it is dropped. What was deregistered stays hidden.
    pub(super) fn forget(&mut self, object: &str) {
        self.stop_asking(object);
        self.attempts.forget(object);
        let mark = self.mark(object);
        self.shown.insert(object.into(), mark);
    }

    /// The objects of which something is known here.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Arc<str>> {
        self.objects.owners()
    }

    /// EC2 itself says that it is deregistered: of what never was available nothing is left to wait for. Else it is as one
    /// that is not listed, since the Recycle Bin may have it, or it may have been restored since.
    fn called_deregistered(&mut self, id: String, now: Timestamp) {
        let known = self.images.get(id.as_str());
        if known.is_some_and(|entry| entry.item.state == ImageState::Available) {
            return;
        }
        if let Some(entry) = self.images.remove(id.as_str()) {
            self.attempts.died(id.clone(), &entry.item.tags);
        }
        self.graves
            .entry(id)
            .and_modify(|grave| grave.last_listed = now)
            .or_insert_with(|| Grave::new(now));
    }

    /// Leaves out of a list what was deleted a moment ago. What is listed long after that is there again.
    fn without_buried<T>(
        &mut self,
        mut list: BTreeMap<String, T>,
        started: Timestamp,
        ended: Timestamp,
    ) -> BTreeMap<String, T> {
        let window = self.window;
        list.retain(|id, _| match self.graves.get_mut(id) {
            Some(grave) if started < grave.until(window) => {
                grave.last_listed = ended;
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

    fn made(&mut self, object: &str, id: &str, image: Image, now: Timestamp) {
        self.names.remove(object);
        let is_gone = self.attempts.is_dead(object, id) || self.graves.contains_key(id);
        if is_gone || self.images.contains_key(id) {
            // The token of an image that is gone, or of one that is known and would not do, such as one whose
            // tags somebody changed: the next attempt needs another one.
            self.attempts.died(id.to_owned(), &image.tags);
        } else {
            if let Some(source) = image.tags.get(tag::SOURCE) {
                self.readers.insert(source, id);
            }
            self.images
                .insert(id.into(), Box::new(Entry::told(image, now)));
            self.objects.insert(object, id);
        }
    }

    /// It is the object's from now on, although lists that lag behind show it as somebody else's.
    fn adopted(
        &mut self,
        object: &str,
        id: &str,
        image: Option<&Image>,
        tags: &BTreeMap<String, String>,
        now: Timestamp,
    ) {
        self.objects.insert(object, id);
        let written: Vec<_> = tags
            .iter()
            .map(|(key, value)| (key.clone(), Some(value.clone())))
            .collect();
        let Some(image) = image else {
            let mut snapshot = Snapshot::told(id, tags);
            // What it carried before is not known: it may be the mark of whoever retained it, which would keep it from
            // being deleted, and is taken off in any case.
            snapshot.tags.insert(tag::RETAINED, "");
            let mut entry = Entry::told(snapshot, now);
            entry.tagged(&written, now);
            self.snapshots.insert(id.into(), Box::new(entry));
            return;
        };
        let mut image = image.clone();
        image.tags.extend(tags.clone());
        for snapshot in &image.snapshots {
            self.users.insert(snapshot, id);
        }
        let mut entry = Entry::told(image, now);
        entry.tagged(&written, now);
        self.images.insert(id.into(), Box::new(entry));
    }

    /// Counts anew from an answer that comes a window after the first: lists may lag behind it again.
    fn name_is_taken(&mut self, object: &str, name: &str, now: Timestamp) {
        let asked = self.names.entry(object.to_owned()).or_default();
        let taken = asked.entry(name.to_owned()).or_insert(TakenName {
            since: now,
            holders: None,
        });
        if now >= taken.since + self.window {
            taken.since = now;
        }
    }

    fn tagged(&mut self, id: &str, written: &[(String, Option<String>)], now: Timestamp) {
        if let Some(entry) = self.images.get_mut(id) {
            entry.tagged(written, now);
        } else if let Some(entry) = self.snapshots.get_mut(id) {
            entry.tagged(written, now);
        }
    }

    fn bury(&mut self, object: &str, id: &str, now: Timestamp) {
        self.images.remove(id);
        self.snapshots.remove(id);
        self.graves.insert(id.to_owned(), Grave::new(now));
        self.objects.remove(object, id);
    }

    /// Rebuilds what is looked up by object, by snapshot and by what is being copied.
    fn index(&mut self) {
        for (id, entry) in &self.images {
            if let Some(object) = entry.tag(tag::OBJECT) {
                self.attempts.lives(object, id, entry.tag(tag::REVISION));
            }
        }
        let of_images = self.images.iter();
        let of_images = of_images.filter_map(|(id, image)| Some((image.tag(tag::OBJECT)?, id)));
        let of_snapshots = self.snapshots.iter();
        let of_snapshots =
            of_snapshots.filter_map(|(id, snapshot)| Some((snapshot.tag(tag::OBJECT)?, id)));
        self.objects = Index::of(of_images.chain(of_snapshots), |_| None);
        let used = self.images.iter().flat_map(|(id, image)| {
            let snapshots = image.item.snapshots.iter();
            snapshots.map(move |snapshot| (snapshot.as_str(), id))
        });
        let of_snapshots = |id: &str| {
            self.snapshots
                .get_key_value(id)
                .map(|(id, _)| Arc::clone(id))
        };
        self.users = Index::of(used, of_snapshots);
        let pending = self.images.iter();
        let pending = pending.filter(|(_, image)| image.item.state == ImageState::Pending);
        let pending = pending.filter_map(|(id, image)| Some((image.tag(tag::SOURCE)?, id)));
        self.readers = Index::of(pending, |_| None);
    }

    /// An image is available when all of its snapshots are complete (EC2 User Guide, "Create an Amazon EBS-backed
    /// AMI"), so that they need not be listed to know.
    fn complete_snapshots(&mut self) {
        for (id, entry) in &mut self.snapshots {
            let is_available = |user: &str| self.images[user].item.state == ImageState::Available;
            if entry.item.pending && self.users.of_owner(id).any(is_available) {
                (entry.item.pending, entry.item.progress) = (false, Some(100));
            }
        }
    }

    /// Notes how far the pending ones are, as far as their snapshots tell: images have no progress of their own.
    fn note_progress(&mut self, now: Timestamp) {
        let is_of = |users: &Index, snapshot: &str, image: &str| {
            !users.has(snapshot) || users.of_owner(snapshot).any(|user| user == image)
        };
        for (id, entry) in &mut self.images {
            if entry.item.state != ImageState::Pending {
                continue;
            }
            let made_of = |snapshot: &&Entry<Snapshot>| {
                // Before EC2 lists which snapshots a copy gets, those with the same tags and no image yet are its.
                entry.item.snapshots.contains(&snapshot.item.id)
                    || entry.item.snapshots.is_empty()
                        && is_of(&self.users, &snapshot.item.id, id)
                        && copies::ALIKE
                            .iter()
                            .all(|key| snapshot.tag(key) == entry.tag(key))
            };
            entry.item.progress = average_progress(
                self.snapshots
                    .values()
                    .map(Box::as_ref)
                    .filter(made_of)
                    .map(|entry| &entry.item),
            );
            entry.moved(entry.item.progress, now);
        }
        let pending = self.snapshots.values_mut();
        for entry in pending.filter(|entry| entry.item.pending) {
            entry.moved(entry.item.progress, now);
        }
    }

    fn view_as_of(&self, object: &str, as_of: Timestamp) -> Known {
        let mut known = Known {
            as_of,
            ..Known::default()
        };
        for id in self.objects.of_owner(object) {
            if let Some(entry) = self.images.get(id) {
                known.images.push(shown_image(entry));
            } else if let Some(entry) = self.snapshots.get(id) {
                known.snapshots.push(self.shown_snapshot(entry));
            }
        }
        known.dead = self.attempts.of(object);
        for (name, taken) in self.names.get(object).into_iter().flatten() {
            if let Some(holders) = &taken.holders {
                known
                    .name_holders
                    .insert(name.clone(), self.shown_holders(holders));
            }
        }
        known
    }

    fn shown_snapshot(&self, entry: &Entry<Snapshot>) -> Snapshot {
        let listed = self.users.of_owner(&entry.item.id);
        let asked = entry.item.used_by.iter().flatten().map(String::as_str);
        let users = listed.chain(asked);
        let users: BTreeSet<&str> = users.filter(|id| !self.graves.contains_key(*id)).collect();
        let is_known = !users.is_empty() || entry.item.used_by.is_some();
        Snapshot {
            tags: entry.tags(),
            used_by: is_known.then(|| users.into_iter().map(str::to_owned).collect()),
            ..entry.item.clone()
        }
    }

    fn shown_holders(&self, holders: &[Image]) -> Vec<Image> {
        holders
            .iter()
            .filter(|image| !self.graves.contains_key(&image.id))
            .map(|image| {
                self.images
                    .get(image.id.as_str())
                    .map_or_else(|| image.clone(), |entry| shown_image(entry))
            })
            .collect()
    }

    /// The objects that look otherwise than when this was last asked.
    fn changes(&mut self) -> BTreeSet<String> {
        let asked = self.attempts.objects().chain(self.names.keys());
        let known = asked.map(|object| object.as_str().into());
        let known = known.chain(self.shown.keys().cloned());
        // Of what is equal the last is kept: the text that the index has.
        let objects: BTreeSet<Arc<str>> = known.chain(self.objects.owners().cloned()).collect();
        let nothing = fingerprint(&Known::default());
        let mut changed = BTreeSet::new();
        let shown = objects.into_iter().filter_map(|object| {
            let mark = self.mark(&object);
            if *self.shown.get(&object).unwrap_or(&nothing) != mark {
                changed.insert(object.to_string());
            }
            (mark != nothing).then_some((object, mark))
        });
        self.shown = shown.collect();
        changed
    }

    fn mark(&self, object: &str) -> u64 {
        fingerprint(&self.view_as_of(object, Timestamp::default()))
    }
}

/// What came of a list.
struct Absorbed<T> {
    /// What is gone for good.
    gone: Vec<(Arc<str>, Box<Entry<T>>)>,
    /// Whether anything is, or may be with time, otherwise than before.
    is_news: bool,
}

/// Lays a list over what was known.
fn absorb_list<T: super::entry::Tagged>(
    known: &mut Entries<T>,
    list: BTreeMap<String, T>,
    started: Timestamp,
    ended: Timestamp,
    window: SignedDuration,
) -> Absorbed<T> {
    let missing: Vec<Arc<str>> = known
        .keys()
        .filter(|id| !list.contains_key(&***id))
        .cloned()
        .collect();
    let mut is_news = !missing.is_empty();
    let mut new = Vec::new();
    for (id, item) in list {
        if let Some(entry) = known.get_mut(id.as_str()) {
            is_news |= entry.listed(item, started, window);
        } else {
            new.push((id.into(), Box::new(Entry::found(item, ended))));
        }
    }
    if !new.is_empty() {
        is_news = true;
        // At once: a map to which one after the other is added, in their order, stays half empty.
        known.append(&mut new.into_iter().collect());
    }
    let gone = missing
        .into_iter()
        .filter_map(|id| {
            let entry = known.get_mut(&id)?;
            entry.not_listed(ended);
            let is_gone = entry.is_gone(started, window);
            if is_gone {
                known.remove_entry(&id)
            } else {
                None
            }
        })
        .collect();
    Absorbed { gone, is_news }
}

fn shown_image(entry: &Entry<Image>) -> Image {
    let state = entry
        .missing_since()
        .map_or(entry.item.state, |since| ImageState::Missing { since });
    Image {
        state,
        tags: entry.tags(),
        attributes: entry.attributes(),
        ..entry.item.clone()
    }
}

/// The mean of the snapshots, by their size.
fn average_progress<'a>(snapshots: impl Iterator<Item = &'a Snapshot>) -> Option<u8> {
    let (mut done, mut size) = (0_i64, 0_i64);
    for snapshot in snapshots.filter(|snapshot| snapshot.failure.is_none()) {
        let gib = i64::from(snapshot.size_gib.max(1));
        let progress = if snapshot.pending {
            snapshot.progress.unwrap_or(0)
        } else {
            100
        };
        done += gib * i64::from(progress);
        size += gib;
    }
    (size > 0).then(|| u8::try_from(done / size).unwrap_or(100))
}

/// A hash of what a decision or a user would notice: progress in steps of ten percent.
fn fingerprint(known: &Known) -> u64 {
    struct Hash(DefaultHasher);
    impl std::fmt::Write for Hash {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let in_steps = |progress: Option<u8>| progress.map(|progress| progress / 10);
    let mut known = known.clone();
    for image in &mut known.images {
        image.progress = in_steps(image.progress);
    }
    for snapshot in &mut known.snapshots {
        snapshot.progress = in_steps(snapshot.progress);
    }
    let mut hash = Hash(DefaultHasher::new());
    // Writing to a hash cannot fail.
    let _ = std::fmt::Write::write_fmt(&mut hash, format_args!("{known:?}"));
    hash.0.finish()
}

#[cfg(test)]
mod tests;
