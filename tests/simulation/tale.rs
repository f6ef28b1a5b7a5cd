//! A story from its beginning to its end: objects are applied, changed and deleted while things go wrong, and after
//! each chapter, once they stop going wrong, EC2 must match.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use amity_core::api::MachineImage;
use serde_json::{Value, json};

use crate::cast::Key;
use crate::chance::Chance;
use crate::expected::{Expected, wanted};
use crate::hands::{self, Ours};
use crate::oracles;
use crate::parameters;
use crate::plot::Plot;
use crate::process::lock;
use crate::sources::{Content, Kind};
use crate::story::SETTLES_WITHIN;
use crate::universe::{Rates, Universe};

/// Why nothing can be made from a source, by how far the controller had come.
const SOURCE_IS_GONE: [&str; 4] = [
    "SourceNotFound",
    "SourceNotSupported",
    "SourceGone",
    "CaptureFailed",
];

/// How often a capture may be in vain that is asked for anew.
const REBUILDS: usize = 3;

/// How often something may come to light after EC2 matched.
const COMES_TO_LIGHT_WITHIN: usize = 12;

/// For how long a report on the use of an image is believed.
const REPORT_SERVES: Duration = Duration::from_hours(25);

/// How long EC2 refuses to deregister an image after its protection was taken away, at most.
const COOLS_DOWN: Duration = Duration::from_hours(25);

/// How many times something may begin to cool down after the rest has.
const COOL_DOWN: usize = 4;

/// How long what somebody else makes takes at most.
const COPIED_WITHIN: Duration = Duration::from_hours(1);

/// How long the controller is watched at rest after each change.
const RESTS_FOR: Duration = Duration::from_mins(20);

/// How long it is watched at rest after the last one: a day in one story of fifty, else an hour.
fn rests_long(seed: u64) -> Duration {
    Duration::from_hours(if rests_for_a_day(seed) { 24 } else { 1 })
}

/// Whether a story is one of the fifty.
pub fn rests_for_a_day(seed: u64) -> bool {
    seed.is_multiple_of(50)
}

/// Something that may be left out of a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// The change of that number.
    Change(usize),
    Hands,
    Use,
    Crashes,
    LostAnswers,
    Throttling,
    BrokenAnswers,
    ClusterErrors,
    ClusterAway,
    LoneReplica,
    HeldWatches,
    Backups,
    Upstream,
}

/// What is left out.
#[derive(Clone, Debug, Default)]
pub struct Cuts(BTreeSet<Cut>);

/// How many changes there are in a story at most.
const CHANGES: usize = 3;

/// How many there are in this one: a bug that takes many steps to show is rarer than one that takes few.
fn changes(seed: u64) -> usize {
    match seed % 5 {
        0 => CHANGES,
        1 | 2 => 2,
        _ => 1,
    }
}

impl Cut {
    /// The biggest first.
    pub fn all() -> impl Iterator<Item = Self> {
        let changes = (0..CHANGES).rev().map(Self::Change);
        changes.chain([
            Self::Hands,
            Self::Use,
            Self::Crashes,
            Self::LostAnswers,
            Self::Throttling,
            Self::BrokenAnswers,
            Self::ClusterErrors,
            Self::ClusterAway,
            Self::LoneReplica,
            Self::HeldWatches,
            Self::Backups,
            Self::Upstream,
        ])
    }
}

impl Cuts {
    pub fn with(&self, cut: Cut) -> Self {
        let mut cuts = self.0.clone();
        cuts.insert(cut);
        Self(cuts)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn keep(&self, of: Cut) -> bool {
        !self.0.contains(&of)
    }
}

/// What is known of a story so far.
struct Tale<'a> {
    universe: &'a Universe,
    cuts: &'a Cuts,
    /// That of this chapter, so that a chapter that is left out changes no other.
    chance: Chance,
    actors: Vec<Actor>,
    /// Everything that is not ours.
    foreign: Value,
    /// The newest images of the publisher since EC2 matched last.
    upstream: BTreeSet<String>,
}

/// An object, and what is known of it.
struct Actor {
    key: Key,
    plot: Plot,
    expected: Expected,
    /// What each revision was made from.
    origins: BTreeMap<String, String>,
    used: Vec<Used>,
}

/// An image of ours that somebody uses, and its revision.
struct Used {
    image: Ours,
    revision: String,
    /// In another account, of which EC2 writes reports.
    elsewhere: bool,
}

/// Apply, change, and delete; after each, EC2 must match.
pub async fn tell(universe: &Universe, cuts: &Cuts) -> Result<(), String> {
    let chance = Chance::new(universe.seed);
    let actors = universe.objects.iter().map(|key| Actor {
        key: key.clone(),
        plot: Plot::new(&chance, key, &universe.objects, universe.accounts()),
        expected: Expected::default(),
        origins: BTreeMap::new(),
        used: Vec::new(),
    });
    let mut tale = Tale {
        universe,
        cuts,
        actors: actors.collect(),
        foreign: oracles::foreign(universe),
        upstream: [hands::upstream(universe)].into(),
        chance,
    };
    let all = (0..tale.actors.len()).collect::<Vec<_>>();
    let changes = changes(universe.seed);
    let hands_come_after = tale.chance.next() % (changes as u64 + 1);
    tale.chapter("applied", &all).await?;
    for number in 0..changes {
        tale.chance = Chance::new(universe.seed ^ (number as u64 + 1) << 40);
        if cuts.keep(Cut::Change(number)) {
            tale.change().await?;
        }
        if number as u64 == hands_come_after && cuts.keep(Cut::Hands) {
            tale.hands_of_others().await?;
        }
        if tale.chance.per_mille(400) && cuts.keep(Cut::Use) {
            tale.nobody_uses_an_image().await;
            tale.chapter("no longer used", &[]).await?;
        }
    }
    tale.rests("at the end", rests_long(universe.seed)).await?;
    tale.everything_is_deleted().await
}

impl Tale<'_> {
    /// The users of some of the objects change something.
    async fn change(&mut self) -> Result<(), String> {
        let chance = self.chance.clone();
        if chance.per_mille(300) && self.cuts.keep(Cut::Use) {
            self.somebody_uses_an_image();
        }
        let mut changed: Vec<_> = (0..self.actors.len())
            .filter(|_| chance.per_mille(400))
            .collect();
        if changed.is_empty() {
            changed.push(self.somebody());
        }
        let mut what = "";
        for number in &changed {
            what = self.actors[*number].plot.change(&chance);
        }
        self.chapter(what, &changed).await
    }

    fn somebody(&self) -> usize {
        let all: Vec<_> = (0..self.actors.len()).collect();
        *self.chance.pick(&all)
    }

    /// Applies the specs of some while things go wrong; once they stop, EC2 matches within the bound, and then nothing
    /// is written for a while.
    async fn chapter(&mut self, what: &str, changed: &[usize]) -> Result<(), String> {
        let (universe, chance) = (self.universe, self.chance.clone());
        let effects = lock(&universe.effects).len();
        // With more objects, it is not seen which of them an effect is of.
        let has_already = match self.actors.as_slice() {
            [only] => only.expected.has_already(&only.plot.spec),
            _ => None,
        };
        self.trouble();
        universe.note(what);
        for number in changed {
            let Actor { key, plot, .. } = &self.actors[*number];
            universe.apply(key, &plot.spec);
        }
        let meanwhile = || Duration::from_secs(chance.next() % 600);
        let is_followed = self.actors.iter().any(|actor| actor.plot.follows());
        let moves_on = chance.per_mille(if is_followed { 500 } else { 200 });
        if moves_on && self.cuts.keep(Cut::Upstream) {
            universe.pass(meanwhile()).await;
            self.somebody_publishes_upstream()?;
        }
        if chance.per_mille(100) && self.cuts.keep(Cut::Backups) {
            let backup = universe.back_up();
            // The leader notices by its lease, which it has written since.
            universe
                .pass(universe.pace.lease_duration / 2 + meanwhile())
                .await;
            universe.restore(&backup);
        }
        if chance.per_mille(100) {
            universe.pass(meanwhile()).await;
            universe.wipe_statuses();
        }
        self.becomes_true(what).await?;
        if let Some(regions) = has_already {
            nothing_is_made_twice(&lock(&universe.effects)[effects..], &regions)
                .map_err(|error| format!("{what}: {error}"))?;
        }
        self.rests(what, RESTS_FOR).await
    }

    /// EC2 comes to match the specs.
    async fn becomes_true(&mut self, what: &str) -> Result<(), String> {
        let (universe, chance) = (self.universe, self.chance.clone());
        // It may be in vain again, where a standby takes over in the middle of the second one, say.
        for _ in 0..REBUILDS {
            self.settle(what, |universe, key| {
                is_up_to_date(universe, key) || oracles::comes_after_rebuild(universe, key)
            })
            .await?;
            for Actor { key, plot, .. } in &mut self.actors {
                if oracles::awaits_rebuild(universe, key) {
                    // The process crashed between the record of a capture and the call, or the answer was lost, and
                    // nobody acted for a whole window. The user does what the message says.
                    plot.rebuild(&chance);
                    universe.note("rebuilt as the message says");
                    universe.apply(key, &plot.spec);
                }
            }
        }
        self.settle(what, is_up_to_date).await?;
        // What EC2 did not show yet comes to light, such as the image of an answer that was lost, or that somebody
        // took one away, or that nobody uses one any more, which is asked every two intervals; and a new process may
        // repeat a write that reads do not show yet. So long as something comes of it, there may be more.
        let mut done = None;
        let mut looks = 0;
        while done != Some(lock(&universe.effects).len()) {
            looks += 1;
            if looks > COMES_TO_LIGHT_WITHIN {
                return Err(format!(
                    "{what}: EC2 was written to at rest, again and again"
                ));
            }
            done = Some(lock(&universe.effects).len());
            let asked_again = universe.lags_for() + 2 * universe.pace.rest_interval;
            // While nobody leads, nothing comes to light.
            let led_again = universe.lags_for() + universe.pace.lease_duration;
            universe.pass(asked_again.max(led_again)).await;
            if oracles::something_cools_down(universe) {
                universe.pass(COOLS_DOWN).await;
            }
            self.settle(what, is_up_to_date).await?;
        }
        for actor in &mut self.actors {
            let used = actor.used.iter();
            let used = used.map(|used| (used.image.0.clone(), used.revision.clone()));
            let (key, spec) = (&actor.key, &actor.plot.spec);
            oracles::matches(universe, key, spec, &mut actor.expected, &used.collect())
                .and_then(|()| {
                    let of_publisher = actor.plot.kind().is_of_publisher();
                    let led_to = of_publisher.then_some(&self.upstream);
                    oracles::one_origin_each(universe, key, &mut actor.origins, led_to)
                })
                .and_then(|()| {
                    oracles::restarts_as_asked(universe, key, spec, &image_name(key, spec))
                })
                .map_err(|error| format!("{what}: {key}: {error}"))?;
            actor.plot.was_published(actor.expected.retained());
        }
        self.upstream = [hands::upstream(universe)].into();
        universe.forget_copy_durations();
        oracles::no_more_than_one_capture(universe)
            .and_then(|()| oracles::unharmed(universe, &self.foreign))
            .map_err(|error| format!("{what}: {error}"))
    }

    /// Nothing is written to EC2, nor to the statuses.
    async fn rests(&self, what: &str, time: Duration) -> Result<(), String> {
        let universe = self.universe;
        let effects = lock(&universe.effects).len();
        let writes = universe.status_writes();
        let statuses = || {
            let objects = universe.objects.iter();
            let all: Vec<_> = objects
                .filter_map(|key| universe.object(key)?.status)
                .collect();
            serde_json::to_string(&all).expect("JSON")
        };
        let before = statuses();
        universe.pass(time).await;
        if lock(&universe.effects).len() > effects {
            return Err(format!(
                "{what}: EC2 was written to at rest: {:?}",
                &lock(&universe.effects)[effects..]
            ));
        }
        // A new process does not see at once what is in a region that is not wanted: images that are used, and
        // what others made with our tags.
        let used = self.actors.iter().any(|actor| !actor.used.is_empty());
        let is_told_of = used || !lock(&universe.strangers).is_empty();
        let allowed = if is_told_of {
            2 * self.actors.len() as u64
        } else {
            0
        };
        if universe.status_writes() > writes + allowed {
            return Err(format!(
                "{what}: a status was written at rest: {}\n{before}\n{}",
                self.explain(|_| true),
                statuses()
            ));
        }
        Ok(())
    }

    /// A while with trouble, then without, until it is `done` for every object.
    async fn settle(
        &self,
        what: &str,
        done: impl Fn(&Universe, &Key) -> bool,
    ) -> Result<(), String> {
        let universe = self.universe;
        let all_done = |universe: &Universe| universe.objects.iter().all(|key| done(universe, key));
        let troubled = Duration::from_secs(60 + self.chance.next() % 1800);
        universe.run_until(troubled, all_done).await;
        universe.heal();
        let exceeds_limit = |universe: &Universe| {
            let mut objects = universe.objects.iter();
            objects.any(|key| oracles::is_stalled(universe, key, "DeregistrationLimit"))
        };
        let done_or_held_up = |universe: &Universe| all_done(universe) || exceeds_limit(universe);
        let mut is_done = universe.run_until(SETTLES_WITHIN, done_or_held_up).await;
        if exceeds_limit(universe) {
            // It is meant, and said so.
            universe.lift_deregistration_limits();
            is_done = universe.run_until(SETTLES_WITHIN, all_done).await;
        }
        // One image after the other may have to.
        for _ in 0..COOL_DOWN {
            if is_done || !oracles::something_cools_down(universe) {
                break;
            }
            universe.lift_deregistration_limits();
            is_done = universe.run_until(COOLS_DOWN, all_done).await;
        }
        oracles::nothing_was_denied(universe).map_err(|error| format!("{what}: {error}"))?;
        if !is_done {
            return Err(format!(
                "{what}: EC2 does not match after {SETTLES_WITHIN:?}: {}",
                self.explain(|key| !done(universe, key))
            ));
        }
        let used = self.actors.iter().flat_map(|actor| &actor.used);
        oracles::all_live(universe, used.map(|used| used.image.clone()))
            .map_err(|error| format!("{what}: {error}"))?;
        if universe.invariants_broken() > 0 {
            return Err(format!("{what}: a plan broke an invariant"));
        }
        Ok(())
    }

    fn explain(&self, which: impl Fn(&Key) -> bool) -> String {
        let objects = self.universe.objects.iter().filter(|key| which(key));
        let explained = objects.map(|key| {
            let status = self.universe.object(key).and_then(|image| image.status);
            format!("{key}: {}", oracles::explain(status))
        });
        explained.collect::<Vec<_>>().join("\n  ")
    }

    fn somebody_uses_an_image(&mut self) {
        let somebody = self.somebody();
        let actor = &mut self.actors[somebody];
        let published = hands::published(self.universe, &actor.key);
        let image = self.chance.pick(&published).clone();
        if actor.used.iter().all(|used| used.image != image) {
            let elsewhere = self.universe.counts_use_elsewhere() && self.chance.per_mille(200);
            if elsewhere {
                hands::use_image_elsewhere(self.universe, &image);
            } else {
                hands::use_image(self.universe, actor.key.account, &image);
            }
            actor.used.push(Used {
                revision: oracles::revision_of(self.universe, &image),
                image,
                elsewhere,
            });
        }
    }

    async fn nobody_uses_an_image(&mut self) {
        let mut was_elsewhere = false;
        for used in self
            .actors
            .iter_mut()
            .flat_map(|actor| actor.used.drain(..))
        {
            hands::stop_using(self.universe, &used.image);
            was_elsewhere |= used.elsewhere;
        }
        if was_elsewhere {
            self.universe.pass(REPORT_SERVES).await;
        }
    }

    fn somebody_publishes_upstream(&mut self) -> Result<(), String> {
        oracles::unharmed(self.universe, &self.foreign)?;
        hands::publish_upstream(self.universe);
        self.upstream.insert(hands::upstream(self.universe));
        self.foreign = oracles::foreign(self.universe);
        Ok(())
    }

    async fn everything_is_deleted(&mut self) -> Result<(), String> {
        let universe = self.universe;
        self.nobody_uses_an_image().await;
        if self.chance.per_mille(500) {
            universe.wipe_statuses();
        }
        self.trouble();
        let mut all: Vec<_> = universe.objects.iter().collect();
        if self.chance.per_mille(500) {
            all.reverse();
        }
        for key in all {
            universe.delete(key);
        }
        self.settle("deleted", |universe, key| universe.object(key).is_none())
            .await?;
        for key in &universe.objects {
            oracles::nothing_is_left(universe, key)?;
        }
        oracles::unharmed(universe, &self.foreign)?;
        // What carries our tags keeps its account, whoever made it.
        if lock(&universe.strangers).is_empty() {
            let accounts = universe.accounts();
            for account in &accounts {
                universe.delete_account(account);
            }
            let gone = |universe: &Universe, key: &Key| !universe.has_account(key.account);
            self.settle("accounts deleted", gone).await?;
        }
        Ok(())
    }

    /// How much goes wrong differs from chapter to chapter.
    fn trouble(&self) {
        let (universe, chance, cuts) = (self.universe, &self.chance, self.cuts);
        let rate = |rate: u64, cut: Cut| if cuts.keep(cut) { rate } else { 0 };
        let rates = Rates {
            crash: rate(*chance.pick(&[0, 30, 120]), Cut::Crashes),
            lost: rate(*chance.pick(&[0, 30, 120]), Cut::LostAnswers),
            throttle: rate(*chance.pick(&[0, 50, 200]), Cut::Throttling),
            broken: rate(*chance.pick(&[0, 30, 80]), Cut::BrokenAnswers),
            cluster: rate(*chance.pick(&[0, 20, 100]), Cut::ClusterErrors),
            cluster_is_away: chance.per_mille(50) && cuts.keep(Cut::ClusterAway),
            cut_off: chance
                .per_mille(100)
                .then(|| *chance.pick(&[0, universe.replicas() - 1]))
                .filter(|_| cuts.keep(Cut::LoneReplica)),
        };
        universe.note(&format!("{rates:?}"));
        universe.set_rates(rates);
        if chance.per_mille(100) && cuts.keep(Cut::HeldWatches) {
            universe.hold_watches();
        }
    }
}

/// What others do to our images, to what they are made from, or to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hand {
    Shares,
    Deregisters,
    Recycles,
    StripsTags,
    CopiesWithTags,
    WipesStatuses,
    Suspends,
    TakesGrants,
    DeletesNamespace,
    RetainsAndTakesBack,
    RemovesSource,
    PublishesUpstream,
    DeletesSource,
    TakesName,
    TakesParameterName,
    WritesParameter,
    DeletesParameter,
    DisablesRegion,
    RebuildsCluster,
}

impl Tale<'_> {
    /// Others do something to one of the objects; what was lost comes back.
    async fn hands_of_others(&mut self) -> Result<(), String> {
        let universe = self.universe;
        let somebody = self.somebody();
        let Actor {
            key, used, plot, ..
        } = &self.actors[somebody];
        let (account, kind) = (key.account, plot.kind());
        let mut ours = hands::published(universe, key);
        // With a single image, nothing would be left to copy it from.
        let may_be_lost = ours.len() > 1
            && ours
                .iter()
                .all(|image| hands::can_go_at_once(universe, image));
        ours.retain(|image| used.iter().all(|used| used.image != *image));
        let sharers = self
            .actors
            .iter()
            .filter(|other| other.key.account == account);
        let is_alone = sharers.count() == 1;
        let mut hands = vec![
            Hand::WipesStatuses,
            Hand::Suspends,
            Hand::TakesGrants,
            Hand::DeletesNamespace,
            Hand::DisablesRegion,
            Hand::RebuildsCluster,
        ];
        if !ours.is_empty() {
            hands.push(Hand::CopiesWithTags);
            // With the default key of EBS nobody can.
            if plot.spec["regions"][0]["encryption"] != json!({}) {
                hands.push(Hand::Shares);
            }
        }
        if may_be_lost && !ours.is_empty() {
            hands.extend([Hand::Deregisters, Hand::Recycles, Hand::StripsTags]);
        }
        if is_alone && matches!(kind, Kind::Instance | Kind::Image) {
            hands.push(Hand::RemovesSource);
        }
        if kind.is_of_publisher() {
            hands.extend([Hand::PublishesUpstream; 3]);
        }
        if plot.is_built_upon() {
            hands.extend([Hand::DeletesSource; 4]);
        }
        if matches!(kind, Kind::Instance | Kind::Snapshot) {
            hands.push(Hand::TakesName);
        }
        let told_in = parameters::regions(universe, key, &plot.spec);
        let name = plot.spec["publish"]["ssmParameterName"].as_str();
        let name = name.unwrap_or_default().to_owned();
        if !told_in.is_empty() {
            hands.extend([Hand::WritesParameter, Hand::DeletesParameter]);
        }
        hands.push(Hand::TakesParameterName);
        if plot.can_be_taken_back() {
            hands.push(Hand::RetainsAndTakesBack);
        }
        let hand = *self.chance.pick(&hands);
        let image = || self.chance.pick(&ours).clone();
        let what = format!("{hand:?}");
        universe.note(&what);
        match hand {
            Hand::Deregisters => hands::deregister(universe, account, &image()),
            Hand::StripsTags => hands::strip_tags(universe, account, &image()),
            Hand::CopiesWithTags => {
                hands::copy_with_tags(universe, account, &image());
                universe.pass(COPIED_WITHIN).await;
            }
            Hand::Shares => {
                hands::share(universe, account, &image());
                // Nobody looks before.
                universe.pass(2 * universe.pace.rest_interval).await;
            }
            Hand::WritesParameter | Hand::DeletesParameter => {
                let region = self.chance.pick(&told_in);
                if hand == Hand::WritesParameter {
                    parameters::write(universe, account, region, &name);
                } else {
                    parameters::delete(universe, account, region, &name);
                }
                // Nobody looks before.
                universe.pass(2 * universe.pace.rest_interval).await;
            }
            Hand::WipesStatuses => universe.wipe_statuses(),
            Hand::PublishesUpstream => self.somebody_publishes_upstream()?,
            Hand::Recycles => {
                let image = image();
                return self.recycled(somebody, image).await;
            }
            Hand::Suspends => return self.suspended(somebody).await,
            Hand::TakesGrants => return self.without_grants(somebody).await,
            Hand::DeletesNamespace => return self.made_anew_in_another_namespace(somebody).await,
            Hand::RetainsAndTakesBack => return self.retained_and_taken_back(somebody).await,
            Hand::DeletesSource => return self.deleted_under_others(somebody).await,
            Hand::RemovesSource => return self.without_source(somebody).await,
            Hand::TakesName => return self.name_taken(somebody).await,
            Hand::TakesParameterName => return self.parameter_taken(somebody).await,
            Hand::DisablesRegion => return self.region_disabled(somebody).await,
            Hand::RebuildsCluster => return self.another_cluster_takes_over().await,
        }
        self.foreign = oracles::foreign(universe);
        self.trouble();
        self.becomes_true(&what).await?;
        self.rests(&what, RESTS_FOR).await
    }

    /// An image is deregistered, and comes back from the Recycle Bin; in trouble, another may be made instead. Then somebody
    /// brings back the first one: it was published once, so that it stays until somebody takes it away.
    async fn recycled(&mut self, at: usize, image: Ours) -> Result<(), String> {
        let universe = self.universe;
        let account = self.actors[at].key.account;
        let is_troubled = self.chance.per_mille(700);
        hands::recycle(universe, account, &image.0, 1);
        hands::deregister(universe, account, &image);
        if is_troubled {
            self.trouble();
        }
        self.becomes_true("recycled").await?;
        if hands::is_there(universe, &image) {
            hands::recycle(universe, account, &image.0, 0);
            return self.rests("recycled", RESTS_FOR).await;
        }
        if !is_troubled {
            return Err(format!("{image:?} was not restored, and nothing was wrong"));
        }
        hands::restore(universe, &image);
        lock(&universe.restored).insert(image.1.clone());
        universe
            .pass(universe.lags_for() + 2 * universe.pace.rest_interval)
            .await;
        oracles::all_live(universe, [image.clone()].into_iter())
            .map_err(|error| format!("restored: {error}"))?;
        hands::recycle(universe, account, &image.0, 0);
        hands::deregister(universe, account, &image);
        self.becomes_true("deregistered again").await
    }

    /// While it is suspended, nothing is done, whatever the spec says.
    async fn suspended(&mut self, at: usize) -> Result<(), String> {
        let (universe, chance) = (self.universe, self.chance.clone());
        let Actor { plot, key, .. } = &mut self.actors[at];
        plot.rebuild(&chance);
        let mut spec = plot.spec.clone();
        spec["suspend"] = true.into();
        universe.apply(key, &spec);
        self.nothing_is_done("suspended").await?;
        self.chapter("resumed", &[at]).await
    }

    /// What is not granted is not made.
    async fn without_grants(&mut self, at: usize) -> Result<(), String> {
        let (universe, chance) = (self.universe, self.chance.clone());
        universe.grant(false);
        let Actor { plot, key, .. } = &mut self.actors[at];
        plot.rebuild(&chance);
        universe.apply(key, &plot.spec);
        self.nothing_is_done("without grants").await?;
        universe.grant(true);
        self.chapter("granted", &[at]).await
    }

    async fn nothing_is_done(&self, what: &str) -> Result<(), String> {
        let universe = self.universe;
        let effects = lock(&universe.effects).len();
        universe.pass(universe.lags_for()).await;
        let done = lock(&universe.effects)[effects..].to_vec();
        if done.is_empty() {
            return Ok(());
        }
        Err(format!("{what}: {done:?}"))
    }

    /// The namespace is deleted and made again, and so are its objects, of something new.
    async fn made_anew_in_another_namespace(&mut self, at: usize) -> Result<(), String> {
        let (universe, chance) = (self.universe, self.chance.clone());
        let name = self.actors[at].key.namespace;
        self.nobody_uses_an_image().await;
        self.trouble();
        universe.note("the namespace is deleted");
        universe.delete_namespace(name);
        self.settle("namespace deleted", |universe, key| {
            key.namespace != name || !universe.has_namespace(name)
        })
        .await?;
        universe.create_namespace(name);
        let there = |actor: &Actor| actor.key.namespace == name;
        for actor in self.actors.iter_mut().filter(|actor| there(actor)) {
            oracles::nothing_is_left(universe, &actor.key)?;
            actor.expected.all_is_gone();
            actor.plot.rebuild(&chance);
        }
        let all = self.actors.iter().enumerate();
        let again: Vec<_> = all
            .filter(|(_, actor)| there(actor))
            .map(|(at, _)| at)
            .collect();
        self.chapter("made anew", &again).await
    }

    /// The object goes and leaves its images; another of the same name takes them back once somebody says that it shall,
    /// and nothing is made.
    async fn retained_and_taken_back(&mut self, at: usize) -> Result<(), String> {
        let universe = self.universe;
        self.nobody_uses_an_image().await;
        // What else is kept for a revert would stay for good.
        self.actors[at].plot.spec["retention"] = json!({"revisions": 0});
        self.chapter("nothing is kept for a revert", &[at]).await?;
        let Actor { key, plot, .. } = &mut self.actors[at];
        let (key, mut spec) = (key.clone(), plot.spec.clone());
        let left = hands::published(universe, &key);
        spec["deletionPolicy"] = "Retain".into();
        universe.apply(&key, &spec);
        universe.delete(&key);
        self.trouble();
        self.settle("gone, and its images left", |universe, other| {
            *other != key || universe.object(other).is_none()
        })
        .await?;
        let listed = left
            .iter()
            .map(|(region, id)| json!({"region": region, "imageId": id}));
        spec["deletionPolicy"] = "Delete".into();
        spec["adopt"] = listed.collect();
        let effects = lock(&universe.effects).len();
        universe.apply(&key, &spec);
        self.trouble();
        // Where EC2 could not be reached in time to mark it as left, it is the object's again at once.
        self.settle("told what would be taken over", |universe, other| {
            *other != key
                || oracles::is_stalled(universe, other, "Adopting")
                || oracles::is_ready(universe, other)
        })
        .await?;
        if !oracles::is_ready(universe, &key) {
            let done = lock(&universe.effects)[effects..].to_vec();
            if let Some(early) = done.iter().find(|done| done.contains("CreateTags")) {
                return Err(format!("done before it was agreed to: {early}"));
            }
            universe.agree_to_adopt(&key)?;
        }
        self.trouble();
        self.becomes_true("taken back").await?;
        let regions = left.iter().map(|(region, _)| region.clone()).collect();
        nothing_is_made_twice(&lock(&universe.effects)[effects..], &regions)
            .map_err(|error| format!("taken back: {error}"))?;
        let back = hands::published(universe, &key);
        if back != left {
            return Err(format!("{back:?} instead of {left:?} was taken back"));
        }
        Ok(())
    }

    /// An object that others may be made from is deleted: that harms no image of theirs. Then there is one of its name again.
    async fn deleted_under_others(&mut self, at: usize) -> Result<(), String> {
        let (universe, chance) = (self.universe, self.chance.clone());
        let key = self.actors[at].key.clone();
        self.nobody_uses_an_image().await;
        let begins_anew = chance.per_mille(500);
        let others: Vec<_> = (0..self.actors.len())
            .filter(|other| *other != at)
            .collect();
        if begins_anew {
            // It may not get further than to where it awaits the other.
            for other in &others {
                let Actor { key, plot, .. } = &mut self.actors[*other];
                plot.rebuild(&chance);
                universe.apply(key, &plot.spec);
            }
            // Too short for the new ones to be published, or nobody would know of them.
            universe.pass(Duration::from_secs(chance.next() % 10)).await;
        }
        let published: Vec<_> = others
            .iter()
            .flat_map(|other| hands::published(universe, &self.actors[*other].key))
            .collect();
        universe.note("what others are made from is deleted");
        universe.delete(&key);
        self.trouble();
        self.settle("deleted under others", |universe, other| {
            if *other == key {
                universe.object(other).is_none()
            } else {
                begins_anew || oracles::is_ready(universe, other)
            }
        })
        .await?;
        oracles::nothing_is_left(universe, &key)?;
        if !begins_anew {
            oracles::all_live(universe, published.into_iter())
                .map_err(|error| format!("deleted under others: {error}"))?;
            self.rests("deleted under others", RESTS_FOR).await?;
        }
        universe.collect_garbage();
        let Actor { plot, expected, .. } = &mut self.actors[at];
        expected.all_is_gone();
        plot.rebuild(&chance);
        self.chapter("there again", &[at]).await
    }

    /// What an image was made from is gone: that harms no image, and the next one is made from something else.
    async fn without_source(&mut self, at: usize) -> Result<(), String> {
        let (universe, chance) = (self.universe, self.chance.clone());
        let Actor { key, plot, .. } = &mut self.actors[at];
        let (key, kind) = (key.clone(), plot.kind());
        if kind == Kind::Instance {
            hands::terminate_instance(universe, key.account);
        } else {
            let source = ("us-east-1".to_owned(), key.account.image.to_owned());
            hands::deregister(universe, key.account, &source);
        }
        let published = hands::published(universe, &key);
        plot.rebuild(&chance);
        universe.apply(&key, &plot.spec);
        self.foreign = oracles::foreign(universe);
        self.trouble();
        self.settle("without its source", |universe, other| {
            *other != key
                || SOURCE_IS_GONE
                    .iter()
                    .any(|reason| oracles::is_stalled(universe, other, reason))
        })
        .await?;
        oracles::all_live(universe, published.into_iter())
            .map_err(|error| format!("without its source: {error}"))?;
        self.actors[at].plot.source_is_gone(kind, &chance);
        self.chapter("made from another source", &[at]).await
    }

    /// Somebody has an image of the name that the next revision needs; then it goes.
    async fn name_taken(&mut self, at: usize) -> Result<(), String> {
        let (universe, chance) = (self.universe, self.chance.clone());
        let Actor { key, plot, .. } = &mut self.actors[at];
        let key = key.clone();
        plot.rebuild(&chance);
        let taken = hands::take_name(universe, key.account, &image_name(&key, &plot.spec));
        universe.pass(COPIED_WITHIN).await;
        universe.apply(&key, &plot.spec);
        self.foreign = oracles::foreign(universe);
        self.trouble();
        self.settle("name taken", |universe, other| {
            *other != key
                || oracles::is_stalled(universe, other, "NameTaken")
                || oracles::awaits_rebuild(universe, other)
        })
        .await?;
        oracles::unharmed(universe, &self.foreign)?;
        hands::deregister(universe, key.account, &taken);
        self.foreign = oracles::foreign(universe);
        self.becomes_true("name free again").await
    }

    /// Somebody has a parameter of the name that is wanted next; then it goes.
    async fn parameter_taken(&mut self, at: usize) -> Result<(), String> {
        let (universe, chance) = (self.universe, self.chance.clone());
        let Actor { key, plot, .. } = &mut self.actors[at];
        let (key, name) = (key.clone(), format!("/published/{}", chance.next()));
        let regions: Vec<_> = wanted(&plot.spec)
            .into_iter()
            .filter(|place| !place.contains('.'))
            .collect();
        let region = chance.pick(&regions).clone();
        parameters::take(universe, key.account, &region, &name);
        plot.spec["publish"]["ssmParameterName"] = name.as_str().into();
        universe.apply(&key, &plot.spec);
        self.foreign = oracles::foreign(universe);
        self.trouble();
        self.settle("parameter taken", |universe, other| {
            *other != key || oracles::is_stalled(universe, other, "NameTaken")
        })
        .await?;
        oracles::unharmed(universe, &self.foreign)?;
        parameters::delete(universe, key.account, &region, &name);
        self.foreign = oracles::foreign(universe);
        self.becomes_true("parameter free again").await
    }

    /// A region that is wanted cannot be used for a while.
    async fn region_disabled(&mut self, at: usize) -> Result<(), String> {
        const REGION: &str = "af-south-1";
        let (universe, chance) = (self.universe, self.chance.clone());
        let Actor { key, plot, .. } = &mut self.actors[at];
        let key = key.clone();
        hands::enable(universe, key.account, REGION, true);
        if let Some(regions) = plot.spec["regions"].as_array_mut() {
            let encryption = regions[0]["encryption"].clone();
            regions.push(json!({"name": REGION, "encryption": encryption}));
        }
        self.chapter("wanted in a region that was enabled", &[at])
            .await?;
        hands::enable(universe, key.account, REGION, false);
        let plot = &mut self.actors[at].plot;
        plot.rebuild(&chance);
        universe.apply(&key, &plot.spec);
        universe.pass(Duration::from_hours(2)).await;
        if oracles::is_ready(universe, &key) {
            return Err(format!("Ready although {REGION} cannot be read"));
        }
        hands::enable(universe, key.account, REGION, true);
        self.becomes_true("enabled again").await
    }

    /// A cluster that was built anew touches nothing before it is told to, and then makes nothing anew.
    async fn another_cluster_takes_over(&mut self) -> Result<(), String> {
        let universe = self.universe;
        let predecessor = universe.rebuild_cluster();
        let effects = lock(&universe.effects).len();
        universe.pass(universe.lags_for()).await;
        let done = lock(&universe.effects)[effects..].to_vec();
        if !done.is_empty() {
            return Err(format!("another cluster's images were touched: {done:?}"));
        }
        *lock(&universe.take_over_from) = Some(predecessor);
        universe.crash_all();
        self.chapter("taken over", &[]).await
    }
}

/// Ready, and made from what its source leads to now, if that is followed.
fn is_up_to_date(universe: &Universe, key: &Key) -> bool {
    oracles::is_ready(universe, key) && oracles::has_followed(universe, key)
}

/// The name of the image that a spec asks for.
fn image_name(key: &Key, spec: &Value) -> String {
    let image: MachineImage = serde_json::from_value(key.manifest(spec)).expect("a MachineImage");
    let revision = Content::of(spec).revision();
    image.image_name(revision.as_str()).expect("a short name")
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
