//! What the next reading of a place could show, and when.

use std::collections::BTreeMap;

use amity_core::image::identity::tag;
use amity_core::image::observed::{Image, ImageState};
use jiff::{SignedDuration, Timestamp};

use super::{Memory, TakenName};
use crate::aws::inventory::entry::Entry;
use crate::aws::inventory::pace;

impl Memory {
    /// Whether the next reading has to list snapshots too.
    pub(in crate::aws::inventory) fn needs_snapshots(
        &self,
        now: Timestamp,
        strays_interval: SignedDuration,
    ) -> bool {
        let Some(read_at) = self.snapshots_as_of else {
            return true;
        };
        let written_since = self.last_write.is_some_and(|written| written >= read_at);
        // What an earlier process wrote may not have been in the first list.
        let all_is_shown = self.snapshots_since.map(|since| since + self.window);
        let may_lag = all_is_shown.is_some_and(|shown| read_at < shown && now >= shown);
        written_since
            || may_lag
            || now >= read_at + strays_interval
            || self
                .images
                .values()
                .any(|entry| entry.is_unsettled() || self.is_unfinished(entry, read_at, now))
            || self.snapshots.iter().any(|(id, entry)| {
                entry.is_unsettled()
                    || entry.can_be_forgotten(now, self.window)
                    || entry.item.pending && pace::tells_more(entry.since(), read_at, now)
                    || !self.users.has(id)
                    || entry.tags().get(tag::SELF) != Some(&**id)
            })
    }

    /// Pending, or with a snapshot that may be listed yet. What was not a window after the image became known is
    /// not ours: an image that was registered is made of the user's snapshots.
    fn is_unfinished(
        &self,
        entry: &Entry<Image>,
        snapshots_read_at: Timestamp,
        now: Timestamp,
    ) -> bool {
        let may_come = snapshots_read_at < entry.since() + self.window;
        let mut snapshots = entry.item.snapshots.iter();
        may_come && snapshots.any(|id| !self.snapshots.contains_key(id.as_str()))
            || pending_since(entry)
                .is_some_and(|begun| pace::tells_more(begun, snapshots_read_at, now))
    }

    /// How long until the next reading could show something new; `None` while nothing goes on.
    pub(in crate::aws::inventory) fn next_change(&self, now: Timestamp) -> Option<SignedDuration> {
        let images = self
            .images
            .values()
            .filter_map(|entry| entry.next_change(pending_since(entry), now, self.window));
        let snapshots = self.snapshots.iter().filter_map(|(id, entry)| {
            // One that an image is made of ends when that does.
            let is_alone = entry.item.pending && !self.users.has(id);
            let since = is_alone.then(|| entry.since());
            entry.next_change(since, now, self.window)
        });
        let names = self
            .names
            .values()
            .flat_map(BTreeMap::values)
            .filter_map(|taken| taken.next_change(now, self.window));
        let attempts = self.attempts.next_change(now, self.window);
        let changes = images.chain(snapshots).chain(names).chain(attempts);
        changes.min()
    }
}

impl TakenName {
    /// How long until a reading could show other holders; `None` once a window has passed and they were read.
    fn next_change(&self, now: Timestamp, window: SignedDuration) -> Option<SignedDuration> {
        let is_settled = self.holders.is_some() && now >= self.since + window;
        (!is_settled).then(|| pace::until_settled(self.since, now, window))
    }
}

/// When an image that is pending was asked for.
fn pending_since(entry: &Entry<Image>) -> Option<Timestamp> {
    let is_pending = entry.item.state == ImageState::Pending;
    is_pending.then(|| entry.item.created.unwrap_or(entry.since()))
}
