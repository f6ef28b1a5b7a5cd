//! What a plan leads to: every step until EC2 matches, with when and why, before anything is done.
//!
//! The planner is asked again and again, and each time what it wants done now is done to a copy of what was observed, as EC2
//! would do it. So the forecast is what the controller does, so long as nobody else does anything meanwhile.

mod ec2;
mod estimate;
mod machines;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::desired::{Installation, References};
use super::identity::Place;
use super::observed::{Observed, SourceView};
use super::plan::{Action, Plan, Reads, SourceQuery, Step};
use super::report::report;
use crate::api::{MachineImage, MachineImageStatus, conditions};
use ec2::Ec2;

/// No plan takes so many rounds; one that does goes round and round, and is told so far.
const MOST_ROUNDS: usize = 20_000;

/// What happens later is not foretold.
const HORIZON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is known before anything is done.
#[derive(Clone, Copy, Debug)]
pub struct Outset<'a> {
    /// What is asked for.
    pub image: &'a MachineImage,
    /// Who asks.
    pub installation: &'a Installation,
    /// What the spec refers to.
    pub references: References<'a>,
    /// What EC2 has.
    pub observed: &'a Observed,
    /// What EC2 told of sources, by what it was asked.
    pub sources: &'a BTreeMap<SourceQuery, SourceView>,
    /// What was read besides the lists. What of it is in neither of the two above could not be read.
    pub read: &'a Reads,
}

/// What becomes of an object.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// What is done, in the order of its times.
    pub steps: Vec<Foreseen>,
    /// What is left when nothing goes on by itself any more: steps that wait for somebody, and what stands in the way.
    pub left: Plan,
    /// What the object says then.
    pub status: MachineImageStatus,
    /// From when on EC2 matches the spec, or nothing is left of an object that is deleted; none, if somebody has to act first.
    pub done: Option<Timestamp>,
    /// Bytes that are stored now at most, by place. A place that cannot be read has none here.
    pub stored: BTreeMap<Place, u64>,
    /// The same when it ends; none, where it is not known how large something is that is made.
    pub will_store: Option<BTreeMap<Place, u64>>,
}

/// A step that will be taken.
#[derive(Clone, Debug)]
pub struct Foreseen {
    /// When, if EC2 takes as long as it usually does.
    pub at: Timestamp,
    /// What, and why.
    pub step: Step,
    /// What stands for the id of the image that it makes, in the steps that follow.
    pub makes: Option<String>,
}

/// What becomes of an object from `now` on.
///
/// # Errors
/// What else has to be read first.
pub fn forecast(outset: &Outset<'_>, now: Timestamp) -> Result<Forecast, Box<Reads>> {
    let mut ec2 = Ec2::new(outset, now);
    let (stored, _) = ec2.stored();
    let (mut steps, mut done) = (Vec::new(), None);
    let mut rounds = 0..MOST_ROUNDS;
    loop {
        let (desired, plan) = ec2.plan(outset)?;
        let checked = plan.checked(&desired, &ec2.observed, ec2.now);
        let status = report(&ec2.image, &desired, &ec2.observed, &checked, ec2.now);
        let is_news = ec2.image.status.as_ref() != Some(&status);
        ec2.image.status = Some(status.clone());
        done = done.filter(|_| checked.findings.is_empty());
        if status.says(conditions::READY).is_some() || checked.is_at_rest() {
            done.get_or_insert(ec2.now);
        }
        let next = checked.next_steps();
        for step in &next {
            steps.push(Foreseen {
                at: ec2.now,
                step: (*step).clone(),
                makes: ec2.take(step),
            });
        }
        let ends = next.iter().any(|step| is_the_end(step));
        let goes_on = !next.is_empty() || is_news && checked.awaits_status();
        let is_left = rounds.next().is_some();
        if !ends && is_left && (goes_on || ec2.wait(&desired, &checked, now + HORIZON)) {
            continue;
        }
        if ends {
            done = Some(ec2.now);
        }
        let (will_store, is_known) = ec2.stored();
        return Ok(Forecast {
            steps,
            left: if ends {
                Plan::default()
            } else {
                (*checked).clone()
            },
            status,
            done,
            stored,
            will_store: is_known.then_some(will_store),
        });
    }
}

/// The object is gone.
fn is_the_end(step: &Step) -> bool {
    step.action == Action::ReleaseFinalizer
}
