//! The plan that was made last for each object, for whoever asks. Of an object at rest only the times are kept, and of
//! any other its page as compressed JSON: what ten thousand objects are about to do takes some megabytes, and that they
//! have nothing to do takes one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use amity_core::api::conditions::whole_seconds;
use amity_core::image::desired::Desired;
use amity_core::image::identity::Place;
use amity_core::image::observed::{Observed, PlaceView};
use amity_core::image::plan::{Finding, Plan, Step};
use jiff::{SignedDuration, Timestamp};

use crate::telemetry::plan_page::{Found, PlanPage, PlannedStep};

/// How many steps are kept: more than anybody reads.
const MOST_STEPS: usize = 50;

/// How many findings are kept, and how many notes.
const MOST_FINDINGS: usize = 20;

/// The longest text that is kept of a reason or message.
const LONGEST: usize = 500;

/// The last plan of each object.
#[derive(Debug, Default)]
pub struct Plans(Mutex<BTreeMap<Box<str>, Kept>>);

/// What is kept of one.
#[derive(Debug)]
enum Kept {
    /// There is nothing to do, and nothing to tell. Which revision that is about, the object says.
    AtRest {
        /// In seconds, as all of these.
        planned_at: i64,
        looks_again_in: u32,
        observed_before: Option<u32>,
    },
    /// The page, as JSON that is compressed with LZ4.
    Page(Box<[u8]>),
}

impl Plans {
    /// Keeps what was planned.
    pub(super) fn keep(&self, page: &PlanPage) {
        let key = page.object.as_str().into();
        let kept = if page.at_rest && page.notes.is_empty() {
            let since = |early: Timestamp, late: Timestamp| {
                let seconds = late.duration_since(early).as_secs();
                u32::try_from(seconds).unwrap_or_default()
            };
            Kept::AtRest {
                planned_at: page.planned_at.as_second(),
                looks_again_in: since(page.planned_at, page.looks_again_at),
                observed_before: page.observed_at.map(|time| since(time, page.planned_at)),
            }
        } else {
            let text = serde_json::to_vec(page).unwrap_or_default();
            Kept::Page(lz4_flex::block::compress_prepend_size(&text).into())
        };
        self.lock().insert(key, kept);
    }

    /// What was planned last for an object, which at rest is of the `revision` that is asked for.
    pub(super) fn of(
        &self,
        object: &str,
        revision: impl FnOnce() -> Option<String>,
    ) -> Option<PlanPage> {
        match self.lock().get(object)? {
            Kept::AtRest {
                planned_at,
                looks_again_in,
                observed_before,
            } => Some(PlanPage {
                object: object.to_owned(),
                revision: revision().unwrap_or_default(),
                planned_at: at(*planned_at)?,
                looks_again_at: at(planned_at + i64::from(*looks_again_in))?,
                observed_at: observed_before.and_then(|before| at(planned_at - i64::from(before))),
                at_rest: true,
                steps: Vec::new(),
                more_steps: 0,
                findings: Vec::new(),
                notes: Vec::new(),
            }),
            Kept::Page(text) => {
                let text = lz4_flex::block::decompress_size_prepended(text).ok()?;
                serde_json::from_slice(&text).ok()
            }
        }
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, object: &str) {
        self.lock().remove(object);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a person reads of a plan.
pub(super) fn page(
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    now: Timestamp,
    look_again_in: Duration,
) -> PlanPage {
    let wait = SignedDuration::try_from(look_again_in).unwrap_or(SignedDuration::MAX);
    let found = |all: &[Finding]| all.iter().take(MOST_FINDINGS).map(found).collect();
    let steps = plan.steps.iter().take(MOST_STEPS);
    PlanPage {
        object: desired.identity.object.clone(),
        revision: desired.revision.to_string(),
        planned_at: whole_seconds(now).0,
        looks_again_at: whole_seconds(now.saturating_add(wait).unwrap_or(Timestamp::MAX)).0,
        observed_at: observed_at(desired, observed).map(|time| whole_seconds(time).0),
        at_rest: plan.is_at_rest(),
        steps: steps.map(|step| planned(desired, step)).collect(),
        more_steps: plan.steps.len().saturating_sub(MOST_STEPS),
        findings: found(&plan.findings),
        notes: found(&plan.notes),
    }
}

/// When the wanted place was read that was read longest ago; `None` where one was not.
fn observed_at(desired: &Desired, observed: &Observed) -> Option<Timestamp> {
    let read = |place: &Place| match observed.places.get(place) {
        Some(PlaceView::Known(known)) => Some(known.as_of),
        _ => None,
    };
    let read: Option<Vec<Timestamp>> = desired.places.iter().map(read).collect();
    read?.into_iter().min()
}

fn planned(desired: &Desired, step: &Step) -> PlannedStep {
    let place = step.place.as_ref();
    PlannedStep {
        step: step.action.name().to_owned(),
        id: step.action.subject(),
        account_name: place.map(|place| desired.account_name(place).to_owned()),
        region: place.map(|place| place.region.clone()),
        why: shortened(&step.why.to_string()),
        waits_for: step
            .waits_for
            .as_ref()
            .map(|what| shortened(&what.to_string())),
    }
}

fn found(finding: &Finding) -> Found {
    Found {
        reason: finding.reason.name.to_owned(),
        region: finding.place.as_ref().map(|place| place.region.clone()),
        message: shortened(&finding.message),
    }
}

fn at(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(second: i64) -> Timestamp {
        at(second).expect("a time")
    }

    fn page(at_rest: bool) -> PlanPage {
        let step = PlannedStep {
            step: "CopyImage".to_owned(),
            id: Some("us-east-1/ami-1".to_owned()),
            account_name: Some("default".to_owned()),
            region: Some("eu-west-1".to_owned()),
            why: "wanted by spec.regions".to_owned(),
            waits_for: None,
        };
        PlanPage {
            object: "team/web".to_owned(),
            revision: "3f9a1c07d2".to_owned(),
            planned_at: time(9),
            looks_again_at: time(69),
            observed_at: Some(time(4)),
            at_rest,
            steps: if at_rest { Vec::new() } else { vec![step] },
            more_steps: 0,
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn what_was_planned_last_comes_out_as_it_went_in() {
        let plans = Plans::default();
        for at_rest in [false, true] {
            plans.keep(&page(at_rest));
            let revision = || Some("3f9a1c07d2".to_owned());
            assert_eq!(plans.of("team/web", revision), Some(page(at_rest)));
        }
        plans.forget("team/web");
        assert_eq!(plans.of("team/web", || None), None);
    }
}
