//! Which images of a place launch fast, which no list of images shows: asked of all of a place in one list, for objects that
//! ask for it; again and again while EC2 changes something, and else once in an interval, since somebody else may change it.
//! Source: EC2 API, `DescribeFastLaunchImages`.

use std::collections::BTreeMap;

use amity_core::image::fast_launch::{
    FastLaunch, FastLaunchSettings, FastLaunchState, FastLaunchView,
};
use amity_core::image::identity::Place;
use amity_core::image::observed::Unreadable;
use amity_core::image::plan::When;
use amity_core::image::plan::step::Action;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{
    DescribeFastLaunchImagesSuccessItem, FastLaunchSnapshotConfigurationResponse,
    FastLaunchStateCode,
};
use jiff::{SignedDuration, Timestamp};

use super::Inventory;
use super::read::Pages;
use super::remembered::Remembered;
use crate::aws::calls::{self, EC2Calls};
use crate::aws::error::Failure;

const ACTION: &str = "DescribeFastLaunchImages";

/// How long a failure is believed, and an answer while it may lag behind what was written.
const SOON: SignedDuration = SignedDuration::from_mins(1);

/// What was read, and what was written since.
#[derive(Debug, Default)]
pub(super) struct FastLaunches {
    read: Remembered<Place, FastLaunchView>,
    /// What was asked for of an image, for as long as lists may lag behind it.
    written: Remembered<(Place, String), Written>,
}

#[derive(Clone, Copy, Debug)]
struct Written {
    /// How it was switched on; off, if `None`.
    settings: Option<FastLaunchSettings>,
    at: Timestamp,
}

impl Written {
    /// What it is until lists show it.
    fn laid_over(self, listed: Option<&FastLaunch>) -> Option<FastLaunch> {
        let (settings, state) = match (self.settings, listed) {
            (Some(settings), None) => (settings, FastLaunchState::Enabling),
            (None, Some(listed)) if !is_going(listed.state) => {
                (listed.settings, FastLaunchState::Disabling)
            }
            _ => return listed.cloned(),
        };
        Some(FastLaunch {
            settings,
            state,
            reason: None,
            since: Some(self.at),
        })
    }
}

fn is_going(state: FastLaunchState) -> bool {
    matches!(
        state,
        FastLaunchState::Disabling | FastLaunchState::DisablingFailed
    )
}

/// How long what was read before a write is believed, with that laid over it.
const AFTER_A_WRITE: SignedDuration = SignedDuration::from_secs(5);

impl Inventory {
    /// Whether it is known what launches fast in a place, or need not be before its turn comes.
    pub(super) fn knows_fast_launches(&self, place: &Place, when: When, object: &str) -> bool {
        let key = (place.clone(), ACTION.to_owned());
        self.known_fast_launches(place, object).is_some()
            || when == When::InTurn && self.clock.now() < self.first_turn(&key)
    }

    /// What EC2 said of what launches fast, unless that is too long ago, with what was written laid over it.
    pub(super) fn known_fast_launches(
        &self,
        place: &Place,
        object: &str,
    ) -> Option<FastLaunchView> {
        if let Some(unreadable) = self.state().why_unreadable(place, object) {
            return Some(FastLaunchView::Unknown(unreadable));
        }
        let now = self.clock.now();
        let mut view = self.fast_launches.read.get(place, now)?;
        if let FastLaunchView::Known(known) = &mut view {
            for ((at, id), written) in self.fast_launches.written.all(now) {
                if at == *place {
                    match written.laid_over(known.get(&id)) {
                        Some(it) => _ = known.insert(id, it),
                        None => _ = known.remove(&id),
                    }
                }
            }
        }
        Some(view)
    }

    /// Reads what launches fast in a place, and remembers what came of it.
    pub(super) async fn read_fast_launches(&self, place: &Place) {
        let answer = self.ask_for_fast_launches(place).await;
        let now = self.clock.now();
        let (view, until) = match answer {
            Ok(known) => {
                let until = self.believed_until(place, &known, now);
                (FastLaunchView::Known(known), until)
            }
            Err(unreadable) => (FastLaunchView::Unknown(unreadable), now + SOON),
        };
        let read = &self.fast_launches.read;
        read.put(place.clone(), view, until, now);
    }

    /// Until what changes by itself may be otherwise, and else for an interval.
    fn believed_until(
        &self,
        place: &Place,
        known: &BTreeMap<String, FastLaunch>,
        now: Timestamp,
    ) -> Timestamp {
        let changing = known.values().filter_map(|it| it.looks_again(now));
        let written = self.fast_launches.written.all(now);
        let of_here = written.into_iter().filter(|((at, _), _)| at == place);
        let laid_over = of_here.filter_map(|((_, id), written)| {
            let listed = known.get(&id);
            let shown = written.laid_over(listed);
            (shown.as_ref() != listed).then(|| shown?.looks_again(now))?
        });
        let soonest = changing.chain(laid_over).min();
        soonest.unwrap_or(now + self.settings.permissions_interval)
    }

    /// What was switched is so, whatever EC2 lists in the next minutes. What may have been switched is not known.
    pub(super) fn wrote_fast_launch(&self, place: &Place, action: &Action, is_done: bool) {
        let (id, settings) = match action {
            Action::EnableFastLaunch { id, settings } => (id, Some(*settings)),
            Action::DisableFastLaunch { id } => (id, None),
            _ => return,
        };
        let FastLaunches { read, written: all } = &self.fast_launches;
        if !is_done {
            read.forget(|other| other == place);
            return;
        }
        let now = self.clock.now();
        let until = now + self.settings.consistency_window;
        let written = Written { settings, at: now };
        all.put((place.clone(), id.clone()), written, until, now);
        read.change(place, now + AFTER_A_WRITE, |_| {});
    }

    async fn ask_for_fast_launches(
        &self,
        place: &Place,
    ) -> Result<BTreeMap<String, FastLaunch>, Unreadable> {
        let session = self
            .sessions
            .proven(&place.account)
            .ok_or_else(|| self.why_closed(place))?;
        let (ec2, calls) = (session.ec2(&place.region), self.sessions.calls());
        let answer = self.in_turn(place, ACTION, list(&ec2, calls)).await?;
        answer.map_err(|failure| failure.unreadable(ACTION, place))
    }
}

/// All of the account's, of whatever images.
async fn list(ec2: &Ec2, calls: &EC2Calls) -> Result<BTreeMap<String, FastLaunch>, Failure> {
    let mut known = BTreeMap::new();
    let mut pages = Pages::default();
    loop {
        let request = ec2
            .describe_fast_launch_images()
            .set_next_token(pages.token().map(str::to_owned));
        let page = calls::read(calls, ACTION, || request.clone().send()).await?;
        for item in page.fast_launch_images() {
            let id = item.image_id().unwrap_or_default();
            known.insert(id.to_owned(), fast_launch(item)?);
        }
        if pages.is_last(page.next_token())? {
            return Ok(known);
        }
    }
}

fn fast_launch(item: &DescribeFastLaunchImagesSuccessItem) -> Result<FastLaunch, Failure> {
    let state = match item.state() {
        Some(FastLaunchStateCode::Enabling) => FastLaunchState::Enabling,
        Some(FastLaunchStateCode::EnablingFailed) => FastLaunchState::EnablingFailed,
        Some(FastLaunchStateCode::Enabled) => FastLaunchState::Enabled,
        Some(FastLaunchStateCode::EnabledFailed) => FastLaunchState::EnabledFailed,
        Some(FastLaunchStateCode::Disabling) => FastLaunchState::Disabling,
        Some(FastLaunchStateCode::DisablingFailed) => FastLaunchState::DisablingFailed,
        other => {
            return Err(Failure::unknown(format!(
                "EC2's answer is broken: a fast launch in the state {}",
                other.map_or("none", |state| state.as_str())
            )));
        }
    };
    let snapshots = item.snapshot_configuration();
    let target = snapshots.and_then(FastLaunchSnapshotConfigurationResponse::target_resource_count);
    Ok(FastLaunch {
        settings: FastLaunchSettings {
            target_resource_count: target.unwrap_or_default(),
            max_parallel_launches: item.max_parallel_launches().unwrap_or_default(),
        },
        state,
        reason: item.state_transition_reason().map(str::to_owned),
        since: item
            .state_transition_time()
            .and_then(|time| Timestamp::from_second(time.secs()).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: FastLaunchSettings = FastLaunchSettings {
        target_resource_count: 5,
        max_parallel_launches: 6,
    };

    fn listed(state: FastLaunchState) -> FastLaunch {
        FastLaunch {
            settings: SETTINGS,
            state,
            reason: None,
            since: None,
        }
    }

    #[track_caller]
    fn shows(
        settings: Option<FastLaunchSettings>,
        was: Option<FastLaunchState>,
        is: Option<FastLaunchState>,
    ) {
        let at = Timestamp::UNIX_EPOCH;
        let was = was.map(listed);
        let shown = Written { settings, at }.laid_over(was.as_ref());
        assert_eq!(shown.map(|shown| shown.state), is, "{settings:?} {was:?}");
    }

    #[test]
    fn what_was_written_shows_until_lists_do() {
        use FastLaunchState::{Disabling, DisablingFailed, Enabled, Enabling, EnablingFailed};
        let on = Some(SETTINGS);
        shows(on, None, Some(Enabling));
        for state in [Enabling, Enabled, EnablingFailed] {
            shows(on, Some(state), Some(state));
            shows(None, Some(state), Some(Disabling));
        }
        shows(None, None, None);
        shows(None, Some(DisablingFailed), Some(DisablingFailed));
    }
}
