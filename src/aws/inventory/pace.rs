//! When a place is worth reading again: seconds after something was made and near the end of a copy, minutes in the
//! middle of it, and minutes apart when nothing goes on.

use std::hash::{DefaultHasher, Hash, Hasher};

use amity_core::image::identity::Place;
use jiff::{SignedDuration, Timestamp};

/// After a write: so late that several writes are read at once.
pub(super) const AFTER_WRITE: SignedDuration = SignedDuration::from_millis(1_500);

/// After something was begun: lists show it a few seconds later, and it takes much longer.
pub(super) const AFTER_CREATION: SignedDuration = SignedDuration::from_secs(5);

/// After tags were written: what they are is known, and that lists agree is not urgent.
const AFTER_TAGS: SignedDuration = SignedDuration::from_secs(20);

/// Between two readings while something may be shown any moment.
pub(super) const SOON: SignedDuration = SignedDuration::from_secs(2);

/// Between two readings while something goes on of which EC2 does not tell how far it is.
const LATE: SignedDuration = SignedDuration::from_mins(1);

/// Between two readings while something goes on that tells how far it is.
const FAR: SignedDuration = SignedDuration::from_mins(5);

/// The first and the longest time between tries of a place that cannot be read.
pub(super) const RETRY: (SignedDuration, SignedDuration) = (SOON, LATE);

/// Until lists may agree with something that changed at `since`: the longer they do not, the less often
/// they are read, but once more when the window ends.
pub(super) fn until_settled(
    since: Timestamp,
    now: Timestamp,
    window: SignedDuration,
) -> SignedDuration {
    until_shown(since, now, window, SOON)
}

/// The same of tags that were written.
pub(super) fn until_tagged(
    since: Timestamp,
    now: Timestamp,
    window: SignedDuration,
) -> SignedDuration {
    until_shown(since, now, window, AFTER_TAGS)
}

fn until_shown(
    since: Timestamp,
    now: Timestamp,
    window: SignedDuration,
    soonest: SignedDuration,
) -> SignedDuration {
    let waited = now.duration_since(since);
    let decides = since
        .saturating_add(window)
        .unwrap_or(Timestamp::MAX)
        .duration_since(now);
    let next = (waited / 2).clamp(soonest, LATE);
    if decides > SignedDuration::ZERO {
        next.min(decides.max(SOON))
    } else {
        next
    }
}

/// Until something that was begun at `begun` and was `progress` percent done at `moved` may be finished.
///
/// Six tenths of the time that is left, by what it took until then, and when that is little all of it; later in steps of
/// a hundredth of what it took, and longer ones when it is late. Of what does not tell how far it is, a third of what it
/// took; of what has hardly begun, twice that.
pub(super) fn until_done(
    begun: Timestamp,
    progress: Option<u8>,
    moved: Timestamp,
    now: Timestamp,
) -> SignedDuration {
    let taken = now.duration_since(begun).max(SignedDuration::ZERO);
    let done = match progress.map(i32::from) {
        Some(done @ 1..=100) => done,
        Some(_) => return (taken * 2).clamp(SOON, LATE),
        None => return (taken / 3).clamp(SOON, LATE),
    };
    // 50 percent are 50 to 51.
    let total = moved.duration_since(begun).max(SignedDuration::ZERO) * 200 / (2 * done + 1);
    let left = total - taken;
    if left > taken / 20 {
        (left * 6 / 10).clamp(SOON, FAR)
    } else if left > SignedDuration::ZERO {
        (left + taken / 200).max(SOON)
    } else {
        (-left / 6).min(LATE).max(taken / 100).max(SOON)
    }
}

/// Whether it is worth asking how far something is that was begun at `begun`, and about which that was asked at
/// `asked`: near the end it no longer is.
pub(super) fn tells_more(begun: Timestamp, asked: Timestamp, now: Timestamp) -> bool {
    now.duration_since(asked) * 10 >= now.duration_since(begun)
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
        assert_eq!(next(10, 600), 300);
        assert_eq!(next(50, 300), 176);
        assert_eq!(next(90, 540), 34);
        assert_eq!(next(97, 582), 2 + 15);
        assert_eq!(next(99, 30), 2);
        assert_eq!(until_done(START, None, START, after(60)).as_secs(), 20);
        assert_eq!(until_done(START, Some(0), START, after(5)).as_secs(), 10);
    }

    #[test]
    fn the_end_is_reckoned_from_when_it_was_last_seen_to_move() {
        let next = |now| until_done(START, Some(80), after(480), after(now)).as_secs();
        assert_eq!((next(480), next(540), next(580)), (69, 33, 3 + 16));
    }

    #[test]
    fn how_far_it_is_is_not_asked_again_at_once() {
        assert!(tells_more(START, after(500), after(600)));
        assert!(!tells_more(START, after(550), after(600)));
        assert!(tells_more(START, START, after(1)));
    }

    #[test]
    fn what_is_late_is_read_less_often() {
        let next = |now| until_done(START, Some(100), after(600), after(now)).as_secs();
        assert_eq!((next(606), next(780), next(1200)), (6, 30, 60));
    }

    #[test]
    fn an_end_of_the_window_is_not_missed() {
        let window = SignedDuration::from_secs(600);
        assert_eq!(until_settled(START, after(0), window), SOON);
        assert_eq!(until_settled(START, after(100), window).as_secs(), 50);
        assert_eq!(until_settled(START, after(590), window).as_secs(), 10);
        assert_eq!(until_settled(START, after(700), window), LATE);
        assert_eq!(until_tagged(START, after(0), window), AFTER_TAGS);
        assert_eq!(until_tagged(START, after(590), window).as_secs(), 10);
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
