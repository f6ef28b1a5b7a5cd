//! When a place is worth reading again: seconds after a write and near the end of a copy, a minute in the
//! middle of it, minutes apart when nothing goes on.

use std::hash::{DefaultHasher, Hash, Hasher};

use amity_core::image::identity::Place;
use jiff::{SignedDuration, Timestamp};

/// After a write: so late that several writes are read at once.
pub(super) const AFTER_WRITE: SignedDuration = SignedDuration::from_millis(1_500);

/// Between two readings while something may be shown any moment.
pub(super) const SOON: SignedDuration = SignedDuration::from_secs(2);

/// Between two readings while something goes on.
const LATE: SignedDuration = SignedDuration::from_mins(1);

/// The first and the longest time between tries of a place that cannot be read.
pub(super) const RETRY: (SignedDuration, SignedDuration) = (SOON, LATE);

/// Until lists may agree with something that changed at `since`: the longer they do not, the less often
/// they are read, but once more when the window ends.
pub(super) fn until_settled(
    since: Timestamp,
    now: Timestamp,
    window: SignedDuration,
) -> SignedDuration {
    let waited = now.duration_since(since);
    let decides = since
        .saturating_add(window)
        .unwrap_or(Timestamp::MAX)
        .duration_since(now);
    let next = (waited / 2).clamp(SOON, LATE);
    if decides > SignedDuration::ZERO {
        next.min(decides.max(SOON))
    } else {
        next
    }
}

/// Until something that was begun at `begun` and was `progress` percent done at `moved` may be finished.
///
/// A third of the time that is left, by what it took so far; less often when it does not move.
pub(super) fn until_done(
    begun: Timestamp,
    progress: Option<u8>,
    moved: Timestamp,
    now: Timestamp,
) -> SignedDuration {
    let taken = now.duration_since(begun).max(SignedDuration::ZERO);
    let left = match progress.map(i64::from) {
        Some(done) if (1..=100).contains(&done) => SignedDuration::from_millis(
            i64::try_from(taken.as_millis()).unwrap_or(i64::MAX) / done * (100 - done),
        ),
        _ => taken,
    };
    let stands_still = now.duration_since(moved);
    (left / 3).max(stands_still / 6).clamp(SOON, LATE)
}

/// The rest interval of a place: up to a tenth shorter, always the same for the same place, so that not all
/// are read at the same moment.
pub(super) fn at_rest(place: &Place, interval: SignedDuration) -> SignedDuration {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    let tenth = interval / 10;
    let share = i32::try_from(hasher.finish() % 100).unwrap_or_default();
    interval - tenth * share / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn after(seconds: i64) -> Timestamp {
        START + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_copy_is_read_often_at_its_end_and_seldom_in_its_middle() {
        let next =
            |progress, now| until_done(START, Some(progress), after(now), after(now)).as_secs();
        assert_eq!(next(50, 600), 60);
        assert_eq!(next(90, 600), 22);
        assert_eq!(next(99, 600), 2);
    }

    #[test]
    fn what_does_not_move_is_read_less_often() {
        assert_eq!(until_done(START, Some(100), after(600), after(606)), SOON);
        assert_eq!(until_done(START, Some(100), after(600), after(1200)), LATE);
    }

    #[test]
    fn an_end_of_the_window_is_not_missed() {
        let window = SignedDuration::from_secs(600);
        assert_eq!(until_settled(START, after(0), window), SOON);
        assert_eq!(until_settled(START, after(100), window).as_secs(), 50);
        assert_eq!(until_settled(START, after(590), window).as_secs(), 10);
        assert_eq!(until_settled(START, after(700), window), LATE);
    }

    #[test]
    fn places_at_rest_are_spread() {
        let interval = SignedDuration::from_mins(5);
        let of = |region: &str| at_rest(&Place::new("111122223333", region), interval);
        assert_eq!(of("eu-west-1"), of("eu-west-1"));
        assert_ne!(of("eu-west-1"), of("us-east-1"));
        assert!(of("eu-west-1") > SignedDuration::from_secs(269) && of("eu-west-1") <= interval);
    }
}
