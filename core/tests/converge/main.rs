//! From any start, whatever it is: no plan breaks an invariant, and the steps of one plan after the other lead
//! to rest, with exactly one published image of the wanted revision in each wanted region, nothing else of
//! ours, and everything of others as it was.

mod ec2;
mod start;
mod status;

use std::collections::BTreeSet;

use amity_core::api::conditions;
use amity_core::image::desired::Desired;
use amity_core::image::identity::{Standing, standing, tag};
use amity_core::image::invariants::{Checked, violations};
use amity_core::image::observed::{ImageState, Observed};
use amity_core::image::plan::{Plan, Step, plan};
use amity_core::image::report::report;
use proptest::prelude::*;

use ec2::Ec2;

/// More rounds than any start needs: a bound, not an expectation.
const ROUNDS: usize = 400;

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn no_plan_of_any_situation_breaks_an_invariant(start in start::anything()) {
        let world = Ec2::of(&start);
        let desired = world.desired();
        let mut observed = world.observed(&desired);
        start.disturb(&mut observed, world.now);
        let made = look(&world, &desired, &observed);
        prop_assert!(made.next_steps().len() <= observed.places.len().max(1));
    }

}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn every_start_comes_to_rest_as_the_spec_says(start in start::mendable()) {
        let mut world = Ec2::of(&start);
        let strangers = world.strangers();
        let foreign_snapshots = world.foreign_snapshots();
        run(&mut world);
        let desired = world.desired();
        prop_assert_eq!(world.published(&desired), world.wanted(), "published where it is wanted, and once");
        let live = world.of_wanted_revision(&desired, true);
        if start.retains {
            prop_assert!(world.destroyed.is_empty(), "{:?}", world.destroyed);
        } else {
            prop_assert_eq!(live.len(), world.wanted().len(), "nothing else of ours: {:?}", live);
            kept(&world, &desired, start.kept_revisions);
            prop_assert_eq!(world.unused_snapshots(&desired), BTreeSet::new());
        }
        prop_assert_eq!(world.strangers(), strangers.clone());
        prop_assert_eq!(world.not_taken_over(&desired), Vec::<String>::new());
        prop_assert!(world.captures <= 1, "one reboot per revision at most");

        world.delete();
        run(&mut world);
        prop_assert!(!world.has_finalizer);
        if !start.retains {
            prop_assert!(world.ours(&world.desired()).is_empty());
        }
        if !start.retains {
            prop_assert_eq!(world.strangers(), strangers);
            prop_assert_eq!(world.foreign_snapshots(), foreign_snapshots);
        }
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn what_is_foretold_is_what_is_done(start in start::without_accidents()) {
        let mut world = Ec2::of(&start);
        let foretold = world.forecast();
        let foretold = foretold.steps.iter().map(|foreseen| &foreseen.step);
        let mut foretold: Vec<_> = foretold.filter_map(done).collect();
        let mut all: Vec<_> = run(&mut world).iter().filter_map(done).collect();
        foretold.sort();
        all.sort();
        prop_assert_eq!(foretold, all);
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn what_is_billed_otherwise_is_registered_once_and_discarded(start in start::billed_otherwise()) {
        let mut world = Ec2::of(&start);
        let published = world.published_at_all();
        run(&mut world);
        let desired = world.desired();
        prop_assert!(world.registrations <= 1);
        let left = world.of_wanted_revision(&desired, true).len();
        prop_assert_eq!(left, usize::from(start.retains && world.registrations == 1), "it is discarded");
        prop_assert_eq!(world.published_at_all(), published, "what users launch stays");
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// A name is the one source of which a status says more than anybody else knows, until an image does.
    #[test]
    fn no_status_changes_a_plan(start in start::of_no_name(), status in status::any()) {
        let mut world = Ec2::of(&start);
        let planned = |world: &Ec2| {
            let desired = world.desired();
            let mut observed = world.observed(&desired);
            start.disturb(&mut observed, world.now);
            plan(&desired, &observed, world.now)
        };
        let without = planned(&world);
        let revision = world.desired().revision;
        world.record(status.of(&revision));
        prop_assert_eq!(planned(&world), without);
    }
}

/// Of other revisions there is only what `spec.retention` keeps.
fn kept(world: &Ec2, desired: &Desired, most: i32) {
    let others = world.of_wanted_revision(desired, false);
    let revisions: BTreeSet<_> = others
        .iter()
        .map(|(place, image)| {
            assert!(desired.wants(place), "{} is not wanted there", image.id);
            assert!(
                image.tags.contains_key(tag::SUPERSEDED)
                    && !image.tags.contains_key(tag::PUBLISHED),
                "{} was never published",
                image.id
            );
            image.tags.get(tag::REVISION).expect("a revision")
        })
        .collect();
    let most = usize::try_from(most).unwrap();
    assert!(revisions.len() <= most, "{revisions:?} are kept");
    for revision in world.was_worth_keeping() {
        assert!(
            revisions.len() == most || revisions.contains(revision.as_str()),
            "{revision} might have been kept, but {revisions:?} are"
        );
    }
}

/// `PROPTEST_CASES`, or so many.
fn cases(otherwise: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise);
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// What is done where, and to what; an image that was only made meanwhile has no name, and how many snapshots it has
/// nobody knows before.
fn done(step: &Step) -> Option<String> {
    let place = step.place.as_ref().map(ToString::to_string);
    let target = step.action.target().unwrap_or_default();
    let is_made = target.contains("-made") || target.contains("-new");
    let target = if is_made { "what was made" } else { target };
    let is_snapshot = step
        .action
        .target()
        .is_some_and(|id| id.starts_with("snap-"));
    (!is_made || !is_snapshot).then(|| format!("{place:?} {} {target}", step.action.name()))
}

/// One plan after the other until there is nothing to do for a whole window. Where nothing can be done now, a
/// minute goes by. Gives what was done.
fn run(world: &mut Ec2) -> Vec<Step> {
    let mut all = Vec::new();
    let mut trace = Vec::new();
    let mut quiet = 0;
    for _ in 0..ROUNDS {
        let desired = world.desired();
        let observed = world.observed(&desired);
        let made = look(world, &desired, &observed);
        if world.deleted && !world.has_finalizer {
            return all;
        }
        // Where EC2 bills something else, somebody has to act: what is left to do by then is nothing.
        let waits_for_somebody = world.bills_otherwise() && made.next_steps().is_empty();
        let is_quiet = made.is_at_rest() || waits_for_somebody;
        quiet = if is_quiet { quiet + 1 } else { 0 };
        if quiet > if waits_for_somebody { 25 } else { 12 } {
            return all;
        }
        let steps: Vec<_> = made.next_steps().into_iter().cloned().collect();
        let steps_and_waits = made.steps.iter().map(|step| {
            let waits_for = step.waits_for.as_ref().map(ToString::to_string);
            format!("{}, waits for {waits_for:?}", step.action)
        });
        let steps_and_waits: Vec<_> = steps_and_waits.collect();
        trace.push(format!(
            "{} {steps_and_waits:#?} {:?}",
            world.now, made.findings
        ));
        let image = world.image();
        let status = report(&image, &desired, &observed, &made, world.now);
        // What EC2 shows late, and what lists lacked at the start, is told until then.
        if quiet > 10 && made.is_at_rest() {
            assert_eq!(
                image.status.as_ref(),
                Some(&status),
                "at rest no status is written"
            );
        }
        world.record(status);
        for step in &steps {
            world.perform(step);
            all.push(step.clone());
        }
        if steps.is_empty() {
            world.minute();
        }
    }
    panic!(
        "no rest after {ROUNDS} rounds; the last were\n{}",
        trace[trace.len() - 6..].join("\n")
    );
}

/// What holds of every plan, and of every report of one.
fn look(world: &Ec2, desired: &Desired, observed: &Observed) -> Checked {
    let made = plan(desired, observed, world.now);
    assert_eq!(
        made,
        plan(desired, observed, world.now),
        "the same question has the same answer"
    );
    assert_eq!(
        violations(&made, desired, observed, world.now),
        [],
        "{made:#?}"
    );
    let made = made.checked(desired, observed, world.now);
    let next = made.next_steps();
    let places: BTreeSet<_> = next.iter().map(|step| &step.place).collect();
    assert_eq!(
        places.len(),
        next.len(),
        "at most one step per place: {next:?}"
    );
    for step in next.iter().filter(|step| step.action.destroys()) {
        let known = observed.known_at(step.place.as_ref().unwrap()).unwrap();
        let id = step.action.target().unwrap();
        let image = known
            .images
            .iter()
            .find(|image| image.id == id)
            .map(|image| standing(image, &desired.identity));
        let snapshot = known
            .snapshots
            .iter()
            .find(|one| one.id == id)
            .map(|one| one.tags.get(tag::SELF) == Some(&one.id));
        assert!(
            image == Some(Standing::Ours) || snapshot == Some(true),
            "{step:?} is of something unsealed"
        );
    }
    reported(world, desired, observed, &made);
    made
}

fn reported(world: &Ec2, desired: &Desired, observed: &Observed, made: &Plan) {
    let status = report(&world.image(), desired, observed, made, world.now);
    let is = |type_: &str| {
        status
            .conditions
            .iter()
            .any(|one| one.type_ == type_ && one.status == "True")
    };
    let (ready, stalled, reconciling) = (
        is(conditions::READY),
        is(conditions::STALLED),
        is(conditions::RECONCILING),
    );
    assert!(
        !(stalled && reconciling) && !(ready && (stalled || reconciling)),
        "{status:#?}"
    );
    if !desired.suspended && !desired.is_being_deleted() {
        assert!(
            ready || stalled || reconciling,
            "nobody moves: {status:#?}\n{made:#?}"
        );
    }
    if ready {
        for place in &desired.places {
            let known = observed.known_at(place).expect("what is ready was read");
            assert!(
                known
                    .images
                    .iter()
                    .any(|image| image.state == ImageState::Available
                        && standing(image, &desired.identity) == Standing::Ours
                        && image.tags.get(tag::REVISION) == Some(desired.revision.as_str())
                        && image.tags.contains_key(tag::PUBLISHED)),
                "Ready, but nothing is published in {place}"
            );
        }
    }
}
