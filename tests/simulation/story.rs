//! One object, and chance: crashes before and after every effect and every write to the cluster, lost and
//! broken answers, throttling, stale reads. One seed is one story.
//!
//! `SEEDS=1000` runs more of them, `SEED=17` only one, with what was done to EC2.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ec2sim::World;
use serde_json::Value;

use crate::expected::Expected;
use crate::hands::{self, Ours};
use crate::plot::Plot;
use crate::process::lock;
use crate::universe::{Rates, Universe};
use crate::{number, oracles, side_by_side, virtual_time};

/// The longest that EC2 may take to match the spec once nothing goes wrong any more.
pub const SETTLES_WITHIN: Duration = Duration::from_hours(6);

/// How long EC2's reads lag behind, with a margin.
const LAGS_FOR: Duration = Duration::from_mins(15);

/// How long somebody else's copy takes at most.
const COPIED_WITHIN: Duration = Duration::from_hours(1);

/// How long the controller is watched at rest after each change.
const RESTS_FOR: Duration = Duration::from_mins(30);

/// How long it is watched at rest after the last one: a day in one story of fifty, else an hour.
fn rests_long(seed: u64) -> Duration {
    Duration::from_hours(if seed % 50 == 0 { 24 } else { 1 })
}

#[test]
fn whatever_happens_ec2_matches_in_the_end_and_nothing_is_lost_or_doubled() {
    let seeds = match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(300),
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

/// What was done to EC2, how much was asked of it and of the cluster, and all of that as one number.
type Told = (Vec<String>, u64, String);

/// Tells one story.
fn tell(seed: u64) -> Result<Told, String> {
    virtual_time(async {
        let world = World::from_yaml(include_str!("world.yaml"))
            .expect("a world")
            .with_seed(seed);
        // So that kube's and the SDK's own chance is the seed's, too.
        fastrand::seed(seed);
        let replicas = if seed % 10 == 3 { 2 } else { 1 };
        let universe = Universe::new(world, seed, replicas);
        let outcome = universe.live(chapters(&universe)).await;
        let effects = lock(&universe.effects).clone();
        if number("SEED").is_some() {
            let mut lines = effects.clone();
            for (number, note) in lock(&universe.notes).iter().rev() {
                lines.insert(*number, note.clone());
            }
            eprintln!("{}", lines.join("\n"));
        }
        let (passed, digest) = universe.gate.trace();
        if number("SEED").is_some() {
            eprintln!("{passed} requests, {digest}");
        }
        outcome.map(|()| (effects, passed, digest))
    })
}

/// What is known of a story so far.
struct Tale<'a> {
    universe: &'a Universe,
    plot: Plot,
    expected: Expected,
    /// What each revision was made from.
    origins: BTreeMap<String, String>,
    /// Everything that is not ours.
    foreign: Value,
    used: Vec<Used>,
}

/// An image of ours that somebody uses, and its revision.
struct Used {
    image: Ours,
    revision: String,
}

/// Apply, change, and delete; after each, EC2 must match.
async fn chapters(universe: &Universe) -> Result<(), String> {
    let chance = &universe.chance;
    let mut tale = Tale {
        universe,
        plot: Plot::new(chance),
        expected: Expected::default(),
        origins: BTreeMap::new(),
        foreign: oracles::foreign(universe),
        used: Vec::new(),
    };
    tale.chapter("applied").await?;
    let hands_come_after = chance.next() % 4;
    for number in 0..3 {
        if chance.per_mille(300) {
            tale.somebody_uses_an_image();
        }
        let what = tale.plot.change();
        tale.chapter(what).await?;
        if number == hands_come_after {
            tale.hands_of_others().await?;
        }
        if chance.per_mille(400) {
            tale.nobody_uses_an_image();
            tale.chapter("no longer used").await?;
        }
    }
    tale.rests("at the end", rests_long(universe.seed)).await?;
    tale.nobody_uses_an_image();
    if chance.per_mille(500) {
        universe.wipe_status();
    }
    trouble(universe);
    universe.delete();
    tale.settle("deleted", |universe| universe.object().is_none())
        .await?;
    oracles::nothing_is_left(universe)?;
    oracles::unharmed(universe, &tale.foreign)
}

impl Tale<'_> {
    /// Applies the spec while things go wrong; once they stop, EC2 matches within the bound, and then nothing
    /// is written for a while.
    async fn chapter(&mut self, what: &str) -> Result<(), String> {
        let universe = self.universe;
        let spec = self.plot.spec.clone();
        let effects = lock(&universe.effects).len();
        let has_already = self.expected.has_already(&spec);
        trouble(universe);
        universe.note(&format!("{what}: {spec}"));
        universe.apply(&spec);
        let meanwhile = || Duration::from_secs(universe.chance.next() % 600);
        if universe.chance.per_mille(200) {
            universe.pass(meanwhile()).await;
            self.somebody_publishes_upstream()?;
        }
        if universe.chance.per_mille(100) {
            let backup = universe.back_up();
            universe.pass(meanwhile()).await;
            universe.restore(&backup);
        }
        self.becomes_true(what).await?;
        if let Some(regions) = has_already {
            nothing_is_made_twice(&lock(&universe.effects)[effects..], &regions)
                .map_err(|error| format!("{what}: {error}"))?;
        }
        self.rests(what, RESTS_FOR).await
    }

    /// EC2 comes to match the spec.
    async fn becomes_true(&mut self, what: &str) -> Result<(), String> {
        let universe = self.universe;
        self.settle(what, |universe| {
            oracles::is_ready(universe) || oracles::awaits_rebuild(universe)
        })
        .await?;
        if oracles::awaits_rebuild(universe) {
            // The process crashed between the record of a capture and the call, or the answer was lost, and nobody
            // acted for a whole window. The user does what the message says.
            self.plot.rebuild();
            universe.note(&format!("rebuilt as the message says: {}", self.plot.spec));
            universe.apply(&self.plot.spec);
            self.settle(what, oracles::is_ready).await?;
        }
        // What EC2 did not show yet comes to light, such as the image of an answer that was lost, or that somebody
        // took one away, or that nobody uses one any more, which is asked every two intervals; and a new process may
        // repeat a write that reads do not show yet. So long as something comes of it, there may be more.
        let mut done = None;
        while done != Some(lock(&universe.effects).len()) {
            done = Some(lock(&universe.effects).len());
            universe.pass(LAGS_FOR + 2 * universe.rest_interval).await;
            self.settle(what, oracles::is_ready).await?;
        }
        let used = self.used.iter();
        let used = used.map(|used| (used.image.0.clone(), used.revision.clone()));
        oracles::matches(
            universe,
            &self.plot.spec,
            &mut self.expected,
            &used.collect(),
        )
        .and_then(|()| oracles::one_origin_each(universe, &mut self.origins))
        .and_then(|()| oracles::no_more_than_one_capture(universe))
        .and_then(|()| oracles::unharmed(universe, &self.foreign))
        .map_err(|error| format!("{what}: {error}"))?;
        self.plot.was_published(self.expected.retained());
        Ok(())
    }

    /// Nothing is written to EC2, nor to the status.
    async fn rests(&self, what: &str, time: Duration) -> Result<(), String> {
        let universe = self.universe;
        let effects = lock(&universe.effects).len();
        let writes = universe.status_writes();
        let status = universe.object().and_then(|image| image.status);
        universe.pass(time).await;
        if lock(&universe.effects).len() > effects {
            return Err(format!(
                "{what}: EC2 was written to at rest: {:?}",
                &lock(&universe.effects)[effects..]
            ));
        }
        // A new process does not see at once what is in a region that is not wanted: images that are used, and
        // what others made with our tags.
        let is_told_of = !self.used.is_empty() || !lock(&universe.strangers).is_empty();
        let allowed = if is_told_of { 2 } else { 0 };
        if universe.status_writes() > writes + allowed {
            let now = universe.object().and_then(|image| image.status);
            return Err(format!(
                "{what}: the status was written at rest:\n{status:?}\n{now:?}"
            ));
        }
        Ok(())
    }

    /// A while with trouble, then without.
    async fn settle(&self, what: &str, done: impl Fn(&Universe) -> bool) -> Result<(), String> {
        let universe = self.universe;
        let troubled = Duration::from_secs(60 + universe.chance.next() % 1800);
        universe.run_until(troubled, &done).await;
        universe.heal();
        if !universe.run_until(SETTLES_WITHIN, &done).await {
            let status = universe.object().and_then(|image| image.status);
            return Err(format!(
                "{what}: EC2 does not match after {SETTLES_WITHIN:?}: {}",
                oracles::explain(status)
            ));
        }
        let used = self.used.iter().map(|used| used.image.clone());
        oracles::all_live(universe, used).map_err(|error| format!("{what}: {error}"))?;
        match universe.invariants_broken() {
            0 => Ok(()),
            _ => Err(format!("{what}: a plan broke an invariant")),
        }
    }

    fn somebody_uses_an_image(&mut self) {
        let published = hands::published(self.universe);
        let image = self.universe.chance.pick(&published).clone();
        if self.used.iter().all(|used| used.image != image) {
            hands::use_image(self.universe, &image);
            self.used.push(Used {
                revision: oracles::revision_of(self.universe, &image),
                image,
            });
        }
    }

    fn nobody_uses_an_image(&mut self) {
        for used in self.used.drain(..) {
            hands::stop_using(self.universe, &used.image);
        }
    }

    fn somebody_publishes_upstream(&mut self) -> Result<(), String> {
        oracles::unharmed(self.universe, &self.foreign)?;
        hands::publish_upstream(self.universe);
        self.foreign = oracles::foreign(self.universe);
        Ok(())
    }

    /// Others do something to our images, or to the cluster; what was lost comes back.
    async fn hands_of_others(&mut self) -> Result<(), String> {
        let universe = self.universe;
        let mut ours = hands::published(universe);
        ours.retain(|image| self.used.iter().all(|used| used.image != *image));
        let Some(image) = (!ours.is_empty()).then(|| universe.chance.pick(&ours).clone()) else {
            return Ok(());
        };
        // With a single image, nothing would be left to copy it from.
        let may_be_lost = hands::published(universe).len() > 1;
        let what = match universe.chance.next() % 8 {
            0 if may_be_lost => {
                hands::deregister(universe, &image);
                "deregistered by hand"
            }
            1 if may_be_lost => {
                hands::strip_tags(universe, &image);
                "stripped of its tags"
            }
            2 => {
                hands::copy_with_tags(universe, &image);
                universe.pass(COPIED_WITHIN).await;
                "copied with its tags"
            }
            3 => {
                universe.wipe_status();
                "without its status"
            }
            4 => return self.suspended().await,
            5 => return self.without_grants().await,
            6 => return self.made_anew_in_another_namespace_of_that_name().await,
            _ => return self.another_cluster_takes_over().await,
        };
        self.foreign = oracles::foreign(universe);
        trouble(universe);
        universe.note(&format!("{what}: {}", self.plot.spec));
        self.becomes_true(what).await?;
        self.rests(what, RESTS_FOR).await
    }

    /// While it is suspended, nothing is done, whatever the spec says.
    async fn suspended(&mut self) -> Result<(), String> {
        let universe = self.universe;
        self.plot.rebuild();
        let mut spec = self.plot.spec.clone();
        spec["suspend"] = true.into();
        universe.note(&format!("suspended: {spec}"));
        universe.apply(&spec);
        self.nothing_is_done("suspended").await?;
        self.chapter("resumed").await
    }

    /// What is not granted is not made.
    async fn without_grants(&mut self) -> Result<(), String> {
        let universe = self.universe;
        universe.grant(false);
        self.plot.rebuild();
        universe.note(&format!("without grants: {}", self.plot.spec));
        universe.apply(&self.plot.spec);
        self.nothing_is_done("without grants").await?;
        universe.grant(true);
        self.chapter("granted").await
    }

    async fn nothing_is_done(&self, what: &str) -> Result<(), String> {
        let universe = self.universe;
        let effects = lock(&universe.effects).len();
        universe.pass(LAGS_FOR).await;
        let done = lock(&universe.effects)[effects..].to_vec();
        if done.is_empty() {
            return Ok(());
        }
        Err(format!("{what}: {done:?}"))
    }

    /// The namespace is deleted and made again, and so is the object, of something new.
    async fn made_anew_in_another_namespace_of_that_name(&mut self) -> Result<(), String> {
        let universe = self.universe;
        self.nobody_uses_an_image();
        trouble(universe);
        universe.note("the namespace is deleted");
        universe.delete_namespace();
        self.settle("namespace deleted", |universe| !universe.has_namespace())
            .await?;
        oracles::nothing_is_left(universe)?;
        self.expected.all_is_gone();
        universe.create_namespace();
        self.plot.rebuild();
        self.chapter("made anew").await
    }

    /// A cluster that was built anew touches nothing before it is told to, and then makes nothing anew.
    async fn another_cluster_takes_over(&mut self) -> Result<(), String> {
        let universe = self.universe;
        let predecessor = universe.rebuild_cluster();
        let effects = lock(&universe.effects).len();
        universe.pass(LAGS_FOR).await;
        let done = lock(&universe.effects)[effects..].to_vec();
        if !done.is_empty() {
            return Err(format!("another cluster's images were touched: {done:?}"));
        }
        *lock(&universe.take_over_from) = Some(predecessor);
        universe.crash_all();
        self.chapter("taken over").await
    }
}

/// No image is made anew, and none is copied to where there is one.
fn nothing_is_made_twice(effects: &[String], there: &BTreeSet<String>) -> Result<(), String> {
    let is_again = |effect: &&String| {
        let mut words = effect.split(' ').skip(1);
        let (region, action) = (words.next(), words.next());
        match action {
            Some("CreateImage" | "RegisterImage") => true,
            Some("CopyImage") => region.is_some_and(|region| there.contains(region)),
            _ => false,
        }
    };
    match effects.iter().find(is_again) {
        Some(effect) => Err(format!("made although it is there: {effect}")),
        None => Ok(()),
    }
}

/// How much goes wrong differs from story to story.
fn trouble(universe: &Universe) {
    let chance = &universe.chance;
    let rates = Rates {
        crash: *chance.pick(&[0, 30, 120]),
        lost: *chance.pick(&[0, 30, 120]),
        throttle: *chance.pick(&[0, 50, 200]),
        broken: *chance.pick(&[0, 30, 80]),
        cluster: *chance.pick(&[0, 20, 100]),
        cluster_is_away: chance.per_mille(50),
        cut_off: chance
            .per_mille(100)
            .then(|| *chance.pick(&[0, universe.replicas() - 1])),
    };
    universe.note(&format!("{rates:?}"));
    universe.set_rates(rates);
    if chance.per_mille(100) {
        universe.hold_watches();
    }
}
