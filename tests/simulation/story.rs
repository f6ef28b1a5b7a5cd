//! One object, and chance: crashes before and after every effect and every write to the cluster, lost and
//! broken answers, throttling, stale reads. One seed is one story.
//!
//! `SEEDS=1000` runs more of them, `SEED=17` only one, with what was done to EC2.

use std::time::Duration;

use ec2sim::World;
use serde_json::{Value, json};

use crate::process::lock;
use crate::universe::{Rates, Universe};
use crate::{number, oracles, regions, side_by_side, virtual_time};

/// The longest that EC2 may take to match the spec once nothing goes wrong any more.
pub const SETTLES_WITHIN: Duration = Duration::from_hours(6);

/// How long EC2's reads lag behind, with a margin.
const LAGS_FOR: Duration = Duration::from_mins(10);

/// How long the controller is watched at rest after each change.
const RESTS_FOR: Duration = Duration::from_hours(2);

/// How long it is watched at rest after the last one.
const RESTS_LONG: Duration = Duration::from_hours(24);

#[test]
fn whatever_happens_ec2_matches_in_the_end_and_nothing_is_lost_or_doubled() {
    let seeds = match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(100),
    };
    let told = seeds.clone().count();
    let failures = side_by_side(seeds, |seed| tell(seed).err().map(|error| (seed, error)));
    for (seed, error) in &failures {
        eprintln!("SEED={seed}: {error}");
    }
    assert!(
        failures.is_empty(),
        "{} of {told} stories failed",
        failures.len()
    );
}

#[test]
fn the_same_seed_is_the_same_story() {
    let first = tell(3).expect("a story");
    assert_eq!(first, tell(3).expect("the same story"));
    assert_ne!(first, tell(4).expect("another story"));
}

/// Tells one story; gives what was done to EC2.
fn tell(seed: u64) -> Result<Vec<String>, String> {
    virtual_time(async {
        let world = World::from_yaml(include_str!("world.yaml"))
            .expect("a world")
            .with_seed(seed);
        let universe = Universe::new(world, seed);
        let outcome = chapters(&universe).await;
        let effects = lock(&universe.effects).clone();
        if number("SEED").is_some() {
            eprintln!("{}", effects.join("\n"));
        }
        outcome.map(|()| effects)
    })
}

/// Apply, change, and delete; after each, EC2 must match.
async fn chapters(universe: &Universe) -> Result<(), String> {
    let before = oracles::foreign(universe);
    let chance = &universe.chance;
    let sources = [
        json!({"instance": {"region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": "Once"}}),
        json!({"instance": {"region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": "Never"}}),
        json!({"image": {"region": "us-east-1", "imageId": "ami-0feedfacefeedface"}}),
    ];
    let mut spec = json!({
        "source": chance.pick(&sources),
        "regions": regions(chance.pick::<&[&str]>(&[
            &["us-east-1", "eu-west-1", "ap-northeast-1"],
            &["eu-west-1", "ap-northeast-1"],
            &["us-east-1"],
        ])),
        "tags": {"team": "web"},
        "retention": {"revisions": 0},
    });
    chapter(universe, &spec, "applied").await?;
    for _ in 0..2 {
        change(universe, &mut spec);
        chapter(universe, &spec, "changed").await?;
    }
    rests(universe, "changed", RESTS_LONG).await?;
    if chance.per_mille(500) {
        universe.wipe_status();
    }
    trouble(universe);
    universe.delete();
    settle(universe, "deleted", |universe| universe.object().is_none()).await?;
    oracles::nothing_is_left(universe)?;
    oracles::unharmed(universe, &before)
}

fn change(universe: &Universe, spec: &mut Value) {
    let chance = &universe.chance;
    match chance.next() % 5 {
        0 => spec["rebuild"] = json!(format!("again {}", chance.next() % 3)),
        1 => spec["regions"] = regions(&["us-east-1", "eu-west-1", "ap-southeast-2"]),
        2 => spec["regions"] = regions(&["ap-northeast-1"]),
        3 => spec["tags"] = json!({"team": "api", "stage": "prod"}),
        _ => {
            spec["rebuild"] = json!("both");
            spec["regions"] = regions(&["us-west-2", "eu-west-1"]);
            spec["tags"] = json!({});
        }
    }
}

/// Applies a spec while things go wrong; once they stop, EC2 matches within the bound, and then nothing is
/// written for a day.
async fn chapter(universe: &Universe, spec: &Value, what: &str) -> Result<(), String> {
    trouble(universe);
    universe.apply(spec);
    settle(universe, what, oracles::is_ready).await?;
    // What EC2 did not show yet comes to light, such as the image of an answer that was lost, and a new
    // process may repeat a write that reads do not show yet.
    universe
        .run_until(LAGS_FOR + universe.rest_interval, |_| false)
        .await;
    settle(universe, what, oracles::is_ready).await?;
    oracles::matches(universe, spec)?;
    oracles::no_more_than_one_capture(universe)?;
    rests(universe, what, RESTS_FOR).await
}

/// Nothing is written to EC2, nor to the status.
async fn rests(universe: &Universe, what: &str, time: Duration) -> Result<(), String> {
    let (effects, writes) = (
        lock(&universe.effects).len(),
        universe.cluster.status_writes(),
    );
    universe.run_until(time, |_| false).await;
    if lock(&universe.effects).len() > effects {
        return Err(format!(
            "{what}: EC2 was written to at rest: {:?}",
            &lock(&universe.effects)[effects..]
        ));
    }
    if universe.cluster.status_writes() > writes {
        return Err(format!("{what}: the status was written at rest"));
    }
    Ok(())
}

/// How much goes wrong differs from story to story.
fn trouble(universe: &Universe) {
    let chance = &universe.chance;
    let rates = Rates {
        crash: *chance.pick(&[0, 30, 120]),
        lost: *chance.pick(&[0, 30, 120]),
        throttle: *chance.pick(&[0, 50, 200]),
        broken: *chance.pick(&[0, 30, 80]),
    };
    universe.set_rates(rates);
}

/// A while with trouble, then without.
async fn settle(
    universe: &Universe,
    what: &str,
    done: impl Fn(&Universe) -> bool,
) -> Result<(), String> {
    let troubled = Duration::from_secs(60 + universe.chance.next() % 1800);
    universe.run_until(troubled, &done).await;
    universe.set_rates(Rates::default());
    if !universe.run_until(SETTLES_WITHIN, &done).await {
        let status = universe.object().and_then(|image| image.status.clone());
        return Err(format!(
            "{what}: EC2 does not match after {SETTLES_WITHIN:?}: {}",
            oracles::explain(status)
        ));
    }
    match universe.invariants_broken() {
        0 => Ok(()),
        _ => Err(format!("{what}: a plan broke an invariant")),
    }
}
