//! One story, and the same story with a crash before and after each of its effects, or with the statuses deleted then:
//! they end alike.

use ec2sim::World;
use serde_json::{Value, json};

use crate::cast::Key;
use crate::expected::{Expected, Images};
use crate::process::lock;
use crate::story::SETTLES_WITHIN;
use crate::universe::{Accident, Pace, Universe};
use crate::{oracles, regions, rights, side_by_side, virtual_time};

/// What is there of ours at the end of each chapter, ids and times aside.
type Ending = Vec<Vec<String>>;

#[test]
fn a_crash_before_or_after_any_effect_changes_nothing_of_the_outcome() {
    ends_alike_with(&[Accident::CrashBefore, Accident::CrashAfter]);
}

#[test]
fn a_status_that_is_deleted_at_any_effect_changes_nothing_of_the_outcome() {
    ends_alike_with(&[Accident::StatusDeleted]);
}

fn ends_alike_with(accidents: &[Accident]) {
    let (plain, effects) = tell(None).expect("the story without an accident");
    assert!(effects > 20, "a story of {effects} effects is no story");
    let all = (0..effects).flat_map(|number| accidents.iter().map(move |one| (number, *one)));
    let failures = side_by_side(all, |accident| match tell(Some(accident)) {
        Ok((ending, _)) if ending == plain => None,
        Ok((ending, _)) => Some(format!("{accident:?}: {ending:#?} instead of {plain:#?}")),
        Err(error) => Some(format!("{accident:?}: {error}")),
    });
    assert!(
        failures.is_empty(),
        "{} of {} accidents: {}",
        failures.len(),
        accidents.len() * effects,
        failures.join("\n")
    );
}

/// An instance is captured, copied to two other regions, captured again, and everything is deleted.
fn tell(accident: Option<(usize, Accident)>) -> Result<(Ending, usize), String> {
    virtual_time(async {
        let world = World::from_yaml(include_str!("world.yaml")).expect("a world");
        let mut world = rights::restricted(world.with_seed(7));
        // Quicker than in other stories, for there are many of them; and no copy fails by chance, for the
        // endings are compared.
        let knobs = world.knobs_mut();
        (knobs.base_milliseconds, knobs.milliseconds_per_gib) = (20_000, 1_000);
        (knobs.max_read_lag_seconds, knobs.failed_copies_per_mille) = (10, 0);
        fastrand::seed(7);
        let universe = Universe::at(Pace::default(), world, 7, 1, vec![Key::only()]);
        *lock(&universe.accident) = accident;
        universe.live(chapters(&universe)).await
    })
}

async fn chapters(universe: &Universe) -> Result<(Ending, usize), String> {
    let key = Key::only();
    let before = oracles::foreign(universe);
    let (mut ending, mut expected) = (Ending::new(), Expected::default());
    let mut renamed = spec("second");
    renamed["publish"]["ssmParameterName"] = "/published/renamed".into();
    for spec in [spec("first"), renamed] {
        universe.apply(&key, &spec);
        let matches = |universe: &Universe| {
            let mut expected = expected.clone();
            let nothing_is_used = Images::new();
            oracles::is_ready(universe, &key)
                && oracles::matches(universe, &key, &spec, &mut expected, &nothing_is_used).is_ok()
        };
        if !universe.run_until(SETTLES_WITHIN, matches).await {
            let status = universe.object(&key).and_then(|image| image.status);
            return Err(format!("EC2 does not match: {}", oracles::explain(status)));
        }
        oracles::matches(universe, &key, &spec, &mut expected, &Images::new())?;
        oracles::no_more_than_one_capture(universe)?;
        ending.push(oracles::ours(universe));
    }
    universe.delete(&key);
    if !universe
        .run_until(SETTLES_WITHIN, |universe| universe.object(&key).is_none())
        .await
    {
        return Err("the object does not go".to_owned());
    }
    oracles::nothing_is_left(universe, &key)?;
    oracles::unharmed(universe, &before)?;
    oracles::nothing_was_denied(universe)?;
    if universe.invariants_broken() > 0 {
        return Err("a plan broke an invariant".to_owned());
    }
    let effects = lock(&universe.effects).len();
    Ok((ending, effects))
}

fn spec(rebuild: &str) -> Value {
    json!({
        "source": {"instance": {"region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": "Never"}},
        "rebuild": rebuild,
        "regions": regions(&["eu-west-1", "ap-northeast-1"]),
        "tags": {"team": "web"},
        "retention": {"revisions": 0},
        "publish": {"ssmParameterName": "/published/web"},
    })
}
