//! A cluster and an EC2 in which things go wrong, and the replicas of the controller between them: crashes, lost and
//! broken answers, throttling, watches that are cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amity::clock::Clock;
use amity::telemetry::Metrics;
use amity_core::api::{AwsAccount, MachineImage, RegionStatus};
use amity_core::image::desired::LIMIT_LIFTED_UNTIL;
use ec2sim::state::ImageState;
use ec2sim::{CallSummary, Fault, InProcess, World};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::client::Body;
use kube::{Client, ResourceExt};
use kubesim::{Kubernetes, Summary};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::cast::{ACCOUNTS, Account, Key, NAMESPACES};
use crate::chance::Chance;
use crate::expected::wanted;
use crate::gate::Gate;
use crate::next_version;
use crate::parameters;
use crate::process::{invariants_broken, lock};
use crate::replica;
use crate::sabotage::Sabotage;
use crate::tale;

/// How often the cluster may be written to in ten minutes, for each object and replica: a roll-out in which everything
/// goes wrong takes a hundred, the deletion of what a followed source has led to in months twice for each snapshot, and what
/// goes round and round thousands.
const BUSY: u64 = 900;

/// How often the same may be asked of EC2 in ten minutes: what is refused is asked for ever more seldom, and each process
/// begins anew.
const REPEATED: u64 = 50;

/// What an operator sets about time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long it may take until EC2's reads show what was done: longer than it takes in these stories.
    pub consistency_window: Duration,
    /// How often a place is read in which nothing goes on.
    pub rest_interval: Duration,
    /// How long a replica is waited for that fell silent. Most of what is asked of the cluster is its renewal, so that a
    /// minute is seldom, and not where a whole day is waited for.
    pub lease_duration: Duration,
}

impl Default for Pace {
    /// As `amity run` has it.
    fn default() -> Self {
        Self {
            consistency_window: Duration::from_mins(10),
            rest_interval: Duration::from_mins(5),
            lease_duration: Duration::from_mins(1),
        }
    }
}

impl Pace {
    fn of(seed: u64) -> Self {
        let chance = Chance::new(!seed);
        let minutes = |of: &[u64]| Duration::from_mins(*chance.pick(of));
        Self {
            consistency_window: minutes(&[3, 3, 10]),
            rest_interval: minutes(&[5, 5, 15]),
            lease_duration: if tale::rests_for_a_day(seed) {
                Duration::from_mins(10)
            } else {
                minutes(&[1, 10, 10, 10, 10, 10, 10, 10])
            },
        }
    }
}

/// How often, in a thousand, each thing goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    pub crash: u64,
    pub lost: u64,
    pub throttle: u64,
    pub broken: u64,
    /// What the API server answers none of, or otherwise than it should.
    pub cluster: u64,
    /// Whether it is away, and answers nothing.
    pub cluster_is_away: bool,
    /// The replica, if any, that reaches nothing.
    pub cut_off: Option<usize>,
}

/// What happens when an effect arrives at EC2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accident {
    /// The process crashes, and EC2 does nothing.
    CrashBefore,
    /// The process crashes, and EC2 does it.
    CrashAfter,
    StatusDeleted,
}

/// How much went wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Troubles {
    /// Answers of EC2 and of the cluster that were lost, broken or refused.
    pub faults: u64,
    pub crashes: u64,
}

/// Everything that outlives a process.
pub struct Universe {
    pub world: Arc<Mutex<World>>,
    pub kubernetes: Mutex<Kubernetes>,
    pub clock: Clock,
    pub chance: Chance,
    pub gate: Gate,
    pub rates: Arc<Mutex<Rates>>,
    /// The replica, if any, that is of the next version.
    pub next_version: Option<usize>,
    /// What ends the process of each replica.
    crash: Vec<Arc<Notify>>,
    /// The one effect, by number, at which there is an accident.
    pub accident: Mutex<Option<(usize, Accident)>>,
    pub effects: Arc<Mutex<Vec<String>>>,
    pub pace: Pace,
    /// The objects that users have, or had.
    pub objects: Vec<Key>,
    /// What is wrong with the controller.
    pub sabotage: Mutex<Option<Sabotage>>,
    /// Images that came back beside what replaced them.
    pub restored: Mutex<BTreeSet<String>>,
    /// When the cluster was last restored from a backup.
    put_back: Mutex<Option<Timestamp>>,
    /// The first time that something was wrong which must never be, even for a moment.
    wrong: Mutex<Option<String>>,
    something_is_wrong: Notify,
    /// What went wrong so far.
    pub troubles: Mutex<Troubles>,
    /// How often the cluster was written to, by ten minutes of the story.
    busy: Mutex<BTreeMap<i64, u64>>,
    /// How often each effect was asked for in the last ten minutes that there were any.
    repeated: Mutex<(i64, BTreeMap<String, u64>)>,
    /// The uid of the cluster whose images are taken over.
    pub take_over_from: Mutex<Option<String>>,
    /// The images that others made or made theirs, whatever tags they carry.
    pub strangers: Mutex<BTreeSet<String>>,
    /// What users did and what happened to processes, each before the effect of a number.
    pub notes: Mutex<Vec<(usize, String)>>,
    /// Within how many minutes the specs of each object wanted copies to be done, since EC2 matched last.
    copy_minutes: Mutex<BTreeMap<String, Vec<Option<i64>>>>,
    /// What each process counted.
    pub counted: Mutex<Vec<Metrics>>,
    /// Woken when something may be otherwise than before.
    changed: Notify,
    clusters: Mutex<u64>,
    pub seed: u64,
}

impl Universe {
    /// A universe of these objects, in which so many replicas run until it is dropped.
    pub fn new(world: World, seed: u64, replicas: usize, objects: Vec<Key>) -> Arc<Self> {
        Self::at(Pace::of(seed), world, seed, replicas, objects)
    }

    /// The same at a pace of which chance knows nothing.
    pub fn at(
        pace: Pace,
        world: World,
        seed: u64,
        replicas: usize,
        objects: Vec<Key>,
    ) -> Arc<Self> {
        let clock = Clock::virtual_from("2026-06-01T00:00:00Z".parse().expect("a time"));
        let universe = Arc::new(Self {
            world: Arc::new(Mutex::new(world)),
            kubernetes: Mutex::new(cluster(&clock, seed)),
            clock,
            chance: Chance::new(seed),
            gate: Gate::default(),
            rates: Arc::default(),
            next_version: (replicas > 1 && seed % 20 == 13).then_some(1),
            crash: (0..replicas).map(|_| Arc::default()).collect(),
            accident: Mutex::default(),
            effects: Arc::default(),
            pace,
            objects,
            sabotage: Mutex::default(),
            restored: Mutex::default(),
            put_back: Mutex::default(),
            wrong: Mutex::default(),
            something_is_wrong: Notify::new(),
            troubles: Mutex::default(),
            busy: Mutex::default(),
            repeated: Mutex::default(),
            take_over_from: Mutex::default(),
            strangers: Mutex::default(),
            notes: Mutex::default(),
            copy_minutes: Mutex::default(),
            counted: Mutex::default(),
            changed: Notify::new(),
            clusters: Mutex::new(0),
            seed,
        });
        universe.grant(true);
        universe
    }

    /// The accounts that the objects are in, and in one story of seven another one that they may be copied to.
    pub fn accounts(&self) -> BTreeSet<&'static Account> {
        let another = ACCOUNTS
            .iter()
            .skip(1)
            .take(usize::from(self.seed.is_multiple_of(7)));
        let homes = self.objects.iter().map(|key| key.account);
        homes.chain(another).collect()
    }

    /// Lets the replicas run while a story is told, which ends at once when something is wrong that must never be.
    pub async fn live<T>(
        self: &Arc<Self>,
        story: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        let mut tasks = JoinSet::new();
        tasks.spawn(self.gate.clone().keep());
        for (number, crash) in self.crash.iter().enumerate() {
            tasks.spawn(replica::keep(self.clone(), number, crash.clone()));
        }
        let told = tokio::select! {
            biased;
            () = self.something_is_wrong.notified() => Err(lock(&self.wrong).take().unwrap_or_default()),
            told = story => told,
        };
        tasks.shutdown().await;
        told
    }

    pub fn set_rates(&self, rates: Rates) {
        *lock(&self.rates) = rates;
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.set_rates(Rates::default());
        lock(&self.kubernetes).release_watches();
    }

    /// From now on, until all is healed, nobody is told what changes in the cluster.
    pub fn hold_watches(&self) {
        self.note("watches are held up");
        lock(&self.kubernetes).hold_watches();
    }

    /// The cluster as it is now, as a backup.
    pub fn back_up(&self) -> kubesim::Snapshot {
        lock(&self.kubernetes).snapshot()
    }

    /// The cluster is as it was.
    pub fn restore(&self, backup: &kubesim::Snapshot) {
        self.note("the cluster is restored from a backup");
        lock(&self.kubernetes).restore(backup);
        *lock(&self.put_back) = Some(self.clock.now());
    }

    /// The user deletes a namespace with all that is in it.
    pub fn delete_namespace(&self, name: &str) {
        let deleted = lock(&self.kubernetes).delete::<Namespace>(None, name);
        deleted.expect("the namespace is there");
        self.changed.notify_one();
    }

    /// Whether a namespace is there.
    pub fn has_namespace(&self, name: &str) -> bool {
        let namespace: Option<Namespace> = lock(&self.kubernetes).get(None, name);
        namespace.is_some()
    }

    /// The user makes a namespace again.
    pub fn create_namespace(&self, name: &str) {
        self.apply_manifest(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        );
    }

    /// The keepers of the accounts grant everything, or nothing.
    pub fn grant(&self, everything: bool) {
        for account in self.accounts() {
            self.apply_manifest(&self.account_manifest(account, everything));
        }
    }

    /// In one story of four, what other accounts use counts, so that EC2 has to write a report before an image goes.
    pub fn counts_use_elsewhere(&self) -> bool {
        self.seed % 4 == 1
    }

    /// In one story of four, what is changed by a role is changed in a session that names the namespace.
    fn account_manifest(&self, account: &Account, grants_everything: bool) -> Value {
        let mut manifest = account.manifest(grants_everything);
        if self.counts_use_elsewhere() {
            manifest["spec"]["grants"]["usageReports"] = json!([{"namespaces": {"all": true}}]);
        }
        if self.seed % 4 == 2 && !manifest["spec"]["assumeRole"].is_null() {
            manifest["spec"]["assumeRole"]["sessionTags"] = "Namespace".into();
        }
        manifest
    }

    /// The keeper of every account says that whatever is to go may go, for as long as it takes.
    pub fn lift_deregistration_limits(&self) {
        self.note("the limits of deregistration are lifted");
        let until = self.clock.now() + jiff::SignedDuration::from_hours(12);
        for account in self.accounts() {
            if self.has_account(account) {
                let mut manifest = self.account_manifest(account, true);
                manifest["metadata"]["annotations"] =
                    json!({LIMIT_LIFTED_UNTIL: until.to_string()});
                self.apply_manifest(&manifest);
            }
        }
    }

    /// The keeper of an account deletes it.
    pub fn delete_account(&self, account: &Account) {
        let deleted = lock(&self.kubernetes).delete::<AwsAccount>(None, account.name);
        deleted.expect("the account is there");
        self.changed.notify_one();
    }

    /// Whether an account is there.
    pub fn has_account(&self, account: &Account) -> bool {
        let account: Option<AwsAccount> = lock(&self.kubernetes).get(None, account.name);
        account.is_some()
    }

    /// The user applies an object.
    pub fn apply(&self, key: &Key, spec: &Value) {
        self.note(&format!("{key}: {spec}"));
        let manifest = key.manifest(spec);
        let image: MachineImage = serde_json::from_value(manifest.clone()).expect("an object");
        let minutes = image.spec.copy_minutes();
        let mut wanted = lock(&self.copy_minutes);
        wanted.entry(key.to_string()).or_default().push(minutes);
        drop(wanted);
        self.apply_manifest(&manifest);
    }

    /// Every process knows by now what the specs say.
    pub fn forget_copy_durations(&self) {
        for wanted in lock(&self.copy_minutes).values_mut() {
            wanted.drain(..wanted.len() - 1);
        }
    }

    /// Somebody reads what would be taken over, and says that it is meant.
    pub fn agree_to_adopt(&self, key: &Key) -> Result<(), String> {
        let object = self.object(key).ok_or("it is gone")?;
        let status = object.status.unwrap_or_default();
        let mut conditions = status.conditions.iter();
        let said = conditions.find_map(|one| one.message.split_once("amity.dev/adopt="));
        let (_, said) = said.ok_or("it does not say what would be taken over")?;
        let (revision, _) = said
            .split_once(':')
            .ok_or("it does not say of which revision")?;
        self.note(&format!("{key} may take over images for {revision}"));
        let mut manifest = key.manifest(&serde_json::to_value(&object.spec).expect("a spec"));
        manifest["metadata"]["annotations"] = json!({"amity.dev/adopt": revision});
        self.apply_manifest(&manifest);
        Ok(())
    }

    fn apply_manifest(&self, manifest: &Value) {
        let applied = lock(&self.kubernetes).apply(manifest);
        applied.unwrap_or_else(|refusal| panic!("{refusal:?}: {manifest}"));
        self.changed.notify_one();
    }

    /// Notes among the effects what happened.
    pub fn note(&self, what: &str) {
        let note = format!("{} {what}", self.clock.now());
        lock(&self.notes).push((lock(&self.effects).len(), note));
    }

    /// The user deletes an object.
    pub fn delete(&self, key: &Key) {
        let deleted = lock(&self.kubernetes).delete::<MachineImage>(Some(key.namespace), &key.name);
        deleted.expect("the object is there");
        self.changed.notify_one();
    }

    /// The cluster's garbage collector, which Amity leaves that to: what has no owner any more goes.
    pub fn collect_garbage(&self) {
        let kubernetes = lock(&self.kubernetes);
        let images: Vec<MachineImage> = kubernetes.list();
        let owners: BTreeSet<_> = images.iter().filter_map(ResourceExt::uid).collect();
        let config_maps: Vec<ConfigMap> = kubernetes.list();
        for map in config_maps {
            let mut its = map.owner_references().iter();
            if its.any(|owner| !owners.contains(&owner.uid)) {
                let namespace = map.namespace();
                let deleted = kubernetes.delete::<ConfigMap>(namespace.as_deref(), &map.name_any());
                deleted.expect("it is there");
            }
        }
    }

    /// Somebody deletes the status of every object.
    pub fn wipe_statuses(&self) {
        self.note("the statuses are deleted");
        let kubernetes = lock(&self.kubernetes);
        for key in &self.objects {
            // It may be gone.
            let _ = kubernetes.wipe_status::<MachineImage>(Some(key.namespace), &key.name);
        }
    }

    /// The cluster is lost and built anew from Git, as one with another uid. Gives the uid of the one before.
    pub fn rebuild_cluster(&self) -> String {
        let uid = |kubernetes: &Kubernetes| {
            let namespace: Namespace = kubernetes
                .get(None, "kube-system")
                .expect("a namespace of that name");
            namespace.metadata.uid.expect("a uid")
        };
        let specs: Vec<_> = self
            .objects
            .iter()
            .filter_map(|key| Some((key, self.object(key)?.spec)))
            .collect();
        let before = {
            let mut number = lock(&self.clusters);
            *number += 1;
            let mut kubernetes = lock(&self.kubernetes);
            let before = uid(&kubernetes);
            kubernetes.drop_watches();
            *kubernetes = cluster(&self.clock, self.seed.wrapping_add(*number * 0x9E37_79B9));
            assert_ne!(before, uid(&kubernetes), "another cluster has another uid");
            before
        };
        self.grant(true);
        for (key, spec) in specs {
            self.apply(key, &serde_json::to_value(&spec).expect("a spec"));
        }
        *lock(&self.take_over_from) = None;
        self.crash_all();
        before
    }

    /// Every process ends, and another one starts.
    pub fn crash_all(&self) {
        for crash in &self.crash {
            crash.notify_one();
        }
    }

    /// How long EC2's reads lag behind, with a margin.
    pub fn lags_for(&self) -> Duration {
        self.pace.consistency_window + Duration::from_mins(2)
    }

    /// How many replicas there are.
    pub fn replicas(&self) -> usize {
        self.crash.len()
    }

    /// An object as it is now.
    pub fn object(&self, key: &Key) -> Option<MachineImage> {
        lock(&self.kubernetes).get(Some(key.namespace), &key.name)
    }

    /// How many plans of all processes so far would have broken an invariant.
    pub fn invariants_broken(&self) -> u64 {
        lock(&self.counted).iter().map(invariants_broken).sum()
    }

    /// How often a status of an image was written.
    pub fn status_writes(&self) -> u64 {
        let writes = lock(&self.kubernetes).writes();
        writes
            .get("machineimages/status")
            .copied()
            .unwrap_or_default()
    }

    /// Lets time pass until `done` says so. False: it did not within `limit`.
    pub async fn run_until(&self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let story = async {
            while !done(self) {
                self.changed.notified().await;
            }
        };
        tokio::time::timeout(limit, story).await.is_ok()
    }

    /// Lets so much time pass.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// EC2 as a replica reaches it.
    pub fn ec2(self: &Arc<Self>, replica: usize) -> InProcess {
        let (clock, universe) = (self.clock.clone(), self.clone());
        InProcess::new(self.world.clone(), move || clock.now())
            .with_faults(move |call: &CallSummary| {
                let fault = universe.fault(replica, call);
                if !matches!(fault, Fault::None) {
                    universe.went_wrong();
                }
                fault
            })
            .with_latency(|_| Duration::from_millis(120))
    }

    fn fault(&self, replica: usize, call: &CallSummary) -> Fault {
        let (rates, chance) = (*lock(&self.rates), &self.chance);
        if rates.cut_off == Some(replica) {
            return Fault::LostRequest;
        }
        let sts = matches!(call.action.as_str(), "GetCallerIdentity" | "AssumeRole");
        if !call.is_read() && !sts {
            self.changed.notify_one();
            let number = note(&self.effects, call);
            self.is_repeated(call);
            self.is_not_told_of(call);
            self.is_single(&call.region);
            let accident = lock(&self.accident).filter(|(at, _)| *at == number);
            let chosen = match accident {
                Some((_, Accident::StatusDeleted)) => {
                    self.wipe_statuses();
                    None
                }
                Some((_, accident)) => Some(accident == Accident::CrashAfter),
                None => None,
            };
            let by_chance = || chance.per_mille(rates.crash).then(|| chance.per_mille(500));
            if let Some(effect) = chosen.or_else(by_chance) {
                self.crash[replica].notify_one();
                return Fault::Hang { effect };
            }
        }
        match () {
            () if chance.per_mille(rates.lost) => {
                *chance.pick(&[Fault::LostRequest, Fault::LostAnswer])
            }
            () if chance.per_mille(rates.throttle) => Fault::Throttle,
            () if chance.per_mille(rates.broken) => *chance.pick(&[
                Fault::InternalError { effect: true },
                Fault::InternalError { effect: false },
                Fault::Truncated,
                Fault::Hang { effect: true },
            ]),
            () => Fault::None,
        }
    }

    /// What is deregistered must not be what somebody is told to launch at this moment.
    fn is_not_told_of(&self, call: &CallSummary) {
        if call.action != "DeregisterImage" {
            return;
        }
        if let Some(name) = parameters::that_names(self, call) {
            self.is_wrong(format!(
                "{} {:?} in {} is deregistered while parameter {name} names it",
                call.time, call.ids, call.region
            ));
        }
        // The statuses of a backup name what was published then, and a leader does not know yet that it is none.
        let now = self.clock.now();
        let put_back = *lock(&self.put_back);
        if put_back
            .is_some_and(|at| now.duration_since(at).unsigned_abs() < self.pace.lease_duration)
        {
            return;
        }
        for object in self.objects.iter().filter_map(|key| self.object(key)) {
            let spec = serde_json::to_value(&object.spec).expect("a spec");
            let is_wanted = |region: &&RegionStatus| {
                let place = if region.account_name == object.spec.account_name {
                    region.name.clone()
                } else {
                    format!("{}.{}", region.account_name, region.name)
                };
                object.metadata.deletion_timestamp.is_none() && wanted(&spec).contains(&place)
            };
            let regions = object.status.iter().flat_map(|status| &status.regions);
            let told = regions
                .filter(|region| region.name == call.region)
                .filter(is_wanted)
                .filter_map(|region| region.published_image_id.as_ref())
                .find(|id| call.ids.contains(id));
            if let Some(id) = told {
                self.is_wrong(format!(
                    "{} {id} in {} is deregistered while the status says that it is published",
                    call.time, call.region
                ));
            }
        }
    }

    /// The object whose status is written.
    fn status_of(&self, uri: &http::Uri) -> Option<&Key> {
        let path = uri.path().strip_suffix("/status")?;
        let ends =
            |key: &&Key| path.ends_with(&format!("/{}/machineimages/{}", key.namespace, key.name));
        self.objects.iter().find(ends)
    }

    /// A status goes on naming an image while it is there, published, and of the object, and no other takes its place.
    fn stays_told(&self, before: &MachineImage, after: &MachineImage) {
        if after.metadata.deletion_timestamp.is_some() {
            return;
        }
        let regions = |image: &MachineImage| image.status.clone().unwrap_or_default().regions;
        // What was retained is nobody's, until it has been taken over whole.
        let is_the_objects = |tags: &BTreeMap<String, String>| {
            tags.contains_key("amity.dev/published") && !tags.contains_key("amity.dev/retained")
        };
        let after = regions(after);
        let world = lock(&self.world);
        for told in regions(before) {
            let now = after.iter().find(|now| now.is_of(&told));
            let is_lost = now.is_some_and(|now| now.published_image_id.is_none());
            let Some(id) = told.published_image_id.filter(|_| is_lost) else {
                continue;
            };
            let is_published = world.regions().get(&told.name).is_some_and(|place| {
                place.images.get(&id).is_some_and(|image| {
                    image.deregistered.is_none()
                        && image.state == ImageState::Available
                        && !lock(&self.strangers).contains(&id)
                        && is_the_objects(&place.tags(&id, &image.owner))
                })
            });
            if is_published {
                self.is_wrong(format!(
                    "{} the status of {} no longer names {id} in {}, which is published",
                    self.clock.now(),
                    before.metadata.name.as_deref().unwrap_or_default(),
                    told.name
                ));
            }
        }
    }

    /// A copy is asked for within the time that the spec says, or said before.
    pub fn is_copied_in_time(&self, region: &str, body: &str) {
        if !body.starts_with("Action=CopyImage&") {
            return;
        }
        let asked: BTreeMap<_, _> = form_urlencoded::parse(body.as_bytes()).collect();
        let mut keys = asked.iter();
        let key = keys.find(|(_, value)| *value == "amity.dev/object");
        let object = key.and_then(|(name, _)| asked.get(name.replace(".Key", ".Value").as_str()));
        let minutes = asked.get("SnapshotCopyCompletionDurationMinutes");
        let minutes = minutes.and_then(|minutes| minutes.parse().ok());
        let wanted = lock(&self.copy_minutes);
        let wanted = object.and_then(|object| wanted.get(&**object));
        if !wanted.is_some_and(|wanted| wanted.contains(&minutes)) {
            self.is_wrong(format!(
                "{} a copy to {region} is to take {minutes:?} minutes instead of {wanted:?}",
                self.clock.now()
            ));
        }
    }

    /// At most one image of a revision of an object, of one encryption, lives in a place.
    fn is_single(&self, region: &str) {
        let mut there = BTreeMap::new();
        let world = lock(&self.world);
        let (strangers, restored) = (lock(&self.strangers), lock(&self.restored));
        let Some(place) = world.regions().get(region) else {
            return;
        };
        for image in place.images.values() {
            let lives = image.deregistered.is_none()
                && matches!(image.state, ImageState::Available | ImageState::Pending);
            if !lives || strangers.contains(&image.id) || restored.contains(&image.id) {
                continue;
            }
            let mut tags = place.tags(&image.id, &image.owner);
            let of = ["object", "revision", "variant"];
            let of = of.map(|key| tags.remove(&format!("amity.dev/{key}")));
            if of.iter().any(Option::is_none) {
                continue;
            }
            if let Some(other) = there.insert((of, &image.owner), &image.id) {
                let now = self.clock.now();
                self.is_wrong(format!(
                    "{now} {other} and {} in {region} are live at once, of one revision",
                    image.id
                ));
            }
        }
    }

    /// An image that a status names as published in a region.
    pub fn told_in(&self, region: &str) -> Option<String> {
        let objects = self
            .objects
            .iter()
            .filter_map(|key| self.object(key)?.status);
        let mut regions = objects.flat_map(|status| status.regions);
        regions.find_map(|one| one.published_image_id.filter(|_| one.name == region))
    }

    /// A request is done once more, past everything that goes wrong.
    pub fn repeat_by_hand(&self, region: &str, body: &str) {
        let pairs: Vec<_> = form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        let action = pairs
            .iter()
            .find(|(name, _)| name == "Action")
            .map(|(_, action)| action);
        let parameters: Vec<_> = pairs
            .iter()
            .filter(|(name, _)| name != "Action" && name != "Version")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let request = ec2sim::Request::new(action.expect("an action"), &parameters);
        let caller = ec2sim::Caller::ec2(ACCOUNTS[0].access_key, region);
        lock(&self.world).call(self.clock.now(), &caller, &request);
    }

    fn went_wrong(&self) {
        lock(&self.troubles).faults += 1;
    }

    fn is_wrong(&self, what: String) {
        lock(&self.wrong).get_or_insert(what);
        self.something_is_wrong.notify_one();
    }

    /// What EC2 refuses is not asked for again and again at once.
    fn is_repeated(&self, call: &CallSummary) {
        let now = self.clock.now().as_second() / 600;
        let mut repeated = lock(&self.repeated);
        if repeated.0 != now {
            *repeated = (now, BTreeMap::new());
        }
        // What names nothing cannot be told apart.
        if call.ids.is_empty() {
            return;
        }
        let what = format!("{} {} {}", call.region, call.action, call.ids.join(" "));
        let times = repeated.1.entry(what.clone()).or_default();
        *times += 1;
        if *times == REPEATED {
            self.is_wrong(format!(
                "{} {what} was asked for {REPEATED} times in ten minutes",
                call.time
            ));
        }
    }

    /// Nothing loops hot: so much is written in ten minutes for each object and replica, and no more.
    fn is_busy(&self) {
        let now = self.clock.now();
        let mut busy = lock(&self.busy);
        let writes = busy.entry(now.as_second() / 600).or_default();
        *writes += 1;
        if *writes == BUSY * (self.objects.len() * self.replicas()) as u64 {
            self.is_wrong(format!(
                "{now} more than {writes} writes to the cluster in ten minutes"
            ));
        }
    }

    /// The cluster as a replica reaches it.
    pub fn client(self: &Arc<Self>, replica: usize) -> Client {
        let universe = self.clone();
        // A process goes on with the cluster that it began with.
        let kubernetes = lock(&self.kubernetes).clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (universe, kubernetes) = (universe.clone(), kubernetes.clone());
            async move { universe.ask(replica, kubernetes, request).await }
        });
        Client::new(service, "default")
    }

    async fn ask(
        &self,
        replica: usize,
        kubernetes: Kubernetes,
        request: Request<Body>,
    ) -> Result<Response<kubesim::Body>, tower::BoxError> {
        let (parts, body) = request.into_parts();
        let mut body = body.collect_bytes().await?;
        if self.next_version == Some(replica) && parts.uri.path().ends_with("/status") {
            body = next_version::status(&body).into();
        }
        if let Some(sabotage) = *lock(&self.sabotage)
            && parts.uri.path().ends_with("/status")
        {
            body = sabotage.of_status(&body).into();
        }
        let request = Request::from_parts(parts, Body::from(body.clone()));
        let summary = Summary::of(&request);
        let is_event = summary
            .as_ref()
            .is_some_and(|asked| asked.resource == "events");
        let is_lease = summary
            .as_ref()
            .is_some_and(|asked| asked.resource == "leases");
        let (method, uri) = (request.method(), request.uri());
        let what = if is_event {
            // The computer's time is in the rest, and in the name.
            let event: Value = serde_json::from_slice(&body).unwrap_or_default();
            format!("{method} event {} {}", event["reason"], event["note"])
        } else {
            format!("{method} {uri} {}", String::from_utf8_lossy(&body))
        };
        self.gate.turn(format!("kubernetes {replica} {what}")).await;
        let (rates, chance) = (*lock(&self.rates), &self.chance);
        if rates.cluster_is_away || rates.cut_off == Some(replica) {
            self.went_wrong();
            return Err("the API server cannot be reached".into());
        }
        let changes = summary.as_ref().is_some_and(|asked| asked.verb.writes());
        if changes && !is_lease {
            self.is_busy();
        }
        let writes = changes && !is_event;
        if writes && chance.per_mille(rates.crash) {
            self.crash[replica].notify_one();
            if chance.per_mille(500) {
                kubernetes.answer(request).await;
            }
            return std::future::pending().await;
        }
        if chance.per_mille(rates.cluster) {
            self.went_wrong();
            return match chance.next() % 4 {
                0 => Err("the connection was reset".into()),
                1 => {
                    kubernetes.answer(request).await;
                    Err("the connection was reset".into())
                }
                2 => Ok(refused(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests")),
                _ => {
                    if chance.per_mille(300) {
                        kubernetes.compact();
                    }
                    kubernetes.drop_watches();
                    Ok(refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"))
                }
            };
        }
        let told_of = self.status_of(request.uri());
        let before = told_of.and_then(|key| self.object(key));
        let answer = kubernetes.answer(request).await;
        if let (Some(before), Some(after)) = (before, told_of.and_then(|key| self.object(key))) {
            self.stays_told(&before, &after);
        }
        if writes {
            self.changed.notify_one();
        }
        Ok(answer)
    }
}

/// A new cluster, with our resources and without objects.
pub fn cluster(clock: &Clock, seed: u64) -> Kubernetes {
    let clock = clock.clone();
    let kubernetes = Kubernetes::new(seed, move || clock.now());
    for (_, definition) in amity_core::api::crds() {
        kubernetes.define(&definition);
    }
    for name in ["amity-system"].into_iter().chain(NAMESPACES) {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        kubernetes.apply(&namespace).expect("a namespace");
    }
    kubernetes
}

fn refused(status: StatusCode, reason: &str) -> Response<kubesim::Body> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason,
        "code": status.as_u16(),
    });
    let mut response = Response::new(Full::from(body.to_string()).boxed_unsync());
    *response.status_mut() = status;
    response
}

/// Notes an effect; gives how many there were before.
fn note(effects: &Mutex<Vec<String>>, call: &CallSummary) -> usize {
    let ids = call.ids.join(" ");
    let others = ACCOUNTS.iter().skip(1);
    let other = others
        .into_iter()
        .find(|account| call.account.as_deref() == Some(account.id));
    let account = other.map_or_else(String::new, |account| format!("{}.", account.name));
    let mut effects = lock(effects);
    effects.push(format!(
        "{} {account}{} {} {ids}",
        call.time, call.region, call.action
    ));
    effects.len() - 1
}
