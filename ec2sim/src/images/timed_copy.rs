//! Copies with a completion duration (docs: EBS time-based-copies).
//!
//! A snapshot is copied as fast as the duration asks, and no faster than the quotas allow: 500
//! MiB/s for a snapshot, and for all that an account copies so between two regions 2,000 MiB/s.
//! Where the latter is used in part the copy takes longer than asked; where it is used up the
//! request fails. A second one of the same image begins when the first is done. The sizes are
//! those of the volumes.

use jiff::Timestamp;

use crate::chance::after;
use crate::error::ApiError;
use crate::state::{Image, Snapshot, SnapshotState, TimedCopy, WorkKind};
use crate::wire::parameters::Parameters;
use crate::world::{Call, World};

const STEP_MINUTES: u32 = 15;
const MOST_MINUTES: u32 = 48 * 60;
/// In KiB/s.
const MOST_FOR_A_SNAPSHOT: u64 = 500 * 1024;
const MOST_BETWEEN_REGIONS: u64 = 2000 * 1024;

/// When a snapshot will be copied, and what that takes.
pub(super) struct Timing {
    ends: Timestamp,
    copy: TimedCopy,
}

/// Takes the completion duration of a request, in minutes.
pub(super) fn take_minutes(parameters: &mut Parameters) -> Result<Option<u32>, ApiError> {
    let minutes = parameters.number("SnapshotCopyCompletionDurationMinutes")?;
    let allowed = |minutes: &u32| {
        (STEP_MINUTES..=MOST_MINUTES).contains(minutes) && minutes.is_multiple_of(STEP_MINUTES)
    };
    match minutes.filter(|minutes| !allowed(minutes)) {
        None => Ok(minutes),
        // The text is not known.
        Some(minutes) => Err(ApiError::invalid_value(format!(
            "Value ({minutes}) for parameter snapshotCopyCompletionDurationMinutes is invalid. Specify a value from \
             {STEP_MINUTES} to {MOST_MINUTES} in {STEP_MINUTES} minute increments."
        ))),
    }
}

impl World {
    /// The timing of the copy of each snapshot, in their order. The code for a quota that is used
    /// up is not documented.
    pub(super) fn timings(
        &self,
        call: &Call,
        source_region: &str,
        source: &str,
        snapshots: &[Snapshot],
        minutes: u32,
    ) -> Result<Vec<Timing>, ApiError> {
        let region = self.region(&call.region)?;
        let under_way = region.snapshots.values().filter(|snapshot| {
            snapshot.owner == call.account
                && snapshot.state == SnapshotState::Pending
                && snapshot.deleted.is_none()
        });
        let rates = under_way.filter_map(|snapshot| snapshot.timed.as_ref());
        let rates = rates.filter(|timed| timed.source_region == source_region);
        let mut used: u64 = rates.map(|timed| timed.kib_per_second).sum();
        let begins = self.end_of_copies_of(call, source_region, source);
        let seconds = u64::from(minutes) * 60;
        let mut timings = Vec::new();
        for snapshot in snapshots {
            let kib = snapshot.size_gib * 1024 * 1024;
            let free = MOST_BETWEEN_REGIONS.saturating_sub(used);
            if free == 0 {
                return Err(ApiError::new(
                    "ResourceLimitExceeded",
                    "The cumulative snapshot copy throughput quota between these Regions is used up",
                ));
            }
            let asked = kib.div_ceil(seconds).max(1);
            let kib_per_second = asked.min(MOST_FOR_A_SNAPSHOT).min(free);
            used += kib_per_second;
            timings.push(Timing {
                ends: after(begins, kib * 1000 / kib_per_second),
                copy: TimedCopy {
                    source_region: source_region.to_owned(),
                    kib_per_second,
                },
            });
        }
        Ok(timings)
    }

    /// When the copies of an image with a completion duration that are under way are done.
    fn end_of_copies_of(&self, call: &Call, source_region: &str, source: &str) -> Timestamp {
        let is_copy = |image: &&Image| {
            let kind = image.work.as_ref().map(|work| &work.kind);
            let from_there = matches!(
                kind,
                Some(WorkKind::Copy { region, image }) if region == source_region && image == source
            );
            image.owner == call.account && image.deregistered.is_none() && from_there
        };
        let region = self.regions.get(&call.region).into_iter();
        let copies = region.flat_map(|region| {
            let images = region.images.values().filter(is_copy);
            images.flat_map(move |image| {
                let snapshots = image.snapshot_ids();
                snapshots.filter_map(move |id| region.snapshots.get(id))
            })
        });
        let timed = copies.filter(|snapshot| snapshot.timed.is_some());
        let last = timed.map(|snapshot| snapshot.ends).max();
        last.unwrap_or(self.now).max(self.now)
    }
}

impl Timing {
    pub(super) fn apply(self, snapshot: &mut Snapshot) {
        snapshot.ends = self.ends;
        snapshot.timed = Some(self.copy);
    }
}
