//! Which copies into a place are under way, as far as lists and our own answers tell.

use std::collections::{BTreeMap, BTreeSet};

use amity_core::image::identity::tag;
use amity_core::image::observed::{Image, ImageState};

use super::Memory;

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
        let listed = listed.filter(|(_, entry)| entry.item.pending && is_copy(&entry.item.tags));
        let mut snapshots: BTreeSet<&String> = listed.map(|(id, _)| id).collect();
        let mut unseen = 0;
        for (id, image) in self.pending_copies() {
            if image.snapshots.is_empty() {
                let alike = self.snapshots.values().filter(|entry| {
                    let tags = &entry.item.tags;
                    entry.item.pending
                        && ALIKE
                            .iter()
                            .all(|key| tags.get(*key) == image.tags.get(*key))
                });
                let expected = expected.get(id).copied().unwrap_or(1);
                unseen += expected.saturating_sub(alike.count());
                continue;
            }
            let is_pending = |id: &&String| {
                self.snapshots
                    .get(*id)
                    .is_none_or(|entry| entry.item.pending)
            };
            let pending: Vec<&String> = image.snapshots.iter().filter(is_pending).collect();
            unseen += usize::from(pending.is_empty());
            snapshots.extend(pending);
        }
        snapshots.len() + unseen
    }

    /// Whether a copy for this object is under way here.
    pub(in crate::aws::inventory) fn is_copying(&self, object: &str) -> bool {
        self.pending_copies()
            .any(|(_, image)| image.tags.get(tag::OBJECT).map(String::as_str) == Some(object))
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

    fn pending_copies(&self) -> impl Iterator<Item = (&String, &Image)> {
        let images = self.images.iter().map(|(id, entry)| (id, &entry.item));
        images.filter(|(_, image)| image.state == ImageState::Pending && is_copy(&image.tags))
    }
}

/// Whether what has these tags was copied from an image, and not captured from an instance.
fn is_copy(tags: &BTreeMap<String, String>) -> bool {
    tags.get(tag::SOURCE)
        .is_some_and(|source| source.contains("/ami-"))
}
