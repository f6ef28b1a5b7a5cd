//! How long EC2 usually takes. It promises nothing, and tells of no rate: these are what images of some GiB were seen to
//! take, rounded up.

use jiff::{SignedDuration, Timestamp};

/// Whatever is made, however small.
const AT_LEAST: SignedDuration = SignedDuration::from_mins(3);

/// What is registered of snapshots only has to be shown.
pub(super) const REGISTRATION: SignedDuration = SignedDuration::from_secs(5);

/// How long a machine takes until it has stopped itself: what it does nobody tells.
pub(super) const BUILD: SignedDuration = SignedDuration::from_mins(10);

/// For each GiB of a snapshot that is made of a volume.
const CAPTURE_PER_GIB: SignedDuration = SignedDuration::from_secs(15);

/// For each GiB that is copied, within a region or to another.
const COPY_PER_GIB: SignedDuration = SignedDuration::from_secs(30);

/// What is taken for the size of something of which nobody tells it.
const UNKNOWN_GIB: u32 = 8;

/// How long it takes until a captured instance is an image.
pub(super) fn capture(gib: Option<u32>) -> SignedDuration {
    AT_LEAST + CAPTURE_PER_GIB * whole(gib)
}

/// How long a copy takes; `minutes` is what EC2 was asked to keep to.
pub(super) fn copy(gib: Option<u32>, minutes: Option<i64>) -> SignedDuration {
    minutes.map_or_else(
        || AT_LEAST + COPY_PER_GIB * whole(gib),
        SignedDuration::from_mins,
    )
}

/// How long something takes yet that was begun at `begun` and is `progress` percent done.
pub(super) fn rest(
    begun: Option<Timestamp>,
    progress: Option<u8>,
    gib: Option<u32>,
    now: Timestamp,
) -> SignedDuration {
    match (begun, progress) {
        (Some(begun), Some(done @ 1..)) => {
            let taken = now.duration_since(begun).max(SignedDuration::ZERO);
            taken * i32::from(100 - done.min(100)) / i32::from(done)
        }
        _ => copy(gib, None),
    }
}

fn whole(gib: Option<u32>) -> i32 {
    i32::try_from(gib.unwrap_or(UNKNOWN_GIB)).unwrap_or(i32::MAX)
}
