//! Which copies into a place are under way, as far as lists and our own answers tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use amity_core::image::identity::tag;
use amity_core::image::observed::{Image, ImageState};

use super::Memory;
use crate::aws::inventory::entry::{Entry, Tagged};

/// The tags that the snapshots of an image share with it.
pub(super) const ALIKE: [&str; 4] = [tag::OBJECT, tag::REVISION, tag::SOURCE, tag::VARIANT];

impl Memory {
    /// How many snapshots are being copied here, for whichever object: those that are listed as pending, those
    /// of pending images that are not listed yet, and at least one for each pending image. `expected` tells how
    /// many a new image gets, of which EC2 does not show the snapshots yet.
    pub(in crate::aws::inventory) fn copies_under_way(
        &self,
        expected: &BTreeMap<String, usize>,
    ) -> usize {
        let listed = self.snapshots.iter();
        let listed = listed.filter(|(_, entry)| entry.item.pending && is_copy(entry));
        let mut snapshots: BTreeSet<&str> = listed.map(|(id, _)| &**id).collect();
        let mut unseen = 0;
        for (id, image) in self.pending_copies() {
            let (image, listed) = (&image.item, image);
            if image.snapshots.is_empty() {
                let alike = self.snapshots.values().filter(|entry| {
                    entry.item.pending && ALIKE.iter().all(|key| entry.tag(key) == listed.tag(key))
                });
                let expected = expected.get(&**id).copied().unwrap_or(1);
                unseen += expected.saturating_sub(alike.count());
                continue;
            }
            let is_pending = |id: &&str| {
                self.snapshots
                    .get(*id)
                    .is_none_or(|entry| entry.item.pending)
            };
            let all = image.snapshots.iter().map(String::as_str);
            let pending: Vec<&str> = all.filter(is_pending).collect();
            unseen += usize::from(pending.is_empty());
            snapshots.extend(pending);
        }
        snapshots.len() + unseen
    }

    /// Whether a copy for this object is under way here.
    pub(in crate::aws::inventory) fn is_copying(&self, object: &str) -> bool {
        self.pending_copies()
            .any(|(_, image)| image.tag(tag::OBJECT) == Some(object))
    }

    /// Whether anything is being copied to here.
    pub(in crate::aws::inventory) fn copies_anything(&self) -> bool {
        !self.readers.is_empty()
    }

    /// A pending image of another object than `object` that is being copied from `source`.
    pub(in crate::aws::inventory) fn reader_of(
        &self,
        source: &str,
        object: &str,
    ) -> Option<String> {
        let mut readers = self.readers.of_owner(source);
        let reader = readers.find(|id| {
            let entry = self.images.get(*id);
            entry.is_some_and(|entry| {
                entry.item.state == ImageState::Pending && entry.tag(tag::OBJECT) != Some(object)
            })
        });
        reader.map(str::to_owned)
    }

    /// How many snapshots an image has, if it is known.
    pub(in crate::aws::inventory) fn snapshots_of(&self, image: &str) -> Option<usize> {
        let entry = self.images.get(image)?;
        let count = entry.item.snapshots.len();
        (count > 0).then_some(count)
    }

    /// Whether this is a pending copy of which EC2 does not show the snapshots yet.
    pub(in crate::aws::inventory) fn awaits_snapshots(&self, image: &str) -> bool {
        self.images.get(image).is_some_and(|entry| {
            entry.item.state == ImageState::Pending && entry.item.snapshots.is_empty()
        })
    }

    fn pending_copies(&self) -> impl Iterator<Item = (&Arc<str>, &Box<Entry<Image>>)> {
        let images = self.images.iter();
        images.filter(|(_, image)| image.item.state == ImageState::Pending && is_copy(image))
    }
}

/// Whether this was copied from an image, and not captured from an instance.
fn is_copy<T: Tagged>(entry: &Entry<T>) -> bool {
    entry
        .tag(tag::SOURCE)
        .is_some_and(|source| source.contains("/ami-"))
}

#[cfg(test)]
mod tests {
    use amity_core::image::observed::Snapshot;
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::aws::inventory::memory::Reading;

    const AMI: &str = "ami-0123456789abcdef0";

    fn tags(object: &str, source: &str) -> BTreeMap<String, String> {
        [(tag::OBJECT, object), (tag::SOURCE, source)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    fn image(object: &str, source: &str, snapshots: &[&str]) -> Image {
        Image {
            snapshots: snapshots.iter().map(|id| (*id).to_owned()).collect(),
            ..Image::newborn(AMI, "web", &tags(object, source))
        }
    }

    fn snapshot(id: &str, object: &str, source: &str, pending: bool) -> Snapshot {
        Snapshot {
            id: id.to_owned(),
            pending,
            progress: None,
            failure: None,
            used_by: None,
            size_gib: 8,
            full_bytes: None,
            tags: tags(object, source).into(),
        }
    }

    /// How many copies are under way when a list shows these.
    fn under_way(images: &[Image], snapshots: &[Snapshot], expected: usize) -> usize {
        let mut memory = Memory::new(SignedDuration::from_mins(10));
        memory.absorb(Reading {
            started: Timestamp::UNIX_EPOCH,
            ended: Timestamp::UNIX_EPOCH,
            images: images
                .iter()
                .map(|image| (image.id.clone(), image.clone()))
                .collect(),
            snapshots: Some(
                snapshots
                    .iter()
                    .map(|one| (one.id.clone(), one.clone()))
                    .collect(),
            ),
            ..Reading::default()
        });
        memory.copies_under_way(&[(AMI.to_owned(), expected)].into())
    }

    const COPY: &str = "us-east-1/ami-00000000000000000";
    const CAPTURE: &str = "us-east-1/i-00000000000000000";

    #[test]
    fn a_pending_copy_counts_by_its_snapshots_and_once_at_least() {
        assert_eq!(
            under_way(&[image("a/b", COPY, &["snap-1", "snap-2"])], &[], 1),
            2,
            "not listed yet"
        );
        let both = [
            snapshot("snap-1", "a/b", COPY, true),
            snapshot("snap-2", "a/b", COPY, false),
        ];
        assert_eq!(
            under_way(&[image("a/b", COPY, &["snap-1", "snap-2"])], &both, 1),
            1,
            "one is complete"
        );
        assert_eq!(
            under_way(&[image("a/b", COPY, &["snap-2"])], &both[1..], 1),
            1,
            "the image is pending still"
        );
    }

    #[test]
    fn a_copy_that_does_not_show_its_snapshots_counts_for_as_many_as_its_source_has() {
        assert_eq!(under_way(&[image("a/b", COPY, &[])], &[], 3), 3);
        let one = [snapshot("snap-1", "a/b", COPY, true)];
        assert_eq!(
            under_way(&[image("a/b", COPY, &[])], &one, 3),
            3,
            "one of the three shows"
        );
        let other = [snapshot("snap-1", "a/c", COPY, true)];
        assert_eq!(
            under_way(&[image("a/b", COPY, &[])], &other, 3),
            4,
            "it is another object's"
        );
    }

    #[test]
    fn snapshots_that_are_copied_count_without_their_image_and_captures_never_do() {
        assert_eq!(
            under_way(&[], &[snapshot("snap-1", "a/b", COPY, true)], 1),
            1,
            "of a copy that was stopped"
        );
        let captured = [snapshot("snap-1", "a/b", CAPTURE, true)];
        assert_eq!(
            under_way(&[image("a/b", CAPTURE, &["snap-1"])], &captured, 1),
            0
        );
    }
}
