//! Snapshots of volumes.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use crate::lag::{Lag, View};
use crate::state::Platform;

/// The state of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotState {
    /// Being made.
    Pending,
    /// Done.
    Completed,
    /// Could not be made; final.
    Error,
}

impl fmt::Display for SnapshotState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Error => "error",
        })
    }
}

/// An EBS snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// `snap-…`
    pub id: String,
    /// The account that it belongs to.
    pub owner: String,
    /// The volume it was made from; arbitrary for copies.
    pub volume: String,
    /// The size of that volume in GiB.
    pub size_gib: u64,
    /// How much of it was written, in bytes; none: all.
    pub full_bytes: Option<u64>,
    /// What is on it.
    pub platform: Platform,
    /// Whether it tells how that is billed.
    pub billing_metadata: bool,
    /// Free text.
    pub description: String,
    /// The ARN of the key it is encrypted with.
    pub key: Option<String>,
    /// When it was asked for.
    pub started: Timestamp,
    /// When it will be, or was, done.
    pub ends: Timestamp,
    /// Its state, whatever readers see yet.
    pub state: SnapshotState,
    /// Why it is in error.
    pub message: Option<String>,
    /// Whether everybody may use it.
    pub public: bool,
    /// The accounts that may use it.
    pub shared_with: BTreeSet<String>,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// Until when it is in the Recycle Bin.
    pub recycled_until: Option<Timestamp>,
    pub(crate) born: Lag,
    pub(crate) gone: Option<Lag>,
    /// Whether it is made by a copy, for the limit on those.
    pub(crate) copied: bool,
    /// What it takes to copy it in the time that was asked for.
    pub(crate) timed: Option<TimedCopy>,
}

/// A copy of a snapshot with a completion duration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TimedCopy {
    pub source_region: String,
    pub kib_per_second: u64,
}

impl Snapshot {
    pub(crate) fn seen(&self, view: View) -> bool {
        self.born.seen(view) && !self.gone.is_some_and(|lag| lag.seen(view))
    }

    pub(crate) fn usable_by(&self, account: &str) -> bool {
        self.owner == account || self.public || self.shared_with.contains(account)
    }

    /// `fullSnapshotSizeInBytes`: all blocks that were ever written, not only those that are new in
    /// it.
    pub(crate) fn full_size(&self) -> u64 {
        self.full_bytes.unwrap_or(self.size_gib << 30)
    }

    /// How much is done, in per cent.
    pub(crate) fn progress(&self, now: Timestamp) -> u64 {
        match self.state {
            SnapshotState::Completed => 100,
            SnapshotState::Pending | SnapshotState::Error => {
                let whole = self.ends.duration_since(self.started).as_millis().max(1);
                let done = now.duration_since(self.started).as_millis().clamp(0, whole);
                u64::try_from(done * 99 / whole).unwrap_or_default()
            }
        }
    }
}
